//! One target for each parser of stored bytes. Whatever the bytes, a parser may refuse them but
//! neither panic nor reserve more memory than they can stand for. `cargo fuzz` drives the targets;
//! the tests run each of them for a bounded time.

use bytes::Bytes;
use ipam_rewind::model::ChunkId;
use ipam_rewind::store::parse;
use ipam_rewind::tree::{LeafGroup, Node};

/// A target: a name, and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 7] = [
    ("node", node),
    ("leaf", leaf),
    ("pack", pack),
    ("index", index),
    ("manifest", manifest),
    ("store", store),
    ("archive", archive),
];

/// An inner node. One that is read must be written back as it was.
pub fn node(bytes: &[u8]) {
    if let Ok(node) = Node::parse(&ChunkId::of(bytes), bytes) {
        let again = Node::parse(&ChunkId::of(bytes), &node.encode());
        assert_eq!(again.as_ref(), Ok(&node));
    }
}

/// A group of a leaf's columns.
pub fn leaf(bytes: &[u8]) {
    if let Ok(leaf) = LeafGroup::parse(&ChunkId::of(bytes), &Bytes::copy_from_slice(bytes)) {
        assert!(leaf.bytes() <= bytes.len() as u64);
    }
}

/// A pack: by its footer, and frame by frame from the front.
pub fn pack(bytes: &[u8]) {
    let _ = parse::parse_footer(bytes, bytes.len() as u64);
    let _ = parse::chunks(bytes);
}

/// An index.
pub fn index(bytes: &[u8]) {
    let _ = parse::index(bytes);
}

/// A manifest.
pub fn manifest(bytes: &[u8]) {
    let _ = parse::manifest(bytes);
}

/// The store's parameters.
pub fn store(bytes: &[u8]) {
    let _ = parse::store(bytes);
}

/// The metadata of an archive.
pub fn archive(bytes: &[u8]) {
    let _ = ipam_rewind::engine::check_archive_metadata(bytes);
}
