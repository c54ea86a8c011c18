//! `jobs.json`: what is left of the jobs after a restart.

use std::fs;
use std::io::ErrorKind;
use std::sync::{Arc, Weak};

use chrono::Utc;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::failure::cut_off;
use super::job::{Job, JobState};
use super::{Inner, Jobs};
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
            tracing::warn!("{FILE} cannot be understood and is set aside: {error}");
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
            tracing::warn!("the jobs could not be written down: {error}");
        }
        if last {
            return;
        }
    }
}
