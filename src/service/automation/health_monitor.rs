//! Finds out how the service is.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::engine::{Clock, Engine, EngineError, Kind};
use crate::service::automation::copies::{Copies, CopyCheck};
use crate::service::automation::health::{Check, Checks, Health, LastBackup};
use crate::service::automation::memory::Memory;
use crate::service::automation::protection::{CLOCKS_DIFFER, Protection};
use crate::service::automation::situation::Situation;
use crate::service::automation::verification::Verification;
use crate::service::jobs::JobState;
use crate::service::notify::{Heartbeat, Notifier, TargetCondition, TargetStatus};
use crate::service::observe::cached::Cached;
use crate::service::observe::overview::Overview;
use crate::service::observe::overviews::{FRESH_FOR, Overviews, STORE_PATIENCE};
use crate::service::schedule::Timetable;

/// How often the store and the database are really tried, however many ask.
const TRIAL: Duration = Duration::from_secs(5);
/// The database must answer within this time.
const PATIENCE: Duration = Duration::from_secs(3);

/// Finds out how the service is.
pub struct HealthMonitor {
    pub(super) engine: Engine,
    pub(super) overviews: Overviews,
    pub(super) situation: Situation,
    pub(super) timetable: Timetable,
    pub(super) memory: Arc<Memory>,
    pub(super) verification: Option<Arc<Verification>>,
    pub(super) copies: Option<Arc<Copies>>,
    pub(super) notifier: Notifier,
    pub(super) heartbeat: Option<Arc<Heartbeat>>,
    pub(super) trials: Trials,
    pub(super) clock: Clock,
}

/// The latest trials of what the service works with.
pub struct Trials {
    store: Cached<Result<(), String>>,
    database: Cached<Result<(), String>>,
}

impl Trials {
    /// No trial yet of what this engine works with. A bucket is tried less often: each request costs
    /// something.
    #[must_use]
    pub fn of(engine: &Engine) -> Self {
        let store = if engine.store().folder().is_some() { TRIAL } else { FRESH_FOR };
        Self { store: Cached::for_long(store), database: Cached::for_long(TRIAL) }
    }
}

impl HealthMonitor {
    /// How the service is. Asked for often, it looks only every few seconds.
    pub async fn health(&self) -> Health {
        let (store, database) = tokio::join!(self.store_works(), self.database_answers());
        let seen = self.overviews.look().await;
        // A bucket was perhaps written some minutes ago; the listing is newer.
        let store = seen.as_ref().err().map_or(store, |why| Check::new(false, why.to_string()));
        let (protection, last_backup, verification) = if let Ok(overview) = &seen {
            let protection = self.protection(overview, &store, &database).await;
            (protection, self.last_backup(overview), self.proofs(overview))
        } else {
            let unread = "the store cannot be read";
            let last_backup = LastBackup::unknown(false, unread);
            (Protection::unreadable(), last_backup, Check::new(false, unread))
        };
        let seen = seen.ok();
        let copies = self.copies.as_ref();
        let checks = Checks {
            store,
            database,
            last_backup,
            schedule: self.schedule_goes_well(),
            verification,
            disk: Check::of_disk(self.situation.measures()),
            notices: self.notices_arrive(),
            copy: copies.map_or_else(CopyCheck::none, |copies| copies.check(seen.as_deref())),
            scratch: self.scratch_works(),
        };
        Health::of(protection, checks)
    }

    /// The verdict of these and of what is known.
    async fn protection(&self, overview: &Overview, store: &Check, database: &Check) -> Protection {
        let known = self.situation.known(overview).await;
        known.verdict(store.as_result(), database.as_result())
    }

    async fn store_works(&self) -> Check {
        let tried = self.trials.store.get(async {
            let tried = tokio::time::timeout(STORE_PATIENCE, self.engine.try_writing()).await;
            tried.map_err(|_| "it does not answer".into()).and_then(|tried| {
                tried.map_err(|error| {
                    tracing::warn!("the store cannot be written: {}", error.chain().join(": "));
                    "it cannot be written".into()
                })
            })
        });
        tried.await.map_or_else(
            |why: String| Check::new(false, why),
            |()| Check::new(true, "it can be written"),
        )
    }

    async fn database_answers(&self) -> Check {
        let tried = self.trials.database.get(async {
            match tokio::time::timeout(PATIENCE, self.engine.reach_database()).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(unreached(&error)),
                Err(_) => Err(format!("it did not answer within {} s", PATIENCE.as_secs())),
            }
        });
        tried.await.map_or_else(|why| Check::new(false, why), |()| Check::new(true, "it answers"))
    }

    fn last_backup(&self, overview: &Overview) -> LastBackup {
        let now = (self.clock)();
        let expected = self.expected_since(now);
        let Some((id, made)) = &overview.newest_good else {
            let missed = expected.is_some() && self.memory.record().last_run.is_some();
            return LastBackup::unknown(!missed, "there is no good backup yet");
        };
        let age = (now - *made).num_seconds();
        let ahead = *made > now + CLOCKS_DIFFER;
        let ok = !ahead && expected.is_none_or(|expected| *made >= expected);
        let late = if ok { "" } else { ", older than the schedule allows" };
        let detail = if ahead {
            format!("it is dated {} s in the future: check the clock", -age)
        } else {
            format!("it is {} s old{late}", age.max(0))
        };
        LastBackup { ok, backup_id: Some(id.clone()), age_seconds: Some(age), detail }
    }

    /// The newest good backup must be no older than the run before the latest one: that one may
    /// just be under way.
    fn expected_since(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let latest = self.timetable.latest(now)?;
        self.timetable.latest(latest - chrono::Duration::seconds(1))
    }

    fn schedule_goes_well(&self) -> Check {
        if self.timetable.is_empty() {
            return Check::new(true, "nothing is scheduled");
        }
        match self.memory.record().last_run.clone() {
            None => Check::new(true, "no backup was due yet"),
            Some(run) if run.outcome == JobState::Succeeded && run.detail.is_none() => {
                Check::new(true, "the latest scheduled backup went well")
            }
            // What else is known of it may name rows or roles; whoever is known is told that elsewhere.
            Some(run) => {
                let how = match run.outcome {
                    JobState::Succeeded => "was made, but not all after it went well",
                    JobState::Failed => "failed",
                    _ => "did not come to its end",
                };
                Check::new(false, format!("the latest scheduled backup {how}"))
            }
        }
    }

    fn proofs(&self, overview: &Overview) -> Check {
        if overview.damaged > 0 {
            return Check::new(false, format!("damaged backups: {}", overview.damaged));
        }
        match &self.verification {
            None => Check::new(true, "no damage is known; there is no verification round"),
            Some(verification) if verification.is_in_time(overview) => {
                Check::new(true, "every backup is proven in time")
            }
            Some(_) => Check::new(false, "the oldest proof is older than the period"),
        }
    }

    /// Names formats but no hosts, as anybody may ask.
    fn notices_arrive(&self) -> Check {
        let targets = self.notifier.status();
        let heartbeat = self.heartbeat.as_deref();
        if targets.is_empty() && heartbeat.is_none() {
            return Check::new(true, "nobody is notified");
        }
        let mut troubles: Vec<_> = targets.iter().filter_map(trouble).collect();
        let refusal = heartbeat.and_then(Heartbeat::refusal);
        troubles.extend(refusal.map(|why| format!("heartbeat: {why}")));
        if troubles.is_empty() {
            return Check::new(true, "no target refuses notifications");
        }
        Check::new(false, troubles.join("; "))
    }

    fn scratch_works(&self) -> Check {
        match self.engine.try_scratch() {
            Ok(()) => Check::new(true, "temporary files can be made"),
            Err(error) => {
                tracing::warn!("{}", error.chain().join(": "));
                Check::new(false, "temporary files cannot be made; the service's log says why")
            }
        }
    }
}

/// What is wrong with a target of notices, if anything is.
fn trouble(target: &TargetStatus) -> Option<String> {
    let TargetCondition { waiting, lost, refusal } = &target.condition;
    let format = target.format;
    match (refusal, lost) {
        (None, 0) => None,
        (None, lost) => Some(format!("{format}: {lost} lost")),
        (Some(why), lost) => Some(format!("{format}: {why} ({waiting} waiting, {lost} lost)")),
    }
}

/// Why the database cannot be worked with, without its address.
fn unreached(error: &EngineError) -> String {
    tracing::warn!("the database cannot be reached: {}", error.chain().join(": "));
    match error.kind() {
        Kind::MalformedRequest => "none was named, or its address makes no sense",
        Kind::NotPermitted => "it does not let the service in",
        _ => "it is out of reach",
    }
    .into()
}
