//! What the service does by itself: scheduled backups and what follows them, the verification
//! round, and for each job that is over the bookkeeping, the audit log and the notices.
//!
//! Five loops, none of which waits for another: `backups` (a backup when one is due, then the
//! retention), `continuous` (a backup when something has changed), `verification` (a verification when one is due), `after_jobs` (every job that is over),
//! `watch` (what should have happened and did not). `situation` knows what is amiss; `health_monitor` and
//! `schedule_view` tell it to whoever asks.

mod after_jobs;
mod announcer;
mod backups;
mod continuous;
mod copies;
mod health;
mod health_monitor;
mod live;
mod memory;
mod orders;
mod plan;
mod protection;
mod retention;
mod schedule_view;
mod situation;
mod verification;
mod watch;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::backups::Backups;
pub use self::continuous::Continuous;
pub use self::copies::CopyCheck;
pub use self::health::{Check, Checks, Condition, Health, LastBackup};
pub use self::health_monitor::HealthMonitor;
pub use self::live::{LastRead, Live};
pub use self::orders::SCHEDULE;
pub use self::plan::Plan;
pub use self::protection::{Cause, Level, Protection};
pub use self::retention::Retention;
pub use self::schedule_view::{ScheduleStatus, ScheduleView};
pub use self::verification::{Verification, VerificationStatus};
pub use self::watch::Watch;

use self::after_jobs::AfterJobs;
use self::announcer::Announcer;
use self::copies::Copies;
use self::health_monitor::Trials;
use self::memory::Memory;
use self::situation::Situation;
use crate::engine::{Clock, Engine};
use crate::model::Age;
use crate::service::jobs::Jobs;
use crate::service::notify::{Heartbeat, Monitor, Notifier, Target};
use crate::service::observe::measures::Measures;
use crate::service::observe::metrics::{Metrics, seconds};
use crate::service::observe::overviews::Overviews;
use crate::service::{Audit, ServiceError, StateFolder};

/// What the loops work with.
pub struct Tools {
    pub engine: Engine,
    pub jobs: Jobs,
    pub state: StateFolder,
    pub metrics: Arc<Metrics>,
    pub audit: Audit,
    pub overviews: Overviews,
    pub measures: Measures,
}

/// The loops. Cloning is cheap.
#[derive(Clone)]
pub struct Automation {
    /// The scheduled backups.
    pub backups: Arc<Backups>,
    /// Looks for changes, if it is to.
    pub continuous: Option<Arc<Continuous>>,
    /// The verification round, if there is one.
    pub verification: Option<Arc<Verification>>,
    /// Looks for what did not happen.
    pub watch: Arc<Watch>,
    /// Knows how the service is.
    pub health: Arc<HealthMonitor>,
    /// Knows how the schedule stands.
    pub schedule: ScheduleView,
    /// Deletes what no rule keeps, after each backup.
    pub retention: Arc<Retention>,
    /// Knows how the live rows differed when they were last read.
    pub live: Live,
    /// Sends notices.
    pub notifier: Notifier,
    copies: Option<Arc<Copies>>,
    has_schedule: bool,
    /// No more work is begun.
    resting: CancellationToken,
    /// No more jobs will end.
    no_more_jobs: CancellationToken,
    tasks: TaskTracker,
}

impl Automation {
    /// Reads what earlier lives left, and follows the jobs from now on.
    ///
    /// # Errors
    /// If the state folder cannot be used.
    pub async fn start(tools: Tools, plan: Plan) -> Result<Self, ServiceError> {
        let Tools { engine, jobs, state, metrics, audit, overviews, measures } = tools;
        let Plan { timetable, clock, .. } = plan;
        let unusable = |source| ServiceError::State { path: state.path().to_owned(), source };
        let memory = Arc::new(Memory::load(&state));
        let rules = (plan.retention, plan.confirm_retention);
        let retention = Retention::start(rules, (engine.clone(), jobs.clone()), &memory).await;
        let notifier = notifier(plan.notify, &state, &metrics).map_err(unusable)?;
        let heartbeat = heartbeat(plan.heartbeat).map_err(unusable)?;
        let announcer = Announcer { notifier: notifier.clone(), overviews: overviews.clone() };
        let verification = round(plan.verify_within, &jobs, &overviews, &clock);
        let copies =
            Copies::planned(plan.copy_to, jobs.clone(), memory.clone(), clock.clone()).await;
        let takes = (engine.clone(), jobs.clone(), retention.clone());
        let continuous = Continuous::planned(plan.watch, takes, &clock, plan.stall_timeout);
        let live = Live::default();
        let situation = Situation {
            live: live.clone(),
            continuous: continuous.clone(),
            timetable: timetable.clone(),
            jobs: jobs.clone(),
            memory: memory.clone(),
            measures: measures.clone(),
            verification: verification.clone(),
            copies: copies.clone(),
            clock: clock.clone(),
        };
        let schedule = ScheduleView {
            timetable: timetable.clone(),
            retention: retention.clone(),
            memory: memory.clone(),
            verification: verification.clone(),
            notifier: notifier.clone(),
            watch: plan.watch,
            clock: clock.clone(),
        };
        let health = HealthMonitor {
            trials: Trials::of(&engine),
            engine,
            overviews,
            situation: situation.clone(),
            timetable: timetable.clone(),
            memory: memory.clone(),
            verification: verification.clone(),
            copies: copies.clone(),
            notifier: notifier.clone(),
            heartbeat: heartbeat.clone(),
            clock: clock.clone(),
        };
        let watch = Watch {
            situation,
            announcer: announcer.clone(),
            memory: memory.clone(),
            metrics: metrics.clone(),
            looking: tokio::sync::Mutex::default(),
        };
        let has_schedule = !timetable.is_empty();
        let backups = Backups {
            timetable,
            retention: retention.clone(),
            jobs: jobs.clone(),
            memory: memory.clone(),
            announcer: announcer.clone(),
            heartbeat,
            clock: clock.clone(),
            making: tokio::sync::Mutex::default(),
        };
        take_up(&memory, &metrics, &measures, clock()).await;
        let after_jobs = AfterJobs {
            live: live.clone(),
            jobs: jobs.clone(),
            retention: retention.clone(),
            memory,
            metrics,
            audit,
            measures,
            copies: copies.clone(),
            announcer,
            clock,
        };
        let automation = Self {
            backups: Arc::new(backups),
            continuous,
            verification,
            watch: Arc::new(watch),
            health: Arc::new(health),
            schedule,
            retention,
            live,
            notifier,
            copies,
            has_schedule,
            resting: CancellationToken::new(),
            no_more_jobs: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let (seen, no_more) = (jobs.now(), automation.no_more_jobs.clone());
        automation.tasks.spawn(async move { after_jobs.follow_jobs(seen, &no_more).await });
        Ok(automation)
    }

    /// From now on does what the plan says whenever it is time.
    pub fn keep_to_plan(&self) {
        if let Some(copies) = &self.copies {
            // What an earlier process did not copy any more.
            copies.begin();
        }
        let (watch, resting) = (self.watch.clone(), self.resting.clone());
        self.tasks.spawn(async move { watch.keep_looking(&resting).await });
        if self.has_schedule {
            let (backups, resting) = (self.backups.clone(), self.resting.clone());
            self.tasks.spawn(async move { backups.keep_backing_up(&resting).await });
        }
        if let Some(continuous) = self.continuous.clone() {
            let resting = self.resting.clone();
            self.tasks.spawn(async move { continuous.keep_looking(&resting).await });
        }
        if let Some(verification) = self.verification.clone() {
            let resting = self.resting.clone();
            self.tasks.spawn(async move { verification.keep_proving(&resting).await });
        }
    }

    /// Begins nothing more.
    pub fn rest(&self) {
        self.resting.cancel();
    }

    /// Writes down what is to be written of the last jobs. To be called when all are over.
    pub async fn finish(&self) {
        self.rest();
        self.no_more_jobs.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.notifier.save().await;
    }
}

/// The verification round within this period, if there is one.
fn round(
    age: Option<Age>,
    jobs: &Jobs,
    overviews: &Overviews,
    clock: &Clock,
) -> Option<Arc<Verification>> {
    let (jobs, overviews) = (jobs.clone(), overviews.clone());
    Some(Arc::new(Verification::within(age?, jobs, overviews, clock.clone())))
}

/// Goes on from what an earlier process left.
async fn take_up(memory: &Memory, metrics: &Metrics, measures: &Measures, now: DateTime<Utc>) {
    measures.measure().await;
    if memory.record().handled_until.is_none() {
        // On the first day nothing was missed.
        memory.note(|record| record.handled_until = Some(now)).await;
    }
    let copied = memory.record().copies.as_ref().and_then(|copies| copies.copied_at);
    if let Some(copied) = copied {
        metrics.last_copy(seconds(copied));
    }
}

fn heartbeat(monitor: Option<Monitor>) -> std::io::Result<Option<Arc<Heartbeat>>> {
    let started = monitor.map(Heartbeat::start).transpose().map_err(std::io::Error::other)?;
    Ok(started.map(Arc::new))
}

fn notifier(
    targets: Vec<Target>,
    state: &StateFolder,
    metrics: &Arc<Metrics>,
) -> std::io::Result<Notifier> {
    for target in &targets {
        metrics.expect_notices(target.format());
    }
    let metrics = metrics.clone();
    let tell = move |format, delivery| metrics.notice(format, delivery);
    Notifier::start(targets, state.path(), tell)
}
