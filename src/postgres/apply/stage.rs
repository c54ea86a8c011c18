//! Temporary tables that hold the changes: two for each table that changes, filled by COPY.

use std::collections::BTreeSet;

use tokio::sync::mpsc::Receiver;

use super::rules::TableRules;
use super::{Apply, Rules};
use crate::model::{Part, Schema, Table};
use crate::postgres::error::{DatabaseError, Trouble, While};
use crate::postgres::sql;
use crate::tree::{Change, Layout, fields};

/// A table of the schema with its temporary tables, which are named by its number: its own name may
/// be too long to be made longer.
#[derive(Debug, Clone, Copy)]
pub struct Stage<'t> {
    /// The table's place in the schema.
    pub number: usize,
    pub table: &'t Table,
    /// What the catalog says about writing it.
    pub rules: &'t TableRules,
}

impl<'t> Stage<'t> {
    /// The table with this number.
    #[must_use]
    pub fn new(schema: &'t Schema, rules: &'t Rules, number: usize) -> Self {
        Self { number, table: &schema.tables[number], rules: &rules.tables[number] }
    }

    /// The table itself.
    pub fn live(&self) -> String {
        sql::table(self.table)
    }

    /// The staged changes. `rewind_op` is `i`, `u` or `d` as seen from `rewind_part`, and once the
    /// writing begins, as seen from the table: there `k` is an `u` whose key gets another text.
    /// `rewind_touch` tells an `u` that changes nothing but the time of the last touch,
    /// `rewind_indexed` a row that may collide in an index, `rewind_remake` an `u` that no UPDATE can
    /// make, and `rewind_wave` which rows must wait for others.
    pub fn changes(&self) -> String {
        format!("pg_temp.rewind_{}", self.number)
    }

    /// The keys of live rows that go before anything is written.
    pub fn leaving(&self) -> String {
        format!("pg_temp.rewind_leaving_{}", self.number)
    }

    /// `a.key = b.key`, by the operators of the key's index.
    pub fn same_key(&self, (a, b): (&str, &str)) -> String {
        let pair = |(column, operator): (&str, &String)| {
            format!("{a}.{0} {operator} {b}.{0}", sql::name(column))
        };
        self.table.key_names().zip(&self.rules.key).map(pair).collect::<Vec<_>>().join(" AND ")
    }

    /// Whether the key of two rows with an equal key has another text.
    pub fn other_key_text(&self, (a, b): (&str, &str)) -> String {
        let pair = |column: &str| {
            let text = |row: &str| sql::text_of(&format!("{row}.{}", sql::name(column)));
            format!("{} <> {}", text(a), text(b))
        };
        self.table.key_names().map(pair).collect::<Vec<_>>().join(" OR ")
    }

    /// The names of the key's columns, in this row.
    pub fn key_of(&self, row: &str) -> String {
        sql::names_of(row, self.table.key_names())
    }

    /// A stored column of the table as the staging table has it: a domain is stripped, since its
    /// constraints are the table's affair, and rows that go have nulls.
    fn plain(&self, column: &str) -> String {
        let name = sql::name(column);
        match self.rules.domains.iter().find(|(domain, _)| domain == column) {
            Some((_, below)) => format!("{name}::{below} AS {name}"),
            None => name,
        }
    }

    fn create(&self) -> String {
        let columns = self.table.column_names().map(|column| self.plain(column));
        format!(
            "CREATE TEMPORARY TABLE {} ON COMMIT DROP AS
             SELECT 'i'::text AS rewind_op, ''::text AS rewind_part, false AS rewind_touch,
                 true AS rewind_indexed, false AS rewind_remake, {} FROM {} WITH NO DATA;
             ALTER TABLE {0} ADD rewind_chosen bool DEFAULT false, ADD rewind_wave int DEFAULT 0",
            self.changes(),
            columns.collect::<Vec<_>>().join(", "),
            self.live(),
        )
    }
}

/// Turns changes into lines of the staging tables.
#[derive(Debug)]
pub struct Staging {
    part: String,
    key: usize,
    layout: Layout,
    /// Of each column, whether an index reads it, and whether no UPDATE can change it.
    columns: Vec<(bool, bool)>,
}

impl Staging {
    /// Lines for changes of this part.
    ///
    /// # Panics
    /// If the part's table is not in the schema.
    #[must_use]
    pub fn new(part: &Part, schema: &Schema, rules: &Rules) -> Self {
        let place = schema.tables.iter().position(|table| table.name == part.table);
        let number = place.expect("a part's table is in its schema");
        let table = &schema.tables[number];
        let (indexed, remaking) = (rules.indexed(number), rules.remaking(number, table));
        let columns =
            table.column_names().map(|name| (indexed.contains(name), remaking.contains(name)));
        Self {
            part: part.name.clone(),
            key: table.key.len(),
            layout: Layout::from(table),
            columns: columns.collect(),
        }
    }

    /// Appends the line of one change.
    pub fn write(&self, change: &Change, out: &mut Vec<u8>) {
        let op = match (&change.old, &change.new) {
            (None, _) => b'i',
            (Some(_), Some(_)) => b'u',
            (Some(_), None) => b'd',
        };
        let touch = change.counts(&self.layout).touched > 0;
        let (indexed, remake) = self.effects(change);
        out.push(op);
        out.push(b'\t');
        out.extend_from_slice(self.part.as_bytes());
        for flag in [touch, indexed, remake] {
            out.extend_from_slice(if flag { b"\tt" } else { b"\tf" });
        }
        match (&change.new, &change.old) {
            (Some(row), _) => {
                out.push(b'\t');
                out.extend_from_slice(row);
            }
            (None, row) => self.write_key(row.as_deref().unwrap_or_default(), out),
        }
        out.push(b'\n');
    }

    /// Whether the new row may collide in an index, and whether it must be made anew.
    fn effects(&self, change: &Change) -> (bool, bool) {
        let (Some(old), Some(new)) = (&change.old, &change.new) else {
            return (change.new.is_some(), false);
        };
        let cells = self.columns.iter().zip(fields(old).zip(fields(new)));
        let changed = cells.filter(|(_, (old, new))| old != new);
        changed.fold((false, false), |(indexed, remake), ((reads, makes), _)| {
            (indexed || *reads, remake || *makes)
        })
    }

    /// The key's fields, and nothing in place of the others.
    fn write_key(&self, row: &[u8], out: &mut Vec<u8>) {
        for field in fields(row).take(self.key) {
            out.push(b'\t');
            out.extend_from_slice(field);
        }
        for _ in self.key..self.columns.len() {
            out.extend_from_slice(b"\t\\N");
        }
    }
}

impl<'a> Apply<'a> {
    /// The tables that something is staged for, or that rows were dragged out of.
    pub(super) fn stages(&self) -> Vec<Stage<'a>> {
        self.staged.iter().map(|&number| self.stage_of(number)).collect()
    }

    /// The table with this number.
    pub(super) fn stage_of(&self, number: usize) -> Stage<'a> {
        Stage::new(self.schema, self.rules, number)
    }

    /// Those of these tables that something is staged for.
    pub(super) fn staged_of(&self, numbers: &[usize]) -> Vec<Stage<'a>> {
        let staged = numbers.iter().filter(|number| self.staged.contains(number));
        staged.map(|number| self.stage_of(*number)).collect()
    }

    /// Makes empty staging tables for these tables of the schema; they go with the transaction.
    ///
    /// # Errors
    /// If the role may not make temporary tables in this database.
    pub async fn create_staging(&mut self, tables: &BTreeSet<&str>) -> Result<(), DatabaseError> {
        let all = self.schema.tables.iter().enumerate();
        for (number, _) in all.filter(|(_, table)| tables.contains(table.name.as_str())) {
            self.create_stage(number).await?;
        }
        Ok(())
    }

    /// Makes the staging table of one table, unless it is there.
    pub(super) async fn create_stage(&mut self, number: usize) -> Result<(), DatabaseError> {
        if self.staged.insert(number) {
            let create = self.stage_of(number).create();
            self.run("make temporary tables", create).await?;
        }
        Ok(())
    }

    /// Copies lines of [`Staging::write`] until the sender is done.
    ///
    /// # Errors
    /// If a value is not of its column's type any more, or the connection is lost.
    ///
    /// # Panics
    /// If the part's table is not in the schema.
    pub async fn stage(
        &mut self,
        part: &Part,
        mut lines: Receiver<Vec<u8>>,
    ) -> Result<(), DatabaseError> {
        let place = self.schema.tables.iter().position(|table| table.name == part.table);
        let stage = self.stage_of(place.expect("a part's table is in its schema"));
        let what = || format!("stage the changes of {}", part.table);
        let statement = format!(
            "COPY {} (rewind_op, rewind_part, rewind_touch, rewind_indexed, rewind_remake, {})
             FROM STDIN",
            stage.changes(),
            sql::names(stage.table.column_names())
        );
        let mut copy = self.session.raw().copy_in_raw(&statement).await.trying(what())?;
        while let Some(block) = lines.recv().await {
            copy.send(block).await.map_err(Trouble::refused_row).trying(what())?;
        }
        copy.finish().await.map_err(Trouble::refused_row).trying(what())?;
        Ok(())
    }

    /// Lets the planner know what is staged. No index: whole sets are joined.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn analyze_staging(&mut self) -> Result<(), DatabaseError> {
        let tables: Vec<_> = self.stages().iter().map(Stage::changes).collect();
        if tables.is_empty() {
            return Ok(());
        }
        self.run("analyze the changes", format!("ANALYZE {}", tables.join(", "))).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Column, KeyColumn, KeyKind, Profile};

    fn schema() -> Schema {
        let column = |name: &str| Column {
            name: name.into(),
            type_name: "text".into(),
            position: 1,
            identity: None,
            generated: false,
        };
        let table = Table {
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
        };
        Schema { tables: vec![table], missing: vec![] }
    }

    #[test]
    fn a_row_that_goes_is_staged_by_its_key_alone() {
        let rules = Rules { tables: vec![TableRules::default()], ..Rules::default() };
        let staging =
            Staging::new(Profile::builtin().part("vrfs").expect("a part"), &schema(), &rules);
        let mut out = Vec::new();
        let (old, new) = (Some(b"a\tb\t{}".to_vec()), Some(b"a\tc\t{}".to_vec()));
        let change = Change { key: b"a".to_vec(), old: old.clone(), new: None };
        staging.write(&change, &mut out);
        staging.write(&Change { old, new: new.clone(), ..change.clone() }, &mut out);
        staging.write(&Change { old: None, new, ..change }, &mut out);
        let lines = "d\tvrfs\tf\tf\tf\ta\t\\N\t\\N\nu\tvrfs\tf\tf\tf\ta\tc\t{}\n\
                     i\tvrfs\tf\tt\tf\ta\tc\t{}\n";
        assert_eq!(String::from_utf8_lossy(&out), lines);
    }
}
