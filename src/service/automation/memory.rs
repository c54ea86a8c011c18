//! `schedule.json`: what the upkeep remembers over restarts.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

use chrono::{DateTime, Utc};

use crate::service::schedule::Record;
use crate::service::{StateFolder, files};
use crate::threads::locked;

const FILE: &str = "schedule.json";

/// What is remembered, in memory and on disk.
pub struct Memory {
    path: PathBuf,
    record: Mutex<Record>,
    /// One change at a time is written, so that what is older is never written over what is newer.
    writing: tokio::sync::Mutex<()>,
}

impl Memory {
    /// What an earlier life left. A file that cannot be read must not keep the service from starting:
    /// it costs what was missed.
    pub fn load(state: &StateFolder) -> Self {
        let path = state.path().join(FILE);
        let record = files::read_json(&path);
        let record = record.inspect_err(|error| tracing::warn!("{FILE} cannot be read: {error}"));
        let record = Mutex::new(record.ok().flatten().unwrap_or_default());
        Self { path, record, writing: tokio::sync::Mutex::default() }
    }

    /// What is remembered now.
    pub fn record(&self) -> MutexGuard<'_, Record> {
        locked(&self.record)
    }

    /// Goes on from now if a clock that was ahead has left times in the future.
    pub async fn catch_up(&self, now: DateTime<Utc>) {
        if self.record().clone().catch_up(now) {
            tracing::warn!(
                "the clock was ahead, or is behind: what was noted in the future counts as of now"
            );
            self.note(|record| {
                record.catch_up(now);
            })
            .await;
        }
    }

    /// Changes what is remembered; durable when it returns.
    pub async fn note(&self, change: impl FnOnce(&mut Record)) {
        let _alone = self.writing.lock().await;
        let record = {
            let mut record = self.record();
            change(&mut record);
            record.clone()
        };
        let path = self.path.clone();
        let written =
            tokio::task::spawn_blocking(move || files::replace_json(&path, &record)).await;
        if let Err(error) = written.expect("writing does not panic") {
            tracing::error!("could not save the schedule's state: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{TimeDelta, Utc};

    #[tokio::test]
    async fn what_is_older_is_never_written_over_what_is_newer() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = StateFolder::open(folder.path()).expect("a state folder");
        let memory = Memory::load(&state);
        let mut now = Utc::now();
        for round in 0..200 {
            now += TimeDelta::hours(1);
            // As a scheduled backup and what follows its end do at the same time.
            tokio::join!(
                memory.note(|record| record.handled_until = Some(now)),
                memory.note(|record| record.backups_fail = round % 2 == 0),
            );
            assert_eq!(*Memory::load(&state).record(), *memory.record(), "round {round}");
        }
    }
}
