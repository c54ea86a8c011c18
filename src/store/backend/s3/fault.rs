//! Failures of requests to S3 that no further attempt mends.

use std::error::Error;
use std::time::Duration;

/// Why a request was given up.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Fault {
    /// The server does not do such a thing, here or at all.
    #[error("the server refuses it: {status} {code}{}", sentence(.message))]
    Refused {
        status: u16,
        /// The code of S3's error, or nothing.
        code: String,
        message: String,
    },
    /// The server has never answered.
    #[error(
        "no answer from {server} within {} s; check the address (AWS_ENDPOINT, ?endpoint=) and the network",
        .waited.as_secs()
    )]
    Silent {
        /// The server's address.
        server: String,
        waited: Duration,
    },
    /// Nothing and nobody gave credentials.
    #[error("no credentials found in {0}")]
    NoCredentials(String),
}

fn sentence(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

impl Fault {
    /// The fault that an error comes from, if it comes from one.
    pub fn behind<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(fault) = error.downcast_ref() {
                return Some(fault);
            }
            next = error.source();
        }
        None
    }
}
