//! Columns that were added since a backup: what a row gets in them that does not have them.

use super::error::{DatabaseError, While};
use super::session::Session;
use super::sql;
use crate::model::{Profile, Table};

/// A column that a backup has no values for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedColumn {
    pub name: String,
    /// The expression of its default; `None` for null.
    pub default: Option<String>,
    /// Whether a row that has no value for it can be inserted, and one that has can be made again.
    pub is_optional: bool,
}

impl Session {
    /// What rows get in these columns of a table.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn added_columns(
        &mut self,
        table: &Table,
        names: &[String],
        profile: &Profile,
    ) -> Result<Vec<AddedColumn>, DatabaseError> {
        let names = names.iter().map(|name| sql::literal(name)).collect::<Vec<_>>().join(", ");
        // A number that only the database gives cannot be given again. A reference between rows that are
        // restored would have to be followed.
        let query = format!(
            "SELECT a.attname::text,
                 coalesce(pg_get_expr(d.adbin, d.adrelid), t.typdefault,
                          CASE a.attidentity WHEN 'd' THEN 'the next number' END),
                 a.attidentity <> 'a'
                 AND (NOT (a.attnotnull OR t.typnotnull) OR d.oid IS NOT NULL
                      OR t.typdefault IS NOT NULL OR a.attidentity = 'd')
                 AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.contype = 'f'
                     AND (c.conrelid = a.attrelid AND a.attnum = ANY (c.conkey)
                          AND c.confrelid IN (SELECT conrelid FROM pg_constraint
                              WHERE contype = 'p' AND conrelid::regclass::text = ANY (ARRAY[{2}]))
                      OR c.confrelid = a.attrelid AND a.attnum = ANY (c.confkey)))
             FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
             LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
             WHERE a.attrelid = {0} AND a.attname IN ({1}) ORDER BY a.attname COLLATE \"C\"",
            sql::regclass(table),
            names,
            profile.table_names().map(sql::literal).collect::<Vec<_>>().join(", ")
        );
        let rows: Vec<(String, Option<String>, bool)> =
            self.rows(query).await.trying("read the columns that were added")?;
        let column = |(name, default, is_optional)| AddedColumn { name, default, is_optional };
        Ok(rows.into_iter().map(column).collect())
    }
}
