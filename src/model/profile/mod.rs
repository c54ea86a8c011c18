//! What is backed up, and into which dataset each row belongs: data, read from a file.
//!
//! The built-in profile is `profiles/ipam.toml`. A backup names the profile that it was made with by
//! the hash of its bytes, and is always read by that one.

mod check;
mod condition;
mod dataset;
mod recorded;
mod shape;

use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use super::{BackupId, ChunkId};
pub use dataset::{Dataset, PerDataset, UnknownDataset};
pub use recorded::RecordedProfile;
pub use shape::{
    Belongs, Beside, NetworkTree, Part, ProfileDataset, ProfileTable, RecordTable, Referred, Scope,
    Within,
};

/// No profile that a store holds has more bytes; each is read whole.
const MAX_BYTES: usize = 1 << 20;

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

impl Profile {
    /// The profile of the address plan, which belongs to the program.
    #[must_use]
    pub fn builtin() -> &'static Arc<Self> {
        static BUILTIN: LazyLock<Arc<Profile>> = LazyLock::new(|| {
            let text = include_str!("../../../profiles/ipam.toml");
            Arc::new(Profile::from_toml(text).expect("a unit test reads it"))
        });
        &BUILTIN
    }

    /// What manifests name the built-in profile by. It is compared for each manifest that is read.
    #[must_use]
    pub fn builtin_id() -> ChunkId {
        static ID: LazyLock<ChunkId> = LazyLock::new(|| Profile::builtin().id());
        *ID
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
        if bytes.len() > MAX_BYTES {
            return Err(format!("it has {} bytes, and a profile at most {MAX_BYTES}", bytes.len()));
        }
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
        let unknown = || UnknownDataset::new(name, self.datasets.iter().map(|it| it.name.name()));
        self.dataset_names().find(|known| known.name() == name).ok_or_else(unknown)
    }

    /// The dataset of any backup with this name: that of the records, too.
    ///
    /// # Errors
    /// As [`Self::dataset`].
    pub fn any_dataset(&self, name: &str) -> Result<Dataset, UnknownDataset> {
        let records = self.records.as_ref().filter(|records| records.name == name);
        records.map_or_else(|| self.dataset(name), |records| Ok(records.name.as_str().into()))
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
        let same = |(own, its): (&Arc<Part>, &Arc<Part>)| {
            (&own.name, &own.dataset, &own.table, &own.condition)
                == (&its.name, &its.dataset, &its.table, &its.condition)
        };
        self.parts.len() == other.parts.len()
            && self.parts.iter().zip(&other.parts).all(same)
            && self.table_names().eq(other.table_names())
            && self.volatile_columns == other.volatile_columns
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
    fn unknown_dataset_is_told_which_there_are() {
        let error = Profile::builtin().dataset("vrf").expect_err("there is none");
        let words = "no dataset is named \"vrf\"; they are vrfs, prefixes, vpcs and public_ips";
        assert_eq!(error.to_string(), words);
    }
}
