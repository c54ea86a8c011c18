//! What is known of each job. Every change gets the next number, so that followers can ask for
//! what is new.

use std::collections::VecDeque;

use chrono::Utc;
use tokio::sync::{mpsc, oneshot};

use crate::service::ServiceError;
use crate::service::access::Identity;
use crate::service::jobs::failure::Failure;
use crate::service::jobs::job::{Job, JobId, JobProgress, JobState, Trigger};
use crate::service::jobs::result::JobResult;
use crate::service::jobs::rules;
use crate::service::jobs::rules::{LONGEST_QUEUE, MOST_OF_ONE_CALLER, Waiting};
use crate::service::jobs::work::{Order, Work};

/// Jobs that are remembered.
pub const REMEMBERED: usize = 200;
/// A result of more bytes than this is large.
pub const LARGE_RESULT: usize = 64 * 1024;
/// Large results that are kept; older ones are forgotten before their jobs are.
const LARGE_RESULTS_KEPT: usize = 8;

/// All jobs, oldest first.
pub struct Table {
    records: VecDeque<Record>,
    latest: u64,
    /// How many have ended.
    ended: u64,
    closed: bool,
}

struct Record {
    job: Job,
    /// The number of its latest change.
    changed: u64,
    large: bool,
    stage: Stage,
}

/// A running job is to end.
pub struct Stop {
    /// The state to end in.
    pub state: JobState,
    /// Told whether it ends: a commit that is under way cannot be called back.
    pub answer: oneshot::Sender<bool>,
}

/// What there is of a job beside what it looks like.
enum Stage {
    Waiting(Box<Work>, Option<Identity>),
    Running(mpsc::Sender<Stop>),
    Over,
}

/// A job that is to be run now.
pub struct Begun {
    pub job: Job,
    /// What to do.
    pub work: Work,
    /// Whose access it needs.
    pub caller: Option<Identity>,
    /// Who wants it to end.
    pub stops: mpsc::Receiver<Stop>,
}

/// How a job ended.
pub enum Ended {
    /// With this result.
    Well(Box<JobResult>),
    /// Otherwise: the state that it leaves the job in, and why.
    Badly(JobState, Failure),
}

impl Table {
    /// A table with these jobs of earlier lives, oldest first. All are over.
    pub fn remembering(jobs: Vec<Job>) -> Self {
        // Numbers grow over restarts, too, so that a follower who comes back finds what is new.
        let start = u64::try_from(Utc::now().timestamp_micros()).unwrap_or(0);
        let mut table = Self { records: VecDeque::new(), latest: start, ended: 0, closed: false };
        for job in jobs {
            table.latest += 1;
            let changed = table.latest;
            table.records.push_back(Record { job, changed, large: false, stage: Stage::Over });
        }
        table
    }

    /// The number of the latest change.
    pub fn latest(&self) -> u64 {
        self.latest
    }

    /// The job with this id.
    pub fn find(&self, id: JobId) -> Option<&Job> {
        self.records.iter().map(|record| &record.job).find(|job| job.job_id == id)
    }

    /// All jobs.
    pub fn newest_first(&self) -> impl Iterator<Item = &Job> {
        self.records.iter().rev().map(|record| &record.job)
    }

    /// All jobs, oldest first, without large results.
    pub fn to_save(&self) -> Vec<Job> {
        let saved =
            |record: &Record| if record.large { record.job.in_short() } else { record.job.clone() };
        self.records.iter().map(saved).collect()
    }

    /// The jobs that have changed since that number, in the order of their changes.
    pub fn changed_after(&self, number: u64) -> Vec<(u64, Job)> {
        let new = self.records.iter().filter(|record| record.changed > number);
        let mut new: Vec<_> = new.map(|record| (record.changed, record.job.in_short())).collect();
        new.sort_by_key(|(changed, _)| *changed);
        new
    }

    /// Puts an order into the queue, unless something bars it.
    pub fn admit(&mut self, order: Order) -> Result<Job, ServiceError> {
        if self.closed {
            return Err(ServiceError::ShuttingDown);
        }
        let kind = order.work.kind();
        // What the service queued by itself gives way, and refuses nobody.
        let gives_way =
            |job: &Job| job.state == JobState::Queued && job.trigger == Trigger::Schedule;
        let bars =
            |job: &&Job| !job.state.is_over() && !gives_way(job) && rules::refuses(job.kind, kind);
        if let Some(bar) = self.newest_first().find(bars) {
            return Err(ServiceError::Busy(Box::new(bar.in_short())));
        }
        let waiting = self.newest_first().filter(|job| job.state == JobState::Queued);
        let callers: Vec<_> = waiting.map(|job| job.created_by.as_str()).collect();
        if callers.len() >= LONGEST_QUEUE {
            return Err(ServiceError::TooManyJobs(callers.len()));
        }
        let has_token = order.caller.as_ref().is_some_and(|caller| !caller.is_local());
        let own = callers.iter().filter(|caller| **caller == order.created_by).count();
        if has_token && own >= MOST_OF_ONE_CALLER {
            return Err(ServiceError::TooManyJobsOfOneCaller(own));
        }
        let job = queued(&order);
        self.latest += 1;
        let stage = Stage::Waiting(Box::new(order.work), order.caller);
        let record = Record { job: job.clone(), changed: self.latest, large: false, stage };
        self.records.push_back(record);
        self.forget();
        Ok(job)
    }

    /// Takes the first waiting job that may begin.
    pub fn begin_next(&mut self) -> Option<Begun> {
        let jobs = |state| {
            let jobs = self.records.iter().map(|record| &record.job);
            jobs.filter(move |job| job.state == state)
        };
        let running: Vec<_> = jobs(JobState::Running).map(|job| job.kind).collect();
        let waiting = jobs(JobState::Queued);
        let waiting = waiting
            .map(|job| Waiting { kind: job.kind, scheduled: job.trigger == Trigger::Schedule });
        let waiting: Vec<_> = waiting.collect();
        let next = (0..waiting.len())
            .find(|&place| rules::may_begin(waiting[place].kind, &running, &waiting[..place]))?;
        let mut queued = self.records.iter_mut().filter(|r| r.job.state == JobState::Queued);
        let record = queued.nth(next).expect("counted above");
        let (stop, stops) = mpsc::channel(1);
        let Stage::Waiting(work, caller) =
            std::mem::replace(&mut record.stage, Stage::Running(stop))
        else {
            unreachable!("a queued job has its work")
        };
        record.job.state = JobState::Running;
        record.job.started_at = Some(Utc::now());
        record.job.cancellable = record.job.kind.can_be_ended();
        self.latest += 1;
        record.changed = self.latest;
        Some(Begun { job: record.job.clone(), work: *work, caller, stops })
    }

    /// Notes how far a running job is.
    pub fn progress(&mut self, id: JobId, progress: JobProgress, cancellable: bool) {
        self.change(id, |record| {
            record.job.progress = progress;
            record.job.cancellable = cancellable;
        });
    }

    /// How many jobs have ended since the start.
    pub fn ended(&self) -> u64 {
        self.ended
    }

    /// Notes how a job ended.
    pub fn end(&mut self, id: JobId, ended: Ended) {
        self.ended += 1;
        self.change(id, |record| {
            record.stage = Stage::Over;
            record.job.cancellable = false;
            record.job.finished_at = Some(Utc::now());
            match ended {
                Ended::Well(result) => {
                    record.large = result.size() > LARGE_RESULT;
                    record.job.state = JobState::Succeeded;
                    record.job.result = Some(*result);
                }
                Ended::Badly(state, failure) => {
                    record.job.state = state;
                    record.job.failure = Some(failure);
                }
            }
        });
        self.forget_large_results();
    }

    /// How to end a job: the way to its task, or nothing if it only waits.
    pub fn stopper(&self, id: JobId) -> Result<Option<mpsc::Sender<Stop>>, ServiceError> {
        let found = self.records.iter().find(|record| record.job.job_id == id);
        match &found.ok_or(ServiceError::NoSuchJob(id))?.stage {
            Stage::Waiting(..) => Ok(None),
            Stage::Running(stop) => Ok(Some(stop.clone())),
            Stage::Over => Err(ServiceError::NotCancellable { id, why: "it is over" }),
        }
    }

    /// Takes no new jobs from now on.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Whether nothing will ever change any more.
    pub fn is_over(&self) -> bool {
        self.closed && self.newest_first().all(|job| job.state.is_over())
    }

    /// The jobs that are not over.
    pub fn unfinished(&self) -> Vec<JobId> {
        let unfinished = self.newest_first().filter(|job| !job.state.is_over());
        unfinished.map(|job| job.job_id).collect()
    }

    fn change(&mut self, id: JobId, change: impl FnOnce(&mut Record)) {
        if let Some(record) = self.records.iter_mut().find(|record| record.job.job_id == id) {
            change(record);
            self.latest += 1;
            record.changed = self.latest;
        }
    }

    /// Forgets the oldest jobs that are over.
    fn forget(&mut self) {
        while self.records.len() > REMEMBERED {
            let over = |record: &Record| record.job.state.is_over();
            let Some(oldest) = self.records.iter().position(over) else { return };
            self.records.remove(oldest);
        }
    }

    fn forget_large_results(&mut self) {
        let large = self.records.iter_mut().rev().filter(|record| record.large);
        for record in large.skip(LARGE_RESULTS_KEPT) {
            record.job.result = None;
            record.large = false;
        }
    }
}

fn queued(order: &Order) -> Job {
    Job {
        job_id: JobId::random(),
        kind: order.work.kind(),
        target: order.work.target(),
        trigger: order.trigger,
        state: JobState::Queued,
        created_by: order.created_by.clone(),
        request_id: order.request_id.clone(),
        created_at: Utc::now(),
        started_at: None,
        finished_at: None,
        progress: JobProgress::default(),
        cancellable: true,
        result: None,
        failure: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{BackupRequest, VerifyReport};
    use crate::model::Policy;
    use crate::service::jobs::JobKind;
    use crate::service::jobs::failure::cancelled;

    fn order(work: Work) -> Order {
        let trigger = crate::service::jobs::Trigger::Request;
        Order { work, created_by: "somebody".into(), caller: None, trigger, request_id: None }
    }

    fn backup() -> Order {
        order(Work::Backup(BackupRequest::default()))
    }

    #[test]
    fn the_queue_has_an_end() {
        let mut table = Table::remembering(Vec::new());
        for _ in 0..LONGEST_QUEUE {
            table.admit(backup()).expect("there is room");
        }
        assert!(matches!(table.admit(backup()), Err(ServiceError::TooManyJobs(_))));
        table.begin_next().expect("the first may begin");
        assert!(table.begin_next().is_none(), "one writer at a time");
        table.admit(backup()).expect("there is room again");
    }

    #[test]
    fn a_second_cleanup_is_refused_with_the_name_of_the_first() {
        let mut table = Table::remembering(Vec::new());
        let first = table.admit(order(Work::Cleanup(Policy::last(1)))).expect("the first");
        match table.admit(order(Work::Cleanup(Policy::last(1)))) {
            Err(ServiceError::Busy(bar)) => assert_eq!(bar.job_id, first.job_id),
            other => panic!("not busy: {other:?}"),
        }
    }

    #[test]
    fn cleanup_that_the_service_queued_refuses_nobody() {
        let mut table = Table::remembering(Vec::new());
        table.admit(order(Work::Verify(Vec::new()))).expect("room");
        table.begin_next().expect("nothing is in the way");
        let cleanup = order(Work::Cleanup(Policy::last(1)));
        table.admit(Order { trigger: Trigger::Schedule, ..cleanup }).expect("room");
        assert!(table.begin_next().is_none(), "it waits for the verification");
        let asked = table.admit(order(Work::Cleanup(Policy::last(2)))).expect("not refused");
        table.admit(backup()).expect("room");
        assert!(table.begin_next().is_none(), "what somebody asked for is not overtaken");
        table.end(asked.job_id, Ended::Badly(JobState::Cancelled, cancelled()));
        assert_eq!(table.begin_next().map(|begun| begun.job.kind), Some(JobKind::Backup));
    }

    #[test]
    fn a_follower_is_told_each_job_once_and_in_the_order_of_the_changes() {
        let mut table = Table::remembering(Vec::new());
        let before = table.latest();
        let first = table.admit(backup()).expect("room").job_id;
        let second = table.admit(backup()).expect("room").job_id;
        table.begin_next().expect("the first begins");
        let told: Vec<_> = table.changed_after(before).iter().map(|(_, job)| job.job_id).collect();
        assert_eq!(told, [second, first]);
        assert!(table.changed_after(table.latest()).is_empty());
    }

    #[test]
    fn the_oldest_jobs_are_forgotten_and_large_results_sooner() {
        let mut table = Table::remembering(Vec::new());
        let elsewhere = vec!["x".repeat(LARGE_RESULT)];
        let (backups, deleted, notes) = (Vec::new(), Vec::new(), Vec::new());
        let large = JobResult::Verify(VerifyReport { backups, elsewhere, deleted, notes });
        for _ in 0..=REMEMBERED {
            let id = table.admit(backup()).expect("room").job_id;
            table.begin_next().expect("nothing is in the way");
            table.end(id, Ended::Well(Box::new(large.clone())));
        }
        assert_eq!(table.newest_first().count(), REMEMBERED);
        let kept = table.newest_first().filter(|job| job.result.is_some()).count();
        assert_eq!(kept, LARGE_RESULTS_KEPT);
        assert!(table.to_save().iter().all(|job| job.result.is_none()));
    }
}
