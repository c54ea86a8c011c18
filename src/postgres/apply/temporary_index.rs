//! Creates a temporary index for a foreign key that has none, where many rows go that it may point to.
//!
//! For each row that is deleted the server looks for rows that refer to it. Without an index on the
//! referring columns that is a scan of the whole table for each of them: minutes, with every writer
//! locked out, to take a bad import back. An index made in the transaction keeps out nobody who
//! reads, but to drop it there would; so it goes after the commit, without a lock that matters.

use super::Apply;
use super::rules::Reference;
use super::stage::Stage;
use crate::postgres::Session;
use crate::postgres::error::{DatabaseError, While};
use crate::postgres::relation::Site;
use crate::postgres::sql;

/// What the names of temporary indexes begin with.
const PREFIX: &str = "ipam_rewind_";
/// With fewer rows that go, an index costs as much as it spares.
const MANY: u32 = 100;
/// With fewer pages to be scanned in all, it is not worth it.
const PAGES: u32 = 100_000;
/// How long dropping a temporary index waits for transactions that are older than the restore.
const PATIENCE: &str = "2s";

impl Apply<'_> {
    /// Creates them where they save much; [`Session::drop_temporary_indexes`] is for after the commit.
    pub(super) async fn create_temporary_indexes(&mut self) -> Result<(), DatabaseError> {
        const WHAT: &str = "make an index for the time of the restore";
        let mut made = 0;
        for reference in &self.rules.references {
            let Some(child) = reference.inside.filter(|_| self.staged.contains(&reference.parent))
            else {
                continue;
            };
            let (child, parent) = (self.stage_of(child), self.stage_of(reference.parent));
            if self.session.value(is_worth_it(&child, reference, &parent)).await.trying(WHAT)? {
                // One of an earlier restore may not have gone yet: no two share a name.
                let this = "SELECT pg_current_xact_id()::text".into();
                let this: String = self.session.value(this).await.trying(WHAT)?;
                let name = format!("{PREFIX}{this}_{made}");
                self.run(WHAT, create(&name, &child, reference)).await?;
                made += 1;
            }
        }
        Ok(())
    }
}

/// Whether no index begins with a column of the reference, scans would take long, and this role may
/// make one.
fn is_worth_it(child: &Stage<'_>, reference: &Reference, parent: &Stage<'_>) -> String {
    let table = sql::regclass(child.table);
    let columns = reference.columns.iter().map(|(column, ..)| sql::literal(column));
    let columns = columns.collect::<Vec<_>>().join(", ");
    format!(
        "SELECT gone >= {MANY} AND gone * pages >= {PAGES} AND NOT EXISTS (
             SELECT FROM pg_index i
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
             WHERE i.indrelid = {table} AND i.indisvalid AND i.indpred IS NULL
             AND a.attname IN ({columns}))
         AND EXISTS (
             SELECT FROM pg_class c WHERE c.oid = {table} AND c.relkind = 'r'
             AND pg_has_role(c.relowner, 'USAGE')
             AND has_schema_privilege(c.relnamespace, 'CREATE'))
         FROM (SELECT count(*) AS gone FROM {}) d,
             (SELECT pg_relation_size({table}) / current_setting('block_size')::int AS pages) t",
        parent.leaving()
    )
}

fn create(name: &str, child: &Stage<'_>, reference: &Reference) -> String {
    format!(
        "CREATE INDEX {} ON {} ({})",
        sql::name(name),
        child.live(),
        sql::names(reference.columns.iter().map(|(column, ..)| column.as_str()))
    )
}

impl Session {
    /// Drops the indexes that this restore, or one that was killed, made on these tables. Outside of
    /// transactions.
    ///
    /// # Errors
    /// If transactions that are older do not end soon, or the connection is lost. The next restore
    /// tries again.
    pub async fn drop_temporary_indexes(&mut self, site: &Site) -> Result<(), DatabaseError> {
        const WHAT: &str = "drop an index that was made for the time of the restore";
        let names = format!(
            "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_index i
             JOIN pg_class c ON c.oid = i.indexrelid
             JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE starts_with(c.relname, '{PREFIX}')
             AND i.indrelid = ANY ({})",
            site.oids()
        );
        self.begin_look().await?;
        let names: Vec<(String,)> = self.rows(names).await.trying(WHAT)?;
        self.rollback().await?;
        if names.is_empty() {
            return Ok(());
        }
        let settings = format!(
            "SET lock_timeout = '{PATIENCE}'; SET statement_timeout = 0; SET default_transaction_read_only = off"
        );
        self.run(settings).await.trying(WHAT)?;
        for (index,) in names {
            self.run(format!("DROP INDEX CONCURRENTLY {index}")).await.trying(WHAT)?;
        }
        self.run(
            "RESET lock_timeout; RESET statement_timeout; RESET default_transaction_read_only"
                .into(),
        )
        .await
        .trying(WHAT)?;
        Ok(())
    }
}
