//! Why the store could not do what it was asked.

use std::io::ErrorKind;

use nix::errno::Errno;

use crate::model::{BackupId, ChunkId, PackId};
use crate::tree::Malformed;

use crate::store::backend::s3::Fault;
use crate::store::lock::{Holder, Lost};

/// Errors that are about one file, and not about the disk, the process or the machine.
const OF_ONE_FILE: [Errno; 10] = [
    Errno::EIO,
    Errno::EACCES,
    Errno::EPERM,
    Errno::EBADMSG,
    Errno::EUCLEAN,
    Errno::ESTALE,
    Errno::ELOOP,
    Errno::EISDIR,
    Errno::ENOTDIR,
    Errno::ENXIO,
];

/// Failures between a chunk and the object store that keeps it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The text names neither a folder nor `s3://bucket/prefix`.
    #[error("invalid store location {0:?}; use a folder or s3://bucket/prefix")]
    MalformedLocation(String),
    /// A parameter behind the question mark is none, or has no such value.
    #[error("invalid store location: {0}")]
    MalformedOptions(String),
    /// There is no `store.json`.
    #[error("there is no store at {0}")]
    NoStore(String),
    /// There are backups or packs, but no `store.json`.
    #[error("{0} holds backups or packs, but store.json is missing")]
    ParametersMissing(String),
    /// `store.json` has another version, or requires what this program lacks.
    #[error("store.json cannot be used: {0}")]
    Parameters(String),
    /// `store.json` is not what was written, and no manifest says what it was.
    #[error("store.json is damaged: {0}")]
    ParametersDamaged(String),
    /// There are manifests, but not one pack: the packs are lost or not mounted.
    #[error("the store has {0} backups, but no pack at all: their data is missing")]
    PacksMissing(usize),
    /// No manifest has this id.
    #[error("there is no backup {0}")]
    NoSuchBackup(BackupId),
    /// The manifest's bytes are not what was written.
    #[error("the manifest of backup {id} is damaged: {what}")]
    ManifestDamaged {
        id: BackupId,
        /// The fault.
        what: String,
    },
    /// The state's bytes cannot be understood. It is not silently taken for an empty one, since
    /// it may say that the backup is pinned.
    #[error("the state of backup {id} is damaged: {what}")]
    StateDamaged {
        id: BackupId,
        /// The fault.
        what: String,
    },
    /// Another backup was published under this id first.
    #[error("the id {0} is taken")]
    IdTaken(BackupId),
    /// No pack holds the chunk.
    #[error("chunk {0} is in no pack")]
    ChunkMissing(ChunkId),
    /// The pack's bytes do not give the chunk.
    #[error("chunk {id} is damaged in pack {pack}: {what}")]
    ChunkDamaged {
        id: ChunkId,
        pack: PackId,
        /// The fault.
        what: String,
    },
    /// The chunk is what was written, but breaks the format of trees.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Somebody else holds the lock.
    #[error("the store is busy: {}", .holder.as_ref().map_or_else(|| format!("somebody holds the lock {lock:?}"), ToString::to_string))]
    Busy {
        /// The lock's name.
        lock: &'static str,
        /// The holder, if that can be told.
        holder: Option<Box<Holder>>,
    },
    /// A lock can neither be made nor opened.
    #[error("the lock {}/{lock} cannot be opened", crate::store::layout::LOCKS)]
    NotLockable {
        /// The lock's name.
        lock: &'static str,
        /// Why it cannot be opened.
        source: std::io::Error,
    },
    /// A lease ran out, for example because the machine was suspended.
    #[error("{0}")]
    LeaseLost(Lost),
    /// A pack that the new backup relies on was removed, or is about to be.
    #[error("pack {0} was swept while the backup ran")]
    SweptMeanwhile(PackId),
    /// It is unknown whether a backup was published: the object store does not answer.
    #[error(
        "backup {id} was sent to be published, but the store does not say whether it is there; `list` \
         shows it if it is, and it is whole then"
    )]
    PublishUnknown {
        id: BackupId,
        /// Why there was no answer.
        source: Box<StoreError>,
    },
    /// The chunk is larger than the format allows.
    #[error("a chunk of {0} bytes is larger than a store takes")]
    TooLarge(usize),
    /// The writer was finished, or it failed and has said so already.
    #[error("the writer is closed")]
    WriterClosed,
    /// The object store failed.
    #[error("{doing}")]
    Object {
        /// The activity that failed, with the object's name.
        doing: String,
        /// Why it failed.
        source: object_store::Error,
    },
    /// A request to an object store was given up, for a reason that no further attempt mends.
    #[error("{doing}")]
    GivenUp {
        /// The activity that failed, with the object's name.
        doing: String,
        /// Why it was given up.
        source: Fault,
    },
    /// The object store does not let this program remove objects.
    #[error(
        "{what} cannot be deleted: the object store does not let these credentials remove objects"
    )]
    NotRemovable {
        /// The object that was to be removed.
        what: String,
        /// The store's answer.
        source: Box<StoreError>,
    },
    /// The file system failed.
    #[error("{doing}")]
    Io {
        /// The activity that failed.
        doing: String,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl StoreError {
    pub(in crate::store) fn object(
        doing: impl Into<String>,
    ) -> impl FnOnce(object_store::Error) -> Self {
        let doing = doing.into();
        move |source| match Fault::behind(&source) {
            Some(fault) => Self::GivenUp { doing, source: fault.clone() },
            None => Self::Object { doing, source },
        }
    }

    pub(in crate::store) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// The operating system's own error that it comes from, if it comes from one.
    #[must_use]
    pub fn system(&self) -> Option<&std::io::Error> {
        let (mut found, mut next) = (None, Some(self as &(dyn std::error::Error + 'static)));
        while let Some(error) = next {
            found = error.downcast_ref().or(found);
            next = error.source();
        }
        found
    }

    /// Returns whether it is about one file that cannot be read, so that others may still be.
    pub(in crate::store) fn is_about_one_file(&self) -> bool {
        if !matches!(self, Self::Object { .. } | Self::Io { .. }) {
            return false;
        }
        let Some(system) = self.system() else { return false };
        match system.raw_os_error().map(Errno::from_raw) {
            Some(errno) => OF_ONE_FILE.contains(&errno),
            None => matches!(system.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData),
        }
    }

    /// Returns whether nobody may write to the store from here.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        let read_only = |error: &std::io::Error| error.kind() == ErrorKind::ReadOnlyFilesystem;
        matches!(self, Self::NotLockable { .. }) || self.system().is_some_and(read_only)
    }

    /// Says that something cannot be read, and why.
    pub(in crate::store) fn cannot_be_read(&self) -> String {
        let why = self.system().map_or_else(|| self.to_string(), ToString::to_string);
        format!("it cannot be read: {why}")
    }

    /// The error and what it came from, outermost first.
    pub fn chain(&self) -> String {
        let causes = std::iter::successors(Some(self as &dyn std::error::Error), |e| e.source());
        causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    }

    /// Returns whether it says that a chunk is missing or wrong, and not that the object store fails.
    pub fn is_about_a_chunk(&self) -> bool {
        matches!(
            self,
            Self::ChunkMissing(_)
                | Self::ChunkDamaged { .. }
                | Self::Malformed(_)
                | Self::PacksMissing(_)
        )
    }

    /// Returns whether it says that an object is not there.
    pub(in crate::store) fn is_not_found(&self) -> bool {
        matches!(self, Self::Object { source: object_store::Error::NotFound { .. }, .. })
    }

    /// Returns whether a request that failed like this may have taken effect: there was no answer, or none that
    /// can be relied on.
    pub(in crate::store) fn may_have_worked(&self) -> bool {
        matches!(
            self,
            Self::Object {
                source: object_store::Error::Generic { .. }
                    | object_store::Error::AlreadyExists { .. }
                    | object_store::Error::Precondition { .. },
                ..
            } | Self::GivenUp { source: Fault::Silent { .. }, .. }
        )
    }

    /// Returns whether the object store knows no such request.
    pub(in crate::store) fn is_not_implemented(&self) -> bool {
        use object_store::Error::{NotImplemented, NotSupported};
        matches!(
            self,
            Self::Object { source: NotImplemented { .. } | NotSupported { .. }, .. }
                | Self::GivenUp { source: Fault::Refused { .. }, .. }
        )
    }

    /// Returns whether the object store refuses the request, whoever may be asked again: it is not permitted,
    /// or the server does no such thing.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        use object_store::Error::PermissionDenied;
        self.is_not_implemented()
            || matches!(self, Self::Object { source: PermissionDenied { .. }, .. })
    }

    /// Returns whether it says that an object that was to be created is there already.
    pub(in crate::store) fn is_taken(&self) -> bool {
        matches!(
            self,
            Self::Object {
                source: object_store::Error::AlreadyExists { .. }
                    | object_store::Error::Precondition { .. },
                ..
            }
        )
    }
}
