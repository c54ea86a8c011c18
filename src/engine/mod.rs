//! The use cases, one a file, made of four primitives: capture, diff, apply, verify.
//!
//! The API and the command line are faces of [`Engine`] and add nothing of their own.

mod archive;
mod capture;
mod compare;
mod download;
mod error;
mod maintain;
mod progress;
mod restore;
mod scratch;
mod snapshot;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};

pub use self::archive::{
    FolderExport, ImportOptions, Imported, TimeZone, UnknownTimeZone, check_archive_metadata,
    tar_name,
};
pub use capture::backup::{BackupCreated, BackupRequest};
pub use capture::base::Reading;
pub use capture::look::{Look, Looked};
pub use capture::sort;
pub use compare::change_filter::ChangeFilter;
use compare::changes::Counted;
pub use compare::changes::{Changes, Counts};
pub use compare::diff::{DiffReport, Point};
pub use compare::export_rows::{Formulas, RowForm};
pub use compare::found::{Found, FoundChange, FoundNode, Page, Parent};
pub use compare::history::{History, Moment, RowVersion, VersionKind};
pub use compare::kept::{Comparison, ComparisonId, Comparisons};
pub use compare::row_change::{CellChange, ChangeKind, RowChange};
pub use download::Download;
pub use error::{EngineError, Kind};
pub use maintain::annotate::Annotation;
pub use maintain::cleanup::{CleanupReport, Deleted, Freed, Judged};
pub use maintain::copy::{CopyReport, CopyRequest, EarlierCopies, NotCopied};
pub use maintain::list::{BackupInfo, BackupList, Details, FileInfo, Listed};
pub use maintain::stats::{BackupCost, StoreStatistics};
pub use maintain::store_check::check_store;
pub use maintain::verify::{VerifiedBackup, VerifyReport};
pub use progress::{Phase, Progress, Run};
pub use restore::options::{RestoreOptions, VerifyResult};
pub use restore::preview::Preview;
pub use restore::records::OtherRows;
pub use restore::report::RestoreResults;
pub use restore::scope::ScopeRow;
pub use restore::transaction::{Report, Restored};

use crate::model::{Age, BackupId, Profile};
use crate::postgres::LOCK_TIMEOUT;
pub use crate::postgres::{ScopeValue, Selection};
use crate::store::{Seen, Store};
pub use crate::tree::MAX_ROW;

/// The most bytes that a row may have as COPY text if nothing else is said.
pub const DEFAULT_MAX_ROW: usize = 64 << 20;

/// Days after which a backup reads all rows again if nothing else is said.
const DEFAULT_FULL_DAYS: u16 = 1;

/// Tells the time; tests freeze it.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// A store, the database that it backs up, and a clock.
#[derive(Clone)]
pub struct Engine {
    store: Store,
    database: Option<String>,
    clock: Clock,
    lock_timeout: Duration,
    max_row: usize,
    full_every: Age,
    profile: Arc<Profile>,
    counted: Arc<Counted>,
    /// The comparisons that are kept to be searched; none are where nobody would.
    comparisons: Option<Arc<Comparisons>>,
    /// The metadata of each backup as it was last seen.
    listed: Arc<Mutex<BTreeMap<BackupId, (Seen, BackupInfo)>>>,
    /// The backups whose files are being measured.
    measuring: Arc<Mutex<BTreeSet<BackupId>>>,
}

impl Engine {
    /// An engine over the store at this place (a folder, or `s3://bucket/prefix`), which must be there.
    /// Without a database URL, what needs a database is refused.
    ///
    /// # Errors
    /// If there is no store, or it cannot be used.
    pub async fn open(place: &str, database: Option<String>) -> Result<Self, EngineError> {
        Ok(Self::new(Store::open(&place.parse()?).await?, database))
    }

    /// As [`Engine::open`], but makes the store if it is not there.
    ///
    /// # Errors
    /// If the store can neither be used nor made.
    pub async fn open_or_create(
        place: &str,
        database: Option<String>,
    ) -> Result<Self, EngineError> {
        Ok(Self::new(Store::open_or_create(&place.parse()?).await?, database))
    }

    /// An engine over this store.
    #[must_use]
    pub fn new(store: Store, database: Option<String>) -> Self {
        let (clock, counted) = (Arc::new(Utc::now), Arc::default());
        let (lock_timeout, max_row) = (LOCK_TIMEOUT, DEFAULT_MAX_ROW);
        let full_every = Age::days(DEFAULT_FULL_DAYS);
        let profile = Profile::builtin().clone();
        let (listed, measuring) = (Arc::default(), Arc::default());
        let comparisons = None;
        Self {
            store,
            database,
            clock,
            lock_timeout,
            max_row,
            full_every,
            profile,
            counted,
            comparisons,
            listed,
            measuring,
        }
    }

    /// The same engine, which keeps its latest comparisons so that they can be searched.
    #[must_use]
    pub fn keeping_comparisons(self) -> Self {
        Self { comparisons: Some(Arc::default()), ..self }
    }

    /// The comparison of this name, if it is still kept.
    #[must_use]
    pub fn comparison(&self, id: ComparisonId) -> Option<Arc<Comparison>> {
        self.comparisons.as_ref()?.get(id)
    }

    /// The same engine, which makes backups with this profile instead of the built-in one.
    #[must_use]
    pub fn with_profile(self, profile: Arc<Profile>) -> Self {
        let store = self.store.with_profile(profile.clone());
        Self { store, profile, ..self }
    }

    /// The profile that backups are made with.
    #[must_use]
    pub fn profile(&self) -> &Arc<Profile> {
        &self.profile
    }

    /// Refuses a profile that this engine was not given: its conditions are SQL that a session would run.
    fn refuse_foreign(&self, profile: &Arc<Profile>) -> Result<(), EngineError> {
        if *profile == self.profile || profile == Profile::builtin() {
            return Ok(());
        }
        Err(EngineError::ForeignProfile(profile.name.clone()))
    }

    /// The same engine, whose statements wait this long for a lock.
    #[must_use]
    pub fn with_lock_timeout(self, lock_timeout: Duration) -> Self {
        Self { lock_timeout, ..self }
    }

    /// Time for which a statement waits for a lock.
    #[must_use]
    pub fn lock_timeout(&self) -> Duration {
        self.lock_timeout
    }

    /// The same engine, which reads rows of up to so many bytes as COPY text. A row takes several times
    /// as much memory.
    #[must_use]
    pub fn with_max_row(self, max_row: usize) -> Self {
        Self { max_row: max_row.min(MAX_ROW), ..self }
    }

    /// The same engine, whose backups read all rows at least once in such a time, and compare.
    #[must_use]
    pub fn with_full_every(self, full_every: Age) -> Self {
        Self { full_every, ..self }
    }

    /// The same engine with another clock.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }

    /// Returns whether a database was named.
    #[must_use]
    pub fn has_database(&self) -> bool {
        self.database.is_some()
    }

    fn database(&self) -> Result<&str, EngineError> {
        self.database.as_deref().ok_or(EngineError::NoDatabase)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spawnable(_: impl Future + Send) {}

    /// A service runs the use cases as tasks of their own. Checked by the compiler; never called.
    #[expect(dead_code, reason = "that it compiles is the test")]
    fn every_use_case_can_run_as_a_task(engine: &Engine, id: &BackupId, run: &Run) {
        let options = RestoreOptions::default();
        spawnable(engine.backup(BackupRequest::default(), run));
        spawnable(engine.preview(id, &options, 1, run));
        spawnable(engine.restore(id, &options, run));
        spawnable(engine.diff(&Point::Live, &Point::Live, 1, run));
        spawnable(engine.history("vrf", "prod-vrf"));
        spawnable(engine.verify(&[], run));
        spawnable(engine.cleanup(&crate::model::Policy::last(1), false, run));
        spawnable(engine.delete(id, run));
        spawnable(engine.stats());
        spawnable(engine.copy(&CopyRequest::default(), run));
        spawnable(engine.list());
        spawnable(engine.details(id, Duration::MAX));
        spawnable(engine.reach_database());
        spawnable(engine.try_writing());
        spawnable(engine.changes(id));
        spawnable(engine.annotate(id, &Annotation::default()));
        spawnable(engine.changed_rows(
            &Point::Live,
            &Point::Live,
            RowForm::Csv(Formulas::Raw),
            run,
        ));
        spawnable(engine.export_dataset(id, "vrfs", run));
        spawnable(engine.export_archive(id, run));
        spawnable(engine.import_archive(tokio::io::empty(), run));
        spawnable(engine.import_folder(std::path::Path::new("."), run));
    }
}
