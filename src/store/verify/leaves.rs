//! Reads the leaves in the order in which they lie in the packs, two stretches at once.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;

use bytes::Bytes;

use crate::model::ChunkId;
use crate::store::index::location::ChunkLocation;
use crate::store::verify::findings::{Findings, Leaf, leaf};
use crate::store::verify::{Progress, ProgressCounter, decode, in_parallel};
use crate::store::{Reader, StoreError};
use crate::threads::locked;
use crate::tree::ChunkSource;

/// The most bytes that one read gives, unless a single frame is longer.
const SPAN: u64 = 4 << 20;
/// Bytes that are rather read in vain than skipped by a second read.
const GAP: u64 = 128 << 10;

/// Frames of one pack that are read together.
struct Span {
    pack: u32,
    range: Range<u64>,
    frames: Vec<(ChunkId, ChunkLocation)>,
}

type Read = (ChunkId, Result<Leaf, StoreError>);

/// Reads every leaf that is not known yet.
pub fn check<F: Fn(Progress) + Sync>(
    findings: &mut Findings,
    progress: &ProgressCounter<F>,
) -> Result<(), StoreError> {
    let index = findings.reader.index();
    let unread = findings.leaves.iter().filter(|(_, leaf)| leaf.is_none()).map(|(id, _)| *id);
    let mut packs: BTreeMap<u32, Vec<(ChunkId, ChunkLocation)>> = BTreeMap::new();
    let mut missing = Vec::new();
    for id in unread {
        match index.copies(&id).next() {
            Some(spot) => packs.entry(spot.pack).or_default().push((id, spot)),
            None => missing.push(id),
        }
    }
    // By the reader, which looks for them again.
    for id in missing {
        let read = findings.reader.chunk(&id).and_then(|bytes| leaf(&id, &bytes));
        note(findings, vec![(id, read)])?;
    }
    let spans: Vec<Span> =
        packs.into_iter().flat_map(|(pack, frames)| spans(pack, frames)).collect();
    progress.expect(spans.iter().map(Span::bytes).sum());
    let reader = findings.reader.clone();
    let findings = Mutex::new(findings);
    in_parallel(spans, |span| {
        let found = read(&reader, &span);
        note(&mut locked(&findings), found)?;
        progress.add(span.bytes());
        Ok(())
    })
}

fn note(findings: &mut Findings, found: Vec<Read>) -> Result<(), StoreError> {
    for (id, read) in found {
        match read {
            Ok(leaf) => drop(findings.leaves.insert(id, Some(leaf))),
            Err(error) => findings.blame(id, error)?,
        }
    }
    Ok(())
}

impl Span {
    fn bytes(&self) -> u64 {
        self.frames.iter().map(|(_, spot)| spot.frame_len()).sum()
    }
}

fn spans(pack: u32, mut frames: Vec<(ChunkId, ChunkLocation)>) -> Vec<Span> {
    frames.sort_by_key(|(_, spot)| spot.offset);
    let mut spans: Vec<Span> = Vec::new();
    for (id, spot) in frames {
        let range = spot.range();
        match spans.last_mut() {
            Some(span)
                if range.start <= span.range.end + GAP && range.end - span.range.start <= SPAN =>
            {
                span.range.end = range.end;
                span.frames.push((id, spot));
            }
            _ => spans.push(Span { pack, range, frames: vec![(id, spot)] }),
        }
    }
    spans
}

fn read(reader: &Reader, span: &Span) -> Vec<Read> {
    let index = reader.index();
    let pack = index.packs().get(span.pack as usize);
    let bytes = pack.and_then(|pack| reader.load(pack, span.range.clone()).ok());
    let read = |(id, spot): &(ChunkId, ChunkLocation)| {
        // Whatever goes wrong here is tried again alone; that also says best what is wrong.
        let fast = bytes.as_ref().and_then(|bytes| {
            decode(reader, (bytes, span.range.start), id, spot).ok()?.raw().map(Bytes::from)
        });
        let bytes = fast.map_or_else(|| reader.chunk(id), Ok);
        (*id, bytes.and_then(|bytes| leaf(id, &bytes)))
    };
    span.frames.iter().map(read).collect()
}
