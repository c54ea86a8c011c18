//! The sequences that feed the backed-up tables, in whatever schema they are.

use super::error::{DatabaseError, While};
use super::relation::Site;
use super::session::Session;
use super::sql;
use crate::model::{Schema, SequenceValue};

/// A sequence that a table draws from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSequence {
    /// The profile's name of the table.
    pub table: String,
    /// The name in backups: with its schema where that is not the table's.
    pub name: String,
    /// The name, qualified and quoted.
    pub sequence: String,
    /// What the catalog knows it by.
    pub oid: u32,
}

/// What a default says that names its sequence as text, to be looked up for each row.
const NAMED_BY_TEXT: &str = r"nextval\(\('((?:[^']|'')+)'::text\)::regclass";

impl Session {
    /// The sequences that the tables' columns, or those of their partitions, own or take their
    /// defaults from. Within a transaction.
    ///
    /// # Errors
    /// If the connection is lost.
    pub(super) async fn sequences(
        &mut self,
        site: &Site,
    ) -> Result<Vec<LiveSequence>, DatabaseError> {
        self.sequences_of(&site.tree_values()).await
    }

    /// The sequences of a relation of `oid` and `name`.
    async fn sequences_of(&mut self, tree: &str) -> Result<Vec<LiveSequence>, DatabaseError> {
        let query = format!(
            "WITH tree AS {tree},
             uses AS (
                 SELECT refobjid AS of_table, objid AS sequence FROM pg_depend
                 WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
                   AND deptype IN ('a', 'i') AND refobjid IN (SELECT oid FROM tree)
                 UNION
                 SELECT adrelid, refobjid FROM pg_attrdef f
                 JOIN pg_depend ON objid = f.oid AND classid = 'pg_attrdef'::regclass
                 WHERE refclassid = 'pg_class'::regclass AND adrelid IN (SELECT oid FROM tree)
                 UNION
                 SELECT adrelid, to_regclass(replace(named[1], '''''', ''''))
                 FROM pg_attrdef, regexp_matches(pg_get_expr(adbin, adrelid), {}) AS named
                 WHERE adrelid IN (SELECT oid FROM tree))
             SELECT DISTINCT tree.name,
                 (CASE WHEN s.relnamespace = t.relnamespace THEN s.relname
                       ELSE pg_catalog.format('%I.%I', n.nspname, s.relname) END)::text COLLATE \"C\",
                 pg_catalog.format('%I.%I', n.nspname, s.relname), s.oid::int8
             FROM uses JOIN tree ON tree.oid = of_table JOIN pg_class t ON t.oid = of_table
             JOIN pg_class s ON s.oid = sequence JOIN pg_namespace n ON n.oid = s.relnamespace
             WHERE s.relkind = 'S' ORDER BY 2, 3",
            sql::literal(NAMED_BY_TEXT)
        );
        let rows: Vec<(String, String, String, i64)> =
            self.rows(query).await.trying("read the catalog")?;
        let sequence = |(table, name, sequence, oid)| {
            let oid = u32::try_from(oid).expect("an oid has 32 bits");
            LiveSequence { table, name, sequence, oid }
        };
        Ok(rows.into_iter().map(sequence).collect())
    }

    /// The sequences of these tables, each once.
    ///
    /// # Errors
    /// If the connection is lost.
    pub(super) async fn live_sequences(
        &mut self,
        schema: &Schema,
    ) -> Result<Vec<LiveSequence>, DatabaseError> {
        let tree = format!(
            "(WITH RECURSIVE tree AS (
                 SELECT oid, relname::text AS name FROM pg_class WHERE oid = ANY ({})
                 UNION SELECT inhrelid, name FROM pg_inherits JOIN tree ON inhparent = oid)
              SELECT oid, name FROM tree)",
            sql::regclasses(&schema.tables)
        );
        let mut sequences = self.sequences_of(&tree).await?;
        sequences.dedup_by_key(|sequence| sequence.oid);
        Ok(sequences)
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
        for LiveSequence { name, sequence, oid, .. } in self.live_sequences(schema).await? {
            let query = format!(
                "SELECT last_value + CASE WHEN is_called THEN seqincrement ELSE 0 END
                 FROM {sequence}, pg_sequence WHERE seqrelid = {oid}",
            );
            let next = self.value(query).await.trying(format!("read the sequence {sequence}"))?;
            values.push(SequenceValue { name, next });
        }
        Ok(values)
    }
}
