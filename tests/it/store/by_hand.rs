//! The commands of `store-format.md`, "Restoring by hand", run as they stand there with a real psql.

use std::path::Path;
use std::process::Command;

use ipam_rewind::embedded::sample;

use crate::support::program::{Ended, Program};
use crate::support::sample_database;

/// The commands of a section of the page, block by block.
fn commands(section: &str) -> Vec<String> {
    let page = include_str!("../../../store-format.md");
    let (_, rest) = page.split_once(&format!("\n### {section}\n")).expect("the section");
    let end = rest.find("\n## ").expect("another section");
    let blocks = rest[..end].split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().expect("its text").to_owned()).collect()
}

fn run(commands: &str, environment: &[(&str, &str)], folder: &Path) -> Ended {
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", commands]).current_dir(folder);
    let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    std::os::unix::fs::symlink(reader, folder.join("tests")).ok();
    // The system's Python has the module that the page asks for.
    let path = format!("/usr/bin:/bin:{}", std::env::var("PATH").unwrap_or_default());
    bash.env("PATH", path).envs(environment.iter().copied()).env("PYTHONDONTWRITEBYTECODE", "1");
    bash.output().expect("bash runs").into()
}

#[tokio::test(flavor = "multi_thread")]
async fn restoring_by_hand_brings_every_table_and_sequence_back() {
    let database = sample_database().await;
    let odd = r#"INSERT INTO vrf VALUES (E'odd\tvrf\\.', E'\\.\n\\N "quotes"', '{"π": 1}', true, false),
                 ('null', NULL, '{}', true, false)"#;
    database.sql(odd).await;
    let program = Program::on(&database);
    let id = program.backup();
    let before = database.dump().await;
    let next = "SELECT nextval('device42_ipaddress_id_seq')";
    let expected = database.value(next).await;
    let mut connection = database.connect().await;
    sample::make_mess(&mut connection).await.expect("a mess");
    database.sql("SELECT setval('device42_ipaddress_id_seq', 999999)").await;
    let mess = database.dump().await;
    assert_ne!(mess["prefix"], before["prefix"]);

    let folder = crate::support::folder();
    let store = program.store().to_str().expect("a path");
    let environment = [("STORE", store), ("ID", id.as_str()), ("DATABASE", database.url.as_str())];
    let blocks = commands("Restoring by hand");
    assert_eq!(blocks.len(), 2);
    for block in &blocks {
        let ended = run(block, &environment, folder.path());
        assert_eq!(ended.code, 0, "{block}{}{}", ended.out, ended.err);
    }
    let after = database.dump().await;
    let mut compared = 0;
    for (name, expected) in before.iter().filter(|(name, _)| !name.starts_with("sequence ")) {
        if name != "idempotency_record" {
            assert_eq!(after[name], *expected, "{name}");
            compared += 1;
        }
    }
    assert!(compared >= 8, "{:?}", before.keys());
    assert_eq!(database.value(next).await, expected);
    assert_eq!(program.json(&["diff", &id])["identical"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn restoring_by_hand_of_a_damaged_store_changes_nothing() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let id = program.backup();
    database.sql("UPDATE vrf SET description = 'changed'").await;
    let before = database.dump().await;
    let packs = super::samples::files(program.store(), "packs");
    let mut bytes = std::fs::read(&packs[0]).expect("a pack");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&packs[0], bytes).expect("written");
    let folder = crate::support::folder();
    let store = program.store().to_str().expect("a path");
    let environment = [("STORE", store), ("ID", id.as_str()), ("DATABASE", database.url.as_str())];
    let ended = run(&commands("Restoring by hand")[0], &environment, folder.path());
    assert!(ended.code != 0 && ended.err.contains("damaged: "), "{}", ended.err);
    assert!(database.dump().await == before);
}
