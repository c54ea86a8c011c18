//! A tree with some changes: only what lies around them is read and made again.
//!
//! A subtree that no change falls into is taken over as it is, if the new tree's chunks end where it begins.
//! Then it leaves the builder just as its rows would: it ended by its keys, not because the rows did. That is
//! not so on the right edge of the tree, which is therefore always opened.

use super::cursor::{Cursor, Head};
use super::row::{Key, Row};
use super::split::Splitter;
use super::{BuildError, ChunkSink, ChunkSource, Layout, Root, TreeBuilder};
use crate::model::ChunkId;

/// Makes the tree that has these rows, or lacks those of which there is none, and else the rows of the tree
/// with this root. The changes come in key order. The root is the one that building the tree anew gives.
///
/// # Errors
/// If a chunk cannot be read or stored, or a change does not fit the layout or the order.
pub fn patch<C, S>(
    (layout, splitter): (&Layout, Splitter),
    (source, root): (C, &ChunkId),
    changes: impl IntoIterator<Item = (Key, Option<Row>)>,
    sink: &mut S,
) -> Result<Root, BuildError<S::Error>>
where
    C: ChunkSource<Error = S::Error>,
    S: ChunkSink,
{
    let mut builder = TreeBuilder::new(layout, splitter);
    let mut cursor = Cursor::new(source, layout, root).map_err(BuildError::Source)?;
    let edge = cursor.last_key().cloned();
    let mut changes = changes.into_iter().peekable();
    loop {
        let next = changes.peek().map(|(key, _)| key);
        match cursor.head() {
            Head::End => break,
            Head::Subtree(level, entry) => {
                let changes = next.is_some_and(|key| *key <= entry.last_key);
                let is_edge = edge.as_ref() == Some(&entry.last_key);
                if changes || is_edge || !builder.ends_before(level) {
                    cursor.open().map_err(BuildError::Source)?;
                } else {
                    builder.push_subtree(level, entry.clone(), sink)?;
                    cursor.skip();
                }
            }
            Head::Row(key) => {
                if next.is_some_and(|next| next < key) {
                    push_next(&mut builder, &mut changes, sink)?;
                    continue;
                }
                let replaced = next.is_some_and(|next| next == key);
                let row = cursor.take_row().map_err(BuildError::Source)?;
                if replaced {
                    push_next(&mut builder, &mut changes, sink)?;
                } else if let Some((key, row)) = row {
                    builder.push_keyed(&key, &row, sink)?;
                }
            }
        }
    }
    while changes.peek().is_some() {
        push_next(&mut builder, &mut changes, sink)?;
    }
    builder.finish(sink)
}

/// Adds the row of the next change, if it has one.
fn push_next<S: ChunkSink>(
    builder: &mut TreeBuilder<'_>,
    changes: &mut impl Iterator<Item = (Key, Option<Row>)>,
    sink: &mut S,
) -> Result<(), BuildError<S::Error>> {
    match changes.next() {
        Some((key, Some(row))) => builder.push_keyed(&key, &row, sink),
        _ => Ok(()),
    }
}
