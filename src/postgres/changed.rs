//! Reads what changed in a table since an earlier snapshot: by the transaction that wrote each row version.

use std::sync::Arc;

use tokio::sync::mpsc::Sender;

use super::copy_out::Pages;
use super::error::{DatabaseError, While};
use super::session::Session;
use super::sql;
use crate::model::{Part, ReadPoint, Table, TablePoint};

/// So many row versions are fetched by their places; more by a second pass over the table.
const FEW: usize = 5_000;

/// The row versions of a table that were written since an earlier snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// All rows of the table.
    pub rows: u64,
    /// Those that were written since, or may have been.
    pub written: u64,
    /// The condition that they meet.
    condition: String,
    /// Whether it names their places.
    by_place: bool,
}

/// The condition that a row version was written by a transaction that is not older than `point`. It compares
/// ages, as ids of 32 bits begin anew. The age of the oldest is asked for once.
fn since(point: &ReadPoint) -> String {
    let oldest = point.oldest_running & u64::from(u32::MAX);
    format!("age(xmin) <= (SELECT age('{oldest}'::xid))")
}

impl Session {
    /// Counts the rows of a table, and finds those that were written since `base`: both in one pass over
    /// the heap. Within a transaction.
    ///
    /// # Errors
    /// If the table cannot be read or the connection is lost.
    pub async fn find_changed(
        &mut self,
        table: &Table,
        (base, now): (&ReadPoint, &TablePoint),
    ) -> Result<Changed, DatabaseError> {
        let since = since(base);
        // Two partitions have rows at the same place.
        let few = if now.files.len() == 1 { FEW } else { 0 };
        let query = format!(
            "SELECT rows, coalesce(cardinality(places), 0)::int8, places[1:{few}]::text[]
             FROM (SELECT count(*) AS rows, array_agg(ctid) FILTER (WHERE {since}) AS places FROM {}) AS found",
            sql::table(table)
        );
        let what = format!("look for changed rows of {}", table.name);
        let row: (i64, i64, Option<Vec<String>>) = self.row(query).await.trying(&what)?;
        let (rows, written) = (row.0.unsigned_abs(), row.1.unsigned_abs());
        let places = row.2.filter(|places| !places.is_empty() && places.len() as u64 == written);
        let by_place = places.is_some();
        let condition = match places {
            Some(places) => {
                format!("ctid = ANY ({}::tid[])", sql::literal(&format!("{{{}}}", quoted(&places))))
            }
            None => since,
        };
        Ok(Changed { rows, written, condition, by_place })
    }

    /// Sends the rows that changed, as [`Session::copy_table`] does.
    ///
    /// # Errors
    /// If the table cannot be read or the connection is lost.
    pub async fn copy_changed(
        &mut self,
        table: &Table,
        parts: &[Arc<Part>],
        changed: &Changed,
        blocks: &Sender<Vec<u8>>,
    ) -> Result<(), DatabaseError> {
        if changed.written == 0 {
            return Ok(());
        }
        let what = format!("read changed rows of {}", table.name);
        let columns = sql::names(table.column_names());
        if !changed.by_place {
            return self
                .copy_rows((table, parts), &columns, &changed.condition, &what, blocks)
                .await;
        }
        // Only here: see the settings.
        self.run("SET LOCAL enable_tidscan = on".into()).await.trying(&what)?;
        self.copy_rows((table, parts), &columns, &changed.condition, &what, blocks).await?;
        self.run("SET LOCAL enable_tidscan = off".into()).await.trying(&what)?;
        Ok(())
    }

    /// Sends the keys of all rows of the table in these pages, as [`Session::copy_table`] sends whole rows.
    ///
    /// # Errors
    /// If the table cannot be read or the connection is lost.
    pub async fn copy_keys(
        &mut self,
        table: &Table,
        parts: &[Arc<Part>],
        pages: Pages,
        blocks: &Sender<Vec<u8>>,
    ) -> Result<(), DatabaseError> {
        let what = format!("read the keys of {}", table.name);
        let columns = sql::names(table.key_names());
        self.copy_rows((table, parts), &columns, &pages.condition(), &what, blocks).await
    }
}

/// Places as the elements of an array's text.
fn quoted(places: &[String]) -> String {
    places.iter().map(|place| format!("\"{place}\"")).collect::<Vec<_>>().join(",")
}
