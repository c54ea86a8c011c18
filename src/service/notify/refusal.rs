//! Why a notice was not taken.

use std::error::Error;
use std::time::Duration;

/// Time that the other side may take to answer.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Why a notice was not taken. Names no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// In a few words that anybody may read.
    pub brief: String,
    /// Words of the other side or the system; for the log and for administrators.
    pub detail: String,
    /// Somebody has to change something before it is taken.
    pub lasting: bool,
    /// The other side refuses this notice, and may take others.
    pub only_this: bool,
    /// Time that the other side asks to be left alone.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// One that may pass by itself.
    pub fn passing(brief: impl Into<String>, detail: impl Into<String>) -> Self {
        let (brief, detail) = (brief.into(), detail.into());
        Self { brief, detail, lasting: false, only_this: false, retry_after: None }
    }
}

/// An error and what it came from. Some errors repeat their source; no part is told twice.
pub fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let part = error.to_string();
        if !words.contains(&part) {
            words += &format!(": {part}");
        }
        source = error.source();
    }
    words
}
