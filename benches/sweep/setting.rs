//! The parameters, and one measurement with them.

use std::io;
use std::time::Instant;

use anyhow::Result;
use ipam_rewind::model::{ChunkId, KeyKind, Profile, Table};
use ipam_rewind::tree::split::{LEAF_FACTOR, NODE_FACTOR, Splitter};
use ipam_rewind::tree::{ChunkPosition, ChunkSink, Layout, Root, TreeBuilder, fields};

use crate::kept::Kept;
use crate::plan::{Plan, Rows, State};
use crate::table::Measured;

/// How the columns of a leaf are stored.
#[derive(Clone, Copy)]
pub enum Columns {
    /// As the program does it.
    Volatile,
    /// All columns in one chunk.
    Together,
    /// The key, the volatile columns, and the others.
    KeyApart,
    /// Each of `tags` and the volatile columns by themselves.
    TagsApart,
    /// Each column a chunk of its own.
    Each,
}

/// One choice of parameters; all but one as the program has them.
#[derive(Clone)]
pub struct Setting {
    pub name: String,
    splitter: Splitter,
    level: i32,
    columns: Columns,
    /// Bytes of a dictionary trained on the plan.
    dictionary: usize,
    /// Chunks are stored as changes of the earlier ones.
    against: bool,
}

impl Setting {
    fn new(name: impl Into<String>) -> Self {
        let (splitter, columns) = (Splitter::default(), Columns::Volatile);
        Self { name: name.into(), splitter, level: 3, columns, dictionary: 0, against: true }
    }

    /// Makes the trees of all four states and adds up what they take.
    pub fn measure(&self, plan: &Plan) -> Result<Measured> {
        let dictionary = self.train(plan)?;
        let mut kept = Kept::new(self.level, &dictionary, self.against)?;
        let began = Instant::now();
        let roots = self.build(&plan.first, None, &mut kept)?;
        let seconds = began.elapsed().as_secs_f64();
        let (full, chunks, nodes) = (kept.bytes + dictionary.len(), kept.count, kept.node_bytes);
        let mut grown = Vec::new();
        let mut earlier = roots;
        for state in [&plan.random, &plan.clustered, &plan.touched] {
            let before = kept.bytes;
            earlier = self.build(state, Some(&earlier), &mut kept)?;
            grown.push(kept.bytes - before);
        }
        Ok(Measured { full, chunks, nodes, grown, seconds })
    }

    /// What each column takes by itself, largest first: part, column, bytes as text, bytes stored.
    pub fn by_column(plan: &Plan) -> Result<Vec<(&'static str, String, usize, usize)>> {
        let setting = Self { columns: Columns::Each, ..Self::new("") };
        let mut found = Vec::new();
        for (part, rows) in Profile::builtin().parts.iter().zip(&plan.first) {
            let mut kept = Kept::new(setting.level, &[], false)?;
            setting.tree(rows, &mut kept)?;
            for (group, stored) in setting.layout(&rows.table).groups().iter().zip(&kept.groups) {
                let names = group.iter().map(|&at| rows.table.columns[at].name.as_str());
                let lines = rows.text.split(|&byte| byte == b'\n').filter(|row| !row.is_empty());
                let raw = lines.map(|row| width(row, group)).sum();
                found.push((
                    part.name.as_str(),
                    names.collect::<Vec<_>>().join(", "),
                    raw,
                    *stored,
                ));
            }
        }
        found.sort_by_key(|&(.., stored)| std::cmp::Reverse(stored));
        Ok(found)
    }

    fn layout(&self, table: &Table) -> Layout {
        let all: Vec<usize> = (0..table.columns.len()).collect();
        let key: Vec<usize> = (0..table.key.len()).collect();
        let volatile = table.groups.get(1).cloned().unwrap_or_default();
        let tags: Vec<usize> =
            all.iter().copied().filter(|&at| table.columns[at].name == "tags").collect();
        let apart: Vec<Vec<usize>> = match self.columns {
            Columns::Volatile => vec![volatile],
            Columns::Together => vec![],
            Columns::KeyApart => vec![all[key.len()..].to_vec()],
            Columns::TagsApart => vec![tags, volatile],
            Columns::Each => all[key.len()..].iter().map(|&at| vec![at]).collect(),
        };
        let mut groups = vec![Vec::new()];
        for group in apart.into_iter().filter(|group| !group.is_empty()) {
            groups.push(group);
        }
        let rest = all.into_iter().filter(|at| !groups.iter().any(|group| group.contains(at)));
        groups[0] = rest.collect();
        if matches!(self.columns, Columns::KeyApart) {
            split_off(&mut groups, table.groups.get(1));
        }
        let kinds: Vec<KeyKind> = table.key.iter().map(|key| key.kind).collect();
        Layout::new(table.columns.len(), kinds, groups)
    }

    fn build<S>(&self, state: &State, earlier: Option<&[Root]>, sink: &mut S) -> Result<Vec<Root>>
    where
        S: ChunkSink<Error = io::Error> + Earlier,
    {
        let mut roots = Vec::new();
        for (at, rows) in state.iter().enumerate() {
            sink.compare_with(earlier.map(|roots| roots[at]));
            roots.push(self.tree(rows, sink)?);
        }
        Ok(roots)
    }

    fn tree<S: ChunkSink<Error = io::Error>>(&self, rows: &Rows, sink: &mut S) -> Result<Root> {
        let layout = self.layout(&rows.table);
        let mut builder = TreeBuilder::new(&layout, self.splitter);
        for row in rows.text.split(|&byte| byte == b'\n').filter(|row| !row.is_empty()) {
            builder.push(row, sink)?;
        }
        Ok(builder.finish(sink)?)
    }

    /// A dictionary of every twentieth chunk.
    fn train(&self, plan: &Plan) -> Result<Vec<u8>> {
        if self.dictionary == 0 {
            return Ok(Vec::new());
        }
        let mut samples = Samples::default();
        self.build(&plan.first, None, &mut samples)?;
        Ok(zstd::dict::from_samples(&samples.kept, self.dictionary)?)
    }
}

/// Bytes of these fields of a row, each with the byte that ends it.
fn width(row: &[u8], columns: &[usize]) -> usize {
    let widths: Vec<_> = fields(row).map(|field| field.len() + 1).collect();
    columns.iter().map(|&at| widths[at]).sum()
}

/// Takes the columns of `apart` out of the second group into one of their own.
fn split_off(groups: &mut Vec<Vec<usize>>, apart: Option<&Vec<usize>>) {
    let Some(apart) = apart else { return };
    groups[1].retain(|at| !apart.contains(at));
    groups.push(apart.clone());
    groups.retain(|group| !group.is_empty());
}

/// A sink that may know an earlier tree.
trait Earlier {
    fn compare_with(&mut self, root: Option<Root>);
}

impl Earlier for Kept {
    fn compare_with(&mut self, root: Option<Root>) {
        self.earlier = root.map(|root| root.id);
    }
}

#[derive(Default)]
struct Samples {
    seen: usize,
    kept: Vec<Vec<u8>>,
}

impl Earlier for Samples {
    fn compare_with(&mut self, _: Option<Root>) {}
}

impl ChunkSink for Samples {
    type Error = io::Error;

    fn put(&mut self, _: &ChunkPosition<'_>, _: ChunkId, bytes: Vec<u8>) -> io::Result<()> {
        self.seen += 1;
        if self.seen.is_multiple_of(20) {
            self.kept.push(bytes);
        }
        Ok(())
    }
}

/// All sweeps: what they vary, and the settings in order.
pub fn sweeps() -> Vec<(&'static str, Vec<Setting>)> {
    vec![
        ("leaf size", leaves()),
        ("node size", nodes()),
        ("zstd level", levels()),
        ("dictionary", dictionaries()),
        ("column groups", groups()),
        ("changes", changes()),
    ]
}

/// `0.9064 · (2³⁴ / factor)^¼`, as `tree::split` has it.
fn mean(factor: u32) -> f64 {
    0.9064 * (f64::from(1 << 17) * f64::from(1 << 17) / f64::from(factor)).powf(0.25)
}

fn leaves() -> Vec<Setting> {
    let setting = |leaf_factor| {
        let mut setting = Setting::new(format!("{:.0} rows", mean(leaf_factor)));
        setting.splitter.leaf_factor = leaf_factor;
        setting
    };
    [8192, 2048, 512, 128, LEAF_FACTOR, 8, 2, 1].map(setting).into()
}

fn nodes() -> Vec<Setting> {
    let setting = |node_factor| {
        let mut setting = Setting::new(format!("{:.0} children", mean(node_factor)));
        setting.splitter.node_factor = node_factor;
        setting
    };
    [131_072, 16_384, NODE_FACTOR, 128, 8].map(setting).into()
}

fn levels() -> Vec<Setting> {
    let setting = |level| Setting { level, ..Setting::new(format!("level {level}")) };
    [1, 3, 5, 7, 9, 12, 19].map(setting).into()
}

fn dictionaries() -> Vec<Setting> {
    let setting =
        |dictionary| Setting { dictionary, ..Setting::new(format!("{} KiB", dictionary >> 10)) };
    [0, 16 << 10, 112 << 10].map(setting).into()
}

fn groups() -> Vec<Setting> {
    let setting = |(name, columns)| Setting { columns, ..Setting::new(name) };
    [
        ("volatile columns apart", Columns::Volatile),
        ("all together", Columns::Together),
        ("key, others, volatile", Columns::KeyApart),
        ("key and others, tags, volatile", Columns::TagsApart),
        ("each column", Columns::Each),
    ]
    .map(setting)
    .into()
}

fn changes() -> Vec<Setting> {
    let setting = |(name, against)| Setting { against, ..Setting::new(name) };
    [("against the earlier chunk", true), ("each by itself", false)].map(setting).into()
}
