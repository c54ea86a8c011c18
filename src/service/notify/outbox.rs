//! One target with its queue and its file. No target waits for another.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use chrono::Utc;
use reqwest::Client;
use tokio::sync::Notify;

use crate::service::files;
use crate::service::notify::attempt::attempt;
use crate::service::notify::notice::Notice;
use crate::service::notify::queue::{Condition, Fate, Next, Queue};
use crate::service::notify::refusal::Refusal;
use crate::service::notify::target::Target;
use crate::threads::locked;

/// Outcome of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// The other side took it.
    Delivered,
    /// An attempt failed.
    Refused,
    /// It was given up.
    GivenUp,
    /// Too many were waiting.
    Dropped,
}

/// Told what came of each notice, with the format of its target.
pub type Tell = std::sync::Arc<dyn Fn(&'static str, Delivery) + Send + Sync>;

/// A target, what waits for it, and where that is kept.
pub struct Outbox {
    pub target: Target,
    queue: Mutex<Queue>,
    file: PathBuf,
    changed: Notify,
    /// One write at a time, so that what is older is never written over what is newer.
    writing: tokio::sync::Mutex<()>,
    client: Client,
    tell: Tell,
}

impl Outbox {
    /// The target with what an earlier process left for it.
    pub fn open(target: Target, folder: &Path, client: Client, tell: Tell) -> Self {
        let file = folder.join(format!("{}.json", target.fingerprint));
        let queue = files::read_json::<Queue>(&file).unwrap_or_else(|error| {
            tracing::warn!("cannot read the notifications that wait for {target:?}: {error}");
            None
        });
        let queue = Mutex::new(queue.unwrap_or_default());
        let (changed, writing) = (Notify::new(), tokio::sync::Mutex::default());
        Self { target, queue, file, changed, writing, client, tell }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        locked(&self.queue)
    }

    /// Takes a notice if the target wants it; returns at once.
    pub fn add(&self, notice: &Notice) {
        if !self.target.wanted.includes(notice.event) {
            return;
        }
        if self.queue().add(notice.clone(), Utc::now()) {
            tracing::warn!("too many notifications wait for {:?}; dropped the oldest", self.target);
            (self.tell)(self.target.format(), Delivery::Dropped);
        }
        self.changed.notify_one();
    }

    /// Returns the condition of the target.
    pub fn condition(&self) -> Condition {
        self.queue().condition()
    }

    /// Sends what waits, for ever.
    pub async fn work(&self) {
        loop {
            let next = self.queue().next(Utc::now());
            match next {
                Next::Send(notice) => {
                    // Before the attempt, which may take long: a notice outlasts a killed process.
                    self.save().await;
                    let sent = attempt(&self.client, &self.target, &notice).await;
                    self.settle(&notice, sent);
                    self.save().await;
                }
                Next::Wait(left) => {
                    tokio::select! {
                        () = tokio::time::sleep(left) => {}
                        () = self.changed.notified() => self.save().await,
                    }
                }
                Next::Nothing => self.changed.notified().await,
            }
        }
    }

    /// Sends a notice once, past the queue. A success is one for the queue, too.
    ///
    /// # Errors
    /// If it is not taken.
    pub async fn try_once(&self, notice: &Notice) -> Result<(), Refusal> {
        attempt(&self.client, &self.target, notice).await?;
        self.queue().mended();
        self.changed.notify_one();
        Ok(())
    }

    fn settle(&self, notice: &Notice, sent: Result<(), Refusal>) {
        let (target, format) = (&self.target, self.target.format());
        let Err(refusal) = sent else {
            self.queue().delivered(notice.delivery_id);
            return (self.tell)(format, Delivery::Delivered);
        };
        let (id, first_pause) = (notice.delivery_id, target.first_pause);
        let fate = self.queue().refused(id, &refusal, Utc::now(), first_pause);
        (self.tell)(format, Delivery::Refused);
        let why = &refusal.detail;
        match fate {
            Fate::Again(pause) => tracing::warn!(
                "{target:?} did not take a notification: {why}; next attempt in {pause:?}"
            ),
            Fate::GivenUp => {
                tracing::error!("gave up a notification for {target:?}: {}", notice.message);
                (self.tell)(format, Delivery::GivenUp);
            }
        }
    }

    /// Writes down what waits.
    pub async fn save(&self) {
        let _alone = self.writing.lock().await;
        let (queue, file) = (self.queue().clone(), self.file.clone());
        let written = tokio::task::spawn_blocking(move || files::replace_json(&file, &queue)).await;
        if let Err(error) = written.expect("writing does not panic") {
            let target = &self.target;
            tracing::error!("cannot save the notifications that wait for {target:?}: {error}");
        }
    }
}
