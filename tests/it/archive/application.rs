//! Backups of the application as sites hold them: what their thin rows do not say is worked out as the
//! application would, and what they do not hold is not covered.

use std::fs;
use std::path::Path;

use chrono::{TimeZone as _, Utc};
use ipam_rewind::engine::{
    EngineError, ImportOptions, Imported, Kind, Point, RestoreOptions, Run, Selection, TimeZone,
};
use serde_json::{Value, json};

use super::exact::{archive, import};
use crate::support::cycle::{Cycle, changed, words};
use crate::support::program::Program;
use crate::support::{database, sample_database};

/// The rows of the files of a site.
#[derive(Clone)]
pub struct Files {
    pub id: &'static str,
    pub vrfs: Value,
    pub prefixes: Value,
    pub vpcs: Value,
    pub associations: Value,
    pub subnets: Value,
    pub public: Value,
}

/// A VRF as the files have it.
pub fn vrf(id: &str) -> Value {
    json!({"vrf_id": id, "description": null, "tags": {}, "routable_flag": true,
        "is_default": id == "prod-vrf"})
}

/// A prefix entered by hand, without a parent.
pub fn prefix(vrf: &str, cidr: &str) -> Value {
    json!({"vrf_id": vrf, "cidr": cidr, "tags": {}, "routable": true, "vpc_children_type_flag": false})
}

/// The same below another one.
pub fn below(parent: &str, vrf: &str, cidr: &str) -> Value {
    let mut row = prefix(vrf, cidr);
    row["parent_prefix_id"] = parent.into();
    row
}

pub fn vpc(account: &str, name: &str) -> Value {
    json!({"description": null, "provider": "aws", "provider_account_id": account,
        "provider_vpc_id": name, "region": null, "tags": {}})
}

fn block(vpc: &str, cidr: &str, routable: bool, parent: &str) -> Value {
    json!({"vpc_provider_vpc_id": vpc, "vpc_prefix_cidr": cidr, "routable": routable,
        "parent_prefix_id": parent})
}

fn subnet(vpc: &str, cidr: &str, name: &str) -> Value {
    json!({"vpc_provider_vpc_id": vpc, "subnet_cidr": cidr, "tags": {"Name": name}})
}

const TEN: &str = "manual-prod-vrf-10-0-0-0-8";

impl Files {
    /// Two VRFs and a prefix.
    pub fn small() -> Self {
        Self {
            id: "20240611_081500",
            vrfs: json!([vrf("prod-vrf"), vrf("public-vrf")]),
            prefixes: json!([prefix("prod-vrf", "10.0.0.0/8")]),
            vpcs: json!([]),
            associations: json!([]),
            subnets: json!([]),
            public: json!([]),
        }
    }

    /// The dataset files by the beginnings of their names.
    pub fn datasets(&self) -> [(&'static str, Value); 4] {
        [
            ("vrfs", json!({"vrfs": self.vrfs})),
            ("manual_prefixes", json!({"prefixes": self.prefixes})),
            (
                "vpc_data",
                json!({"vpcs": self.vpcs, "vpc_associations": self.associations,
                    "vpc_subnets": self.subnets}),
            ),
            ("public_ips", json!({"public_ips": self.public})),
        ]
    }

    /// Writes a backup of the application, without these files.
    pub fn write_without(&self, left_out: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let id = self.id;
        let mut named = serde_json::Map::new();
        for (stem, content) in self.datasets() {
            if left_out.contains(&stem) {
                continue;
            }
            let name = format!("{stem}_export_{id}.json");
            fs::write(folder.path().join(&name), content.to_string()).expect("written");
            named.insert(stem.into(), format!("/app/backups/{id}/{name}").into());
        }
        let (day, time) = id.split_once('_').expect("an id");
        let shown = format!(
            "{}-{}-{}T{}:{}:{}",
            &day[..4],
            &day[4..6],
            &day[6..],
            &time[..2],
            &time[2..4],
            &time[4..]
        );
        let info = json!({"backup_id": id, "timestamp": shown, "description": "old",
            "created_by": "system", "backup_type": "full", "files": named});
        fs::write(folder.path().join("backup_info.json"), info.to_string()).expect("written");
        folder
    }

    pub fn write(&self) -> tempfile::TempDir {
        self.write_without(&[])
    }
}

pub async fn take(cycle: &Cycle, folder: &Path) -> Imported {
    let imported = cycle.engine.import_folder(folder, &Run::new()).await;
    imported.unwrap_or_else(|error| panic!("import: {}", words(&error)))
}

async fn refused(cycle: &Cycle, folder: &Path) -> String {
    let before = cycle.backups().await;
    let error = cycle.engine.import_folder(folder, &Run::new()).await.expect_err("refused");
    assert_eq!(error.kind(), Kind::MalformedArchive, "{}", words(&error));
    assert_eq!(cycle.backups().await, before);
    words(&error)
}

/// Imports files into a database, and restores what was made of them.
async fn restored(cycle: &Cycle, files: &Files) -> Imported {
    let imported = take(cycle, files.write().path()).await;
    cycle.restore(&imported.backup_id).await;
    imported
}

/// Every row of a query on a line.
async fn rows(cycle: &Cycle, query: &str) -> String {
    let text = format!(
        "SELECT string_agg(line, E'\\n' ORDER BY line COLLATE \"C\") FROM (
         SELECT concat_ws(' ', VARIADIC ARRAY(SELECT value FROM jsonb_each_text(to_jsonb(x)))) AS line
         FROM ({query}) x) x"
    );
    cycle.database.value(&text).await
}

#[tokio::test]
async fn subnet_of_a_block_that_is_not_routable_is_in_the_vrf_of_its_vpc() {
    let cycle = Cycle::new(database().await).await;
    let own = |account: &str, vpc: &str| format!("aws_{account}_{vpc}");
    let files = Files {
        vrfs: json!([
            vrf("prod-vrf"),
            vrf("public-vrf"),
            vrf(&own("111", "vpc-a")),
            vrf(&own("222", "vpc-b")),
            vrf("azure_unknown_net-c")
        ]),
        vpcs: json!([
            vpc("111", "vpc-a"),
            vpc("222", "vpc-b"),
            {"provider": "azure", "provider_account_id": null, "provider_vpc_id": "net-c", "tags": {}}
        ]),
        associations: json!([
            block("vpc-a", "10.1.0.0/16", false, TEN),
            block("vpc-b", "10.1.0.0/16", false, TEN),
            block("vpc-b", "10.1.9.0/24", true, TEN),
            block("net-c", "10.1.0.0/16", false, TEN)
        ]),
        subnets: json!([
            subnet("vpc-a", "10.1.1.0/24", "a"),
            subnet("vpc-b", "10.1.1.0/24", "b"),
            subnet("vpc-b", "10.1.9.0/26", "routable"),
            subnet("net-c", "10.1.1.0/24", "c"),
            subnet("net-c", "192.168.0.0/24", "no block")
        ]),
        ..Files::small()
    };
    restored(&cycle, &files).await;
    let placed =
        "SELECT tags ->> 'Name' AS a, vrf_id AS b, routable AS c FROM prefix WHERE source = 'vpc'";
    let expected = [
        "a aws_111_vpc-a false",
        "b aws_222_vpc-b false",
        "c azure_unknown_net-c false",
        "no block prod-vrf true",
        "routable prod-vrf true",
    ];
    assert_eq!(rows(&cycle, placed).await, expected.join("\n"));
    // What the database has now does not change where a subnet was.
    cycle
        .sql("UPDATE prefix SET vrf_id = 'prod-vrf', routable = true WHERE tags ->> 'Name' = 'a'")
        .await;
    let again = take(&cycle.elsewhere().await, files.write().path()).await;
    let told = again.notes.join("\n");
    assert!(told.contains("1 subnets are in another VRF in the database"), "{told}");
}

#[tokio::test]
async fn rows_that_could_not_be_restored_are_refused_with_the_rule_that_they_break() {
    let cycle = Cycle::new(database().await).await;
    let twins = Files {
        vpcs: json!([vpc("111", "vpc-a"), vpc("222", "vpc-b")]),
        associations: json!([
            block("vpc-a", "10.1.0.0/16", false, TEN),
            block("vpc-b", "10.1.0.0/16", false, TEN)
        ]),
        subnets: json!([subnet("vpc-a", "10.1.1.0/24", "a"), subnet("vpc-b", "10.1.1.0/24", "b")]),
        ..Files::small()
    };
    let why = refused(&cycle, twins.write().path()).await;
    assert!(why.contains("1 pairs of rows of prefix have the same (vrf_id, cidr): "), "{why}");
    let vrfs = Files { vrfs: json!([vrf("prod-vrf"), vrf("prod-vrf")]), ..Files::small() };
    let why = refused(&cycle, vrfs.write().path()).await;
    assert!(why.contains("1 rows of vrf have the same key: prod-vrf"), "{why}");
    let sites = [
        (
            "ALTER TABLE prefix ADD CONSTRAINT short CHECK (masklen(cidr) > 8)",
            "break the check short",
        ),
        (
            "ALTER TABLE prefix ADD owner text; ALTER TABLE prefix ALTER owner SET NOT NULL",
            "break the rule that owner is not null: manual-prod-vrf-10-0-0-0-8",
        ),
        (
            "CREATE UNIQUE INDEX ON prefix ((masklen(cidr))) WHERE routable",
            "have the same (masklen(cidr::inet))",
        ),
        ("ALTER TABLE prefix ADD sister text DEFAULT 'x' REFERENCES prefix", "prefix_sister_fkey"),
    ];
    for (site, why) in sites {
        let cycle = Cycle::new(database().await).await;
        cycle.sql(site).await;
        let two = json!([prefix("prod-vrf", "10.0.0.0/8"), prefix("prod-vrf", "11.0.0.0/8")]);
        let files = Files { prefixes: two, ..Files::small() };
        let found = refused(&cycle, files.write().path()).await;
        assert!(found.contains(why), "wanted {why:?}, got {found:?}");
    }
}

#[tokio::test]
async fn prefix_has_the_id_by_which_the_files_name_it() {
    let cycle = Cycle::new(database().await).await;
    let files = Files {
        vrfs: json!([vrf("prod-vrf"), vrf("public-vrf"), vrf("lab")]),
        prefixes: json!([
            prefix("prod-vrf", "10.0.0.0/8"),
            prefix("public-vrf", "203.0.113.0/24"),
            below("manual-public-vrf-203-0-113-0-24", "public-vrf", "203.0.113.64/28"),
            prefix("public-vrf", "198.51.100.7/32"),
            prefix("lab", "172.16.0.0/12"),
            below("0815", "lab", "172.16.1.0/24"),
            below(
                "0b9f7b0e-6a6c-4c7f-9a52-3f6f2f0e8f11-subnet-10.1.1.0-24",
                "prod-vrf",
                "10.1.1.0/28"
            ),
        ]),
        vpcs: json!([vpc("111", "vpc-a")]),
        associations: json!([
            block("vpc-a", "10.1.0.0/16", true, TEN),
            block("vpc-a", "203.0.113.0/26", true, "manual-public-vrf-203-0-113-0-24"),
        ]),
        subnets: json!([
            subnet("vpc-a", "10.1.1.0/24", "a"),
            subnet("vpc-a", "2001:DB8:0::/64", "six")
        ]),
        ..Files::small()
    };
    let told = restored(&cycle, &files).await.notes.join("\n");
    assert!(told.contains("a guess: 0815 is 172.16.0.0/12 in lab"), "{told}");
    let ids = "SELECT host(cidr) AS a, prefix_id AS b, parent_prefix_id AS c FROM prefix";
    let vpc = "0b9f7b0e-6a6c-4c7f-9a52-3f6f2f0e8f11";
    let expected = [
        format!("10.0.0.0 {TEN}"),
        format!("10.1.1.0 {vpc}-subnet-10.1.1.0-24 {TEN}"),
        format!("10.1.1.0 manual-prod-vrf-10-1-1-0-28 {vpc}-subnet-10.1.1.0-24"),
        "172.16.0.0 0815".into(),
        "172.16.1.0 manual-lab-172-16-1-0-24 0815".into(),
        "198.51.100.7 public-ip-198-51-100-7-32".into(),
        format!("2001:db8:: {vpc}-subnet-2001:DB8:0::-64"),
        "203.0.113.0 manual-public-vrf-203-0-113-0-24".into(),
        "203.0.113.64 public-ip-203-0-113-64-28 manual-public-vrf-203-0-113-0-24".into(),
    ];
    assert_eq!(rows(&cycle, ids).await, expected.join("\n"));
    assert_eq!(cycle.database.value("SELECT vpc_id FROM vpc").await, vpc);
}

#[tokio::test]
async fn association_of_a_name_that_two_accounts_have_goes_to_the_right_one() {
    let two = Files {
        vrfs: json!([vrf("prod-vrf"), vrf("public-vrf"), vrf("aws_222_vpc-x")]),
        prefixes: json!([prefix("prod-vrf", "10.0.0.0/8"), prefix("aws_222_vpc-x", "10.2.0.0/16")]),
        vpcs: json!([vpc("111", "vpc-x"), vpc("222", "vpc-x")]),
        associations: json!([
            block("vpc-x", "10.2.0.0/16", true, "manual-aws_222_vpc-x-10-2-0-0-16"),
            block("vpc-x", "10.3.0.0/16", true, TEN),
            block("vpc-x", "10.4.0.0/16", true, TEN),
            block("vpc-x", "10.4.0.0/16", true, TEN),
            {"vpc_provider_vpc_id": "vpc-x", "vpc_prefix_cidr": "10.5.0.0/16", "routable": true,
             "parent_prefix_id": TEN, "provider": "aws", "provider_account_id": "222"},
            block("vpc-x", "10.6.0.0/16", true, TEN),
        ]),
        subnets: json!([
            subnet("vpc-x", "10.2.1.0/24", "two"),
            subnet("vpc-x", "10.3.1.0/24", "live")
        ]),
        ..Files::small()
    };
    let cycle = Cycle::new(database().await).await;
    // Of the live association it is known whose it is.
    cycle.sql(&format!(
        "INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable)
             VALUES ('{TEN}', 'prod-vrf', '10.0.0.0/8', 'manual', true);
         INSERT INTO vpc VALUES ('00000000-0000-0000-0000-000000000002', NULL, 'aws', '222', 'vpc-x');
         INSERT INTO vpc_prefix_association VALUES ('00000000-0000-0000-0000-000000000003',
             '00000000-0000-0000-0000-000000000002', '10.3.0.0/16', true, '{TEN}')"
    )).await;
    let told = restored(&cycle, &two).await.notes.join("\n");
    let owners = "SELECT vpc_prefix_cidr AS a, provider_account_id AS b
        FROM vpc_prefix_association JOIN vpc USING (vpc_id)";
    let expected = [
        "10.2.0.0/16 222",
        "10.3.0.0/16 222",
        "10.4.0.0/16 111",
        "10.4.0.0/16 222",
        "10.5.0.0/16 222",
        "10.6.0.0/16 111",
    ];
    assert_eq!(rows(&cycle, owners).await, expected.join("\n"));
    assert!(told.contains("10.6.0.0/16 of vpc-x to account 111"), "{told}");
    assert!(
        !told.contains("10.2.0.0/16 of vpc-x") && !told.contains("10.5.0.0/16 of vpc-x"),
        "{told}"
    );
    let subnets = "SELECT prefix.tags ->> 'Name' AS a, provider_account_id AS b FROM prefix JOIN vpc USING (vpc_id)";
    assert_eq!(rows(&cycle, subnets).await, "live 222\ntwo 222");
}

#[tokio::test]
async fn table_that_old_backups_never_held_is_not_covered_and_stays() {
    let cycle = Cycle::new(sample_database().await).await;
    let held = async || rows(&cycle, "SELECT * FROM device42_ipaddress").await;
    let before = held().await;
    let public =
        cycle.database.value("SELECT count(*) FROM prefix WHERE vrf_id = 'public-vrf'").await;
    let folder = Files::small().write();
    let imported = take(&cycle, folder.path()).await;
    let id = imported.backup_id.clone();
    let told = imported.notes.join("\n");
    assert!(told.contains("do not have device42_ipaddresses (device42_ipaddress)"), "{told}");
    let lacks = &imported.backup_info.missing_tables;
    let lacks: Vec<_> = lacks.iter().map(ToString::to_string).collect();
    assert_eq!(lacks, ["device42_ipaddress: not covered"]);

    let preview = cycle.preview(&id, &RestoreOptions::default()).await;
    assert_eq!(preview.missing_tables, imported.backup_info.missing_tables);
    assert!(preview.schema_drift[0].contains("are left alone"), "{:?}", preview.schema_drift);
    let restored = cycle.restore(&id).await;
    assert!(restored.restore_results.schema_drift[0].contains("device42_ipaddress"));
    assert_eq!(preview.datasets, restored.restore_results.datasets);
    assert_eq!(held().await, before);
    let diff = cycle.diff(Point::Backup(id.clone()), Point::Live).await;
    assert!(diff.identical && diff.missing_tables == imported.backup_info.missing_tables);

    // The timeline does not take them for new, nor the history for gone.
    let safety = restored.restore_results.safety_backup.clone().expect("a safety backup");
    let changes = cycle.engine.changes(&safety).await.expect("changes");
    assert_eq!(changes.datasets["public_ips"].added.to_string(), public, "{changes:?}");
    let row = cycle.database.value("SELECT min(id) FROM device42_ipaddress").await;
    let later =
        take(&cycle, Files { id: "20240612_081500", ..Files::small() }.write().path()).await;
    let history = cycle.engine.history("device42_ipaddress", &row).await.expect("a history");
    assert_eq!(history.versions.len(), 1, "{history:?}");
    assert_eq!(history.versions[0].first.backup_id, safety);

    // It is the same in another store, and there as well nothing is promised of the table.
    let elsewhere = cycle.elsewhere().await;
    let there = import(&elsewhere, &archive(&cycle, &later.backup_id).await).await;
    assert_eq!(there.backup_info.missing_tables, imported.backup_info.missing_tables);
    assert!(elsewhere.engine.verify(&[], &Run::new()).await.expect("verified").is_intact());
    elsewhere.restore(&there.backup_id).await;
    assert_eq!(held().await, before);
    cycle.undo(&restored).await;
    assert_eq!(held().await, before);
}

#[tokio::test]
async fn dataset_without_a_file_is_not_covered_and_its_rows_stay() {
    let cycle = Cycle::new(sample_database().await).await;
    let moved = cycle
        .database
        .value(
            "SELECT prefix_id FROM prefix WHERE source = 'vpc' AND vrf_id <> 'public-vrf' LIMIT 1",
        )
        .await;
    let all = cycle.database.value("SELECT jsonb_agg(vrf) FROM vrf").await;
    let vrfs: Value = serde_json::from_str(&all).expect("JSON");
    let all = "SELECT jsonb_agg(prefix) FROM prefix WHERE source = 'manual'";
    let mut prefixes: Value = serde_json::from_str(&cycle.database.value(all).await).expect("JSON");
    // In the files, a subnet of now is entered by hand.
    let mut row = prefix("lab", "10.255.255.0/24");
    row["prefix_id"] = moved.clone().into();
    row["vrf_id"] = vrfs[0]["vrf_id"].clone();
    prefixes.as_array_mut().expect("rows").push(row);
    let files = Files { vrfs, prefixes, ..Files::small() };
    let folder = files.write_without(&["vpc_data", "public_ips"]);
    let imported = take(&cycle, folder.path()).await;
    let told = imported.notes.join("\n");
    for left in
        ["vpc_subnets (prefix)", "vpcs (vpc)", "public_ips (prefix)", "of public-vrf are left out"]
    {
        assert!(told.contains(left), "{left} in {told}");
    }
    let lacks: Vec<_> =
        imported.backup_info.missing_tables.iter().map(ToString::to_string).collect();
    assert!(lacks.contains(&"prefix (vpc_subnets): not covered".to_owned()), "{lacks:?}");
    let id = imported.backup_id;
    cycle
        .sql(
            "UPDATE prefix SET tags = '{\"a\": 1}' WHERE source = 'vpc' AND prefix_id IN (
        SELECT prefix_id FROM prefix WHERE source = 'vpc' ORDER BY prefix_id LIMIT 9);
        UPDATE vrf SET description = 'changed'",
        )
        .await;
    let others = format!(
        "SELECT md5(string_agg(prefix::text, '' ORDER BY prefix_id COLLATE \"C\"))
        FROM prefix WHERE (source = 'vpc' OR vrf_id = 'public-vrf') AND prefix_id <> '{moved}'"
    );
    let before = cycle.database.value(&others).await;
    let preview = cycle.preview(&id, &RestoreOptions::default()).await;
    let done = cycle.restore(&id).await;
    assert_eq!(preview.datasets, done.restore_results.datasets);
    assert_eq!(cycle.database.value(&others).await, before);
    assert_eq!(changed(&done, "vpcs"), (0, 0, 1), "the row that moved");
    let source = format!("SELECT source FROM prefix WHERE prefix_id = '{moved}'");
    assert_eq!(cycle.database.value(&source).await, "manual");
    assert_eq!(
        cycle.database.value("SELECT count(*) FROM vrf WHERE description = 'changed'").await,
        "0"
    );
    assert!(cycle.diff(Point::Backup(id.clone()), Point::Live).await.identical);
    let part = Selection { datasets: vec!["vpcs".into()], ..Selection::default() };
    let error =
        cycle.refuses(&id, &RestoreOptions { selection: part, ..RestoreOptions::default() }).await;
    assert!(matches!(error, EngineError::NotCovered { .. }), "{}", words(&error));
    let error = cycle.engine.export_dataset(&id, "vpcs", &Run::new()).await.expect_err("refused");
    assert!(words(&error).contains("does not cover the dataset vpcs"), "{}", words(&error));
    let there = import(&cycle.elsewhere().await, &archive(&cycle, &id).await).await;
    assert_eq!(there.backup_info.missing_tables, imported.backup_info.missing_tables);
}

#[tokio::test]
async fn times_of_old_files_are_of_a_time_zone_and_never_in_the_future() {
    let cycle = Cycle::new(database().await).await;
    let folder = Files { id: "20240611_081500", ..Files::small() }.write();
    let zone: TimeZone = "America/New_York".parse().expect("a zone");
    let options = ImportOptions { time_zone: zone, ..ImportOptions::default() };
    let imported = cycle.engine.import_folder_with(&options, folder.path(), &Run::new()).await;
    let imported = imported.unwrap_or_else(|error| panic!("{}", words(&error)));
    assert_eq!(imported.backup_id.as_str(), "20240611_121500");
    assert_eq!(imported.backup_info.created_at, "2024-06-11T12:15:00.000000Z");
    let told = imported.notes.join("\n");
    assert!(
        told.contains("20240611_081500 is the time in the time zone America/New_York"),
        "{told}"
    );

    let then = Utc.with_ymd_and_hms(2024, 6, 11, 12, 14, 0).single().expect("a time");
    let early = cycle.engine.clone().with_clock(std::sync::Arc::new(move || then));
    let other = Files { id: "20240611_081501", ..Files::small() }.write();
    let error = early.import_folder_with(&options, other.path(), &Run::new()).await;
    let error = error.expect_err("it is from the future");
    assert!(words(&error).contains("name the zone of the machine"), "{}", words(&error));
    assert_eq!(error.kind(), Kind::MalformedArchive);

    // Without an option it is the zone of this machine.
    let program = Program::on(&cycle.database);
    let path = other.path().to_str().expect("a path");
    let run = program.command(&["import", path, "--json"]).env("TZ", "Asia/Tokyo").output();
    let said = run.expect("runs").stdout;
    let said: Value = serde_json::from_slice(&said).expect("JSON");
    assert_eq!(said["backup_id"], "20240610_231501");
    let wrong = program.run(&["import", path, "--time-zone", "Mars/Olympus"]);
    assert_eq!(wrong.code, 2, "{}", wrong.err);
    assert!(wrong.err.contains("name one like Europe/Berlin"), "{}", wrong.err);
}

#[tokio::test]
async fn row_that_changed_since_does_not_carry_a_time_after_the_backup() {
    let cycle = Cycle::new(database().await).await;
    let two = json!([prefix("prod-vrf", "10.0.0.0/8"), prefix("prod-vrf", "10.1.0.0/16")]);
    let files = Files { prefixes: two, ..Files::small() };
    restored(&cycle, &files).await;
    cycle
        .sql(
            "UPDATE prefix SET tags = '{\"new\": 1}' WHERE cidr = '10.1.0.0/16';
        UPDATE prefix SET tags = tags",
        )
        .await;
    let elsewhere = cycle.elsewhere().await;
    let imported = take(&elsewhere, files.write().path()).await;
    let told = imported.notes.join("\n");
    assert!(told.contains("1 prefixes are not as in the database"), "{told}");
    assert!(told.contains("1 prefixes are as in the database, and keep"), "{told}");
    elsewhere.restore(&imported.backup_id).await;
    let times = "SELECT host(cidr) AS a, updated_at <= '2024-06-11 08:15:00+00' AS b FROM prefix";
    assert_eq!(rows(&elsewhere, times).await, "10.0.0.0 false\n10.1.0.0 true");
}

#[tokio::test]
async fn flag_of_a_public_address_is_kept() {
    let cycle = Cycle::new(database().await).await;
    let public = |name: Option<&str>, cidr: &str| {
        let mut row = json!({"cidr": cidr, "tags": {}});
        if let Some(name) = name {
            row["vpc_provider_vpc_id"] = name.into();
        }
        row
    };
    let mut flagged = public(Some("vpc-a"), "203.0.113.2/32");
    flagged["vpc_children_type_flag"] = true.into();
    let mut listed = prefix("public-vrf", "203.0.113.3/32");
    listed["vpc_children_type_flag"] = true.into();
    let files = Files {
        prefixes: json!([prefix("prod-vrf", "10.0.0.0/8"), listed]),
        vpcs: json!([vpc("111", "vpc-a")]),
        subnets: json!([
            subnet("vpc-a", "203.0.113.1/32", "live"),
            subnet("vpc-a", "203.0.113.2/32", "file")
        ]),
        public: json!([
            public(Some("vpc-a"), "203.0.113.1/32"),
            flagged,
            public(None, "203.0.113.3/32"),
            public(None, "203.0.113.4/32")
        ]),
        ..Files::small()
    };
    restored(&cycle, &files).await;
    cycle.sql("UPDATE prefix SET vpc_children_type_flag = true WHERE vrf_id = 'public-vrf'").await;
    let elsewhere = cycle.elsewhere().await;
    let imported = take(&elsewhere, files.write().path()).await;
    elsewhere.restore(&imported.backup_id).await;
    let flags = "SELECT bool_and(vpc_children_type_flag) FROM prefix WHERE vrf_id = 'public-vrf'";
    assert_eq!(cycle.database.value(flags).await, "true");
    assert_eq!(
        cycle.database.value("SELECT count(*) FROM prefix WHERE vrf_id = 'public-vrf'").await,
        "4"
    );
}

/// Makes a manifest say other things than it was written with.
fn rewrite(path: &Path, change: impl FnOnce(&mut Value)) {
    let text = fs::read(path).expect("a manifest");
    let mut manifest: Value = serde_json::from_slice(&text).expect("JSON");
    manifest.as_object_mut().expect("an object").remove("checksum");
    change(&mut manifest);
    fs::write(path, ipam_rewind::model::seal(&manifest)).expect("written");
}

#[tokio::test]
async fn imported_backup_that_breaks_unique_keys_and_references_is_found_before_a_restore() {
    let database = database().await;
    // A table that checks nothing, and a manifest that says it did.
    database
        .sql_as_superuser(
            "ALTER TABLE prefix DROP CONSTRAINT prefix_vrf_id_cidr_key;
             SET session_replication_role = replica;
             INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable) VALUES
                 ('one', 'prod-vrf', '10.0.0.0/8', 'manual', true),
                 ('two', 'prod-vrf', '10.0.0.0/8', 'manual', true),
                 ('three', 'gone', '11.0.0.0/8', 'manual', true)",
        )
        .await;
    let program = Program::on(&database);
    let id = program.backup();
    assert_eq!(program.run(&["verify"]).code, 0);
    rewrite(&program.store().join(&id).join("manifest.json"), |manifest| {
        manifest["imported"] = true.into();
        let tables = manifest["schema"]["tables"].as_array_mut().expect("tables");
        let prefix = tables.iter_mut().find(|it| it["name"] == "prefix").expect("there");
        prefix["unique"] = json!([["vrf_id", "cidr"]]);
    });
    let verified = program.run(&["verify", &id]);
    assert_eq!(verified.code, 4, "{}{}", verified.out, verified.err);
    let told = verified.out + &verified.err;
    assert!(
        told.contains(
            "1 values of (vrf_id, cidr) are in several rows of prefix: prod-vrf, 10.0.0.0/8"
        ),
        "{told}"
    );
    assert!(
        told.contains(
            "1 rows of prefix refer to a row of vrf that it does not have: three to gone"
        ),
        "{told}"
    );
    for arguments in [&["restore", &id, "--dry-run"][..], &["restore", &id, "--yes"]] {
        let ended = program.run(arguments);
        assert_eq!(ended.code, 4, "{arguments:?}: {}", ended.err);
        assert!(ended.err.contains("could not be restored"), "{}", ended.err);
    }
    // Nor does it come into another store.
    let file = program.store().join("it.tar");
    let path = file.to_str().expect("a path");
    program.ok(&["export", &id, "--output", path]);
    let other = Program::at(None);
    let refused = other.run(&["import", path]);
    assert!(refused.err.contains("could not be restored"), "{}", refused.err);
    assert!(other.ids().is_empty());
}
