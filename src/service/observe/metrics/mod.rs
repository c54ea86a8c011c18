//! The metrics for Prometheus. `docs/monitoring.md` describes each name.

mod labels;

use std::sync::atomic::{AtomicI64, AtomicU64};

use chrono::{DateTime, Utc};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::service::observe::metrics::labels::{
    FormatAndOutcome, JobLabels, Kind, KindAndOutcome, Mode, Outcome, RequestLabels, Word,
};

use crate::model::{CaptureInfo, CaptureMode};
use crate::service::jobs::{Job, JobKind, JobState, Trigger};
use crate::service::notify::Delivery;
use crate::service::observe::disk::DiskSpace;
use crate::service::observe::sizes::Size;

/// Seconds that jobs take: from an empty plan to a restore of millions of rows.
const DURATIONS: [f64; 10] = [0.1, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0];

type Seconds = Gauge<f64, AtomicU64>;
type Number = Gauge<i64, AtomicI64>;

/// All that is counted and measured.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    jobs: Family<JobLabels, Counter>,
    durations: Family<KindAndOutcome, Histogram, fn() -> Histogram>,
    last_success: Family<Kind, Seconds>,
    queued: Number,
    running: Number,
    backups: Number,
    stored: Number,
    logical: Number,
    available: Number,
    disk_total: Number,
    oldest_proof: Seconds,
    overdue: Number,
    mismatch: Number,
    rows_read: Family<Mode, Counter>,
    damaged: Number,
    notices: Family<FormatAndOutcome, Counter>,
    requests: Family<RequestLabels, Counter>,
    authentication_failures: Counter,
    connections: Family<Outcome, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl Metrics {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("ipam_rewind"),
            jobs: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATIONS)),
            last_success: Family::default(),
            queued: Gauge::default(),
            running: Gauge::default(),
            backups: Gauge::default(),
            stored: Gauge::default(),
            logical: Gauge::default(),
            available: Gauge::default(),
            disk_total: Gauge::default(),
            oldest_proof: Gauge::default(),
            overdue: Gauge::default(),
            mismatch: Gauge::default(),
            rows_read: Family::default(),
            damaged: Gauge::default(),
            notices: Family::default(),
            requests: Family::default(),
            authentication_failures: Counter::default(),
            connections: Family::default(),
        };
        metrics.register_jobs();
        metrics.register_store();
        metrics.register_service();
        metrics.begin_at_zero();
        metrics
    }

    /// Makes each series that an alarm may look at: one that appears with its first event shows no
    /// increase.
    fn begin_at_zero(&self) {
        for mode in [CaptureMode::Full, CaptureMode::Changes].map(mode) {
            drop(self.rows_read.get_or_create(&Mode { mode }));
        }
        for kind in JobKind::ALL.map(|kind| Word(kind.name())) {
            drop(self.last_success.get_or_create(&Kind { kind }));
            for state in JobState::OVER {
                let outcome = Word(outcome(state));
                for trigger in [Word("request"), Word("schedule")] {
                    drop(self.jobs.get_or_create(&JobLabels { kind, trigger, outcome }));
                }
                drop(self.durations.get_or_create(&KindAndOutcome { kind, outcome }));
            }
        }
    }

    /// Notices go to a target of this format: their counts begin at zero.
    pub fn expect_notices(&self, format: &'static str) {
        let format = Word(format);
        for outcome in ["delivered", "refused", "given_up", "dropped"].map(Word) {
            drop(self.notices.get_or_create(&FormatAndOutcome { format, outcome }));
        }
    }

    fn register_jobs(&mut self) {
        let registry = &mut self.registry;
        registry.register("jobs", "Jobs that are over", self.jobs.clone());
        let help = "How long jobs took, from their begin to their end";
        registry.register_with_unit("job_duration", help, Unit::Seconds, self.durations.clone());
        let help = "When a job of this kind last succeeded, in seconds since 1970";
        let last = self.last_success.clone();
        registry.register_with_unit("last_success_timestamp", help, Unit::Seconds, last);
        registry.register("jobs_queued", "Jobs that wait", self.queued.clone());
        registry.register("jobs_running", "Jobs that are under way", self.running.clone());
    }

    fn register_store(&mut self) {
        let registry = &mut self.registry;
        registry.register("backups", "Backups in the store", self.backups.clone());
        let help = "Backups whose last verification found damage, or that cannot be read";
        registry.register("damaged_backups", help, self.damaged.clone());
        let help = "1 if a scheduled backup was not made in time, else 0";
        registry.register("backup_overdue", help, self.overdue.clone());
        let help = "1 if a full read found other rows than the changes had told, else 0";
        registry.register("incremental_mismatch", help, self.mismatch.clone());
        let help = "Rows that backups read, by whether they read all rows or changes";
        registry.register("backup_rows_read", help, self.rows_read.clone());
        let help = "Bytes of all packs";
        registry.register_with_unit("store_stored", help, Unit::Bytes, self.stored.clone());
        let help = "Bytes of the rows of all backups";
        registry.register_with_unit("store_logical", help, Unit::Bytes, self.logical.clone());
        let help = "Bytes that the service can still use on the store's disk";
        registry.register_with_unit("disk_available", help, Unit::Bytes, self.available.clone());
        let help = "Bytes of the store's disk";
        registry.register_with_unit("disk_size", help, Unit::Bytes, self.disk_total.clone());
        let help = "Since when the backup with the oldest proof is unproven, in seconds since 1970";
        let oldest = self.oldest_proof.clone();
        registry.register_with_unit("oldest_proof_timestamp", help, Unit::Seconds, oldest);
    }

    fn register_service(&mut self) {
        let registry = &mut self.registry;
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program", version);
        registry.register("http_requests", "Requests that were answered", self.requests.clone());
        let help = "Connections by what became of them";
        registry.register("connections", help, self.connections.clone());
        let help = "Requests with a token that is not known, or without one where it is needed";
        registry.register("authentication_failures", help, self.authentication_failures.clone());
        let help = "Notices by the format of their target and what became of them";
        registry.register("notices", help, self.notices.clone());
    }

    pub fn job_over(&self, job: &Job, seconds: Option<f64>, now_seconds: f64) {
        let (kind, outcome) = (Word(job.kind.name()), Word(outcome(job.state)));
        let trigger = match job.trigger {
            Trigger::Request => Word("request"),
            Trigger::Schedule => Word("schedule"),
        };
        self.jobs.get_or_create(&JobLabels { kind, trigger, outcome }).inc();
        if let Some(seconds) = seconds {
            self.durations.get_or_create(&KindAndOutcome { kind, outcome }).observe(seconds);
        }
        // A backup succeeds only as long as it is there: the newest one that is counts.
        if job.state == JobState::Succeeded && job.kind != JobKind::Backup {
            self.last_success.get_or_create(&Kind { kind }).set(now_seconds);
        }
    }

    /// When the newest good backup was made; 0 if there is none.
    pub fn newest_backup(&self, seconds: f64) {
        let kind = Word(JobKind::Backup.name());
        self.last_success.get_or_create(&Kind { kind }).set(seconds);
    }

    /// When the latest copy succeeded, known from an earlier process.
    pub fn last_copy(&self, seconds: f64) {
        let kind = Word(JobKind::Copy.name());
        self.last_success.get_or_create(&Kind { kind }).set(seconds);
    }

    /// Jobs that wait and that run.
    pub fn job_counts(&self, queued: u64, running: u64) {
        self.queued.set(number(queued));
        self.running.set(number(running));
    }

    /// How large the store is.
    pub fn size(&self, size: &Size) {
        self.backups.set(number(size.backups as u64));
        self.stored.set(number(size.stored_bytes));
        self.logical.set(number(size.logical_bytes));
    }

    /// How full its disk is.
    pub fn disk(&self, disk: &DiskSpace) {
        self.available.set(number(disk.available_bytes));
        self.disk_total.set(number(disk.total_bytes));
    }

    /// How well the backups are proven.
    pub fn proofs(&self, oldest_seconds: f64, damaged: usize) {
        self.oldest_proof.set(oldest_seconds);
        self.damaged.set(number(damaged as u64));
    }

    /// Whether a full read found other rows than the changes had told.
    pub fn incremental_mismatch(&self, found: bool) {
        self.mismatch.set(found.into());
    }

    /// A backup read so many rows.
    pub fn rows_read(&self, capture: &CaptureInfo) {
        let mode = mode(capture.mode);
        self.rows_read.get_or_create(&Mode { mode }).inc_by(capture.rows_read);
    }

    /// Whether a scheduled backup was not made in time.
    pub fn overdue(&self, overdue: bool) {
        self.overdue.set(overdue.into());
    }

    /// Something became of a notice.
    pub fn notice(&self, format: &'static str, delivery: Delivery) {
        let outcome = Word(match delivery {
            Delivery::Delivered => "delivered",
            Delivery::Refused => "refused",
            Delivery::GivenUp => "given_up",
            Delivery::Dropped => "dropped",
        });
        self.notices.get_or_create(&FormatAndOutcome { format: Word(format), outcome }).inc();
    }

    /// A request was answered. The route must be one of a few: its pattern, not its path.
    pub fn request(&self, method: &'static str, route: &str, status: u16) {
        let labels = RequestLabels { method: Word(method), route: route.to_owned(), status };
        self.requests.get_or_create(&labels).inc();
    }

    /// Somebody came without a token that is known.
    pub fn authentication_failed(&self) {
        self.authentication_failures.inc();
    }

    /// What became of a connection, in one word.
    pub fn connection(&self, outcome: &'static str) {
        self.connections.get_or_create(&Outcome { outcome: Word(outcome) }).inc();
    }

    /// The text that Prometheus reads.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing into a string does not fail");
        text
    }
}

/// A moment as Prometheus has it: in seconds since 1970.
#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit")]
#[must_use]
pub fn seconds(time: DateTime<Utc>) -> f64 {
    time.timestamp_millis() as f64 / 1000.0
}

fn mode(mode: CaptureMode) -> Word {
    Word(match mode {
        CaptureMode::Full => "full",
        CaptureMode::Changes => "changes",
    })
}

fn outcome(state: JobState) -> &'static str {
    match state {
        JobState::Queued => "queued",
        JobState::Running => "running",
        JobState::Succeeded => "succeeded",
        JobState::Failed => "failed",
        JobState::Cancelled => "cancelled",
        JobState::Interrupted => "interrupted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_told_in_the_form_that_prometheus_reads() {
        let metrics = Metrics::new();
        metrics.request("GET", "/api/backup/{backup_id}", 404);
        metrics.request("GET", "/api/backup/{backup_id}", 404);
        metrics.disk(&DiskSpace { total_bytes: 10, available_bytes: 4 });
        metrics.notice("slack", Delivery::GivenUp);
        let text = metrics.text();
        for line in [
            r#"ipam_rewind_http_requests_total{method="GET",route="/api/backup/{backup_id}",status="404"} 2"#,
            "ipam_rewind_disk_available_bytes 4",
            r#"ipam_rewind_notices_total{format="slack",outcome="given_up"} 1"#,
            concat!(r#"ipam_rewind_build_info{version=""#, env!("CARGO_PKG_VERSION"), r#""} 1"#),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
