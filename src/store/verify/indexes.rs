//! Index objects against what the packs say: a wrong one costs no row, and is told and made anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{ChunkId, Hash, PackId};
use crate::store::backend::objects::Objects;
use crate::store::format::index_file;
use crate::store::format::index_file::PackEntries;
use crate::store::format::pack::Entry;
use crate::store::index::load::Listing;
use crate::store::verify::findings::Findings;
use crate::store::{Index, StoreError, layout};

/// Reads every index object. Notes what is wrong with them, and which pack held the chunks that are in
/// none now.
pub async fn check(
    findings: &mut Findings,
    objects: &Objects,
    listing: &Listing,
) -> Result<(), StoreError> {
    let index = findings.reader.index();
    let whole: BTreeMap<PackId, (u64, Arc<[Entry]>)> =
        index.whole_packs().map(|(pack, _)| (pack.pack, (pack.size, pack.entries))).collect();
    let unlisted = listing.unreadable.iter().map(|folder| format!("{folder}: it cannot be listed"));
    findings.indexes.extend(unlisted);
    for id in &listing.indexes {
        let bytes = match objects.find(&layout::index(id)).await {
            Ok(Some(bytes)) => bytes,
            // One that a sweep has replaced meanwhile is not missed.
            Ok(None) => continue,
            Err(error) if objects.is_unreadable(&error) => {
                let told = format!("{}: {}", layout::index(id), error.cannot_be_read());
                findings.indexes.push(told);
                continue;
            }
            Err(error) => return Err(error),
        };
        let wrong = if Hash::of(&bytes) == *id { None } else { Some("its hash is not its name") };
        let told = match index_file::parse(&bytes) {
            Ok(packs) => judge(findings, &index, &whole, packs),
            Err(fault) => Some(fault.to_string()),
        };
        if let Some(what) = told.or_else(|| wrong.map(str::to_owned)) {
            findings.indexes.push(format!("{}: {what}", layout::index(id)));
        }
    }
    Ok(())
}

/// What of this contradicts the packs.
fn judge(
    findings: &mut Findings,
    index: &Index,
    whole: &BTreeMap<PackId, (u64, Arc<[Entry]>)>,
    packs: Vec<PackEntries>,
) -> Option<String> {
    let mut wrong = None;
    for PackEntries { pack, size, entries } in packs {
        match whole.get(&pack) {
            Some((listed, known)) if *listed == size => {
                if *known != entries {
                    wrong = Some(format!("it does not say what {} holds", layout::pack(&pack)));
                }
            }
            // A pack of another size, or one that a sweep has removed: the object is ignored for it.
            _ => {
                let is_lost = |id: &ChunkId| index.copies(id).next().is_none();
                let lost = entries.iter().map(|entry| entry.id).filter(is_lost);
                findings.lost.extend(lost.map(|id| (id, pack)));
            }
        }
    }
    wrong
}
