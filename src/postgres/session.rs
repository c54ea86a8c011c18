//! A connection whose settings are pinned, so that the same rows always read as the same bytes.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection, Executor, FromRow, Row};

use super::error::{DatabaseError, Trouble, While, is_lock_timeout};
use super::sql;
use crate::model::SnapshotInfo;

/// First, which of the server's processes this is. Then what COPY's output depends on, and what would
/// stop a long run or hide rows from it. No parallel workers: the leader, which writes the rows, is
/// what one waits for, and they would take the processor from the application. No scans by range of
/// pages: unlike a scan of a whole table, which keeps to a few buffers of its own, they would drive
/// the application's pages out of the server's cache, and make it wait for the disk when it wants them
/// back.
const PINNED: &str = "
SELECT pg_backend_pid();
SET client_encoding = 'UTF8'; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres';
SET timezone = 'UTC'; SET extra_float_digits = 1; SET bytea_output = 'hex';
SET lc_monetary = 'C'; SET xmloption = 'content'; SET standard_conforming_strings = on;
SET row_security = off; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;
SET application_name = 'ipam-rewind'; SET jit = off; SET synchronous_commit = on;
SET max_parallel_workers_per_gather = 0; SET enable_tidscan = off;
SET quote_all_identifiers = off; SET default_transaction_read_only = off;
SET work_mem = '64MB'; SET maintenance_work_mem = '128MB';
SELECT set_config('search_path', quote_ident(current_schema()), false);
SELECT set_config(name, '1s', false) FROM pg_settings WHERE name = 'client_connection_check_interval';
SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('transaction_timeout', 'idle_session_timeout');
";

/// How long a server that may be gone is asked for the end of a session or a transaction.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Database, version, system, snapshot, WAL position, time.
type SnapshotRow = (String, String, Option<String>, String, Option<String>, String);

/// A connection to the database, in a transaction or between two.
#[derive(Debug)]
pub struct Session {
    connection: PgConnection,
    options: PgConnectOptions,
    backend: i32,
}

/// How a transaction ended whose commit was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect.
    Committed,
    /// It did not.
    RolledBack,
}

fn options_of(url: &str) -> Result<PgConnectOptions, DatabaseError> {
    let scheme = url.starts_with("postgres://") || url.starts_with("postgresql://");
    let parsed = if scheme { url.parse().ok() } else { None };
    // The text may hold a password, so it is not repeated.
    parsed.ok_or_else(|| DatabaseError {
        what: "use the database URL".into(),
        trouble: Trouble::MalformedUrl,
    })
}

/// Which database an address names: its name and its host, for people.
///
/// # Errors
/// If the address cannot be read.
pub fn named(url: &str) -> Result<(String, String), DatabaseError> {
    let options = options_of(url)?;
    let name = options.get_database().unwrap_or_else(|| options.get_username());
    Ok((name.to_owned(), options.get_host().to_owned()))
}

impl Session {
    /// Connects and pins the settings.
    ///
    /// # Errors
    /// If the URL cannot be read, the server is out of reach, or the role may not connect.
    pub async fn connect(url: &str) -> Result<Self, DatabaseError> {
        Self::open(options_of(url)?).await
    }

    async fn open(options: PgConnectOptions) -> Result<Self, DatabaseError> {
        let mut connection =
            PgConnection::connect_with(&options).await.trying("connect to the database")?;
        let rows = connection.fetch_all(sqlx::raw_sql(PINNED)).await;
        let backend = rows.and_then(|rows| rows[0].try_get(0)).trying("set up the session")?;
        Ok(Self { connection, options, backend })
    }

    /// Another session on the same database.
    pub(super) async fn sibling(&self) -> Result<Self, DatabaseError> {
        Self::open(self.options.clone()).await
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
    async fn row<T>(&mut self, query: String) -> Result<T, sqlx::Error>
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
        let lock = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; LOCK TABLE {} IN ACCESS SHARE MODE",
            sql::names(tables.iter().copied())
        );
        self.run(lock).await.trying("take a snapshot of the tables")?;
        Ok(())
    }

    /// As [`Session::begin_snapshot`], for a transaction that may make temporary tables. It is to be
    /// rolled back.
    ///
    /// # Errors
    /// If a table cannot be locked for reading.
    pub async fn begin_scratch_snapshot(&mut self, tables: &[&str]) -> Result<(), DatabaseError> {
        let lock = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ; LOCK TABLE {} IN ACCESS SHARE MODE",
            sql::names(tables.iter().copied())
        );
        self.run(lock).await.trying("take a snapshot of the tables")?;
        Ok(())
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
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {}",
            sql::literal(&snapshot)
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

    async fn end_backend(&self) -> Result<(), DatabaseError> {
        let mut session = Session::open(self.options.clone()).await?;
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
        let mut session = Session::open(self.options.clone()).await.ok()?;
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
