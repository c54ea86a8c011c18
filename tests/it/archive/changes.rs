//! What each backup changed, in numbers; and every changed row, as a file.

use ipam_rewind::engine::{Formulas, Kind, Point, RowForm, Run};
use ipam_rewind::model::RowCounts;

use super::exact::whole;
use crate::support::cycle::Cycle;
use crate::support::program::Program;
use crate::support::{database, sample_database};

#[tokio::test]
async fn a_backup_is_counted_against_the_one_before_it() {
    let cycle = Cycle::new(sample_database().await).await;
    let first = cycle.backup().await;
    cycle.sql("UPDATE vrf SET description = 'new' WHERE vrf_id = 'prod-vrf';
        INSERT INTO vrf VALUES ('lab'); UPDATE prefix SET tags = tags WHERE source = 'vpc' AND vrf_id <> 'public-vrf';
        DELETE FROM vpc_prefix_association").await;
    let second = cycle.backup().await;

    let found = cycle.engine.changes(&first).await.expect("counted");
    let rows = cycle
        .engine
        .details(&first, std::time::Duration::MAX)
        .await
        .expect("details")
        .info
        .datasets;
    assert_eq!(found.before, None);
    assert!(found.datasets.iter().all(|(name, counts)| counts.added == rows[name].rows));

    let found = cycle.engine.changes(&second).await.expect("counted");
    assert_eq!(found.before, Some(first.clone()));
    let vrfs = RowCounts { added: 1, changed: 1, ..RowCounts::default() };
    assert_eq!(found.datasets["vrfs"], vrfs);
    let vpcs = found.datasets["vpcs"];
    assert!(vpcs.touched > 0 && vpcs.changed == vpcs.touched && vpcs.removed > 0);
    assert!(found.datasets["prefixes"].is_zero());

    // Asked again, it is the same, whatever is between them is counted anew.
    let again = cycle.engine.changes(&second).await.expect("counted");
    assert_eq!(again.datasets, found.datasets);
    cycle.engine.delete(&first, &Run::new()).await.expect("deleted");
    assert_eq!(cycle.engine.changes(&second).await.expect("counted").before, None);
}

#[tokio::test]
async fn backups_with_another_key_cannot_be_counted_against_each_other() {
    let cycle = Cycle::new(database().await).await;
    cycle.backup().await;
    cycle
        .sql(
            "ALTER TABLE vpc_prefix_association DROP CONSTRAINT vpc_prefix_association_pkey;
             ALTER TABLE vpc_prefix_association ADD PRIMARY KEY (vpc_id, vpc_prefix_cidr)",
        )
        .await;
    let second = cycle.backup().await;
    let error = cycle.engine.changes(&second).await.expect_err("a misfit");
    assert_eq!(error.kind(), Kind::SchemaMismatch);
}

#[tokio::test]
async fn every_changed_row_is_streamed_as_lines() {
    let cycle = Cycle::new(sample_database().await).await;
    let id = cycle.backup().await;
    cycle.sql("UPDATE prefix SET tags = '{\"a\": \"b,c\"}'; UPDATE vrf SET description = ''").await;
    let [from, to] = [Point::Backup(id.clone()), Point::Live];
    let run = Run::new();
    let report = cycle.engine.diff(&from, &to, usize::MAX, &run).await.expect("a diff");

    let lines = cycle.engine.changed_rows(&from, &to, RowForm::JsonLines, &run).await;
    let lines = whole(lines.expect("lines")).await;
    let expected: Vec<_> =
        report.changes.iter().map(|row| serde_json::to_string(row).expect("plain")).collect();
    let lines = String::from_utf8(lines).expect("text");
    assert!(lines.lines().eq(expected.iter().map(String::as_str)));

    let csv = cycle
        .engine
        .changed_rows(&from, &to, RowForm::Csv(Formulas::Raw), &run)
        .await
        .expect("lines");
    assert_eq!(csv.name, format!("changes-{id}-live.csv"));
    let csv = String::from_utf8(whole(csv).await).expect("text");
    let cells: usize = report.changes.iter().map(|row| row.cells.len()).sum();
    assert_eq!(csv.lines().count(), cells + 1);
    assert!(csv.starts_with("dataset,table,key,change,column,old,new\nvrfs,vrf,"));
    let emptied = csv.lines().filter(|line| line.ends_with(",\"\"")).count();
    assert_eq!(emptied, report.changes.iter().filter(|row| row.table == "vrf").count());
    assert!(csv.contains(r#","{""a"": ""b,c""}""#));
}

#[tokio::test]
async fn the_verb_writes_lines_for_other_programs() {
    let database = database().await;
    let program = Program::on(&database);
    let id = program.backup();
    database.sql("INSERT INTO vrf VALUES ('lab', 'a \"new\" one')").await;
    let csv = program.ok(&["diff", &id, "--format", "csv"]);
    assert!(csv.contains("vrfs,vrf,lab,added,description,,\"a \"\"new\"\" one\"\n"), "{csv}");
    assert_eq!(program.ok(&["diff", &id, "--format", "csv", "--csv-formulas", "escape"]), csv);
    database.sql("INSERT INTO vrf VALUES ('=lab', ' +1')").await;
    let form = |form| program.ok(&["diff", &id, "--format", "csv", "--csv-formulas", form]);
    assert!(form("raw").contains("vrfs,vrf,=lab,added,description,, +1\n"), "{}", form("raw"));
    let escaped = form("escape");
    assert!(escaped.contains("vrfs,vrf,'=lab,added,description,,' +1\n"), "{escaped}");
    database.sql("DELETE FROM vrf WHERE vrf_id = '=lab'").await;
    let lines = program.ok(&["diff", &id, "live", "--format", "jsonl"]);
    let row: serde_json::Value = serde_json::from_str(lines.trim()).expect("one object");
    assert_eq!((&row["key"], &row["kind"]), (&"lab".into(), &"added".into()));
    assert_eq!(program.run(&["diff", &id, "--format", "xml"]).code, 2);
}
