//! What breaks the rule that a row version older than the base is in the base, and needs a server of its own
//! to be shown.

mod counter;
mod crash;
mod history;
mod quiet;
mod standby;
mod types;

use ipam_rewind::engine::{Engine, Reading};
use ipam_rewind::model::{CaptureMode, Manifest};
use ipam_rewind::store::{Location, Store};

use super::{compared, how};
use crate::restore_cases::PLAN;
use crate::support::folder;
use crate::support::scratch::Scratch;

/// The backups of whatever server has the database's address.
pub struct Backups {
    pub store: Store,
    _folder: tempfile::TempDir,
}

impl Backups {
    pub async fn new() -> Self {
        let folder = folder();
        let store = Store::open_or_create(&Location::Folder(folder.path().to_owned())).await;
        Self { store: store.expect("the store is made"), _folder: folder }
    }

    /// Backs this server up, and requires that the trees are those which reading all rows gives.
    async fn add(&self, server: &Scratch) -> Manifest {
        let engine = |store| Engine::new(store, Some(server.url()));
        let elsewhere = Self::new().await;
        let (here, there) = (engine(self.store.clone()), engine(elsewhere.store.clone()));
        compared(&here, &there, Reading::default()).await
    }

    /// Backs up, and requires that changes were read: exactly so many rows.
    async fn add_changes(&self, server: &Scratch, rows: u64) -> Manifest {
        let manifest = self.add(server).await;
        let how = how(&manifest);
        assert_eq!((how.mode, &how.reason), (CaptureMode::Changes, &None));
        assert_eq!((how.rows_read, &how.tables.len()), (rows, &0), "{:?}", how.tables);
        manifest
    }

    /// Backs up, and requires that all rows were read, for a reason that says this.
    async fn add_full(&self, server: &Scratch, why: &str) -> Manifest {
        let manifest = self.add(server).await;
        let how = how(&manifest);
        assert_eq!(how.mode, CaptureMode::Full, "{how:?}");
        let reason = how.reason.as_deref().expect("there is a reason");
        assert!(reason.contains(why), "{reason}");
        manifest
    }
}

/// A cluster of its own that has the small plan.
pub async fn plan_on(settings: &str) -> Scratch {
    let server = Scratch::new(settings).await;
    server.sql(PLAN).await;
    server
}

/// Updates a hundred of the VRFs `row-N`, each in a subtransaction of its own: more than the server remembers one
/// by one.
fn updates(from: u32) -> String {
    format!(
        "DO $$ BEGIN FOR n IN {from}..{from} + 99 LOOP
         BEGIN UPDATE vrf SET description = 'within' WHERE vrf_id = 'row-' || n;
         EXCEPTION WHEN unique_violation THEN NULL; END; END LOOP; END $$"
    )
}

/// The first transaction that has not begun, in 64 bits.
async fn next_transaction(server: &Scratch) -> u64 {
    server.number("SELECT pg_snapshot_xmax(pg_current_snapshot())").await
}

/// How far a server is.
struct Moment {
    next: u64,
    position: String,
}

impl Moment {
    async fn of(server: &Scratch) -> Self {
        let position = server.value("SELECT pg_current_wal_insert_lsn()").await;
        Self { next: next_transaction(server).await, position }
    }

    /// Has a server begin more transactions and write more WAL, until it is beyond.
    async fn pass(&self, server: &Scratch) {
        let behind = format!("SELECT pg_current_wal_insert_lsn() <= '{}'", self.position);
        while server.value(&behind).await == "true" {
            server.burn(1).await;
            server.sql_as_superuser("SELECT pg_switch_wal()").await;
        }
        while next_transaction(server).await <= self.next {
            server.burn(10).await;
        }
    }
}
