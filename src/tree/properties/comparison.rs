//! What must hold for the rows that differ between any two trees.

use std::cell::Cell;

use super::*;

proptest! {
    #[test]
    fn the_diff_applied_to_the_first_is_the_second(plan in plans(), edits in edits()) {
        let mut chunks = Chunks::default();
        let mut after = plan.clone();
        edit(&mut after, edits);
        let (old, new) = (build(&plan, &mut chunks), build(&after, &mut chunks));
        let mut rows: BTreeMap<Key, Row> =
            plan.iter().map(|row| (row.0.clone().into_bytes(), line(row))).collect();
        let layout = layout();
        let diff = Diff::new(&layout, (&chunks, &old.id), (&chunks, &new.id)).expect("roots");
        let mut differing = 0;
        for change in diff {
            let change = change.expect("all chunks");
            prop_assert_ne!(&change.old, &change.new);
            prop_assert_eq!(rows.get(&change.key), change.old.as_ref());
            differing += 1;
            match change.new {
                Some(row) => rows.insert(change.key, row),
                None => rows.remove(&change.key),
            };
        }
        prop_assert_eq!(rows.into_values().collect::<Vec<_>>(), after.iter().map(line).collect::<Vec<_>>());
        let truly = plan.iter().filter(|(key, row)| after.get(*key) != Some(row)).count()
            + after.keys().filter(|key| !plan.contains_key(*key)).count();
        prop_assert_eq!(differing, truly);
    }

    #[test]
    fn the_pieces_of_a_diff_are_the_diff(
        plan in plans(), edits in edits(), keys in prop::collection::btree_set("[a-d]{1,6}", 0..4),
        pieces in 1_usize..6,
    ) {
        let mut chunks = Chunks::default();
        let mut after = plan.clone();
        edit(&mut after, edits);
        let (old, new) = (build(&plan, &mut chunks), build(&after, &mut chunks));
        let layout = layout();
        let diff = || Diff::new(&layout, (&chunks, &old.id), (&chunks, &new.id)).expect("roots");
        let whole: Vec<_> = diff().map(|change| change.expect("all chunks")).collect();
        let anywhere: Vec<Key> = keys.into_iter().map(String::into_bytes).collect();
        for keys in [cuts(&&chunks, &old.id, pieces).expect("nodes"), anywhere] {
            prop_assert!(keys.is_sorted());
            let (mut after, mut found) = (None, Vec::new());
            for upto in keys.into_iter().map(Some).chain([None]) {
                let range = Range { after: after.take(), upto: upto.clone() };
                let piece = diff().within(range).expect("all chunks");
                found.extend(piece.map(|change| change.expect("all chunks")));
                after = upto;
            }
            prop_assert_eq!(&found, &whole);
        }
    }

    #[test]
    fn a_tally_of_the_pieces_counts_what_the_diff_finds(
        plan in plans(), edits in edits(), pieces in 1_usize..4, taken in 0_usize..5,
        touched in 0_usize..400,
    ) {
        let mut chunks = Chunks::default();
        let mut after = plan.clone();
        edit(&mut after, edits);
        after.values_mut().take(touched).for_each(|(_, touched)| touched.push('!'));
        let (old, new) = (build(&plan, &mut chunks), build(&after, &mut chunks));
        let layout = layout().with_volatile(2);
        let diff = || Diff::new(&layout, (&chunks, &old.id), (&chunks, &new.id)).expect("roots");
        let mut expected = RowCounts::default();
        diff().for_each(|change| expected += change.expect("all chunks").counts(&layout));
        let (mut from, mut found) = (None, RowCounts::default());
        let cuts = cuts(&&chunks, &old.id, pieces).expect("nodes");
        for upto in cuts.into_iter().map(Some).chain([None]) {
            let range = Range { after: from.take(), upto: upto.clone() };
            let mut piece = diff().within(range).expect("all chunks");
            for change in piece.by_ref().take(taken) {
                found += change.expect("all chunks").counts(&layout);
            }
            found += piece.tally().expect("all chunks");
            from = upto;
        }
        prop_assert_eq!(found, expected);
        let both = plan.iter().filter(|(key, _)| after.contains_key(*key));
        let touched = both.filter(|(key, old)| after[*key].0 == old.0 && after[*key].1 != old.1);
        prop_assert_eq!(found.touched, touched.count() as u64);
    }
}

/// Chunks that are counted when they are read.
struct Counted<'c>(&'c Chunks, Cell<usize>);

impl ChunkSource for &Counted<'_> {
    type Error = Trouble;

    fn chunk(&self, id: &ChunkId) -> Result<Bytes, Trouble> {
        self.1.set(self.1.get() + 1);
        self.0.chunk(id)
    }
}

#[test]
fn pieces_of_a_diff_read_little_more_than_the_whole() {
    let row = |n: u32| (format!("{n:06}"), ("content".to_owned(), "now".to_owned()));
    let plan: Plan = (0..3_000).map(row).collect();
    let mut after = plan.clone();
    for (content, _) in after.values_mut() {
        content.push('!');
    }
    let mut chunks = Chunks::default();
    let (old, new) = (build(&plan, &mut chunks), build(&after, &mut chunks));
    let layout = layout();
    let reads_within = |range: Range| {
        let counted = Counted(&chunks, Cell::new(0));
        let diff = Diff::new(&layout, (&counted, &old.id), (&counted, &new.id)).expect("roots");
        let found = diff.within(range).expect("all chunks").count();
        (counted.1.get(), found)
    };
    let (whole, _) = reads_within(Range::default());
    let (mut after, mut reads, mut found) = (None, 0, 0);
    for upto in cuts(&&chunks, &old.id, 8).expect("nodes").into_iter().map(Some).chain([None]) {
        let range = Range { after: after.replace(upto.clone().unwrap_or_default()), upto };
        let piece = reads_within(range);
        (reads, found) = (reads + piece.0, found + piece.1);
    }
    assert_eq!(found, 3_000);
    assert!(reads < whole * 3 / 2, "{reads} reads and not {whole}");
}
