//! Comparisons that are kept for a while, so that all of what differs can be searched and paged through,
//! however much that is.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::engine::EngineError;
use crate::engine::compare::change_filter::ChangeFilter;
use crate::engine::compare::found::Found;
use crate::engine::compare::spool::{Sides, Spool};
use crate::threads::{self, locked};

/// Comparisons that are kept; each holds the live rows that it has read on disk, and the changed rows.
const KEPT: usize = 8;
/// Searches whose results are kept.
const SEARCHES: usize = 4;

/// The name of a kept comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ComparisonId(Uuid);

impl std::fmt::Display for ComparisonId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for ComparisonId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Two snapshots whose differences can be asked for.
pub struct Comparison {
    sides: Arc<Sides>,
    /// Whether one of the two is the live database.
    pub live: bool,
    /// Held while a search is under way, so that none is done twice.
    searched: tokio::sync::Mutex<Searched>,
}

/// What is known of a comparison.
#[derive(Default)]
struct Searched {
    /// All changes, once anybody asked.
    all: Option<Arc<Spool>>,
    /// The results of the latest searches.
    latest: VecDeque<(ChangeFilter, Arc<Found>)>,
}

impl Comparison {
    /// A comparison of these two.
    pub(in crate::engine) fn new(sides: Sides, live: bool) -> Self {
        Self { sides: Arc::new(sides), live, searched: tokio::sync::Mutex::default() }
    }

    /// The changes that this filter lets pass.
    ///
    /// # Errors
    /// If a chunk on the way cannot be read.
    pub async fn find(&self, filter: &ChangeFilter) -> Result<Arc<Found>, EngineError> {
        let mut searched = self.searched.lock().await;
        if let Some((_, found)) = searched.latest.iter().find(|(known, _)| known == filter) {
            return Ok(found.clone());
        }
        let (sides, known, sought) = (self.sides.clone(), searched.all.clone(), filter.clone());
        let search = move || {
            let all = known.map_or_else(|| Spool::make(&sides).map(Arc::new), Ok)?;
            let found = Found::search(&sides, &all, &sought)?;
            Ok::<_, EngineError>((all, Arc::new(found)))
        };
        let (all, found) = threads::spawn(search).await.expect("searching does not panic")?;
        searched.all = Some(all);
        if searched.latest.len() >= SEARCHES {
            searched.latest.pop_front();
        }
        searched.latest.push_back((filter.clone(), found.clone()));
        Ok(found)
    }
}

/// The comparisons that are kept.
#[derive(Default)]
pub struct Comparisons(Mutex<VecDeque<(ComparisonId, Arc<Comparison>)>>);

impl Comparisons {
    /// Keeps a comparison in the place of the oldest.
    pub(in crate::engine) fn keep(&self, comparison: Comparison) -> ComparisonId {
        let id = ComparisonId(Uuid::new_v4());
        let mut kept = locked(&self.0);
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back((id, Arc::new(comparison)));
        id
    }

    /// The comparison of this name, if it is still kept.
    #[must_use]
    pub fn get(&self, id: ComparisonId) -> Option<Arc<Comparison>> {
        let kept = locked(&self.0);
        kept.iter().find(|(known, _)| *known == id).map(|(_, comparison)| comparison.clone())
    }
}
