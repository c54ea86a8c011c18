//! The body of a webhook notification: one JSON object, described in `docs/monitoring.md`.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Job, Problem};
use crate::model::BackupId;
use crate::service::notify;

#[derive(Serialize)]
struct Notice {
    event: &'static str,
    severity: &'static str,
    delivery_id: String,
    at: DateTime<Utc>,
    host: String,
    message: String,
    /// Without its result and its problem.
    job: Option<Job>,
    problem: Option<Problem>,
    damage: Vec<String>,
    last_good_backup: Option<BackupId>,
}

/// Returns the JSON text of a notice.
#[must_use]
pub fn notice(notice: &notify::Notice) -> Vec<u8> {
    let notify::Notice { event, delivery_id, at, host, message, job, damage, last_good_backup } =
        notice.clone();
    let mut job = job.map(Job::from);
    let body = Notice {
        event: event.name(),
        severity: event.severity().name(),
        delivery_id: delivery_id.to_string(),
        at,
        host,
        message,
        problem: job.as_mut().and_then(|job| job.problem.take()),
        job,
        damage,
        last_good_backup,
    };
    serde_json::to_vec(&body).expect("a notice is plain data")
}
