//! Reads the shape of the backed-up tables from the catalog.

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

/// Of a reference: its name, the referring table, the one referred to, the columns of both.
type ReferenceRow = (String, String, String, Vec<String>, Vec<String>);

/// The backed-up tables that this database has, in the order in which they are to be locked.
///
/// # Errors
/// If the connection is lost.
pub async fn existing_tables(session: &mut Session) -> Result<Vec<&'static str>, DatabaseError> {
    let mut found = Vec::new();
    for table in Part::tables() {
        let query = format!(
            "SELECT count(*) > 0 FROM pg_class WHERE relname = {} AND relkind IN ('r', 'p')
             AND relnamespace = quote_ident(current_schema())::regnamespace",
            sql::literal(table)
        );
        if session.value(query).await.trying(CANNOT)? {
            found.push(table);
        }
    }
    Ok(found)
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
        let mut found = Vec::new();
        for table in tables {
            found.push(self.table(table).await?);
        }
        for table in &mut found {
            table.foreign_keys.retain(|key| tables.contains(&key.references.as_str()));
        }
        Ok(Schema { tables: found })
    }

    async fn table(&mut self, table: &str) -> Result<Table, DatabaseError> {
        let key = self.primary_key(table).await?;
        let mut columns = self.columns(table).await?;
        columns.sort_by_key(|column| {
            let place = key.iter().position(|key| key.column == column.name);
            (place.unwrap_or(usize::MAX), column.name.clone())
        });
        let (unique, loose_unique) = self.unique(table).await?;
        Ok(Table {
            name: table.to_owned(),
            groups: groups(&columns, key.len()),
            columns,
            key,
            unique,
            loose_unique,
            foreign_keys: self.foreign_keys(table).await?,
            triggers: self.triggers(table).await?,
            sequences: self.sequences(table).await?,
        })
    }

    async fn columns(&mut self, table: &str) -> Result<Vec<Column>, DatabaseError> {
        let query = format!(
            "SELECT attname::text, format_type(atttypid, atttypmod), attnum, attidentity::text
             FROM pg_attribute WHERE attrelid = {}::regclass AND attnum > 0
             AND NOT attisdropped AND attgenerated = ''",
            sql::literal(&sql::name(table))
        );
        let rows: Vec<(String, String, i16, String)> = self.rows(query).await.trying(CANNOT)?;
        let column = |(name, type_name, position, identity): (String, String, i16, String)| {
            let identity = match identity.as_str() {
                "a" => Some(Identity::Always),
                "d" => Some(Identity::ByDefault),
                _ => None,
            };
            Column { name, type_name, position, identity }
        };
        Ok(rows.into_iter().map(column).collect())
    }

    async fn primary_key(&mut self, table: &str) -> Result<Vec<KeyColumn>, DatabaseError> {
        let query = format!(
            "SELECT a.attname::text, a.atttypid::regtype::text
             FROM pg_index i CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
             WHERE i.indisprimary AND i.indrelid = {}::regclass AND k.place <= i.indnkeyatts
             ORDER BY k.place",
            sql::literal(&sql::name(table))
        );
        let rows: Vec<(String, String)> = self.rows(query).await.trying(CANNOT)?;
        if rows.is_empty() {
            let trouble = Trouble::Unsuitable(format!("the table {table:?} has no primary key"));
            return Err(DatabaseError { what: "back up this database".into(), trouble });
        }
        let key = |(column, type_name): (String, String)| {
            let kind = match type_name.as_str() {
                "uuid" => KeyKind::Uuid,
                "smallint" | "integer" | "bigint" => KeyKind::Integer,
                _ => KeyKind::Text,
            };
            KeyColumn { column, kind }
        };
        Ok(rows.into_iter().map(key).collect())
    }

    /// The columns of each plain unique index besides the key, and whether there are rules of
    /// uniqueness that stored columns alone do not tell (over expressions, over some rows, over
    /// generated columns, exclusions).
    async fn unique(&mut self, table: &str) -> Result<(Vec<Vec<String>>, bool), DatabaseError> {
        let query = format!(
            "SELECT i.indexprs IS NOT NULL OR i.indpred IS NOT NULL OR i.indisexclusion
                 OR coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false)
                 OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid
                            AND a.attnum = ANY (i.indkey) AND a.attgenerated <> ''),
                 ARRAY(SELECT a.attname::text
                       FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
                       JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                       WHERE k.place <= i.indnkeyatts ORDER BY k.place)
             FROM pg_index i WHERE (i.indisunique OR i.indisexclusion) AND NOT i.indisprimary
             AND i.indrelid = {}::regclass ORDER BY i.indexrelid::regclass::text COLLATE \"C\"",
            sql::literal(&sql::name(table))
        );
        let rows: Vec<(bool, Vec<String>)> = self.rows(query).await.trying(CANNOT)?;
        let loose = rows.iter().any(|(loose, _)| *loose);
        let plain = rows.into_iter().filter(|(loose, _)| !loose).map(|(_, columns)| columns);
        Ok((plain.collect(), loose))
    }

    async fn foreign_keys(&mut self, table: &str) -> Result<Vec<ForeignKey>, DatabaseError> {
        let condition = format!("c.conrelid = {}::regclass", sql::literal(&sql::name(table)));
        let rows = self.references(&condition).await?;
        Ok(rows.into_iter().map(|outside| outside.key).collect())
    }

    /// The references that tables outside `tables` make to these.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn outside_references(
        &mut self,
        tables: &[&str],
    ) -> Result<Vec<OutsideReference>, DatabaseError> {
        let quoted = |table: &&str| format!("{}::regclass", sql::literal(&sql::name(table)));
        let list = tables.iter().map(quoted).collect::<Vec<_>>().join(", ");
        let condition = format!("c.confrelid IN ({list}) AND c.conrelid NOT IN ({list})");
        self.references(&condition).await
    }

    async fn references(&mut self, which: &str) -> Result<Vec<OutsideReference>, DatabaseError> {
        let columns = |side: &str, table: &str| {
            format!(
                "ARRAY(SELECT a.attname::text
                       FROM unnest(c.{side}) WITH ORDINALITY AS k (attnum, place)
                       JOIN pg_attribute a ON a.attrelid = c.{table} AND a.attnum = k.attnum
                       ORDER BY k.place)"
            )
        };
        let query = format!(
            "SELECT c.conname::text, c.conrelid::regclass::text, r.relname::text, {}, {}
             FROM pg_constraint c JOIN pg_class r ON r.oid = c.confrelid
             WHERE c.contype = 'f' AND c.conparentid = 0 AND {which}
             ORDER BY c.conname COLLATE \"C\"",
            columns("conkey", "conrelid"),
            columns("confkey", "confrelid"),
        );
        let rows: Vec<ReferenceRow> = self.rows(query).await.trying(CANNOT)?;
        let reference = |(name, table, references, columns, referenced_columns): ReferenceRow| {
            let key = ForeignKey { name, columns, references, referenced_columns };
            OutsideReference { table, key }
        };
        Ok(rows.into_iter().map(reference).collect())
    }

    async fn triggers(&mut self, table: &str) -> Result<Vec<Trigger>, DatabaseError> {
        let query = format!(
            "SELECT tgname::text, tgenabled::text FROM pg_trigger
             WHERE tgrelid = {}::regclass AND NOT tgisinternal ORDER BY tgname COLLATE \"C\"",
            sql::literal(&sql::name(table))
        );
        let rows: Vec<(String, String)> = self.rows(query).await.trying(CANNOT)?;
        let trigger = |(name, enabled): (String, String)| Trigger {
            name,
            enabled: enabled.chars().next().unwrap_or('O'),
        };
        Ok(rows.into_iter().map(trigger).collect())
    }

    /// The sequences that a table's columns own or take their defaults from.
    async fn sequences(&mut self, table: &str) -> Result<Vec<String>, DatabaseError> {
        let query = format!(
            "SELECT DISTINCT s.relname::text COLLATE \"C\" FROM pg_class s
             JOIN pg_depend d ON s.relkind = 'S' AND s.relnamespace = quote_ident(current_schema())::regnamespace
               AND ((d.objid = s.oid AND d.classid = 'pg_class'::regclass
                     AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
                     AND d.refobjid = {0}::regclass)
                 OR (d.refobjid = s.oid AND d.refclassid = 'pg_class'::regclass
                     AND d.classid = 'pg_attrdef'::regclass
                     AND d.objid IN (SELECT oid FROM pg_attrdef WHERE adrelid = {0}::regclass)))
             ORDER BY 1",
            sql::literal(&sql::name(table))
        );
        let rows: Vec<(String,)> = self.rows(query).await.trying(CANNOT)?;
        Ok(rows.into_iter().map(|(name,)| name).collect())
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
        let mut sequences: Vec<_> = schema.tables.iter().flat_map(|t| &t.sequences).collect();
        sequences.dedup();
        for name in sequences {
            let query = format!(
                "SELECT last_value + CASE WHEN is_called THEN seqincrement ELSE 0 END
                 FROM {0}, pg_sequence WHERE seqrelid = {1}::regclass",
                sql::name(name),
                sql::literal(&sql::name(name))
            );
            let next = self.value(query).await.trying(format!("read the sequence {name}"))?;
            values.push(SequenceValue { name: name.clone(), next });
        }
        Ok(values)
    }
}

/// The columns that mean something together, and those that a mere touch changes apart.
fn groups(columns: &[Column], key_columns: usize) -> Vec<Vec<usize>> {
    let volatile = |place: &usize| {
        *place >= key_columns && VOLATILE_COLUMNS.contains(&columns[*place].name.as_str())
    };
    let (apart, content): (Vec<_>, Vec<_>) = (0..columns.len()).partition(volatile);
    if apart.is_empty() { vec![content] } else { vec![content, apart] }
}
