//! A preview says what the restore then does, and does nothing itself.

use ipam_rewind::engine::{Point, Preview, RestoreOptions, Restored, ScopeValue};
use ipam_rewind::model::{BackupId, Profile};
use ipam_rewind::postgres::Selection;

use super::plan;
use crate::support::cycle::{Cycle, assert_same};
use crate::support::sample_database;

async fn previewed_then_restored(
    cycle: &Cycle,
    id: &BackupId,
    selection: Selection,
) -> (Preview, Restored) {
    let options = RestoreOptions { selection, ..RestoreOptions::default() };
    let (before, backups) = (cycle.contents().await, cycle.backups().await);
    let preview = cycle.preview(id, &options).await;
    assert_same(&cycle.contents().await, &before);
    assert_eq!(cycle.backups().await, backups);
    let restored = cycle.restore_with(id, &options).await;
    assert_eq!(preview.datasets, restored.restore_results.datasets);
    let safety = restored.restore_results.safety_backup.clone().expect("a safety backup");
    let done = cycle.diff(Point::Backup(safety), Point::Live).await;
    assert_eq!(preview.changes, done.changes, "the rows that were shown are those that changed");
    assert_eq!(preview.truncated, done.truncated);
    let touched: u64 = done.datasets.values().map(|counts| counts.touched).sum();
    assert_eq!(preview.touched, touched);
    (preview, restored)
}

async fn sample_after_a_bad_day() -> (Cycle, BackupId) {
    let cycle = Cycle::new(sample_database().await).await;
    let id = cycle.backup().await;
    let mut connection = cycle.database.connect().await;
    ipam_rewind::embedded::sample::make_mess(&mut connection).await.expect("the mess is made");
    (cycle, id)
}

#[tokio::test]
async fn a_preview_counts_what_the_restore_then_does() {
    let (cycle, id) = sample_after_a_bad_day().await;
    let everything = Selection::default();
    let (preview, _) = previewed_then_restored(&cycle, &id, everything.clone()).await;
    assert!(!preview.is_empty());
    assert!(preview.truncated);
    let (preview, _) = previewed_then_restored(&cycle, &id, everything).await;
    assert!(preview.is_empty(), "nothing differs any more");
    assert!(preview.changes.is_empty() && !preview.truncated);
}

#[tokio::test]
async fn a_preview_of_a_part_counts_what_that_restore_then_does() {
    for dataset in Profile::builtin().dataset_names() {
        let (cycle, id) = sample_after_a_bad_day().await;
        let selection = Selection { datasets: vec![dataset.clone()], scope: None };
        previewed_then_restored(&cycle, &id, selection.clone()).await;
        let (preview, _) = previewed_then_restored(&cycle, &id, selection).await;
        assert!(preview.is_empty(), "{dataset}: {:?}", preview.datasets);
    }
}

#[tokio::test]
async fn a_preview_of_a_vrf_counts_what_that_restore_then_does() {
    let (cycle, id) = sample_after_a_bad_day().await;
    let selection =
        Selection { datasets: Vec::new(), scope: Some(ScopeValue::vrf("prod-vrf".into())) };
    let (preview, _) = previewed_then_restored(&cycle, &id, selection.clone()).await;
    assert!(!preview.is_empty());
    let (preview, _) = previewed_then_restored(&cycle, &id, selection).await;
    assert!(preview.is_empty(), "{:?}", preview.datasets);
}

#[tokio::test]
async fn a_preview_tells_a_mere_touch_from_a_change() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    let touch = "UPDATE prefix SET tags = tags WHERE vrf_id = 'lab';
        UPDATE prefix SET tags = '{\"changed\": 1}' WHERE prefix_id = 'root'";
    cycle.sql(touch).await;
    let (preview, _) = previewed_then_restored(&cycle, &id, Selection::default()).await;
    assert_eq!(preview.datasets["prefixes"].updated, 3);
    assert_eq!(preview.touched, 2);
    assert_eq!(preview.changes.len(), 3);
}

#[tokio::test]
async fn a_restore_without_a_safety_backup_adds_none() {
    let cycle = plan().await;
    let before = cycle.contents().await;
    let id = cycle.backup().await;
    cycle.sql("DELETE FROM vpc_prefix_association").await;
    let options = RestoreOptions { safety_backup: false, ..RestoreOptions::default() };
    let restored = cycle.restore_with(&id, &options).await;
    assert_same(&cycle.contents().await, &before);
    assert_eq!(restored.restore_results.safety_backup, None);
    assert_eq!(cycle.backups().await, 1);
}
