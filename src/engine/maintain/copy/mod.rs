//! Copy: backups of this store become backups of another one, with their ids and what was said of them.
//!
//! Oldest first, and each is published as soon as its chunks have arrived and were read back. So whoever
//! ends a copy midway leaves whole backups, and the next copy goes on from there. Nothing of the store
//! that is copied is locked: a copy that takes its time holds up no backup, cleanup or restore.

mod one;
mod target;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use self::one::{Copying, Found, Refusal};
use crate::engine::{Engine, EngineError, Phase, Run};
use crate::model::{BackupId, BackupKind, Manifest};
use crate::store::{StoreError, TransferError};

/// Request for a copy: the backups, and the other store.
#[derive(Debug, Clone, Default)]
pub struct CopyRequest {
    /// The place of the other store, which is made if it is not there.
    pub to: String,
    /// These backups; without any, all.
    pub ids: Vec<BackupId>,
    /// Safety backups are left out where no ids are given.
    pub without_safety: bool,
    /// Result of earlier copies, if this one is repeated by itself.
    pub earlier: Option<EarlierCopies>,
}

/// Result of earlier copies into the same place. A backup of these that is not there any more was deleted
/// there, and stays so; one that is known to be damaged here is not tried again.
#[derive(Debug, Clone, Default)]
pub struct EarlierCopies {
    /// The id of the store that they found there.
    pub store_id: Option<String>,
    pub copied: BTreeSet<BackupId>,
}

/// Result of a copy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CopyReport {
    /// The other store.
    pub to: String,
    /// Its id.
    pub store_id: String,
    /// Backups that were copied, oldest first.
    pub copied: Vec<BackupId>,
    /// Backups that were there already.
    pub present: Vec<BackupId>,
    /// Backups that were there, but damaged, and are whole again.
    pub repaired: Vec<BackupId>,
    /// Backups that were deleted there since an earlier copy.
    pub deleted: Vec<BackupId>,
    /// Backups that could not be copied.
    pub refused: Vec<NotCopied>,
    /// Chunks that travelled.
    pub new_chunks: u64,
    /// Bytes of the packs that hold them.
    pub stored_bytes: u64,
}

/// A backup that could not be copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotCopied {
    pub backup_id: BackupId,
    /// The reason.
    pub why: String,
}

/// Returns whether it is a safety backup that nobody asked for.
fn is_left_out(manifest: &Manifest, request: &CopyRequest) -> bool {
    let is_safety = manifest.backup_type == BackupKind::PreRestore;
    request.without_safety && request.ids.is_empty() && is_safety
}

impl Engine {
    /// Copies backups into another store. Backups that are there already get what was said of them
    /// since; what is known to be damaged or lost there is sent again.
    ///
    /// # Errors
    /// If an id is unknown, the other store is this one or lies inside it, or a store cannot be used. A
    /// backup that is damaged, or whose id is taken in the other store, is reported and holds up no other.
    pub async fn copy(&self, request: &CopyRequest, run: &Run) -> Result<CopyReport, EngineError> {
        run.begin(Phase::Copying, None);
        let order = self.store.backups().await?;
        for id in &request.ids {
            if !order.contains(id) {
                return Err(StoreError::NoSuchBackup(id.clone()).into());
            }
        }
        let to = self.other_store(&request.to).await?;
        let at_target = |error| EngineError::of_transfer(TransferError::Target(error), to.place());
        let seen = to.begin_transfers().await.map_err(at_target)?;
        let mut report = CopyReport::empty(to.place(), &to.parameters().store_id);
        let mut copying = Copying::new(self, to, order, seen, run);
        copying.all(request, &mut report).await?;
        run.begin(Phase::Done, None);
        Ok(report)
    }
}

impl CopyReport {
    fn empty(to: &str, store_id: &str) -> Self {
        Self {
            to: to.to_owned(),
            store_id: store_id.to_owned(),
            copied: Vec::new(),
            present: Vec::new(),
            repaired: Vec::new(),
            deleted: Vec::new(),
            refused: Vec::new(),
            new_chunks: 0,
            stored_bytes: 0,
        }
    }

    fn refuse(&mut self, backup_id: BackupId, why: String) {
        self.refused.push(NotCopied { backup_id, why });
    }
}

impl Copying<'_> {
    async fn all(
        &mut self,
        request: &CopyRequest,
        report: &mut CopyReport,
    ) -> Result<(), EngineError> {
        let wanted: BTreeSet<_> = request.ids.iter().collect();
        let (mut to_send, mut rows) = (Vec::new(), 0);
        for id in self.order.clone() {
            if !wanted.is_empty() && !wanted.contains(&id) {
                continue;
            }
            match self.look(&id, request).await {
                Ok(Found::Present) => report.present.push(id),
                Ok(Found::StateRepaired) => report.repaired.push(id),
                Ok(Found::Deleted) => report.deleted.push(id),
                Ok(Found::LeftOut) => {}
                Ok(Found::ToSend(manifest, what)) => {
                    rows += manifest.trees().map(|part| part.rows).sum::<u64>();
                    to_send.push((manifest, what));
                }
                Err(error) => match self.refusal(&id, error).await? {
                    Refusal::Gone => {}
                    Refusal::Because(why) => report.refuse(id, why),
                },
            }
        }
        self.run.begin(Phase::Copying, Some(rows));
        for (manifest, what) in to_send {
            self.send_one(&manifest, what, report).await?;
        }
        Ok(())
    }
}
