//! Backups of the older form, whose rows lack columns, become backups like any other.

use std::fs;
use std::path::{Path, PathBuf};

use ipam_rewind::engine::{Kind, Point, Run};
use serde_json::{Value, json};

use crate::support::cycle::{Cycle, words};
use crate::support::program::Program;
use crate::support::{TestDatabase, database, sample_database};

/// A backup as a site holds it.
fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/older/20240611_081500")
}

/// What the older program would have written of this database.
async fn write_older(database: &TestDatabase, folder: &Path) {
    const VPC: &str = "(SELECT provider_vpc_id FROM vpc WHERE vpc.vpc_id = r.vpc_id)";
    let array = async |query: String| -> Value {
        let text = format!("SELECT coalesce(jsonb_agg(x), '[]') FROM ({query}) x");
        serde_json::from_str(&database.value(&text).await).expect("JSON")
    };
    let vrfs = array("SELECT * FROM vrf".into()).await;
    let prefixes = "SELECT vrf_id, cidr, tags, routable, vpc_children_type_flag, parent_prefix_id
        FROM prefix WHERE source = 'manual'";
    let mut prefixes = array(prefixes.into()).await;
    for row in prefixes.as_array_mut().expect("rows") {
        row.as_object_mut().expect("a row").retain(|_, value| !value.is_null());
    }
    let vpcs =
        "SELECT description, provider, provider_account_id, provider_vpc_id, region, tags FROM vpc";
    let vpcs = array(vpcs.into()).await;
    let associations = format!(
        "SELECT {VPC} AS vpc_provider_vpc_id, vpc_prefix_cidr, routable,
        parent_prefix_id FROM vpc_prefix_association r"
    );
    let associations = array(associations).await;
    let subnets = format!(
        "SELECT {VPC} AS vpc_provider_vpc_id, cidr AS subnet_cidr, tags FROM prefix r
        WHERE source = 'vpc'"
    );
    let subnets = array(subnets).await;
    let public = format!(
        "SELECT cidr, tags, {VPC} AS vpc_provider_vpc_id FROM prefix r
        WHERE vrf_id = 'public-vrf'"
    );
    let public = array(public).await;
    let files = [
        ("vrfs", json!({"vrfs": vrfs})),
        ("manual_prefixes", json!({"prefixes": prefixes})),
        (
            "vpc_data",
            json!({"vpcs": vpcs, "vpc_associations": associations, "vpc_subnets": subnets}),
        ),
        ("public_ips", json!({"public_ips": public})),
    ];
    for (stem, mut file) in files {
        file["export_info"] = json!({"type": stem, "timestamp": "2024-06-11T08:15:01"});
        let name = format!("{stem}_export_20240611_081501.json");
        fs::write(folder.join(name), file.to_string()).expect("written");
    }
    fs::copy(fixture().join("backup_info.json"), folder.join("backup_info.json")).expect("copied");
}

/// The rows as far as the older form knows them, and what follows from that.
async fn known(database: &TestDatabase) -> Vec<String> {
    let queries = [
        "SELECT * FROM vrf",
        "SELECT vrf_id, cidr, tags, source, parent_prefix_id, indentation_level, vpc_children_type_flag,
            (SELECT provider_vpc_id FROM vpc WHERE vpc.vpc_id = prefix.vpc_id),
            CASE WHEN source = 'manual' THEN prefix_id ELSE replace(prefix_id, vpc_id::text, '') END,
            CASE WHEN source = 'manual' THEN routable END FROM prefix",
        "SELECT description, provider, provider_account_id, provider_vpc_id, region, tags FROM vpc",
        "SELECT provider_vpc_id, vpc_prefix_cidr, routable, parent_prefix_id
            FROM vpc_prefix_association JOIN vpc USING (vpc_id)",
        "SELECT * FROM device42_ipaddress",
    ];
    let mut known = Vec::new();
    for query in queries {
        let text = format!(
            "SELECT string_agg(x::text, E'\\n' ORDER BY x::text COLLATE \"C\") FROM ({query}) x"
        );
        known.push(database.value(&text).await);
    }
    known
}

#[tokio::test]
async fn with_the_rows_in_the_database_nothing_is_lost() {
    let cycle = Cycle::new(sample_database().await).await;
    let folder = crate::support::folder();
    write_older(&cycle.database, folder.path()).await;
    let before = cycle.contents().await;
    let imported = cycle.engine.import_folder(folder.path(), &Run::new()).await;
    let imported = imported.unwrap_or_else(|error| panic!("{}", words(&error)));
    let told = &imported.notes;
    assert!(told[0].contains("keep a created_at or updated_at later than the backup"), "{told:?}");
    assert!(told[1].contains("do not have device42_ipaddresses"), "{told:?}");
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(cycle.contents().await, before);
    let from = Point::Backup(imported.backup_id.clone());
    let diff = cycle.engine.diff(&from, &Point::Live, 5, &Run::new()).await.expect("a diff");
    assert!(diff.identical, "{:?}", diff.changes);
    let info = imported.backup_info;
    assert_eq!(imported.backup_id.as_str(), "20240611_081500");
    assert_eq!(info.timestamp, "2024-06-11T08:15:00.482913");
    assert_eq!(info.description, "Before the Frankfurt move");
}

#[tokio::test]
async fn without_the_rows_what_was_known_comes_back_and_the_rest_is_made_up() {
    let cycle = Cycle::new(sample_database().await).await;
    let folder = crate::support::folder();
    write_older(&cycle.database, folder.path()).await;
    let before = known(&cycle.database).await;
    cycle
        .sql(
            "ALTER TABLE vpc ADD monitored boolean NOT NULL DEFAULT true, ADD note text;
        DELETE FROM vpc_prefix_association; UPDATE prefix SET parent_prefix_id = NULL;
        DELETE FROM prefix; DELETE FROM vpc; DELETE FROM vrf",
        )
        .await;
    let import = async || cycle.engine.import_folder(folder.path(), &Run::new()).await;
    let imported = import().await.unwrap_or_else(|error| panic!("{}", words(&error)));
    let told = imported.notes.join("\n");
    for what in [
        "100 VPCs are not",
        "associations are not",
        "entered by hand",
        "subnets are not",
        "public addresses of VPCs",
        "device42_ipaddress",
    ] {
        assert!(told.contains(what), "{what} in {told}");
    }
    let again = import().await.expect("imported again");
    assert_eq!(again.backup_id, imported.backup_id);
    assert!(again.notes[0].contains("are backup 20240611_081500 already"), "{:?}", again.notes);
    assert_eq!(cycle.backups().await, 1);
    // What is made up is the same each time.
    let elsewhere = cycle.elsewhere().await;
    let there = elsewhere.engine.import_folder(folder.path(), &Run::new()).await;
    let (here, there) = (imported.backup_info.clone(), there.expect("imported").backup_info);
    assert_eq!(here.datasets, there.datasets);

    cycle.restore(&imported.backup_id).await;
    for (found, wanted) in known(&cycle.database).await.iter().zip(&before) {
        let differing = found.lines().zip(wanted.lines()).find(|(found, wanted)| found != wanted);
        assert!(found == wanted, "{differing:?}");
    }
    assert_eq!(cycle.database.value("SELECT count(*) FROM vpc WHERE monitored").await, "100");
    let times = "SELECT DISTINCT (created_at, updated_at)::text FROM prefix";
    let taken = "2024-06-11 08:15:00.482913+00";
    assert_eq!(cycle.database.value(times).await, format!("(\"{taken}\",\"{taken}\")"));
    cycle.triggers_refuse_what_they_must().await;
}

#[tokio::test]
async fn ids_follow_the_patterns_where_the_database_does_not_know_better() {
    let cycle = Cycle::new(database().await).await;
    // A live row with the same natural key and an id of its own: its children follow it.
    cycle.sql("INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable)
        VALUES ('ten', 'prod-vrf', '10.0.0.0/8', 'manual', true);
        INSERT INTO vpc VALUES ('00000000-0000-0000-0000-000000000001', NULL, 'other', NULL, 'net-lab');
        DELETE FROM vrf WHERE vrf_id = 'public-vrf'").await;
    let imported = cycle.engine.import_folder(&fixture(), &Run::new()).await;
    let imported = imported.unwrap_or_else(|error| panic!("{}", words(&error)));
    cycle.restore(&imported.backup_id).await;
    let frankfurt = cycle.database.value("SELECT vpc_id FROM vpc WHERE provider = 'aws'").await;
    let rows = "SELECT string_agg(concat_ws(' ', vrf_id, prefix_id, parent_prefix_id, routable,
        indentation_level), E'\\n' ORDER BY vrf_id, cidr) FROM prefix";
    let six = "2001-0db8-0000-0000-0000-0000-0000-0000-32";
    let lab = "00000000-0000-0000-0000-000000000001-subnet";
    let expected = [
        "lab-vrf manual-lab-vrf-172-16-0-0-12 f 0".to_owned(),
        format!("lab-vrf {lab}-172.16.4.0-24 manual-lab-vrf-172-16-0-0-12 f 1"),
        format!("lab-vrf manual-lab-vrf-{six} f 0"),
        format!(
            "lab-vrf manual-lab-vrf-2001-0db8-0001-0000-0000-0000-0000-0000-48 manual-lab-vrf-{six} f 1"
        ),
        "prod-vrf ten t 0".to_owned(),
        "prod-vrf manual-prod-vrf-10-101-0-0-16 ten t 1".to_owned(),
        format!("prod-vrf {frankfurt}-subnet-10.101.1.0-24 manual-prod-vrf-10-101-0-0-16 t 2"),
        // In no block of its VPC: the default VRF.
        format!("prod-vrf {lab}-192.168.7.0-24 t 0"),
        format!("public-vrf {frankfurt}-subnet-203-0-113-1-32 t 0"),
        "public-vrf public-ip-203-0-113-10-32 t 0".to_owned(),
    ];
    assert_eq!(cycle.database.value(rows).await, expected.join("\n"));
    let tags = "SELECT tags FROM vrf WHERE vrf_id = 'lab-vrf'";
    assert_eq!(cycle.database.value(tags).await, r#"{"a": [true, null], "b": 1.50}"#);
    let told = imported.notes.join("\n");
    assert!(told.contains("1 subnets are neither in the database nor in a block"), "{told}");
}

#[tokio::test]
async fn what_does_not_fit_together_is_refused_and_leaves_no_backup() {
    let cycle = Cycle::new(database().await).await;
    let vpc_data = "vpc_data_export_20240611_081501.json";
    let prefixes = "manual_prefixes_export_20240611_081501.json";
    let cases = [
        (vpc_data, "\"subnets_count\": 4", "\"subnets_count\": 5", "has 5 vpc_subnets, but has 4"),
        (vpc_data, "10.101.1.0/24", "10.101.1.0/99", "not a cidr: \"10.101.1.0/99\""),
        (
            vpc_data,
            "\"net-lab\", \"subnet",
            "\"net\", \"subnet",
            "1 associations and subnets belong to a VPC",
        ),
        (vpc_data, "manual-lab-vrf-172", "manual-lab-vrf-173", "1 associations refer to a parent"),
        (prefixes, "\"lab-vrf\"", "\"gone-vrf\"", "1 prefixes are in a VRF"),
        (prefixes, "  ]", "", "cannot be read"),
        ("backup_info.json", "20240611_081500\"", "../../etc\"", "invalid backup id"),
        ("backup_info.json", "2024-06-11T", "yesterday", "has no time"),
    ];
    for (file, from, to, why) in cases {
        let folder = crate::support::folder();
        for entry in fs::read_dir(fixture()).expect("the fixture") {
            let entry = entry.expect("an entry");
            fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("copied");
        }
        let place = folder.path().join(file);
        let text = fs::read_to_string(&place).expect("text");
        assert!(text.contains(from), "{from}");
        fs::write(&place, text.replacen(from, to, 1)).expect("written");
        let error = cycle.engine.import_folder(folder.path(), &Run::new()).await;
        let error = error.expect_err("it must be refused");
        assert!(words(&error).contains(why), "wanted {why:?}, got {}", words(&error));
        assert_eq!(error.kind(), Kind::MalformedArchive);
    }
    assert_eq!(cycle.backups().await, 0);
}

#[tokio::test]
async fn no_path_that_the_metadata_names_is_opened() {
    let cycle = Cycle::new(database().await).await;
    let folder = crate::support::folder();
    for entry in fs::read_dir(fixture()).expect("the fixture") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a name");
        if name.starts_with("vrfs") {
            // Elsewhere, as the metadata says, or behind a link: neither counts.
            let link = folder.path().join("vrfs_export_20240611_081501.json");
            std::os::unix::fs::symlink(entry.path(), link).expect("a link");
        } else {
            fs::copy(entry.path(), folder.path().join(name)).expect("copied");
        }
    }
    let error = cycle.engine.import_folder(folder.path(), &Run::new()).await.expect_err("refused");
    assert!(words(&error).contains("it is no plain file"), "{}", words(&error));
    fs::remove_file(folder.path().join("vrfs_export_20240611_081501.json")).expect("removed");
    let error = cycle.engine.import_folder(folder.path(), &Run::new()).await.expect_err("refused");
    assert!(words(&error).contains("has no file vrfs_export_TIME.json"), "{}", words(&error));
}

#[tokio::test]
async fn the_verb_says_what_was_made_up() {
    let database = database().await;
    let program = Program::on(&database);
    let said = program.ok(&["import", fixture().to_str().expect("a path")]);
    assert!(
        said.starts_with("Backup 20240611_081500 imported: Before the Frankfurt move\n"),
        "{said}"
    );
    assert!(said.contains("\nNote: 2 VPCs are not in the database"), "{said}");
    assert_eq!(program.ids(), ["20240611_081500"]);
    let alone = Program::at(None).run(&["import", fixture().to_str().expect("a path")]);
    assert_eq!(alone.code, 2, "{}", alone.err);
    assert!(alone.err.contains("no database was given"), "{}", alone.err);
}
