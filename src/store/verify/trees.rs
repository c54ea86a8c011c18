//! Walks the trees: first to learn which chunks there are, then to hold what nodes say against
//! what was found below them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::model::{ChunkId, Manifest, PartManifest};
use crate::store::gc::reach;
use crate::store::verify::findings::{Findings, NodeSums};
use crate::store::{StoreError, layout};
use crate::tree::{ChunkSource, Entry, Node};

/// Reads every node of these backups, and notes their leaves as to be read.
pub fn find_nodes(findings: &mut Findings, manifests: &[Manifest]) -> Result<(), StoreError> {
    for part in manifests.iter().flat_map(Manifest::trees) {
        descend(findings, part.root, None)?;
    }
    for id in reach::profiles(manifests, &findings.reader.index()) {
        if let Err(error) = findings.reader.chunk(&id) {
            findings.blame(id, error)?;
        }
    }
    Ok(())
}

fn descend(findings: &mut Findings, id: ChunkId, above: Option<u8>) -> Result<(), StoreError> {
    if findings.nodes.contains_key(&id) || findings.bad.contains_key(&id) {
        return Ok(());
    }
    let node = match node(findings, &id) {
        Ok(node) => node,
        Err(error) => return findings.blame(id, error),
    };
    // A chain of nodes whose levels do not fall could be very long.
    if above.is_some_and(|above| node.level + 1 != above) {
        findings.contradict(id, "a node is not of the level below its parent's");
        return Ok(());
    }
    findings.nodes.insert(id, NodeSums::from(&node));
    for entry in &node.entries {
        if node.level == 1 {
            for chunk in &entry.chunks {
                findings.leaves.entry(*chunk).or_insert(None);
            }
        } else {
            descend(findings, entry.chunks[0], Some(node.level))?;
        }
    }
    Ok(())
}

fn node(findings: &Findings, id: &ChunkId) -> Result<Node, StoreError> {
    Ok(Node::parse(id, &findings.reader.chunk(id)?)?)
}

/// The chunks below a node that are not right.
type Below = Arc<BTreeSet<ChunkId>>;

/// What was found below each node, for leaves of this many columns in each group.
type Known = HashMap<(ChunkId, Vec<usize>), Below>;

/// Checks all sums, and says which datasets the damage affects.
pub fn judge(findings: &mut Findings, manifests: &[Manifest]) -> Result<(), StoreError> {
    let mut known = Known::new();
    for manifest in manifests {
        if let Some(profile) = manifest.profile.chunk().filter(|id| findings.bad.contains_key(id)) {
            let whose = manifest.all_datasets().into_iter();
            let whose = whose.map(|dataset| (manifest.backup_id.clone(), dataset));
            findings.affects.entry(profile).or_default().extend(whose);
        }
        for part in manifest.trees() {
            let who = (manifest.backup_id.clone(), part.dataset.clone());
            let table = manifest.table(&part.table);
            let groups = table.map(|table| table.groups.iter().map(Vec::len).collect());
            let groups: Vec<usize> = groups.unwrap_or_default();
            let below = below(findings, &mut known, part.root, &groups)?;
            for chunk in below.iter() {
                findings.affects.entry(*chunk).or_default().insert(who.clone());
            }
            if let Some(what) = findings.nodes.get(&part.root).and_then(|root| wrong(root, part)) {
                let what = format!("{}, part {}: {what}", layout::manifest(&who.0), part.name);
                findings.contradictions.push((what, [who].into()));
            }
        }
    }
    Ok(())
}

/// What the root of a part's tree cannot be, or does not count.
fn wrong(root: &NodeSums, part: &PartManifest) -> Option<&'static str> {
    if (root.rows, root.bytes) != (part.rows, part.bytes) {
        return Some("its tree has other rows or bytes than the manifest says");
    }
    let empty = root.children == 0;
    if root.level > 1 && root.children < 2 || empty != (root.rows == 0) {
        return Some("its root cannot be that of a tree");
    }
    None
}

fn below(
    findings: &mut Findings,
    known: &mut Known,
    id: ChunkId,
    groups: &[usize],
) -> Result<Below, StoreError> {
    if let Some(below) = known.get(&(id, groups.to_vec())) {
        return Ok(below.clone());
    }
    let mut bad = BTreeSet::new();
    if findings.bad.contains_key(&id) {
        bad.insert(id);
    } else {
        let node = node(findings, &id)?;
        for entry in &node.entries {
            if node.level == 1 {
                bad.extend(bad_leaf(findings, entry, groups));
            } else {
                let child = entry.chunks[0];
                compare(findings, node.level, entry);
                bad.extend(below(findings, known, child, groups)?.iter());
            }
        }
    }
    let below = Arc::new(bad);
    known.insert((id, groups.to_vec()), below.clone());
    Ok(below)
}

/// Holds a child's sums against what its parent says of it.
fn compare(findings: &mut Findings, level: u8, entry: &Entry) {
    let Some(child) = findings.nodes.get(&entry.chunks[0]) else {
        return;
    };
    let found = (child.level, child.rows, child.bytes, &child.last_key);
    if found != (level - 1, entry.rows, entry.bytes, &entry.last_key) || child.children == 0 {
        findings.contradict(entry.chunks[0], "a node does not count what its parent says");
    }
}

/// The chunks of a leaf that are not right.
fn bad_leaf(findings: &mut Findings, entry: &Entry, groups: &[usize]) -> Vec<ChunkId> {
    let bad: Vec<_> =
        entry.chunks.iter().filter(|id| findings.bad.contains_key(*id)).copied().collect();
    let leaves = entry.chunks.iter().filter_map(|id| findings.leaves.get(id).copied().flatten());
    let leaves: Vec<_> = leaves.collect();
    let right = leaves.iter().all(|leaf| leaf.rows == entry.rows)
        && leaves.iter().map(|leaf| leaf.bytes).sum::<u64>() == entry.bytes
        && leaves.iter().map(|leaf| leaf.columns).eq(groups.iter().copied());
    if !bad.is_empty() || right {
        return bad;
    }
    let first = entry.chunks[0];
    findings
        .contradict(first, "a leaf does not hold the rows, columns and bytes that it is to hold");
    vec![first]
}
