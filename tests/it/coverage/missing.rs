//! A table of the plan that is no table, or not to be seen, is named and never left out in silence.

use ipam_rewind::engine::{BackupRequest, Kind, Point, RestoreOptions, Run};
use ipam_rewind::model::MissingTable;

use super::{DISTURB, backup_refused, search_path};
use crate::restore_cases::{plan, site};
use crate::support::cycle::Cycle;

/// What a backup of this site says that it lacks.
async fn lacking(cycle: &Cycle) -> Vec<String> {
    let id = cycle.backup().await;
    let details = cycle.engine.details(&id, std::time::Duration::MAX).await.expect("it is there");
    let lacking = details.info.missing_tables;
    let listed = cycle.engine.list().await.expect("listed").backups[0].info.missing_tables.clone();
    assert_eq!(listed, lacking);
    lacking.iter().map(ToString::to_string).collect()
}

const ASIDE: &str = "ALTER TABLE device42_ipaddress RENAME TO aside;";

#[tokio::test]
async fn missing_table_is_named_with_the_reason() {
    let cases = [
        ("DROP TABLE device42_ipaddress", "not there"),
        (
            "CREATE VIEW device42_ipaddress AS SELECT * FROM aside",
            "\"public\".\"device42_ipaddress\" is a view",
        ),
        (
            "CREATE MATERIALIZED VIEW device42_ipaddress AS SELECT * FROM aside",
            "\"public\".\"device42_ipaddress\" is a materialized view",
        ),
        (
            "CREATE SCHEMA far; ALTER TABLE aside SET SCHEMA far;
             ALTER TABLE far.aside RENAME TO device42_ipaddress",
            "in schema \"far\", outside of the search path",
        ),
    ];
    for (change, reason) in cases {
        let aside = if change.starts_with("DROP") { "" } else { ASIDE };
        let cycle = site(&format!("{aside} {change}")).await;
        assert_eq!(lacking(&cycle).await, [format!("device42_ipaddress: {reason}")]);
    }
}

#[tokio::test]
async fn foreign_table_in_place_of_a_table_is_named() {
    let cycle = plan().await;
    cycle
        .database
        .sql_as_superuser(
            "ALTER TABLE device42_ipaddress RENAME TO aside;
             CREATE FOREIGN DATA WRAPPER far; CREATE SERVER far FOREIGN DATA WRAPPER far;
             CREATE FOREIGN TABLE device42_ipaddress (id int) SERVER far",
        )
        .await;
    let lacks = "device42_ipaddress: \"public\".\"device42_ipaddress\" is a foreign table";
    assert_eq!(lacking(&cycle).await, [lacks]);
}

#[tokio::test]
async fn table_in_a_schema_that_the_role_may_not_use_is_named() {
    let cycle = plan().await;
    cycle
        .database
        .sql_as_superuser("CREATE SCHEMA closed; ALTER TABLE device42_ipaddress SET SCHEMA closed")
        .await;
    search_path(&cycle, "public, closed").await;
    let lacks = "device42_ipaddress: in schema \"closed\", which this role may not use";
    assert_eq!(lacking(&cycle).await, [lacks]);
}

#[tokio::test]
async fn view_in_place_of_a_table_that_no_site_lacks_is_refused() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    cycle
        .sql(
            "ALTER TABLE vpc_prefix_association RENAME TO aside;
             CREATE VIEW vpc_prefix_association AS SELECT * FROM aside",
        )
        .await;
    let wanted = ["vpc_prefix_association: \"public\".\"vpc_prefix_association\" is a view"];
    backup_refused(&cycle, &wanted).await;
    super::restore_refused(&cycle, &id, &wanted).await;
}

#[tokio::test]
async fn table_that_the_backup_before_had_is_not_left_out_unless_told_so() {
    let cycle = plan().await;
    cycle.backup().await;
    cycle.sql("DROP TABLE device42_ipaddress").await;
    let wanted = ["device42_ipaddress: not there", "the backup before has it"];
    let error = backup_refused(&cycle, &wanted).await;
    assert_eq!(error.kind(), Kind::SchemaMismatch);
    assert!(error.hint().is_some_and(|hint| hint.contains("--allow-missing-tables")));
    let told = BackupRequest { allow_missing_tables: true, ..BackupRequest::default() };
    let made = cycle.engine.backup(told, &Run::new()).await.expect("told so");
    let lacks: Vec<_> = made.backup_info.missing_tables.iter().map(ToString::to_string).collect();
    assert_eq!(lacks, ["device42_ipaddress: not there"]);
    cycle.survives(DISTURB).await;
}

#[tokio::test]
async fn comparison_and_preview_name_a_table_that_they_do_not_cover() {
    let cycle = site("DROP TABLE device42_ipaddress").await;
    let id = cycle.backup().await;
    let lacks =
        |tables: &[MissingTable]| tables.iter().map(ToString::to_string).collect::<Vec<_>>();
    let wanted = ["device42_ipaddress: not there"];
    let seen = cycle.preview(&id, &RestoreOptions::default()).await;
    assert_eq!(lacks(&seen.missing_tables), wanted);
    let diff = cycle.diff(Point::Backup(id), Point::Live).await;
    assert_eq!(
        (diff.identical, lacks(&diff.missing_tables)),
        (true, wanted.map(String::from).into())
    );
}
