//! The proof before the commit: what the transaction reads back is what the restore promised.

use super::capture::capture;
use super::compare::{Side, for_each_change, same_parts};
use super::live::splitter;
use super::sink::{IntoStore, Nowhere};
use super::{Engine, EngineError, Run};
use crate::model::{Manifest, Part, Schema};
use crate::postgres::{Session, Staged};
use crate::store::Store;
use crate::threads;
use crate::tree::{Layout, lookup};

impl Engine {
    /// Everything was restored: each tree must have the root that the manifest has, and each
    /// sequence that it knows stand where it says.
    pub(super) async fn prove_all(
        &self,
        session: &mut Session,
        schema: &Schema,
        manifest: &Manifest,
        run: &Run,
    ) -> Result<(), EngineError> {
        let sessions = &mut [&mut *session];
        let parts = capture(sessions, schema, splitter(&self.store), &Nowhere, run).await?;
        same_parts(&manifest.parts, &parts)?;
        for (promised, found) in manifest.parts.iter().zip(&parts) {
            if promised.root != found.root {
                return Err(EngineError::ProofFailed(format!(
                    "{} has {} rows with root {}, the backup {} rows with root {}",
                    found.name,
                    found.rows,
                    found.root.short(),
                    promised.rows,
                    promised.root.short()
                )));
            }
        }
        for found in session.sequence_values(schema).await? {
            let promised = manifest.sequences.iter().find(|it| it.name == found.name);
            if promised.is_some_and(|promised| promised.next != found.next) {
                return Err(EngineError::ProofFailed(format!(
                    "the sequence {} stands elsewhere",
                    found.name
                )));
            }
        }
        Ok(())
    }

    /// A part was restored: what changed must be, change for change, what was selected, and each
    /// changed row must be as the backup has it.
    pub(super) async fn prove_selected(
        &self,
        session: &mut Session,
        before: &Side,
        target: &Side,
        schema: &Schema,
        selected: &Staged,
        run: &Run,
    ) -> Result<(), EngineError> {
        let aside = Store::scratch(&std::env::temp_dir()).await?;
        let writer = aside.writer_beyond(&[self.store.proven_index().await?]).await?;
        let sinks = IntoStore::new(writer);
        let sessions = &mut [&mut *session];
        let parts = capture(sessions, schema, splitter(&self.store), &sinks, run).await?;
        sinks.into_writer().finish().await?;
        let reader = aside.reader_over(before.reader.clone()).await?;
        same_parts(&target.parts, &parts)?;
        let after = Side { reader, parts };
        let (before, target, schema) = (before.clone(), target.clone(), schema.clone());
        let check = move || count_towards(&schema, &before, &after, &target);
        let changed = threads::spawn(check).await.expect("comparing does not panic")?;
        if changed == *selected {
            return Ok(());
        }
        Err(EngineError::ProofFailed(format!("selected {selected:?}, but {changed:?} changed")))
    }
}

/// Counts the changes from `before` to `after`; each must bring its row to what `target` has.
fn count_towards(
    schema: &Schema,
    before: &Side,
    after: &Side,
    target: &Side,
) -> Result<Staged, EngineError> {
    let mut counts = Staged::new();
    for_each_change(schema, before, after, &mut |part, _, layout, change| {
        let wanted = wanted_row(target, part, layout, &change.key)?;
        if wanted != change.new {
            let key = change.key.escape_ascii();
            return Err(EngineError::ProofFailed(format!("{} {key} is another row", part.name)));
        }
        *counts.entry(part.name).or_default() += change.counts(layout);
        Ok(())
    })?;
    Ok(counts)
}

fn wanted_row(
    target: &Side,
    part: &Part,
    layout: &Layout,
    key: &[u8],
) -> Result<Option<Vec<u8>>, EngineError> {
    let tree = target.parts.iter().find(|tree| tree.name == part.name);
    let tree = tree.expect("the target has the parts of the live database");
    Ok(lookup(&target.reader, layout, &tree.root, key)?)
}
