//! A connection whose settings are pinned, so that the same rows always read as the same bytes.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection, Executor, FromRow};

use super::blockers::Wanted;
use super::connect::FREE_CONNECTION;
use super::error::{DatabaseError, Trouble, While, is_lock_timeout};
use super::settings::pin_transaction;
use super::sql;
use crate::model::SnapshotInfo;

/// How long a server that may be gone is asked for the end of a session or a transaction.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Database, version, system, snapshot, WAL position, time.
type SnapshotRow = (String, String, Option<String>, String, Option<String>, String);

/// A connection to the database, in a transaction or between two.
#[derive(Debug)]
pub struct Session {
    pub(super) connection: PgConnection,
    pub(super) options: PgConnectOptions,
    pub(super) backend: i32,
    pub(super) search_path: String,
    pub(super) lock_timeout: Duration,
}

/// How a transaction ended whose commit was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect.
    Committed,
    /// It did not.
    RolledBack,
}

impl Session {
    /// Another session on the same server and database, if there is one to be had: a role, a database
    /// or the server may have no further connection.
    pub async fn sibling(&self) -> Option<Self> {
        let sibling = Self::open(self.options.clone(), self.lock_timeout).await;
        sibling.inspect_err(|error| tracing::debug!("no second session: {error}")).ok()
    }

    /// Pins the settings of the transaction that has just begun.
    pub(super) fn pin_transaction(&self) -> String {
        pin_transaction(&self.search_path, self.lock_timeout)
    }

    /// Who would end this session's work, should the caller stop half-way.
    #[must_use]
    pub fn terminator(&self) -> Terminator {
        Terminator { options: self.options.clone(), backend: self.backend }
    }

    /// The raw connection.
    pub(super) fn raw(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Runs statements; what they return is dropped.
    pub(super) async fn run(&mut self, statements: String) -> Result<u64, sqlx::Error> {
        tracing::trace!(statements);
        let done = self.connection.execute(sqlx::raw_sql(AssertSqlSafe(statements))).await?;
        Ok(done.rows_affected())
    }

    /// All rows of a query. It is sent as it is and not prepared, which would be two ways to the
    /// server and back for a query that is asked once.
    pub(super) async fn rows<T>(&mut self, query: String) -> Result<Vec<T>, sqlx::Error>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        tracing::trace!(query);
        let rows = sqlx::raw_sql(AssertSqlSafe(query)).fetch_all(&mut self.connection).await?;
        rows.iter().map(T::from_row).collect()
    }

    /// The one row of a query; sent as in [`Session::rows`].
    pub(super) async fn row<T>(&mut self, query: String) -> Result<T, sqlx::Error>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        self.rows(query).await?.pop().ok_or(sqlx::Error::RowNotFound)
    }

    /// The one value that a query gives; sent as in [`Session::rows`].
    pub(super) async fn value<T>(&mut self, query: String) -> Result<T, sqlx::Error>
    where
        (T,): for<'r> FromRow<'r, PgRow>,
        T: Send + Unpin,
    {
        let (value,) = self.row(query).await?;
        Ok(value)
    }

    /// Begins a transaction that sees one snapshot of these tables and writes nothing. The tables
    /// are locked before the snapshot is taken: a TRUNCATE in between would empty them under it.
    ///
    /// # Errors
    /// If a table cannot be locked for reading.
    pub async fn begin_snapshot(&mut self, tables: &[&str]) -> Result<(), DatabaseError> {
        self.begin_reading("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", tables).await
    }

    /// As [`Session::begin_snapshot`], for a transaction that may make temporary tables. It is to be
    /// rolled back.
    ///
    /// # Errors
    /// If a table cannot be locked for reading.
    pub async fn begin_scratch_snapshot(&mut self, tables: &[&str]) -> Result<(), DatabaseError> {
        self.begin_reading("BEGIN ISOLATION LEVEL REPEATABLE READ", tables).await
    }

    async fn begin_reading(&mut self, begin: &str, tables: &[&str]) -> Result<(), DatabaseError> {
        const WHAT: &str = "take a snapshot of the tables";
        let lock = format!(
            "{begin}; {} LOCK TABLE {} IN ACCESS SHARE MODE",
            self.pin_transaction(),
            sql::names(tables.iter().copied())
        );
        match self.run(lock).await {
            Err(error) if is_lock_timeout(&error) => {
                let blockers = self.blockers(Wanted::Reading(tables)).await?;
                Err(DatabaseError { what: WHAT.into(), trouble: Trouble::Blocked(blockers) })
            }
            done => done.map(drop).trying(WHAT),
        }
    }

    /// Renews what the planner knows of these tables.
    ///
    /// # Errors
    /// If the role does not own them, or the connection is lost.
    pub async fn analyze(&mut self, tables: &BTreeSet<&str>) -> Result<(), DatabaseError> {
        if tables.is_empty() {
            return Ok(());
        }
        let tables = sql::names(tables.iter().copied());
        self.run(format!("ANALYZE {tables}")).await.trying("analyze the tables")?;
        Ok(())
    }

    /// Begins a transaction that sees the snapshot of the first session's, and holds the tables like
    /// that one. False if it does not, since somebody waits for a table with a stronger lock: to wait
    /// behind them would be to wait for the first session, which waits for this one in turn.
    ///
    /// # Errors
    /// If the server does not share the snapshot.
    pub async fn begin_shared(
        &mut self,
        first: &mut Self,
        tables: &[&str],
    ) -> Result<bool, DatabaseError> {
        let what = "share the snapshot";
        let snapshot: String =
            first.value("SELECT pg_export_snapshot()".into()).await.trying(what)?;
        let begin = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {}; {}",
            sql::literal(&snapshot),
            self.pin_transaction()
        );
        self.run(begin).await.trying(what)?;
        let tables = sql::names(tables.iter().copied());
        let lock = format!("LOCK TABLE {tables} IN ACCESS SHARE MODE NOWAIT");
        match self.run(lock).await {
            Ok(_) => Ok(true),
            Err(error) if is_lock_timeout(&error) => self.rollback().await.map(|()| false),
            Err(error) => Err(error).trying(what),
        }
    }

    /// What identifies the snapshot that this transaction sees; the fingerprint is the caller's.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn snapshot_info(
        &mut self,
        schema_fingerprint: crate::model::Hash,
    ) -> Result<SnapshotInfo, DatabaseError> {
        let query = "
            SELECT current_database()::text, current_setting('server_version'),
                CASE WHEN has_function_privilege('pg_control_system()', 'execute')
                     THEN (SELECT system_identifier::text FROM pg_control_system()) END,
                pg_current_snapshot()::text,
                CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()::text
                     ELSE pg_current_wal_lsn()::text END,
                now()::text";
        let row: SnapshotRow = self.row(query.into()).await.trying("identify the snapshot")?;
        let (database, server_version, system_identifier, visible, wal_position, taken_at) = row;
        Ok(SnapshotInfo {
            database,
            server_version,
            system_identifier,
            visible,
            wal_position,
            taken_at,
            schema_fingerprint,
        })
    }

    /// Takes leave of the server.
    ///
    /// # Errors
    /// If the connection is lost; the server then notices by itself.
    pub async fn close(self) -> Result<(), DatabaseError> {
        self.connection.close().await.trying("take leave of the database")
    }

    /// Ends the transaction without effect.
    ///
    /// # Errors
    /// If the connection is lost; the server then does the same by itself.
    pub async fn rollback(&mut self) -> Result<(), DatabaseError> {
        self.run("ROLLBACK".into()).await.trying("roll back")?;
        Ok(())
    }

    /// Commits. Should the answer be lost, asks the server over a new connection what became of it.
    ///
    /// # Errors
    /// [`Trouble::CommitUnknown`] if that cannot be learnt; any other if nothing was committed.
    pub async fn commit(&mut self) -> Result<(), DatabaseError> {
        let transaction: String =
            self.value("SELECT pg_current_xact_id()::text".into()).await.trying("commit")?;
        let Err(error) = self.run("COMMIT".into()).await else {
            return Ok(());
        };
        let trouble = match Trouble::from(error) {
            Trouble::Unreachable(error) => match self.terminator().outcome(&transaction).await {
                Some(Outcome::Committed) => return Ok(()),
                Some(Outcome::RolledBack) => Trouble::Unreachable(error),
                None => Trouble::CommitUnknown(error),
            },
            answered => answered,
        };
        Err(DatabaseError { what: "commit".into(), trouble })
    }
}

/// Ends a session from outside, over a connection of its own.
#[derive(Debug, Clone)]
pub struct Terminator {
    options: PgConnectOptions,
    backend: i32,
}

impl Terminator {
    /// Ends the session's backend and waits until it is gone, so that its locks are too.
    ///
    /// # Errors
    /// If the server is out of reach or does not answer in a few seconds; the backend then notices
    /// by itself that its client is gone.
    pub async fn terminate(&self) -> Result<(), DatabaseError> {
        let answered = tokio::time::timeout(ANSWER_WITHIN, self.end_backend()).await;
        answered.unwrap_or_else(|_| {
            Err(sqlx::Error::from(io::Error::from(io::ErrorKind::TimedOut)))
                .trying("end the session")
        })
    }

    /// A session beside the one that is to end. If the server has no further connection, then until
    /// the other's is free: the server notices within a second or two that its client is gone.
    async fn open(&self) -> Result<Session, DatabaseError> {
        loop {
            match Session::open(self.options.clone(), ANSWER_WITHIN).await {
                Err(error) if error.trouble.is_too_many_connections() => {
                    tokio::time::sleep(FREE_CONNECTION).await;
                }
                opened => return opened,
            }
        }
    }

    async fn end_backend(&self) -> Result<(), DatabaseError> {
        let mut session = self.open().await?;
        let gone = format!(
            "SELECT count(pg_terminate_backend(pid)) = 0 FROM pg_stat_activity
             WHERE pid = {} AND application_name = 'ipam-rewind' AND usename = session_user",
            self.backend
        );
        for _ in 0..100 {
            if session.value(gone.clone()).await.trying("end the session")? {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// What became of a transaction, if the server says so in a few seconds.
    async fn outcome(&self, transaction: &str) -> Option<Outcome> {
        let answered = tokio::time::timeout(ANSWER_WITHIN, self.ask_outcome(transaction)).await;
        answered.ok().flatten()
    }

    async fn ask_outcome(&self, transaction: &str) -> Option<Outcome> {
        let mut session = self.open().await.ok()?;
        let status = format!("SELECT pg_xact_status({}::xid8)", sql::literal(transaction));
        for _ in 0..50 {
            match session.value::<Option<String>>(status.clone()).await.ok()?.as_deref() {
                Some("committed") => return Some(Outcome::Committed),
                Some("aborted") => return Some(Outcome::RolledBack),
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
        None
    }
}
