//! Backups that read only what changed: each has the very trees that reading all rows gives.

mod changes;
mod checked;
mod clusters;
mod guards;
mod proof;
mod soak;
mod watched;

use ipam_rewind::engine::{BackupRequest, Engine, Reading, Run};
use ipam_rewind::model::{BackupId, CaptureInfo, CaptureMode, Manifest};

use crate::support::cycle::{Cycle, words};

/// Backs up, and requires that the trees are those which reading all rows gives.
async fn backup(cycle: &Cycle) -> Manifest {
    backup_with(cycle, Reading::default()).await
}

async fn backup_with(cycle: &Cycle, reading: Reading) -> Manifest {
    compared(&cycle.engine, &cycle.elsewhere().await.engine, reading).await
}

/// Backs up with an engine, and with another one of the same database that has no backup yet.
async fn compared(engine: &Engine, elsewhere: &Engine, reading: Reading) -> Manifest {
    let manifest = made(engine, reading).await;
    let whole = made(elsewhere, Reading::default()).await;
    assert_eq!(whole.capture.as_ref().expect("it says").mode, CaptureMode::Full);
    let how = &manifest.capture;
    for (part, all) in manifest.parts.iter().zip(&whole.parts) {
        assert_eq!((&part.name, part.rows, part.root), (&all.name, all.rows, all.root), "{how:?}");
    }
    assert_eq!(manifest.parts, whole.parts);
    assert_eq!(manifest.sequences, whole.sequences);
    manifest
}

/// Backs up with an engine.
async fn made(engine: &Engine, reading: Reading) -> Manifest {
    let request = BackupRequest { reading, ..BackupRequest::default() };
    let made = engine.backup(request, &Run::new()).await;
    let made = made.unwrap_or_else(|error| panic!("backup: {}", words(&error)));
    engine.store().manifest(&made.backup_id).await.expect("it was just made")
}

async fn manifest(cycle: &Cycle, id: &BackupId) -> Manifest {
    cycle.engine.store().manifest(id).await.expect("it was just made")
}

fn how(manifest: &Manifest) -> &CaptureInfo {
    manifest.capture.as_ref().expect("a backup says how its rows were read")
}

/// Backs up, and requires that changes were read, at least so many rows: on a server that other tests share,
/// transactions of theirs make rows that were written a moment ago look as if they came later.
async fn reads(cycle: &Cycle, rows: u64) -> Manifest {
    let manifest = backup(cycle).await;
    let how = how(&manifest);
    assert_eq!((how.mode, &how.reason), (CaptureMode::Changes, &None));
    assert!(how.tables.is_empty(), "{:?}", how.tables);
    assert!(how.rows_read >= rows, "{} rows", how.rows_read);
    manifest
}

/// Backs up, and requires that this table was read as a whole, for a reason that says this.
async fn reads_whole(cycle: &Cycle, table: &str, why: &str) -> Manifest {
    let manifest = backup(cycle).await;
    let how = how(&manifest);
    assert_eq!(how.mode, CaptureMode::Changes);
    let reason = how.tables.get(table).unwrap_or_else(|| panic!("{table} was followed"));
    assert!(reason.contains(why), "{reason}");
    assert_eq!(how.tables.len(), 1, "{:?}", how.tables);
    manifest
}

/// Backs up, and requires that all rows were read, for a reason that says this.
async fn reads_all(cycle: &Cycle, why: &str) -> Manifest {
    let manifest = backup(cycle).await;
    let how = how(&manifest);
    assert_eq!(how.mode, CaptureMode::Full, "{how:?}");
    let reason = how.reason.as_deref().expect("there is a reason");
    assert!(reason.contains(why), "{reason}");
    manifest
}
