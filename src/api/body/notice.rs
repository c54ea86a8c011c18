//! The body of a plain notification: one JSON object, described in `docs/notifications.md`. And how the
//! targets of notifications are.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Job, Problem, SUCCESS};
use crate::model::BackupId;
use crate::service::notify::{self, TargetStatus, Trial};

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

/// A target of notifications, and how it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoticeTarget {
    /// The word for its format.
    #[schema(example = "slack")]
    format: &'static str,
    /// Its host; the rest of its address may be secret.
    host: String,
    /// Notifications that wait for it.
    waiting: usize,
    /// Notifications that were dropped or given up since the last one that it took.
    lost: u64,
    /// Why it refused the latest one, if it did.
    refusal: Option<String>,
}

impl From<TargetStatus> for NoticeTarget {
    fn from(target: TargetStatus) -> Self {
        let TargetStatus { format, host, condition } = target;
        let notify::TargetCondition { waiting, lost, refusal } = condition;
        Self { format, host, waiting, lost, refusal }
    }
}

/// What the targets of notifications answered to a test.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoticeTrials {
    /// `success`, or `refused` if any target refused.
    status: &'static str,
    /// One for each target.
    targets: Vec<NoticeTrial>,
}

/// What a target answered to a test.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoticeTrial {
    /// The word for its format.
    #[schema(example = "slack")]
    format: &'static str,
    /// Its host; the rest of its address may be secret.
    host: String,
    /// Whether it took the test.
    delivered: bool,
    /// Why it did not.
    refusal: Option<String>,
}

impl From<Vec<Trial>> for NoticeTrials {
    fn from(trials: Vec<Trial>) -> Self {
        let refused = trials.iter().any(|trial| trial.refusal.is_some());
        let target = |Trial { format, host, refusal }| NoticeTrial {
            format,
            host,
            delivered: refusal.is_none(),
            refusal,
        };
        let status = if refused { "refused" } else { SUCCESS };
        Self { status, targets: trials.into_iter().map(target).collect() }
    }
}
