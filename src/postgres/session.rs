//! A connection whose settings are pinned, so that the same rows always read as the same bytes.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection, Executor, FromRow};

use super::error::{DatabaseError, Trouble, While};
use super::settings::Pins;
use super::sql;
use crate::model::{Schema, SnapshotInfo, Source};

/// How long a connection that the server refuses for want of a free one is tried again.
pub(super) const FREE_CONNECTION: Duration = Duration::from_millis(100);

/// How often the server is asked over a new connection what becomes of a commit that it does not answer.
const COMMIT_LOOK: Duration = Duration::from_secs(10);
/// How long a server that may be gone is asked for the end of a session or a transaction.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Version, snapshot, WAL position, time.
type SnapshotRow = (String, String, Option<String>, String);

/// A connection to the database, in a transaction or between two.
#[derive(Debug)]
pub struct Session {
    pub(super) connection: PgConnection,
    pub(super) options: PgConnectOptions,
    pub(super) backend: i32,
    pub(super) pins: Pins,
    /// Whether an answer never came, so that none will.
    pub(super) lost: bool,
}

/// What became of a transaction whose commit was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It is still under way.
    Pending,
    /// It took effect.
    Committed,
    /// It did not.
    RolledBack,
}

impl Session {
    /// Another session on the same server and database, if there is one to be had in a few seconds: a
    /// role, a database or the server may have no further connection.
    pub async fn sibling(&self) -> Option<Self> {
        let sibling = Self::open(self.options.clone(), self.pins.lock_timeout);
        let sibling = tokio::time::timeout(ANSWER_WITHIN, sibling).await.unwrap_or_else(|_| {
            Err(sqlx::Error::from(io::Error::from(io::ErrorKind::TimedOut))).trying("connect")
        });
        sibling
            .inspect_err(|error| tracing::debug!("could not open a second session: {error}"))
            .ok()
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
        self.refuse_lost()?;
        let done = self.connection.execute(sqlx::raw_sql(AssertSqlSafe(statements))).await?;
        Ok(done.rows_affected())
    }

    fn refuse_lost(&self) -> Result<(), io::Error> {
        if self.lost { Err(io::ErrorKind::NotConnected.into()) } else { Ok(()) }
    }

    /// All rows of a query. It is sent as it is and not prepared, which would be two ways to the
    /// server and back for a query that is asked once.
    pub(super) async fn rows<T>(&mut self, query: String) -> Result<Vec<T>, sqlx::Error>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        tracing::trace!(query);
        self.refuse_lost()?;
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

    /// Renews what the planner knows of these tables.
    ///
    /// # Errors
    /// If the role does not own them, or the connection is lost.
    pub async fn analyze(
        &mut self,
        schema: &Schema,
        tables: &BTreeSet<&str>,
    ) -> Result<(), DatabaseError> {
        if tables.is_empty() {
            return Ok(());
        }
        let tables = schema.tables.iter().filter(|table| tables.contains(table.name.as_str()));
        let tables: Vec<_> = tables.map(sql::table).collect();
        let begin = self.begin("READ COMMITTED READ WRITE");
        self.run(format!("{begin} ANALYZE {}; COMMIT", tables.join(", ")))
            .await
            .trying("analyze the tables")?;
        Ok(())
    }

    /// What identifies the snapshot that this transaction sees of these tables.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn snapshot_info(&mut self, schema: &Schema) -> Result<SnapshotInfo, DatabaseError> {
        let source = self.source().await?;
        let point = self.read_point(schema).await?;
        let query = "
            SELECT current_setting('server_version'), pg_current_snapshot()::text,
                CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()::text
                     ELSE pg_current_wal_lsn()::text END,
                now()::text";
        let row: SnapshotRow = self.row(query.into()).await.trying("identify the snapshot")?;
        let (server_version, visible, wal_position, taken_at) = row;
        Ok(SnapshotInfo {
            database: source.database,
            server_version,
            system_identifier: source.system_identifier,
            server: source.server,
            database_oid: source.database_oid,
            visible,
            wal_position,
            taken_at,
            schema_fingerprint: schema.fingerprint(),
            point,
        })
    }

    /// Which database this is. Within a transaction.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn source(&mut self) -> Result<Source, DatabaseError> {
        let query = "
            SELECT datname::text, oid::int8, has_function_privilege('pg_control_system()', 'execute')
            FROM pg_database WHERE datname = current_database()";
        let what = "identify the database";
        let row: (String, i64, bool) = self.row(query.into()).await.trying(what)?;
        let (database, oid, is_told) = row;
        // Apart: a query that only might call the function is not permitted either.
        let system = "SELECT system_identifier::text FROM pg_control_system()";
        let system_identifier =
            if is_told { Some(self.value(system.into()).await.trying(what)?) } else { None };
        // A folder of this machine is nobody else's business.
        let local = self.options.get_socket().is_some() || self.options.get_host().starts_with('/');
        let host = if local { "[local]" } else { self.options.get_host() };
        let server = Some(format!("{host}:{}", self.options.get_port()));
        let database_oid = u32::try_from(oid).ok();
        Ok(Source { database, server, system_identifier, database_oid })
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

    /// Commits. Asks the server over a new connection what became of it if the answer is lost, or does
    /// not come: a commit may take long, but a server that answers nobody is not waited for.
    ///
    /// # Errors
    /// [`Trouble::CommitUnknown`] if that cannot be learnt; any other if nothing was committed.
    pub async fn commit(&mut self) -> Result<(), DatabaseError> {
        let transaction: String =
            self.value("SELECT pg_current_xact_id()::text".into()).await.trying("commit")?;
        let terminator = self.terminator();
        let mut committing = Box::pin(self.run("COMMIT".into()));
        let (error, answered, outcome) = loop {
            let answer = tokio::time::timeout(COMMIT_LOOK, &mut committing).await;
            let answered = answer.is_ok();
            let error = match answer.map(|answer| answer.map_err(Trouble::from)) {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(Trouble::Unreachable(error))) => error,
                Ok(Err(trouble)) => return Err(DatabaseError { what: "commit".into(), trouble }),
                Err(_) => io::Error::from(io::ErrorKind::TimedOut).into(),
            };
            match (answered, terminator.outcome(&transaction).await) {
                (false, Some(Outcome::Pending)) => {}
                (answered, outcome) => break (error, answered, outcome),
            }
        };
        drop(committing);
        self.lost = !answered;
        let trouble = match outcome {
            Some(Outcome::Committed) => return Ok(()),
            Some(Outcome::RolledBack) => Trouble::Unreachable(error),
            Some(Outcome::Pending) | None => Trouble::CommitUnknown(error),
        };
        Err(DatabaseError { what: "commit".into(), trouble })
    }
}

/// Ends a session from outside, or asks how it is, over a connection of its own.
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

    /// Whether a session of this role works on a statement, as far as the server says so in a few
    /// seconds. Behind a pooler the server knows the session by another number, so all are looked at.
    pub async fn is_working(&self) -> bool {
        let answered = tokio::time::timeout(ANSWER_WITHIN, self.ask_activity()).await;
        answered.ok().and_then(Result::ok).unwrap_or(false)
    }

    async fn ask_activity(&self) -> Result<bool, DatabaseError> {
        let mut session = self.open().await?;
        // One that sends rows which nobody takes, or waits for rows that nobody sends, does not work.
        let works = "SELECT EXISTS (SELECT FROM pg_stat_activity
            WHERE application_name = 'ipam-rewind' AND usename = session_user
            AND datname = current_database() AND pid <> pg_backend_pid()
            AND state = 'active' AND wait_event_type IS DISTINCT FROM 'Client')";
        session.value(works.into()).await.trying("ask for the sessions")
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
        Some(Outcome::Pending)
    }
}
