//! Full reads that check what the changes tell, and what becomes of a mismatch.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{TimeDelta, Utc};
use ipam_rewind::engine::Reading;
use ipam_rewind::model::{Age, CaptureMode};

use super::{backup, backup_with, how, reads, reads_all};
use crate::restore_cases::plan;
use crate::support::cycle::Cycle;

/// Changes a row behind the server's back: as a superuser, in place, with an older transaction's id.
async fn rewrite_history(cycle: &Cycle) {
    // The row that replaces it looks as old as the table: its transaction is the one that the copy began with.
    cycle
        .database
        .sql_as_superuser(
            "CREATE EXTENSION IF NOT EXISTS pg_surgery;
             SELECT heap_force_freeze('vrf'::regclass, ARRAY(SELECT ctid FROM vrf WHERE vrf_id = 'lab'))",
        )
        .await;
}

#[tokio::test]
async fn full_read_is_made_when_asked_for_and_agrees() {
    let cycle = plan().await;
    backup(&cycle).await;
    cycle
        .sql("UPDATE vrf SET description = 'changed'; DELETE FROM prefix WHERE prefix_id = 'six'")
        .await;
    let full = backup_with(&cycle, Reading { full: true, ..Reading::default() }).await;
    let how = how(&full);
    assert_eq!((how.mode, how.reason.as_deref()), (CaptureMode::Full, Some("it was asked for")));
    assert!(how.mismatch.is_empty(), "{:?}", how.mismatch);
    reads(&cycle, 0).await;
}

#[tokio::test]
async fn full_read_is_made_once_a_day_and_when_the_clock_steps_back() {
    let cycle = plan().await;
    let hours = Arc::new(AtomicI64::new(0));
    let clock = {
        let hours = hours.clone();
        Arc::new(move || Utc::now() + TimeDelta::hours(hours.load(Ordering::Relaxed)))
    };
    let engine = cycle
        .engine
        .clone()
        .with_clock(clock)
        .with_full_every("24h".parse::<Age>().expect("an age"));
    let cycle = Cycle { engine, ..cycle };
    backup(&cycle).await;
    hours.store(23, Ordering::Relaxed);
    reads(&cycle, 0).await;
    hours.store(25, Ordering::Relaxed);
    reads_all(&cycle, "all rows are read every 1d").await;
    hours.store(26, Ordering::Relaxed);
    reads(&cycle, 0).await;
    hours.store(0, Ordering::Relaxed);
    reads_all(&cycle, "all rows are read every 1d").await;
}

#[tokio::test]
async fn mismatch_keeps_the_full_read_and_stops_reading_changes() {
    let cycle = plan().await;
    backup(&cycle).await;
    cycle.sql("UPDATE vrf SET description = 'behind the back' WHERE vrf_id = 'lab'").await;
    rewrite_history(&cycle).await;
    let wrong = backup_with(&cycle, Reading { full: true, ..Reading::default() }).await;
    let found = how(&wrong);
    assert_eq!(found.mode, CaptureMode::Full);
    assert!(found.mismatch.iter().any(|it| it.contains("vrfs")), "{:?}", found.mismatch);
    assert_eq!(found.stopped_by.as_ref(), Some(&wrong.backup_id));
    let why = format!("backup {} found other rows", wrong.backup_id);
    let next = reads_all(&cycle, &why).await;
    assert_eq!(how(&next).stopped_by.as_ref(), Some(&wrong.backup_id));
    // Until a person says so.
    let resumed = backup_with(&cycle, Reading { resume: true, ..Reading::default() }).await;
    assert_eq!((how(&resumed).mode, &how(&resumed).stopped_by), (CaptureMode::Full, &None));
    reads(&cycle, 0).await;
}
