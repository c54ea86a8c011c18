//! What is said of a failure to whoever is not at this machine: never a path of the host, and of an
//! internal error nothing but that there was one; the log has the rest.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::engine::{EngineError, Kind};
use crate::store::StoreError;

/// What the store is called that backups are copied into.
const OTHER: &str = "the other store";

/// Why a job did not succeed, as others may know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    #[serde(rename = "code")]
    pub kind: Kind,
    /// What happened, for people.
    pub detail: String,
    /// What is damaged or does not fit, a sentence each.
    #[serde(default)]
    pub problems: Vec<String>,
    /// What one may do about it, where that is known.
    #[serde(default)]
    pub hint: Option<Cow<'static, str>>,
}

impl Failure {
    fn new(kind: Kind, detail: &str) -> Self {
        Self { kind, detail: detail.into(), problems: Vec::new(), hint: None }
    }
}

impl From<&EngineError> for Failure {
    fn from(error: &EngineError) -> Self {
        if error.is_about_the_address() {
            // Here it is not the caller who should have named one.
            let detail =
                "the service was started without a database, or its address makes no sense";
            return Self::new(Kind::DatabaseUnreachable, detail);
        }
        let kind = error.kind();
        let detail = match kind {
            _ if matches!(error, EngineError::OtherStore { .. }) => of_other_store(error),
            Kind::Failed => public_detail(error),
            _ => error.chain().join(": "),
        };
        Self { kind, detail, problems: error.problems(), hint: error.hint().map(Cow::from) }
    }
}

fn public_detail(error: &EngineError) -> String {
    match error {
        EngineError::Store(error) if is_disk_full(error) => "the store's disk is full".into(),
        EngineError::Store(
            StoreError::SweptMeanwhile(_)
            | StoreError::LeaseLost(_)
            | StoreError::NotRemovable { .. },
        ) => error.to_string(),
        EngineError::Io { .. } => "a file failed; the service's log says more".into(),
        EngineError::Store(_) => "the store failed; the service's log says why".into(),
        // What the database says is about its rows and settings.
        _ => error.chain().join(": "),
    }
}

/// Names the other store of a copy; of a folder only that it is the other one.
fn of_other_store(error: &EngineError) -> String {
    let EngineError::OtherStore { place, source } = error else { return public_detail(error) };
    let name =
        if place.contains("://") { format!("the other store, {place},") } else { OTHER.into() };
    match error.kind() {
        Kind::Failed if is_disk_full(source) => format!("the disk of {OTHER} is full"),
        Kind::Failed => format!("{name} failed; the service's log says why"),
        _ => format!("{name} cannot be used: {source}"),
    }
}

fn is_disk_full(error: &StoreError) -> bool {
    error.system().is_some_and(|error| error.kind() == std::io::ErrorKind::StorageFull)
}

/// A job that somebody ended.
pub fn cancelled() -> Failure {
    Failure::new(Kind::Cancelled, "the job was cancelled; nothing was changed")
}

/// A job that was not begun, because who asked for it would not be let in any more.
pub fn access_lost() -> Failure {
    let detail = "the token that asked for it was revoked or has expired; nothing was changed";
    Failure::new(Kind::Cancelled, detail)
}

/// A job that the service did not live to finish.
pub fn cut_off() -> Failure {
    let detail = "the service ended before the job was done; nothing is half-done";
    Failure::new(Kind::Interrupted, detail)
}

/// A job whose work broke down.
pub fn broken() -> Failure {
    let detail = "internal error; nothing was left half-done; see the service log";
    Failure::new(Kind::Failed, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_of_the_other_store_names_it_and_no_folder_of_this_machine() {
        let failure = |place: &str, source| {
            Failure::from(&EngineError::OtherStore { place: place.into(), source }).detail
        };
        let failed = || StoreError::NoStore("/mnt/copy".into());
        assert_eq!(
            failure("s3://b/ipam", failed()),
            "the other store, s3://b/ipam, failed; the service's log says why"
        );
        assert_eq!(
            failure("/mnt/copy", failed()),
            "the other store failed; the service's log says why"
        );
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let full = StoreError::Io { doing: "writing /mnt/copy/x".into(), source: full };
        assert_eq!(failure("/mnt/copy", full), "the disk of the other store is full");
        let busy = StoreError::Busy { lock: "objects", holder: None };
        let busy = failure("/mnt/copy", busy);
        assert!(busy.starts_with("the other store cannot be used: the store is busy"), "{busy}");
    }
}
