//! Drops indexes and foreign keys of nearly empty tables before a bulk insert, and recreates them after.
//! Over all rows at once both cost a fraction of their cost row by row, and check and hold the same.
//!
//! That needs a lock which keeps readers out, too. So it is done only where there is next to
//! nothing to read, and only if nobody is reading.

use std::collections::BTreeSet;

use super::Apply;
use crate::model::Table;
use crate::postgres::error::{DatabaseError, While, is_lock_timeout};
use crate::postgres::sql;

/// What was dropped.
#[derive(Debug, Default)]
pub struct BulkLoad {
    dropped: Vec<Dropped>,
}

/// An index or a constraint that is to be recreated.
#[derive(Debug)]
struct Dropped {
    /// Its name, and that of its table.
    name: String,
    /// The statement that recreates it.
    create: String,
}

/// Settings for the time in which indexes are built: readers and writers wait for that. A build
/// takes more workers only if the server has them, and the memory is that of all of them together.
const BUILD: &str = "SET LOCAL default_tablespace = '';
    SET LOCAL maintenance_work_mem = '256MB'; SET LOCAL max_parallel_maintenance_workers = 4";

/// Foreign keys that hold now, between plain tables of which both are emptied.
const REFERENCES: &str = "
    SELECT pg_catalog.format('%s of %s', c.conname, c.conrelid::regclass),
        pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I', c.conrelid::regclass, c.conname),
        pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', c.conrelid::regclass, c.conname,
               pg_get_constraintdef(c.oid))
    FROM pg_constraint c
    JOIN pg_class child ON child.oid = c.conrelid JOIN pg_class parent ON parent.oid = c.confrelid
    WHERE c.contype = 'f' AND c.conparentid = 0 AND c.convalidated
    AND child.relkind = 'r' AND parent.relkind = 'r'
    AND NOT EXISTS (SELECT FROM pg_description d WHERE d.objoid = c.oid)
    AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgconstraint = c.oid AND t.tgenabled <> 'O')";

/// What holds of each index that is dropped: it can be recreated to the letter. One with a comment, in a
/// tablespace, with statistics of its own, or that rows are clustered or replicated by, stays.
const PLAIN: &str = "x.relkind = 'i' AND NOT x.relispartition AND x.reltablespace = 0
    AND i.indisvalid AND NOT (i.indisexclusion OR i.indisclustered OR i.indisreplident)
    AND has_schema_privilege(x.relnamespace, 'CREATE')
    AND NOT EXISTS (SELECT FROM pg_description d WHERE d.objoid = x.oid)
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.refobjid = x.oid)
    AND NOT EXISTS (SELECT FROM pg_attribute a
                    WHERE a.attrelid = x.oid AND coalesce(a.attstattarget, -1) <> -1)";

/// Primary keys and unique constraints that nothing depends on any more: neither a foreign key or a view,
/// nor, of one that can be deferred, its trigger. Their indexes have no options and compare as their columns
/// do by default, since the text of a constraint does not say otherwise.
const UNIQUE_CONSTRAINTS: &str = "
    SELECT pg_catalog.format('%s of %s', c.conname, c.conrelid::regclass),
        pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I', c.conrelid::regclass, c.conname),
        pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', c.conrelid::regclass, c.conname,
               pg_get_constraintdef(c.oid))
    FROM pg_constraint c
    JOIN pg_index i ON i.indexrelid = c.conindid JOIN pg_class x ON x.oid = c.conindid
    JOIN pg_class t ON t.oid = c.conrelid
    WHERE c.contype IN ('p', 'u') AND c.conparentid = 0 AND t.relkind = 'r' AND x.reloptions IS NULL
    AND NOT EXISTS (SELECT FROM pg_description d WHERE d.objoid = c.oid)
    AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE (d.refobjid = c.oid AND d.objid <> x.oid)
                    OR (d.objid = c.oid AND d.deptype IN ('e', 'x', 'i')))
    AND NOT EXISTS (SELECT FROM unnest(i.indclass) AS used (class)
                    JOIN pg_opclass o ON o.oid = used.class WHERE NOT o.opcdefault)
    AND NOT EXISTS (SELECT FROM unnest(i.indkey::int2[], i.indcollation::oid[]) AS k (number, collation_id)
                    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number
                    WHERE k.collation_id <> a.attcollation)";

/// Indexes that belong to no constraint.
const INDEXES: &str = "
    SELECT pg_catalog.format('%s of %s', x.relname, i.indrelid::regclass),
        pg_catalog.format('DROP INDEX %s', x.oid::regclass), pg_get_indexdef(x.oid)
    FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
    WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = x.oid AND d.deptype IN ('e', 'x', 'i'))";

impl Apply<'_> {
    /// Drops what the insertion of rows into these tables can do without, if nobody reads them now. What
    /// keeps rows unique stays where rows are updated or deleted, too.
    pub(super) async fn begin_bulk_load(
        &mut self,
        tables: &BTreeSet<&str>,
    ) -> Result<BulkLoad, DatabaseError> {
        if tables.is_empty() || !self.lock_against_readers(tables).await? {
            return Ok(BulkLoad::default());
        }
        let nearly_empty = sql::regclasses(self.named(tables));
        let empty = sql::regclasses(self.loads.keys().map(|number| &self.schema.tables[*number]));
        let references = format!(
            "{REFERENCES} AND c.conrelid = ANY ({nearly_empty})
             AND c.confrelid = ANY ({nearly_empty}) ORDER BY c.conname COLLATE \"C\""
        );
        let unique = format!(
            "{UNIQUE_CONSTRAINTS} AND {PLAIN} AND c.conrelid = ANY ({nearly_empty})
             AND c.conrelid = ANY ({empty}) ORDER BY c.conname COLLATE \"C\""
        );
        let indexes = format!(
            "{INDEXES} AND {PLAIN} AND i.indrelid = ANY ({nearly_empty})
             AND (NOT i.indisunique OR i.indrelid = ANY ({empty})) ORDER BY x.relname COLLATE \"C\""
        );
        // A foreign key depends on the index of what it refers to: it is dropped first and recreated last.
        let references = self.drop_all(references).await?;
        let mut dropped = self.drop_all(unique).await?;
        dropped.extend(self.drop_all(indexes).await?);
        dropped.extend(references);
        Ok(BulkLoad { dropped })
    }

    /// Drops what this query finds.
    async fn drop_all(&mut self, query: String) -> Result<Vec<Dropped>, DatabaseError> {
        let found: Vec<(String, String, String)> =
            self.session.rows(query).await.trying("look for indexes and foreign keys")?;
        let mut dropped = Vec::new();
        for (name, drop, create) in found {
            self.run(&format!("drop {name} before the rows are inserted"), drop).await?;
            dropped.push(Dropped { name, create });
        }
        Ok(dropped)
    }

    /// Recreates everything over the rows that are there now.
    pub(super) async fn end_bulk_load(&mut self, bulk_load: BulkLoad) -> Result<(), DatabaseError> {
        if bulk_load.dropped.is_empty() {
            return Ok(());
        }
        self.run("prepare to build indexes", BUILD.into()).await?;
        for Dropped { name, create } in bulk_load.dropped {
            self.run(&format!("recreate {name} over the new rows"), create).await?;
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
