//! Targets of notices: an address and a format. `address.rs` reads both from a URL.

use std::fmt;
use std::time::Duration;

use lettre::message::Mailbox;
use reqwest::Url;
use sha2::{Digest, Sha256};

use crate::service::notify::notice::{Event, Notice};

/// Makes the JSON body that tells of a notice.
pub type Body = fn(&Notice) -> Vec<u8>;

/// Which events a target is told of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wanted {
    /// Failures, and their end.
    #[default]
    Failure,
    /// Successes.
    Success,
    /// Everything.
    All,
}

/// Target of notices.
#[derive(Clone)]
pub struct Target {
    pub(super) channel: Channel,
    pub(super) host: String,
    pub(super) wanted: Wanted,
    /// Stands for the address in file names.
    pub(super) fingerprint: String,
    pub(super) first_pause: Duration,
}

/// The service behind a target, with what is needed to reach it.
#[derive(Clone)]
pub enum Channel {
    Json { url: Url, secret: Option<String>, body: Body },
    Slack { url: Url },
    Discord { url: Url },
    Teams { url: Url },
    Gotify { url: Url, token: String },
    Ntfy { url: Url, topic: String, authorization: Option<Authorization> },
    Mail(Box<Account>),
}

/// Credentials for ntfy.
#[derive(Clone)]
pub enum Authorization {
    Token(String),
    Password { user: String, password: String },
}

/// An account at a mail server, and the addresses of the mail.
#[derive(Clone)]
pub struct Account {
    pub host: String,
    pub port: u16,
    pub security: Security,
    pub login: Option<(String, String)>,
    pub from: Mailbox,
    pub to: Vec<Mailbox>,
}

/// Encryption of the connection to a mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// From the beginning (`smtps`).
    Wrapped,
    /// By STARTTLS, which the server must offer.
    StartTls,
    /// Not at all.
    None,
}

impl fmt::Debug for Target {
    /// Everything but the host may hold a secret, so it is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({} {})", self.format(), self.host)
    }
}

impl Wanted {
    /// Returns whether such an event is told. A test always is.
    #[must_use]
    pub fn includes(self, event: Event) -> bool {
        match event {
            Event::Test | Event::BackupRecovered | Event::Resolved => true,
            Event::BackupMade => self != Self::Failure,
            _ => self != Self::Success,
        }
    }

    /// The word for it in a URL and in options.
    pub(super) fn named(word: &str) -> Option<Self> {
        match word {
            "failure" => Some(Self::Failure),
            "success" => Some(Self::Success),
            "all" => Some(Self::All),
            _ => None,
        }
    }
}

impl Target {
    /// Returns a target on this channel; the text is its whole address.
    pub(super) fn of(channel: Channel, host: String, wanted: Wanted, text: &str) -> Self {
        let fingerprint = hex::encode(&Sha256::digest(text.as_bytes())[..8]);
        Self { channel, host, wanted, fingerprint, first_pause: Duration::from_secs(1) }
    }

    /// With another first pause between tries; the others grow from it.
    #[must_use]
    pub fn with_first_pause(self, first_pause: Duration) -> Self {
        Self { first_pause, ..self }
    }

    /// The same target, one for each recipient of mail: an address that is refused, as of somebody who left,
    /// then keeps no mail from the others.
    #[must_use]
    pub fn by_recipient(self) -> Vec<Self> {
        let Channel::Mail(account) = &self.channel else { return vec![self] };
        if account.to.len() < 2 {
            return vec![self];
        }
        let to_one = |recipient: &Mailbox| {
            let account = Account { to: vec![recipient.clone()], ..(**account).clone() };
            let name = format!("{} {recipient}", self.fingerprint);
            let channel = Channel::Mail(Box::new(account));
            let one = Self::of(channel, self.host.clone(), self.wanted, &name);
            one.with_first_pause(self.first_pause)
        };
        account.to.iter().map(to_one).collect()
    }

    /// The word for its format.
    #[must_use]
    pub fn format(&self) -> &'static str {
        match self.channel {
            Channel::Json { .. } => "json",
            Channel::Slack { .. } => "slack",
            Channel::Discord { .. } => "discord",
            Channel::Teams { .. } => "teams",
            Channel::Gotify { .. } => "gotify",
            Channel::Ntfy { .. } => "ntfy",
            Channel::Mail(_) => "email",
        }
    }

    /// The host that it is on: all of its address that may be shown.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_wants_the_events_of_its_kind_and_every_test() {
        assert!(Wanted::All.includes(Event::BackupMade) && Wanted::All.includes(Event::Overdue));
        assert!(!Wanted::Failure.includes(Event::BackupMade));
        assert!(!Wanted::Success.includes(Event::Overdue));
        assert!(Wanted::Success.includes(Event::Test) && Wanted::Failure.includes(Event::Resolved));
    }
}
