//! Tells other services what went wrong, and what went well again: as JSON, in a chat, on a phone, by
//! mail. Never in the way of the work: each target has a queue of its own, which outlasts a restart.

mod address;
mod attempt;
mod format;
mod heartbeat;
mod mail;
mod message;
mod notice;
mod outbox;
mod queue;
mod refusal;
mod target;

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::future::join_all;
use tokio::task::JoinSet;

pub use self::address::MalformedTarget;
pub use self::attempt::SIGNATURE;
pub use self::heartbeat::{Heartbeat, Monitor, Ping};
pub use self::notice::{Event, Notice, Severity};
pub use self::outbox::Delivery;
pub use self::queue::Condition as TargetCondition;
pub use self::target::{Target, Wanted};

use self::outbox::Outbox;

/// The folder with what waits, below the state folder.
const FOLDER: &str = "notices";

/// Sends notices. Cloning is cheap; the sending ends with the last clone.
#[derive(Clone)]
pub struct Notifier(Arc<Inner>);

struct Inner {
    outboxes: Vec<Arc<Outbox>>,
    /// Ended with this value.
    _tasks: JoinSet<()>,
}

/// A target as it may be shown, and how it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetStatus {
    /// The word for its format.
    pub format: &'static str,
    /// All of its address that may be shown.
    pub host: String,
    pub condition: TargetCondition,
}

/// Answer of a target to a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// The word for its format.
    pub format: &'static str,
    /// All of its address that may be shown.
    pub host: String,
    /// Why it refused, if it did.
    pub refusal: Option<String>,
}

impl Notifier {
    /// Begins to send to these targets, first what an earlier process left in this state folder.
    ///
    /// # Errors
    /// If no client can be set up, or the folder cannot be used.
    pub fn start(
        targets: Vec<Target>,
        state: &Path,
        tell: impl Fn(&'static str, Delivery) + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let client = attempt::client().map_err(std::io::Error::other)?;
        let folder = state.join(FOLDER);
        let tell: outbox::Tell = Arc::new(tell);
        let mut outboxes: Vec<Arc<Outbox>> = Vec::new();
        for target in told_apart(targets) {
            if outboxes.iter().any(|other| other.target.fingerprint == target.fingerprint) {
                continue;
            }
            std::fs::create_dir_all(&folder)?;
            let outbox = Outbox::open(target, &folder, client.clone(), tell.clone());
            outboxes.push(Arc::new(outbox));
        }
        forget_others(&folder, &outboxes);
        let mut tasks = JoinSet::new();
        for outbox in &outboxes {
            let outbox = outbox.clone();
            tasks.spawn(async move { outbox.work().await });
        }
        Ok(Self(Arc::new(Inner { outboxes, _tasks: tasks })))
    }

    /// Takes a notice for every target that wants it; returns at once.
    pub fn send(&self, notice: &Notice) {
        for outbox in &self.0.outboxes {
            outbox.add(notice);
        }
    }

    /// Sends a test to each target at once and tells what each answered.
    pub async fn test(&self, now: DateTime<Utc>) -> Vec<Trial> {
        let notice = test_notice(now);
        let trials = self.0.outboxes.iter().map(|outbox| async {
            let sent = outbox.try_once(&notice).await;
            trial(&outbox.target, sent)
        });
        join_all(trials).await
    }

    /// Writes down what still waits.
    pub async fn save(&self) {
        join_all(self.0.outboxes.iter().map(|outbox| outbox.save())).await;
    }

    /// Returns the condition of each target.
    #[must_use]
    pub fn status(&self) -> Vec<TargetStatus> {
        let status = |outbox: &Arc<Outbox>| TargetStatus {
            format: outbox.target.format(),
            host: outbox.target.host().to_owned(),
            condition: outbox.condition(),
        };
        self.0.outboxes.iter().map(status).collect()
    }
}

/// The targets, each recipient of mail for itself, and numbered where they look alike.
fn told_apart(targets: Vec<Target>) -> Vec<Target> {
    let mut targets: Vec<_> = targets.into_iter().flat_map(Target::by_recipient).collect();
    let names: Vec<_> = targets.iter().map(|it| (it.format(), it.host.clone())).collect();
    for (place, target) in targets.iter_mut().enumerate() {
        let before = names[..place].iter().filter(|name| **name == names[place]).count();
        if before > 0 {
            target.host = format!("{} ({})", target.host, before + 1);
        }
    }
    targets
}

/// Sends a test to each of these targets, without a service.
///
/// # Errors
/// If no client can be set up.
pub async fn test(targets: &[Target], now: DateTime<Utc>) -> reqwest::Result<Vec<Trial>> {
    let client = attempt::client()?;
    let notice = test_notice(now);
    let targets = told_apart(targets.to_vec());
    let trials = targets
        .iter()
        .map(|target| async { trial(target, attempt::attempt(&client, target, &notice).await) });
    Ok(join_all(trials).await)
}

fn test_notice(now: DateTime<Utc>) -> Notice {
    Notice::new(Event::Test, "This is a test. Notifications arrive here.", now)
}

fn trial(target: &Target, sent: Result<(), refusal::Refusal>) -> Trial {
    let refusal = sent.err().map(|refusal| {
        if refusal.detail.contains(&refusal.brief) {
            refusal.detail
        } else {
            format!("{}: {}", refusal.brief, refusal.detail)
        }
    });
    Trial { format: target.format(), host: target.host().to_owned(), refusal }
}

/// Removes what waits for targets that are no more.
fn forget_others(folder: &Path, outboxes: &[Arc<Outbox>]) {
    let ours = |name: &str| {
        outboxes.iter().any(|outbox| name.strip_suffix(".json") == Some(&outbox.target.fingerprint))
    };
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_none_or(|name| !ours(name)) {
            tracing::info!("removing notifications for a target that is not configured any more");
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
