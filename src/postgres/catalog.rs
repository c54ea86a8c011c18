//! Reads the shape of the backed-up tables from the catalog.

use std::collections::{BTreeSet, HashMap};

use super::error::{DatabaseError, Trouble, While};
use super::session::Session;
use super::sql;
use crate::model::{
    Column, ForeignKey, Identity, KeyColumn, KeyKind, PARTS, Part, Schema, SequenceValue, Table,
    Trigger, VOLATILE_COLUMNS,
};

/// A foreign key of a table that is not backed up, to one that is.
#[derive(Debug, Clone)]
pub struct OutsideReference {
    /// The referring table, schema-qualified and quoted.
    pub table: String,
    /// The reference.
    pub key: ForeignKey,
}

const CANNOT: &str = "read the catalog";

/// Of a reference: the referring table's name, the same qualified and quoted, the reference's name
/// and columns, and the table and columns that it refers to.
type ReferenceRow = (String, String, String, Vec<String>, String, Vec<String>);

/// What belongs to each table, by the table's name.
type ByTable<T> = HashMap<String, Vec<T>>;

/// The backed-up tables that this database has, in the order in which they are to be locked.
///
/// # Errors
/// If the connection is lost.
pub async fn existing_tables(session: &mut Session) -> Result<Vec<&'static str>, DatabaseError> {
    let mut tables = Part::tables();
    let names: Vec<_> = tables.iter().map(|table| sql::literal(table)).collect();
    let query = format!(
        "SELECT relname::text FROM pg_class WHERE relname IN ({}) AND relkind IN ('r', 'p')
         AND relnamespace = quote_ident(current_schema())::regnamespace",
        names.join(", ")
    );
    let found: Vec<(String,)> = session.rows(query).await.trying(CANNOT)?;
    tables.retain(|table| found.iter().any(|(found,)| found == table));
    Ok(tables)
}

/// Refuses to back up a database that has these tables alone.
///
/// # Errors
/// If one that no site may lack is missing.
pub fn refuse_incomplete(tables: &[&str]) -> Result<(), DatabaseError> {
    let needed = |part: &&Part| !part.optional && !tables.contains(&part.table);
    let Some(Part { table, .. }) = PARTS.iter().find(needed) else {
        return Ok(());
    };
    let missing = format!("it has no table {table:?} in the schema of the search path");
    Err(DatabaseError {
        what: "back up this database".into(),
        trouble: Trouble::Unsuitable(missing),
    })
}

impl Session {
    /// The shape of these tables.
    ///
    /// # Errors
    /// If a table has no primary key, or the connection is lost.
    pub async fn schema(&mut self, tables: &[&str]) -> Result<Schema, DatabaseError> {
        // Each question is asked once, of all tables: over a network, the way there and back is what
        // takes the time.
        let ids = sql::regclasses(tables.iter().copied());
        let mut keys = self.primary_keys(&ids).await?;
        let mut columns = self.columns(&ids).await?;
        let mut unique = self.unique(&ids).await?;
        let mut foreign_keys = self.foreign_keys(&ids).await?;
        let mut triggers = self.triggers(&ids).await?;
        let mut sequences = self.sequences(&ids).await?;
        let table = |&name: &&str| {
            let key = keys.remove(name).ok_or_else(|| without_key(name))?;
            let columns = in_order(of(name, &mut columns), &key);
            let (loose, plain): (Vec<_>, Vec<_>) =
                of(name, &mut unique).into_iter().partition(|(loose, _)| *loose);
            Ok(Table {
                name: name.to_owned(),
                groups: groups(&columns, key.len()),
                columns,
                key,
                unique: plain.into_iter().map(|(_, columns)| columns).collect(),
                loose_unique: !loose.is_empty(),
                foreign_keys: of(name, &mut foreign_keys),
                triggers: of(name, &mut triggers),
                sequences: of(name, &mut sequences),
            })
        };
        Ok(Schema { tables: tables.iter().map(table).collect::<Result<_, _>>()? })
    }

    async fn columns(&mut self, ids: &str) -> Result<ByTable<Column>, DatabaseError> {
        let query = format!(
            "SELECT t.relname::text, attname::text, format_type(atttypid, atttypmod), attnum,
                 attidentity::text
             FROM pg_attribute JOIN pg_class t ON t.oid = attrelid
             WHERE t.oid = ANY ({ids}) AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
        );
        let rows: Vec<(String, String, String, i16, String)> =
            self.rows(query).await.trying(CANNOT)?;
        Ok(by_table(rows, |(table, name, type_name, position, identity)| {
            let identity = match identity.as_str() {
                "a" => Some(Identity::Always),
                "d" => Some(Identity::ByDefault),
                _ => None,
            };
            (table, Column { name, type_name, position, identity })
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

    async fn foreign_keys(&mut self, ids: &str) -> Result<ByTable<ForeignKey>, DatabaseError> {
        let condition = format!("t.oid = ANY ({ids}) AND r.oid = ANY ({ids})");
        let rows = self.references(&condition).await?;
        Ok(by_table(rows, |(table, outside)| (table, outside.key)))
    }

    /// The references that tables outside `tables` make to these.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn outside_references(
        &mut self,
        tables: &[&str],
    ) -> Result<Vec<OutsideReference>, DatabaseError> {
        let ids = sql::regclasses(tables.iter().copied());
        let condition = format!("r.oid = ANY ({ids}) AND t.oid <> ALL ({ids})");
        let rows = self.references(&condition).await?;
        Ok(rows.into_iter().map(|(_, outside)| outside).collect())
    }

    /// The references, each after the name of the table that makes it.
    async fn references(
        &mut self,
        which: &str,
    ) -> Result<Vec<(String, OutsideReference)>, DatabaseError> {
        let columns = |side: &str, table: &str| {
            format!(
                "ARRAY(SELECT a.attname::text
                       FROM unnest(c.{side}) WITH ORDINALITY AS k (attnum, place)
                       JOIN pg_attribute a ON a.attrelid = {table}.oid AND a.attnum = k.attnum
                       ORDER BY k.place)"
            )
        };
        let query = format!(
            "SELECT t.relname::text, t.oid::regclass::text, c.conname::text, {}, r.relname::text, {}
             FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
             JOIN pg_class r ON r.oid = c.confrelid
             WHERE c.contype = 'f' AND c.conparentid = 0 AND {which}
             ORDER BY c.conname COLLATE \"C\"",
            columns("conkey", "t"),
            columns("confkey", "r"),
        );
        let rows: Vec<ReferenceRow> = self.rows(query).await.trying(CANNOT)?;
        let reference =
            |(referring, table, name, columns, references, referenced_columns): ReferenceRow| {
                let key = ForeignKey { name, columns, references, referenced_columns };
                (referring, OutsideReference { table, key })
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

    /// The sequences that a table's columns own or take their defaults from.
    async fn sequences(&mut self, ids: &str) -> Result<ByTable<String>, DatabaseError> {
        let query = format!(
            "SELECT t.relname::text, s.relname::text COLLATE \"C\"
             FROM (SELECT refobjid AS of_table, objid AS sequence FROM pg_depend
                   WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
                     AND deptype IN ('a', 'i') AND refobjid = ANY ({ids})
                   UNION
                   SELECT adrelid, refobjid FROM pg_attrdef f JOIN pg_depend ON objid = f.oid
                   WHERE classid = 'pg_attrdef'::regclass AND refclassid = 'pg_class'::regclass
                     AND adrelid = ANY ({ids})) AS uses
             JOIN pg_class t ON t.oid = of_table JOIN pg_class s ON s.oid = sequence
             WHERE s.relkind = 'S'
               AND s.relnamespace = quote_ident(current_schema())::regnamespace
             ORDER BY 2"
        );
        let rows: Vec<(String, String)> = self.rows(query).await.trying(CANNOT)?;
        Ok(by_table(rows, |row| row))
    }

    /// The next value of each sequence of this schema.
    ///
    /// # Errors
    /// If the role may not read a sequence.
    pub async fn sequence_values(
        &mut self,
        schema: &Schema,
    ) -> Result<Vec<SequenceValue>, DatabaseError> {
        let mut values = Vec::new();
        let sequences: BTreeSet<_> = schema.tables.iter().flat_map(|t| &t.sequences).collect();
        for name in sequences {
            let query = format!(
                "SELECT last_value + CASE WHEN is_called THEN seqincrement ELSE 0 END
                 FROM {}, pg_sequence WHERE seqrelid = {}",
                sql::name(name),
                sql::regclass(name)
            );
            let next = self.value(query).await.trying(format!("read the sequence {name}"))?;
            values.push(SequenceValue { name: name.clone(), next });
        }
        Ok(values)
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
fn groups(columns: &[Column], key_columns: usize) -> Vec<Vec<usize>> {
    let volatile = |place: &usize| {
        *place >= key_columns && VOLATILE_COLUMNS.contains(&columns[*place].name.as_str())
    };
    let (apart, content): (Vec<_>, Vec<_>) = (0..columns.len()).partition(volatile);
    if apart.is_empty() { vec![content] } else { vec![content, apart] }
}
