//! The file of the tokens, read anew when it has changed.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use crate::service::access::{Token, TokenError};
use crate::service::files;
use crate::threads::locked;

/// Its name in the state folder.
pub(super) const FILE: &str = "tokens.json";

/// The file of the tokens, which other processes may change.
#[derive(Debug)]
pub struct TokenFile {
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
pub(super) struct Kept {
    pub tokens: Vec<Token>,
}

impl TokenFile {
    /// The file in this state folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self { path: folder.join(FILE), cached: Mutex::default() }
    }

    /// Its path, to be shown.
    pub fn place(&self) -> String {
        self.path.display().to_string()
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

    /// Returns whether no token was ever made here. Once one was, the lock file stays, whatever becomes of
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
    pub fn version(&self) -> Result<Version, TokenError> {
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

    /// Makes an error of what could not be done to the file.
    pub fn failed(&self, doing: &'static str) -> impl Fn(io::Error) -> TokenError {
        let path = self.place();
        move |source| TokenError::File { path: path.clone(), doing, source }
    }

    /// Writes the file anew.
    pub fn replace(&self, tokens: Vec<Token>) -> Result<(), TokenError> {
        files::replace_json(&self.path, &Kept { tokens }).map_err(self.failed("written"))
    }

    /// As [`Self::replace`], but overwrites the file in place where there is no space for another.
    pub fn shrink(&self, tokens: Vec<Token>) -> io::Result<()> {
        let kept = Kept { tokens };
        files::replace_json(&self.path, &kept).or_else(|first| {
            files::shrink_json(&self.path, &kept)
                .inspect_err(|second| {
                    tracing::debug!("could not overwrite it in place either: {second}");
                })
                .map_err(|_| first)
        })
    }

    /// Keeps other processes from changing the file as long as the result lives.
    pub fn alone(&self) -> Result<File, TokenError> {
        let lock = files::open_lock(&self.lock_path());
        let locked = lock.and_then(|file| file.lock().map(|()| file));
        locked.map_err(self.failed("written"))
    }
}
