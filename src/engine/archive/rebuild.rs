//! The trees of an archive, made again of its rows, and the proof that they are the same.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufReader, Read};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use tokio_util::sync::CancellationToken;

use crate::engine::EngineError;
use crate::engine::archive::incoming::{Bounded, Budget};
use crate::engine::archive::json_in::RowReader;
use crate::engine::capture::scan::{Sinks, TreeRules};
use crate::engine::capture::sink::{IntoStore, PartSink};
use crate::engine::progress::ProgressSender;
use crate::model::{Dataset, Manifest, Part, PartManifest};
use crate::store::StoreError;
use crate::tree::split::Splitter;
use crate::tree::{BuildError, Discard, Layout, Root, TreeBuilder};

/// Makes the trees of one archive. Its methods block.
pub struct Rebuild<'m> {
    /// What the archive says of itself, checked.
    pub manifest: &'m Manifest,
    /// Where the chunks go.
    pub sinks: IntoStore,
    /// How the store's trees are made. As JSON a row may have twice as many bytes.
    pub rules: TreeRules,
    /// How the trees were cut whose roots the manifest names.
    pub original: Splitter,
    /// Tells how far it is.
    pub progress: ProgressSender,
    /// Says that nobody waits for it any more.
    pub stop: CancellationToken,
    /// The trees so far.
    pub made: BTreeMap<String, PartManifest>,
}

/// One tree that is being made: as this store cuts it and, where that differs, as the original was.
struct Growing<'l> {
    own: TreeBuilder<'l>,
    original: Option<TreeBuilder<'l>>,
    sink: PartSink,
}

impl Growing<'_> {
    fn push(&mut self, row: &[u8]) -> Result<(), BuildError<StoreError>> {
        if let Some(original) = &mut self.original {
            // Whatever it refuses, the other refuses as well, and says why.
            let _ = original.push(row, &mut Discard);
        }
        self.own.push(row, &mut self.sink)
    }

    /// The tree, and the one that stands for the original.
    fn finish(mut self) -> Result<(Root, Root), BuildError<StoreError>> {
        let own = self.own.finish(&mut self.sink)?;
        let Some(original) = self.original else { return Ok((own, own)) };
        let Ok(original) = original.finish(&mut Discard) else { return Ok((own, own)) };
        Ok((own, original))
    }
}

impl Rebuild<'_> {
    /// Reads one dataset's file.
    pub fn read(&mut self, dataset: &Dataset, file: impl Read) -> Result<(), EngineError> {
        let budget = Budget::of(2 * self.rules.max_row);
        let bounded = Bounded::new(BufReader::with_capacity(128 << 10, file), &budget);
        let mut deserializer = serde_json::Deserializer::from_reader(bounded);
        let mut failure = None;
        let seed = File { rebuild: self, dataset, budget: &budget, failure: &mut failure };
        let read = seed.deserialize(&mut deserializer).and_then(|()| deserializer.end());
        match (failure, read) {
            (Some(failure), _) => Err(failure),
            (None, Err(error)) => Err(unreadable(dataset, &error)),
            (None, Ok(())) => Ok(()),
        }
    }

    /// The trees of all parts and of removed rows, each proven to be that of the manifest.
    pub fn finish(self) -> Result<(Vec<PartManifest>, IntoStore), EngineError> {
        let mut made = self.made;
        let mut parts = Vec::new();
        for wanted in self.manifest.trees() {
            let lacks = || malformed(format!("it has no rows of {}", wanted.name));
            parts.push(made.remove(wanted.name.as_str()).ok_or_else(lacks)?);
        }
        Ok((parts, self.sinks))
    }

    fn start<'l>(&self, part: &Part, layout: &'l Layout) -> Growing<'l> {
        let differs = self.original != self.rules.splitter;
        Growing {
            own: TreeBuilder::new(layout, self.rules.splitter),
            original: differs.then(|| TreeBuilder::new(layout, self.original)),
            sink: self.sinks.sink(part),
        }
    }

    /// Keeps a tree that is proven.
    fn keep(&mut self, part: &Part, growing: Growing<'_>) -> Result<(), EngineError> {
        let (own, original) = growing.finish().map_err(|error| building(part, error))?;
        let wanted = self.manifest.part(&part.name).expect("checked with the manifest");
        if (original.id, original.rows, original.bytes) != (wanted.root, wanted.rows, wanted.bytes)
        {
            return Err(malformed(format!(
                "the rows of {} are not those that were exported ({} of {})",
                part.name, original.rows, wanted.rows
            )));
        }
        let made = PartManifest { root: own.id, ..wanted.clone() };
        self.made.insert(part.name.clone(), made);
        Ok(())
    }
}

/// The archive is not what it should be.
pub fn malformed(what: impl Into<String>) -> EngineError {
    EngineError::MalformedArchive(what.into())
}

/// The file of a dataset is not what it should be.
pub fn unreadable(dataset: &Dataset, error: &serde_json::Error) -> EngineError {
    malformed(format!("the file of {dataset} cannot be read: {error}"))
}

fn building(part: &Part, error: BuildError<StoreError>) -> EngineError {
    match error {
        BuildError::Sink(error) | BuildError::Source(error) => EngineError::Store(error),
        other => malformed(format!("the rows of {}: {other}", part.name)),
    }
}

/// A dataset's file.
struct File<'a, 'm> {
    rebuild: &'a mut Rebuild<'m>,
    dataset: &'a Dataset,
    budget: &'a Budget,
    /// What serde's errors cannot carry.
    failure: &'a mut Option<EngineError>,
}

impl<'de> DeserializeSeed<'de> for File<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for File<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the file of {}", self.dataset)
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let Self { rebuild, dataset, budget, failure } = self;
        let parts = rebuild.manifest.profile().parts_of_dataset(dataset);
        while let Some(key) = map.next_key::<String>()? {
            let Some(part) = parts.iter().find(|part| part.name == key) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if rebuild.made.contains_key(&part.name) {
                return Err(M::Error::custom(format!("{key} is there twice")));
            }
            map.next_value_seed(Rows { rebuild: &mut *rebuild, part, budget, failure })?;
        }
        Ok(())
    }
}

/// The array of one part's rows.
struct Rows<'a, 'm> {
    rebuild: &'a mut Rebuild<'m>,
    part: &'a Part,
    budget: &'a Budget,
    failure: &'a mut Option<EngineError>,
}

impl<'de> DeserializeSeed<'de> for Rows<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the rows of {}", self.part.name)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut rows: S) -> Result<(), S::Error> {
        let Self { rebuild, part, budget, failure } = self;
        let mut fail = |error| {
            *failure = Some(error);
            S::Error::custom("not read on")
        };
        let manifest = rebuild.manifest;
        let is_held = manifest.part(&part.name).is_some();
        let Some(table) = manifest.table(&part.table).filter(|_| is_held) else {
            return match rows.next_element::<IgnoredAny>()? {
                Some(_) => Err(S::Error::custom(
                    "rows of a table that the site lacks, or that are not covered",
                )),
                None => Ok(()),
            };
        };
        let (reader, layout) = (RowReader::new(table), Layout::from(table));
        let mut growing = rebuild.start(part, &layout);
        while let Some(row) = rows.next_element_seed(&reader)? {
            budget.mark();
            if rebuild.stop.is_cancelled() {
                return Err(fail(EngineError::Interrupted));
            }
            growing.push(&row).map_err(|error| fail(building(part, error)))?;
            rebuild.progress.advance(1, row.len() as u64);
        }
        rebuild.keep(part, growing).map_err(fail)
    }
}
