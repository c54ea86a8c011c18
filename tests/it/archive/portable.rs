//! Exports in the form of the application: its importer reads what is written, what it wrote is imported, and
//! a merge adds and updates.

use std::fs;
use std::path::Path;
use std::process::Command;

use ipam_rewind::engine::{Point, Preview, RestoreOptions, Run};
use serde_json::{Value, json};

use super::application::{Files, below, prefix, take, vpc, vrf};
use crate::support::cycle::{Cycle, changed, words};
use crate::support::program::{Ended, Program};
use crate::support::{TestDatabase, database, sample_database};

/// Reads a folder as the application's importer does: by its description alone, each file only if the
/// description names it, by the keys of thin rows. Prints what it would write, as JSON.
const IMPORTER: &str = r"
import glob, json, sys
[description] = glob.glob(sys.argv[1] + '/export_manifest_*.json')
manifest = json.load(open(description))
info, summary, named = manifest['export_info'], manifest['summary'], manifest['exported_files']
assert (info['export_type'], info['version']) == ('complete_system_export', '1.0')
assert info['timestamp'] and manifest['import_instructions']
def read(key): return json.load(open(named[key])) if key in named else {}
def thin(row, keys, may=()):
    return {**{key: row[key] for key in keys}, **{key: row[key] for key in may if key in row}}
vrfs = [thin(r, ['vrf_id', 'description', 'tags', 'routable_flag', 'is_default']) for r in read('vrfs').get('vrfs', [])]
prefixes = [thin(r, ['vrf_id', 'cidr', 'tags', 'routable', 'vpc_children_type_flag'], ['prefix_id', 'parent_prefix_id'])
            for r in read('manual_prefixes').get('prefixes', [])]
data = read('vpc_data')
vpcs = [thin(r, ['description', 'provider', 'provider_account_id', 'provider_vpc_id', 'region', 'tags']) for r in data.get('vpcs', [])]
associations = [thin(r, ['vpc_provider_vpc_id', 'vpc_prefix_cidr', 'routable', 'parent_prefix_id']) for r in data.get('vpc_associations', [])]
subnets = [thin(r, ['vpc_provider_vpc_id', 'subnet_cidr', 'tags']) for r in data.get('vpc_subnets', [])]
public = [thin(r, ['cidr', 'tags'], ['vpc_provider_vpc_id']) for r in read('public_ips').get('public_ips', [])]
assert summary == {'total_vrfs': len(vrfs), 'total_vpcs': len(vpcs), 'total_prefixes': len(prefixes) + len(subnets),
    'manual_prefixes': len(prefixes), 'vpc_prefixes': len(subnets), 'vpc_associations': len(associations)}, summary
json.dump([vrfs, prefixes, vpcs, associations, subnets, public], sys.stdout)
";

fn read_by_importer(folder: &Path) -> Vec<Vec<Value>> {
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", IMPORTER]).arg(folder).current_dir("/");
    let ended = Ended::from(python.output().expect("python3 runs"));
    assert_eq!(ended.code, 0, "{}", ended.err);
    serde_json::from_str(&ended.out).expect("JSON")
}

/// The same of the database itself, in any order.
async fn held(database: &TestDatabase) -> Vec<Vec<Value>> {
    const VPC: &str = "(SELECT provider_vpc_id FROM vpc WHERE vpc.vpc_id = r.vpc_id)";
    let queries = [
        "SELECT * FROM vrf".to_owned(),
        "SELECT vrf_id, cidr, tags, routable, vpc_children_type_flag, prefix_id, parent_prefix_id
            FROM prefix WHERE source = 'manual'"
            .into(),
        "SELECT description, provider, provider_account_id, provider_vpc_id, region, tags FROM vpc"
            .into(),
        format!(
            "SELECT {VPC} AS vpc_provider_vpc_id, vpc_prefix_cidr, routable, parent_prefix_id
            FROM vpc_prefix_association r"
        ),
        format!(
            "SELECT {VPC} AS vpc_provider_vpc_id, cidr AS subnet_cidr, tags FROM prefix r WHERE source = 'vpc'"
        ),
        format!(
            "SELECT cidr, tags, {VPC} AS vpc_provider_vpc_id FROM prefix r WHERE vrf_id = 'public-vrf'"
        ),
    ];
    let mut held = Vec::new();
    for query in queries {
        let text =
            database.value(&format!("SELECT coalesce(jsonb_agg(x), '[]') FROM ({query}) x")).await;
        let mut rows: Vec<Value> = serde_json::from_str(&text).expect("JSON");
        for row in rows.iter_mut().filter_map(Value::as_object_mut) {
            row.retain(|key, value| {
                !(value.is_null()
                    && ["parent_prefix_id", "vpc_provider_vpc_id"].contains(&key.as_str()))
            });
        }
        held.push(rows);
    }
    held
}

/// Rows as sets of canonical text.
fn sorted(rows: &[Vec<Value>]) -> Vec<Vec<String>> {
    let canonical = |row: &Value| {
        let object = row.as_object().expect("a row");
        let sorted: std::collections::BTreeMap<_, _> = object.iter().collect();
        serde_json::to_string(&sorted).expect("plain data")
    };
    let each = rows.iter().map(|rows| {
        let mut rows: Vec<_> = rows.iter().map(canonical).collect();
        rows.sort();
        rows
    });
    each.collect()
}

fn path(folder: &Path) -> &str {
    folder.to_str().expect("a path")
}

#[tokio::test]
async fn importer_of_the_application_reads_all_of_an_export() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let id = program.backup();
    let folders = tempfile::tempdir().expect("a folder");
    let (of_backup, of_live) = (folders.path().join("backup"), folders.path().join("live"));
    fs::create_dir(&of_backup).expect("made");
    let said = program.json(&["export", &id, "--output", path(&of_backup)]);
    assert_eq!(said["files"].as_array().expect("files").len(), 5);
    program.ok(&["export", "live", "--output", path(&of_live)]);
    let held = sorted(&held(&database).await);
    for folder in [&of_backup, &of_live] {
        assert!(sorted(&read_by_importer(folder)) == held, "{}", folder.display());
        assert_eq!(fs::read_dir(folder).expect("there").count(), 5);
    }
    // One folder has one export.
    let refused = program.run(&["export", "live", "--output", path(&of_backup)]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("another export is in it"), "{}", refused.err);
    let moved = folders.path().join("moved/");
    program.ok(&["export", &id, "--output", path(&moved), "--seen-as", "/exports/"]);
    let description = fs::read_to_string(moved.join(format!("export_manifest_{id}.json")));
    assert!(description.expect("there").contains(&format!("\"/exports/vrfs_export_{id}.json\"")));
    // An archive as before, where no folder is named.
    program.ok(&["export", &id, "--output", path(&folders.path().join("it.tar"))]);
    assert!(folders.path().join("it.tar").is_file());
}

#[tokio::test]
async fn export_that_is_read_back_is_the_same_rows_here_and_at_another_site() {
    let cycle = Cycle::new(sample_database().await).await;
    let id = cycle.backup().await;
    let program = Program::on(&cycle.database);
    let folder = tempfile::tempdir().expect("a folder");
    program.ok(&["export", "live", "--output", path(folder.path())]);
    let imported = take(&cycle, folder.path()).await;
    let diff = cycle.diff(Point::Backup(id), Point::Backup(imported.backup_id)).await;
    assert!(diff.identical, "{:?}", diff.changes);

    let there = Cycle::new(database().await).await;
    let mut tar = Command::new("tar");
    tar.args(["-C", path(folder.path()), "-cf", "-", "."]);
    let archive = tar.output().expect("tar runs").stdout;
    let imported = there.engine.import_archive(&archive[..], &Run::new()).await;
    let imported = imported.unwrap_or_else(|error| panic!("{}", words(&error)));
    let merge = RestoreOptions { merge: true, ..RestoreOptions::default() };
    there.restore_with(&imported.backup_id, &merge).await;
    let (here, there) = (cycle.contents().await, there.contents().await);
    for table in ["vrf", "vpc", "prefix", "vpc_prefix_association"] {
        assert!(here[table] == there[table], "{table}");
    }
}

/// An export as the application writes it, of these files.
fn written_by_the_application(files: &Files, left_out: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let time = files.id;
    let mut named = serde_json::Map::new();
    for (stem, content) in files.datasets() {
        let name = format!("{stem}_export_{time}.json");
        fs::write(folder.path().join(&name), content.to_string()).expect("written");
        if !left_out.contains(&stem) {
            named.insert(stem.into(), format!("exports/{name}").into());
        }
    }
    let description = json!({
        "export_info": {"timestamp": "2024-06-11T08:15:00.25", "export_type": "complete_system_export",
            "version": "1.0"},
        "summary": {}, "exported_files": named, "import_instructions": {}
    });
    let name = format!("export_manifest_{time}.json");
    fs::write(folder.path().join(name), description.to_string()).expect("written");
    folder
}

#[tokio::test]
async fn merge_adds_and_updates_and_deletes_nothing() {
    let cycle = Cycle::new(database().await).await;
    // This site has a row with the same natural key and another id, and rows of its own.
    cycle
        .sql(
            "INSERT INTO vrf (vrf_id) VALUES ('own');
             INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable, tags) VALUES
                 ('ten', 'prod-vrf', '10.0.0.0/8', 'manual', true, '{\"old\": 1}'),
                 ('own', 'own', '10.0.0.0/8', 'manual', true, '{}');
             INSERT INTO device42_ipaddress (ip_address, label) VALUES ('10.0.0.1', 'kept')",
        )
        .await;
    let mut ten = prefix("prod-vrf", "10.0.0.0/8");
    ten["tags"] = json!({"new": 2});
    let files = Files {
        vrfs: json!([vrf("prod-vrf"), vrf("public-vrf"), vrf("lab")]),
        prefixes: json!([
            ten,
            below("manual-prod-vrf-10-0-0-0-8", "prod-vrf", "10.1.0.0/16"),
            prefix("public-vrf", "203.0.113.0/24"),
        ]),
        vpcs: json!([vpc("111", "vpc-a")]),
        ..Files::small()
    };
    let imported = take(&cycle, written_by_the_application(&files, &[]).path()).await;
    assert_eq!(imported.backup_info.timestamp, "2024-06-11T08:15:00.250000");
    assert_eq!(imported.backup_info.description, "Export of 20240611_081500");
    let before = cycle.contents().await;
    let options = RestoreOptions { merge: true, ..RestoreOptions::default() };
    let Preview { datasets, partial, .. } = cycle.preview(&imported.backup_id, &options).await;
    assert!(partial);
    let done = cycle.restore_with(&imported.backup_id, &options).await;
    assert_eq!(done.restore_results.datasets, datasets);
    assert!(done.restore_results.proven);
    assert_eq!(changed(&done, "prefixes"), (1, 1, 0));
    assert_eq!(changed(&done, "vrfs").2, 0);
    let rows = "SELECT string_agg(concat_ws(' ', prefix_id, parent_prefix_id, tags), E'\\n' ORDER BY prefix_id)
        FROM prefix";
    let expected = [
        "manual-prod-vrf-10-1-0-0-16 ten {}",
        "own {}",
        "public-ip-203-0-113-0-24 {}",
        "ten {\"new\": 2}",
    ];
    assert_eq!(cycle.database.value(rows).await, expected.join("\n"));
    assert_eq!(cycle.database.value("SELECT label FROM device42_ipaddress").await, "kept");
    let again = cycle.preview(&imported.backup_id, &options).await;
    assert!(again.is_empty(), "{:?}", again.changes);
    cycle.undo(&done).await;
    crate::support::cycle::assert_same(&cycle.contents().await, &before);
}

#[tokio::test]
async fn merge_keeps_sequences_and_records_and_moves_rows_between_datasets() {
    let cycle = Cycle::new(sample_database().await).await;
    let id = cycle.backup().await;
    cycle
        .sql(
            "INSERT INTO device42_ipaddress (ip_address, label) VALUES ('192.0.2.77', 'new');
             UPDATE prefix SET vrf_id = 'prod-vrf' WHERE prefix_id = (
                 SELECT min(prefix_id) FROM prefix WHERE vrf_id = 'public-vrf' AND source = 'manual');
             DELETE FROM vpc_prefix_association WHERE association_id = (
                 SELECT min(association_id::text)::uuid FROM vpc_prefix_association);
             INSERT INTO idempotency_record (request_id, endpoint, method, request_hash, request_params,
                 response_data, status_code, created_at, expires_at)
             VALUES ('later', '/', 'POST', '', '{}', '{}', 200, now(), now() + interval '1 day')",
        )
        .await;
    let next = "SELECT last_value FROM device42_ipaddress_id_seq";
    let before = cycle.database.value(next).await;
    let options = RestoreOptions { merge: true, ..RestoreOptions::default() };
    let preview = cycle.preview(&id, &options).await;
    let done = cycle.restore_with(&id, &options).await;
    assert_eq!(preview.datasets, done.restore_results.datasets);
    assert!(done.restore_results.other_rows.is_empty() && preview.other_rows.is_empty());
    assert_eq!(cycle.database.value(next).await, before);
    let kept = "SELECT count(*) FROM device42_ipaddress WHERE label = 'new'";
    assert_eq!(cycle.database.value(kept).await, "1");
    assert_eq!(cycle.database.value("SELECT count(*) FROM idempotency_record").await, "1");
    // What is missing is what only the database has.
    let diff = cycle.diff(Point::Backup(id), Point::Live).await;
    let all: u64 =
        diff.datasets.values().map(|counts| counts.added + counts.changed + counts.removed).sum();
    assert_eq!(all, 1, "{:?}", diff.changes);
}

#[tokio::test]
async fn file_that_the_description_does_not_name_does_not_count() {
    let cycle = Cycle::new(database().await).await;
    cycle.sql("INSERT INTO vpc VALUES ('00000000-0000-0000-0000-000000000001', NULL, 'other', NULL, 'net')").await;
    let folder = written_by_the_application(&Files::small(), &["vpc_data"]);
    let imported = take(&cycle, folder.path()).await;
    assert!(imported.notes.join("\n").contains("vpcs (vpc)"), "{:?}", imported.notes);
    cycle.restore(&imported.backup_id).await;
    assert_eq!(cycle.database.value("SELECT provider_vpc_id FROM vpc").await, "net");
    fs::write(folder.path().join("export_manifest_20240611_081501.json"), "{}").expect("written");
    let error = cycle.engine.import_folder(folder.path(), &Run::new()).await.expect_err("two");
    assert!(words(&error).contains("has 2 exports"), "{}", words(&error));
    let empty = tempfile::tempdir().expect("a folder");
    let error = cycle.engine.import_folder(empty.path(), &Run::new()).await.expect_err("empty");
    assert!(words(&error).contains("has neither backup_info.json nor export_manifest_TIME.json"));
}

#[tokio::test]
async fn merge_is_asked_for_on_the_command_line() {
    let database = database().await;
    let program = Program::on(&database);
    let folder = written_by_the_application(&Files::small(), &[]);
    program.ok(&["import", path(folder.path())]);
    database.sql("INSERT INTO vrf (vrf_id) VALUES ('own')").await;
    let id = program.ids().remove(0);
    let preview = program.json(&["restore", &id, "--merge", "--dry-run"]);
    assert_eq!(preview["datasets"]["vrfs"]["deleted"], 0);
    assert_eq!(program.json(&["restore", &id, "--dry-run"])["datasets"]["vrfs"]["deleted"], 1);
    let done = program.json(&["restore", &id, "--merge", "--yes"]);
    assert_eq!(done["restore_results"]["prefixes"]["inserted"], 1);
    assert_eq!(done["restore_results"]["vrfs"]["deleted"], 0);
    assert!(done["restore_results"]["safety_backup"].is_string());
    assert_eq!(database.value("SELECT count(*) FROM vrf WHERE vrf_id = 'own'").await, "1");
}
