//! What is switched, set or swept beside the rows: triggers, sequences, rows that would lie.

use super::Apply;
use crate::model::{STALE_AFTER_RESTORE, SequenceValue};
use crate::postgres::error::{DatabaseError, While};
use crate::postgres::sql;

impl Apply<'_> {
    /// Switches the user triggers off that would fire, or back to what they were. Foreign keys are
    /// not user triggers: they stay on.
    pub(super) async fn switch_triggers(&mut self, on: bool) -> Result<(), DatabaseError> {
        let mut statements = String::new();
        for table in &self.schema.tables {
            for trigger in &table.triggers {
                let switch = match (on, trigger.enabled) {
                    (false, 'O' | 'A') => "DISABLE",
                    (true, 'O') => "ENABLE",
                    (true, 'A') => "ENABLE ALWAYS",
                    _ => continue,
                };
                let (table, trigger) = (sql::name(&table.name), sql::name(&trigger.name));
                statements += &format!("ALTER TABLE {table} {switch} TRIGGER {trigger};");
            }
        }
        let done = self.session.run(statements).await;
        done.trying("switch the triggers").map(|_| ())
    }

    /// Sets the sequences that stand elsewhere. `setval` alone would survive a rollback; after
    /// RESTART the sequence lies in a new file, which goes with one. A sequence that has given out
    /// its last value has no next one within its bounds: it is set to that last value.
    pub(super) async fn set_sequences(
        &mut self,
        wanted: &[SequenceValue],
    ) -> Result<(), DatabaseError> {
        let live = self.session.sequence_values(self.schema).await?;
        for sequence in live {
            let Some(target) = wanted.iter().find(|target| target.name == sequence.name) else {
                continue;
            };
            if target.next != sequence.next {
                let name = sql::name(&sequence.name);
                let set = format!(
                    "ALTER SEQUENCE {name} RESTART;
                     SELECT CASE WHEN {next} BETWEEN seqmin AND seqmax
                            THEN setval(seqrelid, {next}, false)
                            ELSE setval(seqrelid, {next} - seqincrement, true) END
                     FROM pg_sequence WHERE seqrelid = {}",
                    sql::regclass(&sequence.name),
                    next = format_args!("'{}'::bigint", target.next),
                );
                self.run("set a sequence", set).await?;
            }
        }
        Ok(())
    }

    /// Removes rows of other tables that tell of what is undone: those made after the snapshot.
    pub(super) async fn remove_stale(&mut self, made_after: &str) -> Result<(), DatabaseError> {
        for stale in &STALE_AFTER_RESTORE {
            let there = format!("SELECT to_regclass({}) IS NOT NULL", sql::literal(stale.table));
            let what = format!("remove newer rows of {}", stale.table);
            if self.session.value(there).await.trying(&*what)? {
                let delete = format!(
                    "DELETE FROM {} WHERE {} > {}::timestamptz",
                    sql::name(stale.table),
                    sql::name(stale.made_at),
                    sql::literal(made_after)
                );
                self.run(&what, delete).await?;
            }
        }
        Ok(())
    }
}
