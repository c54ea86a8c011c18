//! Whether what a manifest says fits together: parts, datasets, sequences and schema tell of the same
//! backup. Every reader of a manifest asks this, since a checksum proves only that nothing was changed
//! after it was computed.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{
    Dataset, DatasetSummary, FORMAT_VERSION, ForeignKey, Hash, Manifest, Part, PartManifest,
    Profile, RemovedRows, Schema, Table, timestamp,
};

impl Manifest {
    /// Checks everything that readers rely on, except for what the rows themselves prove.
    ///
    /// # Errors
    /// Says what contradicts what.
    pub fn check(&self) -> Result<(), String> {
        self.check_format()?;
        if !self.profile.is_read() {
            return Err("this program does not know the profile that it was made with".into());
        }
        self.schema.check(self.profile())?;
        self.check_coverage()?;
        self.check_parts()?;
        self.check_removed()?;
        self.check_datasets()?;
        self.check_sequences()?;
        self.check_time()?;
        self.check_files()
    }

    /// Checks the version alone.
    ///
    /// # Errors
    /// If it is another one than this program knows.
    pub fn check_format(&self) -> Result<(), String> {
        let format = self.format;
        if format == FORMAT_VERSION {
            return Ok(());
        }
        Err(format!("it has format {format}, this program knows {FORMAT_VERSION}"))
    }

    /// As [`Self::check`], for a manifest from outside of the store: also refuses names that could
    /// command a terminal, and a backup without a table that every site has.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn check_foreign(&self) -> Result<(), String> {
        refuse_control_characters(self)?;
        self.check()?;
        let mut needed = self.profile().tables.iter().filter(|table| !table.optional);
        let covered =
            |name: &str| self.profile().parts_of(name).any(|part| self.covers(&part.name));
        match needed.find(|it| self.schema.table(&it.name).is_none() && covered(&it.name)) {
            Some(table) => Err(format!("the table {} is missing", table.name)),
            None => Ok(()),
        }
    }

    /// Each table has all of its parts, once, and no part is without its table.
    fn check_parts(&self) -> Result<(), String> {
        let parts = self.profile().parts.iter();
        let held =
            |part: &&Arc<Part>| self.schema.table(&part.table).is_some() && self.covers(&part.name);
        let expected = parts.filter(held);
        let expected: Vec<_> =
            expected.map(|part| (part.name.as_str(), &part.dataset, part.table.as_str())).collect();
        let parts = self.parts.iter();
        let named: Vec<_> =
            parts.map(|part| (part.name.as_str(), &part.dataset, part.table.as_str())).collect();
        if expected == named {
            return Ok(());
        }
        let told = |list: &[(&str, &Dataset, &str)]| {
            list.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ")
        };
        Err(format!(
            "its parts are not those of its tables: it has {:?}, its tables make {:?}",
            told(&named),
            told(&expected)
        ))
    }

    /// Each dataset counts what its parts count, and all together make the size.
    fn check_datasets(&self) -> Result<(), String> {
        if !self.datasets.keys().cloned().eq(self.profile().dataset_names()) {
            return Err("it does not tell of each dataset of its profile".into());
        }
        for (dataset, told) in &self.datasets {
            let parts = self.parts.iter().filter(|part| part.dataset == *dataset);
            if DatasetSummary::of(parts).as_ref() != Some(told) {
                return Err(format!(
                    "the dataset {dataset} has other rows, bytes or another root than its parts"
                ));
            }
        }
        let all = DatasetSummary::of(self.parts.iter()).ok_or("it counts more rows than can be")?;
        if all.bytes == self.size {
            Ok(())
        } else {
            let size = self.size;
            Err(format!("its size is {size} bytes, its parts have {} bytes", all.bytes))
        }
    }

    /// It tells of exactly the sequences of its tables. By their own names alone: what stands before a
    /// name depends on the table from which it is seen.
    fn check_sequences(&self) -> Result<(), String> {
        let fed = self.schema.tables.iter().flat_map(|table| &table.sequences).map(String::as_str);
        let told = self.sequences.iter().map(|sequence| sequence.name.as_str());
        if fed.map(own_name).collect::<BTreeSet<_>>() == told.map(own_name).collect() {
            Ok(())
        } else {
            Err("its sequences are not those of its tables".into())
        }
    }

    fn check_time(&self) -> Result<(), String> {
        let created = chrono::DateTime::parse_from_rfc3339(&self.created_at);
        let created = created.map_err(|_| "created_at is not a time of RFC 3339")?;
        if timestamp(created.to_utc()) == self.timestamp {
            Ok(())
        } else {
            Err("timestamp and created_at are not the same time".into())
        }
    }
}

/// The name of a sequence without its schema.
fn own_name(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name).trim_matches('"')
}

impl DatasetSummary {
    /// What these parts hold together; `None` if that is more than can be counted.
    pub fn of<'p>(parts: impl Iterator<Item = &'p PartManifest>) -> Option<Self> {
        let (mut rows, mut bytes, mut roots) = (0_u64, 0_u64, Vec::new());
        for part in parts {
            rows = rows.checked_add(part.rows)?;
            bytes = bytes.checked_add(part.bytes)?;
            roots.extend_from_slice(&part.root.0);
        }
        Some(Self { rows, bytes, root: Hash::of(&roots) })
    }
}

impl Manifest {
    /// The files are those of its datasets; their names become those of an archive's members.
    fn check_files(&self) -> Result<(), String> {
        let same = self.files.iter().eq(self.profile().file_names(&self.backup_id).iter());
        if same { Ok(()) } else { Err("its files are not those of its id".into()) }
    }

    fn check_removed(&self) -> Result<(), String> {
        let Some((removed, more)) = self.removed.split_first() else { return Ok(()) };
        let RemovedRows { part, schema } = removed;
        let known = self.profile().records_part().is_some_and(|known| {
            (&known.name, &known.dataset, &known.table) == (&part.name, &part.dataset, &part.table)
                && known.table == schema.name
        });
        if !more.is_empty() || !known {
            return Err(format!("removed rows of {:?} do not belong into it", part.table));
        }
        schema.check().map_err(|why| format!("the table {}: {why}", schema.name))
    }
}

/// Names and versions are shown to people; only a description may hold anything.
fn refuse_control_characters(manifest: &Manifest) -> Result<(), String> {
    let mut value = serde_json::to_value(manifest).expect("a manifest is plain data");
    value["description"] = serde_json::Value::Null;
    // In JSON a control character is an escape of a letter that no other escape has.
    let text = value.to_string();
    let escapes = ["\\u00", "\\b", "\\f", "\\n", "\\r", "\\t"];
    let text = text.replace("\\\\", "");
    let found =
        escapes.iter().any(|escape| text.contains(escape)) || text.chars().any(char::is_control);
    if found { Err("a name in it has control characters".into()) } else { Ok(()) }
}

impl Schema {
    fn check(&self, profile: &Profile) -> Result<(), String> {
        for (place, table) in self.tables.iter().enumerate() {
            let again = self.tables[..place].iter().any(|other| other.name == table.name);
            if again || !profile.has_table(&table.name) {
                return Err(format!("a table {:?} does not belong into it", table.name));
            }
            table.check().map_err(|why| format!("the table {}: {why}", table.name))?;
        }
        Ok(())
    }
}

impl Table {
    fn check(&self) -> Result<(), &'static str> {
        let names: Vec<_> = self.column_names().collect();
        let mut distinct = names.clone();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() != names.len() {
            return Err("two columns have the same name");
        }
        if self.key.is_empty() || !names.iter().copied().take(self.key.len()).eq(self.key_names()) {
            return Err("its key is not its first columns");
        }
        let mut grouped: Vec<_> = self.groups.iter().flatten().copied().collect();
        grouped.sort_unstable();
        let key_first = self
            .groups
            .first()
            .is_some_and(|first| (0..self.key.len()).all(|column| first.contains(&column)));
        let paired = |key: &ForeignKey| key.columns.len() == key.referenced_columns.len();
        if !self.foreign_keys.iter().all(paired) {
            return Err("a foreign key does not have one referenced column for each of its own");
        }
        let filled = self.groups.iter().all(|group| !group.is_empty());
        if key_first && filled && grouped.into_iter().eq(0..names.len()) {
            Ok(())
        } else {
            Err("its groups do not hold each column once, the key first")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ChunkId;

    /// A manifest that this program wrote.
    fn sound() -> Manifest {
        let text = include_str!("../../tests/fixtures/golden/store/20250920_143022/manifest.json");
        serde_json::from_str(text).expect("a manifest")
    }

    #[test]
    fn what_this_program_writes_is_sound() {
        sound().check().expect("sound");
    }

    #[test]
    fn contradictory_manifest_is_refused() {
        type Case = (&'static str, fn(&mut Manifest));
        let cases: [Case; 31] = [
            ("another format", |m| m.format = 9),
            ("a part that is there and not covered", |m| m.not_covered.push("vrfs".into())),
            ("an unknown part that is not covered", |m| m.not_covered.push("users".into())),
            ("a table of which nothing is covered", |m| {
                m.parts.retain(|part| part.name != "device42_ipaddresses");
                m.not_covered.push("device42_ipaddresses".into());
            }),
            ("a part that is not covered twice", |m| {
                m.parts.retain(|part| part.name != "vpc_subnets");
                m.not_covered = vec!["vpc_subnets".into(); 2];
            }),
            ("a part too few", |m| drop(m.parts.pop())),
            ("a part twice", |m| m.parts.push(m.parts[0].clone())),
            ("parts in another order", |m| m.parts.swap(0, 1)),
            ("a part of another name", |m| m.parts[0].name = "prefixes".into()),
            ("a part of another dataset", |m| m.parts[0].dataset = "vpcs".into()),
            ("a part of another table", |m| m.parts[0].table = "vpc".into()),
            ("a part with another root", |m| m.parts[0].root = ChunkId::of(b"another")),
            ("two roots exchanged", |m| {
                let root = m.parts[2].root;
                m.parts[2].root = std::mem::replace(&mut m.parts[3].root, root);
            }),
            ("a part with another row", |m| m.parts[0].rows += 1),
            ("a part with another byte", |m| m.parts[0].bytes += 1),
            ("more rows than can be", |m| m.parts.iter_mut().for_each(|part| part.rows = u64::MAX)),
            ("a dataset with another row", |m| {
                m.datasets.get_mut("vpcs").expect("there").rows -= 1;
            }),
            ("a dataset too few", |m| {
                m.datasets.shift_remove("public_ips");
            }),
            ("another size", |m| m.size += 1),
            ("a file too few", |m| drop(m.files.shift_remove("vrfs"))),
            ("a file elsewhere", |m| drop(m.files.insert("vrfs".into(), "../../vrfs".into()))),
            ("a sequence too few", |m| drop(m.sequences.pop())),
            ("two times", |m| m.timestamp = "2025-09-20T14:30:23.000000".into()),
            ("a table too few", |m| drop(m.schema.tables.pop())),
            ("a table twice", |m| m.schema.tables.push(m.schema.tables[0].clone())),
            ("a table of its own", |m| m.schema.tables[0].name = "users".into()),
            ("no key", |m| m.schema.tables[0].key.clear()),
            ("a column in no group", |m| {
                m.schema.tables[0].groups[0].pop();
            }),
            ("a group of nothing", |m| m.schema.tables[0].groups.push(vec![])),
            ("a group past the columns", |m| m.schema.tables[0].groups[0].push(999)),
            ("a column twice", |m| {
                m.schema.tables[0].columns[1].name = m.schema.tables[0].columns[2].name.clone();
            }),
        ];
        for (what, change) in cases {
            let mut manifest = sound();
            change(&mut manifest);
            assert!(manifest.check().is_err(), "{what}");
        }
    }

    #[test]
    fn manifest_from_outside_must_be_complete_and_harmless_to_a_terminal() {
        let mut manifest = sound();
        manifest.snapshot.server_version = "15\u{1b}[2J".into();
        manifest.check().expect("nothing contradicts");
        assert!(manifest.check_foreign().is_err(), "a terminal's commands");

        let mut manifest = sound();
        manifest.schema.tables.retain(|table| table.name != "vpc_prefix_association");
        manifest.parts.retain(|part| part.table != "vpc_prefix_association");
        for (dataset, told) in &mut manifest.datasets {
            let parts = manifest.parts.iter().filter(|part| part.dataset == *dataset);
            *told = DatasetSummary::of(parts).expect("few");
        }
        manifest.size = manifest.parts.iter().map(|part| part.bytes).sum();
        let sequences: Vec<_> =
            manifest.schema.tables.iter().flat_map(|table| table.sequences.clone()).collect();
        manifest.sequences.retain(|sequence| sequences.contains(&sequence.name));
        manifest.check().expect("nothing contradicts");
        assert!(manifest.check_foreign().is_err(), "a table that every site has");
    }

    #[test]
    fn a_backslash_is_no_control_character() {
        let mut manifest = sound();
        manifest.created_by = r"DOMAIN\name".into();
        manifest.check_foreign().expect("sound");
    }
}
