//! Reads the rows of a part, in key order, as blocks of COPY text.

use futures::TryStreamExt;
use tokio::sync::mpsc::Sender;

use super::error::{DatabaseError, While};
use super::session::Session;
use super::sql;
use crate::model::{Part, Table};

/// A block holds at least so many bytes, unless it is the last.
const BLOCK: usize = 128 << 10;

impl Session {
    /// Sends all rows of the part, whole rows with their line ends, in blocks. Returns when all
    /// were sent, or the receiver went away.
    ///
    /// # Errors
    /// If the table cannot be read or the connection is lost.
    pub async fn copy_part(
        &mut self,
        part: &Part,
        table: &Table,
        blocks: &Sender<Vec<u8>>,
    ) -> Result<(), DatabaseError> {
        let what = || format!("read the table {}", part.table);
        let statement = format!(
            "COPY (SELECT {} FROM {} WHERE {} ORDER BY {}) TO STDOUT",
            sql::names(table.column_names()),
            sql::name(part.table),
            part.condition,
            sql::key_order(table)
        );
        let mut stream = self.raw().copy_out_raw(&statement).await.trying(what())?;
        let mut block = Vec::with_capacity(2 * BLOCK);
        while let Some(data) = stream.try_next().await.trying(what())? {
            block.extend_from_slice(&data);
            if block.len() >= BLOCK {
                let full = std::mem::replace(&mut block, Vec::with_capacity(2 * BLOCK));
                if blocks.send(full).await.is_err() {
                    return Ok(());
                }
            }
        }
        // A receiver that went away has its own reason to tell.
        let _ = blocks.send(block).await;
        Ok(())
    }
}
