//! How a sweep removes packs: noted in `doomed.json` first, gone later, and never in use again.
//!
//! Over a network a request to remove a pack may arrive long after its sender lost its lock. It is
//! harmless because a pack that was ever noted stays noted: no backup relies on it from then on, what
//! is needed of it is copied into another pack, and no other pack gets its name.

use chrono::{DateTime, Utc};

use crate::model::PackId;
use crate::store::gc::sweep::Sweep;
use crate::store::index::deletion_marks;
use crate::store::index::deletion_marks::MarkedPacks;
use crate::store::{StoreError, layout};

/// Notes of packs that are gone are kept for so long where requests may arrive late: far longer than
/// an object store accepts a signed request.
fn kept() -> chrono::Duration {
    chrono::Duration::days(2)
}

impl Sweep<'_> {
    /// Notes packs that nothing needs, and removes those that have been noted for long enough.
    pub async fn retire(&mut self, packs: &[PackId]) -> Result<(), StoreError> {
        let mut due = Vec::new();
        for pack in packs {
            let since = *self.marked.packs.entry(*pack).or_insert(self.now);
            // A clock that was ahead must not keep a pack for ever.
            let age = (self.now - since.min(self.now)).to_std().unwrap_or_default();
            if age < self.grace {
                self.swept.bytes_pending += self.size(pack);
            } else {
                due.push(*pack);
            }
        }
        if due.is_empty() || !self.may_remove().await? {
            return Ok(());
        }
        for pack in due {
            self.held.check().await?;
            match self.store.objects().discard(&layout::pack(&pack)).await {
                Ok(()) => {
                    self.swept.packs_removed += 1;
                    self.swept.bytes_freed += self.size(&pack);
                }
                error => self.swept.report(error),
            }
        }
        Ok(())
    }

    /// Makes sure, before the first removal, that nobody can begin to rely on what is to go, and that
    /// nobody has begun to since the manifests were read.
    async fn may_remove(&mut self) -> Result<bool, StoreError> {
        if !self.store.has_late_requests() {
            return Ok(true);
        }
        self.note(|_, _| true).await?;
        let now = self.store.backups().await?;
        let new = now.iter().find(|id| !self.backups.contains(id));
        if let Some(id) = new {
            self.swept.problems.push(format!(
                "backup {id} was published while this ran; the next cleanup removes what is not needed"
            ));
        }
        Ok(new.is_none())
    }

    /// Adds to the note what this sweep found, and drops from it what `keep` does not keep. Nothing
    /// that somebody else noted meanwhile is lost.
    async fn note(&self, keep: impl Fn(&PackId, &DateTime<Utc>) -> bool) -> Result<(), StoreError> {
        self.held.check().await?;
        let objects = self.store.objects();
        let before: MarkedPacks = deletion_marks::load(objects, layout::MARKED_PACKS).await?;
        let mut after = before.clone();
        for (pack, since) in &self.marked.packs {
            let noted = after.packs.entry(*pack).or_insert(*since);
            *noted = (*noted).min(*since);
        }
        after.packs.retain(|pack, since| keep(pack, since));
        deletion_marks::save(objects, layout::MARKED_PACKS, &before, &after).await
    }

    /// Writes the note as the next sweep is to find it: without packs that are gone, as soon as no
    /// request can bring them back.
    pub async fn note_for_next(&self) -> Result<(), StoreError> {
        let listed = self.store.objects().list(layout::PACKS).await?;
        let there: Vec<_> =
            listed.iter().filter_map(|meta| layout::pack_id(&meta.location)).collect();
        let late = self.store.has_late_requests();
        let keep = |pack: &PackId, since: &DateTime<Utc>| {
            there.contains(pack) || (late && self.now - *since < kept())
        };
        self.note(keep).await
    }
}
