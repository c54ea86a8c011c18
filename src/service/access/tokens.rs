//! Bearer tokens: made, listed, revoked, recognized. Only their hashes are kept.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::{Age, Hash};
use crate::service::access::{Identity, Secret, Token};
use crate::service::{Role, files};
use crate::threads::locked;

const FILE: &str = "tokens.json";

/// The name of the first token, if the service makes it.
const FIRST: &str = "first";

/// Names that the program gives itself.
const RESERVED: [&str; 3] = ["local", "schedule", "system"];

/// Why the tokens are not what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The name would not be safe to print everywhere, or is one of the program's own.
    #[error("{0:?} cannot name a token: 1 to 64 letters, digits, '.', '_', '-' or '@', and not {reserved}", reserved = RESERVED.join(", "))]
    Name(String),
    /// There is one with this name.
    #[error("there is a token named {0}; revoke it first")]
    Taken(String),
    /// The expiry is not in the future.
    #[error("token expiry must be in the future")]
    ExpiresAtOnce,
    /// There is none with this name.
    #[error("there is no token named {0}")]
    Unknown(String),
    /// It still lets its holder in.
    #[error(
        "token {name} is NOT revoked and still lets its holder in: {path} cannot be written; \
         repeat this once it can, or stop the service"
    )]
    NotRevoked {
        /// The token.
        name: String,
        /// The file.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// The first token has no place to be told.
    #[error("the first token cannot be written to {path}")]
    First {
        /// The file.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// The file cannot be used.
    #[error("the tokens in {path} cannot be {doing}")]
    File {
        /// The file.
        path: String,
        /// Read or written.
        doing: &'static str,
        /// Why not.
        source: io::Error,
    },
}

/// The tokens of one service. Its file is read anew when it has changed, so what another process
/// does to it counts at once.
#[derive(Debug)]
pub struct Tokens {
    path: PathBuf,
    cached: Mutex<Cached>,
}

#[derive(Debug, Default)]
struct Cached {
    version: Version,
    tokens: Arc<Vec<Token>>,
}

/// Tells versions of the file apart, each of which is a new file; none while there is no file.
pub(in crate::service) type Version = Option<(u64, i64, i64, u64)>;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    tokens: Vec<Token>,
}

fn check_name(name: &str) -> Result<(), TokenError> {
    let fit = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
    let named = (1..=64).contains(&name.len()) && name.chars().all(fit);
    if named && !RESERVED.contains(&name) {
        return Ok(());
    }
    Err(TokenError::Name(name.chars().take(80).collect()))
}

/// Whether two hashes are the same, in a time that does not tell where they differ.
fn same(a: &Hash, b: &Hash) -> bool {
    let difference =
        a.0.iter().zip(&b.0).fold(0, |all, (a, b)| std::hint::black_box(all | (a ^ b)));
    difference == 0
}

impl Tokens {
    /// The tokens in this state folder.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self { path: folder.join(FILE), cached: Mutex::default() }
    }

    /// As [`Self::in_folder`], but makes the folder if it is not there; only our own account may
    /// enter it, or the group that shares the folder above.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn made_in(folder: &Path) -> Result<Self, TokenError> {
        let tokens = Self::in_folder(folder);
        files::make_folder(folder).map_err(tokens.failed("written"))?;
        Ok(tokens)
    }

    /// All tokens, also those that have expired.
    ///
    /// # Errors
    /// If the file is there but cannot be read or understood: nobody is to be let in then.
    pub fn all(&self) -> Result<Arc<Vec<Token>>, TokenError> {
        let mut cached = locked(&self.cached);
        let version = self.version()?;
        if version != cached.version {
            let kept: Option<Kept> = files::read_json(&self.path).map_err(self.failed("read"))?;
            *cached = Cached { version, tokens: Arc::new(kept.unwrap_or_default().tokens) };
        }
        Ok(cached.tokens.clone())
    }

    /// Whether no token was ever made here. Once one was, the lock file stays, whatever becomes of
    /// the tokens.
    ///
    /// # Errors
    /// If that cannot be told, or the file with the tokens cannot be read or understood.
    pub fn never_made(&self) -> Result<bool, TokenError> {
        let is_there = |path: &Path| path.try_exists().map_err(self.failed("read"));
        Ok(self.all()?.is_empty() && !is_there(&self.path)? && !is_there(&self.lock_path())?)
    }

    fn lock_path(&self) -> PathBuf {
        self.path.with_extension("lock")
    }

    /// The version of the file that is there now.
    pub(in crate::service) fn version(&self) -> Result<Version, TokenError> {
        match fs::metadata(&self.path) {
            Ok(meta) if meta.is_file() => {
                Ok(Some((meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.len())))
            }
            // To read a FIFO would wait for its writer.
            Ok(_) => Err(self.failed("read")(io::Error::other("it is no regular file"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("read")(error)),
        }
    }

    fn failed(&self, doing: &'static str) -> impl Fn(io::Error) -> TokenError {
        let path = self.path.display().to_string();
        move |source| TokenError::File { path: path.clone(), doing, source }
    }

    /// Whose token this text is. Every text takes the same way, whatever is wrong with it.
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
        let secret = Secret::random();
        Ok((self.add(name, role, expires, &secret, now)?, secret))
    }

    /// Makes a token named `first` for an admin, and writes its text to this file, which only its owner
    /// may read; does nothing if a token was ever made here.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn create_first(&self, file: &Path, now: DateTime<Utc>) -> Result<bool, TokenError> {
        if !self.never_made()? {
            return Ok(false);
        }
        let secret = Secret::random();
        // Before the token counts: none may be in force that nobody knows.
        let text = format!("{}\n", secret.reveal());
        let written = files::replace_private(file, text.as_bytes());
        written.map_err(|source| TokenError::First { path: file.display().to_string(), source })?;
        self.add(FIRST, Role::Admin, None, &secret, now)?;
        Ok(true)
    }

    fn add(
        &self,
        name: &str,
        role: Role,
        expires: Option<Age>,
        secret: &Secret,
        now: DateTime<Utc>,
    ) -> Result<Token, TokenError> {
        check_name(name)?;
        if expires.is_some_and(|age| age <= Age::days(0)) {
            return Err(TokenError::ExpiresAtOnce);
        }
        let token = Token {
            name: name.to_owned(),
            role,
            sha256: Hash::of(secret.reveal().as_bytes()),
            created_at: now,
            expires_at: expires.map(|age| now + age.duration()),
        };
        let _alone = self.alone()?;
        let mut tokens = self.all()?.to_vec();
        if tokens.iter().any(|token| token.name == name) {
            return Err(TokenError::Taken(name.to_owned()));
        }
        tokens.push(token.clone());
        files::replace_json(&self.path, &Kept { tokens }).map_err(self.failed("written"))?;
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
        let path = self.path.display().to_string();
        let not_revoked =
            |source| TokenError::NotRevoked { name: name.to_owned(), path: path.clone(), source };
        let _alone = self.alone().map_err(|error| match error {
            TokenError::File { source, .. } => not_revoked(source),
            other => other,
        })?;
        let mut tokens = self.all()?.to_vec();
        let before = tokens.len();
        tokens.retain(|token| token.name != name);
        if tokens.len() == before {
            return Err(unknown());
        }
        let kept = Kept { tokens };
        let replaced = files::replace_json(&self.path, &kept);
        let done = replaced.or_else(|first| {
            files::shrink_json(&self.path, &kept)
                .inspect_err(|second| {
                    tracing::debug!("could not overwrite it in place either: {second}");
                })
                .map_err(|_| first)
        });
        done.map_err(not_revoked)
    }

    /// Keeps other processes from changing the file as long as the result lives.
    fn alone(&self) -> Result<File, TokenError> {
        let lock = files::open_lock(&self.lock_path());
        let locked = lock.and_then(|file| file.lock().map(|()| file));
        locked.map_err(self.failed("written"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// Who is let in by this file with the secret, or why nobody is.
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
