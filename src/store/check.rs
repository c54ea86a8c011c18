//! Abilities of a bucket or a folder, asked now, and their guarantees.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path as FilePath;

use object_store::path::Path;

use crate::store::backend::abilities::{Abilities, Condition};
use crate::store::backend::objects::Objects;
use crate::store::backend::probe;
use crate::store::open;
use crate::store::{Location, Store, StoreError, layout, parameters};

/// Findings at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The place.
    pub place: String,
    /// The server and the bucket; none for a folder.
    pub server: Option<String>,
    /// There is a store already.
    pub is_store: bool,
    /// One by one.
    pub findings: Vec<Finding>,
}

/// One thing that an object store or a folder should do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its name, for programs.
    pub ability: &'static str,
    /// It is there.
    pub ok: bool,
    /// Its condition in words.
    pub detail: String,
    /// The guarantee that holds with it or without it.
    pub guarantee: &'static str,
}

impl Checked {
    /// Returns whether everything is there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.findings.iter().all(|finding| finding.ok)
    }
}

impl Store {
    /// Asks what the bucket or folder at this place can do, whether or not it holds a store. Writes a small
    /// object and removes it. Of a store in a bucket the answer is recorded.
    ///
    /// # Errors
    /// [`StoreError::NoStore`] if a folder is not there; if the place can be neither written nor listed.
    pub async fn examine(location: &Location) -> Result<Checked, StoreError> {
        if matches!(location, Location::Folder(path) if !path.is_dir()) {
            return Err(StoreError::NoStore(location.to_string()));
        }
        let objects = open::objects(location)?;
        let is_store = !matches!(parameters::read(&objects).await?, parameters::Read::Nothing);
        let server = location.server();
        let findings = match &server {
            None => match &objects.folder {
                Some(path) => folder(&objects, path).await?,
                None => bucket(&probe::ask(&objects).await?),
            },
            Some(server) if is_store => bucket(&probe::find_out(&objects, server).await?),
            Some(_) => bucket(&probe::ask(&objects).await?),
        };
        Ok(Checked { place: location.to_string(), server, is_store, findings })
    }
}

const WRITES: Finding = Finding {
    ability: "write",
    ok: true,
    detail: String::new(),
    guarantee: "backups can be made; an object appears whole or not at all",
};

fn bucket(found: &Abilities) -> Vec<Finding> {
    let conditional = |ability, header, condition| Finding {
        ability,
        ok: condition == Condition::Honoured,
        detail: match condition {
            Condition::Honoured => format!("{header} is honoured"),
            Condition::Ignored => format!("{header} is ignored"),
            Condition::Refused => format!("a PUT with {header} is refused"),
        },
        guarantee: if condition == Condition::Honoured {
            "of two hosts that write the same object at the same time one is told so"
        } else {
            "hosts take turns with a lease; a request that arrives more than two minutes late may undo a \
             newer change"
        },
    };
    let remove = Finding {
        ability: "remove",
        ok: found.remove,
        detail: if found.remove { "objects can be removed" } else { "removals are refused" }.into(),
        guarantee: if found.remove {
            "delete and cleanup work; locks leave nothing"
        } else {
            "backups, restores and verifications work; delete and cleanup fail; each lock leaves two small \
             objects below locks/"
        },
    };
    let list = Finding {
        ability: "list_after_write",
        ok: found.list_after_write,
        detail: if found.list_after_write {
            "listings show at once what was written"
        } else {
            "listings lag behind writes"
        }
        .into(),
        guarantee: if found.list_after_write {
            "leases keep operations apart that exclude each other, on all hosts"
        } else {
            "two hosts must not use the store at the same time"
        },
    };
    vec![
        Finding { detail: "objects can be written, each with Content-MD5".into(), ..WRITES },
        conditional("conditional_create", "If-None-Match", found.conditional_create),
        conditional("conditional_replace", "If-Match", found.conditional_replace),
        remove,
        list,
    ]
}

async fn folder(objects: &Objects, folder: &FilePath) -> Result<Vec<Finding>, StoreError> {
    let trial = Path::from(layout::TRIAL);
    objects.put(&trial, "may be removed\n".into()).await?;
    let locked = lock_twice(&folder.join(layout::TRIAL));
    objects.remove(&trial).await?;
    let detail = match &locked {
        Ok(true) => "flock works here".into(),
        Ok(false) => "flock is not honoured: a file could be locked twice".into(),
        Err(error) => format!("flock does not work: {error}"),
    };
    Ok(vec![
        Finding { detail: "files can be written and made durable".into(), ..WRITES },
        Finding {
            ability: "remove",
            ok: true,
            detail: "files can be removed".into(),
            guarantee: "delete and cleanup work",
        },
        Finding {
            ability: "lock",
            ok: locked.is_ok_and(|honoured| honoured),
            detail,
            guarantee: "operations that exclude each other do so among all processes of this machine; among \
                        hosts if the file system passes flock on",
        },
    ])
}

/// Returns whether a file that is locked cannot be locked again.
fn lock_twice(path: &FilePath) -> io::Result<bool> {
    let (one, two) = (File::open(path)?, File::open(path)?);
    one.lock()?;
    match two.try_lock() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
