//! What writing the tables would set off beside the rows: triggers, rules, event triggers, references
//! of other tables, and what is computed from the rows elsewhere.

use super::catalog::OutsideReference;
use super::error::{DatabaseError, Trouble, While};
use super::relation::{Relation, Site};
use super::session::Session;
use super::sql;

const CANNOT: &str = "read what writing the tables sets off";

/// The commands by which a restore prepares and cleans up, as event triggers call them.
const COMMANDS: &str =
    "'CREATE TABLE', 'CREATE TABLE AS', 'ALTER TABLE', 'CREATE INDEX', 'DROP INDEX',
    'ALTER SEQUENCE', 'DROP TABLE'";

/// A user trigger on a table that a restore writes to, or on a partition of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableTrigger {
    /// The table or partition, qualified and quoted.
    pub table: String,
    /// The trigger's name.
    pub name: String,
    /// `pg_trigger.tgenabled`: `O`, `D`, `R` or `A`.
    pub enabled: char,
    /// Whether it runs after the rows are written: whatever it does, it does elsewhere.
    pub runs_after: bool,
}

impl TableTrigger {
    /// Whether it would run for what a restore writes.
    #[must_use]
    pub fn would_run(&self) -> bool {
        matches!(self.enabled, 'O' | 'A')
    }
}

/// What is to be minded when the tables are written.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The references of tables that are not backed up.
    pub outside: Vec<OutsideReference>,
    /// The user triggers.
    pub triggers: Vec<TableTrigger>,
    /// Materialized views that are computed from the rows.
    pub materialized: Vec<String>,
}

impl Surroundings {
    /// What does not follow the rows of a restore by itself, a sentence each.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes: Vec<_> = self.materialized.iter().map(stale_view).collect();
        let silent = self.triggers.iter().filter(|it| it.runs_after && it.would_run());
        let silent: Vec<_> =
            silent.map(|it| format!("{} on {}", sql::name(&it.name), it.table)).collect();
        if !silent.is_empty() {
            notes.push(format!(
                "triggers do not run for the rows of a restore; what these keep in other tables stays \
                 as it is: {}",
                silent.join(", ")
            ));
        }
        notes
    }
}

fn stale_view(view: &String) -> String {
    format!(
        "the materialized view {view} does not follow a restore by itself: REFRESH MATERIALIZED VIEW \
         {view}"
    )
}

impl Session {
    /// What is to be minded when these tables are written. Within a transaction.
    ///
    /// # Errors
    /// [`Trouble::SetsOff`] if writing would set off what cannot be held back.
    pub async fn surroundings(&mut self, site: &Site) -> Result<Surroundings, DatabaseError> {
        let stale = sql::oids(site.stale.iter().map(|table| table.oid));
        self.refuse_hidden_rows(&stale).await?;
        let mut set_off = self.rules(site).await?;
        set_off.extend(self.actions_on(&stale).await?);
        set_off.extend(self.event_triggers().await?);
        if !set_off.is_empty() {
            return Err(sets_off(set_off));
        }
        Ok(Surroundings {
            outside: self.outside_references(site).await?,
            triggers: self.table_triggers(site).await?,
            materialized: self.materialized_views(site).await?,
        })
    }

    /// The user triggers of the tables and of their partitions. Of a table whose rows are only
    /// removed, those that a removal fires.
    pub(super) async fn table_triggers(
        &mut self,
        site: &Site,
    ) -> Result<Vec<TableTrigger>, DatabaseError> {
        let stale = site.stale.iter().flat_map(Relation::tree).map(|(_, oid)| oid);
        // Before version 15 the triggers that partitions have from their table count as internal, as
        // do those of constraints.
        let query = format!(
            "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), t.tgname::text, t.tgenabled::text,
                 t.tgtype & 66 = 0
             FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE (t.tgrelid = ANY ({}) OR (t.tgrelid = ANY ({}) AND t.tgtype & 8 <> 0))
             AND (NOT t.tgisinternal OR (t.tgparentid <> 0 AND NOT EXISTS (
                 SELECT FROM pg_constraint k WHERE k.oid = t.tgconstraint AND k.contype <> 't')))
             ORDER BY 1, 2",
            site.tree_oids(),
            sql::oids(stale)
        );
        let rows: Vec<(String, String, String, bool)> = self.rows(query).await.trying(CANNOT)?;
        let trigger = |(table, name, enabled, runs_after): (_, _, String, _)| TableTrigger {
            table,
            name,
            enabled: enabled.chars().next().unwrap_or('O'),
            runs_after,
        };
        Ok(rows.into_iter().map(trigger).collect())
    }

    /// The enabled rules on writing the tables. Those of a partition only apply where it is named.
    async fn rules(&mut self, site: &Site) -> Result<Vec<String>, DatabaseError> {
        let written = site.tables.iter().chain(&site.stale).map(|table| table.oid);
        let query = format!(
            "SELECT pg_catalog.format('the rule %I on %s (ALTER TABLE %2$s DISABLE RULE %1$I)', r.rulename,
                 pg_catalog.format('%I.%I', n.nspname, c.relname))
             FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
             JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE r.ev_class = ANY ({}) AND r.ev_type IN ('2', '3', '4')
             AND r.ev_enabled IN ('O', 'A') ORDER BY 1",
            sql::oids(written)
        );
        let rows: Vec<(String,)> = self.rows(query).await.trying(CANNOT)?;
        Ok(rows.into_iter().map(|(rule,)| rule).collect())
    }

    /// The foreign keys by which a removal of rows of these tables would change rows of others.
    async fn actions_on(&mut self, oids: &str) -> Result<Vec<String>, DatabaseError> {
        let query = format!(
            "SELECT pg_catalog.format('the foreign key %I of %s, which changes rows with those of %s',
                 conname, conrelid::regclass, confrelid::regclass)
             FROM pg_constraint WHERE contype = 'f' AND conparentid = 0
             AND confrelid = ANY ({oids}) AND confdeltype IN ('c', 'n', 'd') ORDER BY 1"
        );
        let rows: Vec<(String,)> = self.rows(query).await.trying(CANNOT)?;
        Ok(rows.into_iter().map(|(key,)| key).collect())
    }

    /// The event triggers that a restore's own commands would fire. Only a superuser makes them.
    async fn event_triggers(&mut self) -> Result<Vec<String>, DatabaseError> {
        let query = format!(
            "SELECT pg_catalog.format('the event trigger %1$I (as a superuser: ALTER EVENT TRIGGER %1$I DISABLE)',
                 evtname)
             FROM pg_event_trigger
             WHERE evtenabled IN ('O', 'A')
             AND evtevent IN ('ddl_command_start', 'ddl_command_end', 'sql_drop')
             AND (evttags IS NULL OR evttags && ARRAY[{COMMANDS}])
             AND coalesce(current_setting('event_triggers', true), 'on') <> 'off'
             ORDER BY 1"
        );
        let rows: Vec<(String,)> = self.rows(query).await.trying(CANNOT)?;
        Ok(rows.into_iter().map(|(trigger,)| trigger).collect())
    }

    /// The materialized views that are computed from the tables, over views too.
    async fn materialized_views(&mut self, site: &Site) -> Result<Vec<String>, DatabaseError> {
        let query = format!(
            "WITH RECURSIVE reads AS (
                 SELECT unnest({}) AS oid
                 UNION
                 SELECT v.oid FROM reads
                 JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = reads.oid
                     AND d.classid = 'pg_rewrite'::regclass
                 JOIN pg_rewrite r ON r.oid = d.objid
                 JOIN pg_class v ON v.oid = r.ev_class AND v.relkind IN ('v', 'm'))
             SELECT c.oid::regclass::text FROM reads JOIN pg_class c ON c.oid = reads.oid
             WHERE c.relkind = 'm' AND c.relispopulated ORDER BY 1",
            site.tree_oids()
        );
        let rows: Vec<(String,)> = self.rows(query).await.trying(CANNOT)?;
        Ok(rows.into_iter().map(|(view,)| view).collect())
    }
}

fn sets_off(what: Vec<String>) -> DatabaseError {
    DatabaseError { what: "write to the tables".into(), trouble: Trouble::SetsOff(what) }
}
