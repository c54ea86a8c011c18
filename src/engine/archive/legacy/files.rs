//! A backup of the older form: a folder with `backup_info.json` and four files of thin rows.
//!
//! The paths that its metadata names are those of the host that wrote it. Only their last part is
//! looked at, and only to choose among the files that lie in the folder.

use std::collections::BTreeMap;
use std::fmt;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::engine::EngineError;
use crate::engine::archive::incoming::{Bounded, Budget};
use crate::engine::archive::json_in::escape;
use crate::engine::archive::legacy::ids::ids;
use crate::engine::archive::rebuild::{malformed, unreadable};
use crate::engine::archive::unpack::{METADATA, open, small};
use crate::model::{BackupId, Dataset, Part, PerDataset, Profile};

/// The most bytes that a row may have.
const MAX_ROW: usize = 16 << 20;

/// What the metadata says; the documented form, of which the older one has not every key.
#[derive(Debug, Deserialize)]
struct Info {
    backup_id: BackupId,
    timestamp: Option<String>,
    description: Option<String>,
    created_by: Option<String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// Only an archive of ours has it.
    manifest: Option<IgnoredAny>,
}

/// A backup of the older form.
#[derive(Debug)]
pub struct OlderBackup {
    pub id: BackupId,
    /// When it was made.
    pub taken: DateTime<Utc>,
    /// What people call it, if it says so.
    pub description: Option<String>,
    /// Who asked for it.
    pub created_by: String,
    folder: PathBuf,
    files: PerDataset<String>,
}

impl OlderBackup {
    /// The backup in this folder; none if it is an unpacked archive of the form of today.
    pub fn find(folder: &Path) -> Result<Option<Self>, EngineError> {
        let text = small(open(folder, METADATA)?, METADATA)?;
        let info: Info = serde_json::from_slice(&text)
            .map_err(|error| malformed(format!("{METADATA} cannot be used: {error}")))?;
        if info.manifest.is_some() {
            return Ok(None);
        }
        let there = names(folder)?;
        let mut files = PerDataset::new();
        for dataset in Profile::builtin().dataset_names() {
            let file = choose(&dataset, &there, &info)?;
            files.insert(dataset, file);
        }
        Ok(Some(Self {
            taken: taken(&info)?,
            id: info.backup_id,
            description: info.description.filter(|text| !text.trim().is_empty()),
            created_by: info.created_by.unwrap_or_else(|| "system".into()),
            folder: folder.to_owned(),
            files,
        }))
    }

    /// Calls `take` with each row as a line of part, made id, dashed cidr, and the row as JSON.
    pub fn each(
        &self,
        mut take: impl FnMut(&mut Vec<u8>) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        for (dataset, name) in &self.files {
            let budget = Budget::of(MAX_ROW);
            let file = BufReader::with_capacity(128 << 10, open(&self.folder, name)?);
            let mut json = serde_json::Deserializer::from_reader(Bounded::new(file, &budget));
            let mut failure = None;
            let seed = File { dataset, budget: &budget, take: &mut take, failure: &mut failure };
            let read = seed.deserialize(&mut json).and_then(|()| json.end());
            if let Some(failure) = failure {
                return Err(failure);
            }
            read.map_err(|error| unreadable(dataset, &error))?;
        }
        Ok(())
    }
}

fn taken(info: &Info) -> Result<DateTime<Utc>, EngineError> {
    let Some(text) = &info.timestamp else { return Ok(info.backup_id.second()) };
    let plain = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f");
    let time = plain.map(|time| time.and_utc());
    let time = time.or_else(|_| DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()));
    time.map_err(|_| malformed(format!("{METADATA} has no time in \"timestamp\"")))
}

/// The plain names of what lies in the folder.
fn names(folder: &Path) -> Result<Vec<String>, EngineError> {
    let failed = |source| EngineError::Io { doing: format!("list {}", folder.display()), source };
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.collect())
}

/// The file of a dataset: `STEM_export_TIME.json`, where the time may be a second later than the
/// folder's. Among several, the one that the metadata names.
fn choose(dataset: &Dataset, there: &[String], info: &Info) -> Result<String, EngineError> {
    let stem = Profile::builtin().file_stem(dataset).expect("a dataset of it");
    let fits = |name: &&String| {
        let time = name.strip_prefix(stem).and_then(|rest| rest.strip_prefix("_export_"));
        let time = time.and_then(|rest| rest.strip_suffix(".json"));
        time.is_some_and(|time| time.parse::<BackupId>().is_ok())
    };
    let found: Vec<_> = there.iter().filter(fits).collect();
    let named = info.files.get(stem).and_then(|path| path.rsplit(['/', '\\']).next());
    let chosen = match &found[..] {
        [only] => Some(*only),
        several => several.iter().find(|name| Some(name.as_str()) == named).copied(),
    };
    let wanted = format!("{stem}_export_TIME.json");
    chosen.cloned().ok_or_else(|| match found.len() {
        0 => malformed(format!("the folder has no file {wanted}")),
        many => {
            malformed(format!("the folder has {many} files {wanted}, and {METADATA} names none"))
        }
    })
}

/// A dataset's file.
struct File<'a, F> {
    dataset: &'a Dataset,
    budget: &'a Budget,
    take: &'a mut F,
    /// What serde's errors cannot carry.
    failure: &'a mut Option<EngineError>,
}

impl<'de, F> DeserializeSeed<'de> for File<'_, F>
where
    F: FnMut(&mut Vec<u8>) -> Result<(), EngineError>,
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F> Visitor<'de> for File<'_, F>
where
    F: FnMut(&mut Vec<u8>) -> Result<(), EngineError>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the file of {}", self.dataset)
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let Self { dataset, budget, take, failure } = self;
        let mut said = BTreeMap::new();
        let mut found = BTreeMap::new();
        let parts = Profile::builtin().parts_of_dataset(dataset);
        while let Some(key) = map.next_key::<String>()? {
            if key == "export_info" {
                said = map.next_value::<BTreeMap<String, serde_json::Value>>()?;
                continue;
            }
            let Some(part) = parts.iter().find(|part| part.name == key) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let rows = Rows { part, budget, take: &mut *take, failure: &mut *failure };
            if found.insert(&part.name, map.next_value_seed(rows)?).is_some() {
                return Err(M::Error::custom(format!("{key} is there twice")));
            }
        }
        let counts = parts.iter().filter_map(|part| Some((part.count.as_ref()?, &part.name)));
        for (count, part) in counts {
            let rows = found.get(part).copied();
            let rows = rows.ok_or_else(|| M::Error::custom(format!("it has no {part}")))?;
            let said = said.get(count).and_then(serde_json::Value::as_u64).unwrap_or(rows);
            if said != rows {
                let what = format!("it says that it has {said} {part}, but has {rows}");
                return Err(M::Error::custom(what));
            }
        }
        Ok(())
    }
}

/// An array of rows; read, it is how many they are.
struct Rows<'a, F> {
    part: &'a Part,
    budget: &'a Budget,
    take: &'a mut F,
    failure: &'a mut Option<EngineError>,
}

impl<'de, F> DeserializeSeed<'de> for Rows<'_, F>
where
    F: FnMut(&mut Vec<u8>) -> Result<(), EngineError>,
{
    type Value = u64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u64, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F> Visitor<'de> for Rows<'_, F>
where
    F: FnMut(&mut Vec<u8>) -> Result<(), EngineError>,
{
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the rows of {}", self.part.name)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut rows: S) -> Result<u64, S::Error> {
        let mut count = 0;
        while let Some(row) = rows.next_element::<Box<RawValue>>()? {
            self.budget.mark();
            count += 1;
            let mut line = line(self.part, row.get()).map_err(S::Error::custom)?;
            if let Err(error) = (self.take)(&mut line) {
                *self.failure = Some(error);
                return Err(S::Error::custom("not read on"));
            }
        }
        Ok(count)
    }
}

/// A row as a line of COPY text.
fn line(part: &Part, row: &str) -> Result<Vec<u8>, String> {
    let thin = serde_json::from_str(row).map_err(|error| error.to_string())?;
    let ids = ids(part, &thin)?;
    let mut line = Vec::with_capacity(row.len() + 100);
    for (text, end) in
        [(part.name.as_str(), b'\t'), (&ids.made, b'\t'), (&ids.dashed, b'\t'), (row, b'\n')]
    {
        escape(text, &mut line);
        line.push(end);
    }
    Ok(line)
}
