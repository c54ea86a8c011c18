//! Heartbeats: requests that tell a monitor when scheduled backups begin, succeed and fail. A monitor
//! that hears nothing in time raises the alarm, also when this service or its machine is down.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Client, Url};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::service::notify::attempt::{answered, client};
use crate::service::notify::message::{as_it_is, fit};
use crate::service::notify::refusal::Refusal;
use crate::threads::locked;

/// Pings that may wait.
const QUEUE: usize = 16;
/// Attempts to send each ping: a late one would only mislead.
const TRIES: u32 = 5;
/// Each pause is so many times the one before.
const LONGER: u32 = 4;
/// The monitor keeps that much of a body.
const BODY: usize = 10_000;

/// The URL is none that a monitor has. Never shows it, as its path is a secret.
#[derive(Debug, thiserror::Error)]
#[error("invalid heartbeat URL; one looks like https://hc-ping.com/UUID")]
pub struct MalformedUrl;

/// Address at which a monitor takes pings.
#[derive(Clone, PartialEq, Eq)]
pub struct Monitor {
    url: Url,
    first_pause: Duration,
}

impl fmt::Debug for Monitor {
    /// The path is a secret, so it is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Monitor({})", self.url.host_str().unwrap_or_default())
    }
}

impl Monitor {
    /// The monitor at this URL.
    ///
    /// # Errors
    /// If it is no `http` or `https` URL.
    pub fn new(url: &str) -> Result<Self, MalformedUrl> {
        let url: Url = url.trim().parse().map_err(|_| MalformedUrl)?;
        let fits = matches!(url.scheme(), "http" | "https") && url.has_host();
        let monitor = Self { url, first_pause: Duration::from_secs(1) };
        fits.then_some(monitor).ok_or(MalformedUrl)
    }

    /// With another first pause between tries.
    #[must_use]
    pub fn with_first_pause(self, first_pause: Duration) -> Self {
        Self { first_pause, ..self }
    }

    fn below(&self, word: &str) -> Url {
        let mut url = self.url.clone();
        let path = format!("{}/{word}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }
}

/// Message to the monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ping {
    /// A backup begins.
    Start,
    /// It was made.
    Success,
    /// It was not, for this reason.
    Fail(String),
}

/// Sends pings, in their order.
#[derive(Debug)]
pub struct Heartbeat {
    queue: mpsc::Sender<Ping>,
    refusal: Arc<Mutex<Option<String>>>,
    task: AbortHandle,
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Heartbeat {
    /// Begins to send to this monitor.
    ///
    /// # Errors
    /// If no client can be set up.
    pub fn start(monitor: Monitor) -> reqwest::Result<Self> {
        let client = client()?;
        let (queue, mut pings) = mpsc::channel(QUEUE);
        let refusal = Arc::<Mutex<Option<String>>>::default();
        let kept = refusal.clone();
        let task = tokio::spawn(async move {
            while let Some(ping) = pings.recv().await {
                let sent = send(&client, &monitor, &ping).await;
                *locked(&kept) = sent.err().map(|refusal| refusal.brief);
            }
        });
        Ok(Self { queue, refusal, task: task.abort_handle() })
    }

    /// Takes a ping; returns at once.
    pub fn ping(&self, ping: Ping) {
        if self.queue.try_send(ping).is_err() {
            tracing::warn!("too many heartbeats are waiting; dropped one");
        }
    }

    /// Why the latest ping was not taken, if it was not.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        locked(&self.refusal).clone()
    }
}

async fn send(client: &Client, monitor: &Monitor, ping: &Ping) -> Result<(), Refusal> {
    let mut pause = monitor.first_pause;
    let mut left = TRIES;
    loop {
        let request = match ping {
            Ping::Start => client.get(monitor.below("start")),
            Ping::Success => client.get(monitor.url.clone()),
            Ping::Fail(why) => client.post(monitor.below("fail")).body(fit(why, BODY, as_it_is)),
        };
        let Err(refusal) = answered(request).await else { return Ok(()) };
        tracing::warn!("{monitor:?} did not take a heartbeat: {}", refusal.detail);
        left -= 1;
        if refusal.lasting || left == 0 {
            return Err(refusal);
        }
        tokio::time::sleep(refusal.retry_after.map_or(pause, |asked| asked.min(pause * 4))).await;
        pause *= LONGER;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_healthchecks_and_are_not_shown() {
        let monitor = Monitor::new("https://hc-ping.com/secret/slug?create=1").expect("a URL");
        assert_eq!(
            monitor.below("start").as_str(),
            "https://hc-ping.com/secret/slug/start?create=1"
        );
        assert_eq!(format!("{monitor:?}"), "Monitor(hc-ping.com)");
        for wrong in ["", "hc-ping.com/secret", "ftp://hc-ping.com/secret"] {
            let error = Monitor::new(wrong).expect_err(wrong).to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
