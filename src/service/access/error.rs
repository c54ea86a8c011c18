//! Errors of tokens.

use std::io;

/// Names that the program gives itself.
pub(super) const RESERVED: [&str; 3] = ["local", "schedule", "system"];

/// A token cannot be made, revoked or recognized.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The name would not be safe to print everywhere, or is one of the program's own.
    #[error("{0:?} cannot name a token: 1 to 64 letters, digits, '.', '_', '-' or '@', and not {reserved}", reserved = RESERVED.join(", "))]
    Name(String),
    /// The author would not be safe to print everywhere, or is one of the program's own.
    #[error(
        "{0:?} cannot be an author: 1 to 64 letters, digits, '.', '_', '-' or '@', and neither local nor schedule"
    )]
    Author(String),
    /// There is one with this name.
    #[error("there is a token named {0}; revoke it first")]
    Taken(String),
    /// The expiry is not in the future.
    #[error("token expiry must be in the future")]
    ExpiresAtOnce,
    /// There is none with this name.
    #[error("there is no token named {0}")]
    Unknown(String),
    /// It still lets its holder in.
    #[error(
        "token {name} is NOT revoked and still lets its holder in: {path} cannot be written; \
         repeat this once it can, or stop the service"
    )]
    NotRevoked {
        /// The token.
        name: String,
        /// The file.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// There is something else where the first token is to be written.
    #[error(
        "the first token is not written to {0}: there is something else; name another file, or remove it"
    )]
    FirstTaken(String),
    /// The first token has no place to be told.
    #[error("the first token cannot be written to {path}")]
    First {
        /// The file.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// The file cannot be used.
    #[error("the tokens in {path} cannot be {doing}")]
    File {
        /// The file.
        path: String,
        /// Read or written.
        doing: &'static str,
        /// Why not.
        source: io::Error,
    },
}
