//! Walks the trees: first to learn which chunks there are, then to hold what nodes say against
//! what was found below them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::Damage;
use super::findings::{Findings, NodeSums};
use crate::model::{ChunkId, Manifest};
use crate::store::StoreError;
use crate::tree::{ChunkSource, Entry, Node};

/// Reads every node of these backups, and notes their leaves as to be read.
pub fn find_nodes(findings: &mut Findings, manifests: &[Manifest]) -> Result<(), StoreError> {
    for part in manifests.iter().flat_map(|manifest| &manifest.parts) {
        descend(findings, part.root, None)?;
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

/// Checks all sums, and says which datasets the damage hurts.
pub fn judge(findings: &mut Findings, manifests: &[Manifest]) -> Result<(), StoreError> {
    let mut known: HashMap<ChunkId, Below> = HashMap::new();
    for manifest in manifests {
        for part in &manifest.parts {
            let who = (manifest.backup_id.clone(), part.dataset);
            let below = below(findings, &mut known, part.root)?;
            for chunk in below.iter() {
                findings.hurts.entry(*chunk).or_default().insert(who.clone());
            }
            let sums = findings.nodes.get(&part.root);
            if sums.is_some_and(|sums| (sums.rows, sums.bytes) != (part.rows, part.bytes)) {
                let what = format!(
                    "the tree of {} has other rows or bytes than the manifest says",
                    part.name
                );
                let hurts = BTreeSet::from([who]);
                findings.other.push(Damage { pack: None, chunk: Some(part.root), what, hurts });
            }
        }
    }
    Ok(())
}

fn below(
    findings: &mut Findings,
    known: &mut HashMap<ChunkId, Below>,
    id: ChunkId,
) -> Result<Below, StoreError> {
    if let Some(below) = known.get(&id) {
        return Ok(below.clone());
    }
    let mut bad = BTreeSet::new();
    if findings.bad.contains_key(&id) {
        bad.insert(id);
    } else {
        let node = node(findings, &id)?;
        for entry in &node.entries {
            if node.level == 1 {
                bad.extend(bad_leaf(findings, entry));
            } else {
                let child = entry.chunks[0];
                compare(findings, node.level, entry);
                bad.extend(below(findings, known, child)?.iter());
            }
        }
    }
    let below = Arc::new(bad);
    known.insert(id, below.clone());
    Ok(below)
}

/// Holds a child's sums against what its parent says of it.
fn compare(findings: &mut Findings, level: u8, entry: &Entry) {
    let Some(child) = findings.nodes.get(&entry.chunks[0]) else {
        return;
    };
    let Entry { last_key, rows, bytes, .. } = entry.clone();
    if *child != (NodeSums { level: level - 1, rows, bytes, last_key }) {
        findings.contradict(entry.chunks[0], "a node does not count what its parent says");
    }
}

/// The chunks of a leaf that are not right.
fn bad_leaf(findings: &mut Findings, entry: &Entry) -> Vec<ChunkId> {
    let bad: Vec<_> =
        entry.chunks.iter().filter(|id| findings.bad.contains_key(*id)).copied().collect();
    let groups = entry.chunks.iter().filter_map(|id| findings.leaves.get(id).copied().flatten());
    let groups: Vec<_> = groups.collect();
    let right = groups.iter().all(|(rows, _)| *rows == entry.rows)
        && groups.iter().map(|(_, bytes)| bytes).sum::<u64>() == entry.bytes;
    if !bad.is_empty() || right {
        return bad;
    }
    let first = entry.chunks[0];
    findings.contradict(first, "a leaf does not hold the rows and bytes that its node says");
    vec![first]
}
