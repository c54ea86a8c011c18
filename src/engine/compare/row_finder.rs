//! One row in snapshot after snapshot: reads only what the one before did not have.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{ChunkId, Part};
use crate::tree::{ChunkSource, Cursor, Head, Layout, Row};

/// Finds one key in the trees of snapshots that follow each other.
pub struct RowFinder<'l, S> {
    source: S,
    layout: &'l Layout,
    key: &'l [u8],
    /// What is known of each part, by its name.
    known: BTreeMap<String, Known>,
    /// Where the row was last.
    home: Option<Arc<Part>>,
}

/// The way to the key in the tree that was searched last, and what stood at its end.
#[derive(Default)]
struct Known {
    /// The chunks of the root, of each node and of the leaf, as far as they were needed. Below each
    /// of them there is this row or none.
    way: Vec<Vec<ChunkId>>,
    row: Option<Row>,
}

impl<'l, S: ChunkSource> RowFinder<'l, S> {
    /// For this key of rows of this layout.
    pub fn new(source: S, layout: &'l Layout, key: &'l [u8]) -> Self {
        Self { source, layout, key, known: BTreeMap::new(), home: None }
    }

    /// The row, and which of these parts (each with its root) holds it. At most one does, so the
    /// search begins where the row was the last time.
    pub fn find(
        &mut self,
        parts: &[(Arc<Part>, ChunkId)],
    ) -> Result<Option<(Arc<Part>, Row)>, S::Error> {
        let home = self.home.clone();
        let is_home = |part: &Arc<Part>| home.as_ref() == Some(part);
        let (near, far): (Vec<_>, Vec<_>) = parts.iter().partition(|(part, _)| is_home(part));
        for (part, root) in near.into_iter().chain(far) {
            if let Some(row) = self.find_in(&part.name, *root)? {
                self.home = Some(part.clone());
                return Ok(Some((part.clone(), row)));
            }
        }
        Ok(None)
    }

    fn find_in(&mut self, part: &str, root: ChunkId) -> Result<Option<Row>, S::Error> {
        let before = self.known.remove(part).unwrap_or_default();
        let known = self.search(root, before)?;
        let row = known.row.clone();
        self.known.insert(part.to_owned(), known);
        Ok(row)
    }

    /// Goes down to the key until it comes upon what is known.
    fn search(&self, root: ChunkId, mut before: Known) -> Result<Known, S::Error> {
        let mut way = vec![vec![root]];
        if before.way.first() == way.first() {
            return Ok(before);
        }
        let mut cursor = Cursor::new(&self.source, self.layout, &root)?;
        let row = loop {
            match cursor.head() {
                Head::End => break None,
                Head::Subtree(_, entry) if entry.last_key.as_slice() < self.key => cursor.skip(),
                Head::Subtree(_, entry) => {
                    if let Some(at) = before.way.iter().position(|known| *known == entry.chunks) {
                        way.extend(before.way.drain(at..));
                        break before.row;
                    }
                    way.push(entry.chunks.clone());
                    cursor.open()?;
                }
                Head::Row(found) => match found.as_slice().cmp(self.key) {
                    Ordering::Less => drop(cursor.take_row()?),
                    Ordering::Equal => break cursor.take_row()?.map(|(_, row)| row),
                    Ordering::Greater => break None,
                },
            }
        };
        Ok(Known { way, row })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::HashMap;

    use bytes::Bytes;

    use super::*;
    use crate::model::{KeyKind, Profile};
    use crate::tree::split::Splitter;
    use crate::tree::{ChunkPosition, ChunkSink, Malformed, TreeBuilder};

    /// Chunks in memory; notes which are read.
    #[derive(Default)]
    struct Chunks {
        kept: HashMap<ChunkId, Bytes>,
        read: RefCell<Vec<ChunkId>>,
    }

    impl ChunkSink for Chunks {
        type Error = Malformed;

        fn put(
            &mut self,
            _: &ChunkPosition<'_>,
            id: ChunkId,
            bytes: Vec<u8>,
        ) -> Result<(), Malformed> {
            self.kept.insert(id, bytes.into());
            Ok(())
        }
    }

    impl ChunkSource for Chunks {
        type Error = Malformed;

        fn chunk(&self, id: &ChunkId) -> Result<Bytes, Malformed> {
            self.read.borrow_mut().push(*id);
            self.kept.get(id).cloned().ok_or(Malformed { id: *id, what: "it is missing" })
        }
    }

    impl Chunks {
        /// The root of a tree of 10,000 rows, some of which are not as they were.
        fn build(&mut self, layout: &Layout, edits: &[(u32, &str)]) -> ChunkId {
            let mut builder = TreeBuilder::new(layout, Splitter::default());
            for n in 0..10_000 {
                let edit = edits.iter().rev().find(|(edited, _)| *edited == n);
                let text = edit.map_or("as it was", |(_, text)| text);
                let row = format!("key-{n:05}\t{text}\tthen");
                builder.push(row.as_bytes(), self).expect("rows in order");
            }
            builder.finish(self).expect("memory takes all").id
        }

        fn reads(&self) -> usize {
            let read = self.read.take();
            let different: std::collections::BTreeSet<_> = read.iter().collect();
            assert_eq!(different.len(), read.len(), "nothing is read twice");
            read.len()
        }
    }

    #[test]
    fn what_the_snapshot_before_had_is_not_read_again() {
        let layout = Layout::new(3, vec![KeyKind::Text], vec![vec![0, 1], vec![2]]);
        let part = Profile::builtin().part("vrfs").expect("a part");
        let mut chunks = Chunks::default();
        let mut plans = vec![vec![]];
        for edit in [(9_999, "far away"), (5_001, "beside"), (5_000, "edited")] {
            plans.push([plans[plans.len() - 1].clone(), vec![edit]].concat());
        }
        let roots: Vec<_> = plans.iter().map(|edits| chunks.build(&layout, edits)).collect();

        let mut finder = RowFinder::new(&chunks, &layout, b"key-05000");
        let mut find = |root| {
            let found = finder.find(&[(part.clone(), root)]).expect("all chunks");
            (found.map(|(_, row)| row).expect("the row"), chunks.reads())
        };
        let was = b"key-05000\tas it was\tthen".to_vec();
        // Root, node and the two groups of the leaf.
        assert_eq!(find(roots[0]), (was.clone(), 4));
        assert_eq!(find(roots[0]), (was.clone(), 0), "the same root");
        assert_eq!(find(roots[1]), (was.clone(), 1), "another root, the same node below it");
        assert_eq!(find(roots[2]), (was, 4), "another leaf");
        assert_eq!(find(roots[3]), (b"key-05000\tedited\tthen".to_vec(), 4));
    }

    #[test]
    fn a_row_is_found_in_whichever_part_it_moved_to() {
        let layout = Layout::new(3, vec![KeyKind::Text], vec![vec![0, 1], vec![2]]);
        let [manual, public] =
            ["prefixes", "public_ips"].map(|name| Profile::builtin().part(name).expect("a part"));
        let mut chunks = Chunks::default();
        let full = chunks.build(&layout, &[]);
        let empty = TreeBuilder::new(&layout, Splitter::default());
        let empty = empty.finish(&mut chunks).expect("memory takes all").id;

        let mut finder = RowFinder::new(&chunks, &layout, b"key-00001");
        let mut part_with = |parts: [(&Arc<Part>, ChunkId); 2]| {
            let parts = parts.map(|(part, root)| (part.clone(), root));
            let found = finder.find(&parts).expect("all chunks");
            (found.map(|(part, _)| part.name.clone()), chunks.reads())
        };
        assert_eq!(part_with([(manual, full), (public, empty)]), (Some("prefixes".into()), 4));
        assert_eq!(part_with([(manual, empty), (public, full)]), (Some("public_ips".into()), 5));
        assert_eq!(part_with([(manual, empty), (public, full)]), (Some("public_ips".into()), 0));
        assert_eq!(part_with([(manual, empty), (public, empty)]), (None, 1));
    }
}
