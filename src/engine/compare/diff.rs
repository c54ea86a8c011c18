//! Compare: which rows differ between two backups, or between a backup and the live database.

use std::fmt;
use std::num::NonZero;
use std::str::FromStr;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::engine::compare::kept::{Comparison, ComparisonId};
use crate::engine::compare::row_change::Collected;
use crate::engine::compare::spool::Sides;
use crate::engine::compare::trees::{Piece, pieces};
use crate::engine::snapshot::Snapshot;
use crate::engine::{Counts, Engine, EngineError, Phase, RowChange, Run};
use crate::model::{BackupId, Common, Manifest, MissingTable, Profile, RowCounts};
use crate::store::Reader;
use crate::threads;
use crate::tree::Layout;

/// One end of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    Backup(BackupId),
    /// The database as it is now.
    Live,
}

impl FromStr for Point {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "live" { Ok(Self::Live) } else { Ok(Self::Backup(text.parse()?)) }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backup(id) => id.fmt(f),
            Self::Live => f.write_str("live"),
        }
    }
}

/// What differs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DiffReport {
    /// The first point.
    pub from: Point,
    /// The second point.
    pub to: Point,
    /// The name by which all that differs can be searched, for as long as it is kept.
    pub comparison_id: Option<ComparisonId>,
    /// Whether nothing differs, and nothing is left out.
    pub identical: bool,
    /// Tables and columns that only one of the two has, or whose type differs, which are not compared; one
    /// sentence each.
    pub left_out: Vec<String>,
    /// How many rows differ, by dataset.
    pub datasets: Counts,
    /// The rows that differ, by part and key.
    pub changes: Vec<RowChange>,
    /// Whether there are more changes than are listed.
    pub truncated: bool,
    /// The tables, and parts of tables, of which this says nothing: neither side has them, or one of them
    /// does not cover them.
    pub missing_tables: Vec<MissingTable>,
}

/// Two snapshots with the same tables and columns, and what they have besides.
pub(in crate::engine) struct Pair {
    pub(in crate::engine) old: Snapshot,
    pub(in crate::engine) new: Snapshot,
    pub(in crate::engine) left_out: Vec<String>,
}

impl Engine {
    /// Compares two points; lists at most `limit` changed rows of each dataset.
    ///
    /// # Errors
    /// If a point cannot be read, or their tables are not the same.
    pub async fn diff(
        &self,
        from: &Point,
        to: &Point,
        limit: usize,
        run: &Run,
    ) -> Result<DiffReport, EngineError> {
        let Pair { old, new, left_out } = self.both(from, to, run).await?;
        run.begin(Phase::Comparing, None);
        let missing_tables = new.schema.lacking_or_not_covered(&new.profile, &new.not_covered);
        let sides = Sides { old: old.clone(), new: new.clone(), only: None };
        let found = collect(old, new, limit).await?;
        let live = *from == Point::Live || *to == Point::Live;
        run.begin(Phase::Done, None);
        Ok(DiffReport {
            from: from.clone(),
            to: to.clone(),
            comparison_id: self.keep_comparison(sides, live),
            identical: left_out.is_empty() && found.datasets.values().all(RowCounts::is_zero),
            left_out,
            datasets: found.datasets,
            changes: found.changes,
            truncated: found.truncated,
            missing_tables,
        })
    }

    /// Keeps a comparison, if this engine keeps any.
    pub(in crate::engine) fn keep_comparison(
        &self,
        sides: Sides,
        live: bool,
    ) -> Option<ComparisonId> {
        let comparisons = self.comparisons.as_ref()?;
        Some(comparisons.keep(Comparison::new(sides, live)))
    }

    /// Both points, with the tables and columns that both have.
    pub(in crate::engine) async fn both(
        &self,
        from: &Point,
        to: &Point,
        run: &Run,
    ) -> Result<Pair, EngineError> {
        // One for both sides: what one side has read, the other need not.
        let reader = self.store.reader().await?;
        let (old, new) = (self.manifest_of(from).await?, self.manifest_of(to).await?);
        // The live tables are read as the backup divides them that they are compared with.
        let known = old.as_ref().or(new.as_ref());
        let profile = known.map_or(&self.profile, |manifest| manifest.profile()).clone();
        let old = self.snapshot_of(old, &profile, &reader, run).await?;
        let new = self.snapshot_of(new, &profile, &reader, run).await?;
        self.in_common(old, new, (from, to)).await
    }

    /// The same, with the tables and columns that both have.
    pub(in crate::engine) async fn in_common(
        &self,
        old: Snapshot,
        new: Snapshot,
        (from, to): (&impl fmt::Display, &impl fmt::Display),
    ) -> Result<Pair, EngineError> {
        let silent = [old.not_covered.clone(), new.not_covered.clone()].concat();
        let (old, new) = (old.not_covering(&silent), new.not_covering(&silent));
        let Common { schema, left_out } =
            old.schema.common(&new.schema).map_err(|differences| {
                let (from, to) = (from.to_string(), to.to_string());
                EngineError::Misfit { from, to, differences, allowable: false }
            })?;
        let (old, new) = (self.project(&old, &schema).await?, self.project(&new, &schema).await?);
        Ok(Pair { old, new, left_out })
    }

    async fn manifest_of(&self, point: &Point) -> Result<Option<Manifest>, EngineError> {
        match point {
            Point::Backup(id) => Ok(Some(self.store.manifest(id).await?)),
            Point::Live => Ok(None),
        }
    }

    /// That of a backup; without one, of the live database.
    async fn snapshot_of(
        &self,
        manifest: Option<Manifest>,
        profile: &Arc<Profile>,
        reader: &Reader,
        run: &Run,
    ) -> Result<Snapshot, EngineError> {
        match manifest {
            Some(manifest) => Ok(Snapshot::of(manifest, reader.clone())),
            None => self.capture_passing(profile, reader, run).await,
        }
    }
}

/// Collects the changes, on threads that may block: piece by piece, and then in order.
pub(in crate::engine) async fn collect(
    old: Snapshot,
    new: Snapshot,
    limit: usize,
) -> Result<Collected, EngineError> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let profile = new.profile.clone();
    let shared = Arc::new((old, new));
    let both = shared.clone();
    let cut = threads::spawn(move || pieces(&both.0, &both.1, threads));
    let pieces = cut.await.expect("cutting does not panic")?;
    let compare = |(place, piece): (usize, Piece)| {
        let shared = shared.clone();
        let compared = threads::spawn(move || {
            let (old, new) = &*shared;
            let mut found = Collected::new(&new.profile, limit);
            let table =
                new.schema.table(&piece.part.table).expect("a part's table is in its schema");
            let layout = Layout::from(table);
            found.take(&piece.part, table, piece.changes(&layout, (old, new))?)?;
            Ok::<_, EngineError>((place, found))
        });
        async { compared.await.expect("comparing does not panic") }
    };
    // In any order, so that no thread rests while the piece before its own takes longer.
    let found = stream::iter(pieces.into_iter().enumerate()).map(compare);
    let mut found: Vec<_> = found.buffer_unordered(threads).try_collect().await?;
    found.sort_unstable_by_key(|(place, _)| *place);
    let mut all = Collected::new(&profile, limit);
    for (_, piece) in found {
        all.append(piece);
    }
    Ok(all)
}
