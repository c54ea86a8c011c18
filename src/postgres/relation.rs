//! Which relation each name of the profile means: looked up once, by the role's own search path, and
//! addressed by its schema and its oid from then on.

use std::sync::Arc;

use super::error::{DatabaseError, Trouble, While};
use super::session::Session;
use super::sql;
use crate::model::{MissingTable, NOT_THERE, Profile};

const CANNOT: &str = "look the tables up";

/// A table of the profile as this database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// The name in the profile, which is also the table's.
    pub name: String,
    /// The schema that holds it.
    pub namespace: String,
    /// What the catalog knows it by.
    pub oid: u32,
    /// The tables below it: partitions of every level, or tables that inherit from it.
    pub below: Vec<Below>,
}

/// A table below another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Below {
    /// The name, qualified and quoted.
    pub table: String,
    /// What the catalog knows it by.
    pub oid: u32,
    /// Whether it is a partition that this server stores.
    pub is_local_partition: bool,
}

impl Relation {
    /// The name, qualified and quoted.
    #[must_use]
    pub fn table(&self) -> String {
        sql::qualified(&self.namespace, &self.name)
    }

    /// The table and all tables below it, each qualified and quoted, with its oid.
    pub fn tree(&self) -> impl Iterator<Item = (String, u32)> {
        let below = self.below.iter().map(|below| (below.table.clone(), below.oid));
        std::iter::once((self.table(), self.oid)).chain(below)
    }
}

/// What this database has of the profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    pub profile: Arc<Profile>,
    /// The backed-up tables, in the order in which they are to be locked.
    pub tables: Vec<Relation>,
    /// The tables whose rows a restore may remove although no backup holds them.
    pub stale: Vec<Relation>,
    /// The tables of the profile that are not backed up here, and why.
    pub missing: Vec<MissingTable>,
}

impl Site {
    /// The same with these of its backed-up tables alone.
    #[must_use]
    pub fn only(&self, names: &[&str]) -> Self {
        let mut site = self.clone();
        site.tables.retain(|table| names.contains(&table.name.as_str()));
        site
    }

    /// The names of the backed-up tables as a list, qualified.
    pub(super) fn names(&self) -> String {
        self.tables.iter().map(Relation::table).collect::<Vec<_>>().join(", ")
    }

    /// The oids of the backed-up tables as an array.
    pub(super) fn oids(&self) -> String {
        sql::oids(self.tables.iter().map(|table| table.oid))
    }

    /// The oids of the backed-up tables and of all tables below them as an array.
    pub(super) fn tree_oids(&self) -> String {
        sql::oids(self.tables.iter().flat_map(Relation::tree).map(|(_, oid)| oid))
    }

    /// The backed-up tables and all tables below them as a relation of `oid` and `name`, the name being
    /// the profile's.
    pub(super) fn tree_values(&self) -> String {
        let rows = self.tables.iter().flat_map(|table| {
            table.tree().map(|(_, oid)| format!("({oid}::oid, {})", sql::literal(&table.name)))
        });
        let rows: Vec<_> = rows.collect();
        if rows.is_empty() {
            return "(SELECT NULL::oid AS oid, NULL::text AS name WHERE false)".into();
        }
        format!("(SELECT oid, name FROM (VALUES {}) AS v (oid, name))", rows.join(", "))
    }

    /// Refuses a database that lacks a table which no site may lack.
    ///
    /// # Errors
    /// If one is missing, or is no table.
    pub fn refuse_incomplete(&self) -> Result<(), DatabaseError> {
        let needed = |missing: &&MissingTable| {
            self.profile.tables.iter().any(|table| !table.optional && table.name == missing.table)
        };
        match self.missing.iter().find(needed) {
            None => Ok(()),
            Some(missing) => Err(unsuitable(format!("the table {missing}"))),
        }
    }
}

/// A database that cannot be backed up, or not be restored into, as it is.
pub(super) fn unsuitable(why: String) -> DatabaseError {
    DatabaseError { what: "use this database".into(), trouble: Trouble::Unsuitable(why) }
}

/// The profile's name, the schema, the oid, `relkind`, and whether there are tables below it.
type Found = (String, String, i64, String, bool);

impl Session {
    /// Looks the profile's tables up, as the application would: the first relation of that name in
    /// the schemas of the role's search path. Within a transaction.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn site(&mut self, profile: &Arc<Profile>) -> Result<Site, DatabaseError> {
        let records = profile.records.iter().map(|records| records.table.as_str());
        let names: Vec<_> = profile.table_names().chain(records).collect();
        let query = format!(
            "SELECT w.name, f.nspname, f.oid::int8, f.relkind, f.relhassubclass
             FROM unnest(ARRAY[{}]) AS w (name)
             CROSS JOIN LATERAL (
                 SELECT n.nspname::text, c.oid, c.relkind::text, c.relhassubclass
                 FROM unnest(current_schemas(false)) WITH ORDINALITY AS s (name, place)
                 JOIN pg_namespace n ON n.nspname = s.name
                 JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
                 ORDER BY s.place LIMIT 1) f",
            names.iter().map(|name| sql::literal(name)).collect::<Vec<_>>().join(", ")
        );
        let found: Vec<Found> = self.rows(query).await.trying(CANNOT)?;
        let mut site =
            Site { profile: profile.clone(), tables: vec![], stale: vec![], missing: vec![] };
        for name in names {
            let covered = profile.has_table(name);
            let reason = match found.iter().find(|(found, ..)| found == name) {
                Some((_, namespace, oid, kind, has_below)) if matches!(&**kind, "r" | "p") => {
                    let oid = u32::try_from(*oid).expect("an oid has 32 bits");
                    let below = if *has_below { self.below(oid).await? } else { vec![] };
                    let (name, namespace) = (name.to_owned(), namespace.clone());
                    let relation = Relation { name, namespace, oid, below };
                    let list = if covered { &mut site.tables } else { &mut site.stale };
                    list.push(relation);
                    continue;
                }
                Some((_, namespace, _, kind, _)) => {
                    format!("{} is {}", sql::qualified(namespace, name), what(kind))
                }
                None => self.elsewhere(name).await?,
            };
            if covered {
                site.missing.push(MissingTable { table: name.into(), reason });
            }
        }
        Ok(site)
    }

    /// The tables below this one.
    async fn below(&mut self, oid: u32) -> Result<Vec<Below>, DatabaseError> {
        let query = format!(
            "WITH RECURSIVE below AS (
                 SELECT inhrelid AS oid FROM pg_inherits WHERE inhparent = {oid}
                 UNION SELECT i.inhrelid FROM pg_inherits i JOIN below ON i.inhparent = below.oid)
             SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), c.oid::int8,
                 c.relispartition AND c.relkind IN ('r', 'p')
             FROM below JOIN pg_class c ON c.oid = below.oid
             JOIN pg_namespace n ON n.oid = c.relnamespace
             ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\""
        );
        let rows: Vec<(String, i64, bool)> = self.rows(query).await.trying(CANNOT)?;
        let below = |(table, oid, is_local_partition)| {
            let oid = u32::try_from(oid).expect("an oid has 32 bits");
            Below { table, oid, is_local_partition }
        };
        Ok(rows.into_iter().map(below).collect())
    }

    /// Why the search path does not lead to this table.
    async fn elsewhere(&mut self, name: &str) -> Result<String, DatabaseError> {
        let query = format!(
            "SELECT n.nspname::text, has_schema_privilege(n.oid, 'USAGE')
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relname = {} AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
             AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
             ORDER BY 2 DESC, 1 LIMIT 1",
            sql::literal(name)
        );
        let found: Vec<(String, bool)> = self.rows(query).await.trying(CANNOT)?;
        Ok(match found.first() {
            None => NOT_THERE.into(),
            Some((schema, true)) => format!("in schema {schema:?}, outside of the search path"),
            Some((schema, false)) => format!("in schema {schema:?}, which this role may not use"),
        })
    }
}

/// A `relkind` in words.
fn what(kind: &str) -> &'static str {
    match kind {
        "v" => "a view",
        "m" => "a materialized view",
        "f" => "a foreign table",
        "S" => "a sequence",
        "c" => "a type",
        _ => "not a table",
    }
}
