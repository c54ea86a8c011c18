//! Reads every pack to its last byte.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::findings::{Findings, leaf};
use super::{Damage, Meter, Progress};
use crate::model::{ChunkId, Hash, PackId};
use crate::store::frame::Fault;
use crate::store::index::Spot;
use crate::store::pack::{Entry, Footer, parse_footer, scan};
use crate::store::read::frame_at;
use crate::store::{PackInfo, StoreError};

/// Frames of one pack.
type Frames = Vec<(ChunkId, Spot)>;

/// Checks every pack that is listed.
pub fn check<F: Fn(Progress)>(findings: &mut Findings, meter: &Meter<F>) -> Result<(), StoreError> {
    let index = findings.reader.index();
    let mut frames: BTreeMap<PackId, Frames> = BTreeMap::new();
    for (id, spot) in index.frames() {
        frames.entry(index.pack(&spot).id).or_default().push((*id, spot));
    }
    meter.expect(index.packs().iter().map(|pack| pack.size).sum());
    for pack in index.packs() {
        let mut frames = frames.remove(&pack.id).unwrap_or_default();
        frames.sort_by_key(|(_, spot)| spot.offset);
        match findings.reader.load(pack, 0..pack.size) {
            Ok(bytes) => check_pack(findings, pack, &bytes, &frames),
            Err(error) if error.is_not_found() || findings.tolerant => {
                blame(findings, pack.id, format!("it cannot be read: {}", root(&error)));
                for (id, _) in frames {
                    let what = "its pack cannot be read".into();
                    findings.bad_frames.insert((pack.id, id), what);
                }
            }
            Err(error) => return Err(error),
        }
        meter.add(pack.size);
    }
    Ok(())
}

fn root(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), root)
}

fn blame(findings: &mut Findings, pack: PackId, what: String) {
    let hurts = std::collections::BTreeSet::new();
    findings.other.push(Damage { pack: Some(pack), chunk: None, what, hurts });
}

fn check_pack(findings: &mut Findings, pack: &PackInfo, bytes: &Bytes, frames: &Frames) {
    if Hash::of(bytes) != pack.id {
        let what = "its bytes have another hash than its name";
        blame(findings, pack.id, what.into());
    }
    if let Err(fault) = check_footer(bytes, frames) {
        blame(findings, pack.id, fault.to_string());
    }
    for (id, spot) in frames {
        match decode(findings, bytes, id, spot) {
            // Leaves are remembered, so that they are not read again.
            Ok(raw) => {
                if let Ok(sums) = leaf(id, &raw.into()) {
                    findings.leaves.insert(*id, Some(sums));
                }
            }
            Err(fault) => {
                let what = fault.to_string();
                findings.bad_frames.insert((pack.id, *id), what);
            }
        }
    }
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

fn decode(findings: &Findings, bytes: &Bytes, id: &ChunkId, spot: &Spot) -> Result<Vec<u8>, Fault> {
    let frame = frame_at(bytes.get(spot.offset as usize..).unwrap_or_default(), id, spot)?;
    let base = frame.base.and_then(|base| findings.reader.read(&base, 1).ok());
    frame.decode(base.as_deref())
}
