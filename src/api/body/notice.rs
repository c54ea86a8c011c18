//! The body of a webhook notification: one JSON object, described in `docs/monitoring.md`.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Job, Problem};
use crate::model::BackupId;
use crate::service::webhook::{self, Event};

#[derive(Serialize)]
struct Notice {
    event: &'static str,
    delivery_id: String,
    at: DateTime<Utc>,
    host: String,
    message: String,
    /// Without its result and its problem.
    job: Job,
    problem: Option<Problem>,
    damage: Vec<String>,
    last_good_backup: Option<BackupId>,
}

/// Returns the JSON text of a notice.
#[must_use]
pub fn notice(notice: &webhook::Notice) -> Vec<u8> {
    let webhook::Notice { event, delivery_id, at, host, message, job, damage, last_good_backup } =
        notice.clone();
    let mut job = Job::from(job);
    let body = Notice {
        event: match event {
            Event::JobFailed => "job_failed",
            Event::DamageFound => "damage_found",
            Event::BackupRecovered => "backup_recovered",
        },
        delivery_id: delivery_id.to_string(),
        at,
        host,
        message,
        problem: job.problem.take(),
        job,
        damage,
        last_good_backup,
    };
    serde_json::to_vec(&body).expect("a notice is plain data")
}
