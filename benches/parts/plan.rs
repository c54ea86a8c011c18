//! Rows as the table `prefix` has them, and their tree in memory.

use std::collections::HashMap;

use bytes::Bytes;
use ipam_rewind::model::{ChunkId, Hash, KeyKind};
use ipam_rewind::tree::split::Splitter;
use ipam_rewind::tree::{
    ChunkPosition, ChunkSink, ChunkSource, Layout, Malformed, Root, Row, TreeBuilder,
};

/// A tree of 360 leaves or so; its rows are 14 MB.
pub const ROWS: u32 = 50_000;

/// The columns by name after the key; `updated_at` is kept apart.
pub fn layout() -> Layout {
    let content = (0..12).filter(|&column| column != 8).collect();
    Layout::new(12, vec![KeyKind::Text], vec![content, vec![8]])
}

/// The plan's rows in key order. A row whose number is in `edited` has another owner.
pub fn rows(edited: impl Fn(u32) -> bool) -> Vec<Row> {
    let mut rows: Vec<_> = (0..ROWS).map(|n| row(n, edited(n))).collect();
    rows.sort_unstable();
    rows
}

/// Bytes of these rows as COPY text.
pub fn bytes(rows: &[Row]) -> u64 {
    rows.iter().map(|row| row.len() as u64 + 1).sum()
}

fn row(n: u32, edited: bool) -> Row {
    const TEAMS: [&str; 4] = ["network-core", "data-platform", "retail", "observability"];
    const STAGES: [&str; 3] = ["production", "staging", "development"];
    // What is random in a plan, from bytes that are always the same.
    let Hash(random) = Hash::of(&n.to_be_bytes());
    let pick = |at: usize, of: usize| usize::from(random[at]) % of;
    let (vrf, site, block) = (n / 6_250, n / 250 % 25, n % 250);
    let owner = if edited { "somebody else" } else { "k.o'brien" };
    let created = format!(
        "2025-{:02}-{:02} {:02}:{:02}:{:02}.{:06}+00",
        1 + pick(0, 12),
        1 + pick(1, 28),
        pick(2, 24),
        pick(3, 60),
        pick(4, 60),
        u32::from_be_bytes([0, random[5], random[6], random[7]]) % 1_000_000,
    );
    let tags = format!(
        r#"{{"team": "{}", "owner": "{owner}", "cost_centre": "CC-{}", "environment": "{}"}}"#,
        TEAMS[pick(8, 4)],
        4_000 + pick(9, 256) * 2,
        STAGES[pick(10, 3)],
    );
    format!(
        "manual-site-{vrf}-vrf-10-{site}-{block}-0-24\t10.{site}.{block}.0/24\t{created}\t3\t\
         manual-site-{vrf}-vrf-10-{site}-0-0-16\tt\tmanual\t{tags}\t{created}\tf\t\\N\tsite-{vrf}-vrf"
    )
    .into_bytes()
}

/// Chunks in memory, with the order in which they were made.
#[derive(Default)]
pub struct Chunks {
    pub kept: HashMap<ChunkId, Bytes>,
    pub made: Vec<ChunkId>,
}

impl ChunkSink for Chunks {
    type Error = Malformed;

    fn put(&mut self, _: &ChunkPosition<'_>, id: ChunkId, bytes: Vec<u8>) -> Result<(), Malformed> {
        if self.kept.insert(id, bytes.into()).is_none() {
            self.made.push(id);
        }
        Ok(())
    }
}

impl ChunkSource for Chunks {
    type Error = Malformed;

    fn chunk(&self, id: &ChunkId) -> Result<Bytes, Malformed> {
        self.kept.get(id).cloned().ok_or(Malformed { id: *id, what: "it is missing" })
    }
}

impl Chunks {
    /// Bytes of all chunks.
    pub fn bytes(&self) -> u64 {
        self.kept.values().map(|chunk| chunk.len() as u64).sum()
    }
}

/// Builds the tree of these rows.
pub fn build<S: ChunkSink>(rows: &[Row], sink: &mut S) -> Root
where
    S::Error: std::fmt::Debug,
{
    let layout = layout();
    let mut builder = TreeBuilder::new(&layout, Splitter::default());
    for row in rows {
        builder.push(row, sink).expect("rows in order");
    }
    builder.finish(sink).expect("the sink takes all")
}
