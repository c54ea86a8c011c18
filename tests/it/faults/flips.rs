//! A flipped bit in a small file, met by the whole program: it is named, and does no harm to restores
//! and pins.

use std::fs;

use crate::support::program::Program;
use crate::support::sample_database;

/// Places in a text that matter most, and some that are chosen by nothing.
fn places(text: &str) -> Vec<usize> {
    let telling =
        ["\"leaf_factor\": 3", "\"pinned\": t", "\"pin", "\"next_number\": ", "\"checksum\": \"0"];
    let mut places: Vec<_> =
        telling.iter().filter_map(|what| Some(text.find(what)? + what.len() - 1)).collect();
    places.extend([1, 2].map(|n| text.len() * n / 3));
    places
}

#[tokio::test(flavor = "multi_thread")]
async fn flipped_bits_of_small_files_are_named_and_cost_neither_restores_nor_pins() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let pinned = program.backup();
    program.ok(&["annotate", &pinned, "--pin"]);
    database.sql("UPDATE vrf SET description = 'second'").await;
    let second = program.backup();
    let wanted = database.dump().await;
    let state = format!("{pinned}/state.json");
    let manifest = format!("{pinned}/manifest.json");
    let mut tried = 0;
    for name in ["store.json", "ids.json", &state, &manifest] {
        let path = program.store().join(name);
        let text = fs::read(&path).expect("readable");
        for place in places(&String::from_utf8_lossy(&text)) {
            let mut flipped = text.clone();
            flipped[place] ^= 1;
            fs::write(&path, &flipped).expect("written");
            program.ok(&["cleanup", "1"]);
            assert!(program.store().join(&manifest).exists(), "{name}, byte {place}");
            database.sql("UPDATE vrf SET description = 'oops'").await;
            program.ok(&["restore", &second, "--yes", "--no-safety-backup"]);
            assert!(database.dump().await == wanted, "{name}, byte {place}");
            // What repairs itself has said so already, where it was met first.
            fs::write(&path, &flipped).expect("written");
            let found = program.run(&["verify"]);
            // What was written again affects no backup any more.
            let code = if name.contains('/') { 4 } else { 0 };
            assert_eq!(found.code, code, "{name}, byte {place}: {}", found.out);
            let named = if name.contains('/') { &pinned } else { name };
            assert!(found.out.contains(named), "{name}, byte {place}: {}", found.out);
            fs::write(&path, &text).expect("written");
            program.ok(&["verify"]);
            tried += 1;
        }
    }
    assert!(tried >= 12, "{tried}");
}
