//! Reads the shape of the backed-up tables from the catalog.

use std::collections::HashMap;

use super::error::{DatabaseError, Trouble, While};
use super::relation::{Relation, Site};
use super::session::Session;
use crate::model::{Column, ForeignKey, Identity, KeyColumn, KeyKind, Schema, Table, Trigger};

/// A foreign key of a table that is not backed up, to one that is.
#[derive(Debug, Clone)]
pub struct OutsideReference {
    /// The referring table, qualified and quoted.
    pub table: String,
    /// The same as short as the search path allows, for people.
    pub shown: String,
    /// The table that it refers to, qualified and quoted: a backed-up one or a partition of it.
    pub parent: String,
    /// The reference, to the backed-up table.
    pub key: ForeignKey,
}

const CANNOT: &str = "read the catalog";

/// Of a reference: the profile's name of the referring table, its own name in full and for people;
/// the reference's name and columns; the profile's name of the table that it refers to, its own name
/// in full, and the columns; whether it is valid.
type ReferenceRow =
    (Option<String>, String, String, String, Vec<String>, String, String, Vec<String>, bool);

/// What belongs to each table, by the table's name.
type ByTable<T> = HashMap<String, Vec<T>>;

impl Session {
    /// The shape of these tables. Within a transaction.
    ///
    /// # Errors
    /// If a table has no primary key, or the connection is lost.
    pub async fn schema(&mut self, site: &Site) -> Result<Schema, DatabaseError> {
        // Each question is asked once, of all tables: over a network, the way there and back is what
        // takes the time.
        let ids = site.oids();
        let mut keys = self.primary_keys(&ids).await?;
        let mut columns = self.columns(&ids).await?;
        let mut unique = self.unique(&ids).await?;
        let mut foreign_keys = self.foreign_keys(site).await?;
        let mut triggers = self.triggers(&ids).await?;
        let sequences = self.sequences(site).await?;
        let mut sequences = by_table(sequences, |it| (it.table.clone(), it.name));
        let table = |relation: &Relation| {
            let name = relation.name.as_str();
            let key = keys.remove(name).ok_or_else(|| without_key(name))?;
            let columns = in_order(of(name, &mut columns), &key);
            let (loose, plain): (Vec<_>, Vec<_>) =
                of(name, &mut unique).into_iter().partition(|(loose, _)| *loose);
            Ok(Table {
                name: name.to_owned(),
                namespace: Some(relation.namespace.clone()),
                groups: groups(&columns, key.len(), &site.profile.volatile_columns),
                columns,
                key,
                unique: plain.into_iter().map(|(_, columns)| columns).collect(),
                loose_unique: !loose.is_empty(),
                foreign_keys: of(name, &mut foreign_keys),
                triggers: of(name, &mut triggers),
                sequences: of(name, &mut sequences),
            })
        };
        let tables = site.tables.iter().map(table).collect::<Result<_, _>>()?;
        Ok(Schema { tables, missing: site.missing.clone() })
    }

    async fn columns(&mut self, ids: &str) -> Result<ByTable<Column>, DatabaseError> {
        let query = format!(
            "SELECT t.relname::text, attname::text, format_type(atttypid, atttypmod), attnum,
                 attidentity::text, attgenerated <> ''
             FROM pg_attribute JOIN pg_class t ON t.oid = attrelid
             WHERE t.oid = ANY ({ids}) AND attnum > 0 AND NOT attisdropped
             AND (attgenerated = '' OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = t.oid
                  AND i.indisprimary AND attnum = ANY (i.indkey)))"
        );
        let rows: Vec<(String, String, String, i16, String, bool)> =
            self.rows(query).await.trying(CANNOT)?;
        Ok(by_table(rows, |(table, name, type_name, position, identity, generated)| {
            let identity = match identity.as_str() {
                "a" => Some(Identity::Always),
                "d" => Some(Identity::ByDefault),
                _ => None,
            };
            (table, Column { name, type_name, position, identity, generated })
        }))
    }

    async fn primary_keys(&mut self, ids: &str) -> Result<ByTable<KeyColumn>, DatabaseError> {
        let query = format!(
            "SELECT t.relname::text, a.attname::text, a.atttypid::regtype::text
             FROM pg_class t JOIN pg_index i ON i.indrelid = t.oid AND i.indisprimary
             CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
             JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum
             WHERE t.oid = ANY ({ids}) AND k.place <= i.indnkeyatts ORDER BY k.place"
        );
        let rows: Vec<(String, String, String)> = self.rows(query).await.trying(CANNOT)?;
        Ok(by_table(rows, |(table, column, type_name)| {
            let kind = match type_name.as_str() {
                "uuid" => KeyKind::Uuid,
                "smallint" | "integer" | "bigint" => KeyKind::Integer,
                _ => KeyKind::Text,
            };
            (table, KeyColumn { column, kind })
        }))
    }

    /// Each unique index besides the keys: whether it is a rule that stored columns alone do not
    /// tell (over expressions, over some rows, over generated columns, an exclusion), and its columns.
    async fn unique(&mut self, ids: &str) -> Result<ByTable<(bool, Vec<String>)>, DatabaseError> {
        let query = format!(
            "SELECT t.relname::text,
                 i.indexprs IS NOT NULL OR i.indpred IS NOT NULL OR i.indisexclusion
                 OR coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false)
                 OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid
                            AND a.attnum = ANY (i.indkey) AND a.attgenerated <> ''),
                 ARRAY(SELECT a.attname::text
                       FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
                       JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                       WHERE k.place <= i.indnkeyatts ORDER BY k.place)
             FROM pg_class t JOIN pg_index i ON i.indrelid = t.oid
             WHERE t.oid = ANY ({ids}) AND (i.indisunique OR i.indisexclusion) AND NOT i.indisprimary
             ORDER BY i.indexrelid::regclass::text COLLATE \"C\""
        );
        let rows: Vec<(String, bool, Vec<String>)> = self.rows(query).await.trying(CANNOT)?;
        Ok(by_table(rows, |(table, loose, columns)| (table, (loose, columns))))
    }

    async fn foreign_keys(&mut self, site: &Site) -> Result<ByTable<ForeignKey>, DatabaseError> {
        let rows = self.references(site, "t.oid IS NOT NULL").await?;
        let inside = rows.into_iter().filter_map(|(table, outside)| Some((table?, outside.key)));
        Ok(by_table(inside.collect(), |row| row))
    }

    /// The references that other tables make to these or to partitions of them.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn outside_references(
        &mut self,
        site: &Site,
    ) -> Result<Vec<OutsideReference>, DatabaseError> {
        let rows = self.references(site, "t.oid IS NULL").await?;
        Ok(rows.into_iter().map(|(_, outside)| outside).collect())
    }

    /// The references to the site's tables, each after the profile's name of the table that makes it.
    /// Those of whole tables stand for what they make of their partitions.
    async fn references(
        &mut self,
        site: &Site,
        which: &str,
    ) -> Result<Vec<(Option<String>, OutsideReference)>, DatabaseError> {
        let columns = |side: &str, table: &str| {
            format!(
                "ARRAY(SELECT a.attname::text
                       FROM unnest(c.{side}) WITH ORDINALITY AS k (attnum, place)
                       JOIN pg_attribute a ON a.attrelid = c.{table} AND a.attnum = k.attnum
                       ORDER BY k.place)"
            )
        };
        let query = format!(
            "WITH tree AS {}
             SELECT t.name, pg_catalog.format('%I.%I', cn.nspname, child.relname), child.oid::regclass::text,
                 c.conname::text, {}, r.name, pg_catalog.format('%I.%I', pn.nspname, parent.relname), {},
                 c.convalidated
             FROM pg_constraint c JOIN tree r ON r.oid = c.confrelid
             LEFT JOIN tree t ON t.oid = c.conrelid
             JOIN pg_class child ON child.oid = c.conrelid
             JOIN pg_namespace cn ON cn.oid = child.relnamespace
             JOIN pg_class parent ON parent.oid = c.confrelid
             JOIN pg_namespace pn ON pn.oid = parent.relnamespace
             WHERE c.contype = 'f' AND c.conparentid = 0 AND {which}
             ORDER BY c.conname COLLATE \"C\"",
            site.tree_values(),
            columns("conkey", "conrelid"),
            columns("confkey", "confrelid"),
        );
        let rows: Vec<ReferenceRow> = self.rows(query).await.trying(CANNOT)?;
        let reference = |row: ReferenceRow| {
            let (referring, table, shown, name, columns, references, parent, ..) = row;
            let (.., referenced_columns, is_valid) = row;
            let not_valid = !is_valid;
            let key = ForeignKey { name, columns, references, referenced_columns, not_valid };
            (referring, OutsideReference { table, shown, parent, key })
        };
        Ok(rows.into_iter().map(reference).collect())
    }

    async fn triggers(&mut self, ids: &str) -> Result<ByTable<Trigger>, DatabaseError> {
        let query = format!(
            "SELECT t.relname::text, tgname::text, tgenabled::text
             FROM pg_trigger JOIN pg_class t ON t.oid = tgrelid
             WHERE t.oid = ANY ({ids}) AND NOT tgisinternal ORDER BY tgname COLLATE \"C\""
        );
        let rows: Vec<(String, String, String)> = self.rows(query).await.trying(CANNOT)?;
        Ok(by_table(rows, |(table, name, enabled)| {
            (table, Trigger { name, enabled: enabled.chars().next().unwrap_or('O') })
        }))
    }
}

/// Gathers rows, in their order, under the table that `split` finds in each.
fn by_table<R, T>(rows: Vec<R>, split: impl Fn(R) -> (String, T)) -> ByTable<T> {
    let mut gathered = ByTable::new();
    for (table, row) in rows.into_iter().map(split) {
        gathered.entry(table).or_default().push(row);
    }
    gathered
}

/// Takes what belongs to a table; many have nothing of a kind.
fn of<T>(table: &str, gathered: &mut ByTable<T>) -> Vec<T> {
    gathered.remove(table).unwrap_or_default()
}

fn without_key(table: &str) -> DatabaseError {
    let trouble = Trouble::Unsuitable(format!("the table {table:?} has no primary key"));
    DatabaseError { what: "back up this database".into(), trouble }
}

/// The columns of the key as it has them, then the others by name.
fn in_order(mut columns: Vec<Column>, key: &[KeyColumn]) -> Vec<Column> {
    columns.sort_by_key(|column| {
        let place = key.iter().position(|key| key.column == column.name);
        (place.unwrap_or(usize::MAX), column.name.clone())
    });
    columns
}

/// The columns that mean something together, and those that a mere touch changes apart.
fn groups(columns: &[Column], key_columns: usize, volatile: &[String]) -> Vec<Vec<usize>> {
    let volatile =
        |place: &usize| *place >= key_columns && volatile.contains(&columns[*place].name);
    let (apart, content): (Vec<_>, Vec<_>) = (0..columns.len()).partition(volatile);
    if apart.is_empty() { vec![content] } else { vec![content, apart] }
}
