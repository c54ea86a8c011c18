//! Restoring a part: which of the staged changes were asked for, and what they cannot do without.

use std::sync::Arc;

use super::rules::Reference;
use super::stage::Stage;
use super::{Apply, collide};
use crate::model::{Belongs, Dataset, Part, Profile, Schema, Scope, Table, UnknownDataset};
use crate::postgres::error::{DatabaseError, While};
use crate::postgres::{Session, sql};

/// Which rows a restore is about. A change must meet all that is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Rows that are in one of these datasets, in the backup or now; empty for all.
    pub datasets: Vec<Dataset>,
    /// Rows that belong to this row, in the backup or now.
    pub scope: Option<ScopeValue>,
}

/// A row that others belong to, such as a VRF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeValue {
    /// The name of the scope in the profile.
    pub scope: String,
    /// The row's key.
    pub value: String,
}

impl ScopeValue {
    /// The VRF with this id.
    #[must_use]
    pub fn vrf(id: String) -> Self {
        Self { scope: "vrf".into(), value: id }
    }

    /// How rows of a table belong to it.
    fn rows_of<'p>(&self, profile: &'p Profile, table: &str) -> Option<&'p Belongs> {
        profile.scope(&self.scope)?.rows.iter().find(|rows| rows.table == table)
    }
}

const CANNOT: &str = "select the changes";

impl Selection {
    /// What these names mean in a profile: datasets, and the id of a VRF.
    ///
    /// # Errors
    /// If it has no such dataset.
    pub fn named<'n>(
        profile: &Profile,
        datasets: impl IntoIterator<Item = &'n str>,
        vrf: Option<String>,
    ) -> Result<Self, UnknownDataset> {
        let datasets = datasets.into_iter().map(|name| profile.dataset(name));
        Ok(Self { datasets: datasets.collect::<Result<_, _>>()?, scope: vrf.map(ScopeValue::vrf) })
    }

    /// Whether it selects everything.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.datasets.is_empty() && self.scope.is_none()
    }

    /// Whether rows of this table are asked for; others may be needed by these.
    #[must_use]
    pub fn asks_for(&self, profile: &Profile, table: &str) -> bool {
        let in_scope = |scope: &ScopeValue| scope.rows_of(profile, table).is_some();
        profile.parts_of(table).any(|part| self.asks_for_dataset(&part.dataset))
            && self.scope.as_ref().is_none_or(in_scope)
    }

    fn asks_for_dataset(&self, dataset: &Dataset) -> bool {
        self.datasets.is_empty() || self.datasets.contains(dataset)
    }

    /// Whether a sequence is to be set, too: all rows of all tables that draw from it are selected.
    #[must_use]
    pub fn covers_sequence(&self, profile: &Profile, sequence: &str, schema: &Schema) -> bool {
        let draws = |table: &&Table| table.sequences.iter().any(|name| name == sequence);
        let asked = |part: &Arc<Part>| self.asks_for_dataset(&part.dataset);
        let whole = |table: &Table| profile.parts_of(&table.name).all(asked);
        self.scope.is_none() && schema.tables.iter().filter(draws).all(whole)
    }

    /// The condition that selects staged rows `s` of a table by what was asked for; `rows_of` gives all
    /// that holds rows of a table, staged or live.
    fn condition(
        &self,
        profile: &Profile,
        stage: &Stage<'_>,
        rows_of: impl Fn(&str) -> Vec<String>,
    ) -> String {
        let mut conditions = vec!["true".to_owned()];
        if !self.datasets.is_empty() {
            let asked = profile.parts.iter().filter(|part| self.datasets.contains(&part.dataset));
            let parts: Vec<_> = asked.map(|part| sql::literal(&part.name)).collect();
            conditions.push(format!(
                "EXISTS (SELECT FROM {} r WHERE {} AND r.rewind_part IN ({}))",
                stage.changes(),
                stage.same_key(("r", "s")),
                parts.join(", ")
            ));
        }
        if let Some(scope) = &self.scope {
            let belongs = scope.rows_of(profile, &stage.table.name);
            conditions.push(belongs.map_or("false".into(), |belongs| {
                let condition = in_scope(profile, scope, belongs, rows_of);
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

/// The condition that a row `r` belongs to the row of a scope.
fn in_scope(
    profile: &Profile,
    scope: &ScopeValue,
    belongs: &Belongs,
    rows_of: impl Fn(&str) -> Vec<String>,
) -> String {
    let (column, value) = (sql::name(&belongs.column), sql::literal(&scope.value));
    let Some(within) = &belongs.within else { return format!("r.{column} = {value}") };
    let between = scope.rows_of(profile, &within.table).expect("checked with the profile");
    let rows = rows_of(&within.table).into_iter().map(|rows| {
        let (key, column) = (sql::name(&within.column), sql::name(&between.column));
        format!("SELECT {key} FROM {rows} WHERE {column} = {value}")
    });
    format!("r.{column} IN ({})", rows.collect::<Vec<_>>().join(" UNION "))
}

impl Session {
    /// Whether there is a row of this scope with this key now.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn has_scope(
        &mut self,
        schema: &Schema,
        scope: &Scope,
        value: &str,
    ) -> Result<bool, DatabaseError> {
        let Some(table) = schema.table(&scope.table).map(sql::table) else {
            return Ok(false);
        };
        let query = format!(
            "SELECT EXISTS (SELECT FROM {table} WHERE {}::text = {})",
            sql::name(&scope.column),
            sql::literal(value)
        );
        self.value(query).await.trying(format!("look for a {}", scope.label))
    }
}

impl Apply<'_> {
    /// Drops every staged change that was neither asked for nor is needed by one that was.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn select(
        &mut self,
        profile: &Profile,
        selection: &Selection,
    ) -> Result<(), DatabaseError> {
        let stages = self.stages();
        for stage in &stages {
            self.run(CANNOT, index(stage)).await?;
        }
        for stage in &stages {
            let condition = selection.condition(profile, stage, |name| self.tables_of(name));
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
