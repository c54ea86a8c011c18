//! Which chunk lies where: a map in memory, put together from the packs that are there.

use std::mem;
use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;

use crate::model::{ChunkId, PackId};
use crate::store::format::frame::MAX_DEPTH;
use crate::store::format::index_file::PackEntries;
use crate::store::format::pack::Entry;
use crate::store::index::deletion_marks::{Damaged, MarkedPacks};
use crate::store::index::location::{ChunkLocation, PackInfo, PackRead, Source};

/// All chunks that can be read, and where. Later ones share the entries of packs that are still there.
#[derive(Debug, Default)]
pub struct Index {
    packs: Vec<PackInfo>,
    /// Table of each pack.
    entries: Vec<Arc<[Entry]>>,
    /// The copy of each chunk that is read first.
    chosen: HashTable<EntryPosition>,
    /// Further copies, by chunk: read if the chosen one cannot be, dead for a sweep.
    twins: Vec<EntryPosition>,
    /// Copies that were found damaged, by chunk: read last.
    aside: Vec<EntryPosition>,
}

/// An entry, by the places of its pack and of itself.
#[derive(Debug, Clone, Copy)]
struct EntryPosition {
    pack: u32,
    entry: u32,
}

impl Index {
    /// Over these packs. Their order changes nothing about what is read.
    pub(in crate::store) fn over(
        packs: Vec<PackRead>,
        damaged: &Damaged,
        marked: &MarkedPacks,
    ) -> Self {
        let (mut infos, mut all) = (Vec::new(), Vec::new());
        for PackRead { entries: PackEntries { pack, size, entries }, source } in packs {
            let (marked, noted) =
                (marked.packs.contains_key(&pack), damaged.packs.contains_key(&pack));
            infos.push(PackInfo { id: pack, size, marked, source, noted });
            all.push(entries);
        }
        Self::choosing(infos, all, damaged)
    }

    /// The same packs, with other copies found damaged.
    pub(in crate::store) fn with_damaged(&self, damaged: &Damaged) -> Self {
        let mut packs = self.packs.clone();
        for pack in &mut packs {
            pack.noted = damaged.packs.contains_key(&pack.id);
        }
        Self::choosing(packs, self.entries.clone(), damaged)
    }

    fn choosing(packs: Vec<PackInfo>, entries: Vec<Arc<[Entry]>>, damaged: &Damaged) -> Self {
        let chunks = entries.iter().map(|entries| entries.len()).sum();
        let chosen = HashTable::with_capacity(chunks);
        let mut index = Self { packs, entries, chosen, ..Self::default() };
        for place in index.places() {
            let id = &index.at(place).id;
            if damaged.has(&index.packs[place.pack as usize].id, id) {
                index.aside.push(place);
            } else {
                index.choose(place);
            }
        }
        let Self { entries, twins, aside, .. } = &mut index;
        for further in [twins, aside] {
            further.sort_by_key(|place| at(entries, *place).id);
        }
        index
    }

    fn choose(&mut self, place: EntryPosition) {
        let Self { packs, entries, chosen, twins, .. } = self;
        let id = |place: EntryPosition| &at(entries, place).id;
        // The least depth first: then a base's depth is always less than that of what
        // stands on it, whichever copies are chosen, and no chain is a circle.
        let rank = |place: EntryPosition| {
            let (pack, entry) = (&packs[place.pack as usize], at(entries, place));
            (entry.depth, pack.marked, pack.noted, pack.id, entry.offset)
        };
        let same = |other: &EntryPosition| id(*other) == id(place);
        match chosen.entry(hash(id(place)), same, |other| hash(id(*other))) {
            Slot::Vacant(free) => {
                free.insert(place);
            }
            Slot::Occupied(mut taken) => {
                let better = rank(place) < rank(*taken.get());
                let worse = if better { mem::replace(taken.get_mut(), place) } else { place };
                twins.push(worse);
            }
        }
    }

    fn places(&self) -> impl Iterator<Item = EntryPosition> + use<> {
        let counts: Vec<_> = self.entries.iter().map(|entries| number(entries.len())).collect();
        (0..)
            .zip(counts)
            .flat_map(|(pack, count)| (0..count).map(move |entry| EntryPosition { pack, entry }))
    }

    fn at(&self, place: EntryPosition) -> &Entry {
        at(&self.entries, place)
    }

    fn find(&self, id: &ChunkId) -> Option<EntryPosition> {
        self.chosen.find(hash(id), |place| self.at(*place).id == *id).copied()
    }

    fn spot(&self, place: EntryPosition) -> ChunkLocation {
        let Entry { offset, raw_len, stored_len, codec, depth, base, .. } = *self.at(place);
        ChunkLocation { pack: place.pack, offset, raw_len, stored_len, codec, depth, base }
    }

    fn spots<'i>(
        &'i self,
        places: impl Iterator<Item = &'i EntryPosition>,
    ) -> impl Iterator<Item = (&'i ChunkId, ChunkLocation)> {
        places.map(|place| (&self.at(*place).id, self.spot(*place)))
    }

    /// Returns where the chunk is to be read.
    #[must_use]
    pub fn get(&self, id: &ChunkId) -> Option<ChunkLocation> {
        self.find(id).map(|place| self.spot(place))
    }

    /// Every copy of the chunk, the one to be read first first. Copies that were found damaged come
    /// last: a pack may have been put right since.
    pub fn copies(&self, id: &ChunkId) -> impl Iterator<Item = ChunkLocation> {
        let further = |places: &'_ [EntryPosition]| {
            let from = places.partition_point(|place| self.at(*place).id < *id);
            let upto = places.partition_point(|place| self.at(*place).id <= *id);
            from..upto
        };
        let (twins, aside) = (further(&self.twins), further(&self.aside));
        let further = self.twins[twins].iter().chain(&self.aside[aside]).copied();
        self.find(id).into_iter().chain(further).map(|place| self.spot(place))
    }

    /// Returns whether all that is known comes from the packs themselves.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.packs.iter().all(PackInfo::is_proven)
    }

    /// Returns the entry of the frame here in the table of its pack.
    pub(in crate::store) fn entry_at(&self, spot: &ChunkLocation) -> Option<&Entry> {
        let entries = &self.entries[spot.pack as usize];
        let place = entries.binary_search_by_key(&spot.offset, |entry| entry.offset).ok();
        let found = place.map(|place| &entries[place]);
        found.or_else(|| entries.iter().find(|entry| entry.offset == spot.offset))
    }

    /// Returns the entry of the chosen copy of a chunk.
    #[must_use]
    pub fn entry(&self, id: &ChunkId) -> Option<&Entry> {
        self.find(id).map(|place| self.at(place))
    }

    /// The base of the chosen copy of a chunk.
    #[must_use]
    pub fn base(&self, id: &ChunkId) -> Option<&ChunkId> {
        self.entry(id)?.base.as_ref()
    }

    /// The chunk's place if a new backup may rely on it: also every base behind it is there, and
    /// no pack of them is marked.
    #[must_use]
    pub fn reliable(&self, id: &ChunkId) -> Option<ChunkLocation> {
        let chosen = self.find(id)?;
        let mut place = chosen;
        for _ in 0..=MAX_DEPTH {
            if self.packs[place.pack as usize].marked {
                return None;
            }
            match &self.at(place).base {
                Some(base) => place = self.find(base)?,
                None => return Some(self.spot(chosen)),
            }
        }
        None
    }

    /// The packs behind a chunk and its bases.
    pub fn packs_behind(&self, id: &ChunkId) -> impl Iterator<Item = PackId> {
        let chain = std::iter::successors(Some(*id), |id| self.base(id).copied());
        let spots = chain.take(usize::from(MAX_DEPTH) + 1).filter_map(|id| self.get(&id));
        spots.map(|spot| self.packs[spot.pack as usize].id)
    }

    /// The packs that are there.
    #[must_use]
    pub fn packs(&self) -> &[PackInfo] {
        &self.packs
    }

    /// The pack of a place.
    #[must_use]
    pub fn pack(&self, spot: &ChunkLocation) -> &PackInfo {
        &self.packs[spot.pack as usize]
    }

    /// Returns the tables of all whole packs, and their sources.
    pub fn whole_packs(&self) -> impl Iterator<Item = (PackEntries, Source)> {
        let packs = self.packs.iter().zip(&self.entries).filter(|(pack, _)| pack.is_whole());
        packs.map(|(pack, entries)| {
            let of = PackEntries { pack: pack.id, size: pack.size, entries: entries.clone() };
            (of, pack.source)
        })
    }

    /// Every chunk that can be read, in no order.
    pub fn chunks(&self) -> impl Iterator<Item = (&ChunkId, ChunkLocation)> {
        self.spots(self.chosen.iter())
    }

    /// Copies that are set aside as damaged.
    pub fn set_aside(&self) -> impl Iterator<Item = (&ChunkId, ChunkLocation)> {
        self.spots(self.aside.iter())
    }

    /// Every frame of every pack: the chosen copies, the further ones, those set aside.
    pub fn frames(&self) -> impl Iterator<Item = (&ChunkId, ChunkLocation)> {
        self.spots(self.chosen.iter().chain(&self.twins).chain(&self.aside))
    }
}

fn at(entries: &[Arc<[Entry]>], place: EntryPosition) -> &Entry {
    &entries[place.pack as usize][place.entry as usize]
}

/// A chunk's id is a hash already.
fn hash(id: &ChunkId) -> u64 {
    let (first, _) = id.0.split_first_chunk().expect("32 are more than 8 bytes");
    u64::from_le_bytes(*first)
}

fn number(count: usize) -> u32 {
    u32::try_from(count).expect("fewer than 2³² of them")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::format::frame::Codec;

    fn entry(name: &str, base: Option<(&str, u8)>) -> Entry {
        let codec = if base.is_some() { Codec::Based } else { Codec::Raw };
        let (base, depth) =
            base.map_or((None, 0), |(base, d)| (Some(ChunkId::of(base.as_bytes())), d));
        let id = ChunkId::of(name.as_bytes());
        Entry { id, offset: 8, raw_len: 90, stored_len: 50, codec, depth, base }
    }

    fn pack(n: u8, entries: Vec<Entry>) -> PackEntries {
        PackEntries { pack: PackId([n; 32]), size: 100, entries: entries.into() }
    }

    fn over(packs: &[PackEntries], damaged: &Damaged, marked: &MarkedPacks) -> Index {
        let read = |pack: &PackEntries| PackRead { entries: pack.clone(), source: Source::Footer };
        Index::over(packs.iter().map(read).collect(), damaged, marked)
    }

    fn id(name: &str) -> ChunkId {
        ChunkId::of(name.as_bytes())
    }

    #[test]
    fn of_two_copies_the_one_with_fewer_bases_is_read_so_no_chain_is_a_circle() {
        let packs = [
            pack(1, vec![entry("a", Some(("b", 1))), entry("b", None)]),
            pack(2, vec![entry("b", Some(("a", 1))), entry("a", None)]),
        ];
        let index = over(&packs, &Damaged::default(), &MarkedPacks::default());
        assert_eq!(index.base(&id("a")), None);
        assert_eq!(index.base(&id("b")), None);
        assert_eq!(index.frames().count(), 4);
    }

    #[test]
    fn a_damaged_copy_is_left_out_and_what_stands_on_it_is_not_reliable() {
        let packs = [pack(1, vec![entry("b", None)]), pack(2, vec![entry("a", Some(("b", 1)))])];
        let mut damaged = Damaged::default();
        damaged.packs.entry(PackId([1; 32])).or_default().insert(id("b"));
        let index = over(&packs, &damaged, &MarkedPacks::default());
        assert!(index.get(&id("b")).is_none());
        assert_eq!(index.copies(&id("b")).count(), 1, "it is still tried where there is no other");
        assert!(index.get(&id("a")).is_some());
        assert!(index.reliable(&id("a")).is_none());
    }

    #[test]
    fn a_doomed_pack_is_read_but_not_relied_on() {
        let mut marked = MarkedPacks::default();
        marked.packs.insert(PackId([1; 32]), chrono::Utc::now());
        let packs = [pack(1, vec![entry("a", None)])];
        let index = over(&packs, &Damaged::default(), &marked);
        assert!(index.get(&id("a")).is_some() && index.reliable(&id("a")).is_none());

        let packs = [packs[0].clone(), pack(2, vec![entry("a", None)])];
        let index = over(&packs, &Damaged::default(), &marked);
        assert!(index.reliable(&id("a")).is_some());
    }
}
