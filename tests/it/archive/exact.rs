//! There and back: an export that is imported elsewhere is the same backup.

use ipam_rewind::engine::{Annotation, Download, Imported, Point, Run};
use ipam_rewind::model::{BackupId, Profile};

use crate::support::cycle::{Cycle, assert_same, words};
use crate::support::program::Program;
use crate::support::{database, sample_database};

/// All bytes of a download; they are as many as it said.
pub async fn whole(mut download: Download) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(block) = download.blocks.recv().await {
        bytes.extend_from_slice(&block.unwrap_or_else(|error| panic!("{}", words(&error))));
    }
    assert_eq!(download.size.unwrap_or(bytes.len() as u64), bytes.len() as u64);
    bytes
}

/// The archive of a backup.
pub async fn archive(cycle: &Cycle, id: &BackupId) -> Vec<u8> {
    let exported = cycle.engine.export_archive(id, &Run::new()).await;
    whole(exported.unwrap_or_else(|error| panic!("export: {}", words(&error)))).await
}

/// Imports an archive that is sound.
pub async fn import(cycle: &Cycle, archive: &[u8]) -> Imported {
    let imported = cycle.engine.import_archive(archive, &Run::new()).await;
    imported.unwrap_or_else(|error| panic!("import: {}", words(&error)))
}

/// Values of all kinds that a site may have, also in columns and types of its own.
const ODD_ROWS: &str = r#"
ALTER TABLE vrf ADD owner text, ADD "Odd ""name" varchar(9), ADD ports int[], ADD names text[],
    ADD secret bytea, ADD price numeric(12, 3), ADD ratio double precision, ADD doc json,
    ADD seen timestamp, ADD span interval, ADD net inet, ADD json_text jsonb, ADD small smallint,
    ADD doubled int GENERATED ALWAYS AS (2) STORED;
INSERT INTO vrf (vrf_id, description, tags, owner, "Odd ""name", ports, names, secret, price, ratio,
    doc, seen, span, net, json_text, small) VALUES
('full', E'tab\t newline\n return\r back\\slash \b\f\v quote" ''', '{"a": 1.50, "b": [null, "ü\n"]}',
    'größer 漢字 🦀', 'x', '{1,NULL,3}', '{"a,b","c\"d",NULL,"NULL",""}', '\x00ff5c0a', 1.500,
    'NaN', E'{"b":  1,\n "a": [1e400, "\\u0000"]}', '2024-02-29 23:59:59.999999', '1 mon -2 days',
    '2001:db8::1/64', '"a string"', -7),
('empty', '', '{}', '', '', '{}', '{}', '', 0, '-Infinity', '""', 'infinity', '0', '::1',
    'null', 0),
('nulls', NULL, 'null', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL),
(E'\\N', E'\\N', '"\\N"', 'null', 'NULL', '{}', '{}', E'\\\\N', -0.001, 1e-300, 'null', '-infinity',
    '1 day', '10.0.0.1', '[]', 32767),
(E'\x01\x7f', E'\x1f', '{"\u007f": "\u2028"}', E'\u0085', '🦀', '{}', '{}', '', 'NaN', 0.1, '[]',
    NULL, NULL, NULL, '1e5', 1);
INSERT INTO device42_ipaddress (ip_address, label, details) VALUES
    ('192.0.2.1', 'a', '{"k": {"deep": [1, 2, {"x": null}]}}'), ('2001:db8::1/48', '', NULL);
"#;

/// Exports, imports elsewhere, and restores there: everything is back.
async fn comes_back(disturbance: &str, database: crate::support::TestDatabase, arrange: &str) {
    let cycle = Cycle::new(database).await;
    cycle.sql(arrange).await;
    let before = cycle.contents().await;
    let id = cycle.backup().await;
    let archive = archive(&cycle, &id).await;

    let elsewhere = cycle.elsewhere().await;
    let imported = import(&elsewhere, &archive).await;
    assert_eq!((&imported.backup_id, &imported.notes), (&id, &Vec::new()));
    let [here, there] = [&cycle, &elsewhere].map(|cycle| cycle.engine.store());
    let (ours, theirs) = (here.manifest(&id).await, there.manifest(&id).await);
    let (mut ours, theirs) = (ours.expect("ours"), theirs.expect("theirs"));
    // What belongs to the store, not to the backup.
    assert!(theirs.imported && theirs.store != ours.store);
    ours.added_size = theirs.added_size;
    (ours.imported, ours.store) = (true, theirs.store.clone());
    (ours.snapshot.point, ours.capture) = (None, None);
    assert_eq!(ours, theirs);

    elsewhere.sql(disturbance).await;
    elsewhere.restore(&id).await;
    assert_same(&elsewhere.contents().await, &before);
}

const MESS: &str = "DELETE FROM vpc_prefix_association; UPDATE prefix SET parent_prefix_id = NULL;
    DELETE FROM prefix WHERE source = 'manual';
    UPDATE vpc SET tags = '{}'";

#[tokio::test]
async fn an_archive_is_the_same_backup_in_another_store_and_restores_byte_for_byte() {
    comes_back(MESS, sample_database().await, "").await;
}

#[tokio::test]
async fn values_of_every_kind_come_back_exactly() {
    comes_back("DELETE FROM vrf WHERE vrf_id NOT LIKE 'p%'", database().await, ODD_ROWS).await;
}

#[tokio::test]
async fn a_site_without_the_device42_table_is_like_any_other() {
    let drop = "DROP TABLE device42_ipaddress";
    comes_back(MESS, sample_database().await, drop).await;
}

#[tokio::test]
async fn an_id_that_is_taken_becomes_the_next_and_the_import_says_so() {
    let cycle = Cycle::new(sample_database().await).await;
    let id = cycle.backup().await;
    let archive = archive(&cycle, &id).await;
    let again = import(&cycle, &archive).await;
    assert_eq!(again.backup_id, id.next());
    assert_eq!(again.notes, [format!("the id {id} is taken by a backup with the same rows")]);
    assert_eq!(again.backup_info.added_size, 0);
    let [from, to] = [id, again.backup_id].map(Point::Backup);
    assert!(cycle.engine.diff(&from, &to, 1, &Run::new()).await.expect("a diff").identical);
    assert!(cycle.engine.verify(&[], &Run::new()).await.expect("verified").is_intact());
}

#[tokio::test]
async fn a_store_that_cuts_its_trees_otherwise_takes_the_archive_all_the_same() {
    let cycle = Cycle::new(sample_database().await).await;
    let id = cycle.backup().await;
    let archive = archive(&cycle, &id).await;
    let folder = crate::support::folder();
    let program = Program::at(None);
    let place = folder.path().join("archive.tar");
    std::fs::write(&place, &archive).expect("written");
    // As an older or a newer version might have set up its store.
    program.ok(&["import", place.to_str().expect("a path")]);
    let store = program.store().join("store.json");
    let text = std::fs::read_to_string(&store).expect("parameters");
    let mut parameters: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    parameters.as_object_mut().expect("an object").remove("checksum");
    let factor = parameters["leaf_factor"].as_u64().expect("a number");
    parameters["leaf_factor"] = (factor / 2).into();
    program.ok(&["delete", id.as_str(), "--yes"]);
    std::fs::write(&store, ipam_rewind::model::seal(&parameters)).expect("written");

    let imported = program.json(&["import", place.to_str().expect("a path")]);
    let root = |value: &serde_json::Value| value["datasets"]["prefixes"]["root"].clone();
    let ours = program.json(&["details", id.as_str()]);
    assert_eq!(imported["backup_id"], id.as_str());
    assert_ne!(
        root(&ours["backup_info"]),
        cycle.engine.details(&id, std::time::Duration::MAX).await.expect("details").info.datasets["prefixes"]
            .root
            .to_string()
    );
    // The rows are the same: what goes out again is the same, but for the hashes.
    for dataset in Profile::builtin().dataset_names() {
        let file = folder.path().join("file");
        let name = file.to_str().expect("a path");
        program.ok(&["export", id.as_str(), "--dataset", dataset.name(), "--output", name]);
        let original = cycle.engine.export_dataset(&id, dataset.name(), &Run::new()).await;
        let original = whole(original.expect("exported")).await;
        assert!(std::fs::read(&file).expect("written") == original, "{dataset}");
    }
}

#[tokio::test]
async fn description_pin_and_labels_go_along_and_claims_of_tests_do_not() {
    let cycle = Cycle::new(database().await).await;
    let id = cycle.backup().await;
    cycle.restore(&id).await;
    let annotation = Annotation {
        description: Some("Golden".into()),
        pinned: Some(true),
        labels: [("change".to_owned(), Some("CHG-1".to_owned()))].into(),
    };
    cycle.engine.annotate(&id, &annotation).await.expect("annotated");
    let archive = archive(&cycle, &id).await;
    let info = import(&cycle.elsewhere().await, &archive).await.backup_info;
    assert_eq!((info.description.as_str(), info.pinned), ("Golden", true));
    assert_eq!(info.labels["change"], "CHG-1");
    assert!(!info.restore_tested && info.verification.is_none());
}

#[tokio::test]
async fn the_verbs_pass_archives_through_files_folders_and_pipes() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let id = program.backup();
    let folder = crate::support::folder();
    let path = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    let exported = program.json(&["export", &id, "--output", &path("a.tar")]);
    assert_eq!(exported["status"], "success");
    let size = std::fs::metadata(path("a.tar")).expect("written").len();
    assert_eq!(exported["size"], size);

    // Any tar program can unpack it, into a folder of its own.
    let unpacked =
        std::process::Command::new("tar").args(["-xf", &path("a.tar"), "-C", &path("")]).status();
    assert!(unpacked.expect("tar runs").success());
    let other = Program::at(None);
    assert_eq!(other.json(&["import", &path(&id)])["backup_id"], id.as_str());

    let piped = program.command(&["export", &id, "--output", "-"]).output().expect("runs");
    assert_eq!(piped.stdout.len() as u64, size);
    let third = Program::at(None);
    let mut import = third.command(&["import", "-"]);
    let archive = std::fs::File::open(path("a.tar")).expect("the archive");
    let ended = import.stdin(archive).output().expect("runs");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(third.ids(), [id]);
    assert_eq!(third.ok(&["verify"]).lines().last(), Some("No damage found."));
}
