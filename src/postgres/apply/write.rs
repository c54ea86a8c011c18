//! The statements that write: set-wise, one of each kind for a table.

use super::Apply;
use super::stage::{doomed, staging};
use crate::model::Table;
use crate::postgres::error::DatabaseError;
use crate::postgres::sql;

/// Joins row by row in the order of the staged keys. Nearly all of an update's time goes into the indexes,
/// most of which are in an order like the keys': a hash join that does not fit into memory takes the
/// rows in the order of their hashes, and an index page in again for each of them.
const IN_KEY_ORDER: &str = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";
/// Leaves the plan to the planner again, until the end of the transaction.
const IN_ANY_ORDER: &str = "SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on";

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
            self.run("tell new rows from changed ones", tell_apart(table)).await?;
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
        sql::table(table),
        doomed(table),
        sql::same_key(table, ("t", "d"))
    )
}

/// Makes `i` and `u` say what is to be done now: a changed row that had to go is new again, and a new
/// row that is there already came from another part of its table.
fn tell_apart(table: &Table) -> String {
    format!(
        "UPDATE {0} s SET rewind_op = 'i' FROM {1} d WHERE s.rewind_op = 'u' AND {2};
         UPDATE {0} s SET rewind_op = 'u' FROM {3} t WHERE s.rewind_op = 'i' AND {4}",
        staging(table),
        doomed(table),
        sql::same_key(table, ("s", "d")),
        sql::table(table),
        sql::same_key(table, ("s", "t"))
    )
}

fn insert(table: &Table) -> String {
    format!(
        "INSERT INTO {} ({1}) OVERRIDING SYSTEM VALUE SELECT {1} FROM {2}
         WHERE rewind_op = 'i'",
        sql::table(table),
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
            "{IN_KEY_ORDER};
             UPDATE {} t SET {} FROM {} s WHERE s.rewind_op = 'u' AND {};
             {IN_ANY_ORDER}",
            sql::table(table),
            settings.join(", "),
            staging(table),
            sql::same_key(table, ("t", "s"))
        )
    })
}
