//! A bounded run of every fuzz target, on real stored bytes with a few of them changed.

use std::fs;
use std::io::Read;

use crate::store::samples::files;
use crate::support::program::Program;
use crate::support::sample_database;

#[path = "../../fuzz/src/lib.rs"]
mod targets;

/// How often each target sees each of its seeds changed.
const ROUNDS: u64 = 300;

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 24
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next()).expect("40 bits") % limit.max(1)
    }

    /// The bytes with one to four mutations: a byte changed, a run cut out or doubled, the end cut.
    fn mutate(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(4) {
            let place = self.below(bytes.len());
            let run = place..(place + self.below(16)).min(bytes.len());
            match self.below(5) {
                0 => bytes.truncate(place),
                1 => drop(bytes.drain(run)),
                2 => {
                    let run = bytes[run].to_vec();
                    bytes.splice(place..place, run);
                }
                _ => {
                    if let Some(byte) = bytes.get_mut(place) {
                        *byte = u8::try_from(self.next() & 0xff).expect("eight bits");
                    }
                }
            }
        }
        bytes
    }
}

/// The metadata of an archive.
fn first_member(archive: &[u8]) -> Vec<u8> {
    let mut archive = tar::Archive::new(archive);
    let mut members = archive.entries().expect("an archive");
    let mut text = Vec::new();
    let mut first = members.next().expect("a member").expect("sound");
    first.read_to_end(&mut text).expect("read");
    text
}

#[tokio::test]
async fn no_parser_of_stored_bytes_panics_whatever_they_are() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let id = program.backup();
    let mut seeds = vec![Vec::new()];
    let stored = files(program.store(), "");
    seeds.extend(stored.iter().map(|path| fs::read(path).expect("a file")));
    let archive = program.command(&["export", &id, "--output", "-"]).output().expect("it runs");
    seeds.push(first_member(&archive.stdout));
    // Chunks, as they are before they are packed.
    let packs: Vec<_> =
        seeds.iter().filter(|seed| seed.starts_with(b"IPRWPK01")).cloned().collect();
    assert!(!packs.is_empty(), "a backup leaves a pack");
    let chunks = packs.iter().flat_map(|pack| ipam_rewind::store::parse::chunks(pack));
    let chunks: Vec<_> = chunks.filter_map(Result::ok).collect();
    assert!(chunks.len() > 50, "{} chunks", chunks.len());
    seeds.extend(chunks.into_iter().step_by(10));
    let mut numbers = Numbers(1);
    for (_, target) in targets::TARGETS {
        for seed in &seeds {
            // Large ones cost time without saying more.
            let rounds = if seed.len() > 100_000 { ROUNDS / 20 } else { ROUNDS };
            target(seed);
            for _ in 0..rounds {
                target(&numbers.mutate(seed));
            }
        }
    }
}
