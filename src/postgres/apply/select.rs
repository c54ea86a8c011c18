//! Restoring a part: which of the staged changes were asked for, and what they cannot do without.

use super::Apply;
use super::stage::staging;
use crate::model::{Dataset, ForeignKey, PARTS, Schema, Table};
use crate::postgres::error::{DatabaseError, While};
use crate::postgres::{Session, sql};

/// Which rows a restore is about. A change must meet all that is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Rows that are in one of these datasets, in the backup or now; empty for all.
    pub datasets: Vec<Dataset>,
    /// Rows that belong to this VRF, in the backup or now.
    pub vrf: Option<String>,
}

/// How a row of a table belongs to a VRF, `r` being the row and `{}` the VRF. The prefixes of the
/// backup stand in the staging table, those of now in the table itself, `{prefix}`.
const OF_VRF: [(&str, &str); 3] = [
    ("vrf", "r.vrf_id = {}"),
    ("prefix", "r.vrf_id = {}"),
    (
        "vpc_prefix_association",
        "r.parent_prefix_id IN (SELECT prefix_id FROM {prefix} WHERE vrf_id = {}
         UNION SELECT prefix_id FROM pg_temp.rewind_prefix WHERE vrf_id = {})",
    ),
];

const CANNOT: &str = "select the changes";

impl Selection {
    /// Whether it selects everything.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.datasets.is_empty() && self.vrf.is_none()
    }

    /// Whether a sequence is to be set, too: all rows of all tables that draw from it are selected.
    #[must_use]
    pub fn covers_sequence(&self, sequence: &str, schema: &Schema) -> bool {
        let asked = |dataset| self.datasets.is_empty() || self.datasets.contains(&dataset);
        let draws = |table: &&Table| table.sequences.iter().any(|name| name == sequence);
        let whole = |table: &Table| {
            PARTS.iter().filter(|part| part.table == table.name).all(|part| asked(part.dataset))
        };
        self.vrf.is_none() && schema.tables.iter().filter(draws).all(whole)
    }

    /// The condition that selects staged rows `s` of a table by what was asked for.
    fn condition(&self, table: &Table, schema: &Schema) -> String {
        let mut conditions = vec!["true".to_owned()];
        if !self.datasets.is_empty() {
            let asked = PARTS.iter().filter(|part| self.datasets.contains(&part.dataset));
            let parts: Vec<_> = asked.map(|part| sql::literal(part.name)).collect();
            conditions.push(format!(
                "EXISTS (SELECT FROM {} r WHERE {} AND r.rewind_part IN ({}))",
                staging(table),
                sql::same_key(table, ("r", "s")),
                parts.join(", ")
            ));
        }
        if let Some(vrf) = &self.vrf {
            let of_vrf = OF_VRF.iter().find(|(name, _)| *name == table.name);
            conditions.push(of_vrf.map_or("false".into(), |(_, condition)| {
                let prefix = schema.table("prefix").map(sql::table).unwrap_or_default();
                let condition = condition.replace("{prefix}", &prefix);
                let condition = condition.replace("{}", &sql::literal(vrf));
                let live = sql::same_key(table, ("r", "s"));
                format!(
                    "(EXISTS (SELECT FROM {} r WHERE {live} AND {condition})
                      OR EXISTS (SELECT FROM {} r WHERE {live} AND {condition}))",
                    staging(table),
                    sql::table(table)
                )
            }));
        }
        conditions.join(" AND ")
    }
}

impl Session {
    /// Whether there is a VRF with this id now.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn has_vrf(&mut self, schema: &Schema, vrf: &str) -> Result<bool, DatabaseError> {
        let Some(table) = schema.table("vrf").map(sql::table) else {
            return Ok(false);
        };
        let query = format!(
            "SELECT EXISTS (SELECT FROM {table} WHERE vrf_id::text = {})",
            sql::literal(vrf)
        );
        self.value(query).await.trying("look for a VRF")
    }
}

impl Apply<'_> {
    /// Drops every staged change that was neither asked for nor is needed by one that was.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn select(&mut self, selection: &Selection) -> Result<(), DatabaseError> {
        for table in &self.schema.tables {
            self.run(CANNOT, index(table)).await?;
        }
        for table in &self.schema.tables {
            let condition = selection.condition(table, self.schema);
            self.run(CANNOT, choose(table, &condition)).await?;
        }
        while self.choose_needed().await? > 0 {}
        for table in &self.schema.tables {
            let drop = format!("DELETE FROM {} WHERE NOT rewind_chosen", staging(table));
            self.run(CANNOT, drop).await?;
        }
        Ok(())
    }

    /// One round of adding what chosen changes need; how many were added.
    async fn choose_needed(&mut self) -> Result<u64, DatabaseError> {
        let mut added = 0;
        for child in &self.schema.tables {
            for key in &child.foreign_keys {
                let Some(parent) = self.schema.table(&key.references) else {
                    continue;
                };
                added += self.run(CANNOT, choose(parent, &needed(child, key, parent))).await?;
                added += self.run(CANNOT, choose(child, &orphaned(child, key, parent))).await?;
            }
            for unique in &child.unique {
                added += self.run(CANNOT, choose(child, &in_the_way(child, unique))).await?;
            }
        }
        Ok(added)
    }
}

/// Makes staged rows quick to find one by one.
fn index(table: &Table) -> String {
    format!("CREATE INDEX ON {} ({})", staging(table), sql::names(table.key_names()))
}

/// Chooses the staged rows `s` that meet the condition.
fn choose(table: &Table, condition: &str) -> String {
    let staging = staging(table);
    format!("UPDATE {staging} s SET rewind_chosen = true WHERE NOT s.rewind_chosen AND {condition}")
}

fn reference(key: &ForeignKey, aliases: (&str, &str)) -> String {
    let pairs = key.columns.iter().zip(&key.referenced_columns);
    sql::equal(aliases, pairs.map(|(from, to)| (from.as_str(), to.as_str())))
}

/// A parent that a chosen row refers to: one that is missing now, and in the same table (the chain
/// of parents, whose rows rule over each other) also one that merely differs.
fn needed(child: &Table, key: &ForeignKey, parent: &Table) -> String {
    let missing = if child.name == parent.name {
        String::new()
    } else {
        format!(
            " AND NOT EXISTS (SELECT FROM {} p WHERE {})",
            sql::table(parent),
            sql::same_key(parent, ("p", "s"))
        )
    };
    format!(
        "EXISTS (SELECT FROM {} c WHERE c.rewind_chosen AND c.rewind_op <> 'd' AND {}){missing}",
        staging(child),
        reference(key, ("c", "s"))
    )
}

/// A row that now refers to one which is chosen to go, and not just from one dataset to another.
fn orphaned(child: &Table, key: &ForeignKey, parent: &Table) -> String {
    format!(
        "EXISTS (SELECT FROM {} c JOIN {} p ON {} JOIN {} g ON {}
                 WHERE {} AND g.rewind_chosen AND g.rewind_op = 'd'
                 AND NOT EXISTS (SELECT FROM {} n WHERE {} AND n.rewind_op <> 'd'))",
        sql::table(child),
        sql::table(parent),
        reference(key, ("c", "p")),
        staging(parent),
        sql::same_key(parent, ("p", "g")),
        sql::same_key(child, ("c", "s")),
        staging(parent),
        sql::same_key(parent, ("n", "g")),
    )
}

/// A row that now holds a unique value which a chosen row gets.
fn in_the_way(table: &Table, unique: &[String]) -> String {
    let pairs = unique.iter().map(|column| (column.as_str(), column.as_str()));
    format!(
        "EXISTS (SELECT FROM {} t JOIN {} n ON {} WHERE {} AND n.rewind_chosen
                 AND n.rewind_op <> 'd' AND NOT ({}))",
        sql::table(table),
        staging(table),
        sql::equal(("t", "n"), pairs),
        sql::same_key(table, ("t", "s")),
        sql::same_key(table, ("t", "n")),
    )
}
