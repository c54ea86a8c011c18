//! Splits what COPY sends into rows, each with the part that it belongs to.

use memchr::memchr;
use tokio::sync::mpsc::Receiver;

use crate::engine::EngineError;
use crate::engine::progress::ProgressSender;

/// Blocks that may wait between the database and the thread that takes the rows.
pub const QUEUE: usize = 4;

/// Gives each row of these blocks of whole or cut rows, with the number of its part, of so many. Blocks.
///
/// # Errors
/// What `take` answers.
pub fn each_row(
    mut blocks: Receiver<Vec<u8>>,
    parts: usize,
    progress: &ProgressSender,
    mut take: impl FnMut(usize, &[u8]) -> Result<(), EngineError>,
) -> Result<Taken, EngineError> {
    let mut cut = Vec::new();
    while let Some(block) = blocks.blocking_recv() {
        let (mut rest, mut rows, mut bytes) = (&block[..], 0, 0);
        while let Some(end) = memchr(b'\n', rest) {
            let row = if cut.is_empty() {
                &rest[..end]
            } else {
                cut.extend_from_slice(&rest[..end]);
                &cut[..]
            };
            let Some((part, row)) = part_of(row).filter(|(part, _)| *part < parts) else {
                return Ok(Taken::NoPart);
            };
            take(part, row)?;
            bytes += row.len() + 1;
            cut.clear();
            rest = &rest[end + 1..];
            rows += 1;
        }
        cut.extend_from_slice(rest);
        progress.advance(rows, bytes as u64);
    }
    Ok(Taken::All)
}

/// What became of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Each was taken.
    All,
    /// One of them belongs to no part.
    NoPart,
}

/// The number of the part that stands before a row, and the row after the tab.
fn part_of(row: &[u8]) -> Option<(usize, &[u8])> {
    let end = memchr(b'\t', row)?;
    let part = std::str::from_utf8(&row[..end]).ok()?.parse().ok()?;
    Some((part, &row[end + 1..]))
}
