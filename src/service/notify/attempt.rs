//! One attempt to deliver a notice.

use std::time::Duration;

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, StatusCode, redirect};
use sha2::Sha256;

use crate::service::notify::format::{discord, gotify, ntfy, slack, teams};
use crate::service::notify::mail;
use crate::service::notify::message::Message;
use crate::service::notify::notice::Notice;
use crate::service::notify::refusal::{ANSWER_WITHIN, Refusal, chain};
use crate::service::notify::target::{Authorization, Channel, Target};
use crate::tls;

/// The header with the signature: `sha256=` and the HMAC-SHA256 of the body in hexadecimal.
pub const SIGNATURE: &str = "x-ipam-rewind-signature";
/// The header with the id of the notice, the same for each attempt.
pub const DELIVERY: &str = "x-ipam-rewind-delivery";

/// Returns the client for all attempts. Redirects are not followed: they would carry secrets elsewhere.
///
/// # Errors
/// If the system's certificates cannot be read.
pub fn client() -> reqwest::Result<Client> {
    let agent = concat!("ipam-rewind/", env!("CARGO_PKG_VERSION"));
    let client = tls::client_builder().timeout(ANSWER_WITHIN).redirect(redirect::Policy::none());
    client.user_agent(agent).build()
}

/// Sends a notice once.
///
/// # Errors
/// If it is not taken.
pub async fn attempt(client: &Client, target: &Target, notice: &Notice) -> Result<(), Refusal> {
    if let Channel::Mail(account) = &target.channel {
        return mail::send(account, notice).await;
    }
    let request = request(client, &target.channel, notice);
    answered(request.header(DELIVERY, notice.delivery_id.to_string())).await
}

/// The request that tells of a notice; never called for mail.
fn request(client: &Client, channel: &Channel, notice: &Notice) -> RequestBuilder {
    let message = Message::from(notice);
    match channel {
        Channel::Json { url, secret, body } => {
            let body = body(notice);
            let request = client.post(url.clone()).header("content-type", "application/json");
            let request = match secret {
                Some(secret) => request.header(SIGNATURE, signature(secret, &body)),
                None => request,
            };
            request.body(body)
        }
        Channel::Slack { url } => client.post(url.clone()).json(&slack::body(&message)),
        Channel::Discord { url } => client.post(url.clone()).json(&discord::body(&message)),
        Channel::Teams { url } => client.post(url.clone()).json(&teams::body(&message)),
        Channel::Gotify { url, token } => {
            let request = client.post(url.clone()).header("x-gotify-key", token);
            request.json(&gotify::body(&message))
        }
        Channel::Ntfy { url, topic, authorization } => {
            let request = client.post(url.clone()).json(&ntfy::body(topic, &message));
            match authorization {
                None => request,
                Some(Authorization::Token(token)) => request.bearer_auth(token),
                Some(Authorization::Password { user, password }) => {
                    request.basic_auth(user, Some(password))
                }
            }
        }
        Channel::Mail(_) => unreachable!("mail has a transport of its own"),
    }
}

/// Sends a request; anything but a success is a refusal.
///
/// # Errors
/// If it is not answered with a success.
pub async fn answered(request: RequestBuilder) -> Result<(), Refusal> {
    // The address may hold a secret; the error is told without it.
    let answer = request.send().await.map_err(|error| unanswered(&error.without_url()))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let passing = status.is_server_error()
        || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status);
    let only_this = [
        StatusCode::BAD_REQUEST,
        StatusCode::PAYLOAD_TOO_LARGE,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        StatusCode::UNPROCESSABLE_ENTITY,
    ];
    let redirect = if status.is_redirection() { "; redirects are not followed" } else { "" };
    let brief = format!("answered {status}{redirect}");
    Err(Refusal {
        detail: brief.clone(),
        brief,
        lasting: !passing,
        only_this: only_this.contains(&status),
        retry_after: retry_after(answer.headers(), Utc::now()),
    })
}

fn unanswered(error: &reqwest::Error) -> Refusal {
    if error.is_timeout() {
        let brief = format!("did not answer within {} s", ANSWER_WITHIN.as_secs());
        return Refusal::passing(brief.clone(), brief);
    }
    Refusal::passing("cannot be reached", chain(error))
}

/// `Retry-After`: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = DateTime::parse_from_rfc2822(value).ok()?;
    Some((at.to_utc() - now).to_std().unwrap_or_default())
}

/// `sha256=` and the HMAC-SHA256 (RFC 2104) of the body.
fn signature(secret: &str, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
    let mac = mac.expect("a key of any length will do").chain_update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
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

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = "2025-09-20T14:30:00Z".parse().expect("a time");
        let after = |value: &str| {
            let value = value.parse().expect("a header");
            retry_after(&HeaderMap::from_iter([(RETRY_AFTER, value)]), now)
        };
        assert_eq!(after("120"), Some(Duration::from_mins(2)));
        assert_eq!(after("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(after("Sat, 20 Sep 2025 15:30:00 GMT"), Some(Duration::from_hours(1)));
        assert_eq!(after("Sat, 20 Sep 2025 13:30:00 GMT"), Some(Duration::ZERO));
        for wrong in ["soon", "-1", "inf", "NaN", "1e300"] {
            assert_eq!(after(wrong), None, "{wrong}");
        }
    }
}
