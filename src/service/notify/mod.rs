//! Tells another service what went wrong, and what went well again. Never in the way of the work:
//! notices wait in a bounded queue, and each is tried a bounded number of times.

mod notice;

use std::fmt;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::redirect;
use reqwest::{Client, StatusCode, Url};
use sha2::Sha256;
use tokio::sync::mpsc;

use crate::tls;

pub use notice::{Event, Notice, Severity};

/// Notices that may wait; further ones are dropped.
const QUEUE: usize = 64;
/// How often each is tried.
const TRIES: u32 = 5;
/// Each pause is so many times the one before.
const LONGER: u32 = 4;
/// How long the other side may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The header with the signature: `sha256=` and the HMAC-SHA256 of the body in hexadecimal.
pub const SIGNATURE: &str = "x-ipam-rewind-signature";

/// Where notices go.
#[derive(Clone)]
pub struct Target {
    url: Url,
    secret: Option<String>,
    body: Body,
    first_pause: Duration,
}

/// Makes the JSON body that tells of a notice.
pub type Body = fn(&Notice) -> Vec<u8>;

/// The text is no address that notices can go to.
#[derive(Debug, thiserror::Error)]
#[error("invalid webhook address; one looks like https://host/path")]
pub struct MalformedTarget;

/// What came of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// The other side took it.
    Delivered,
    /// It was given up.
    GivenUp,
    /// Too many were waiting.
    Dropped,
}

/// Sends notices. Cloning is cheap.
#[derive(Clone)]
pub struct Webhook {
    queue: mpsc::Sender<Notice>,
    tell: Tell,
}

/// Told what came of each notice.
type Tell = std::sync::Arc<dyn Fn(Delivery) + Send + Sync>;

impl fmt::Debug for Target {
    /// The path may hold a secret, so it is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.url.host_str().unwrap_or_default())
    }
}

impl Target {
    /// This address, which is sent such bodies; with a secret, they are signed.
    ///
    /// # Errors
    /// If it is no `http` or `https` URL.
    pub fn new(url: &str, secret: Option<String>, body: Body) -> Result<Self, MalformedTarget> {
        let url: Url = url.parse().map_err(|_| MalformedTarget)?;
        let fit = matches!(url.scheme(), "http" | "https") && url.has_host();
        let secret = secret.filter(|secret| !secret.is_empty());
        if fit {
            Ok(Self { url, secret, body, first_pause: Duration::from_secs(1) })
        } else {
            Err(MalformedTarget)
        }
    }

    /// With another first pause between tries; each is four times the one before.
    #[must_use]
    pub fn with_first_pause(self, first_pause: Duration) -> Self {
        Self { first_pause, ..self }
    }
}

/// `sha256=` and the HMAC-SHA256 (RFC 2104) of the body.
fn signature(secret: &str, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
    let mac = mac.expect("a key of any length will do").chain_update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

impl Webhook {
    /// Begins to send to this target; ends with the last clone of what it returns.
    ///
    /// # Errors
    /// If no client can be set up.
    pub fn start(
        target: Target,
        tell: impl Fn(Delivery) + Send + Sync + 'static,
    ) -> reqwest::Result<Self> {
        let agent = concat!("ipam-rewind/", env!("CARGO_PKG_VERSION"));
        let client = tls::client_builder().timeout(PATIENCE).redirect(redirect::Policy::none());
        let client = client.user_agent(agent).build()?;
        let (queue, mut notices) = mpsc::channel::<Notice>(QUEUE);
        let tell: Tell = std::sync::Arc::new(tell);
        let told = tell.clone();
        tokio::spawn(async move {
            while let Some(notice) = notices.recv().await {
                told(deliver(&client, &target, &notice).await);
            }
        });
        Ok(Self { queue, tell })
    }

    /// Takes a notice; returns at once.
    pub fn send(&self, notice: Notice) {
        if self.queue.try_send(notice).is_err() {
            tracing::warn!("too many webhook notifications are waiting; dropped one");
            (self.tell)(Delivery::Dropped);
        }
    }
}

async fn deliver(client: &Client, target: &Target, notice: &Notice) -> Delivery {
    let body = (target.body)(notice);
    let mut pause = target.first_pause;
    for left in (0..TRIES).rev() {
        match attempt(client, target, body.clone()).await {
            Ok(()) => return Delivery::Delivered,
            Err(Refused { why, again }) => {
                tracing::warn!("the webhook refused a notification: {why}");
                if !again || left == 0 {
                    break;
                }
            }
        }
        tokio::time::sleep(pause).await;
        pause *= LONGER;
    }
    tracing::error!("gave up a webhook notification: {}", notice.message);
    Delivery::GivenUp
}

struct Refused {
    why: String,
    /// Whether trying again may help.
    again: bool,
}

async fn attempt(client: &Client, target: &Target, body: Vec<u8>) -> Result<(), Refused> {
    let mut request = client.post(target.url.clone()).header("content-type", "application/json");
    if let Some(secret) = &target.secret {
        request = request.header(SIGNATURE, signature(secret, &body));
    }
    // The address may hold a secret; the error is told without it.
    let unreached =
        |error: reqwest::Error| Refused { why: error.without_url().to_string(), again: true };
    let status = request.body(body).send().await.map_err(unreached)?.status();
    if status.is_success() {
        return Ok(());
    }
    let again = status.is_server_error()
        || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status);
    Err(Refused { why: format!("it answered {status}"), again })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_standard() {
        // RFC 4231, test case 2.
        let signed = signature("Jefe", b"what do ya want for nothing?");
        let wanted = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(signed, wanted);
    }

    fn no_body(_: &Notice) -> Vec<u8> {
        Vec::new()
    }

    #[test]
    fn an_address_is_http_and_its_path_is_not_shown() {
        let target =
            Target::new("https://hooks.example/T0/secret", None, no_body).expect("an address");
        assert_eq!(format!("{target:?}"), "Target(hooks.example)");
        for wrong in ["", "hooks.example", "file:///etc/passwd", "ftp://host/"] {
            assert!(Target::new(wrong, None, no_body).is_err(), "{wrong:?}");
        }
    }
}
