//! A file system that may lose its power: what is certainly on the disk, and what may be.
//!
//! Durable is only what was asked for: the content of a file by a sync of the file, the entries of a
//! folder by a sync of that folder. Whatever came since may be there or not, each change by itself,
//! in any order; the content of a file may also be torn. Real file systems lose less.

use std::collections::{BTreeMap, HashMap};

use crate::support::recorder::Change;

type Id = usize;

/// A change of a folder's entries.
#[derive(Debug, Clone)]
enum Entry {
    Add { name: String, id: Id },
    Remove { name: String },
    Move { from: String, to: String, id: Id },
}

/// A change of a file's content.
#[derive(Debug, Clone)]
enum Content {
    Write { at: usize, bytes: Vec<u8> },
    Truncate(usize),
}

#[derive(Debug, Clone)]
enum Node {
    File { durable: Vec<u8>, pending: Vec<Content> },
    Folder { durable: BTreeMap<String, Id>, pending: Vec<Entry> },
}

/// The files below a folder.
#[derive(Debug, Clone)]
pub struct Disk {
    nodes: Vec<Node>,
    numbers: HashMap<u64, Id>,
}

/// What is found after the power came back: the bytes of each file, nothing for a folder.
pub type Tree = BTreeMap<String, Option<Vec<u8>>>;

/// What became of each pending change. Bit n of `entries` is the nth change of entries, counted over all folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fate {
    /// Changes of entries that are kept.
    pub entries: u64,
    /// What became of unsynced content.
    pub content: Torn,
}

/// What became of content that was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Torn {
    Lost,
    Kept,
    /// The last write got half way.
    Half,
    /// The length is there, the bytes are not.
    Zeros,
}

impl Torn {
    pub const ALL: [Self; 4] = [Self::Lost, Self::Kept, Self::Half, Self::Zeros];
}

const ROOT: Id = 0;

/// Whether a path is in the folder of the locks.
pub fn is_lock(path: &str) -> bool {
    path.trim_start_matches('/').split('/').next() == Some("locks")
}

impl Disk {
    /// An empty folder, which is durable.
    pub fn new(root: u64) -> Self {
        let folder = Node::Folder { durable: BTreeMap::new(), pending: Vec::new() };
        Self { nodes: vec![folder], numbers: HashMap::from([(root, ROOT)]) }
    }

    pub fn apply(&mut self, change: &Change) {
        match change {
            // Locks need not outlast the machine; without them nothing is lost.
            Change::Create { path, inode } | Change::Folder { path, inode } if is_lock(path) => {
                self.numbers.remove(inode);
            }
            Change::Remove { path } if is_lock(path) => {}
            Change::Create { path, inode } => {
                let file = Node::File { durable: Vec::new(), pending: Vec::new() };
                self.add(path, *inode, file);
            }
            Change::Folder { path, inode } => {
                let folder = Node::Folder { durable: BTreeMap::new(), pending: Vec::new() };
                self.add(path, *inode, folder);
            }
            Change::Write { inode, at, bytes } => {
                self.write(*inode, Content::Write { at: *at, bytes: bytes.clone() });
            }
            Change::Truncate { inode, length } => self.write(*inode, Content::Truncate(*length)),
            Change::Sync { inode } => self.sync(*inode),
            Change::Rename { from, to } => {
                let id = self.find(from).expect("it is there");
                let ((folder, from), (other, to)) = (self.place(from), self.place(to));
                assert_eq!(folder, other, "a rename between folders is not modelled");
                self.enter(folder, Entry::Move { from, to, id });
            }
            Change::Link { from, to } => {
                let id = self.find(from).expect("it is there");
                let (folder, name) = self.place(to);
                self.enter(folder, Entry::Add { name, id });
            }
            Change::Remove { path } => {
                let (folder, name) = self.place(path);
                self.enter(folder, Entry::Remove { name });
            }
        }
    }

    fn add(&mut self, path: &str, inode: u64, node: Node) {
        let id = self.nodes.len();
        self.nodes.push(node);
        // A number is given again once its file is gone.
        self.numbers.insert(inode, id);
        let (folder, name) = self.place(path);
        self.enter(folder, Entry::Add { name, id });
    }

    fn write(&mut self, inode: u64, change: Content) {
        let Some(id) = self.numbers.get(&inode) else { return };
        match &mut self.nodes[*id] {
            Node::File { pending, .. } => pending.push(change),
            Node::Folder { .. } => panic!("a folder is not written to"),
        }
    }

    fn sync(&mut self, inode: u64) {
        let Some(id) = self.numbers.get(&inode) else { return };
        match &mut self.nodes[*id] {
            Node::File { durable, pending } => {
                for change in pending.drain(..) {
                    change.apply(durable);
                }
            }
            Node::Folder { durable, pending } => {
                for change in pending.drain(..) {
                    change.apply(durable);
                }
            }
        }
    }

    fn enter(&mut self, folder: Id, entry: Entry) {
        match &mut self.nodes[folder] {
            Node::Folder { pending, .. } => pending.push(entry),
            Node::File { .. } => panic!("a file has no entries"),
        }
    }

    /// The folder that an entry is in, and its name there.
    fn place(&self, path: &str) -> (Id, String) {
        let (folder, name) = path.rsplit_once('/').expect("paths begin with a slash");
        (self.find(folder).expect("its folder is there"), name.to_owned())
    }

    /// What the running program sees at a path.
    fn find(&self, path: &str) -> Option<Id> {
        let names = path.split('/').filter(|name| !name.is_empty());
        names.into_iter().try_fold(ROOT, |folder, name| {
            let Node::Folder { durable, pending } = &self.nodes[folder] else { return None };
            let mut entries = durable.clone();
            for entry in pending {
                entry.clone().apply(&mut entries);
            }
            entries.get(name).copied()
        })
    }

    /// How many changes of entries may be lost.
    pub fn pending_entries(&self) -> usize {
        let pending = |node: &Node| match node {
            Node::Folder { pending, .. } => pending.len(),
            Node::File { .. } => 0,
        };
        self.nodes.iter().map(pending).sum()
    }

    /// What is found if the power is lost now and this becomes of the pending changes.
    pub fn after(&self, fate: Fate) -> Tree {
        let mut first = 0;
        let mut kept: HashMap<Id, BTreeMap<String, Id>> = HashMap::new();
        for (id, node) in self.nodes.iter().enumerate() {
            let Node::Folder { durable, pending } = node else { continue };
            let mut entries = durable.clone();
            for entry in pending {
                if first >= 64 || fate.entries & (1 << first) != 0 {
                    entry.clone().apply(&mut entries);
                }
                first += 1;
            }
            kept.insert(id, entries);
        }
        let mut tree = Tree::new();
        self.collect(ROOT, "", &kept, fate.content, &mut tree);
        tree
    }

    fn collect(
        &self,
        folder: Id,
        path: &str,
        kept: &HashMap<Id, BTreeMap<String, Id>>,
        torn: Torn,
        tree: &mut Tree,
    ) {
        for (name, id) in &kept[&folder] {
            let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            match &self.nodes[*id] {
                Node::File { durable, pending } => {
                    tree.insert(path, Some(content(durable, pending, torn)));
                }
                Node::Folder { .. } => {
                    tree.insert(path.clone(), None);
                    self.collect(*id, &path, kept, torn, tree);
                }
            }
        }
    }
}

fn content(durable: &[u8], pending: &[Content], torn: Torn) -> Vec<u8> {
    let mut bytes = durable.to_vec();
    let changes: &[Content] = if torn == Torn::Lost { &[] } else { pending };
    for (place, change) in changes.iter().enumerate() {
        let mut change = change.clone();
        if let Content::Write { bytes, .. } = &mut change {
            match torn {
                Torn::Half if place + 1 == pending.len() => bytes.truncate(bytes.len() / 2),
                Torn::Zeros => bytes.fill(0),
                _ => {}
            }
        }
        change.apply(&mut bytes);
    }
    bytes
}

impl Entry {
    fn apply(self, entries: &mut BTreeMap<String, Id>) {
        match self {
            Self::Add { name, id } => {
                entries.insert(name, id);
            }
            Self::Remove { name } => {
                entries.remove(&name);
            }
            Self::Move { from, to, id } => {
                entries.remove(&from);
                entries.insert(to, id);
            }
        }
    }
}

impl Content {
    fn apply(self, content: &mut Vec<u8>) {
        match self {
            Self::Truncate(length) => content.resize(length, 0),
            Self::Write { at, bytes } => {
                let end = at + bytes.len();
                content.resize(content.len().max(end), 0);
                content[at..end].copy_from_slice(&bytes);
            }
        }
    }
}
