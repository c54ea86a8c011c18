//! What a profile is made of.

use serde::{Deserialize, Serialize};

use super::Dataset;

/// A table that is backed up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileTable {
    pub name: String,
    /// A key of a row, to be shown where one is asked for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub example: String,
    /// Whether a site may lack it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// A dataset, as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileDataset {
    /// The name in metadata, on the command line and in the API.
    pub name: Dataset,
    /// What people call it.
    pub label: String,
    /// What the names of its files begin with, and the type that these say in their heads.
    pub file: String,
}

/// The rows of one table that belong to one dataset. Each part becomes a tree of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The name, unique among all parts; also the array's name in the dataset's file.
    pub name: String,
    /// The dataset that it belongs to.
    pub dataset: Dataset,
    /// The table that it reads.
    pub table: String,
    /// The SQL condition that selects its rows. The parts of a table cover it without overlap.
    #[serde(default = "all_rows", rename = "rows")]
    pub condition: String,
    /// What the file's head calls the number of its rows; without it they are not counted there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<String>,
    /// What stands in a row of the file beside its columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Beside>,
}

fn all_rows() -> String {
    "true".into()
}

/// A value that stands in a row of a dataset's file beside its columns, for tools that know rows by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beside {
    /// What it is called.
    pub name: String,
    /// The column of the row that it is, or whose value refers to the row that has it.
    pub column: String,
    /// The row that has it, if that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Referred>,
}

/// A column of the row of a part that another row refers to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Referred {
    pub part: String,
    /// The column that is referred to.
    pub key: String,
    /// The column that is meant.
    pub column: String,
}

/// The rows that belong to one row, such as a VRF.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// The name on the command line and in the API.
    pub name: String,
    /// What people call it.
    pub label: String,
    /// The table of the row.
    pub table: String,
    /// The column that is its key.
    pub column: String,
    /// A key, to be shown where one is asked for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub example: String,
    /// How rows belong to it, by table; those of other tables do not.
    pub rows: Vec<Belongs>,
}

/// How the rows of a table belong to the row of a scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Belongs {
    pub table: String,
    /// The column that holds the key of the scope's row, or of a row `within` that belongs to it.
    pub column: String,
    /// The table, and its key column, of the row in between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
}

/// A table whose rows belong to a scope, and what its rows are referred to by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Within {
    pub table: String,
    /// The column that is referred to.
    pub column: String,
}

/// Rows that form a tree of networks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkTree {
    pub table: String,
    /// The column that holds the network.
    pub network: String,
    /// The column by which the rows fall into trees.
    pub group: String,
}

/// A table of records whose rows go with what a restore undoes. They are kept in the safety backup, as
/// a dataset of its own, and come back with the undo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordTable {
    /// The name of the part and of its dataset.
    pub name: String,
    /// What people call the dataset.
    pub label: String,
    /// As [`ProfileDataset::file`].
    pub file: String,
    pub table: String,
    /// The column that tells when a row was made.
    pub made_at: String,
}

impl RecordTable {
    pub(super) fn part(&self) -> Part {
        Part {
            name: self.name.clone(),
            dataset: self.name.as_str().into(),
            table: self.table.clone(),
            condition: all_rows(),
            count: Some("count".into()),
            beside: Vec::new(),
        }
    }
}
