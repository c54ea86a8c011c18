//! Whether the rows of files of another form could be written into the live tables: their unique keys,
//! references, checks and columns that must not be null.

use super::apply::{Reference, UniqueRule};
use super::error::{DatabaseError, While};
use super::legacy::TABLES;
use super::session::Session;
use super::sql;
use crate::model::{Schema, Table};

const CANNOT: &str = "check the rows of the files";
/// So many rows are named of each kind.
const NAMED: usize = 5;

impl Session {
    /// Why the staged rows could not be written, a sentence for each rule that they break. After
    /// [`Session::fill_older`].
    ///
    /// # Errors
    /// If a rule calls what this role may not, or the connection is lost.
    pub async fn refused_older(&mut self, live: &Schema) -> Result<Vec<String>, DatabaseError> {
        let rules = self.write_rules(live).await?;
        let mut faults = Vec::new();
        for (number, table) in live.tables.iter().enumerate() {
            if !TABLES.contains(&table.name.as_str()) {
                continue;
            }
            let key = sql::key_text("a", table);
            let equal = table.key_names().zip(&rules.tables[number].key);
            let equal: Vec<_> = equal
                .map(|(name, operator)| format!("a.{0} {operator} b.{0}", sql::name(name)))
                .collect();
            let twins = format!(
                "SELECT {key} FROM pg_temp.{0} a JOIN pg_temp.{0} b ON {1} AND a.ctid < b.ctid",
                sql::name(&table.name),
                equal.join(" AND ")
            );
            let what = format!("rows of {} have the same key", table.name);
            faults.extend(self.broken(&what, twins).await?);
            for rule in &rules.tables[number].unique {
                let columns: Vec<_> = rule.entry.iter().map(|it| it.expression.as_str()).collect();
                let what = format!(
                    "pairs of rows of {} have the same ({})",
                    table.name,
                    columns.join(", ")
                );
                faults.extend(self.broken(&what, colliding(table, rule)).await?);
            }
            for (rule, condition) in self.conditions(table).await? {
                let what = format!("rows of {} break {rule}", table.name);
                let query = format!(
                    "SELECT {} FROM pg_temp.covered_{} a WHERE {condition}",
                    sql::key_text("a", table),
                    table.name
                );
                faults.extend(self.broken(&what, query).await?);
            }
        }
        for reference in &rules.references {
            let Some(child) = reference.inside.map(|number| &live.tables[number]) else { continue };
            let parent = &live.tables[reference.parent];
            let both = [child, parent];
            if both.iter().all(|table| TABLES.contains(&table.name.as_str())) {
                let what = format!(
                    "rows of {} refer to a row of {} that the backup does not have ({})",
                    child.name, parent.name, reference.name
                );
                faults.extend(self.broken(&what, dangling(reference, child, parent)).await?);
            }
        }
        Ok(faults)
    }

    /// A sentence that counts the rows which a query names.
    async fn broken(&mut self, what: &str, query: String) -> Result<Option<String>, DatabaseError> {
        let count = format!(
            "SELECT count(*), coalesce(array_to_string((array_agg(named ORDER BY named COLLATE \"C\"))[1:{NAMED}], '; '), '')
             FROM ({query}) broken (named)"
        );
        let (rows, named): (i64, String) = self.row(count).await.trying(CANNOT)?;
        Ok((rows > 0).then(|| format!("{rows} {what}: {named}")))
    }

    /// The conditions of a table's checks and of its columns that must not be null; each holds for a row
    /// that breaks it.
    async fn conditions(&mut self, table: &Table) -> Result<Vec<(String, String)>, DatabaseError> {
        let query = format!(
            "SELECT 'the check ' || conname, '(' || pg_get_expr(conbin, conrelid) || ') IS FALSE' FROM pg_constraint
             WHERE conrelid = {0} AND contype = 'c'
             UNION ALL
             SELECT 'the rule that ' || attname || ' is not null', pg_catalog.format('%I IS NULL', attname)
             FROM pg_attribute
             WHERE attrelid = {0} AND attnum > 0 AND NOT attisdropped AND attnotnull AND attgenerated = ''",
            sql::regclass(table)
        );
        self.rows(query).await.trying(CANNOT)
    }
}

/// The pairs of rows that collide in an index, by their keys.
fn colliding(table: &Table, rule: &UniqueRule) -> String {
    let places = rule.entry.iter().enumerate();
    let entry: String = places
        .clone()
        .map(|(place, it)| format!(", ({}) AS rewind_{place}", it.expression))
        .collect();
    let predicate = if rule.predicate.is_empty() { "true" } else { &rule.predicate };
    let rows = format!(
        "(SELECT {} AS rewind_key, t.ctid AS rewind_row{entry} FROM pg_temp.{} t WHERE {predicate})",
        sql::key_text("t", table),
        sql::name(&table.name)
    );
    let equal = places.map(|(place, it)| {
        let (operator, collation) = (&it.operator, &it.collation);
        let equal = format!("a.rewind_{place}{collation} {operator} b.rewind_{place}{collation}");
        if rule.nulls_are_equal {
            format!("({equal} OR (a.rewind_{place} IS NULL AND b.rewind_{place} IS NULL))")
        } else {
            equal
        }
    });
    format!(
        "SELECT a.rewind_key || ' and ' || b.rewind_key FROM {rows} a JOIN {rows} b
         ON {} AND a.rewind_row < b.rewind_row",
        equal.collect::<Vec<_>>().join(" AND ")
    )
}

/// The rows that refer to none, by their keys.
fn dangling(reference: &Reference, child: &Table, parent: &Table) -> String {
    let given =
        reference.columns.iter().map(|(from, ..)| format!("c.{} IS NOT NULL", sql::name(from)));
    format!(
        "SELECT {} FROM pg_temp.covered_{} c WHERE {} AND NOT EXISTS (SELECT FROM pg_temp.{} p WHERE {})",
        sql::key_text("c", child),
        child.name,
        given.collect::<Vec<_>>().join(" AND "),
        sql::name(&parent.name),
        reference.holds(("c", "p"))
    )
}
