//! What a backup changed, in numbers: against the backup before it, for the timeline.

use std::collections::VecDeque;
use std::sync::Mutex;

use crate::engine::compare::diff::{Pair, collect};
use crate::engine::snapshot::Snapshot;
use crate::engine::{Engine, EngineError};
use crate::model::{BackupId, Hash, Manifest, PerDataset, RowCounts};
use crate::threads::locked;

/// How many rows of each dataset differ.
pub type Counts = PerDataset<RowCounts>;

/// What a backup changed.
#[derive(Debug, Clone)]
pub struct Changes {
    pub backup_id: BackupId,
    /// The backup before it; the oldest has none, and all of its rows count as added.
    pub before: Option<BackupId>,
    /// By dataset.
    pub datasets: Counts,
}

/// Counts that were asked for lately. Backups never change, so what is here stays right.
#[derive(Debug, Default)]
pub(in crate::engine) struct Counted(Mutex<VecDeque<(Hash, Counts)>>);

/// How many counts are kept: more than a page shows.
const KEPT: usize = 512;

impl Counted {
    fn get(&self, key: &Hash) -> Option<Counts> {
        let kept = locked(&self.0);
        kept.iter().find(|(known, _)| known == key).map(|(_, counts)| counts.clone())
    }

    fn keep(&self, key: Hash, counts: Counts) {
        let mut kept = locked(&self.0);
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back((key, counts));
    }
}

/// Stands for both backups: their trees, and what shape their rows have.
fn key(old: &Manifest, new: &Manifest) -> Hash {
    let mut text = Vec::new();
    for manifest in [old, new] {
        text.extend(manifest.schema.fingerprint().0);
        text.extend(manifest.parts.iter().flat_map(|part| part.root.0));
    }
    Hash::of(&text)
}

fn all_added(manifest: &Manifest) -> Counts {
    let added = |added| RowCounts { added, ..RowCounts::default() };
    manifest
        .datasets
        .iter()
        .map(|(dataset, summary)| (dataset.clone(), added(summary.rows)))
        .collect()
}

impl Engine {
    /// What a backup changed against the backup before it. Quick when asked again.
    ///
    /// # Errors
    /// If there is none with this id; [`EngineError::Misfit`] if a table of the two has another key; if a chunk
    /// on the way is damaged.
    pub async fn changes(&self, id: &BackupId) -> Result<Changes, EngineError> {
        let new = self.store.manifest(id).await?;
        let ids = self.store.backups().await?;
        let before = ids.iter().take_while(|other| *other != id).last().cloned();
        let datasets = match &before {
            None => all_added(&new),
            Some(before) => self.counted(&self.store.manifest(before).await?, &new).await?,
        };
        Ok(Changes { backup_id: id.clone(), before, datasets })
    }

    async fn counted(&self, old: &Manifest, new: &Manifest) -> Result<Counts, EngineError> {
        let key = key(old, new);
        if let Some(counts) = self.counted.get(&key) {
            return Ok(counts);
        }
        let reader = self.store.reader().await?;
        let point = |manifest: &Manifest| Snapshot::of(manifest.clone(), reader.clone());
        let ids = (&old.backup_id, &new.backup_id);
        let Pair { old, new, .. } = self.in_common(point(old), point(new), ids).await?;
        let counts = collect(old, new, 0).await?.datasets;
        self.counted.keep(key, counts.clone());
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_counts_go_first() {
        let counted = Counted::default();
        let key = |number: usize| Hash::of(&number.to_be_bytes());
        for number in 0..=KEPT {
            counted.keep(key(number), Counts::new());
        }
        assert!(counted.get(&key(0)).is_none());
        assert!(counted.get(&key(1)).is_some() && counted.get(&key(KEPT)).is_some());
    }
}
