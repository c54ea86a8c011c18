//! The profile: what is backed up, and what people call it.

use serde::Serialize;
use utoipa::ToSchema;

use super::SUCCESS;
use crate::model;

/// What is backed up, and what people call it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Profile {
    /// Always `success`.
    status: &'static str,
    /// The profile's name.
    name: String,
    /// The datasets, in the order in which they are shown; last those that a safety backup may hold
    /// beside them.
    datasets: Vec<DatasetBody>,
    /// The tables, referenced ones before those that refer to them.
    tables: Vec<TableBody>,
    /// What a restore can be narrowed to, beside datasets.
    scopes: Vec<ScopeBody>,
    /// Columns that a mere touch changes.
    volatile_columns: Vec<String>,
    /// Columns that tell a row apart in a list, the most telling first.
    summary_columns: Vec<String>,
    /// The rows that are shown as a tree of networks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    tree: Option<TreeBody>,
}

/// A dataset.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProfileDataset)]
struct DatasetBody {
    /// Its name.
    name: String,
    /// What people call it.
    label: String,
    /// Whether every backup has it.
    in_every_backup: bool,
}

/// A table.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProfileTable)]
struct TableBody {
    /// Its name.
    name: String,
    /// A key, to be shown where one is asked for.
    example: String,
}

/// The rows that belong to one row, such as a VRF.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProfileScope)]
struct ScopeBody {
    /// Its name.
    name: String,
    /// What people call such a row.
    label: String,
    /// A key, to be shown where one is asked for.
    example: String,
}

/// Rows that form a tree of networks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProfileTree)]
struct TreeBody {
    /// The table.
    table: String,
    /// The column that holds the network.
    network: String,
    /// The column by which the rows fall into trees.
    group: String,
}

impl From<&model::Profile> for Profile {
    fn from(profile: &model::Profile) -> Self {
        let dataset = |name: &str, label: &String, in_every_backup| DatasetBody {
            name: name.to_owned(),
            label: label.clone(),
            in_every_backup,
        };
        let datasets = profile.datasets.iter().map(|it| dataset(it.name.name(), &it.label, true));
        let records = profile.records.iter().map(|it| dataset(&it.name, &it.label, false));
        let tables = profile.tables.iter();
        let scopes = profile.scopes.iter();
        let tree = profile.tree.as_ref().map(|tree| TreeBody {
            table: tree.table.clone(),
            network: tree.network.clone(),
            group: tree.group.clone(),
        });
        Self {
            status: SUCCESS,
            name: profile.name.clone(),
            datasets: datasets.chain(records).collect(),
            tables: tables
                .map(|it| TableBody { name: it.name.clone(), example: it.example.clone() })
                .collect(),
            scopes: scopes
                .map(|it| ScopeBody {
                    name: it.name.clone(),
                    label: it.label.clone(),
                    example: it.example.clone(),
                })
                .collect(),
            volatile_columns: profile.volatile_columns.clone(),
            summary_columns: profile.summary_columns.clone(),
            tree,
        }
    }
}
