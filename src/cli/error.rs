//! Why a verb did not do what it was asked, and which exit code that is.

use std::path::PathBuf;

use crate::api::body::Problem;
use crate::engine::{EngineError, Kind};
use crate::service::ServiceError;
use crate::service::access::TokenError;

/// Why a verb did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The engine could not.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// There is nobody to answer a question.
    #[error("confirmation required but stdin is not a terminal and is empty; pass --yes")]
    NobodyToAsk,
    /// The answer was no.
    #[error("not confirmed; nothing was changed")]
    Declined,
    /// A question was answered with Ctrl-C.
    #[error("interrupted; nothing was changed")]
    Interrupted,
    /// The options do not go together, or one makes no sense.
    #[error(transparent)]
    Options(anyhow::Error),
    /// A verification found damage; its report is printed already.
    #[error("damage was found")]
    DamageFound,
    /// A service says that it fails; its answer is printed already.
    #[error("the service is not healthy")]
    Unwell,
    /// A backup could not be copied; the report is printed already.
    #[error("a backup could not be copied")]
    NotCopied,
    /// A target of notices refused a test; its answer is printed already.
    #[error("a target refused the test notification")]
    NoticeRefused,
    /// The file with the database's address.
    #[error("cannot read the database's address from {}: {source}", path.display())]
    DatabaseUrlFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The tokens.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The private PostgreSQL of the demo, or the service.
    #[error(transparent)]
    Demo(#[from] anyhow::Error),
}

impl CliError {
    fn kind(&self) -> Kind {
        match self {
            Self::Engine(error) => error.kind(),
            Self::NobodyToAsk
            | Self::Options(_)
            | Self::Token(
                TokenError::Name(_)
                | TokenError::Author(_)
                | TokenError::FirstTaken(_)
                | TokenError::ExpiresAtOnce,
            )
            | Self::DatabaseUrlFile { .. } => Kind::MalformedRequest,
            Self::DamageFound => Kind::Damaged,
            Self::Interrupted => Kind::Interrupted,
            Self::Demo(error)
                if matches!(error.downcast_ref(), Some(ServiceError::StateInUse(_))) =>
            {
                Kind::Busy
            }
            Self::Declined
            | Self::Demo(_)
            | Self::Token(_)
            | Self::Unwell
            | Self::NoticeRefused
            | Self::NotCopied => Kind::Failed,
        }
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        match self.kind() {
            Kind::Failed
            | Kind::OutcomeUnknown
            | Kind::Stalled
            | Kind::SchemaMismatch
            | Kind::InTheWay
            | Kind::OtherDatabase
            | Kind::ChangedSincePreview => 1,
            Kind::MalformedRequest => 2,
            Kind::NoSuchBackup => 3,
            Kind::Damaged | Kind::MalformedArchive => 4,
            Kind::DatabaseUnreachable | Kind::NotPermitted => 5,
            Kind::Busy => 6,
            Kind::Interrupted | Kind::Cancelled => 130,
        }
    }

    /// The error as a problem document; none where the result that was printed says it all.
    pub fn problem(&self) -> Option<Problem> {
        match self {
            Self::DamageFound | Self::Unwell | Self::NoticeRefused | Self::NotCopied => None,
            Self::Engine(error) => Some(error.into()),
            other => Some(Problem::of(other.kind(), other.words(": "))),
        }
    }

    /// The error and what it came from, outermost first.
    pub fn words(&self, between: &str) -> String {
        match self {
            Self::Engine(error) => error.chain().join(between),
            Self::Demo(error) | Self::Options(error) => {
                error.chain().map(ToString::to_string).collect::<Vec<_>>().join(between)
            }
            Self::Token(error) => {
                let why = std::error::Error::source(error).map(ToString::to_string);
                std::iter::once(error.to_string()).chain(why).collect::<Vec<_>>().join(between)
            }
            other => other.to_string(),
        }
    }
}
