//! Findings by their causes: one for each pack that is damaged or lost, however many chunks, backups and
//! datasets it affects.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::model::{ChunkId, PackId};
use crate::store::layout;
use crate::store::verify::findings::{AffectedDatasets, Cause, Findings};

/// How many different reasons one finding tells.
const REASONS: usize = 3;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The pack that it is in, or that is lost, if that is known.
    pub pack: Option<PackId>,
    /// The chunk that cannot be read or is wrong, if it is one.
    pub chunk: Option<ChunkId>,
    /// What is wrong.
    pub what: String,
    /// The datasets of backups that are not whole because of it; empty if it affects no backup.
    pub affects: AffectedDatasets,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(pack) = self.pack {
            write!(f, "{}: ", layout::pack(&pack))?;
        }
        f.write_str(&self.what)
    }
}

/// What one cause has done.
#[derive(Default)]
struct Effect {
    file: Vec<String>,
    chunks: BTreeMap<ChunkId, String>,
    affects: AffectedDatasets,
}

impl Findings {
    /// One finding for each cause; those that affect backups first.
    pub fn into_damage(self) -> Vec<Damage> {
        let mut causes: BTreeMap<Cause, Effect> = BTreeMap::new();
        for (pack, bad) in self.packs {
            let effect = causes.entry(Cause::Pack(pack)).or_default();
            effect.file.extend(bad.file);
            effect.chunks.extend(bad.frames);
        }
        for (id, bad) in self.bad {
            let effect = causes.entry(bad.cause).or_default();
            effect.chunks.entry(bad.root).or_insert(bad.what);
            effect.affects.extend(self.affects.get(&id).into_iter().flatten().cloned());
        }
        let plain = |what, affects| Damage { pack: None, chunk: None, what, affects };
        let told = self.contradictions.into_iter().map(|(what, affects)| plain(what, affects));
        let mut all: Vec<_> =
            causes.into_iter().map(|(cause, effect)| effect.into_damage(cause)).collect();
        all.extend(told);
        all.sort_by_key(|damage| damage.affects.is_empty());
        all.extend(self.indexes.into_iter().map(|what| plain(what, AffectedDatasets::new())));
        all
    }
}

impl Effect {
    fn into_damage(self, cause: Cause) -> Damage {
        let what = match cause {
            Cause::Lost(Some(_)) => format!("the file is lost, and {}", self.needed()),
            Cause::Lost(None) => format!("{} in no pack", self.subject()),
            Cause::Pack(_) | Cause::Chunk(_) => {
                self.file.iter().cloned().chain(self.broken()).collect::<Vec<_>>().join("; ")
            }
        };
        let pack = match cause {
            Cause::Pack(pack) => Some(pack),
            Cause::Lost(pack) => pack,
            Cause::Chunk(_) => None,
        };
        let mut chunks = self.chunks.into_keys();
        let chunk = chunks.next().filter(|_| chunks.next().is_none());
        Damage { pack, chunk, what, affects: self.affects }
    }

    /// The chunks as what a sentence is about.
    fn subject(&self) -> String {
        match (self.chunks.len(), self.chunks.keys().next()) {
            (1, Some(chunk)) => format!("chunk {chunk} is"),
            (count, Some(chunk)) => format!("{count} chunks (one is {chunk}) are"),
            (_, None) => "chunks are".into(),
        }
    }

    fn needed(&self) -> String {
        format!("{} needed of it", self.subject())
    }

    /// The chunks that are broken, and why.
    fn broken(&self) -> Option<String> {
        let (chunk, what) = self.chunks.first_key_value()?;
        if self.chunks.len() == 1 {
            return Some(format!("chunk {chunk}: {what}"));
        }
        let whats: BTreeSet<&str> = self.chunks.values().map(String::as_str).collect();
        let more = whats.len().saturating_sub(REASONS);
        let mut told: Vec<_> = whats.into_iter().take(REASONS).map(str::to_owned).collect();
        told.extend((more > 0).then(|| format!("and {more} other reasons")));
        Some(format!("{} chunks: {}", self.chunks.len(), told.join(", ")))
    }
}
