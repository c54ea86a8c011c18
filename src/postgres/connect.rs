//! Opens a session: the hosts of an address in their order.

use std::io;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Executor, FromRow};

use super::address::{Address, Host, Target};
use super::error::{DatabaseError, Trouble, While};
use super::session::{FREE_CONNECTION, Session};
use super::settings::{Pins, greeting};

/// What is tried with an address.
const USE_ADDRESS: &str = "use the database URL";
/// How long a statement waits for a lock, unless told otherwise.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a connection is tried again if there is none free: the server needs a moment to notice that
/// one before it was closed.
const JUST_LEFT: Duration = Duration::from_secs(3);

impl Session {
    /// Connects. Statements wait for locks as long as [`LOCK_TIMEOUT`].
    ///
    /// # Errors
    /// If the URL cannot be read, the server is out of reach, or the role may not connect.
    pub async fn connect(url: &str) -> Result<Self, DatabaseError> {
        Self::connect_waiting(url, LOCK_TIMEOUT).await
    }

    /// As [`Session::connect`], for statements that wait for locks as long as this.
    ///
    /// # Errors
    /// As [`Session::connect`].
    pub async fn connect_waiting(url: &str, lock_timeout: Duration) -> Result<Self, DatabaseError> {
        let address = Address::parse(url).trying(USE_ADDRESS)?;
        let since = Instant::now();
        loop {
            match Self::open_any(&address, lock_timeout).await {
                Err(error)
                    if error.trouble.is_too_many_connections() && since.elapsed() < JUST_LEFT =>
                {
                    tokio::time::sleep(FREE_CONNECTION).await;
                }
                opened => return opened,
            }
        }
    }

    /// The first host that answers and is what the address asks for.
    async fn open_any(address: &Address, lock_timeout: Duration) -> Result<Self, DatabaseError> {
        let targets: &[Target] = match &address.target {
            Target::PreferStandby => &[Target::PreferStandby, Target::Any],
            target => std::slice::from_ref(target),
        };
        let mut failure = None;
        for target in targets {
            for host in &address.hosts {
                match Self::open_host(host, address, *target, lock_timeout).await {
                    Ok(session) => return Ok(session),
                    // As in libpq, only a host that cannot be reached makes way for the next one.
                    Err(error) if matches!(error.trouble, Trouble::NotPermitted(_)) => {
                        return Err(error);
                    }
                    Err(error) => failure = Some(error),
                }
            }
        }
        Err(failure.expect("an address has a host"))
    }

    async fn open_host(
        host: &Host,
        address: &Address,
        target: Target,
        lock_timeout: Duration,
    ) -> Result<Self, DatabaseError> {
        let connect = async {
            let mut opened = Self::open(host.attempts[0].clone(), lock_timeout).await;
            for attempt in &host.attempts[1..] {
                if opened.as_ref().is_err_and(|error| error.trouble.is_about_encryption()) {
                    opened = Self::open(attempt.clone(), lock_timeout).await;
                }
            }
            let mut session = opened?;
            session.refuse_other_than(target, &host.name).await?;
            Ok(session)
        };
        let Some(timeout) = address.connect_timeout else { return connect.await };
        tokio::time::timeout(timeout, connect).await.unwrap_or_else(|_| {
            let late = sqlx::Error::from(io::Error::from(io::ErrorKind::TimedOut));
            Err(late).trying(format!("connect to {} in {} s", host.name, timeout.as_secs()))
        })
    }

    async fn refuse_other_than(&mut self, target: Target, host: &str) -> Result<(), DatabaseError> {
        if target == Target::Any {
            return Ok(());
        }
        let state = "SELECT current_setting('transaction_read_only')::bool, pg_is_in_recovery()";
        let (read_only, in_recovery) =
            self.row(state.into()).await.trying("ask the server for its state")?;
        if target.is_met_by(read_only, in_recovery) {
            return Ok(());
        }
        let trouble = Trouble::OtherTarget(host.to_owned());
        Err(DatabaseError { what: "connect to the database".into(), trouble })
    }

    pub(super) async fn open(
        options: PgConnectOptions,
        lock_timeout: Duration,
    ) -> Result<Self, DatabaseError> {
        // A pooler may not know the digits as a parameter; every transaction sets them anyway.
        let options = options.application_name("ipam-rewind").extra_float_digits(None);
        let mut connection =
            PgConnection::connect_with(&options).await.trying("connect to the database")?;
        let greeting = sqlx::raw_sql(AssertSqlSafe(greeting()));
        let rows = connection.fetch_all(greeting).await.trying("set up the session")?;
        let (first, different) =
            rows.split_first().ok_or(sqlx::Error::RowNotFound).trying("set up the session")?;
        let (backend, search_path) = FromRow::from_row(first).trying("set up the session")?;
        let different = different.iter().map(FromRow::from_row).collect::<Result<_, _>>();
        let different = different.trying("set up the session")?;
        let pins = Pins { search_path, different, lock_timeout };
        Ok(Self { connection, options, backend, pins, lost: false })
    }
}
