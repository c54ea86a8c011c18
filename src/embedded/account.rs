//! Which account the server runs as: PostgreSQL refuses to run as root, as it is in containers.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::unistd::{Uid, User};

use super::EmbeddedError;

/// The account of the server: our own, or the one to change to when we are root.
#[derive(Debug)]
pub(super) struct Account(Option<User>);

impl Account {
    /// Our own account; for root `postgres`, or else `nobody`.
    pub(super) fn find() -> Result<Self, EmbeddedError> {
        if !Uid::effective().is_root() {
            return Ok(Self(None));
        }
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .map(|user| Self(Some(user)))
            .ok_or(EmbeddedError::NoAccount)
    }

    /// Makes `command` run as this account.
    pub(super) fn run(&self, command: &mut Command) {
        if let Some(user) = &self.0 {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
    }

    /// Hands `folder` itself, not what is in it, to this account.
    pub(super) fn own(&self, folder: &Path) -> Result<(), EmbeddedError> {
        let Some(user) = &self.0 else { return Ok(()) };
        chown(folder, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
            .map_err(|source| EmbeddedError::Folder { path: folder.to_owned(), source })
    }
}
