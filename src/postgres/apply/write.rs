//! The statements that write: set-wise, one of each kind for a table.

use super::Apply;
use super::stage::{doomed, staging};
use crate::model::Table;
use crate::postgres::error::DatabaseError;
use crate::postgres::sql;

impl Apply<'_> {
    /// Deletes children first, then inserts and updates parents first. References of a table to
    /// itself are checked at the end of each statement, deferrable ones at the end of all: only
    /// these can run in circles. The triggers are switched after that, which needs every check done.
    pub(super) async fn write_rows(&mut self) -> Result<(), DatabaseError> {
        let tables = self.schema.parents_first();
        self.run("defer the constraints", "SET CONSTRAINTS ALL DEFERRED".into()).await?;
        for table in tables.iter().rev() {
            self.run(&format!("delete rows of {}", table.name), delete(table)).await?;
        }
        for table in tables {
            self.run("tell new rows from changed ones", mark_live(table)).await?;
            self.run(&format!("insert rows of {}", table.name), insert(table)).await?;
            if let Some(update) = update(table) {
                self.run(&format!("update rows of {}", table.name), update).await?;
            }
        }
        let check = "SET CONSTRAINTS ALL IMMEDIATE".into();
        self.run("meet the deferred constraints", check).await?;
        Ok(())
    }
}

fn delete(table: &Table) -> String {
    format!(
        "DELETE FROM {} t USING {} d WHERE {}",
        sql::name(&table.name),
        doomed(table),
        sql::same_key(table, ("t", "d"))
    )
}

fn mark_live(table: &Table) -> String {
    format!(
        "UPDATE {} s SET rewind_live = true FROM {} t WHERE s.rewind_op <> 'd' AND {}",
        staging(table),
        sql::name(&table.name),
        sql::same_key(table, ("s", "t"))
    )
}

fn insert(table: &Table) -> String {
    format!(
        "INSERT INTO {} ({1}) OVERRIDING SYSTEM VALUE SELECT {1} FROM {2}
         WHERE rewind_op <> 'd' AND NOT rewind_live",
        sql::name(&table.name),
        sql::names(table.column_names()),
        staging(table),
    )
}

/// None for a table whose rows are nothing but keys.
fn update(table: &Table) -> Option<String> {
    let set = |column: &str| format!("{0} = s.{0}", sql::name(column));
    let settings: Vec<_> = table.settable().map(set).collect();
    (!settings.is_empty()).then(|| {
        format!(
            "UPDATE {} t SET {} FROM {} s WHERE s.rewind_op <> 'd' AND s.rewind_live AND {}",
            sql::name(&table.name),
            settings.join(", "),
            staging(table),
            sql::same_key(table, ("t", "s"))
        )
    })
}
