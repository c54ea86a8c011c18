//! Finds the live rows that must go before anything is written.
//!
//! A row that changes is updated in place, unless that cannot be: it holds a unique value that
//! another row gets (an index checks row by row, so even a swap would fail), or a column changes
//! that only the database numbers, or by which rows refer to it. Such a row is deleted and made
//! anew, and with it, step by step, every row that refers to it, since a reference may be
//! `RESTRICT`, which fires at once.

use super::Apply;
use super::stage::{doomed, staging};
use crate::model::{ForeignKey, Table};
use crate::postgres::catalog::OutsideReference;
use crate::postgres::error::DatabaseError;
use crate::postgres::sql;

const CANNOT: &str = "find the rows that must go first";

impl Apply<'_> {
    /// Fills the tables of doomed keys, and stages those rows that come back as they are.
    pub(super) async fn uproot(
        &mut self,
        outside: &[OutsideReference],
    ) -> Result<(), DatabaseError> {
        let tables = &self.schema.tables;
        let inside = tables.iter().flat_map(|table| &table.foreign_keys);
        let references: Vec<_> = inside.chain(outside.iter().map(|it| &it.key)).collect();
        let mut any = 0;
        for table in &self.schema.tables {
            any += self.run(CANNOT, seeds(table, &references)).await?;
            for columns in &table.unique {
                any += self.run(CANNOT, holders(table, columns)).await?;
            }
        }
        if any == 0 {
            return Ok(());
        }
        self.follow_references().await?;
        for table in &self.schema.tables {
            self.run(CANNOT, stage_dragged(table)).await?;
        }
        Ok(())
    }

    /// Adds what refers to doomed rows, until nothing more does.
    async fn follow_references(&mut self) -> Result<(), DatabaseError> {
        loop {
            let mut added = 0;
            for child in &self.schema.tables {
                for key in &child.foreign_keys {
                    let Some(parent) = self.schema.table(&key.references) else {
                        continue;
                    };
                    added += self.run(CANNOT, referring(child, key, parent)).await?;
                }
            }
            if added == 0 {
                return Ok(());
            }
        }
    }
}

/// Makes the table of doomed keys and puts in the rows that are gone in the end, and those whose
/// change no UPDATE can make.
fn seeds(table: &Table, references: &[&ForeignKey]) -> String {
    let (doomed, staging) = (doomed(table), staging(table));
    let key = sql::names(table.key_names());
    let stays = format!(
        "SELECT FROM {staging} n WHERE {} AND n.rewind_op <> 'd'",
        sql::same_key(table, ("n", "s"))
    );
    let mut create = format!(
        "CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT {key} FROM {} WITH NO DATA;
         CREATE UNIQUE INDEX ON {doomed} ({key});",
        doomed,
        sql::table(table),
    );
    let remade = remade_if(table, references);
    if let Some(condition) = &remade {
        create += &format!(
            "INSERT INTO {doomed} SELECT {} FROM {staging} s JOIN {} t ON {}
             WHERE s.rewind_op <> 'd' AND ({condition});",
            sql::names_of("s", table.key_names()),
            sql::table(table),
            sql::same_key(table, ("s", "t")),
        );
    }
    create
        + &format!(
            "INSERT INTO {doomed} SELECT {} FROM {staging} s
             WHERE s.rewind_op = 'd' AND NOT EXISTS ({stays}) ON CONFLICT DO NOTHING;
             ANALYZE {doomed}",
            sql::names_of("s", table.key_names()),
        )
}

/// When a staged row cannot be made out of the live one by UPDATE.
fn remade_if(table: &Table, references: &[&ForeignKey]) -> Option<String> {
    let to_here = references.iter().filter(|key| key.references == table.name);
    let referred = to_here.flat_map(|key| key.referenced_columns.iter().map(String::as_str));
    let referred: Vec<_> =
        referred.filter(|column| !table.key_names().any(|key| key == *column)).collect();
    let computed = referred.iter().any(|column| table.column(column).is_none());
    if table.loose_unique || computed {
        return Some("true".into());
    }
    let differs = |column: &str| {
        let column = sql::name(column);
        format!("s.{column} IS DISTINCT FROM t.{column}")
    };
    let conditions: Vec<_> = table.numbered().chain(referred).map(differs).collect();
    (!conditions.is_empty()).then(|| conditions.join(" OR "))
}

/// Live rows that hold a unique value which a staged row of another key gets.
fn holders(table: &Table, unique: &[String]) -> String {
    let pairs = unique.iter().map(|column| (column.as_str(), column.as_str()));
    format!(
        "INSERT INTO {} SELECT {} FROM {} s JOIN {} t ON {}
         WHERE s.rewind_op <> 'd' AND NOT ({}) ON CONFLICT DO NOTHING",
        doomed(table),
        sql::names_of("t", table.key_names()),
        staging(table),
        sql::table(table),
        sql::equal(("t", "s"), pairs),
        sql::same_key(table, ("t", "s")),
    )
}

/// Live rows of `child` that refer to doomed rows of `parent`.
fn referring(child: &Table, key: &ForeignKey, parent: &Table) -> String {
    format!(
        "INSERT INTO {} SELECT {} FROM {} c JOIN {} p ON {} JOIN {} d ON {}
         ON CONFLICT DO NOTHING",
        doomed(child),
        sql::names_of("c", child.key_names()),
        sql::table(child),
        sql::table(parent),
        reference(key),
        doomed(parent),
        sql::same_key(parent, ("p", "d")),
    )
}

fn reference(key: &ForeignKey) -> String {
    let pairs = key.columns.iter().zip(&key.referenced_columns);
    sql::equal(("c", "p"), pairs.map(|(from, to)| (from.as_str(), to.as_str())))
}

/// Doomed rows that no change is staged for: they come back as they are.
fn stage_dragged(table: &Table) -> String {
    format!(
        "INSERT INTO {0} (rewind_op, rewind_part, {1}) SELECT 'i', '', {2} FROM {3} t JOIN {4} d
         ON {5} WHERE NOT EXISTS (SELECT FROM {0} s WHERE {6})",
        staging(table),
        sql::names(table.column_names()),
        sql::names_of("t", table.column_names()),
        sql::table(table),
        doomed(table),
        sql::same_key(table, ("t", "d")),
        sql::same_key(table, ("s", "t")),
    )
}

/// How many rows of a table outside refer to doomed rows.
pub fn count_referring(outside: &OutsideReference, parent: &Table) -> String {
    format!(
        "SELECT count(*) FROM {} c JOIN {} p ON {} JOIN {} d ON {}",
        outside.table,
        outside.parent,
        reference(&outside.key),
        doomed(parent),
        sql::same_key(parent, ("p", "d")),
    )
}
