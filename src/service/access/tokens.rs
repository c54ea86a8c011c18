//! Bearer tokens: made, listed, revoked, recognized. Only their hashes are kept.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::model::{Age, Hash};
use crate::service::access::error::RESERVED;
use crate::service::access::token_file::{TokenFile, Version};
use crate::service::access::{Identity, Secret, Token, TokenError};
use crate::service::{Role, files};

/// The name of the first token, if the service makes it.
const FIRST: &str = "first";

/// The tokens of one service. A change of the file by another process counts at once.
#[derive(Debug)]
pub struct Tokens {
    file: TokenFile,
}

/// A token that is to be made.
#[derive(Debug, Clone)]
pub struct NewToken<'a> {
    pub name: &'a str,
    pub role: Role,
    /// The author of backups that are made with it; its name if there is none.
    pub author: Option<&'a str>,
    /// How long it is valid; for ever if nothing is said.
    pub expires: Option<Age>,
}

fn is_plain(name: &str) -> bool {
    let fit = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
    (1..=64).contains(&name.len()) && name.chars().all(fit)
}

fn check_name(name: &str) -> Result<(), TokenError> {
    if is_plain(name) && !RESERVED.contains(&name) {
        return Ok(());
    }
    Err(TokenError::Name(name.chars().take(80).collect()))
}

/// Whoever makes tokens may say that others speak for `system`.
fn check_author(author: &str) -> Result<(), TokenError> {
    if is_plain(author) && (author == "system" || !RESERVED.contains(&author)) {
        return Ok(());
    }
    Err(TokenError::Author(author.chars().take(80).collect()))
}

/// Refuses a file for the first token that may hold something else. One of a start that was cut short has
/// a token.
fn check_first(file: &Path) -> Result<(), TokenError> {
    let taken = || TokenError::FirstTaken(file.display().to_string());
    match fs::symlink_metadata(file) {
        Err(_) => Ok(()),
        Ok(about) if !about.is_file() => Err(taken()),
        Ok(_) => match fs::read(file) {
            Ok(text) if text.is_empty() || text.starts_with(b"ipr_") => Ok(()),
            _ => Err(taken()),
        },
    }
}

/// Returns whether two hashes are the same, in a time that does not tell where they differ.
fn same(a: &Hash, b: &Hash) -> bool {
    let difference =
        a.0.iter().zip(&b.0).fold(0, |all, (a, b)| std::hint::black_box(all | (a ^ b)));
    difference == 0
}

impl Tokens {
    /// The tokens in this state folder.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self { file: TokenFile::in_folder(folder) }
    }

    /// As [`Self::in_folder`], but makes the folder if it is not there; only our own account may
    /// enter it, or the group that shares the folder above.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn made_in(folder: &Path) -> Result<Self, TokenError> {
        let tokens = Self::in_folder(folder);
        files::make_folder(folder).map_err(tokens.file.failed("written"))?;
        Ok(tokens)
    }

    /// Returns all tokens, also those that have expired.
    ///
    /// # Errors
    /// If the file is there but cannot be read or understood: nobody is to be let in then.
    pub fn all(&self) -> Result<Arc<Vec<Token>>, TokenError> {
        self.file.all()
    }

    /// Returns whether no token was ever made here.
    ///
    /// # Errors
    /// If that cannot be told, or the file with the tokens cannot be read or understood.
    pub fn never_made(&self) -> Result<bool, TokenError> {
        self.file.never_made()
    }

    /// The version of the file that is there now.
    pub(in crate::service) fn version(&self) -> Result<Version, TokenError> {
        self.file.version()
    }

    /// Returns the holder of the token with this text. Every text takes the same way, whatever is wrong with
    /// it.
    ///
    /// # Errors
    /// As [`Self::all`].
    pub fn recognize(
        &self,
        text: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Identity>, TokenError> {
        let presented = Hash::of(text.as_bytes());
        let tokens = self.all()?;
        let mut found = None;
        for token in tokens.iter() {
            if same(&token.sha256, &presented) {
                found = Some(token);
            }
        }
        let valid = found.filter(|token| !token.is_expired(now));
        Ok(valid.map(Identity::of))
    }

    /// Makes a token; its text is told now and never again.
    ///
    /// # Errors
    /// If the name is not fit or taken, or the file cannot be written.
    pub fn create(
        &self,
        name: &str,
        role: Role,
        expires: Option<Age>,
        now: DateTime<Utc>,
    ) -> Result<(Token, Secret), TokenError> {
        self.create_with(&NewToken { name, role, author: None, expires }, now)
    }

    /// As [`Self::create`], with an author.
    ///
    /// # Errors
    /// As [`Self::create`]; if the author is not fit.
    pub fn create_with(
        &self,
        new: &NewToken<'_>,
        now: DateTime<Utc>,
    ) -> Result<(Token, Secret), TokenError> {
        let secret = Secret::random();
        Ok((self.add(new, &secret, now)?, secret))
    }

    /// Makes a token named `first` for an admin, and writes its text to this file, which only its owner
    /// may read; does nothing if a token was ever made here.
    ///
    /// # Errors
    /// If there is something else in the file's place; if a file cannot be written.
    pub fn create_first(&self, file: &Path, now: DateTime<Utc>) -> Result<bool, TokenError> {
        if !self.never_made()? {
            return Ok(false);
        }
        check_first(file)?;
        let secret = Secret::random();
        // Before the token counts: none may be in force that nobody knows.
        let text = format!("{}\n", secret.reveal());
        let written = files::replace_private(file, text.as_bytes());
        written.map_err(|source| TokenError::First { path: file.display().to_string(), source })?;
        let first = NewToken { name: FIRST, role: Role::Admin, author: None, expires: None };
        self.add(&first, &secret, now)?;
        Ok(true)
    }

    fn add(
        &self,
        new: &NewToken<'_>,
        secret: &Secret,
        now: DateTime<Utc>,
    ) -> Result<Token, TokenError> {
        let NewToken { name, role, author, expires } = *new;
        check_name(name)?;
        author.map_or(Ok(()), check_author)?;
        if expires.is_some_and(|age| age <= Age::days(0)) {
            return Err(TokenError::ExpiresAtOnce);
        }
        let token = Token {
            name: name.to_owned(),
            role,
            author: author.map(str::to_owned),
            sha256: Hash::of(secret.reveal().as_bytes()),
            created_at: now,
            expires_at: expires.map(|age| now + age.duration()),
        };
        let _alone = self.file.alone()?;
        let mut tokens = self.all()?.to_vec();
        if tokens.iter().any(|token| token.name == name) {
            return Err(TokenError::Taken(name.to_owned()));
        }
        tokens.push(token.clone());
        self.file.replace(tokens)?;
        Ok(token)
    }

    /// Takes a token away; from now on nobody is let in with it. Needs no free space: where the file
    /// cannot be replaced, it is overwritten in place.
    ///
    /// # Errors
    /// [`TokenError::Unknown`]; [`TokenError::NotRevoked`] if the file cannot be written at all.
    pub fn revoke(&self, name: &str) -> Result<(), TokenError> {
        let unknown = || TokenError::Unknown(name.chars().take(80).collect());
        if !self.all()?.iter().any(|token| token.name == name) {
            return Err(unknown());
        }
        let path = self.file.place();
        let not_revoked =
            |source| TokenError::NotRevoked { name: name.to_owned(), path: path.clone(), source };
        let _alone = self.file.alone().map_err(|error| match error {
            TokenError::File { source, .. } => not_revoked(source),
            other => other,
        })?;
        let mut tokens = self.all()?.to_vec();
        let before = tokens.len();
        tokens.retain(|token| token.name != name);
        if tokens.len() == before {
            return Err(unknown());
        }
        self.file.shrink(tokens).map_err(not_revoked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::access::token_file::{FILE, Kept};
    use std::fs;

    fn now() -> DateTime<Utc> {
        "2025-09-20T14:30:22Z".parse().expect("a time")
    }

    #[test]
    fn a_token_is_recognized_until_it_is_revoked_also_by_another_process() {
        let folder = tempfile::tempdir().expect("a folder");
        let (service, other) = (Tokens::in_folder(folder.path()), Tokens::in_folder(folder.path()));
        assert!(service.all().expect("read").is_empty());
        let (_, secret) = other.create("robot", Role::Operator, None, now()).expect("made");
        let caller = service.recognize(secret.reveal(), now()).expect("read");
        let caller = caller.expect("known");
        assert_eq!((caller.name.as_str(), caller.role), ("robot", Role::Operator));
        other.revoke("robot").expect("revoked");
        assert_eq!(service.recognize(secret.reveal(), now()).expect("read"), None);
    }

    #[test]
    fn a_revocation_that_cannot_replace_the_file_overwrites_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let (service, other) = (Tokens::in_folder(folder.path()), Tokens::in_folder(folder.path()));
        let [(_, gone), (_, stays)] = ["gone", "stays"]
            .map(|name| other.create(name, Role::Admin, None, now()).expect("made"));
        assert!(service.recognize(gone.reveal(), now()).expect("read").is_some());
        let all = other.all().expect("read");
        let tokens = all.iter().filter(|token| token.name == "stays").cloned().collect();
        files::shrink_json(&folder.path().join(FILE), &Kept { tokens }).expect("overwritten");
        assert_eq!(service.recognize(gone.reveal(), now()).expect("read"), None);
        assert!(service.recognize(stays.reveal(), now()).expect("read").is_some());
    }

    #[test]
    fn an_expired_token_is_worth_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let tokens = Tokens::in_folder(folder.path());
        let made = tokens.create("guest", Role::Viewer, Some(Age::days(90)), now());
        let secret = made.expect("made").1;
        let at = |days| now() + chrono::Duration::days(days);
        assert!(tokens.recognize(secret.reveal(), at(89)).expect("read").is_some());
        assert!(tokens.recognize(secret.reveal(), at(90)).expect("read").is_none());
    }

    #[test]
    fn the_text_of_a_token_is_kept_nowhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let tokens = Tokens::in_folder(folder.path());
        let (token, secret) = tokens.create("a", Role::Admin, None, now()).expect("made");
        assert_eq!(secret.reveal().len(), 4 + 64);
        let kept = fs::read_to_string(folder.path().join(FILE)).expect("read");
        assert!(kept.contains(&token.sha256.to_string()));
        assert!(!kept.contains(&secret.reveal()[4..]));
        assert!(!format!("{secret:?} {tokens:?}").contains(&secret.reveal()[4..]));
    }

    #[test]
    fn names_that_could_be_mistaken_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let tokens = Tokens::in_folder(folder.path());
        for wrong in ["", "local", "schedule", "a b", "a\n", "é", &"x".repeat(65)] {
            let made = tokens.create(wrong, Role::Viewer, None, now());
            assert!(matches!(made, Err(TokenError::Name(_))), "{wrong:?}");
        }
        let at_once = tokens.create("a", Role::Viewer, Some(Age::days(0)), now());
        assert!(matches!(at_once, Err(TokenError::ExpiresAtOnce)));
        tokens.create("a", Role::Viewer, None, now()).expect("made");
        let again = tokens.create("a", Role::Admin, None, now());
        assert!(matches!(again, Err(TokenError::Taken(_))));
        assert!(matches!(tokens.revoke("b"), Err(TokenError::Unknown(_))));
    }

    /// Returns who is let in by this file with the secret, or why nobody is.
    fn admitted(text: &[u8], secret: &Secret, days: i64) -> Result<Option<Identity>, TokenError> {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(FILE), text).expect("written");
        let at = now() + chrono::Duration::days(days);
        Tokens::in_folder(folder.path()).recognize(secret.reveal(), at)
    }

    #[test]
    fn flipped_bit_in_the_file_lets_nobody_in() {
        let folder = tempfile::tempdir().expect("a folder");
        let tokens = Tokens::in_folder(folder.path());
        let made = tokens.create("guest", Role::Viewer, Some(Age::days(90)), now());
        let secret = made.expect("made").1;
        let text = fs::read(folder.path().join(FILE)).expect("read");
        assert!(admitted(&text, &secret, 0).expect("read").is_some());
        for bit in 0..text.len() * 8 {
            let mut flipped = text.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(admitted(&flipped, &secret, 0).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn flipped_bit_in_a_file_without_checksum_never_takes_a_limit_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        let hash = Hash::of(b"ipr_");
        let text = format!(
            r#"{{"tokens":[{{"name":"guest","role":"viewer","sha256":"{hash}","created_at":"2025-09-20T14:30:22Z","expires_at":"2025-09-21T14:30:22Z"}}]}}"#
        );
        for bit in 0..text.len() * 8 {
            let mut flipped = text.clone().into_bytes();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, flipped).expect("written");
            let tokens = Tokens::in_folder(folder.path()).all();
            for token in tokens.iter().flat_map(|tokens| tokens.iter()) {
                let limited = (token.role, token.expires_at.is_some());
                assert_eq!(limited, (Role::Viewer, true), "bit {bit}");
            }
        }
    }

    #[test]
    fn a_file_that_cannot_be_understood_lets_nobody_in() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(FILE), "{").expect("written");
        let tokens = Tokens::in_folder(folder.path());
        assert!(tokens.recognize("ipr_", now()).is_err());
        fs::remove_file(folder.path().join(FILE)).expect("removed");
        let fifo = folder.path().join(FILE);
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("made");
        assert!(tokens.recognize("ipr_", now()).is_err());
    }
}
