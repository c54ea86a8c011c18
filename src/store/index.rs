//! Which chunk lies where: a map in memory, put together from the packs that are there.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use super::frame::{Codec, HEADER, MAX_DEPTH};
use super::index_file::PackEntries;
use super::marks::{Damaged, Doomed};
use super::pack::Entry;
use crate::model::{ChunkId, PackId};

/// A chunk's place. Small, as there is one for each chunk of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// The pack, by its place in [`Index::packs`].
    pub pack: u32,
    /// Where the frame's header starts.
    pub offset: u32,
    /// The chunk's own length.
    pub raw_len: u32,
    /// The payload's length.
    pub stored_len: u32,
    /// How it is stored.
    pub codec: Codec,
    /// How many bases stand behind it.
    pub depth: u8,
}

impl Spot {
    /// The bytes of the pack that hold the frame.
    #[must_use]
    pub fn range(&self) -> std::ops::Range<u64> {
        let start = u64::from(self.offset);
        start..start + self.frame_len()
    }

    /// Bytes of the whole frame.
    #[must_use]
    pub fn frame_len(&self) -> u64 {
        HEADER as u64 + u64::from(self.stored_len)
    }
}

/// A pack that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackInfo {
    /// Its name.
    pub id: PackId,
    /// Bytes of its file.
    pub size: u64,
    /// A sweep found that nothing reaches it; new backups must not rely on it.
    pub doomed: bool,
    /// All its frames are known. Of a pack whose footer is damaged, some may not have been found.
    pub whole: bool,
}

/// All chunks that can be read, and where.
#[derive(Debug, Default)]
pub struct Index {
    packs: Vec<PackInfo>,
    spots: HashMap<ChunkId, Spot>,
    bases: HashMap<(ChunkId, u32), ChunkId>,
    /// Further copies of chunks: never read, dead for a sweep.
    twins: Vec<(ChunkId, Spot)>,
    /// Copies that are set aside as damaged.
    aside: Vec<(ChunkId, Spot)>,
}

impl Index {
    /// Adds a pack. The order in which packs are added changes nothing about what is read.
    pub(super) fn add(
        &mut self,
        pack: &PackEntries,
        whole: bool,
        damaged: &Damaged,
        doomed: &Doomed,
    ) {
        let number = u32::try_from(self.packs.len()).expect("fewer than 2³² packs");
        let doomed = doomed.packs.contains_key(&pack.pack);
        self.packs.push(PackInfo { id: pack.pack, size: pack.size, doomed, whole });
        self.spots.reserve(pack.entries.len());
        for entry in &pack.entries {
            self.add_frame(number, entry, damaged.has(&pack.pack, &entry.id));
        }
    }

    fn add_frame(&mut self, pack: u32, entry: &Entry, damaged: bool) {
        let Entry { id, offset, raw_len, stored_len, codec, depth, base } = *entry;
        let spot = Spot { pack, offset, raw_len, stored_len, codec, depth };
        if let Some(base) = base {
            self.bases.insert((id, pack), base);
        }
        if damaged {
            self.aside.push((id, spot));
            return;
        }
        match self.spots.entry(id) {
            Slot::Vacant(free) => {
                free.insert(spot);
            }
            Slot::Occupied(mut taken) => {
                // The least depth first: then a base's depth is always less than that of what
                // stands on it, whichever copies are chosen, and no chain is a circle.
                let rank = |spot: &Spot| {
                    let pack = &self.packs[spot.pack as usize];
                    (spot.depth, pack.doomed, pack.id, spot.offset)
                };
                let worse = if rank(&spot) < rank(taken.get()) { taken.insert(spot) } else { spot };
                self.twins.push((id, worse));
            }
        }
    }

    /// Where the chunk is to be read.
    #[must_use]
    pub fn get(&self, id: &ChunkId) -> Option<&Spot> {
        self.spots.get(id)
    }

    /// The base of the chosen copy of a chunk.
    #[must_use]
    pub fn base(&self, id: &ChunkId) -> Option<&ChunkId> {
        self.bases.get(&(*id, self.spots.get(id)?.pack))
    }

    /// The chunk's place if a new backup may rely on it: also every base behind it is there, and
    /// no pack of them is doomed.
    #[must_use]
    pub fn reliable(&self, id: &ChunkId) -> Option<&Spot> {
        let mut next = *id;
        for _ in 0..=MAX_DEPTH {
            let spot = self.spots.get(&next)?;
            if self.packs[spot.pack as usize].doomed {
                return None;
            }
            match self.bases.get(&(next, spot.pack)) {
                Some(base) => next = *base,
                None => return self.spots.get(id),
            }
        }
        None
    }

    /// The packs behind a chunk and its bases.
    pub fn packs_behind(&self, id: &ChunkId) -> impl Iterator<Item = PackId> {
        let chain = std::iter::successors(Some(*id), |id| self.base(id).copied());
        let spots = chain.take(usize::from(MAX_DEPTH) + 1).filter_map(|id| self.spots.get(&id));
        spots.map(|spot| self.packs[spot.pack as usize].id)
    }

    /// The packs that are there.
    #[must_use]
    pub fn packs(&self) -> &[PackInfo] {
        &self.packs
    }

    /// The pack of a place.
    #[must_use]
    pub fn pack(&self, spot: &Spot) -> &PackInfo {
        &self.packs[spot.pack as usize]
    }

    /// Every chunk that can be read, in no order.
    pub fn chunks(&self) -> impl Iterator<Item = (&ChunkId, &Spot)> {
        self.spots.iter()
    }

    /// Copies that are set aside as damaged.
    pub fn set_aside(&self) -> impl Iterator<Item = (&ChunkId, &Spot)> {
        self.aside.iter().map(|(id, spot)| (id, spot))
    }

    /// Every frame of every pack: the chosen copies, the further ones, those set aside.
    pub fn frames(&self) -> impl Iterator<Item = (&ChunkId, &Spot)> {
        let others = self.twins.iter().chain(&self.aside).map(|(id, spot)| (id, spot));
        self.spots.iter().chain(others)
    }

    /// The footer's entry for a frame.
    #[must_use]
    pub fn entry(&self, id: &ChunkId, spot: &Spot) -> Entry {
        Entry {
            id: *id,
            offset: spot.offset,
            raw_len: spot.raw_len,
            stored_len: spot.stored_len,
            codec: spot.codec,
            depth: spot.depth,
            base: self.bases.get(&(*id, spot.pack)).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Hash;

    fn entry(name: &str, base: Option<(&str, u8)>) -> Entry {
        let codec = if base.is_some() { Codec::Based } else { Codec::Raw };
        let (base, depth) =
            base.map_or((None, 0), |(base, d)| (Some(Hash::of(base.as_bytes())), d));
        let id = Hash::of(name.as_bytes());
        Entry { id, offset: 8, raw_len: 90, stored_len: 50, codec, depth, base }
    }

    fn pack(n: u8, entries: Vec<Entry>) -> PackEntries {
        PackEntries { pack: Hash([n; 32]), size: 100, entries }
    }

    fn over(packs: &[PackEntries], damaged: &Damaged, doomed: &Doomed) -> Index {
        let mut index = Index::default();
        for pack in packs {
            index.add(pack, true, damaged, doomed);
        }
        index
    }

    fn id(name: &str) -> ChunkId {
        Hash::of(name.as_bytes())
    }

    #[test]
    fn of_two_copies_the_one_with_fewer_bases_is_read_so_no_chain_is_a_circle() {
        let packs = [
            pack(1, vec![entry("a", Some(("b", 1))), entry("b", None)]),
            pack(2, vec![entry("b", Some(("a", 1))), entry("a", None)]),
        ];
        let index = over(&packs, &Damaged::default(), &Doomed::default());
        assert_eq!(index.base(&id("a")), None);
        assert_eq!(index.base(&id("b")), None);
        assert_eq!(index.frames().count(), 4);
    }

    #[test]
    fn a_damaged_copy_is_left_out_and_what_stands_on_it_is_not_reliable() {
        let packs = [pack(1, vec![entry("b", None)]), pack(2, vec![entry("a", Some(("b", 1)))])];
        let mut damaged = Damaged::default();
        damaged.packs.entry(Hash([1; 32])).or_default().insert(id("b"));
        let index = over(&packs, &damaged, &Doomed::default());
        assert!(index.get(&id("b")).is_none());
        assert!(index.get(&id("a")).is_some());
        assert!(index.reliable(&id("a")).is_none());
    }

    #[test]
    fn a_doomed_pack_is_read_but_not_relied_on() {
        let mut doomed = Doomed::default();
        doomed.packs.insert(Hash([1; 32]), chrono::Utc::now());
        let packs = [pack(1, vec![entry("a", None)])];
        let index = over(&packs, &Damaged::default(), &doomed);
        assert!(index.get(&id("a")).is_some() && index.reliable(&id("a")).is_none());

        let packs = [packs[0].clone(), pack(2, vec![entry("a", None)])];
        let index = over(&packs, &Damaged::default(), &doomed);
        assert!(index.reliable(&id("a")).is_some());
    }
}
