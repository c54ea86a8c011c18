//! What the lens of a backup must not be narrower than: which tables names mean, what their rows are,
//! and what writing them sets off.

mod effects;
mod missing;
mod names;
mod pooled;
mod source;
mod trees;

use ipam_rewind::engine::{BackupRequest, EngineError, RestoreOptions, Run};
use ipam_rewind::model::BackupId;

use crate::support::cycle::{Cycle, assert_same, words};

/// Adds, changes and removes rows of several tables.
const DISTURB: &str = "
    DELETE FROM prefix WHERE prefix_id IN ('north-a', 'six');
    UPDATE prefix SET tags = '{\"changed\": 1}' WHERE prefix_id LIKE 'south%';
    INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable)
        VALUES ('new', 'lab', '192.0.2.0/24', 'manual', true);
    UPDATE vrf SET description = 'changed' WHERE vrf_id = 'corp';";

/// Changes addresses of device42.
const DISTURB_ADDRESSES: &str = "
    DELETE FROM device42_ipaddress WHERE label = 'web';
    UPDATE device42_ipaddress SET notes = 'changed' WHERE label = 'mail';
    INSERT INTO device42_ipaddress (ip_address, label) VALUES ('::1', 'new');";

/// A backup must be refused, in these words among others, and leave no backup.
async fn backup_refused(cycle: &Cycle, wanted: &[&str]) -> EngineError {
    let before = cycle.backups().await;
    let refused = cycle.engine.backup(BackupRequest::default(), &Run::new()).await;
    let error = refused.expect_err("the backup must be refused");
    for words_wanted in wanted {
        assert!(words(&error).contains(words_wanted), "{words_wanted:?} in {}", words(&error));
    }
    assert_eq!(cycle.backups().await, before);
    error
}

/// Restore and preview must be refused, in these words among others; no safety backup is made.
async fn restore_refused(cycle: &Cycle, id: &BackupId, wanted: &[&str]) {
    let backups = cycle.backups().await;
    let (before, options) = (cycle.contents().await, RestoreOptions::default());
    let restore = cycle.try_restore(id, &options).await.expect_err("the restore is refused");
    let preview = cycle.engine.preview(id, &options, 1, &Run::new()).await;
    let preview = preview.expect_err("the preview is refused");
    for error in [restore, preview] {
        for words_wanted in wanted {
            assert!(words(&error).contains(words_wanted), "{words_wanted:?} in {}", words(&error));
        }
    }
    assert_same(&cycle.contents().await, &before);
    assert_eq!(cycle.backups().await, backups);
}

/// Sets the search path of the test's database.
async fn search_path(cycle: &Cycle, path: &str) {
    let name = cycle.database.value("SELECT current_database()").await;
    cycle.sql(&format!("ALTER DATABASE {name} SET search_path = {path}")).await;
}
