//! Restoring a part: which of the staged changes were asked for, and what they cannot do without.

use super::rules::Reference;
use super::stage::Stage;
use super::{Apply, collide};
use crate::model::{Dataset, PARTS, Schema, Table};
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

/// How a row of a table belongs to a VRF, `r` being the row, `{}` the VRF and `{prefixes}` the
/// prefixes in it: those of the backup that change, and those of now.
const OF_VRF: [(&str, &str); 3] = [
    ("vrf", "r.vrf_id = {}"),
    ("prefix", "r.vrf_id = {}"),
    ("vpc_prefix_association", "r.parent_prefix_id IN ({prefixes})"),
];

const CANNOT: &str = "select the changes";

impl Selection {
    /// Whether it selects everything.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.datasets.is_empty() && self.vrf.is_none()
    }

    /// Whether rows of this table are asked for; others may be needed by these.
    #[must_use]
    pub fn asks_for(&self, table: &str) -> bool {
        let of_dataset = |part: &&crate::model::Part| {
            self.datasets.is_empty() || self.datasets.contains(&part.dataset)
        };
        let asked = PARTS.iter().filter(of_dataset).any(|part| part.table == table);
        asked && (self.vrf.is_none() || OF_VRF.iter().any(|(name, _)| *name == table))
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

    /// The condition that selects staged rows `s` of a table by what was asked for; `prefixes` are all
    /// tables with prefixes, staged or live.
    fn condition(&self, stage: &Stage<'_>, prefixes: &[String]) -> String {
        let mut conditions = vec!["true".to_owned()];
        if !self.datasets.is_empty() {
            let asked = PARTS.iter().filter(|part| self.datasets.contains(&part.dataset));
            let parts: Vec<_> = asked.map(|part| sql::literal(part.name)).collect();
            conditions.push(format!(
                "EXISTS (SELECT FROM {} r WHERE {} AND r.rewind_part IN ({}))",
                stage.changes(),
                stage.same_key(("r", "s")),
                parts.join(", ")
            ));
        }
        if let Some(vrf) = &self.vrf {
            let vrf = sql::literal(vrf);
            let of_vrf = OF_VRF.iter().find(|(name, _)| *name == stage.table.name);
            conditions.push(of_vrf.map_or("false".into(), |(_, condition)| {
                let prefixes = prefixes
                    .iter()
                    .map(|table| format!("SELECT prefix_id FROM {table} WHERE vrf_id = {vrf}"));
                let prefixes = prefixes.collect::<Vec<_>>().join(" UNION ");
                // Once: an id may hold either mark.
                let condition = if condition.contains("{prefixes}") {
                    condition.replace("{prefixes}", &prefixes)
                } else {
                    condition.replace("{}", &vrf)
                };
                let same = stage.same_key(("r", "s"));
                format!(
                    "(EXISTS (SELECT FROM {} r WHERE {same} AND {condition})
                      OR EXISTS (SELECT FROM {} r WHERE {same} AND {condition}))",
                    stage.changes(),
                    stage.live()
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
        let stages = self.stages();
        for stage in &stages {
            self.run(CANNOT, index(stage)).await?;
        }
        let prefixes = self.tables_of("prefix");
        for stage in &stages {
            let condition = selection.condition(stage, &prefixes);
            self.run(CANNOT, choose(stage, &condition)).await?;
        }
        while self.choose_needed().await? > 0 {}
        for stage in &stages {
            let drop = format!("DELETE FROM {} WHERE NOT rewind_chosen", stage.changes());
            self.run(CANNOT, drop).await?;
        }
        Ok(())
    }

    /// The live table of this name, and what is staged of it.
    fn tables_of(&self, name: &str) -> Vec<String> {
        let place = self.schema.tables.iter().position(|table| table.name == name);
        let live = place.map(|number| self.stage_of(number).live());
        let staged = self.stages().into_iter().find(|stage| stage.table.name == name);
        live.into_iter().chain(staged.map(|stage| stage.changes())).collect()
    }

    /// One round of adding what chosen changes need; how many were added.
    async fn choose_needed(&mut self) -> Result<u64, DatabaseError> {
        let (stages, rules) = (self.stages(), self.rules);
        let find = |number| stages.iter().find(|stage| stage.number == number);
        let mut added = 0;
        for reference in &rules.references {
            let Some((child, parent)) = reference.inside.and_then(find).zip(find(reference.parent))
            else {
                continue;
            };
            added += self.run(CANNOT, choose(parent, &needed(child, reference, parent))).await?;
            added += self.run(CANNOT, choose(child, &orphaned(child, reference, parent))).await?;
        }
        for stage in &stages {
            for rule in &stage.rules.unique {
                let condition = collide::in_the_way(stage, rule);
                added += self.run(CANNOT, choose(stage, &condition)).await?;
            }
        }
        Ok(added)
    }
}

/// Makes staged rows quick to find one by one.
fn index(stage: &Stage<'_>) -> String {
    format!("CREATE INDEX ON {} ({})", stage.changes(), sql::names(stage.table.key_names()))
}

/// Chooses the staged rows `s` that meet the condition.
fn choose(stage: &Stage<'_>, condition: &str) -> String {
    let staging = stage.changes();
    format!("UPDATE {staging} s SET rewind_chosen = true WHERE NOT s.rewind_chosen AND {condition}")
}

/// A parent that a chosen row refers to: one that is missing now, and in the same table (the chain
/// of parents, whose rows rule over each other) also one that merely differs.
fn needed(child: &Stage<'_>, reference: &Reference, parent: &Stage<'_>) -> String {
    let missing = if child.number == parent.number {
        String::new()
    } else {
        format!(
            " AND NOT EXISTS (SELECT FROM {} p WHERE {})",
            parent.live(),
            parent.same_key(("p", "s"))
        )
    };
    format!(
        "EXISTS (SELECT FROM {} c WHERE c.rewind_chosen AND c.rewind_op <> 'd' AND {}){missing}",
        child.changes(),
        reference.holds(("c", "s"))
    )
}

/// A row that now refers to one which is chosen to go, and not just from one dataset to another.
fn orphaned(child: &Stage<'_>, reference: &Reference, parent: &Stage<'_>) -> String {
    format!(
        "EXISTS (SELECT FROM {} c JOIN {} p ON {} JOIN {} g ON {}
                 WHERE {} AND g.rewind_chosen AND g.rewind_op = 'd'
                 AND NOT EXISTS (SELECT FROM {} n WHERE {} AND n.rewind_op <> 'd'))",
        child.live(),
        parent.live(),
        reference.holds(("c", "p")),
        parent.changes(),
        parent.same_key(("p", "g")),
        child.same_key(("c", "s")),
        parent.changes(),
        parent.same_key(("n", "g")),
    )
}
