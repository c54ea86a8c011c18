//! The states that a power loss after each change may leave, each once.

use std::collections::{BTreeMap, BTreeSet};

use ipam_rewind::model::{BackupId, Hash};

use super::model::{Disk, Fate, Torn, Tree};
use super::story::{Promised, Story};
use crate::support::recorder::Change;

/// Up to so many pending changes of entries every choice is made up; of more, a sample.
const ALL_CHOICES: usize = 5;
const SAMPLE: u64 = 24;

/// A state, and what must be so in it.
pub struct Found {
    pub tree: Tree,
    /// The moment when the power was lost.
    pub after: String,
    pub there: Vec<BackupId>,
    pub gone: Vec<BackupId>,
    pub pinned: Vec<BackupId>,
}

/// All of them, in an order that is always the same and has nothing to do with time.
pub struct States {
    pub found: Vec<Found>,
}

impl States {
    pub fn of(story: &Story) -> Self {
        Self::made(story, |_| true)
    }

    /// As if folders were synced only after something in them got its name, and not after a removal.
    pub fn without_durable_removals(story: &Story) -> Self {
        let mut named = false;
        let counts = move |change: &Change| {
            named = matches!(change, Change::Rename { .. } | Change::Folder { .. })
                || named && matches!(change, Change::Sync { .. });
            named || !matches!(change, Change::Sync { .. })
        };
        // The content of a file is synced before it gets its name.
        let mut open = BTreeSet::new();
        let mut counts = counts;
        Self::made(story, move |change| {
            if let Change::Write { inode, .. } = change {
                open.insert(*inode);
            }
            let counted = counts(change);
            counted || matches!(change, Change::Sync { inode } if open.remove(inode))
        })
    }

    fn made(story: &Story, mut counts: impl FnMut(&Change) -> bool) -> Self {
        let mut disk = Disk::new(story.root);
        let mut found = BTreeMap::new();
        for step in &story.steps {
            for (n, change) in step.changes.iter().enumerate() {
                let after = format!("{}, change {n} ({})", step.name, brief(change));
                if counts(change) {
                    disk.apply(change);
                }
                add(&mut found, &disk, &after, &step.during);
            }
        }
        add(&mut found, &disk, "the end", &story.promised);
        Self { found: found.into_values().collect() }
    }

    /// So many of them, evenly spread.
    pub fn sample(&self, count: usize) -> impl Iterator<Item = &Found> {
        let of = self.found.len();
        (0..count.min(of)).map(move |n| &self.found[n * of / count.min(of)])
    }
}

/// A change without its bytes.
fn brief(change: &Change) -> String {
    format!("{change:?}").chars().take(120).collect()
}

fn add(found: &mut BTreeMap<Hash, Found>, disk: &Disk, after: &str, promised: &Promised) {
    for entries in choices(disk.pending_entries()) {
        for content in Torn::ALL {
            let tree = disk.after(Fate { entries, content });
            // What was promised is part of the state: the same files may be right before a step and
            // wrong after it.
            let name = name(&tree, promised);
            let Promised { there, gone, pinned } = promised.clone();
            let after = format!("{after}, {entries:b} {content:?}");
            found.entry(name).or_insert(Found { tree, after, there, gone, pinned });
        }
    }
}

/// The same for two states with the same files and the same promises.
fn name(tree: &Tree, promised: &Promised) -> Hash {
    let mut text = format!("{promised:?}").into_bytes();
    for (path, content) in tree {
        text.extend_from_slice(path.as_bytes());
        let length = content.as_ref().map_or(u64::MAX, |bytes| bytes.len() as u64);
        text.extend_from_slice(&[&[0], &length.to_le_bytes()[..]].concat());
        text.extend_from_slice(content.as_deref().unwrap_or_default());
    }
    Hash::of(&text)
}

/// Which pending changes are kept: every choice of a few; of many none, all, all but one, one alone
/// and some by chance, always the same.
fn choices(pending: usize) -> Vec<u64> {
    if pending <= ALL_CHOICES {
        return (0..1 << pending).collect();
    }
    let bits = pending.min(63);
    let all = (1_u64 << bits) - 1;
    let single = (0..bits).map(|bit| 1_u64 << bit);
    let chance = (0..SAMPLE).map(|n| {
        let hash = Hash::of(&n.to_le_bytes());
        let (first, _) = hash.0.split_first_chunk().expect("32 are more than 8 bytes");
        u64::from_le_bytes(*first) & all
    });
    let single: Vec<_> = single.collect();
    let others = single.iter().map(|bit| all & !bit);
    [0, all].into_iter().chain(single.iter().copied()).chain(others).chain(chance).collect()
}
