//! Drops secondary indexes and foreign keys of nearly empty tables before a bulk insert, and recreates
//! them after. Over all rows at once both cost a fraction of their cost row by row, and check and hold
//! the same.
//!
//! That needs a lock which keeps readers out, too. So it is done only where there is next to
//! nothing to read, and only if nobody is reading.

use std::collections::BTreeSet;

use super::Apply;
use crate::model::Table;
use crate::postgres::error::{DatabaseError, While, is_lock_timeout};
use crate::postgres::sql;

/// What was taken away, as the statements that bring it back.
#[derive(Debug, Default)]
pub struct BulkLoad {
    back: Vec<String>,
}

/// Plain indexes that nothing else stands on, if they can be made anew to the letter: that of a
/// constraint, an index with a comment, in a tablespace or with statistics of its own stays.
const INDEXES: &str = "
    SELECT pg_catalog.format('DROP INDEX %s', i.indexrelid::regclass), pg_get_indexdef(i.indexrelid)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE c.relkind = 'i' AND NOT c.relispartition AND c.reltablespace = 0
    AND i.indisvalid AND NOT (i.indisunique OR i.indisexclusion)
    AND NOT (i.indisclustered OR i.indisreplident)
    AND has_schema_privilege(c.relnamespace, 'CREATE')
    AND NOT EXISTS (SELECT FROM pg_description d WHERE d.objoid = c.oid)
    AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.refobjid = c.oid OR (d.objid = c.oid AND d.deptype IN ('e', 'x', 'i')))
    AND NOT EXISTS (SELECT FROM pg_attribute a
                    WHERE a.attrelid = c.oid AND coalesce(a.attstattarget, -1) <> -1)";

/// References that hold now, between plain tables of which both are relieved.
const REFERENCES: &str = "
    SELECT pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I', c.conrelid::regclass, c.conname),
        pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', c.conrelid::regclass, c.conname,
               pg_get_constraintdef(c.oid))
    FROM pg_constraint c
    JOIN pg_class child ON child.oid = c.conrelid JOIN pg_class parent ON parent.oid = c.confrelid
    WHERE c.contype = 'f' AND c.conparentid = 0 AND c.convalidated
    AND child.relkind = 'r' AND parent.relkind = 'r'
    AND NOT EXISTS (SELECT FROM pg_description d WHERE d.objoid = c.oid)
    AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgconstraint = c.oid AND t.tgenabled <> 'O')";

impl Apply<'_> {
    /// Relieves these tables, if nobody reads them now.
    pub(super) async fn begin_bulk_load(
        &mut self,
        tables: &BTreeSet<&str>,
    ) -> Result<BulkLoad, DatabaseError> {
        if tables.is_empty() || !self.lock_against_readers(tables).await? {
            return Ok(BulkLoad::default());
        }
        let relieved = sql::regclasses(self.named(tables));
        let which = |column: &str| format!("AND {column} = ANY ({relieved})");
        let (from, to, of) = (which("c.conrelid"), which("c.confrelid"), which("i.indrelid"));
        let references = format!("{REFERENCES} {from} {to} ORDER BY c.conname COLLATE \"C\"");
        let indexes = format!("{INDEXES} {of} ORDER BY c.relname COLLATE \"C\"");
        let mut bulk_load = BulkLoad::default();
        for query in [indexes, references] {
            let found: Vec<(String, String)> =
                self.session.rows(query).await.trying("look for indexes and references")?;
            for (away, back) in found {
                self.run("put an index or a reference aside", away).await?;
                bulk_load.back.push(back);
            }
        }
        Ok(bulk_load)
    }

    /// Brings everything back, over the rows that are there now.
    pub(super) async fn end_bulk_load(&mut self, bulk_load: BulkLoad) -> Result<(), DatabaseError> {
        if bulk_load.back.is_empty() {
            return Ok(());
        }
        self.run("choose a tablespace", "SET LOCAL default_tablespace = ''".into()).await?;
        for back in bulk_load.back {
            self.run("bring an index or a reference back", back).await?;
        }
        Ok(())
    }

    /// The tables with these names.
    fn named(&self, names: &BTreeSet<&str>) -> impl Iterator<Item = &Table> {
        self.schema.tables.iter().filter(|table| names.contains(table.name.as_str()))
    }

    /// Whether the tables are ours alone now. Never waits: a reader goes before our haste.
    async fn lock_against_readers(
        &mut self,
        tables: &BTreeSet<&str>,
    ) -> Result<bool, DatabaseError> {
        const WHAT: &str = "lock nearly empty tables";
        let lock = format!(
            "SAVEPOINT bulk_load; LOCK TABLE {} IN ACCESS EXCLUSIVE MODE NOWAIT",
            self.named(tables).map(sql::table).collect::<Vec<_>>().join(", ")
        );
        match self.session.run(lock).await {
            Ok(_) => Ok(true),
            Err(error) if is_lock_timeout(&error) => {
                self.run(WHAT, "ROLLBACK TO SAVEPOINT bulk_load".into()).await?;
                Ok(false)
            }
            Err(error) => Err(error).trying(WHAT),
        }
    }
}
