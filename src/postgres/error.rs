//! What can go wrong with a database, sorted by what one can do about it.

use sqlx::error::DatabaseError as DatabaseAnswer;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

use super::address::AddressError;

/// Something that was asked of the database did not work.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}")]
pub struct DatabaseError {
    /// What was tried, as the end of "cannot …".
    pub what: String,
    /// Why not.
    #[source]
    pub trouble: Trouble,
}

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The database's address cannot be read, or asks for what is not supported.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The server at this host is not what `target_session_attrs` asks for.
    #[error("the server at {0} is not what target_session_attrs asks for")]
    OtherTarget(String),
    /// No connection, or a lost one.
    #[error("the database is out of reach")]
    Unreachable(#[source] sqlx::Error),
    /// The role may not do this, or not even connect.
    #[error("the database does not permit it")]
    NotPermitted(#[source] sqlx::Error),
    /// Others hold locks on the tables.
    #[error("other sessions hold locks that it needs: {}", .0.join("; "))]
    Blocked(Vec<String>),
    /// A lock could not be had in time; who holds it was not learnt.
    #[error("another session holds a lock that it needs")]
    LockTimeout(#[source] sqlx::Error),
    /// Rows outside the backup refer to rows that would go.
    #[error("rows that are not backed up refer to rows that would be replaced: {}", .0.join("; "))]
    ReferredTo(Vec<String>),
    /// Writing the tables would set off what reaches beyond their rows.
    #[error("writing rows would run rules or triggers that change other rows: {}", .0.join("; "))]
    SetsOff(Vec<String>),
    /// Row-level security keeps rows from this role.
    #[error(
        "row-level security of {0} hides rows from this role; use its owner without FORCE ROW LEVEL \
         SECURITY, or a role with BYPASSRLS"
    )]
    RowsHidden(String),
    /// The database is not one that can be backed up.
    #[error("{0}")]
    Unsuitable(String),
    /// The connection was lost while the commit was under way, and its outcome cannot be learnt.
    #[error("the connection was lost during the commit, so it is not known whether it took effect")]
    CommitUnknown(#[source] sqlx::Error),
    /// What was to be written breaks a rule that the database has for its rows.
    #[error("a constraint of the database forbids it")]
    Forbidden(#[source] sqlx::Error),
    /// A value that was to be written is none of its column's type any more.
    #[error("the database no longer accepts this value")]
    Value(#[source] sqlx::Error),
    /// Any other answer of the server.
    #[error("the server refused")]
    Refused(#[source] sqlx::Error),
}

/// SQLSTATE of a lock that could not be had in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";
/// SQLSTATE of a connection for which the role, the database or the server has no place.
const TOO_MANY_CONNECTIONS: &str = "53300";
/// SQLSTATE of a deadlock that this session was chosen to break.
const DEADLOCK: &str = "40P01";

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Configuration(_) => {
                Self::Unreachable(error)
            }
            sqlx::Error::Protocol(_) => Self::Unreachable(error),
            sqlx::Error::Database(answer) => match answer.code().as_deref() {
                Some(LOCK_NOT_AVAILABLE | DEADLOCK) => Self::LockTimeout(error),
                Some("42501") => Self::NotPermitted(error),
                Some(code) if code.starts_with("28") => Self::NotPermitted(error),
                // 57P0x: shut down, crashed, starting up; 3D000: no such database; 08: connection.
                Some("3D000" | TOO_MANY_CONNECTIONS) => Self::Unreachable(error),
                Some(code) if code.starts_with("57P") || code.starts_with("08") => {
                    Self::Unreachable(error)
                }
                // Integrity constraint violation.
                Some(code) if code.starts_with("23") => Self::Forbidden(error),
                _ if ends_the_session(&**answer) => Self::Unreachable(error),
                _ => Self::Refused(error),
            },
            _ => Self::Refused(error),
        }
    }
}

/// The line and the column of a COPY that the server could not take. It does not always tell the column.
pub type Cell = (u64, Option<String>);

impl DatabaseError {
    /// Which line and which column of a COPY the server could not take.
    #[must_use]
    pub fn copied_cell(&self) -> Option<Cell> {
        match &self.trouble {
            Trouble::Value(error) | Trouble::Forbidden(error) | Trouble::Refused(error) => {
                copied_cell(error)
            }
            _ => None,
        }
    }
}

impl Trouble {
    /// Why a row could not be written.
    pub(super) fn refused_row(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(DatabaseAnswer::code);
        // Data exception.
        if code.is_some_and(|code| code.starts_with("22")) {
            return Self::Value(error);
        }
        Self::from(error)
    }

    /// Whether a byte cannot be converted to UTF-8.
    pub(super) fn is_about_encoding(&self) -> bool {
        let Self::Refused(error) = self else { return false };
        let code = error.as_database_error().and_then(DatabaseAnswer::code);
        // Not in the repertoire, or not translatable.
        matches!(code.as_deref(), Some("22021" | "22P05"))
    }

    /// Whether a value or a row is larger than the server can send.
    pub(super) fn is_about_size(&self) -> bool {
        let Self::Refused(error) = self else { return false };
        let Some(answer) = error.as_database_error() else { return false };
        // A line of COPY that grows too long is "program limit exceeded"; a single value, an error
        // without a code of its own.
        match answer.code().as_deref() {
            Some("54000") => true,
            Some("XX000") => answer.message().starts_with("invalid memory alloc request size"),
            _ => false,
        }
    }

    /// Whether another attempt, with or without encryption, may do better.
    pub(super) fn is_about_encryption(&self) -> bool {
        match self {
            Self::Unreachable(error) => matches!(error, sqlx::Error::Tls(_)),
            Self::NotPermitted(error) => {
                let code = error.as_database_error().and_then(DatabaseAnswer::code);
                // No entry of pg_hba.conf for this kind of connection. A wrong password is 28P01.
                code.as_deref() == Some("28000")
            }
            _ => false,
        }
    }

    /// Whether the role, the database or the server has no place for another connection.
    pub(super) fn is_too_many_connections(&self) -> bool {
        let Self::Unreachable(error) = self else { return false };
        let code = error.as_database_error().and_then(DatabaseAnswer::code);
        code.as_deref() == Some(TOO_MANY_CONNECTIONS)
    }
}

/// Whether the server has ended the session, or itself, with this answer.
fn ends_the_session(answer: &dyn DatabaseAnswer) -> bool {
    let severity = answer.try_downcast_ref().map(PgDatabaseError::severity);
    matches!(severity, Some(PgSeverity::Fatal | PgSeverity::Panic))
}

/// Whether the server gave up waiting for a lock.
pub fn is_lock_timeout(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some(LOCK_NOT_AVAILABLE | DEADLOCK))
}

/// Turns an error into a [`DatabaseError`] that says what was tried.
pub trait While<T> {
    /// `what` completes "cannot …".
    fn trying(self, what: impl Into<String>) -> Result<T, DatabaseError>;
}

impl<T, E: Into<Trouble>> While<T> for Result<T, E> {
    fn trying(self, what: impl Into<String>) -> Result<T, DatabaseError> {
        self.map_err(|error| DatabaseError { what: what.into(), trouble: error.into() })
    }
}

/// Which line and which column of a COPY the server could not take, by its context
/// (`COPY table, line 3, column name: "…"`), whose words may be of any language.
fn copied_cell(error: &sqlx::Error) -> Option<Cell> {
    let answer = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    let context = answer.r#where()?.lines().find(|line| line.starts_with("COPY "))?;
    let mut parts = context.splitn(3, ", ").skip(1);
    let line = parts.next()?;
    // After a colon comes the text of the line.
    let number = line.split(':').next().unwrap_or(line);
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let column = parts.next().filter(|_| number == line);
    let column = column.and_then(|part| part.split([' ', ':']).nth(1)).map(str::to_owned);
    Some((digits.parse().ok()?, column))
}

/// Returns the server's own words, with its detail and its hint, if the error is one of a statement.
#[must_use]
pub fn server_words(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let error = error.downcast_ref::<sqlx::Error>()?;
    let Some(answer) = error.as_database_error() else {
        return Some(error.to_string());
    };
    let answer = answer.downcast_ref::<PgDatabaseError>();
    // The function of a CHECK that raised it.
    let function = answer.r#where().filter(|_| answer.code() == "P0001");
    let function = function.and_then(|lines| lines.lines().next());
    let parts = [Some(answer.message()), answer.detail(), function, answer.hint()];
    Some(parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
}
