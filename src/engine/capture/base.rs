//! The snapshot that a capture starts from, so that it reads only what changed since.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::engine::snapshot::Snapshot;
use crate::engine::{Engine, EngineError};
use crate::model::{Age, BackupId, Manifest, Profile, Schema, SnapshotInfo};
use crate::tree::Key;

/// What a capture starts from.
#[derive(Debug, Clone)]
pub enum Start {
    /// Nothing: all rows are read.
    Full {
        /// Why.
        reason: String,
        /// The backup whose mismatch forbids to start from another one.
        stopped_by: Option<BackupId>,
    },
    /// An earlier snapshot.
    Since(Box<Base>),
    /// Nothing, but what the changes since this snapshot tell is compared with what all rows are.
    Check {
        base: Box<Base>,
        /// Why all rows are read.
        reason: String,
    },
}

/// An earlier snapshot that a capture starts from.
#[derive(Debug, Clone)]
pub struct Base {
    /// The backup that it is, if it is one.
    pub id: Option<BackupId>,
    pub snapshot: Snapshot,
    /// Keys of rows, by part, that are known to be gone.
    pub gone: BTreeMap<String, BTreeSet<Key>>,
}

impl Base {
    /// When all rows were last read.
    pub fn last_full(&self) -> Option<DateTime<Utc>> {
        let text = self.snapshot.capture.as_ref()?.last_full.as_deref()?;
        DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
    }

    /// Returns why it cannot be the base of a snapshot that `now` identifies.
    pub fn cannot_lead_to(&self, now: &SnapshotInfo, profile: &Profile) -> Option<String> {
        if !self.snapshot.profile.divides_as(profile) {
            return Some("it divides the tables in another way".into());
        }
        now.cannot_follow(&self.snapshot.info)
    }

    /// Returns why the changes of this table since then cannot be told.
    pub fn cannot_tell(
        &self,
        table: &str,
        (now, schema): (&SnapshotInfo, &Schema),
    ) -> Option<String> {
        let parts = || self.snapshot.profile.parts_of(table);
        let both = self.snapshot.schema.table(table).zip(schema.table(table));
        match both {
            None => Some("the backup before does not have it".into()),
            Some((then, live)) if !then.is_stored_as(live) => {
                Some("its columns or its key are others than then".into())
            }
            Some((_, live)) if !parts().all(|part| part.depends_on_row_alone(live)) => {
                Some("which rows belong to a dataset depends on more than the row".into())
            }
            Some(_) if parts().any(|part| self.snapshot.part(&part.name).is_none()) => {
                Some("the backup before does not cover it".into())
            }
            Some(_) => now.cannot_follow_table(&self.snapshot.info, table),
        }
    }
}

/// How a backup is to be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// All rows, whatever could be told.
    pub full: bool,
    /// Backups may be based on others again after a mismatch.
    pub resume: bool,
    /// When all rows were last read and compared, if that was after the newest backup.
    pub checked: Option<DateTime<Utc>>,
}

impl Engine {
    /// The newest backup that was made here, if the next one may start from it.
    pub(in crate::engine) async fn base(&self) -> Result<Start, EngineError> {
        let Some(newest) = self.newest_made_here().await else {
            return Ok(Start::full("there is no backup to start from"));
        };
        if let Some(by) = newest.capture.as_ref().and_then(|capture| capture.stopped_by.clone()) {
            let reason = format!(
                "backup {by} found other rows than the changes had told; once the cause is known, \
                 `backup --resume-incremental`"
            );
            return Ok(Start::Full { reason, stopped_by: Some(by) });
        }
        let id = Some(newest.backup_id.clone());
        let snapshot = Snapshot::of(newest, self.store.reader().await?);
        Ok(Start::Since(Box::new(Base { id, snapshot, gone: BTreeMap::new() })))
    }

    /// What the next backup starts from.
    pub(in crate::engine) async fn start(&self, reading: Reading) -> Result<Start, EngineError> {
        let start = match self.base().await? {
            Start::Full { .. } if reading.resume => Start::full("reading changes is resumed"),
            start => start,
        };
        let Start::Since(base) = start else { return Ok(start) };
        let reason = if reading.full {
            "it was asked for".into()
        } else if self.is_full_due(base.last_full().max(reading.checked)) {
            format!("all rows are read every {}", self.full_every)
        } else {
            return Ok(Start::Since(base));
        };
        Ok(Start::Check { base, reason })
    }

    /// The newest backup whose rows were read from a database by this store's own program.
    pub(in crate::engine) async fn newest_made_here(&self) -> Option<Manifest> {
        for id in self.store.backups().await.ok()?.iter().rev() {
            match self.store.manifest(id).await {
                Ok(manifest) if !manifest.imported => return Some(manifest),
                _ => {}
            }
        }
        None
    }

    /// Whether all rows are to be read now, as nothing else proves that reading changes misses none.
    pub(in crate::engine) fn is_full_due(&self, last: Option<DateTime<Utc>>) -> bool {
        last.is_none_or(|last| is_past(last, self.now(), self.full_every))
    }
}

/// Whether so much time has passed; also if the clock was set back, so that nobody knows.
fn is_past(then: DateTime<Utc>, now: DateTime<Utc>, every: Age) -> bool {
    now < then || now - then >= every.duration()
}

impl Start {
    /// The base, if there is one.
    pub fn base(&self) -> Option<&Base> {
        match self {
            Self::Full { .. } => None,
            Self::Since(base) | Self::Check { base, .. } => Some(base),
        }
    }

    /// All rows, for this reason.
    pub fn full(reason: impl Into<String>) -> Self {
        Self::Full { reason: reason.into(), stopped_by: None }
    }
}
