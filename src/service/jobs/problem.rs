//! What is said of a failure to whoever is not at this machine: never a path of the host, and of an
//! internal error nothing but that there was one; the log has the rest.

use serde_json::Value;

use crate::engine::{EngineError, Kind, Problem};
use crate::store::StoreError;

/// The error as a problem for others.
#[must_use]
pub fn public_problem(error: &EngineError) -> Problem {
    let mut problem = error.problem();
    if error.is_about_the_address() {
        // Here it is not the caller who should have named one.
        let detail = "the service was started without a database, or its address makes no sense";
        return Problem::new(503, "database_unreachable", "The database is out of reach", detail);
    }
    if error.kind() == Kind::Failed {
        problem.detail = public_detail(error);
    }
    problem
}

fn public_detail(error: &EngineError) -> String {
    match error {
        EngineError::Store(error) if is_disk_full(error) => "the store's disk is full".into(),
        EngineError::Store(StoreError::SweptMeanwhile(_) | StoreError::LeaseLost(_)) => {
            error.to_string()
        }
        EngineError::Io { .. } => "a file failed; the service's log says more".into(),
        EngineError::Store(_) => "the store failed; the service's log says why".into(),
        // What the database says is about its rows and settings.
        _ => error.chain().join(": "),
    }
}

fn is_disk_full(error: &StoreError) -> bool {
    error.system().is_some_and(|error| error.kind() == std::io::ErrorKind::StorageFull)
}

/// Takes the store's folder out of what a body says, for example in the notes of a sweep that met
/// an object it could not remove.
pub fn without_folder(body: &mut Value, folder: &str) {
    match body {
        Value::String(text) if text.contains(folder) => *text = text.replace(folder, "(the store)"),
        Value::Array(values) => values.iter_mut().for_each(|value| without_folder(value, folder)),
        Value::Object(values) => {
            // The values of rows are what they are.
            let told = values.iter_mut().filter(|(name, _)| *name != "changes");
            told.for_each(|(_, value)| without_folder(value, folder));
        }
        _ => {}
    }
}

/// A job that somebody ended.
pub fn cancelled() -> Problem {
    Problem::new(409, "cancelled", "Cancelled", "the job was cancelled; nothing was changed")
}

/// A job that was not begun, because who asked for it would not be let in any more.
pub fn access_lost() -> Problem {
    let detail = "the token that asked for it was revoked or has expired; nothing was changed";
    Problem::new(409, "cancelled", "Cancelled", detail)
}

/// A job that the service did not live to finish.
pub fn cut_off() -> Problem {
    let detail = "the service ended before the job was done; nothing is half-done";
    Problem::new(503, "interrupted", "Interrupted", detail)
}

/// A job whose work broke down.
pub fn broken() -> Problem {
    let detail = "internal error; nothing was left half-done; see the service log";
    Problem::new(500, "failed", "It failed", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_tells_the_store_but_not_where_it_is() {
        let mut body = serde_json::json!({"notes": ["cannot remove /app/backups/packs/1"], "n": 1});
        without_folder(&mut body, "/app/backups");
        assert_eq!(body["notes"][0], "cannot remove (the store)/packs/1");
        let rows = serde_json::json!({"changes": [{"key": "/app/backups"}]});
        let mut body = rows.clone();
        without_folder(&mut body, "/app/backups");
        assert_eq!(body, rows);
    }
}
