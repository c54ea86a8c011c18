//! What is backed up, and into which dataset each row belongs: data, read from a file.
//!
//! The built-in profile is `profiles/ipam.toml`. A backup names the profile that it was made with by
//! the hash of its bytes, and is always read by that one.

use std::borrow::Borrow;
use std::fmt;
use std::sync::{Arc, LazyLock};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{BackupId, ChunkId};

/// The name of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Dataset(Arc<str>);

impl Dataset {
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Borrow<str> for Dataset {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<&str> for Dataset {
    fn eq(&self, other: &&str) -> bool {
        self.name() == *other
    }
}

impl From<&str> for Dataset {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

/// Something of each dataset, in the order of the profile.
pub type PerDataset<T> = IndexMap<Dataset, T>;

/// Which tables are backed up, how their rows are divided, and what people call them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    pub name: String,
    /// Columns that a mere touch changes. They are stored apart, so that a touch costs next to nothing.
    #[serde(default)]
    pub volatile_columns: Vec<String>,
    /// Columns that tell a row apart in a list, the most telling first.
    #[serde(default)]
    pub summary_columns: Vec<String>,
    /// The tables, referenced ones before those that refer to them.
    pub tables: Vec<ProfileTable>,
    /// The datasets, in the order in which they are shown.
    pub datasets: Vec<ProfileDataset>,
    /// The parts. Every row of a table is in exactly one of them.
    pub parts: Vec<Arc<Part>>,
    /// What a restore can be narrowed to, beside datasets.
    #[serde(default)]
    pub scopes: Vec<Scope>,
    /// The rows that are shown as a tree of networks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<NetworkTree>,
    /// The rows beside the tables that go with what a restore undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<RecordTable>,
}

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

/// No dataset has this name.
#[derive(Debug, thiserror::Error)]
#[error("no dataset is named {name:?}; they are {known}")]
pub struct UnknownDataset {
    name: String,
    known: String,
}

impl Profile {
    /// The profile of the address plan, which belongs to the program.
    #[must_use]
    pub fn builtin() -> &'static Arc<Self> {
        static BUILTIN: LazyLock<Arc<Profile>> = LazyLock::new(|| {
            let text = include_str!("../../profiles/ipam.toml");
            Arc::new(Profile::from_toml(text).expect("a unit test reads it"))
        });
        &BUILTIN
    }

    /// Reads a profile.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn from_toml(text: &str) -> Result<Self, String> {
        let profile: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        profile.check()?;
        Ok(profile)
    }

    /// Reads a profile that was stored.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let profile: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        profile.check()?;
        Ok(profile)
    }

    /// The bytes that are stored of it: JSON, the keys in the order of the fields.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a profile is plain data")
    }

    /// What manifests name it by: the hash of its bytes.
    #[must_use]
    pub fn id(&self) -> ChunkId {
        ChunkId::of(&self.bytes())
    }

    /// The names of the datasets of every backup, in their order.
    pub fn dataset_names(&self) -> impl Iterator<Item = Dataset> {
        self.datasets.iter().map(|dataset| dataset.name.clone())
    }

    /// Something of each dataset of every backup, in their order.
    pub fn per_dataset<T>(&self, mut of: impl FnMut(&Dataset) -> T) -> PerDataset<T> {
        self.dataset_names().map(|name| (name.clone(), of(&name))).collect()
    }

    /// The dataset of every backup with this name.
    ///
    /// # Errors
    /// If there is none; it says which there are.
    pub fn dataset(&self, name: &str) -> Result<Dataset, UnknownDataset> {
        let unknown = || UnknownDataset {
            name: name.chars().take(80).collect(),
            known: in_words(self.datasets.iter().map(|it| it.name.name())),
        };
        self.dataset_names().find(|known| known.name() == name).ok_or_else(unknown)
    }

    /// What the names of this dataset's files begin with; it may be that of the records.
    #[must_use]
    pub fn file_stem(&self, dataset: &Dataset) -> Option<&str> {
        let known = self.datasets.iter().find(|known| known.name == *dataset);
        let records = self.records.as_ref().filter(|it| it.name == dataset.name());
        known.map(|known| known.file.as_str()).or(records.map(|it| it.file.as_str()))
    }

    /// The name of this dataset's file in the backup with that id.
    #[must_use]
    pub fn file_name(&self, dataset: &Dataset, id: &BackupId) -> Option<String> {
        self.file_stem(dataset).map(|stem| format!("{stem}_export_{id}.json"))
    }

    /// The names of the dataset files of the backup with this id.
    #[must_use]
    pub fn file_names(&self, id: &BackupId) -> PerDataset<String> {
        self.per_dataset(|name| self.file_name(name, id).expect("a dataset of its own"))
    }

    /// The names of the tables, referenced ones before those that refer to them.
    pub fn table_names(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().map(|table| table.name.as_str())
    }

    /// Whether this is a table of it.
    #[must_use]
    pub fn has_table(&self, name: &str) -> bool {
        self.table_names().any(|table| table == name)
    }

    /// The parts of this table.
    pub fn parts_of(&self, table: &str) -> impl Iterator<Item = &Arc<Part>> {
        self.parts.iter().filter(move |part| part.table == table)
    }

    /// The part with this name.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<&Arc<Part>> {
        self.parts.iter().find(|part| part.name == name)
    }

    /// The part of the records, if the profile knows any.
    #[must_use]
    pub fn records_part(&self) -> Option<Arc<Part>> {
        self.records.as_ref().map(|records| Arc::new(records.part()))
    }

    /// The parts of this dataset, which may be that of the records.
    pub fn parts_of_dataset(&self, dataset: &Dataset) -> Vec<Arc<Part>> {
        let parts = self.parts.iter().cloned().chain(self.records_part());
        parts.filter(|part| part.dataset == *dataset).collect()
    }

    /// The scope with this name.
    #[must_use]
    pub fn scope(&self, name: &str) -> Option<&Scope> {
        self.scopes.iter().find(|scope| scope.name == name)
    }

    /// Whether its parts, tables and volatile columns are those of another: then backups by both have
    /// the same trees.
    #[must_use]
    pub fn divides_as(&self, other: &Self) -> bool {
        let shape = |part: &Arc<Part>| {
            let Part { name, dataset, table, condition, .. } = &**part;
            (name.clone(), dataset.clone(), table.clone(), condition.clone())
        };
        self.parts.iter().map(shape).eq(other.parts.iter().map(shape))
            && self.table_names().eq(other.table_names())
            && self.volatile_columns == other.volatile_columns
    }

    /// Whether everything it names is there, once.
    fn check(&self) -> Result<(), String> {
        once("table", self.table_names().chain(self.records.iter().map(|it| &*it.table)))?;
        let records = self.records.iter().map(|it| it.name.as_str());
        once("dataset", self.datasets.iter().map(|it| it.name.name()).chain(records.clone()))?;
        once("part", self.parts.iter().map(|part| part.name.as_str()).chain(records))?;
        once("scope", self.scopes.iter().map(|scope| scope.name.as_str()))?;
        for part in &self.parts {
            self.knows_table(&part.table)?;
            self.dataset(part.dataset.name()).map_err(|error| error.to_string())?;
            for referred in part.beside.iter().filter_map(|beside| beside.of.as_ref()) {
                self.part(&referred.part).ok_or_else(|| unknown("part", &referred.part))?;
            }
        }
        for table in self.table_names() {
            if self.parts_of(table).next().is_none() {
                return Err(format!("the table {table} has no part"));
            }
        }
        for scope in &self.scopes {
            self.knows_table(&scope.table)?;
            for rows in &scope.rows {
                self.knows_table(&rows.table)?;
                let Some(within) = &rows.within else { continue };
                let direct = |it: &&Belongs| it.table == within.table && it.within.is_none();
                scope.rows.iter().find(direct).ok_or_else(|| {
                    format!("the rows of {} belong to no {}", within.table, scope.name)
                })?;
            }
        }
        self.tree.iter().try_for_each(|tree| self.knows_table(&tree.table))
    }

    fn knows_table(&self, name: &str) -> Result<(), String> {
        if self.has_table(name) { Ok(()) } else { Err(unknown("table", name)) }
    }
}

impl RecordTable {
    fn part(&self) -> Part {
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

fn unknown(what: &str, name: &str) -> String {
    format!("it has no {what} {name:?}")
}

/// Refuses a name that stands there twice, or that is no plain word: names stand in paths and in SQL.
fn once<'n>(what: &str, names: impl Iterator<Item = &'n str>) -> Result<(), String> {
    let mut seen = Vec::new();
    for name in names {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || name.len() > 63 || !name.chars().all(plain) {
            return Err(format!("{name:?} is no name of a {what}"));
        }
        if seen.contains(&name) {
            return Err(format!("the {what} {name} is there twice"));
        }
        seen.push(name);
    }
    Ok(())
}

/// `a, b and c`.
fn in_words<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let words: Vec<_> = words.collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builtin_profile_is_sound_and_comes_back_from_its_bytes() {
        let profile = Profile::builtin();
        let again = Profile::from_bytes(&profile.bytes()).expect("sound");
        assert_eq!((&again, again.id()), (&**profile, profile.id()));
        let names: Vec<_> = profile.dataset_names().collect();
        assert_eq!(names, ["vrfs", "prefixes", "vpcs", "public_ips"].map(Dataset::from));
    }

    #[test]
    fn profile_that_contradicts_itself_is_refused() {
        type Case = (&'static str, fn(&mut Profile));
        let cases: [Case; 10] = [
            ("a table twice", |p| p.tables.push(p.tables[0].clone())),
            ("a table that is a path", |p| p.tables[0].name = "../vrf".into()),
            ("a table without a part", |p| drop(p.parts.remove(0))),
            ("a part of no table", |p| drop(p.tables.remove(0))),
            ("a part of no dataset", |p| drop(p.datasets.remove(0))),
            ("a part twice", |p| p.parts.push(p.parts[0].clone())),
            ("a dataset twice", |p| p.datasets.push(p.datasets[0].clone())),
            ("records that are a dataset", |p| {
                p.records.as_mut().expect("there").name = "vrfs".into();
            }),
            ("a scope over no table", |p| p.scopes[0].rows[0].table = "users".into()),
            ("a tree of no table", |p| p.tree.as_mut().expect("there").table = "users".into()),
        ];
        for (what, change) in cases {
            let mut profile = Profile::clone(Profile::builtin());
            change(&mut profile);
            assert!(profile.check().is_err(), "{what}");
        }
        assert!(Profile::from_toml("name = 'x'\nvolatile_colums = []").is_err());
    }

    #[test]
    fn unknown_dataset_is_told_which_there_are() {
        let error = Profile::builtin().dataset("vrf").expect_err("there is none");
        let words = "no dataset is named \"vrf\"; they are vrfs, prefixes, vpcs and public_ips";
        assert_eq!(error.to_string(), words);
    }
}
