//! Temporary tables that hold the changes: one for each table, filled by COPY.

use tokio::sync::mpsc::Receiver;

use crate::model::{Part, Schema, Table};
use crate::postgres::error::{DatabaseError, While};
use crate::postgres::{Session, sql};
use crate::tree::{Change, Layout, fields};

/// The staged changes of a table: `rewind_op` is `i`, `u` or `d` as seen from `rewind_part`, or, once the
/// deletes are done, from the table; and `rewind_touch` tells an `u` that changes nothing but the time of the last touch.
pub fn staging(table: &Table) -> String {
    format!("pg_temp.{}", sql::name(&format!("rewind_{}", table.name)))
}

/// The keys of live rows that go before anything is written.
pub fn doomed(table: &Table) -> String {
    format!("pg_temp.{}", sql::name(&format!("rewind_doomed_{}", table.name)))
}

/// Turns changes into lines of the staging tables.
#[derive(Debug)]
pub struct Staging<'t> {
    part: &'static str,
    table: &'t Table,
    layout: Layout,
}

impl<'t> Staging<'t> {
    /// Lines for changes of this part.
    #[must_use]
    pub fn new(part: &'static Part, table: &'t Table) -> Self {
        Self { part: part.name, table, layout: Layout::from(table) }
    }

    /// Appends the line of one change.
    pub fn write(&self, change: &Change, out: &mut Vec<u8>) {
        let op = match (&change.old, &change.new) {
            (None, _) => b'i',
            (Some(_), Some(_)) => b'u',
            (Some(_), None) => b'd',
        };
        let touch = change.counts(&self.layout).touched > 0;
        out.push(op);
        out.push(b'\t');
        out.extend_from_slice(self.part.as_bytes());
        out.extend_from_slice(if touch { b"\tt" } else { b"\tf" });
        match (&change.new, &change.old) {
            (Some(row), _) => {
                out.push(b'\t');
                out.extend_from_slice(row);
            }
            (None, row) => self.write_key(row.as_deref().unwrap_or_default(), out),
        }
        out.push(b'\n');
    }

    /// The key's fields, and nothing in place of the others.
    fn write_key(&self, row: &[u8], out: &mut Vec<u8>) {
        let key = self.table.key.len();
        for field in fields(row).take(key) {
            out.push(b'\t');
            out.extend_from_slice(field);
        }
        for _ in key..self.table.columns.len() {
            out.extend_from_slice(b"\t\\N");
        }
    }
}

impl Session {
    /// Makes the empty staging tables; they go with the transaction.
    ///
    /// # Errors
    /// If the role may not make temporary tables in this database.
    pub async fn create_staging(&mut self, schema: &Schema) -> Result<(), DatabaseError> {
        for table in &schema.tables {
            let create = format!(
                "CREATE TEMPORARY TABLE {} ON COMMIT DROP AS
                 SELECT 'i'::text AS rewind_op, ''::text AS rewind_part, false AS rewind_touch, {}
                 FROM {} WITH NO DATA;
                 ALTER TABLE {0} ADD rewind_chosen bool DEFAULT false",
                staging(table),
                sql::names(table.column_names()),
                sql::table(table),
            );
            self.run(create).await.trying("make temporary tables")?;
        }
        Ok(())
    }

    /// Copies lines of [`Staging::write`] until the sender is done.
    ///
    /// # Errors
    /// If a value is not of its column's type any more, or the connection is lost.
    pub async fn stage(
        &mut self,
        table: &Table,
        mut lines: Receiver<Vec<u8>>,
    ) -> Result<(), DatabaseError> {
        let what = || format!("stage the changes of {}", table.name);
        let statement = format!(
            "COPY {} (rewind_op, rewind_part, rewind_touch, {}) FROM STDIN",
            staging(table),
            sql::names(table.column_names())
        );
        let mut copy = self.raw().copy_in_raw(&statement).await.trying(what())?;
        while let Some(block) = lines.recv().await {
            copy.send(block).await.trying(what())?;
        }
        copy.finish().await.trying(what())?;
        Ok(())
    }

    /// Lets the planner know what is staged. No index: whole sets are joined.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn analyze_staging(&mut self, schema: &Schema) -> Result<(), DatabaseError> {
        let tables = schema.tables.iter().map(staging).collect::<Vec<_>>();
        self.run(format!("ANALYZE {}", tables.join(", "))).await.trying("analyze the changes")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Column, KeyColumn, KeyKind};

    fn table() -> Table {
        let column = |name: &str| Column {
            name: name.into(),
            type_name: "text".into(),
            position: 1,
            identity: None,
        };
        Table {
            name: "vrf".into(),
            namespace: None,
            columns: vec![column("vrf_id"), column("description"), column("tags")],
            key: vec![KeyColumn { column: "vrf_id".into(), kind: KeyKind::Text }],
            groups: vec![vec![0, 1, 2]],
            unique: vec![],
            loose_unique: false,
            foreign_keys: vec![],
            triggers: vec![],
            sequences: vec![],
        }
    }

    #[test]
    fn a_row_that_goes_is_staged_by_its_key_alone() {
        let table = table();
        let staging = Staging::new(Part::named("vrfs").expect("a part"), &table);
        let mut out = Vec::new();
        let (old, new) = (Some(b"a\tb\t{}".to_vec()), Some(b"a\tc\t{}".to_vec()));
        let change = Change { key: b"a".to_vec(), old: old.clone(), new: None };
        staging.write(&change, &mut out);
        staging.write(&Change { old, new: new.clone(), ..change.clone() }, &mut out);
        staging.write(&Change { old: None, new, ..change }, &mut out);
        let lines = "d\tvrfs\tf\ta\t\\N\t\\N\nu\tvrfs\tf\ta\tc\t{}\ni\tvrfs\tf\ta\tc\t{}\n";
        assert_eq!(String::from_utf8_lossy(&out), lines);
    }
}
