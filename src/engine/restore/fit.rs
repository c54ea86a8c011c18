//! Whether the rows of a backup fit into the live tables, and what of both is restored if columns were
//! added or altered since.

use std::collections::BTreeMap;

use crate::engine::restore::options::RestoreOptions;
use crate::engine::{Engine, EngineError};
use crate::model::{Manifest, Profile, Schema, Table};
use crate::postgres::{AddedColumn, Session, Site};

/// The tables of a restore.
#[derive(Debug, Clone)]
pub struct Fit {
    /// The live tables as they are.
    pub live: Schema,
    /// The live tables that are restored, with the columns of the backup.
    pub restored: Schema,
    /// The columns of these that the backup has no values for.
    pub added: BTreeMap<String, Vec<String>>,
    /// What is restored in another way than everything, one sentence each.
    pub drift: Vec<String>,
}

impl Fit {
    /// Whether the live tables are those of the backup.
    pub fn is_exact(&self) -> bool {
        let same = |table: &Table| {
            self.restored.table(&table.name).is_some_and(|restored| restored.is_stored_as(table))
        };
        self.live.tables.iter().all(same)
    }

    /// The names of the tables that are restored.
    pub fn tables(&self) -> Vec<&str> {
        self.restored.tables.iter().map(|table| table.name.as_str()).collect()
    }
}

/// What became of a table since the backup.
enum Drift {
    /// Nothing.
    None,
    /// Columns were added that a row need not have a value for.
    Added(Vec<AddedColumn>),
    /// It takes the backup's rows no more.
    Broken,
}

impl Engine {
    /// The live tables, if the rows of the backup that are asked for fit into them.
    pub(in crate::engine) async fn fit(
        &self,
        session: &mut Session,
        site: &Site,
        manifest: &Manifest,
        options: &RestoreOptions,
    ) -> Result<Fit, EngineError> {
        let live = session.schema(site).await?;
        let profile = manifest.profile();
        let asked = |table: &str| options.selection.asks_for(profile, table);
        let (mut added, mut drift) = (BTreeMap::new(), Vec::new());
        let (mut restored, mut refused, mut allowable) = (Vec::new(), Vec::new(), true);
        for table in &manifest.schema.tables {
            let Some(now) = live.table(&table.name) else {
                if asked(&table.name) {
                    allowable = false;
                    refused.push(live.without(&table.name));
                }
                continue;
            };
            let found = table_drift(session, profile, table, now).await?;
            match found {
                Drift::None => restored.push(now.with_columns_of(table)),
                Drift::Added(columns) if options.allow_schema_drift => {
                    drift.extend(columns.iter().map(|column| said(table, column)));
                    let names = columns.into_iter().map(|column| column.name).collect();
                    added.insert(table.name.clone(), names);
                    restored.push(now.with_columns_of(table));
                }
                broken if asked(&table.name) => {
                    allowable &= matches!(broken, Drift::Added(_));
                    refused.extend(table.misfits(now));
                }
                _ => drift.push(format!(
                    "the table {} is left alone: {}",
                    table.name,
                    table.misfits(now).join(", ")
                )),
            }
        }
        drift.extend(left_alone(manifest, &live));
        let new = live.tables.iter().filter(|table| manifest.schema.table(&table.name).is_none());
        let new = new.filter(|table| !manifest.is_silent_on(&table.name));
        for table in new.filter(|table| asked(&table.name)) {
            allowable = false;
            refused.push(format!("the table {} is new: the backup has no rows of it", table.name));
        }
        if refused.is_empty() {
            let restored = Schema { tables: restored, missing: live.missing.clone() }.closed();
            return Ok(Fit { live, restored, added, drift });
        }
        let from = format!("backup {}", manifest.backup_id);
        let to = "the live database".into();
        Err(EngineError::Misfit { from, to, differences: refused, allowable })
    }
}

/// The live rows that a backup does not cover, a sentence each.
fn left_alone(manifest: &Manifest, live: &Schema) -> Vec<String> {
    let parts = manifest.not_covered.iter().filter_map(|name| manifest.profile().part(name));
    let parts = parts.filter(|part| live.table(&part.table).is_some());
    let said = parts.map(|part| {
        let (name, table) = (&part.name, &part.table);
        format!(
            "the rows of {name} in the table {table} are left alone: the backup does not cover them"
        )
    });
    said.collect()
}

async fn table_drift(
    session: &mut Session,
    profile: &Profile,
    table: &Table,
    now: &Table,
) -> Result<Drift, EngineError> {
    let added = now.added_since(table);
    let differences = table.misfits(now);
    if differences.is_empty() {
        return Ok(Drift::None);
    }
    // Each column that was added is one difference.
    if differences.len() > added.len() || table.key != now.key {
        return Ok(Drift::Broken);
    }
    let columns = session.added_columns(now, &added, profile).await?;
    let all = columns.len() == added.len() && columns.iter().all(|column| column.is_optional);
    Ok(if all { Drift::Added(columns) } else { Drift::Broken })
}

/// What the rows of a table get in a column that the backup has no values for.
fn said(table: &Table, column: &AddedColumn) -> String {
    let default =
        column.default.as_deref().map_or("null".into(), |it| format!("its default, {it}"));
    format!(
        "{}.{} was added since: rows that come back get {default}; the others keep what they have",
        table.name, column.name
    )
}
