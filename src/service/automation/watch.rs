//! The loop that looks for what did not happen: a backup that was due, a verification, a cleanup. Each
//! trouble is told once when it begins and once when it is over, also over restarts.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::service::automation::announcer::Announcer;
use crate::service::automation::memory::Memory;
use crate::service::automation::orders::{GLANCE, wait};
use crate::service::automation::protection::Known;
use crate::service::automation::situation::{CLEANUPS, Situation};
use crate::service::notify::{Event, Notice};
use crate::service::observe::metrics::Metrics;

/// Looks for what did not happen.
pub struct Watch {
    pub(super) situation: Situation,
    pub(super) announcer: Announcer,
    pub(super) memory: Arc<Memory>,
    pub(super) metrics: Arc<Metrics>,
    /// Held by whoever looks: one at a time.
    pub(super) looking: tokio::sync::Mutex<()>,
}

impl Watch {
    /// Looks every few seconds, until nothing more is to be begun.
    pub async fn keep_looking(&self, resting: &CancellationToken) {
        loop {
            self.look().await;
            if !wait(GLANCE, resting).await {
                return;
            }
        }
    }

    /// Tells of each trouble that has begun, and of each that is over.
    pub async fn look(&self) {
        let _alone = self.looking.lock().await;
        self.memory.catch_up(self.situation.now()).await;
        let Ok(overview) = self.announcer.overviews.look().await else { return };
        let known = self.situation.known(&overview).await;
        self.metrics.overdue(known.overdue_since.or(known.unwatched_since).is_some());
        self.metrics.incremental_mismatch(known.mismatch.is_some());
        let troubles = troubles(&known);
        let now: BTreeSet<_> = troubles.iter().map(|(event, _)| *event).collect();
        let before = self.memory.record().troubles.clone();
        if now == before {
            return;
        }
        for (event, message) in troubles.into_iter().filter(|(event, _)| !before.contains(event)) {
            tracing::warn!("{message}");
            self.announcer.tell(Notice::new(event, message, known.now)).await;
        }
        for event in before.difference(&now) {
            let message = format!("no longer so: {}", event.name().replace('_', " "));
            tracing::info!("{message}");
            self.announcer.tell(Notice::new(Event::Resolved, message, known.now)).await;
        }
        self.memory.note(|record| record.troubles = now).await;
    }
}

/// What is amiss, each with a sentence.
fn troubles(known: &Known) -> Vec<(Event, String)> {
    let at = |time: DateTime<Utc>| time.format("%Y-%m-%d %H:%M:%S UTC");
    let overdue = known.overdue_since.map(|due| {
        (Event::Overdue, format!("the backup that was due at {} was not made", at(due)))
    });
    let unwatched = known.unwatched_since.filter(|_| known.overdue_since.is_none()).map(|since| {
        (Event::Overdue, format!("changes could not be looked for or kept since {}", at(since)))
    });
    let mismatch = known.mismatch.as_ref().map(|id| {
        let words = format!(
            "the full read of backup {id} found other rows than the changes since the backup before had told"
        );
        (Event::IncrementalMismatch, words)
    });
    let disk = known.disk.as_ref();
    let disk =
        disk.map(|how| (Event::DiskFilling, format!("the disk of the store is filling: {how}")));
    let newest = known.newest.as_ref().filter(|_| known.clock_is_wrong());
    let clock = newest.map(|newest| {
        let words = format!("the newest backup is dated in the future, {}", at(newest.made));
        (Event::ClockAhead, format!("{words}: check the clock of this machine"))
    });
    let verification = known.verification_overdue.then(|| {
        (Event::VerificationOverdue, "the oldest backup was not verified in time".to_owned())
    });
    let retention = known.retention_stuck.then(|| {
        let words = format!("the last {CLEANUPS} cleanups failed or could not free space");
        (Event::RetentionStuck, words)
    });
    let copy = known.copy_overdue_since.map(|since| {
        let words = format!("a backup waits since {} for its copy in the other store", at(since));
        (Event::CopyOverdue, words)
    });
    let all = [overdue, unwatched, mismatch, disk, clock, verification, retention, copy];
    all.into_iter().flatten().collect()
}
