//! `jobs.json`: what is left of the jobs after a restart.

use std::fs;
use std::io::ErrorKind;
use std::sync::{Arc, Weak};

use chrono::Utc;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::service::jobs::failure::cut_off;
use crate::service::jobs::job::{Job, JobState};
use crate::service::jobs::{Inner, Jobs};
use crate::service::{ServiceError, StateFolder, files};

const FILE: &str = "jobs.json";

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Remembered {
    /// Oldest first.
    jobs: Vec<Job>,
}

/// The jobs of earlier lives, oldest first. What was not over was cut off. A file that cannot be
/// understood is set aside: a damaged memory must not keep the service from starting.
pub fn load(state: &StateFolder) -> Result<Vec<Job>, ServiceError> {
    let path = state.path().join(FILE);
    let failed = |source| ServiceError::State { path: path.clone(), source };
    let remembered: Option<Remembered> = match files::read_json(&path) {
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            tracing::warn!("{FILE} is malformed and was set aside: {error}");
            fs::rename(&path, path.with_extension("json.damaged")).map_err(failed)?;
            None
        }
        read => read.map_err(failed)?,
    };
    Ok(remembered.unwrap_or_default().jobs.into_iter().map(over).collect())
}

fn over(job: Job) -> Job {
    if job.state.is_over() {
        return job;
    }
    Job {
        state: JobState::Interrupted,
        cancellable: false,
        finished_at: Some(Utc::now()),
        failure: Some(cut_off()),
        ..job
    }
}

/// Writes the jobs down as they are now; durable when it returns.
pub async fn save(jobs: &Jobs) -> Result<(), ServiceError> {
    let remembered = Remembered { jobs: jobs.table().to_save() };
    let path = jobs.0.state.path().join(FILE);
    let failed = |source| ServiceError::State { path: path.clone(), source };
    let to = path.clone();
    let write = tokio::task::spawn_blocking(move || files::replace_json(&to, &remembered));
    write.await.expect("writing does not panic").map_err(failed)
}

/// Writes the jobs down whenever one begins or ends, until nothing can change any more. Nobody else
/// does, so what is older is never written over what is newer.
pub async fn keep_saving(to_save: Arc<Notify>, jobs: Weak<Inner>) {
    loop {
        to_save.notified().await;
        let Some(jobs) = jobs.upgrade().map(Jobs) else { return };
        let last = jobs.are_over();
        if let Err(error) = save(&jobs).await {
            tracing::warn!("could not save the list of jobs: {error}");
        }
        if last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Kind;

    /// What version 0.1 wrote.
    const EARLIER: &str = r#"{"jobs": [
        {"job_id": "05cfe733-6dca-4e21-9894-23dc7ae2cbdf", "kind": "delete",
         "target": "20250920_143022", "trigger": "request", "state": "succeeded",
         "created_by": "local", "request_id": null, "created_at": "2025-09-20T14:30:22.123456Z",
         "started_at": "2025-09-20T14:30:22.123457Z", "finished_at": "2025-09-20T14:30:23.000000Z",
         "progress": {"phase": "done", "rows": 0, "bytes": 0, "total_rows": null,
            "total_bytes": null, "rows_per_second": 0, "bytes_per_second": 0, "seconds_left": null},
         "cancellable": false, "problem": null,
         "result": {"status": "success", "message": "Backup 20250920_143022 deleted",
            "dry_run": false, "freed": {"bytes": 1, "pending_bytes": 0, "packs": 1}}},
        {"job_id": "05cfe733-6dca-4e21-9894-23dc7ae2cbe0", "kind": "backup", "target": null,
         "trigger": "schedule", "state": "failed", "created_by": "schedule",
         "created_at": "2025-09-20T14:30:22.123456Z", "started_at": null, "finished_at": null,
         "progress": {"phase": "starting", "rows": 0, "bytes": 0, "total_rows": null,
            "total_bytes": null, "rows_per_second": 0, "bytes_per_second": 0, "seconds_left": null},
         "cancellable": false, "result": null,
         "problem": {"type": "about:blank", "title": "The tables do not fit", "status": 422,
            "detail": "why", "code": "schema_mismatch", "problems": ["one"], "hint": "what to do"}}
    ]}"#;

    #[test]
    fn jobs_of_an_earlier_program_are_remembered_without_their_results() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = StateFolder::open(folder.path()).expect("a state folder");
        fs::write(folder.path().join(FILE), EARLIER).expect("written");
        let [deletion, backup] = load(&state).expect("read").try_into().expect("two jobs");
        assert_eq!(crate::model::rfc3339(deletion.created_at), "2025-09-20T14:30:22.123456Z");
        assert!(deletion.target.is_some() && deletion.result.is_none());
        let failure = backup.failure.expect("it failed");
        assert_eq!((failure.kind, failure.problems.len()), (Kind::SchemaMismatch, 1));
    }
}
