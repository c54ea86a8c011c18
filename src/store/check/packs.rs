//! Reads every pack to its last byte, two at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use bytes::Bytes;

use super::findings::{Findings, Leaf, is_lasting, leaf, root};
use super::{Damage, Meter, Progress, decode, in_parallel};
use crate::model::{ChunkId, Hash, PackId};
use crate::store::frame::Fault;
use crate::store::index::Spot;
use crate::store::pack::{Entry, Footer, parse_footer, scan};
use crate::store::{PackInfo, Reader, StoreError};
use crate::threads::locked;

/// Frames of one pack.
type Frames = Vec<(ChunkId, Spot)>;

/// What is wrong with one pack, and the leaves in it, so that they are not read again.
#[derive(Default)]
struct Found {
    damage: Vec<Damage>,
    bad_frames: Vec<(ChunkId, String)>,
    leaves: Vec<(ChunkId, Leaf)>,
}

/// Checks every pack that is listed.
pub fn check<F: Fn(Progress) + Sync>(
    findings: &mut Findings,
    meter: &Meter<F>,
) -> Result<(), StoreError> {
    let index = findings.reader.index();
    let mut frames: BTreeMap<PackId, Frames> = BTreeMap::new();
    for (id, spot) in index.frames() {
        frames.entry(index.pack(&spot).id).or_default().push((*id, spot));
    }
    meter.expect(index.packs().iter().map(|pack| pack.size).sum());
    let mut frames_of = |pack: &PackInfo| frames.remove(&pack.id).unwrap_or_default();
    let packs: Vec<_> = index.packs().iter().map(|pack| (pack, frames_of(pack))).collect();
    let (reader, tolerant) = (findings.reader.clone(), findings.tolerant);
    let shared = Mutex::new(&mut *findings);
    in_parallel(packs, |(pack, mut frames)| {
        frames.sort_by_key(|(_, spot)| spot.offset);
        let found = read(&reader, pack, &frames, tolerant)?;
        note(&mut locked(&shared), pack.id, found);
        meter.add(pack.size);
        Ok(())
    })?;
    findings.other.sort_by_key(|damage| damage.pack);
    Ok(())
}

fn note(findings: &mut Findings, pack: PackId, found: Found) {
    findings.other.extend(found.damage);
    let bad = found.bad_frames.into_iter().map(|(id, what)| ((pack, id), what));
    findings.bad_frames.extend(bad);
    findings.leaves.extend(found.leaves.into_iter().map(|(id, leaf)| (id, Some(leaf))));
}

fn read(
    reader: &Reader,
    pack: &PackInfo,
    frames: &Frames,
    tolerant: bool,
) -> Result<Found, StoreError> {
    match reader.load(pack, 0..pack.size) {
        Ok(bytes) => Ok(check_pack(reader, pack, &bytes, frames)),
        Err(error) if error.is_not_found() || (tolerant && is_lasting(&error)) => {
            let mut found = Found::default();
            found.blame(pack, format!("it cannot be read: {}", root(&error)));
            let bad = frames.iter().map(|(id, _)| (*id, "its pack cannot be read".into()));
            found.bad_frames.extend(bad);
            Ok(found)
        }
        Err(error) => Err(error),
    }
}

impl Found {
    fn blame(&mut self, pack: &PackInfo, what: String) {
        let hurts = BTreeSet::new();
        self.damage.push(Damage { pack: Some(pack.id), chunk: None, what, hurts });
    }
}

fn check_pack(reader: &Reader, pack: &PackInfo, bytes: &Bytes, frames: &Frames) -> Found {
    let mut found = Found::default();
    if Hash::of(bytes) != pack.id {
        found.blame(pack, "its bytes have another hash than its name".into());
    }
    if let Err(fault) = check_footer(bytes, frames) {
        found.blame(pack, fault.to_string());
    }
    for (id, spot) in frames {
        match decode(reader, (bytes, 0), id, spot) {
            Ok(raw) => found.leaves.extend(leaf(id, &raw.into()).ok().map(|leaf| (*id, leaf))),
            Err(fault) => found.bad_frames.push((*id, fault.to_string())),
        }
    }
    found
}

fn check_footer(bytes: &Bytes, frames: &Frames) -> Result<(), Fault> {
    let Footer::Whole(entries) = parse_footer(bytes, bytes.len() as u64)? else {
        return Err(Fault("its footer is longer than it"));
    };
    let place = |entry: &Entry| (entry.id, entry.offset, entry.stored_len);
    let found = scan(bytes);
    if !found.iter().map(place).eq(entries.iter().map(place)) {
        return Err(Fault("its footer does not fit its frames"));
    }
    let listed = frames.iter().map(|(id, spot)| (*id, spot.offset, spot.stored_len));
    if !listed.eq(entries.iter().map(place)) {
        return Err(Fault("the index does not fit its footer"));
    }
    Ok(())
}
