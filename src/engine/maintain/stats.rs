//! The store in numbers.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::engine::{Engine, EngineError};
use crate::model::{BackupId, BackupKind};

/// The store in numbers.
#[derive(Debug, Clone)]
pub struct StoreStatistics {
    /// Place of the store.
    pub place: String,
    pub backups: usize,
    /// Bytes of the rows of all backups: what they would take as plain copies.
    pub logical_bytes: u64,
    /// Bytes of all different chunks, uncompressed.
    pub unique_bytes: u64,
    /// Bytes of all packs.
    pub stored_bytes: u64,
    /// Different chunks.
    pub chunks: u64,
    pub packs: u64,
    /// Logical over unique bytes.
    pub dedup_ratio: f64,
    /// Unique over stored bytes.
    pub compression_ratio: f64,
    /// Logical over stored bytes.
    pub total_ratio: f64,
    /// Each backup, newest first.
    pub costs: Vec<BackupCost>,
    /// Backups that are not counted, with the reason: backups whose manifest cannot be read (what others share
    /// with them seems to be needed by the others alone), and where the tree of one is damaged, what
    /// deleting each would free: while it is there, no space is freed.
    pub unreadable: Vec<String>,
}

/// Cost of one backup.
#[derive(Debug, Clone, Serialize)]
pub struct BackupCost {
    pub backup_id: BackupId,
    /// Why it was made.
    pub backup_type: BackupKind,
    /// Bytes of its rows.
    pub size: u64,
    /// Stored bytes that it added when it was made.
    pub added_size: u64,
    /// Stored bytes that nothing else needs: what deleting it would free.
    pub exclusive_size: u64,
}

#[expect(clippy::cast_precision_loss, reason = "a ratio is for people; 53 bits are plenty")]
fn ratio(of: u64, to: u64) -> f64 {
    if to == 0 { 1.0 } else { of as f64 / to as f64 }
}

impl Engine {
    /// Measures the store.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn stats(&self) -> Result<StoreStatistics, EngineError> {
        let (mut manifests, mut unreadable) = self.store.manifests(|manifest| manifest).await?;
        manifests.reverse();
        let sizes = self.store.totals().await?;
        let exclusive = match self.store.exclusive_sizes(&manifests).await {
            Ok(exclusive) => exclusive,
            Err(error) if error.is_about_a_chunk() => {
                unreadable.push(format!(
                    "what deleting a backup frees, which is nothing now: {}",
                    error.chain()
                ));
                BTreeMap::new()
            }
            Err(error) => return Err(error.into()),
        };
        let cost = |manifest: &crate::model::Manifest| BackupCost {
            backup_id: manifest.backup_id.clone(),
            backup_type: manifest.backup_type,
            size: manifest.size,
            added_size: manifest.added_size,
            exclusive_size: exclusive.get(&manifest.backup_id).copied().unwrap_or(0),
        };
        let costs: Vec<_> = manifests.iter().map(cost).collect();
        let logical_bytes = costs.iter().map(|cost| cost.size).sum();
        Ok(StoreStatistics {
            place: self.store.place().to_owned(),
            backups: costs.len(),
            logical_bytes,
            unique_bytes: sizes.raw_bytes,
            stored_bytes: sizes.stored_bytes,
            chunks: sizes.chunks,
            packs: sizes.packs,
            dedup_ratio: ratio(logical_bytes, sizes.raw_bytes),
            compression_ratio: ratio(sizes.raw_bytes, sizes.stored_bytes),
            total_ratio: ratio(logical_bytes, sizes.stored_bytes),
            costs,
            unreadable,
        })
    }
}
