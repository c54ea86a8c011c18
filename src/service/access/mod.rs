//! Access: the tokens, and the identity of a caller.

mod callers;
mod error;
mod token;
mod token_file;
mod tokens;

use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, Utc};
use governor::clock::Clock as _;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

pub use callers::{ACCESS_LOOK, Callers, Refusals};
pub use error::TokenError;
pub use token::{Secret, Token};
pub use tokens::{NewToken, Tokens};

use crate::model::Hash;
use crate::service::Role;
use crate::service::access::token_file::Version;
use crate::threads::locked;

/// Somebody who is known, and what they may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The token's name, or `system` where the service knows no tokens, as in the backups that are made then.
    pub name: String,
    /// Their role.
    pub role: Role,
    /// The hash of the token that they showed: another token of the same name is another identity.
    token: Option<Hash>,
    /// The author of backups that they make.
    author: Option<String>,
}

impl Identity {
    /// Everybody, on a service without tokens.
    #[must_use]
    pub fn local() -> Self {
        Self { name: "system".into(), role: Role::Admin, token: None, author: None }
    }

    /// Returns whether this is everybody, on a service without tokens.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.token.is_none()
    }

    /// The holder of this token.
    fn of(token: &Token) -> Self {
        let (name, author) = (token.name.clone(), token.author.clone());
        Self { name, role: token.role, token: Some(token.sha256), author }
    }

    /// The author of backups that they make; none for somebody at this machine.
    #[must_use]
    pub fn author(&self) -> Option<&str> {
        let named = self.author.as_deref().unwrap_or(&self.name);
        (!self.is_local()).then_some(named)
    }
}

/// Why somebody is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotLetIn {
    /// No token came along.
    #[error(
        "this needs a token: send it as `Authorization: Bearer ipr_…` or `X-Rewind-Token: ipr_…`"
    )]
    NoToken,
    /// The token is not known, or not any more.
    #[error("the token is not known, was revoked, or has expired")]
    UnknownToken,
    /// Too many unknown tokens came of late.
    #[error("too many unknown tokens; try again in {0} s")]
    TooManyUnknownTokens(u64),
    /// The tokens cannot be read, so nobody is let in.
    #[error("the service cannot read its tokens, so it lets nobody in; its log says why")]
    Unreadable,
}

/// Access control by tokens.
#[derive(Debug)]
pub struct Gate {
    tokens: Tokens,
    /// The file without any token that the service started with, if everybody is to be let in.
    open_with: Mutex<Option<Version>>,
    failures: Throttle,
}

/// Limits how often something may happen.
type Throttle = DefaultDirectRateLimiter;

/// So many at once, and then one each `refill`.
fn throttle(burst: u32, refill: Duration) -> Throttle {
    let quota = Quota::with_period(refill).expect("longer than nothing");
    RateLimiter::direct(quota.allow_burst(NonZeroU32::new(burst).expect("more than none")))
}

impl Gate {
    /// A gate that asks for tokens if there are any, or ever were: where the last one was revoked or
    /// its file was lost, nobody is let in until there is a new one.
    ///
    /// # Errors
    /// If the tokens cannot be read.
    pub fn new(tokens: Tokens) -> Result<Self, TokenError> {
        let open_with = Mutex::new(tokens.never_made()?.then_some(tokens.version()?));
        let failures = throttle(20, Duration::from_secs(1));
        Ok(Self { tokens, open_with, failures })
    }

    /// Returns whether everybody is let in. Once a token was made this never becomes true again, so that
    /// revoking the last one does not open the door, even if nobody called in between.
    ///
    /// # Errors
    /// If the tokens cannot be read.
    pub fn is_open(&self) -> Result<bool, TokenError> {
        let mut open_with = locked(&self.open_with);
        if let Some(version) = &*open_with
            && *version != self.tokens.version()?
        {
            *open_with = None;
        }
        Ok(open_with.is_some())
    }

    /// Returns whether somebody who was let in earlier would still be.
    #[must_use]
    pub fn still_knows(&self, identity: &Identity, now: DateTime<Utc>) -> bool {
        if identity.is_local() {
            return self.is_open().unwrap_or(false);
        }
        let same = |token: &Token| !token.is_expired(now) && Identity::of(token) == *identity;
        self.tokens.all().is_ok_and(|all| all.iter().any(same))
    }

    /// Returns the caller with this token. A token that is known is always let in; failures alone are
    /// limited, so nobody can lock others out by guessing.
    ///
    /// # Errors
    /// If they are not to be let in.
    pub fn admit(&self, token: Option<&str>, now: DateTime<Utc>) -> Result<Identity, NotLetIn> {
        let unreadable = |error: TokenError| {
            let why = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!("{error}: {}", why.unwrap_or_default());
            NotLetIn::Unreadable
        };
        if self.is_open().map_err(unreadable)? {
            return Ok(Identity::local());
        }
        let text = token.ok_or(NotLetIn::NoToken)?;
        if let Some(known) = self.tokens.recognize(text, now).map_err(unreadable)? {
            return Ok(known);
        }
        let Err(until) = self.failures.check() else { return Err(NotLetIn::UnknownToken) };
        let wait = until.wait_time_from(self.failures.clock().now());
        Err(NotLetIn::TooManyUnknownTokens(wait.as_secs().max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2025-09-20T14:30:22Z".parse().expect("a time")
    }

    #[test]
    fn without_tokens_everybody_is_local_until_there_is_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let gate = Gate::new(Tokens::in_folder(folder.path())).expect("readable");
        assert_eq!(gate.admit(None, now()).expect("let in"), Identity::local());
        let tokens = Tokens::in_folder(folder.path());
        tokens.create("a", Role::Viewer, None, now()).expect("made");
        assert_eq!(gate.admit(None, now()), Err(NotLetIn::NoToken));
        tokens.revoke("a").expect("revoked");
        assert_eq!(gate.admit(None, now()), Err(NotLetIn::NoToken));
    }

    #[test]
    fn a_token_that_came_and_went_between_two_calls_closes_the_door() {
        for name in ["a", "b"] {
            let folder = tempfile::tempdir().expect("a folder");
            let tokens = Tokens::in_folder(folder.path());
            let gate = Gate::new(Tokens::in_folder(folder.path())).expect("readable");
            assert_eq!(gate.admit(None, now()).expect("let in"), Identity::local());
            tokens.create(name, Role::Viewer, None, now()).expect("made");
            tokens.revoke(name).expect("revoked");
            assert_eq!(gate.admit(None, now()), Err(NotLetIn::NoToken));
        }
    }

    #[test]
    fn revoking_the_last_token_does_not_open_the_door() {
        let folder = tempfile::tempdir().expect("a folder");
        let tokens = Tokens::in_folder(folder.path());
        let (_, secret) = tokens.create("a", Role::Viewer, None, now()).expect("made");
        let gate = Gate::new(Tokens::in_folder(folder.path())).expect("readable");
        tokens.revoke("a").expect("revoked");
        assert_eq!(gate.admit(Some(secret.reveal()), now()), Err(NotLetIn::UnknownToken));
        assert_eq!(gate.admit(None, now()), Err(NotLetIn::NoToken));
    }

    #[test]
    fn a_restart_without_tokens_stays_closed_once_there_were_some() {
        let folder = tempfile::tempdir().expect("a folder");
        let tokens = Tokens::in_folder(folder.path());
        let closed = || {
            let gate = Gate::new(Tokens::in_folder(folder.path())).expect("readable");
            assert_eq!(gate.admit(None, now()), Err(NotLetIn::NoToken));
            assert_eq!(gate.admit(Some("ipr_1"), now()), Err(NotLetIn::UnknownToken));
        };
        tokens.create("a", Role::Admin, Some(crate::model::Age::days(1)), now()).expect("made");
        let later = now() + chrono::Duration::days(2);
        let gate = Gate::new(Tokens::in_folder(folder.path())).expect("readable");
        assert_eq!(gate.admit(None, later), Err(NotLetIn::NoToken), "all have expired");
        tokens.revoke("a").expect("revoked");
        closed();
        std::fs::remove_file(folder.path().join("tokens.json")).expect("removed");
        closed();
        std::fs::write(folder.path().join("tokens.json"), "").expect("written");
        assert!(Gate::new(Tokens::in_folder(folder.path())).is_err(), "an empty file is damaged");
    }

    #[test]
    fn a_new_token_of_the_same_name_is_another_identity() {
        let folder = tempfile::tempdir().expect("a folder");
        let tokens = Tokens::in_folder(folder.path());
        let (_, secret) = tokens.create("a", Role::Viewer, None, now()).expect("made");
        let gate = Gate::new(Tokens::in_folder(folder.path())).expect("readable");
        let first = gate.admit(Some(secret.reveal()), now()).expect("known");
        assert!(gate.still_knows(&first, now()));
        tokens.revoke("a").expect("revoked");
        tokens.create("a", Role::Viewer, None, now()).expect("made");
        assert!(!gate.still_knows(&first, now()));
    }

    #[test]
    fn guessing_is_limited_and_locks_nobody_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let tokens = Tokens::in_folder(folder.path());
        let (_, secret) = tokens.create("a", Role::Viewer, None, now()).expect("made");
        let gate = Gate::new(tokens).expect("readable");
        let refusals: Vec<_> = (0..30)
            .map(|guess| gate.admit(Some(&format!("ipr_{guess}")), now()).expect_err("a guess"))
            .collect();
        let limited = |e: &&NotLetIn| matches!(e, NotLetIn::TooManyUnknownTokens(_));
        // One more passes with each second.
        let count = refusals.iter().filter(limited).count();
        assert!((1..=10).contains(&count), "{count}");
        assert_eq!(gate.admit(Some(secret.reveal()), now()).expect("known").name, "a");
    }
}
