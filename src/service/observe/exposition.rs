//! The text that Prometheus reads, as of now.

use chrono::{DateTime, Utc};

use crate::service::jobs::Jobs;
use crate::service::observe::measures::Measures;
use crate::service::observe::metrics::{Metrics, seconds};
use crate::service::observe::overviews::Overviews;

/// The text that Prometheus reads.
pub async fn exposition(
    metrics: &Metrics,
    jobs: &Jobs,
    measures: &Measures,
    overviews: &Overviews,
    now: DateTime<Utc>,
) -> String {
    let (queued, running) = jobs.counts();
    metrics.job_counts(queued, running);
    if let Some(disk) = measures.disk() {
        metrics.disk(&disk);
    }
    // Others than those of the store are told even if it does not answer.
    if let Ok(overview) = overviews.look().await {
        let oldest = overview.oldest_proof().unwrap_or(now);
        metrics.proofs(seconds(oldest), overview.damaged);
        metrics.newest_backup(overview.latest_made(now).map_or(0.0, seconds));
    }
    metrics.text()
}
