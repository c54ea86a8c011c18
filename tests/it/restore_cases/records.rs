//! Records of requests that stand beside the rows: they go with what is undone, as announced, and come
//! back with the undo.

use ipam_rewind::engine::{OtherRows, RestoreOptions, Run};
use ipam_rewind::model::{BackupId, Policy};
use ipam_rewind::postgres::Selection;

use super::{plan, site};
use crate::archive::exact::{archive, import};
use crate::support::cycle::{Cycle, assert_same, words};
use crate::support::program::Program;

/// A record of a request that told this answer.
fn record(id: &str, made: &str, answer: &str) -> String {
    format!(
        "INSERT INTO idempotency_record (request_id, endpoint, method, request_params, response_data,
             status_code, created_at, expires_at)
         VALUES ('{id}', '/api/prefixes', 'POST', '{{\"dry\": false}}', '{answer}', 201, {made},
             now() + interval '1 day');"
    )
}

async fn left(cycle: &Cycle) -> String {
    let left = "SELECT coalesce(string_agg(request_id, ' ' ORDER BY request_id), '')
        FROM idempotency_record";
    cycle.database.value(left).await
}

fn rows(removed: u64, inserted: u64) -> Vec<OtherRows> {
    vec![OtherRows { table: "idempotency_record".into(), removed, inserted }]
}

fn part(dataset: &str) -> RestoreOptions {
    let selection = Selection { datasets: vec![dataset.into()], scope: None };
    RestoreOptions { selection, ..RestoreOptions::default() }
}

/// Previews and restores: both must tell the same of other rows. The safety backup's id.
async fn restored(
    cycle: &Cycle,
    id: &BackupId,
    options: &RestoreOptions,
    said: &[OtherRows],
) -> BackupId {
    let before = cycle.contents().await;
    let seen = cycle.preview(id, options).await;
    assert_eq!(seen.other_rows, said, "the preview");
    assert_same(&cycle.contents().await, &before);
    let done = cycle.restore_with(id, options).await.restore_results;
    assert_eq!(done.other_rows, said, "the restore");
    done.safety_backup.expect("a safety backup")
}

#[tokio::test]
async fn records_of_undone_requests_are_announced_removed_and_brought_back_by_the_undo() {
    let cycle = plan().await;
    let all = RestoreOptions::default();
    cycle.sql(&record("old", "now() - interval '1 hour'", "{}")).await;
    cycle.sql("INSERT INTO idempotency_record (request_id) VALUES ('timeless')").await;
    let before = cycle.contents().await;
    let id = cycle.backup().await;
    cycle.sql("INSERT INTO vrf (vrf_id) VALUES ('new')").await;
    for n in 0..300 {
        cycle
            .sql(&record(&format!("new {n}"), "now()", r#"{"a": "tab \\t and \\\\", "b": [1.50]}"#))
            .await;
    }
    let disturbed = cycle.contents().await;

    let safety = restored(&cycle, &id, &all, &rows(300, 0)).await;
    assert_eq!(left(&cycle).await, "old timeless");
    assert_same(&cycle.contents().await, &before);
    // What a sweep removes is not what the safety backup holds.
    let everything = Policy { last: 100, ..Policy::default() };
    let swept = cycle.engine.cleanup(&everything, false, &Run::new()).await;
    assert!(swept.unwrap_or_else(|error| panic!("{}", words(&error))).deleted.is_empty());
    let seen = cycle.engine.verify(&[], &Run::new()).await.expect("verified");
    assert!(seen.is_intact(), "{seen:?}");
    let again = restored(&cycle, &safety, &all, &rows(0, 300)).await;
    assert_same(&cycle.contents().await, &disturbed);
    // And back: the records that came back are newer than that state, whatever their time says.
    restored(&cycle, &again, &all, &rows(300, 0)).await;
    assert_same(&cycle.contents().await, &before);
    restored(&cycle, &again, &all, &[]).await;
}

#[tokio::test]
async fn restore_that_changes_no_row_leaves_every_record() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    cycle.sql(&record("new", "now()", "{}")).await;
    restored(&cycle, &id, &RestoreOptions::default(), &[]).await;
    cycle.sql("INSERT INTO vrf (vrf_id) VALUES ('new')").await;
    restored(&cycle, &id, &part("prefixes"), &[]).await;
    assert_eq!(left(&cycle).await, "new");
}

#[tokio::test]
async fn restore_of_a_part_removes_the_records_of_its_rows_alone() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    let create = |id: &str| format!("INSERT INTO vrf (vrf_id) VALUES ('{id}');");
    cycle.sql(&create("one")).await;
    cycle.sql(&record("tells one", "now()", r#"{"data": [{"vrf_id": "one"}]}"#)).await;
    cycle.sql(&(create("two") + &record("with two", "now()", "null"))).await;
    cycle.sql(&(create("three") + "DELETE FROM prefix WHERE prefix_id = 'six';")).await;
    let by_path = "INSERT INTO idempotency_record (request_id, endpoint, created_at)
        VALUES ('path of three', '/api/vrfs/three?x=1', now())";
    cycle.sql(by_path).await;
    cycle.sql(&record("tells six", "now()", r#"{"prefix_id": "six"}"#)).await;
    cycle.sql(&record("tells nothing", "now()", r#"{"one-more": "onetwo"}"#)).await;
    let disturbed = cycle.contents().await;

    let safety = restored(&cycle, &id, &part("vrfs"), &rows(3, 0)).await;
    assert_eq!(left(&cycle).await, "tells nothing tells six");
    restored(&cycle, &safety, &RestoreOptions::default(), &rows(0, 3)).await;
    assert_same(&cycle.contents().await, &disturbed);
    restored(&cycle, &id, &part("prefixes"), &rows(1, 0)).await;
    assert_eq!(left(&cycle).await, "path of three tells nothing tells one with two");
}

#[tokio::test]
async fn record_of_a_transaction_that_was_open_during_the_backup_goes_with_its_rows() {
    let cycle = plan().await;
    let mut writer = super::locks::open_transaction(
        &cycle,
        "INSERT INTO vrf (vrf_id) VALUES ('late');
        INSERT INTO idempotency_record (request_id, created_at) VALUES ('late', now())",
    )
    .await;
    let id = cycle.backup().await;
    sqlx::raw_sql("COMMIT").execute(&mut writer).await.expect("it commits");
    assert_eq!(left(&cycle).await, "late");
    let safety = restored(&cycle, &id, &RestoreOptions::default(), &rows(1, 0)).await;
    assert_eq!(left(&cycle).await, "");
    restored(&cycle, &safety, &RestoreOptions::default(), &rows(0, 1)).await;
    assert_eq!(left(&cycle).await, "late");
}

#[tokio::test]
async fn record_that_is_there_again_is_not_brought_back_twice() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    cycle
        .sql(
            &("INSERT INTO vrf (vrf_id) VALUES ('new');".to_owned() + &record("new", "now()", "1")),
        )
        .await;
    let disturbed = cycle.contents().await;
    let safety = restored(&cycle, &id, &RestoreOptions::default(), &rows(1, 0)).await;
    // The request came again, and its rows are undone in turn.
    cycle
        .sql(
            &("INSERT INTO vrf (vrf_id) VALUES ('other');".to_owned()
                + &record("new", "now()", "2")),
        )
        .await;
    restored(&cycle, &safety, &RestoreOptions::default(), &rows(1, 1)).await;
    assert_same(&cycle.contents().await, &disturbed);
    cycle.sql("DELETE FROM idempotency_record").await;
    restored(&cycle, &safety, &RestoreOptions::default(), &rows(0, 1)).await;
    assert_same(&cycle.contents().await, &disturbed);
}

#[tokio::test]
async fn triggers_of_the_records_do_not_fire_and_rows_that_refer_to_them_are_named() {
    let cycle = site(
        "CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN RAISE EXCEPTION 'not with me'; END $$;
         CREATE TRIGGER forbids AFTER DELETE ON idempotency_record
             FOR EACH STATEMENT EXECUTE FUNCTION forbid();
         CREATE TABLE audit (id int PRIMARY KEY,
             request text CONSTRAINT about REFERENCES idempotency_record)",
    )
    .await;
    let id = cycle.backup().await;
    cycle
        .sql(
            &("INSERT INTO vrf (vrf_id) VALUES ('new');".to_owned() + &record("new", "now()", "1")),
        )
        .await;
    let triggers = cycle.contents().await["triggers"].clone();
    cycle.sql("INSERT INTO audit VALUES (1, 'new')").await;
    let error = cycle.refuses(&id, &RestoreOptions::default()).await;
    assert!(words(&error).contains("1 in audit by about"), "{}", words(&error));
    cycle.sql("DELETE FROM audit").await;
    restored(&cycle, &id, &RestoreOptions::default(), &rows(1, 0)).await;
    assert_eq!(cycle.contents().await["triggers"], triggers);
}

#[tokio::test]
async fn safety_backup_keeps_its_records_through_export_and_import() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    cycle
        .sql(
            &("INSERT INTO vrf (vrf_id) VALUES ('new');".to_owned()
                + &record("new", "now()", "[null]")),
        )
        .await;
    let disturbed = cycle.contents().await;
    let safety = restored(&cycle, &id, &RestoreOptions::default(), &rows(1, 0)).await;

    let archive = archive(&cycle, &safety).await;
    let text = String::from_utf8_lossy(&archive).into_owned();
    assert!(text.contains(&format!("{safety}/idempotency_records_export_{safety}.json")));
    let elsewhere = cycle.elsewhere().await;
    let imported = import(&elsewhere, &archive).await.backup_id;
    restored(&elsewhere, &imported, &RestoreOptions::default(), &rows(0, 1)).await;
    assert_same(&elsewhere.contents().await, &disturbed);
}

#[tokio::test]
async fn table_of_records_without_a_key_or_a_time_is_left_alone_or_told_by_transactions() {
    let keyless =
        site("ALTER TABLE idempotency_record DROP CONSTRAINT idempotency_record_pkey").await;
    let timeless = site("ALTER TABLE idempotency_record DROP created_at").await;
    for (cycle, said) in [(keyless, vec![]), (timeless, rows(1, 0))] {
        let id = cycle.backup().await;
        cycle
            .sql(
                "INSERT INTO vrf (vrf_id) VALUES ('new');
            INSERT INTO idempotency_record (request_id) VALUES ('new')",
            )
            .await;
        restored(&cycle, &id, &RestoreOptions::default(), &said).await;
    }
}

#[tokio::test]
async fn command_says_how_many_records_go_before_and_after() {
    let cycle = plan().await;
    let program = Program::on(&cycle.database);
    let id = program.backup();
    cycle
        .sql(
            &("INSERT INTO vrf (vrf_id) VALUES ('new');".to_owned() + &record("new", "now()", "1")),
        )
        .await;
    let dry = program.ok(&["restore", &id, "--dry-run"]);
    assert!(dry.contains("1 record of idempotency_record would be removed"), "{dry}");
    let done = program.json(&["restore", &id, "--yes"]);
    let other = serde_json::json!([{"table": "idempotency_record", "removed": 1, "inserted": 0}]);
    assert_eq!(done["restore_results"]["other_rows"], other);
    let safety = done["restore_results"]["safety_backup"].as_str().expect("an id").to_owned();
    let undone = program.ok(&["restore", &safety, "--yes"]);
    assert!(undone.contains("1 record of idempotency_record were brought back"), "{undone}");
}
