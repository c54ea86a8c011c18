//! What must hold for any set of rows.

mod comparison;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use proptest::prelude::*;

use super::split::Splitter;
use super::*;
use crate::model::{Hash, KeyKind, RowCounts};

/// Chunks in memory.
#[derive(Debug, Default, Clone)]
struct Chunks(HashMap<ChunkId, Bytes>);

#[derive(Debug, PartialEq)]
enum Trouble {
    Missing,
    Malformed,
}

impl From<Malformed> for Trouble {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl ChunkSource for Chunks {
    type Error = Trouble;

    fn chunk(&self, id: &ChunkId) -> Result<Bytes, Trouble> {
        self.0.get(id).cloned().ok_or(Trouble::Missing)
    }
}

impl ChunkSink for Chunks {
    type Error = Trouble;

    fn put(&mut self, _: &ChunkPosition<'_>, id: ChunkId, bytes: Vec<u8>) -> Result<(), Trouble> {
        assert_eq!(id, ChunkId::of(&bytes));
        self.0.insert(id, bytes.into());
        Ok(())
    }
}

type Plan = BTreeMap<String, (String, String)>;

fn layout() -> Layout {
    Layout::new(3, vec![KeyKind::Text], vec![vec![0, 1], vec![2]])
}

/// Short chunks, so that small plans already make trees of several levels.
const SHORT: Splitter = Splitter { leaf_factor: 1 << 22, node_factor: 1 << 26 };

fn line((key, (content, touched)): (&String, &(String, String))) -> Vec<u8> {
    format!("{key}\t{content}\t{touched}").into_bytes()
}

fn build(plan: &Plan, chunks: &mut Chunks) -> Root {
    let layout = layout();
    let mut builder = TreeBuilder::new(&layout, SHORT);
    for row in plan.iter().map(line) {
        builder.push(&row, chunks).expect("rows in order");
    }
    builder.finish(chunks).expect("memory takes all")
}

fn plans() -> impl Strategy<Value = Plan> {
    let field = "[a-z\\\\]{0,6}";
    prop::collection::btree_map("[a-d]{1,6}", (field, field), 0..400)
}

/// Edits: a key, and its new values or none.
fn edits() -> impl Strategy<Value = Vec<(String, Option<(String, String)>)>> {
    let values = prop::option::of(("[a-z]{0,6}", "[a-z]{0,6}"));
    prop::collection::vec(("[a-d]{1,6}", values), 0..60)
}

fn edit(plan: &mut Plan, edits: Vec<(String, Option<(String, String)>)>) {
    for (key, values) in edits {
        match values {
            Some(values) => plan.insert(key, values),
            None => plan.remove(&key),
        };
    }
}

proptest! {
    #[test]
    fn equal_rows_have_the_same_root_whatever_their_history(
        plan in plans(), there in edits(), order in any::<prop::sample::Index>(),
    ) {
        let mut chunks = Chunks::default();
        let straight = build(&plan, &mut chunks);
        // The same rows by way of other rows, put in in another order.
        let mut detour = plan.clone();
        edit(&mut detour, there);
        build(&detour, &mut chunks);
        detour.retain(|key, _| plan.contains_key(key));
        let mut rows: Vec<_> = plan.clone().into_iter().collect();
        if !rows.is_empty() {
            let middle = order.index(rows.len());
            rows.rotate_left(middle);
        }
        detour.extend(rows);
        prop_assert_eq!(build(&detour, &mut chunks), straight);
    }

    #[test]
    fn leaves_one_after_the_other_are_the_copy_stream(plan in plans()) {
        let mut chunks = Chunks::default();
        let root = build(&plan, &mut chunks);
        let layout = layout();
        let mut cursor = Cursor::new(&chunks, &layout, &root.id).expect("a root");
        let mut rows = Vec::new();
        while let Some((key, row)) = cursor.next_row().expect("all chunks") {
            prop_assert_eq!(&layout.key_of(&row).expect("a key"), &key);
            rows.push(row);
        }
        let expected: Vec<_> = plan.iter().map(line).collect();
        prop_assert_eq!(root.rows, expected.len() as u64);
        prop_assert_eq!(root.bytes, expected.iter().map(|row| row.len() as u64 + 1).sum::<u64>());
        prop_assert_eq!(rows, expected);
    }

    #[test]
    fn one_changed_row_changes_one_chunk_a_level(plan in plans(), at in any::<prop::sample::Index>()) {
        prop_assume!(!plan.is_empty());
        let mut before = Chunks::default();
        build(&plan, &mut before);
        let mut after = plan.clone();
        let key = plan.keys().nth(at.index(plan.len())).expect("in range").clone();
        after.get_mut(&key).expect("it is there").0 = "CHANGED".into();
        let mut chunks = Chunks::default();
        let root = build(&after, &mut chunks);
        let new = chunks.0.keys().filter(|id| !before.0.contains_key(*id)).count();
        let levels = usize::from(Node::parse(&root.id, &chunks.0[&root.id]).expect("a node").level);
        prop_assert!(new <= levels + 1, "{} new chunks in {} levels", new, levels);
    }

    #[test]
    fn one_touched_row_leaves_the_content_alone(plan in plans(), at in any::<prop::sample::Index>()) {
        prop_assume!(!plan.is_empty());
        let mut before = Chunks::default();
        build(&plan, &mut before);
        let mut after = plan.clone();
        let key = plan.keys().nth(at.index(plan.len())).expect("in range").clone();
        after.get_mut(&key).expect("it is there").1 = "TOUCHED".into();
        let mut chunks = Chunks::default();
        build(&after, &mut chunks);
        let leaves = chunks.0.iter().filter(|(id, chunk)| !before.0.contains_key(*id) && chunk[0] == b'L');
        for (id, chunk) in leaves {
            prop_assert_eq!(LeafGroup::parse(id, chunk).expect("a leaf").columns(), 1);
        }
    }

    #[test]
    fn a_row_is_found_by_its_key_and_only_then(plan in plans(), key in "[a-d]{1,6}") {
        let mut chunks = Chunks::default();
        let root = build(&plan, &mut chunks);
        let found = lookup(&chunks, &layout(), &root.id, key.as_bytes()).expect("all chunks");
        prop_assert_eq!(found, plan.get_key_value(&key).map(line));
    }

    #[test]
    fn a_walk_names_every_chunk_and_a_missing_one_is_missed(plan in plans()) {
        let mut chunks = Chunks::default();
        let root = build(&plan, &mut chunks);
        let mut named = std::collections::HashSet::new();
        walk(&chunks, &root.id, &mut |id, _| named.insert(*id)).expect("all chunks");
        prop_assert_eq!(named.len(), chunks.0.len());
        let mut torn = chunks.clone();
        torn.0.remove(&root.id);
        prop_assert_eq!(walk(&torn, &root.id, &mut |_, _| true), Err(Trouble::Missing));
    }

    #[test]
    fn arbitrary_bytes_are_refused_or_read_but_never_panic(bytes: Vec<u8>, tag in 0_usize..3) {
        let mut bytes = bytes;
        bytes.insert(0, [b'L', b'N', 0][tag]);
        let id = ChunkId::of(&bytes);
        let _ = Node::parse(&id, &bytes);
        let _ = LeafGroup::parse(&id, &bytes.into());
    }

    #[test]
    fn a_chunk_with_a_byte_changed_is_refused_or_read_but_never_panics(
        plan in plans(), at in any::<prop::sample::Index>(), byte: u8,
    ) {
        let mut chunks = Chunks::default();
        build(&plan, &mut chunks);
        for (id, chunk) in &chunks.0 {
            let mut torn = chunk.to_vec();
            let place = at.index(torn.len());
            torn[place] = byte;
            let _ = Node::parse(id, &torn).map(|node| Node::encode(&node));
            let _ = LeafGroup::parse(id, &torn.into());
        }
    }
}

#[test]
fn an_empty_tree_has_a_root_without_entries() {
    let mut chunks = Chunks::default();
    let root = build(&Plan::new(), &mut chunks);
    assert_eq!((root.rows, root.bytes), (0, 0));
    let node = Node::parse(&root.id, &chunks.0[&root.id]).expect("a node");
    assert_eq!((node.level, node.entries.len()), (1, 0));
}

#[test]
fn rows_out_of_order_are_refused() {
    let layout = layout();
    let mut builder = TreeBuilder::new(&layout, SHORT);
    builder.push(b"b\t\t", &mut Discard).expect("the first row");
    let wrong = builder.push(b"a\t\t", &mut Discard).expect_err("out of order");
    assert_eq!(wrong.to_string(), "rows did not come in key order: a after b");
    let mut builder = TreeBuilder::new(&layout, SHORT);
    assert!(builder.push(b"too\tfew", &mut Discard).is_err());
}

#[test]
fn a_leaf_of_wide_rows_ends_by_its_bytes() {
    let layout = layout();
    let mut chunks = Chunks::default();
    let mut builder = TreeBuilder::new(&layout, Splitter::default());
    let wide = "x".repeat(300_000);
    for n in 0..20 {
        builder.push(format!("{n:04}\t{wide}\t").as_bytes(), &mut chunks).expect("in order");
    }
    builder.finish(&mut chunks).expect("memory takes all");
    assert!(chunks.0.values().all(|chunk| chunk.len() < 1_600_000));
}

/// Boundaries meet again after a few leaves, mostly at once. How soon is left to chance, and no bound holds for
/// any row of any plan: so these are a hundred rows that go and a hundred that come, in plans that are always the same.
#[test]
fn one_row_more_or_less_changes_few_chunks_however_many_there_are() {
    let row = |n: u32| (Hash::of(&n.to_le_bytes()).to_string(), ("content".into(), "now".into()));
    for rows in [300, 3_000] {
        let plan: Plan = (0..rows).map(row).collect();
        let mut before = Chunks::default();
        build(&plan, &mut before);
        let new_chunks = |edit: &dyn Fn(&mut Plan)| {
            let (mut after, mut chunks) = (plan.clone(), Chunks::default());
            edit(&mut after);
            build(&after, &mut chunks);
            chunks.0.keys().filter(|id| !before.0.contains_key(*id)).count()
        };
        let gone = plan.keys().step_by(rows as usize / 100);
        let gone = gone.map(|key| new_chunks(&|plan| drop(plan.remove(key))));
        let come = (rows..rows + 100).map(|n| new_chunks(&|plan| plan.extend([row(n)])));
        let new: Vec<usize> = gone.chain(come).collect();
        let mean = new.iter().sum::<usize>() / new.len();
        assert!(
            mean <= 10 && new.iter().all(|new| *new <= 40),
            "{mean} of {}: {new:?}",
            before.0.len()
        );
    }
}

/// Chunks, and how many were read.
struct Counted<'c>(&'c Chunks, std::cell::Cell<usize>);

impl ChunkSource for &Counted<'_> {
    type Error = Trouble;

    fn chunk(&self, id: &ChunkId) -> Result<Bytes, Trouble> {
        self.1.set(self.1.get() + 1);
        self.0.chunk(id)
    }
}

/// The tree of this root with these edits, and how many chunks were read for it.
fn patched(root: &Root, splitter: Splitter, edits: &Edits, chunks: &mut Chunks) -> (Root, usize) {
    let layout = layout();
    let row = |key: &String, values: &Option<_>| {
        let row = values.as_ref().map(|values| line((key, values)));
        (layout.key_of(line((key, &Default::default())).as_slice()).expect("a key"), row)
    };
    let changes: Vec<_> = edits.iter().map(|(key, values)| row(key, values)).collect();
    let before = chunks.clone();
    let source = Counted(&before, std::cell::Cell::new(0));
    let new = patch((&layout, splitter), (&source, &root.id), changes, chunks);
    (new.expect("edits in order"), source.1.get())
}

type Edits = BTreeMap<String, Option<(String, String)>>;

proptest! {
    #[test]
    fn patched_tree_has_the_root_of_one_that_is_built_anew(plan in plans(), edits in edits()) {
        let (mut chunks, mut anew) = (Chunks::default(), Chunks::default());
        let old = build(&plan, &mut chunks);
        let edits: Edits = edits.into_iter().collect();
        let mut edited = plan.clone();
        for (key, values) in &edits {
            match values {
                Some(values) => drop(edited.insert(key.clone(), values.clone())),
                None => drop(edited.remove(key)),
            }
        }
        let (new, _) = patched(&old, SHORT, &edits, &mut chunks);
        prop_assert_eq!(new, build(&edited, &mut anew));
        // Nothing is missing: every chunk of the new tree was there, or is now.
        for id in anew.0.keys() {
            prop_assert!(chunks.0.contains_key(id));
        }
    }
}

#[test]
fn patching_one_row_reads_one_way_down_and_the_right_edge() {
    let plan: Plan =
        (0..20_000).map(|n| (format!("key-{n:06}"), ("a".into(), "b".into()))).collect();
    let (layout, splitter) = (layout(), Splitter::default());
    let mut chunks = Chunks::default();
    let mut builder = TreeBuilder::new(&layout, splitter);
    for row in plan.iter().map(line) {
        builder.push(&row, &mut chunks).expect("rows in order");
    }
    let old = builder.finish(&mut chunks).expect("memory takes all");
    let edits: Edits = [("key-007000".into(), Some(("x".into(), "y".into())))].into();
    let (new, read) = patched(&old, splitter, &edits, &mut chunks);
    assert_eq!((new.rows, new.bytes), (old.rows, old.bytes));
    assert_ne!(new.id, old.id);
    // The root, a node and two groups of a leaf, twice.
    assert!(read <= 8, "{read} chunks of {}", chunks.0.len());
}

proptest! {
    #[test]
    fn present_tells_which_keys_a_tree_has(plan in plans(), others in edits()) {
        let mut chunks = Chunks::default();
        let root = build(&plan, &mut chunks);
        let mut keys: BTreeSet<&String> = plan.keys().step_by(3).collect();
        keys.extend(others.iter().map(|(key, _)| key));
        let encoded: Vec<Key> = keys.iter().map(|key| key_of(key)).collect();
        let found = present(&&chunks, &layout(), &root.id, &encoded.iter().collect::<Vec<_>>());
        let wanted: Vec<_> = keys.iter().map(|key| plan.contains_key(*key)).collect();
        prop_assert_eq!(found.expect("all chunks are there"), wanted);
    }

    #[test]
    fn missing_finds_the_keys_that_did_not_come(plan in plans(), gone: u64, halves: bool) {
        let mut chunks = Chunks::default();
        let root = build(&plan, &mut chunks);
        let is_gone = |key: &str| Hash::of(format!("{gone}{key}").as_bytes()).0[0] < 40;
        let mut first = Missing::new(&&chunks, &root.id).expect("all nodes are there");
        let mut second = first.clone();
        for (place, key) in plan.keys().rev().filter(|key| !is_gone(key)).enumerate() {
            let half = if halves && place % 2 == 0 { &mut first } else { &mut second };
            half.came(&key_of(key)).expect("a key of the tree");
        }
        first.add(second).expect("no more than there are");
        let found = first.find(&&chunks, &layout()).expect("all leaves are there");
        let wanted: Vec<_> = plan.keys().filter(|key| is_gone(key)).map(|key| key_of(key)).collect();
        prop_assert_eq!(found, Ok(wanted));
    }

    /// A history of batches: a few edits, everything at once, empty and full again.
    #[test]
    fn tree_that_is_patched_again_and_again_stays_the_one_that_is_built(
        plan in plans(),
        batches in proptest::collection::vec((edits(), 0_u8..6), 1..6),
    ) {
        let mut chunks = Chunks::default();
        let (mut now, mut root) = (plan.clone(), build(&plan, &mut chunks));
        for (edits, kind) in batches {
            let mut edits: Edits = edits.into_iter().collect();
            match kind {
                0 => edits = now.keys().map(|key| (key.clone(), None)).collect(),
                1 => edits.extend(plan.iter().map(|(key, row)| (key.clone(), Some(row.clone())))),
                2 => edits.extend(now.keys().map(|key| (key.clone(), Some(("all".into(), String::new()))))),
                _ => {}
            }
            for (key, values) in &edits {
                match values {
                    Some(values) => drop(now.insert(key.clone(), values.clone())),
                    None => drop(now.remove(key)),
                }
            }
            (root, _) = patched(&root, SHORT, &edits, &mut chunks);
            prop_assert_eq!(root, build(&now, &mut Chunks::default()));
        }
    }
}

fn key_of(key: &str) -> Key {
    layout().key_of(&line((&key.to_owned(), &Default::default()))).expect("a key")
}

#[test]
fn missing_refuses_keys_that_the_tree_does_not_have() {
    let plan: Plan = (0..300).map(|n| (format!("key-{n:04}"), ("a".into(), "b".into()))).collect();
    let mut chunks = Chunks::default();
    let root = build(&plan, &mut chunks);
    let all = || Missing::new(&&chunks, &root.id).expect("all nodes are there");
    assert_eq!(all().came(b"later than all"), Err(Unlike));
    // A stranger in place of a row, and one more than there are.
    let mut instead = all();
    for key in plan.keys().skip(1).map(String::as_str).chain(["key-0000-not"]) {
        instead.came(&key_of(key)).expect("there is room");
    }
    let mut one_more = instead.clone();
    // Its leaf lacks none then: who knows how many are missing sees that they were not found.
    assert_eq!(instead.find(&&chunks, &layout()), Ok(Ok(vec![])));
    let refused = (0..300).map(|_| one_more.came(&key_of("key-0000"))).any(|it| it == Err(Unlike));
    assert!(refused);
}

/// Chunks that are read and written for so many edits of a large tree, spread and in a run.
#[test]
fn patching_costs_a_few_chunks_for_each_edit() {
    let plan: Plan =
        (0..20_000).map(|n| (format!("key-{n:06}"), ("a".into(), "b".into()))).collect();
    let (layout, splitter) = (layout(), Splitter::default());
    let mut chunks = Chunks::default();
    let mut builder = TreeBuilder::new(&layout, splitter);
    for row in plan.iter().map(line) {
        builder.push(&row, &mut chunks).expect("rows in order");
    }
    let old = builder.finish(&mut chunks).expect("memory takes all");
    for (step, count) in [(1, 100), (500, 40), (1_000, 20)] {
        let edit = |n| (format!("key-{:06}", n * step), Some(("x".into(), "y".into())));
        let edits: Edits = (0..count).map(edit).collect();
        let before = chunks.0.len();
        let (_, read) = patched(&old, splitter, &edits, &mut chunks);
        let written = chunks.0.len() - before;
        // Two groups of a leaf, twice two nodes, and the right edge.
        let touched = if step == 1 { 4 } else { edits.len() };
        assert!(read <= 4 * touched + 12, "{read} chunks read for {count} edits");
        assert!(written <= 4 * touched + 12, "{written} chunks written for {count} edits");
    }
}
