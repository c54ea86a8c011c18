//! Pages of what a comparison found.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::SUCCESS;
use crate::engine::{self, Found, Page, RowChange};
use crate::model::{PerDataset, RowCounts};

/// Some of the rows that were found.
#[derive(Debug, Serialize, ToSchema)]
pub struct FoundChanges {
    /// Always `success`.
    status: &'static str,
    /// How many rows were found.
    total: u64,
    /// How many, by dataset.
    #[schema(value_type = BTreeMap<String, RowCounts>)]
    datasets: PerDataset<RowCounts>,
    /// The place of the first of these.
    offset: u64,
    /// The rows, by part and key.
    changes: Vec<FoundChange>,
}

/// Some nodes of the tree of networks that were found.
#[derive(Debug, Serialize, ToSchema)]
pub struct FoundTree {
    /// Always `success`.
    status: &'static str,
    /// How many rows of the whole tree were found.
    rows: u64,
    /// How many nodes there are in this place of the tree.
    total: u64,
    /// The place of the first of these.
    offset: u64,
    /// Groups by name; within a group the networks by address, those that name none last.
    nodes: Vec<FoundNode>,
}

/// A row that differs, with what it can be told by.
#[derive(Debug, Serialize, ToSchema)]
pub struct FoundChange {
    #[serde(flatten)]
    change: RowChange,
    /// Columns that tell the row apart, by name, also where they did not change.
    identity: BTreeMap<String, String>,
}

/// A node of the tree.
#[derive(Debug, Serialize, ToSchema)]
pub struct FoundNode {
    /// What `below` names it by; null for a group.
    place: Option<u64>,
    /// Its group, such as a VRF; empty if it is in none.
    group: String,
    /// Its row; null for a group.
    change: Option<FoundChange>,
    /// How many nodes are right below it.
    children: u64,
    /// What was found in it, itself included.
    counts: RowCounts,
}

impl FoundChanges {
    /// This page of what was found.
    pub fn new(found: &Found, offset: u64, page: Page<engine::FoundChange>) -> Self {
        let changes = page.items.into_iter().map(FoundChange::from).collect();
        let datasets = found.counts.clone();
        Self { status: SUCCESS, total: page.total, datasets, offset, changes }
    }
}

impl FoundTree {
    /// This page of what was found.
    pub fn new(found: &Found, offset: u64, page: Page<engine::FoundNode>) -> Self {
        let (rows, total) = (found.rows_in_tree(), page.total);
        let nodes = page.items.into_iter().map(FoundNode::from).collect();
        Self { status: SUCCESS, rows, total, offset, nodes }
    }
}

impl From<engine::FoundChange> for FoundChange {
    fn from(found: engine::FoundChange) -> Self {
        let engine::FoundChange { change, identity } = found;
        Self { change, identity }
    }
}

impl From<engine::FoundNode> for FoundNode {
    fn from(node: engine::FoundNode) -> Self {
        let engine::FoundNode { place, group, change, children, counts } = node;
        Self { place, group, change: change.map(FoundChange::from), children, counts }
    }
}
