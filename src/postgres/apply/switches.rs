//! What is switched or set beside the rows: triggers and sequences.

use super::Apply;
use crate::model::{SequenceValue, Table, Trigger};
use crate::postgres::error::{DatabaseError, While};
use crate::postgres::{TableTrigger, sql};

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
        if statements.is_empty() {
            return Ok(());
        }
        let done = self.session.run(statements).await;
        done.trying("switch the triggers").map(|_| ())
    }

    /// The same for the triggers of one table.
    pub(super) async fn switch_triggers_of(
        &mut self,
        table: &Table,
        on: bool,
    ) -> Result<(), DatabaseError> {
        let own = |trigger: &Trigger| TableTrigger {
            table: sql::table(table),
            name: trigger.name.clone(),
            enabled: trigger.enabled,
            runs_after: false,
        };
        let triggers: Vec<_> = table.triggers.iter().map(own).collect();
        self.switch_triggers(&triggers, on).await
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
}
