//! What is switched, set or swept beside the rows: triggers, sequences, rows that would lie.

use super::Apply;
use crate::model::{STALE_AFTER_RESTORE, SequenceValue};
use crate::postgres::error::{DatabaseError, While};
use crate::postgres::{Site, TableTrigger, sql};

impl Apply<'_> {
    /// Switches the user triggers off that would fire, or back to what they were, each on its own
    /// table or partition. Foreign keys are not user triggers: they stay on.
    pub(super) async fn switch_triggers(
        &mut self,
        triggers: &[TableTrigger],
        on: bool,
    ) -> Result<(), DatabaseError> {
        let mut statements = String::new();
        for trigger in triggers.iter().filter(|trigger| trigger.would_run()) {
            let switch = match (on, trigger.enabled) {
                (false, _) => "DISABLE",
                (true, 'A') => "ENABLE ALWAYS",
                (true, _) => "ENABLE",
            };
            let (table, name) = (&trigger.table, sql::name(&trigger.name));
            statements += &format!("ALTER TABLE ONLY {table} {switch} TRIGGER {name};");
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
        let values = self.session.sequence_values(self.schema).await?;
        for live in self.session.live_sequences(self.schema).await? {
            let named = |value: &&SequenceValue| value.name == live.name;
            let (Some(target), Some(now)) = (wanted.iter().find(named), values.iter().find(named))
            else {
                continue;
            };
            if target.next != now.next {
                let set = format!(
                    "ALTER SEQUENCE {name} RESTART;
                     SELECT CASE WHEN {next} BETWEEN seqmin AND seqmax
                            THEN setval(seqrelid, {next}, false)
                            ELSE setval(seqrelid, {next} - seqincrement, true) END
                     FROM pg_sequence WHERE seqrelid = {oid}",
                    name = live.sequence,
                    oid = live.oid,
                    next = format_args!("'{}'::bigint", target.next),
                );
                self.run("set a sequence", set).await?;
            }
        }
        Ok(())
    }

    /// Removes rows of other tables that tell of what is undone: those made after the snapshot.
    pub(super) async fn remove_stale(
        &mut self,
        site: &Site,
        made_after: &str,
    ) -> Result<(), DatabaseError> {
        for stale in &STALE_AFTER_RESTORE {
            let Some(table) = site.stale.iter().find(|table| table.name == stale.table) else {
                continue;
            };
            let delete = format!(
                "DELETE FROM {} WHERE {} > {}::timestamptz",
                table.table(),
                sql::name(stale.made_at),
                sql::literal(made_after)
            );
            self.run(&format!("remove newer rows of {}", stale.table), delete).await?;
        }
        Ok(())
    }
}
