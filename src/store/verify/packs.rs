//! Reads every pack to its last byte, two at once.

use std::collections::BTreeMap;
use std::sync::Mutex;

use bytes::Bytes;

use crate::model::{ChunkId, PackId};
use crate::store::format::frame::Fault;
use crate::store::format::pack::{Entry, Footer, parse_footer, scan};
use crate::store::index::location::ChunkLocation;
use crate::store::verify::findings::{BadPack, Findings, Leaf, is_damage, leaf, source};
use crate::store::verify::{Decoded, Progress, ProgressCounter, decode, in_parallel};
use crate::store::{PackInfo, Reader, StoreError};
use crate::threads::locked;

/// Frames of one pack.
type Frames = Vec<(ChunkId, ChunkLocation)>;

/// What is wrong with one pack, and the leaves in it, so that they are not read again.
#[derive(Default)]
struct Found {
    bad: BadPack,
    leaves: Vec<(ChunkId, Leaf)>,
}

/// Checks every pack that is listed.
pub fn check<F: Fn(Progress) + Sync>(
    findings: &mut Findings,
    progress: &ProgressCounter<F>,
) -> Result<(), StoreError> {
    let index = findings.reader.index();
    let mut frames: BTreeMap<PackId, Frames> = BTreeMap::new();
    for (id, spot) in index.frames() {
        frames.entry(index.pack(&spot).id).or_default().push((*id, spot));
    }
    progress.expect(index.packs().iter().map(|pack| pack.size).sum());
    let mut frames_of = |pack: &PackInfo| frames.remove(&pack.id).unwrap_or_default();
    let packs: Vec<_> = index.packs().iter().map(|pack| (pack, frames_of(pack))).collect();
    let (reader, tolerant) = (findings.reader.clone(), findings.tolerant);
    let shared = Mutex::new(findings);
    in_parallel(packs, |(pack, mut frames)| {
        frames.sort_by_key(|(_, spot)| spot.offset);
        let found = read(&reader, pack, &frames, tolerant)?;
        note(&mut locked(&shared), pack.id, found);
        progress.add(pack.size);
        Ok(())
    })
}

fn note(findings: &mut Findings, pack: PackId, found: Found) {
    if !found.bad.is_empty() {
        findings.packs.insert(pack, found.bad);
    }
    findings.leaves.extend(found.leaves.into_iter().map(|(id, leaf)| (id, Some(leaf))));
}

fn read(
    reader: &Reader,
    pack: &PackInfo,
    frames: &Frames,
    tolerant: bool,
) -> Result<Found, StoreError> {
    match reader.load(pack, 0..pack.size) {
        Ok(bytes) => check_pack(reader, pack, &bytes, frames, tolerant),
        Err(error) if is_damage(&error, tolerant) => {
            let file = vec![format!("it cannot be read: {}", source(&error))];
            Ok(Found { bad: BadPack { file, ..BadPack::default() }, ..Found::default() })
        }
        Err(error) => Err(error),
    }
}

fn check_pack(
    reader: &Reader,
    pack: &PackInfo,
    bytes: &Bytes,
    frames: &Frames,
    tolerant: bool,
) -> Result<Found, StoreError> {
    let mut found = Found::default();
    if PackId::of(bytes) != pack.id {
        found.bad.file.push("its bytes have another hash than its name".into());
    }
    if let Err(fault) = check_footer(bytes) {
        found.bad.file.push(fault.to_string());
    }
    for (id, spot) in frames {
        match decode(reader, (bytes, 0), id, spot) {
            Ok(Decoded::Raw(raw)) => {
                found.leaves.extend(leaf(id, &raw.into()).ok().map(|leaf| (*id, leaf)));
            }
            // What a sweep left of a chain that nothing needs is as it should be. What is needed is
            // missed where a tree refers to it.
            Ok(Decoded::Unknown(error)) if is_base_lost(&error, tolerant) => {}
            Ok(Decoded::Unknown(error)) => return Err(error),
            Err(fault) => drop(found.bad.frames.insert(*id, fault.to_string())),
        }
    }
    Ok(found)
}

fn is_base_lost(error: &StoreError, tolerant: bool) -> bool {
    matches!(error, StoreError::ChunkMissing(_) | StoreError::ChunkDamaged { .. })
        || is_damage(error, tolerant)
}

/// Holds the table of a pack against the headers and payloads of its frames.
fn check_footer(bytes: &Bytes) -> Result<(), Fault> {
    let Footer::Whole(entries) = parse_footer(bytes, bytes.len() as u64)? else {
        return Err(Fault("its footer is longer than it"));
    };
    let found = scan(bytes);
    let place = |entry: &Entry| (entry.id, entry.offset, entry.stored_len);
    if !found.iter().map(place).eq(entries.iter().map(place)) {
        return Err(Fault("its footer does not fit its frames"));
    }
    let form = |entry: &Entry| (entry.codec, entry.raw_len, entry.base);
    if !found.iter().map(form).eq(entries.iter().map(form)) {
        return Err(Fault("its footer names other codecs, lengths or bases than its frames"));
    }
    Ok(())
}
