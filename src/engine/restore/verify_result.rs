//! The proof before the commit: what the transaction reads back is what the restore promised.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::capture::base::{Base, Start};
use crate::engine::capture::project::Projection;
use crate::engine::capture::reading::{Tables, read};
use crate::engine::capture::scan::{Sinks, TreeRules};
use crate::engine::capture::sink::{IntoStore, Nowhere};
use crate::engine::compare::trees::{for_each_change, same_parts};
use crate::engine::restore::fit::Fit;
use crate::engine::restore::options::VerifyResult;
use crate::engine::snapshot::Snapshot;
use crate::engine::{Engine, EngineError, Run};
use crate::model::{CaptureMode, Manifest, Part, PartManifest, Profile, Schema};
use crate::postgres::{Session, Staged};
use crate::store::Store;
use crate::threads;
use crate::tree::{Key, Layout, MAX_ROW, lookup};

impl Engine {
    /// The rules for reading back: what was written came from a backup, however large its rows are.
    fn proof_rules(&self) -> TreeRules {
        TreeRules { max_row: MAX_ROW, ..self.tree_rules() }
    }

    /// Reads the tables as the transaction has them now: the rows that it wrote, or all.
    async fn read_back<S: Sinks>(
        &self,
        session: &mut Session,
        (profile, schema): (&Profile, &Schema),
        start: Start,
        sinks: &S,
        run: &Run,
    ) -> Result<(Vec<PartManifest>, CaptureMode), EngineError> {
        let info = session.snapshot_info(schema).await?;
        let tables = Tables { profile, schema, info: &info };
        let sessions = &mut [&mut *session];
        let rules = self.proof_rules();
        let reading = Box::pin(read(sessions, tables, start, rules, sinks, run));
        let (parts, how) = reading.await?;
        Ok((parts, how.mode))
    }

    /// Everything was restored: each tree must have the root that the manifest has.
    pub(in crate::engine) async fn prove_all(
        &self,
        session: &mut Session,
        schema: &Schema,
        (manifest, start): (&Manifest, Start),
        run: &Run,
    ) -> Result<CaptureMode, EngineError> {
        let tables = (&**manifest.profile(), schema);
        let (parts, mode) = self.read_back(session, tables, start, &Nowhere, run).await?;
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
        Ok(mode)
    }

    /// A part was restored: what changed must be, change for change, what was selected, and each
    /// changed row must be as the backup has it.
    pub(in crate::engine) async fn prove_selected(
        &self,
        session: &mut Session,
        (before, target): (&Snapshot, &Snapshot),
        (fit, start): (&Fit, Start),
        selected: &Staged,
        run: &Run,
    ) -> Result<CaptureMode, EngineError> {
        let aside = Store::scratch(&tempfile::env::temp_dir()).await?;
        let writer = aside.writer_beyond(&[self.store.proven_index().await?]).await?;
        let sinks = IntoStore::new(writer);
        let tables = (&*before.profile, &fit.live);
        let (parts, mode) = self.read_back(session, tables, start, &sinks, run).await?;
        sinks.into_writer().finish().await?;
        let reader = aside.reader_over(before.reader.clone()).await?;
        same_parts(&before.parts, &parts)?;
        let after = Snapshot { parts, reader, ..before.clone() };
        let (before, target, fit) = (before.clone(), target.clone(), fit.clone());
        let check = move || count_towards(&fit, &before, &after, &target);
        let changed = threads::spawn(check).await.expect("comparing does not panic")?;
        if changed == *selected {
            return Ok(mode);
        }
        Err(EngineError::ProofFailed(format!("selected {selected:?}, but {changed:?} changed")))
    }
}

/// What reading the result back starts from: the state before the restore, under the same locks.
pub(in crate::engine) fn start_of_check(
    before: &Snapshot,
    gone: BTreeMap<String, BTreeSet<Key>>,
    how: VerifyResult,
) -> Start {
    match how {
        VerifyResult::Full => Start::full("it was asked for"),
        VerifyResult::Changed => {
            Start::Since(Box::new(Base { id: None, snapshot: before.clone(), gone }))
        }
    }
}

/// Each sequence that the manifest knows must stand where it says.
pub(in crate::engine) async fn prove_sequences(
    session: &mut Session,
    schema: &Schema,
    manifest: &Manifest,
) -> Result<(), EngineError> {
    for found in session.sequence_values(schema).await? {
        let promised = manifest.sequences.iter().find(|it| it.name == found.name);
        if promised.is_some_and(|promised| promised.next != found.next) {
            let text = format!("the sequence {} stands elsewhere", found.name);
            return Err(EngineError::ProofFailed(text));
        }
    }
    Ok(())
}

/// Counts the changes from `before` to `after`; each must bring its row to what `target` has, and leave
/// what the target has no columns for.
fn count_towards(
    fit: &Fit,
    before: &Snapshot,
    after: &Snapshot,
    target: &Snapshot,
) -> Result<Staged, EngineError> {
    let mut counts = Staged::new();
    for_each_change(before, after, &mut |part, table, layout, change| {
        let other = || {
            let key = change.key.escape_ascii();
            EngineError::ProofFailed(format!("{} {key} is another row", part.name))
        };
        let restored = fit.restored.table(&table.name).ok_or_else(other)?;
        let projection = Projection::new(table, restored);
        let wanted = wanted_row(target, part, &Layout::from(restored), &change.key)?;
        let found = change.new.as_deref().map(|row| projection.row(row));
        if wanted != found {
            return Err(other());
        }
        if let (Some(old), Some(new)) = (&change.old, &change.new)
            && projection.rest(old) != projection.rest(new)
        {
            return Err(other());
        }
        *counts.entry(part.name.clone()).or_default() += change.counts(layout);
        Ok(())
    })?;
    Ok(counts)
}

fn wanted_row(
    target: &Snapshot,
    part: &Part,
    layout: &Layout,
    key: &[u8],
) -> Result<Option<Vec<u8>>, EngineError> {
    // A row leaves a part that the backup does not cover only for one that it does.
    let Some(tree) = target.part(&part.name) else { return Ok(None) };
    Ok(lookup(&target.reader, layout, &tree.root, key)?)
}
