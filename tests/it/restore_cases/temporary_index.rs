//! Many rows that go, and a table that refers to them without an index: it is lent one.

use ipam_rewind::model::BackupId;

use super::locks::open_transaction;
use super::plan;
use crate::faults::running::until_left_alone;
use crate::support::cycle::{Contents, Cycle, assert_same};

/// A table of associations that is long to scan, and none of which refers to what comes later.
const ASSOCIATIONS: &str = "
    INSERT INTO vpc_prefix_association
    SELECT gen_random_uuid(), '00000000-0000-0000-0000-000000000001',
        ('100.64.0.0'::inet + n)::cidr, true, 'north' FROM generate_series(1, 20000) n";

/// A bad import: rows that a restore removes.
const IMPORT: &str = "
    INSERT INTO vrf (vrf_id) VALUES ('imported');
    INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable)
    SELECT 'imported-' || n, 'imported', ('10.0.0.0'::inet + n)::cidr, 'manual', false
    FROM generate_series(1, 1000) n";

/// A plan with many associations, what it holds, and its backup; then the import came.
async fn imported() -> (Cycle, Contents, BackupId) {
    let cycle = plan().await;
    cycle.sql(ASSOCIATIONS).await;
    let (before, id) = (cycle.contents().await, cycle.backup().await);
    cycle.sql(IMPORT).await;
    (cycle, before, id)
}

async fn lent(cycle: &Cycle) -> String {
    let lent = "SELECT coalesce(string_agg(relname, ' '), '') FROM pg_class
        WHERE relkind = 'i' AND relname LIKE 'ipam\\_rewind\\_%'";
    cycle.database.value(lent).await
}

#[tokio::test]
async fn a_bad_import_goes_without_a_scan_for_each_row_and_the_index_goes_too() {
    let (cycle, before, id) = imported().await;
    let scans = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'vpc_prefix_association'";
    let scanned = async || -> u64 {
        // What a session counted is told when it is over.
        until_left_alone(&cycle.database).await;
        cycle.database.value(scans).await.parse().expect("a number")
    };
    let earlier = scanned().await;
    cycle.restore(&id).await;
    let during = scanned().await - earlier;
    assert!(during < 100, "{during} scans of all associations");
    assert_same(&cycle.contents().await, &before);
    assert_eq!(lent(&cycle).await, "");
}

#[tokio::test]
async fn an_index_that_could_not_be_taken_back_goes_with_the_next_restore() {
    let (cycle, before, id) = imported().await;
    let reader = open_transaction(&cycle, "SELECT FROM vpc_prefix_association").await;
    cycle.restore(&id).await;
    assert_ne!(lent(&cycle).await, "", "a transaction that is older is not waited for");
    // It is in nobody's way, be there however much to do.
    cycle.sql(IMPORT).await;
    cycle.restore(&id).await;
    drop(reader);
    cycle.restore(&id).await;
    assert_eq!(lent(&cycle).await, "");
    assert_same(&cycle.contents().await, &before);
}

#[tokio::test]
async fn a_role_that_may_make_no_index_restores_all_the_same() {
    let (cycle, before, id) = imported().await;
    let closed = "ALTER SCHEMA public OWNER TO postgres; GRANT USAGE ON SCHEMA public TO PUBLIC;
        REVOKE CREATE ON SCHEMA public FROM PUBLIC";
    cycle.database.sql_as_superuser(closed).await;
    cycle.database.try_sql("CREATE TABLE mine ()").await.expect_err("it may not");
    cycle.restore(&id).await;
    assert_same(&cycle.contents().await, &before);
}
