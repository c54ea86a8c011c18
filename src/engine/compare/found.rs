//! What a search in a comparison found: in the order of the rows, and as a tree of networks.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::engine::compare::change_filter::ChangeFilter;
use crate::engine::compare::row_change::RowChange;
use crate::engine::compare::spool::{Sides, Spool};
use crate::engine::snapshot::Snapshot;
use crate::engine::{Counts, EngineError};
use crate::model::{Network, Part, Profile, RowCounts, Table};
use crate::threads;
use crate::tree::{fields, unescape};

/// The changes that were found.
pub struct Found {
    sides: Arc<Sides>,
    spool: Arc<Spool>,
    /// Their places in the spool, in the order of the parts and their keys.
    matches: Vec<u32>,
    /// How many were found, by dataset.
    pub counts: Counts,
    /// The groups of the tree by name, each with its places in `nodes`.
    groups: Vec<(String, Range<usize>)>,
    /// Those that are shown in the tree, network within network.
    nodes: Vec<Node>,
}

/// A change in the tree.
struct Node {
    /// Its place in the spool.
    found: u32,
    /// The place after the last one within it.
    end: u32,
    /// What it and those before it count, so that what is within costs one subtraction.
    upto: RowCounts,
}

/// A changed row with what it can be told by.
#[derive(Debug, Clone)]
pub struct FoundChange {
    pub change: RowChange,
    /// The row's columns that tell it apart and place it in the tree, by name, also those that did not change.
    pub identity: BTreeMap<String, String>,
}

/// A node of the tree: a group, or a changed network.
#[derive(Debug, Clone)]
pub struct FoundNode {
    /// Its place among the nodes; none for a group.
    pub place: Option<u64>,
    /// The name of its group, such as that of a VRF. Empty if the row is in none.
    pub group: String,
    /// Its row; none for a group.
    pub change: Option<FoundChange>,
    /// How many nodes are right below it.
    pub children: u64,
    /// What was found in it, itself included.
    pub counts: RowCounts,
}

/// Some of the changes or nodes, and how many there are.
#[derive(Debug, Clone)]
pub struct Page<T> {
    pub total: u64,
    pub items: Vec<T>,
}

/// The value of a column as text; none if it is null or the table lacks it.
fn value(table: &Table, column: &str, row: &[u8]) -> Option<String> {
    let field = fields(row).nth(table.column(column)?)?;
    (field != b"\\N").then(|| String::from_utf8_lossy(&unescape(field)).into_owned())
}

/// A row's group and network, and its place in the spool.
type Placed = (String, Option<Network>, u32);

impl Found {
    /// Searches. Blocks.
    pub(super) fn search(
        sides: &Arc<Sides>,
        spool: &Arc<Spool>,
        filter: &ChangeFilter,
    ) -> Result<Self, EngineError> {
        let new = &sides.new;
        let mut counts: Counts = new.profile.per_dataset(|_| RowCounts::default());
        let (mut matches, mut placed) = (Vec::new(), Vec::new());
        let wanted = |part: &Part| filter.dataset.as_ref().is_none_or(|it| *it == part.dataset);
        let mut text = Vec::new();
        spool.scan(wanted, |place, entry, change| {
            if !filter.takes(change, entry.kind, entry.touched, &mut text) {
                return;
            }
            let part = &spool.parts[entry.part as usize];
            *counts.entry(part.dataset.clone()).or_default() += entry.counts();
            let at = index(place);
            matches.push(at);
            let tree = new.profile.tree.as_ref().filter(|tree| tree.table == part.table);
            if let Some((tree, row)) = tree.zip(change.new.as_ref().or(change.old.as_ref())) {
                let table = table_of(new, part);
                let network = value(table, &tree.network, row);
                let network = network.and_then(|network| Network::parse(&network));
                placed.push((value(table, &tree.group, row).unwrap_or_default(), network, at));
            }
        })?;
        let (groups, nodes) = nest(placed, spool);
        let (sides, spool) = (sides.clone(), spool.clone());
        Ok(Self { sides, spool, matches, counts, groups, nodes })
    }

    /// How many rows were found.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.matches.len() as u64
    }

    /// How many of them are in the tree.
    #[must_use]
    pub fn rows_in_tree(&self) -> u64 {
        self.nodes.len() as u64
    }

    /// Some of the rows, in order.
    ///
    /// # Errors
    /// If a chunk on the way cannot be read.
    pub async fn page(
        self: &Arc<Self>,
        offset: u64,
        limit: usize,
    ) -> Result<Page<FoundChange>, EngineError> {
        let found = self.clone();
        let read = threads::spawn(move || {
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            let some = found.matches.iter().skip(offset).take(limit);
            let items = some.map(|at| found.change(*at)).collect::<Result<_, _>>()?;
            Ok(Page { total: found.rows(), items })
        });
        read.await.expect("reading does not panic")
    }

    /// The groups of the tree, by name.
    #[must_use]
    pub fn groups(&self, offset: u64, limit: usize) -> Page<FoundNode> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let some = self.groups.iter().skip(offset).take(limit);
        let node = |(name, range): &(String, Range<usize>)| FoundNode {
            place: None,
            group: name.clone(),
            change: None,
            children: self.children(range.clone()).count() as u64,
            counts: self.sum(range),
        };
        Page { total: self.groups.len() as u64, items: some.map(node).collect() }
    }

    /// The nodes right below a group, or below the node at a place; none if there is no such.
    ///
    /// # Errors
    /// If a chunk on the way cannot be read.
    pub async fn below(
        self: &Arc<Self>,
        parent: Parent,
        offset: u64,
        limit: usize,
    ) -> Result<Page<FoundNode>, EngineError> {
        let found = self.clone();
        let read = threads::spawn(move || {
            let (group, range) = found.range(&parent);
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            let total = found.children(range.clone()).count() as u64;
            let some = found.children(range).skip(offset).take(limit);
            let node = |place: usize| {
                let node = &found.nodes[place];
                let within = place..node.end as usize;
                Ok::<_, EngineError>(FoundNode {
                    place: Some(place as u64),
                    group: group.clone(),
                    change: Some(found.change(node.found)?),
                    children: found.children(place + 1..node.end as usize).count() as u64,
                    counts: found.sum(&within),
                })
            };
            Ok(Page { total, items: some.map(node).collect::<Result<_, _>>()? })
        });
        read.await.expect("reading does not panic")
    }

    fn range(&self, parent: &Parent) -> (String, Range<usize>) {
        match parent {
            Parent::Group(name) => {
                let group = self.groups.iter().find(|(known, _)| known == name);
                group.cloned().unwrap_or_else(|| (name.clone(), 0..0))
            }
            Parent::Node(place) => {
                let place = usize::try_from(*place).unwrap_or(usize::MAX);
                let group = self.groups.iter().find(|(_, range)| range.contains(&place));
                let Some((name, _)) = group else { return (String::new(), 0..0) };
                (name.clone(), place + 1..self.nodes[place].end as usize)
            }
        }
    }

    /// The places of the topmost nodes of a range.
    fn children(&self, range: Range<usize>) -> impl Iterator<Item = usize> {
        let first = Some(range.start).filter(|_| !range.is_empty());
        std::iter::successors(first, move |place| {
            Some(self.nodes[*place].end as usize).filter(|next| *next < range.end)
        })
    }

    fn sum(&self, range: &Range<usize>) -> RowCounts {
        let upto =
            |end: usize| end.checked_sub(1).map_or(RowCounts::default(), |it| self.nodes[it].upto);
        let (before, all) = (upto(range.start), upto(range.end));
        RowCounts {
            added: all.added - before.added,
            changed: all.changed - before.changed,
            touched: all.touched - before.touched,
            removed: all.removed - before.removed,
        }
    }

    /// Reads the change at this place of the spool.
    fn change(&self, at: u32) -> Result<FoundChange, EngineError> {
        let entry = &self.spool.entries[at as usize];
        let part = &self.spool.parts[entry.part as usize];
        let table = table_of(&self.sides.new, part);
        let change = self.spool.change(entry)?;
        let row = change.new.as_ref().or(change.old.as_ref());
        let identity = row.map(|row| identity_of(&self.sides.new.profile, table, row));
        Ok(FoundChange {
            change: RowChange::new(part, table, &change),
            identity: identity.unwrap_or_default(),
        })
    }
}

/// The node that others are right below.
#[derive(Debug, Clone)]
pub enum Parent {
    /// The group of this name.
    Group(String),
    /// The node at this place.
    Node(u64),
}

fn table_of<'s>(snapshot: &'s Snapshot, part: &Part) -> &'s Table {
    snapshot.schema.table(&part.table).expect("a part's table is in its schema")
}

fn identity_of(profile: &Profile, table: &Table, row: &[u8]) -> BTreeMap<String, String> {
    let tree = profile.tree.iter().filter(|tree| tree.table == table.name);
    let tree = tree.flat_map(|tree| [&tree.network, &tree.group]);
    let columns = profile.summary_columns.iter().chain(tree);
    columns.filter_map(|column| Some((column.clone(), value(table, column, row)?))).collect()
}

/// The groups, and the nodes of the tree: each with those within it right behind it.
fn nest(mut placed: Vec<Placed>, spool: &Spool) -> (Vec<(String, Range<usize>)>, Vec<Node>) {
    // Those that name no network come last.
    placed.sort_unstable_by(|(a_group, a, a_at), (b_group, b, b_at)| {
        (a_group, a.is_none(), a, a_at).cmp(&(b_group, b.is_none(), b, b_at))
    });
    let mut groups: Vec<(String, Range<usize>)> = Vec::new();
    let mut nodes: Vec<Node> = Vec::with_capacity(placed.len());
    let mut open: Vec<(usize, Network)> = Vec::new();
    let mut upto = RowCounts::default();
    for (place, (group, network, found)) in placed.into_iter().enumerate() {
        let is_new = groups.last().is_none_or(|(name, _)| *name != group);
        let holds = |outer: &Network| {
            network.is_some_and(|inner| *outer != inner && outer.contains(&inner))
        };
        while let Some((last, outer)) = open.last()
            && (is_new || !holds(outer))
        {
            nodes[*last].end = index(place);
            open.pop();
        }
        if is_new {
            groups.push((group, place..place));
        }
        if let Some((_, range)) = groups.last_mut() {
            range.end = place + 1;
        }
        upto += spool.entries[found as usize].counts();
        nodes.push(Node { found, end: index(place + 1), upto });
        open.extend(network.map(|network| (place, network)));
    }
    let end = index(nodes.len());
    for (last, _) in open {
        nodes[last].end = end;
    }
    (groups, nodes)
}

fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
