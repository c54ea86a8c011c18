//! A role or a server that has one connection to give.

use ipam_rewind::engine::{BackupRequest, Point, RestoreOptions, Run, Selection};

use super::plan;
use crate::support::cycle::{Cycle, assert_same};

async fn with_one_connection() -> Cycle {
    let cycle = plan().await;
    cycle.database.alter("CONNECTION LIMIT 1");
    cycle
}

#[tokio::test]
async fn database_with_one_connection_is_backed_up_compared_and_restored() {
    let cycle = with_one_connection().await;
    let before = cycle.contents().await;
    let id = cycle.backup().await;
    cycle
        .sql("UPDATE prefix SET tags = '{\"changed\": 1}'; DELETE FROM vpc_prefix_association")
        .await;
    assert_eq!(cycle.diff(Point::Backup(id.clone()), Point::Live).await.changes.len(), 14);
    let options = RestoreOptions::default();
    assert!(!cycle.preview(&id, &options).await.is_empty());
    let selection = Selection { datasets: vec!["prefixes".into()], ..Selection::default() };
    let part = RestoreOptions { selection, ..options };
    assert!(!cycle.preview(&id, &part).await.is_empty());
    cycle.restore_with(&id, &part).await;
    cycle.restore(&id).await;
    assert_same(&cycle.contents().await, &before);
}

#[tokio::test]
async fn interrupted_backup_is_ended_where_there_is_one_connection() {
    let cycle = with_one_connection().await;
    let run = Run::new();
    {
        let mut backup = std::pin::pin!(cycle.engine.backup(BackupRequest::default(), &run));
        let mut phases = run.watch();
        tokio::select! {
            _ = &mut backup => panic!("it ends before it is interrupted"),
            changed = phases.changed() => changed.expect("the run lives"),
        }
    }
    run.end_sessions().await.expect("the server has ended them");
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND application_name = 'ipam-rewind'";
    assert_eq!(cycle.database.value(sessions).await, "0");
    cycle.backup().await;
}
