//! What the service does by itself: scheduled backups and what follows them, the verification
//! round, and for each job that is over the bookkeeping, the audit log and the notices.
//!
//! Four loops, none of which waits for another: `backups` (a backup when one is due, then the
//! retention), `proofs` (a verification when one is due), `after_jobs` (every job that is over), `watch`
//! (what should have happened and did not).

mod after_jobs;
mod backups;
mod copies;
mod health;
mod measures;
mod memory;
mod proofs;
mod protection;
mod status;
mod watch;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::copies::CopyCheck;
pub use self::health::{Check, Checks, Condition, Health, LastBackup};
pub use self::protection::{Cause, Level, Protection};
pub use self::status::{ScheduleStatus, VerificationStatus};

use crate::engine::{Clock, Engine, EngineError};
use crate::model::{Age, Policy};
use crate::service::automation::memory::Memory;
use crate::service::jobs::{Job, Jobs, Order, Trigger, Work};
use crate::service::notify::{Heartbeat, Monitor, Notice, Notifier, Target, TargetStatus, Trial};
use crate::service::observe::cached::Cached;
use crate::service::observe::overview::Overview;
use crate::service::observe::sizes::SizeHistory;
use crate::service::schedule::{Round, Timetable};
use crate::service::{Audit, Metrics, ServiceError, StateFolder};

/// Who asks for what is scheduled.
pub const SCHEDULE: &str = "schedule";

/// The clock is looked at this often, since a machine may sleep and a clock may be set.
const GLANCE: Duration = Duration::from_secs(10);
/// How long it may take until what others did to the store is seen.
const OVERVIEW: Duration = Duration::from_mins(1);
/// How often the store and the database are really tried, however many ask.
const TRIAL: Duration = Duration::from_secs(5);

/// How long a job goes on without any progress, unless told otherwise.
const STALL_TIMEOUT: Duration = Duration::from_mins(10);

/// How often the store is tried: in a bucket each request costs something.
fn trial_of_store(engine: &Engine) -> Duration {
    if engine.store().folder().is_some() { TRIAL } else { OVERVIEW }
}

/// What the service is to do by itself.
#[derive(Clone)]
pub struct Plan {
    /// When to back up.
    pub timetable: Timetable,
    /// What to keep after each backup; everything without it.
    pub retention: Option<Policy>,
    /// Within which time every backup is to be proven again; never without it.
    pub verify_within: Option<Age>,
    /// How long a job goes on without any progress.
    pub stall_timeout: Duration,
    /// Whom to tell of failures, or of more.
    pub notify: Vec<Target>,
    /// Who is told when scheduled backups begin and end.
    pub heartbeat: Option<Monitor>,
    /// The store that backups are copied into after they were made.
    pub copy_to: Option<String>,
    /// The time.
    pub clock: Clock,
}

impl Default for Plan {
    /// Nothing.
    fn default() -> Self {
        Self {
            timetable: Timetable::default(),
            retention: None,
            verify_within: None,
            stall_timeout: STALL_TIMEOUT,
            notify: Vec::new(),
            heartbeat: None,
            copy_to: None,
            clock: Arc::new(Utc::now),
        }
    }
}

/// All that the service does by itself. Cloning is cheap, and clones are one and the same.
#[derive(Clone)]
pub struct Upkeep(Arc<Inner>);

struct Inner {
    engine: Engine,
    jobs: Jobs,
    state: StateFolder,
    plan: Plan,
    memory: Memory,
    /// One backup at a time is looked after.
    backing_up: tokio::sync::Mutex<()>,
    proving: tokio::sync::Mutex<()>,
    watching: tokio::sync::Mutex<()>,
    round: Mutex<Option<Round>>,
    /// How many jobs had ended when the overview was last asked for.
    overview_after: AtomicU64,
    overview: Cached<Result<Arc<Overview>, Arc<EngineError>>>,
    store_trial: Cached<Result<(), String>>,
    database_trial: Cached<Result<(), String>>,
    metrics: Arc<Metrics>,
    audit: Audit,
    sizes: SizeHistory,
    notifier: Notifier,
    heartbeat: Option<Heartbeat>,
    /// No more work is begun.
    resting: CancellationToken,
    /// No more jobs will end.
    over: CancellationToken,
    tasks: TaskTracker,
}

impl Upkeep {
    /// Reads what earlier lives left, and follows the jobs from now on.
    ///
    /// # Errors
    /// If the state folder cannot be used.
    pub async fn start(
        engine: Engine,
        jobs: Jobs,
        state: StateFolder,
        plan: Plan,
    ) -> Result<Self, ServiceError> {
        let metrics = Arc::new(Metrics::new());
        let unusable = |source| ServiceError::State { path: state.path().to_owned(), source };
        let sizes = SizeHistory::in_folder(state.path(), (plan.clock)()).map_err(unusable)?;
        for target in &plan.notify {
            metrics.expect_notices(target.format());
        }
        let told = metrics.clone();
        let tell = move |format, delivery| told.notice(format, delivery);
        let notifier = Notifier::start(plan.notify.clone(), state.path(), tell);
        let notifier = notifier.map_err(unusable)?;
        let heartbeat = plan.heartbeat.clone().map(Heartbeat::start).transpose();
        let heartbeat = heartbeat.map_err(|error| unusable(std::io::Error::other(error)))?;
        let upkeep = Self(Arc::new(Inner {
            memory: Memory::load(&state),
            round: Mutex::new(plan.verify_within.map(|age| Round::within(age.duration()))),
            backing_up: tokio::sync::Mutex::default(),
            proving: tokio::sync::Mutex::default(),
            watching: tokio::sync::Mutex::default(),
            overview_after: AtomicU64::new(0),
            overview: Cached::for_long(OVERVIEW),
            store_trial: Cached::for_long(trial_of_store(&engine)),
            database_trial: Cached::for_long(TRIAL),
            audit: Audit::in_folder(state.path()),
            resting: CancellationToken::new(),
            over: CancellationToken::new(),
            tasks: TaskTracker::new(),
            engine,
            jobs,
            state,
            plan,
            metrics,
            sizes,
            notifier,
            heartbeat,
        }));
        upkeep.begin().await;
        Ok(upkeep)
    }

    async fn begin(&self) {
        self.measure().await;
        if self.0.memory.record().handled_until.is_none() {
            // On the first day nothing was missed.
            let now = self.now();
            self.0.memory.note(|record| record.handled_until = Some(now)).await;
        }
        if let Some(copied) = self.0.memory.record().copied_at {
            self.metrics().last_copy(seconds(copied));
        }
        self.0.tasks.spawn(self.clone().follow_jobs(self.0.jobs.now()));
    }

    /// From now on does what the plan says whenever it is time.
    pub fn keep_to_plan(&self) {
        // What an earlier process did not copy any more.
        self.copy();
        let tasks = &self.0.tasks;
        tasks.spawn(self.clone().keep_watch());
        if !self.0.plan.timetable.is_empty() {
            tasks.spawn(self.clone().keep_backing_up());
        }
        if self.0.plan.verify_within.is_some() {
            tasks.spawn(self.clone().keep_proving());
        }
    }

    /// Begins nothing more.
    pub fn rest(&self) {
        self.0.resting.cancel();
    }

    /// Writes down what is to be written of the last jobs. To be called when all are over.
    pub async fn finish(&self) {
        self.rest();
        self.0.over.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
        self.0.notifier.save().await;
    }

    /// What is counted and measured.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.0.metrics
    }

    /// The audit log.
    #[must_use]
    pub fn audit(&self) -> &Audit {
        &self.0.audit
    }

    /// All backups at a glance; what other processes did may be seen a minute late, and jobs at once.
    pub(in crate::service) async fn overview(&self) -> Result<Arc<Overview>, Arc<EngineError>> {
        let ended = self.0.jobs.ended_so_far();
        if self.0.overview_after.swap(ended, Ordering::AcqRel) != ended {
            self.0.overview.forget().await;
        }
        let look = async { Overview::of(&self.0.engine).await.map(Arc::new).map_err(Arc::new) };
        let seen = self.0.overview.get(look).await;
        if seen.is_err() {
            self.0.overview.forget().await;
        }
        seen
    }

    /// Tells of something, if anybody is to be told; returns at once.
    pub(in crate::service) fn notify(&self, notice: &Notice) {
        self.0.notifier.send(notice);
    }

    /// Sends a test notice to each target at once and tells what each answered.
    pub async fn test_notices(&self) -> Vec<Trial> {
        self.0.notifier.test(self.now()).await
    }

    /// How the targets of notices are.
    #[must_use]
    pub fn notice_targets(&self) -> Vec<TargetStatus> {
        self.0.notifier.status()
    }

    /// Has something done that was scheduled.
    fn order(&self, work: Work) -> Result<Job, ServiceError> {
        let created_by = SCHEDULE.to_owned();
        let trigger = Trigger::Schedule;
        self.0.jobs.submit(Order { work, created_by, caller: None, trigger, request_id: None })
    }

    fn now(&self) -> DateTime<Utc> {
        (self.0.plan.clock)()
    }

    /// Waits until it may be time for something; false if nothing more is to be begun.
    async fn doze(&self, long: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(long) => true,
            () = self.0.resting.cancelled() => false,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit")]
fn seconds(time: DateTime<Utc>) -> f64 {
    time.timestamp_millis() as f64 / 1000.0
}
