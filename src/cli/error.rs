//! Why a verb did not do what it was asked, and which exit code that is.

use std::path::PathBuf;

use crate::engine::{EngineError, Kind};
use crate::service::access::TokenError;

/// Why a verb did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The engine could not.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// There is nobody to answer a question.
    #[error("this asks before it acts, but there is no terminal: add --yes")]
    NobodyToAsk,
    /// The answer was no.
    #[error("not confirmed; nothing was changed")]
    Declined,
    /// A verification found damage; its report is printed already.
    #[error("damage was found")]
    DamageFound,
    /// A service says that it fails; its answer is printed already.
    #[error("the service is not well")]
    Unwell,
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
    /// The private PostgreSQL of the demo.
    #[error(transparent)]
    Demo(#[from] anyhow::Error),
}

impl CliError {
    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::NobodyToAsk | Self::Token(TokenError::Name(_)) | Self::DatabaseUrlFile { .. } => {
                2
            }
            Self::Declined | Self::Demo(_) | Self::Token(_) | Self::Unwell => 1,
            Self::DamageFound => 4,
            Self::Engine(error) => match error.kind() {
                Kind::Failed | Kind::SchemaMismatch => 1,
                Kind::MalformedRequest => 2,
                Kind::NoSuchBackup => 3,
                Kind::Damaged | Kind::MalformedArchive => 4,
                Kind::DatabaseUnreachable | Kind::NotPermitted => 5,
                Kind::Busy => 6,
                Kind::Interrupted => 130,
            },
        }
    }
}
