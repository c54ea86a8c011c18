//! Compare: which rows differ between two backups, or between a backup and the live database.

use std::fmt;
use std::num::NonZero;
use std::str::FromStr;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::compare::{Piece, Side, pieces};
use super::live::Passing;
use super::rows::Collected;
use super::{Counts, Engine, EngineError, Phase, RowChange, Run};
use crate::model::{BackupId, Common, Manifest, MissingTable, RowCounts, Schema};
use crate::store::Reader;
use crate::threads;
use crate::tree::Layout;

/// One end of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    /// A backup.
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
    /// The tables of which this says nothing: neither side has them.
    pub missing_tables: Vec<MissingTable>,
}

/// Two snapshots with the same tables and columns, and what they have besides.
pub(super) struct Pair {
    pub(super) old: Compared,
    pub(super) new: Compared,
    pub(super) left_out: Vec<String>,
}

/// A snapshot that can be compared.
pub(super) struct Compared {
    pub(super) side: Side,
    pub(super) schema: Schema,
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
        let missing_tables = new.schema.lacking();
        let found = collect(old.schema, old.side, new.side, limit).await?;
        run.begin(Phase::Done, None);
        Ok(DiffReport {
            from: from.clone(),
            to: to.clone(),
            identical: left_out.is_empty() && found.datasets.values().all(RowCounts::is_zero),
            left_out,
            datasets: found.datasets,
            changes: found.changes,
            truncated: found.truncated,
            missing_tables,
        })
    }

    /// Both points, with the tables and columns that both have.
    pub(super) async fn both(
        &self,
        from: &Point,
        to: &Point,
        run: &Run,
    ) -> Result<Pair, EngineError> {
        // One for both sides: what one side has read, the other need not.
        let reader = self.store.reader().await?;
        let old = self.compared(from, &reader, run).await?;
        let new = self.compared(to, &reader, run).await?;
        self.in_common(old, new, (from, to)).await
    }

    /// The same, with the tables and columns that both have.
    pub(super) async fn in_common(
        &self,
        old: Compared,
        new: Compared,
        (from, to): (&impl fmt::Display, &impl fmt::Display),
    ) -> Result<Pair, EngineError> {
        let Common { schema, left_out } =
            old.schema.common(&new.schema).map_err(|differences| {
                let (from, to) = (from.to_string(), to.to_string());
                EngineError::Misfit { from, to, differences, allowable: false }
            })?;
        let project = async |point: Compared| {
            let side = self.project(&point.side, &point.schema, &schema).await?;
            Ok::<_, EngineError>(Compared { side, schema: schema.clone() })
        };
        Ok(Pair { old: project(old).await?, new: project(new).await?, left_out })
    }

    async fn compared(
        &self,
        point: &Point,
        reader: &Reader,
        run: &Run,
    ) -> Result<Compared, EngineError> {
        match point {
            Point::Backup(id) => {
                Ok(Compared::backup(self.store.manifest(id).await?, reader.clone()))
            }
            Point::Live => Ok(self.capture_passing(reader, run).await?.into()),
        }
    }
}

impl Compared {
    /// A backup, read with this reader.
    pub(super) fn backup(manifest: Manifest, reader: Reader) -> Self {
        Self { side: Side { reader, parts: manifest.parts }, schema: manifest.schema }
    }
}

impl From<Passing> for Compared {
    fn from(passing: Passing) -> Self {
        let Passing { captured, reader } = passing;
        Self { side: Side { reader, parts: captured.parts }, schema: captured.schema }
    }
}

/// Collects the changes, on threads that may block: piece by piece, and then in order.
pub(super) async fn collect(
    schema: Schema,
    old: Side,
    new: Side,
    limit: usize,
) -> Result<Collected, EngineError> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let (old_side, new_side) = (old.clone(), new.clone());
    let cut = threads::spawn(move || pieces(&old_side, &new_side, threads));
    let pieces = cut.await.expect("cutting does not panic")?;
    let shared = Arc::new((schema, old, new));
    let compare = |(place, piece): (usize, Piece)| {
        let shared = shared.clone();
        let compared = threads::spawn(move || {
            let (schema, old, new) = &*shared;
            let mut found = Collected::new(limit);
            let table = schema.table(piece.part.table).expect("a part's table is in its schema");
            let layout = Layout::from(table);
            found.take(piece.part, table, piece.changes(&layout, (old, new))?)?;
            Ok::<_, EngineError>((place, found))
        });
        async { compared.await.expect("comparing does not panic") }
    };
    // In any order, so that no thread rests while the piece before its own takes longer.
    let found = stream::iter(pieces.into_iter().enumerate()).map(compare);
    let mut found: Vec<_> = found.buffer_unordered(threads).try_collect().await?;
    found.sort_unstable_by_key(|(place, _)| *place);
    let mut all = Collected::new(limit);
    for (_, piece) in found {
        all.append(piece);
    }
    Ok(all)
}
