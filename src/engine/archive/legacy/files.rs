//! Files of another form: a folder with four files of thin rows and what describes them. It is a backup
//! of the application (`backup_info.json`) or an export of its data (`export_manifest_TIME.json`).
//!
//! The paths that a description names are those of the host that wrote it. Only their last part is
//! looked at, and only to choose among the files that lie in the folder.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::engine::EngineError;
use crate::engine::archive::incoming::{Bounded, Budget};
use crate::engine::archive::json_in::escape;
use crate::engine::archive::legacy::ids::ids;
use crate::engine::archive::names::{EXPORT_MANIFEST, METADATA};
use crate::engine::archive::rebuild::{malformed, unreadable};
use crate::engine::archive::unpack::{open, small};
use crate::engine::archive::zone::TimeZone;
use crate::model::{BackupId, Dataset, Hash, Origin, Part, PerDataset, Profile};

/// The most bytes that a row may have.
const MAX_ROW: usize = 16 << 20;

/// The metadata of a backup: the documented form, of which the older one has not every key.
#[derive(Debug, Deserialize)]
struct BackupMetadata {
    backup_id: BackupId,
    timestamp: Option<String>,
    description: Option<String>,
    created_by: Option<String>,
    #[serde(default)]
    files: BTreeMap<String, Value>,
    /// Only an archive of ours has it.
    manifest: Option<IgnoredAny>,
}

/// The description of an export.
#[derive(Debug, Deserialize)]
struct ExportManifest {
    #[serde(default)]
    export_info: ExportInfo,
    exported_files: BTreeMap<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
struct ExportInfo {
    timestamp: Option<String>,
}

/// A folder of files of another form.
#[derive(Debug)]
pub struct OlderBackup {
    /// When the files were written.
    pub taken: DateTime<Utc>,
    /// The second of that, which becomes its id.
    pub id: BackupId,
    /// What tells these files from others.
    pub origin: Origin,
    /// What people call it, if it says so.
    pub description: Option<String>,
    /// Who asked for it.
    pub created_by: String,
    /// The file of each dataset that has one.
    pub files: PerDataset<String>,
    folder: PathBuf,
}

/// What a description says.
struct Described {
    name: BackupId,
    timestamp: Option<String>,
    description: Option<String>,
    created_by: Option<String>,
    /// The file that is named for each of some datasets, by the beginning of its name.
    named: BTreeMap<String, String>,
    /// Whether a file that is not named does not count.
    by_name_alone: bool,
    source: String,
}

impl OlderBackup {
    /// The files in this folder; none if it is an unpacked archive of the form of today.
    pub fn find(folder: &Path, zone: TimeZone) -> Result<Option<Self>, EngineError> {
        let there = names(folder)?;
        let described = if there.iter().any(|name| name == METADATA) {
            match Described::backup(folder)? {
                Some(described) => described,
                None => return Ok(None),
            }
        } else {
            Described::export(folder, &there)?
        };
        let mut files = PerDataset::new();
        for dataset in Profile::builtin().dataset_names() {
            if let Some(file) = described.choose(&dataset, &there)? {
                files.insert(dataset, file);
            }
        }
        if files.is_empty() {
            return Err(malformed("the folder has none of the four dataset files"));
        }
        let second = described.second(zone);
        let taken = described.taken(zone)?.unwrap_or(second);
        let digest = digest(folder, described.name.as_str(), &files)?;
        Ok(Some(Self {
            taken,
            id: BackupId::at(second),
            origin: Origin { name: described.name.to_string(), digest },
            description: described.description.filter(|text| !text.trim().is_empty()),
            created_by: described.created_by.unwrap_or_else(|| "system".into()),
            files,
            folder: folder.to_owned(),
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

impl Described {
    /// What the metadata of a backup says; none if it is that of an archive.
    fn backup(folder: &Path) -> Result<Option<Self>, EngineError> {
        let text = small(open(folder, METADATA)?, METADATA)?;
        let info: BackupMetadata = parsed(&text, METADATA)?;
        if info.manifest.is_some() {
            return Ok(None);
        }
        Ok(Some(Self {
            name: info.backup_id,
            timestamp: info.timestamp,
            description: info.description,
            created_by: info.created_by,
            named: paths(info.files),
            by_name_alone: false,
            source: METADATA.into(),
        }))
    }

    /// What the description of an export says.
    fn export(folder: &Path, there: &[String]) -> Result<Self, EngineError> {
        let time = |name: &str| -> Option<BackupId> {
            name.strip_prefix(EXPORT_MANIFEST)?.strip_suffix(".json")?.parse().ok()
        };
        let found: Vec<_> = there.iter().filter_map(|name| Some((name, time(name)?))).collect();
        let (source, name) = match &found[..] {
            [(file, name)] => ((*file).clone(), name.clone()),
            [] => {
                return Err(malformed(format!(
                    "the folder {} has neither {METADATA} nor {EXPORT_MANIFEST}TIME.json",
                    folder.display()
                )));
            }
            several => {
                let names: Vec<_> = several.iter().map(|(file, _)| file.as_str()).collect();
                return Err(malformed(format!(
                    "the folder {} has {} exports ({}); put each into a folder of its own",
                    folder.display(),
                    several.len(),
                    names.join(", ")
                )));
            }
        };
        let text = small(open(folder, &source)?, &source)?;
        let manifest: ExportManifest = parsed(&text, &source)?;
        Ok(Self {
            description: Some(format!("Export of {name}")),
            name,
            timestamp: manifest.export_info.timestamp,
            created_by: None,
            named: paths(manifest.exported_files),
            by_name_alone: true,
            source,
        })
    }

    /// The second that its name means: in the zone of its time, if that names one.
    fn second(&self, zone: TimeZone) -> DateTime<Utc> {
        let shown = self.name.second().naive_utc();
        let timed = self.timestamp.as_deref().map(DateTime::parse_from_rfc3339);
        match timed {
            Some(Ok(time)) => (shown - *time.offset()).and_utc(),
            _ => zone.instant(shown),
        }
    }

    /// When the files were written, if it says so.
    fn taken(&self, zone: TimeZone) -> Result<Option<DateTime<Utc>>, EngineError> {
        let Some(text) = &self.timestamp else { return Ok(None) };
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Some(time.to_utc()));
        }
        let forms = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y%m%d_%H%M%S"];
        let plain = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
        let plain = plain
            .ok_or_else(|| malformed(format!("{} has no time in \"timestamp\"", self.source)))?;
        Ok(Some(zone.instant(plain)))
    }

    /// The file of a dataset: `STEM_export_TIME.json`, where the time may be a second later than the
    /// folder's. Among several, the one that is named. None if there is none and none is named.
    fn choose(&self, dataset: &Dataset, there: &[String]) -> Result<Option<String>, EngineError> {
        let stem = Profile::builtin().file_stem(dataset).expect("a dataset of it");
        let named = self.named.get(stem).map(String::as_str);
        if self.by_name_alone && named.is_none() {
            return Ok(None);
        }
        let fits = |name: &&String| {
            let time = name.strip_prefix(stem).and_then(|rest| rest.strip_prefix("_export_"));
            let time = time.and_then(|rest| rest.strip_suffix(".json"));
            time.is_some_and(|time| time.parse::<BackupId>().is_ok())
        };
        let found: Vec<_> = there.iter().filter(fits).collect();
        let chosen = match &found[..] {
            [only] => Some(*only),
            several => several.iter().find(|name| Some(name.as_str()) == named).copied(),
        };
        let (wanted, source) = (format!("{stem}_export_TIME.json"), &self.source);
        match (chosen, found.len(), named) {
            (Some(file), ..) => Ok(Some(file.clone())),
            (None, 0, None) => Ok(None),
            (None, 0, Some(_)) => {
                Err(malformed(format!("the folder has no file {wanted}, which {source} names")))
            }
            (None, many, _) => Err(malformed(format!(
                "the folder has {many} files {wanted}, and {source} names none of them"
            ))),
        }
    }
}

fn parsed<'de, T: Deserialize<'de>>(text: &'de [u8], name: &str) -> Result<T, EngineError> {
    serde_json::from_slice(text)
        .map_err(|error| malformed(format!("{name} cannot be used: {error}")))
}

/// The last parts of paths.
fn paths(files: BTreeMap<String, Value>) -> BTreeMap<String, String> {
    let last = |(stem, path): (String, Value)| {
        let name = path.as_str()?.rsplit(['/', '\\']).next()?.to_owned();
        (!name.is_empty()).then_some((stem, name))
    };
    files.into_iter().filter_map(last).collect()
}

/// What the contents of these files hash to, and what their maker calls them.
fn digest(folder: &Path, name: &str, files: &PerDataset<String>) -> Result<Hash, EngineError> {
    let mut hash = Sha256::new();
    hash.update(name);
    for (dataset, file) in files {
        hash.update(format!("\n{dataset}\n"));
        let failed = |source: io::Error| EngineError::Io { doing: format!("read {file}"), source };
        let mut content = open(folder, file)?;
        let mut block = vec![0; 128 << 10];
        loop {
            let read = content.read(&mut block).map_err(failed)?;
            if read == 0 {
                break;
            }
            hash.update(&block[..read]);
        }
    }
    Ok(Hash(hash.finalize().into()))
}

/// The plain names of what lies in the folder.
fn names(folder: &Path) -> Result<Vec<String>, EngineError> {
    let failed = |source| EngineError::Io { doing: format!("list {}", folder.display()), source };
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.collect())
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
