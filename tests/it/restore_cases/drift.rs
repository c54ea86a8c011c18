//! Columns that were added, dropped or altered since the backup.

use ipam_rewind::engine::{EngineError, Kind, Point, RestoreOptions, RowForm, Run, Selection};

use super::plan;
use crate::support::cycle::{Cycle, assert_same, words};

fn allowing() -> RestoreOptions {
    RestoreOptions { allow_schema_drift: true, ..RestoreOptions::default() }
}

fn only(dataset: &str) -> RestoreOptions {
    let selection = Selection { datasets: vec![dataset.into()], ..Selection::default() };
    RestoreOptions { selection, ..RestoreOptions::default() }
}

const DISTURB: &str = "
    DELETE FROM prefix WHERE prefix_id IN ('north-a', 'six');
    UPDATE prefix SET tags = '{\"changed\": 1}' WHERE prefix_id LIKE 'south%';
    INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable)
        VALUES ('new', 'lab', '192.0.2.0/24', 'manual', true);";

/// The rows of prefix without the column that was added.
const ROWS: &str =
    "SELECT string_agg((to_jsonb(p) - 'note')::text, ' ' ORDER BY prefix_id) FROM prefix p";

async fn notes(cycle: &Cycle) -> String {
    let query =
        "SELECT string_agg(prefix_id || '=' || coalesce(note, 'null'), ' ' ORDER BY prefix_id)
        FROM prefix WHERE prefix_id IN ('lab', 'north-a', 'six', 'south', 'south-a')";
    cycle.database.value(query).await
}

#[tokio::test]
async fn added_nullable_column_is_null_in_rows_that_come_back_and_kept_in_others() {
    let cycle = plan().await;
    let before = cycle.database.value(ROWS).await;
    let id = cycle.backup().await;
    cycle.sql("ALTER TABLE prefix ADD note text; UPDATE prefix SET note = prefix_id").await;
    cycle.sql(DISTURB).await;
    let disturbed = cycle.contents().await;

    let error = cycle.refuses(&id, &RestoreOptions::default()).await;
    assert_eq!(error.kind(), Kind::SchemaMismatch, "{}", words(&error));
    assert!(words(&error).contains("prefix.note is new"), "{}", words(&error));
    assert!(error.hint().is_some_and(|hint| hint.contains("--allow-schema-drift")));

    let said =
        "prefix.note was added since: rows that come back get null; the others keep what they have";
    assert_eq!(cycle.preview(&id, &allowing()).await.schema_drift, [said]);
    let restored = cycle.restore_with(&id, &allowing()).await;
    assert_eq!(restored.restore_results.schema_drift, [said]);
    assert_eq!(cycle.database.value(ROWS).await, before);
    assert_eq!(notes(&cycle).await, "lab=lab north-a=null six=null south=south south-a=south-a");
    cycle.undo(&restored).await;
    assert_same(&cycle.contents().await, &disturbed);
}

#[tokio::test]
async fn added_column_with_a_default_takes_it_in_rows_that_come_back() {
    let cycle = plan().await;
    let before = cycle.database.value(ROWS).await;
    let id = cycle.backup().await;
    cycle.sql("ALTER TABLE prefix ADD note text NOT NULL DEFAULT 'none', ADD UNIQUE (prefix_id, note)").await;
    cycle.sql("UPDATE prefix SET note = 'mine' WHERE prefix_id = 'south'").await;
    cycle.sql(DISTURB).await;
    let preview = cycle.preview(&id, &allowing()).await;
    assert!(
        preview.schema_drift[0].contains("get its default, 'none'::text"),
        "{:?}",
        preview.schema_drift
    );
    cycle.restore_with(&id, &allowing()).await;
    assert_eq!(cycle.database.value(ROWS).await, before);
    assert_eq!(notes(&cycle).await, "lab=none north-a=none six=none south=mine south-a=none");
}

#[tokio::test]
async fn row_that_is_made_anew_keeps_what_stands_in_an_added_column() {
    let cycle = plan().await;
    let before = cycle.database.value(ROWS).await;
    let id = cycle.backup().await;
    cycle.sql("ALTER TABLE prefix ADD note text; UPDATE prefix SET note = prefix_id").await;
    // A unique value goes round: these rows, and those below them, cannot be updated in place.
    cycle
        .sql(
            "ALTER TABLE prefix DISABLE TRIGGER USER;
             UPDATE prefix SET cidr = '10.99.0.0/16' WHERE prefix_id = 'north';
             UPDATE prefix SET cidr = '10.1.0.0/16' WHERE prefix_id = 'south';
             UPDATE prefix SET cidr = '10.2.0.0/16' WHERE prefix_id = 'north';
             ALTER TABLE prefix ENABLE TRIGGER USER",
        )
        .await;
    cycle.restore_with(&id, &allowing()).await;
    assert_eq!(cycle.database.value(ROWS).await, before);
    let changed = "SELECT count(*) FROM prefix WHERE note IS DISTINCT FROM prefix_id";
    assert_eq!(cycle.database.value(changed).await, "0");
}

#[tokio::test]
async fn datasets_without_the_altered_table_are_restored_without_a_flag() {
    for alter in [
        "ALTER TABLE prefix ADD note text",
        "ALTER TABLE prefix DROP indentation_level CASCADE",
        "ALTER TABLE prefix ADD note text NOT NULL DEFAULT ''; ALTER TABLE prefix ALTER note DROP DEFAULT",
        "ALTER TABLE device42_ipaddress RENAME TO aside",
    ] {
        let cycle = plan().await;
        let id = cycle.backup().await;
        let vrfs = "SELECT string_agg(vrf::text, ' ' ORDER BY vrf_id) FROM vrf";
        let before = cycle.database.value(vrfs).await;
        cycle.sql("DROP VIEW prefix_tree").await;
        cycle.sql(alter).await;
        cycle
            .sql("UPDATE vrf SET description = 'changed'; INSERT INTO vrf (vrf_id) VALUES ('new')")
            .await;
        let others = "SELECT string_agg(prefix::text, ' ' ORDER BY prefix_id) FROM prefix";
        let rest = cycle.database.value(others).await;
        let preview = cycle.preview(&id, &only("vrfs")).await;
        assert_eq!(preview.datasets["vrfs"].deleted, 1, "{alter}");
        cycle.restore_with(&id, &only("vrfs")).await;
        assert_eq!(cycle.database.value(vrfs).await, before, "{alter}");
        assert_eq!(cycle.database.value(others).await, rest, "{alter}");
        let error = cycle.refuses(&id, &RestoreOptions::default()).await;
        assert_eq!(error.kind(), Kind::SchemaMismatch, "{}", words(&error));
    }
}

#[tokio::test]
async fn rows_of_an_altered_table_that_refer_to_what_would_go_are_named() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    cycle
        .sql(
            "ALTER TABLE prefix ADD note text; INSERT INTO vrf (vrf_id) VALUES ('new');
             INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable, note)
                 VALUES ('new', 'new', '192.0.2.0/24', 'manual', true, 'mine')",
        )
        .await;
    let error = cycle.refuses(&id, &only("vrfs")).await;
    assert_eq!(error.kind(), Kind::InTheWay, "{}", words(&error));
    assert!(words(&error).contains("1 in prefix by"), "{}", words(&error));
}

#[tokio::test]
async fn part_with_an_added_column_is_restored_where_that_is_allowed() {
    let cycle = plan().await;
    // The others' times of the last touch stay as they are.
    let rows = &format!("{ROWS} WHERE source = 'manual' AND vrf_id <> 'public-vrf'");
    let before = cycle.database.value(rows).await;
    let id = cycle.backup().await;
    cycle.sql("ALTER TABLE prefix ADD note text; UPDATE prefix SET note = prefix_id").await;
    cycle.sql(DISTURB).await;
    let options = RestoreOptions { allow_schema_drift: true, ..only("prefixes") };
    let error = cycle.refuses(&id, &only("prefixes")).await;
    assert_eq!(error.kind(), Kind::SchemaMismatch, "{}", words(&error));
    cycle.restore_with(&id, &options).await;
    assert_eq!(cycle.database.value(rows).await, before);
    assert_eq!(notes(&cycle).await, "lab=lab north-a=null six=null south=south south-a=south-a");
}

#[tokio::test]
async fn columns_that_cannot_be_restored_are_refused_even_where_drift_is_allowed() {
    for (alter, named) in [
        ("ALTER TABLE vrf DROP description", "vrf.description is missing"),
        ("ALTER TABLE vrf RENAME description TO words", "vrf.description is missing"),
        (
            "ALTER TABLE vrf ALTER description TYPE varchar(99)",
            "vrf.description is character varying(99), but was text",
        ),
        (
            "ALTER TABLE vrf ADD n int NOT NULL DEFAULT 1; ALTER TABLE vrf ALTER n DROP DEFAULT",
            "vrf.n is new",
        ),
        ("ALTER TABLE vrf ADD n int GENERATED ALWAYS AS IDENTITY", "vrf.n is new"),
        ("ALTER TABLE vrf ADD first text REFERENCES prefix", "vrf.first is new"),
    ] {
        let cycle = plan().await;
        let id = cycle.backup().await;
        cycle.sql(alter).await;
        let error = cycle.refuses(&id, &allowing()).await;
        assert_eq!(error.kind(), Kind::SchemaMismatch, "{}", words(&error));
        assert!(words(&error).contains(named), "{alter}: {}", words(&error));
        let EngineError::Misfit { allowable, .. } = error else { panic!("{}", words(&error)) };
        assert!(!allowable, "{alter}");
    }
}

#[tokio::test]
async fn backups_are_compared_over_the_columns_that_both_have() {
    let cycle = plan().await;
    let first = cycle.backup().await;
    cycle.sql("DROP VIEW prefix_tree").await;
    cycle
        .sql(
            "ALTER TABLE prefix ADD note text; ALTER TABLE vrf DROP routable_flag;
             ALTER TABLE vpc ALTER region TYPE varchar(40);
             UPDATE prefix SET note = 'x'; UPDATE vrf SET description = 'changed' WHERE vrf_id = 'lab'",
        )
        .await;
    let second = cycle.backup().await;
    let left_out = [
        "vrf.routable_flag is in the first alone",
        "vpc.region is text in the first, character varying(40) in the second",
        "prefix.note is in the second alone",
    ];
    for to in [Point::Backup(second.clone()), Point::Live] {
        let report = cycle.diff(Point::Backup(first.clone()), to.clone()).await;
        assert_eq!(report.left_out, left_out);
        assert!(!report.identical);
        // The time of the last touch is set by a trigger of prefix.
        let changed: Vec<_> =
            report.datasets.values().map(|counts| counts.changed - counts.touched).collect();
        assert_eq!(changed.iter().sum::<u64>(), 1, "{:?}", report.datasets);
        let other_way = cycle.diff(to, Point::Backup(first.clone())).await;
        assert_eq!(other_way.left_out.len(), 3);
    }
    let counted = cycle.engine.changes(&second).await.expect("counted over what both have");
    assert_eq!(counted.datasets["vrfs"].changed, 1);
    let (from, to) = (Point::Backup(first), Point::Backup(second));
    let lines = cycle.engine.changed_rows(&from, &to, RowForm::JsonLines, &Run::new()).await;
    lines.expect("it begins");
}
