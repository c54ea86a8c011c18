//! Backup, disturbance, restore and undo of one test database, compared byte for byte.

use std::collections::BTreeMap;
use std::sync::Arc;

use ipam_rewind::engine::{
    BackupRequest, DiffReport, Engine, EngineError, Point, Preview, RestoreOptions, Restored, Run,
};
use ipam_rewind::model::BackupId;
use ipam_rewind::store::{Location, Store};

use super::TestDatabase;

/// Everything in the database: see [`TestDatabase::dump`], but of a sequence the next value.
pub type Contents = BTreeMap<String, String>;

/// A database, and the engine that backs it up into a store of its own.
pub struct Cycle {
    pub database: Arc<TestDatabase>,
    pub engine: Engine,
    pub _folder: tempfile::TempDir,
}

impl Cycle {
    pub async fn new(database: impl Into<Arc<TestDatabase>>) -> Self {
        let database = database.into();
        let folder = super::folder();
        let location = Location::Folder(folder.path().to_owned());
        let store = Store::open_or_create(&location).await.expect("the store is made");
        Self { engine: Engine::new(store, Some(database.url.clone())), database, _folder: folder }
    }

    /// The same database over an empty store of its own.
    pub async fn elsewhere(&self) -> Self {
        Self::new(self.database.clone()).await
    }

    pub async fn sql(&self, statements: &str) {
        self.database.sql(statements).await;
    }

    pub async fn backup(&self) -> BackupId {
        let made = self.engine.backup(BackupRequest::default(), &Run::new()).await;
        made.unwrap_or_else(|error| panic!("backup: {}", words(&error))).backup_id
    }

    pub async fn try_restore(
        &self,
        id: &BackupId,
        options: &RestoreOptions,
    ) -> Result<Restored, EngineError> {
        self.engine.restore(id, options, &Run::new()).await
    }

    pub async fn restore_with(&self, id: &BackupId, options: &RestoreOptions) -> Restored {
        let done = self.try_restore(id, options).await;
        done.unwrap_or_else(|error| panic!("restore: {}", words(&error)))
    }

    pub async fn restore(&self, id: &BackupId) -> Restored {
        self.restore_with(id, &RestoreOptions::default()).await
    }

    pub async fn diff(&self, from: Point, to: Point) -> DiffReport {
        let seen = self.engine.diff(&from, &to, 10, &Run::new()).await;
        seen.unwrap_or_else(|error| panic!("diff: {}", words(&error)))
    }

    pub async fn preview(&self, id: &BackupId, options: &RestoreOptions) -> Preview {
        let seen = self.engine.preview(id, options, 10, &Run::new()).await;
        seen.unwrap_or_else(|error| panic!("preview: {}", words(&error)))
    }

    /// How many backups the store has.
    pub async fn backups(&self) -> usize {
        let ids = self.engine.store().backups().await;
        ids.expect("the store lists its backups").len()
    }

    pub async fn contents(&self) -> Contents {
        let mut contents = self.database.dump().await;
        for (name, state) in &mut contents {
            if name.starts_with("sequence ") {
                *state = next_value(state).to_string();
            }
        }
        contents
    }

    /// Backs up, runs `disturbance`, restores, undoes: everything must be back each time. Leaves
    /// the database as it was backed up.
    pub async fn survives(&self, disturbance: &str) -> Restored {
        let before = self.contents().await;
        let id = self.backup().await;
        self.sql(disturbance).await;
        let disturbed = self.contents().await;
        assert!(before != disturbed, "the disturbance changes something");
        let restored = self.restore(&id).await;
        assert_same(&self.contents().await, &before);
        self.undo(&restored).await;
        assert_same(&self.contents().await, &disturbed);
        self.restore(&id).await;
        assert_same(&self.contents().await, &before);
        restored
    }

    /// Restores the safety backup of this restore.
    pub async fn undo(&self, restored: &Restored) -> Restored {
        let safety = &restored.restore_results.safety_backup;
        self.restore(safety.as_ref().expect("a safety backup was made")).await
    }

    /// The restore must fail, and leave no trace in the database. Returns what it said.
    pub async fn refuses(&self, id: &BackupId, options: &RestoreOptions) -> EngineError {
        let before = self.contents().await;
        let refused = self.try_restore(id, options).await;
        let error = refused.expect_err("the restore must be refused");
        assert_same(&self.contents().await, &before);
        error
    }

    /// A write that only the triggers refuse (the foreign key would, too, but later and in other
    /// words).
    pub async fn triggers_refuse_what_they_must(&self) {
        let orphan =
            "INSERT INTO prefix (prefix_id, vrf_id, cidr, parent_prefix_id, source, routable)
            VALUES ('orphan', 'prod-vrf', '192.0.2.0/24', 'nowhere', 'manual', false)";
        let error = self.database.try_sql(orphan).await;
        let error = error.expect_err("the orphan must be refused").to_string();
        assert!(error.contains("parent prefix nowhere does not exist"), "{error}");
    }
}

/// The error with all that it came from.
pub fn words(error: &EngineError) -> String {
    error.chain().join(": ")
}

/// Rows inserted, updated and deleted of a dataset.
pub fn changed(restored: &Restored, dataset: &str) -> (u64, u64, u64) {
    let results = restored.restore_results.datasets[dataset];
    (results.inserted, results.updated, results.deleted)
}

/// Shows the first rows that differ, where the whole would be too long to read.
pub fn assert_same(found: &Contents, wanted: &Contents) {
    let names: Vec<_> = found.keys().collect();
    assert_eq!(names, wanted.keys().collect::<Vec<_>>());
    for (name, found) in found {
        let wanted = &wanted[name];
        if found == wanted {
            continue;
        }
        let only = |here: &str, there: &str| {
            let is_there = |row: &&str| there.lines().any(|other| other == *row);
            let rows = here.lines().filter(|row| !is_there(row));
            rows.take(5).collect::<Vec<_>>().join("\n")
        };
        panic!(
            "{name} differs; only found:\n{}\nonly wanted:\n{}",
            only(found, wanted),
            only(wanted, found)
        );
    }
}

/// What `nextval` gives of a sequence that counts by ones, from its last value and whether that was
/// given out. A restore brings this back, not which of two ways says it.
fn next_value(state: &str) -> i64 {
    let (last, called) = state.trim_end().split_once('\t').expect("two columns");
    let last: i64 = last.parse().expect("a number");
    last + i64::from(called == "t")
}
