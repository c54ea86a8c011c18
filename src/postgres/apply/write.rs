//! The statements that write: set-wise, one of each kind for a table, unless rows must wait.

use super::Apply;
use super::stage::Stage;
use crate::postgres::error::DatabaseError;
use crate::postgres::sql;

/// Joins row by row in the order of the staged keys. Nearly all of an update's time goes into the indexes,
/// most of which are in an order like the keys': a hash join that does not fit into memory takes the
/// rows in the order of their hashes, and an index page in again for each of them.
const IN_KEY_ORDER: &str = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off";
/// Leaves the plan to the planner again, until the end of the transaction.
const IN_ANY_ORDER: &str = "SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on";

impl Apply<'_> {
    /// Deletes children first, then inserts and updates parents first, in so many waves for each
    /// table. References of a table to itself are checked at the end of each statement, deferrable ones
    /// at the end of all; tables that refer to each other in a circle are written by one statement.
    /// The triggers are switched after that, which needs every check done.
    pub(super) async fn write_rows(&mut self, waves: &[u32]) -> Result<(), DatabaseError> {
        let mut groups = self.rules.parents_first();
        for group in &mut groups {
            let changes =
                |number: &usize| self.staged.contains(number) || self.loads.contains_key(number);
            group.retain(changes);
        }
        groups.retain(|group| !group.is_empty());
        self.run("defer the constraints", "SET CONSTRAINTS ALL DEFERRED".into()).await?;
        for group in groups.iter().rev() {
            let stages = self.staged_of(group);
            if stages.is_empty() {
                continue;
            }
            self.write_named("delete", &stages, together(stages.iter().map(delete))).await?;
        }
        for group in &groups {
            for number in group {
                self.copy_in(*number).await?;
            }
            let stages = self.staged_of(group);
            let last = group.iter().map(|number| waves[*number]).max().unwrap_or(0);
            for wave in 0..=last {
                self.write_wave(&stages, wave).await?;
            }
        }
        let check = "SET CONSTRAINTS ALL IMMEDIATE".into();
        self.run("meet the deferred constraints", check).await?;
        Ok(())
    }

    /// Rows that wait are inserted after those that are updated then: they may hold the same values.
    async fn write_wave(&mut self, stages: &[Stage<'_>], wave: u32) -> Result<(), DatabaseError> {
        if stages.len() > 1 {
            let updates = stages.iter().flat_map(|stage| updates(stage, wave));
            let all = together(stages.iter().map(|stage| insert(stage, wave)).chain(updates));
            return self.write_named("write", stages, all).await;
        }
        for stage in stages {
            self.write_named("insert", &[*stage], insert(stage, wave)).await?;
            for update in updates(stage, wave) {
                let update = format!("{IN_KEY_ORDER}; {update}; {IN_ANY_ORDER}");
                self.write_named("update", &[*stage], update).await?;
            }
        }
        Ok(())
    }
}

pub(super) fn names(stages: &[Stage<'_>]) -> String {
    let names: Vec<_> = stages.iter().map(|stage| stage.table.name.as_str()).collect();
    names.join(" and ")
}

/// These statements as one, at whose end the references are checked.
fn together(statements: impl Iterator<Item = String>) -> String {
    let mut statements: Vec<_> = statements.collect();
    let last = statements.pop().unwrap_or_default();
    if statements.is_empty() {
        return last;
    }
    let with = |(place, statement): (usize, &String)| format!("w{place} AS ({statement})");
    let with: Vec<_> = statements.iter().enumerate().map(with).collect();
    format!("WITH {} {last}", with.join(", "))
}

fn delete(stage: &Stage<'_>) -> String {
    format!(
        "DELETE FROM {} t USING {} d WHERE {}",
        stage.live(),
        stage.leaving(),
        stage.same_key(("t", "d"))
    )
}

fn insert(stage: &Stage<'_>, wave: u32) -> String {
    format!(
        "INSERT INTO {} ({1}) OVERRIDING SYSTEM VALUE SELECT {1} FROM {2}
         WHERE rewind_op = 'i' AND rewind_wave = {wave}",
        stage.live(),
        sql::names(stage.table.written()),
        stage.changes(),
    )
}

/// The update of changed rows, if their table has more than keys, and that of rows whose key gets
/// another text.
fn updates(stage: &Stage<'_>, wave: u32) -> Vec<String> {
    let settable: Vec<_> = stage.table.settable().collect();
    let keys: Vec<_> = stage.table.settable_key().chain(settable.iter().copied()).collect();
    let kinds = [("u", settable), ("k", keys)];
    let filled = kinds.into_iter().filter(|(_, columns)| !columns.is_empty());
    filled.map(|(op, columns)| update(stage, wave, op, &columns)).collect()
}

fn update(stage: &Stage<'_>, wave: u32, op: &str, columns: &[&str]) -> String {
    let set = |column: &&str| format!("{0} = s.{0}", sql::name(column));
    format!(
        "UPDATE {} t SET {} FROM {} s WHERE s.rewind_op = '{op}' AND s.rewind_wave = {wave} AND {}",
        stage.live(),
        columns.iter().map(set).collect::<Vec<_>>().join(", "),
        stage.changes(),
        stage.same_key(("t", "s"))
    )
}
