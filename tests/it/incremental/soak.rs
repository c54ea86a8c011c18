//! A random application on a server of its own, and backups as fast as they come: for a minute, or
//! `SOAK_SECONDS`. `SOAK_SEED` makes it do other things.

mod application;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ipam_rewind::engine::{Engine, Reading, Run};
use ipam_rewind::model::{CaptureMode, Manifest, Policy};

use self::application::{Application, Numbers};
use super::clusters::{Backups, plan_on};
use super::{compared, how, made};

const SETTINGS: &str = "max_prepared_transactions = 50\nautovacuum = on\nautovacuum_naptime = 1s\n\
    autovacuum_vacuum_threshold = 20\nautovacuum_freeze_max_age = 100000\nsynchronous_commit = off";

/// Backups that the store has at most.
const MOST: usize = 100;

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// What the soak went through.
#[derive(Debug, Default)]
struct Tally {
    changes: usize,
    whole_tables: usize,
    full: usize,
    compared: usize,
    rows_read: u64,
}

impl Tally {
    fn add(&mut self, manifest: &Manifest, wanted: CaptureMode) {
        let how = how(manifest);
        assert!(how.mismatch.is_empty(), "{:?}", how.mismatch);
        assert_eq!(how.mode, wanted, "{how:?}");
        self.rows_read += how.rows_read;
        self.whole_tables += how.tables.len();
        match how.mode {
            CaptureMode::Changes => self.changes += 1,
            CaptureMode::Full => self.full += 1,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_beside_a_random_application_are_those_that_reading_all_rows_gives() {
    let (seconds, seed) = (number("SOAK_SECONDS", 60), number("SOAK_SEED", 1));
    println!("seed {seed}, {seconds} s");
    let (server, backups) = (plan_on(SETTINGS).await, Backups::new().await);
    let engine = |backups: &Backups| Engine::new(backups.store.clone(), Some(server.url()));
    let here = engine(&backups);
    let mut tally = Tally::default();
    tally.add(&made(&here, Reading::default()).await, CaptureMode::Full);
    let application = Arc::new(Application::new(server.url()));
    let work = application.start(&mut Numbers(seed));
    let end = Instant::now() + Duration::from_secs(seconds);
    for round in 1.. {
        if round % 10 == 0 {
            let all = Reading { full: true, ..Reading::default() };
            tally.add(&made(&here, all).await, CaptureMode::Full);
            let paused = application.pause().await;
            let elsewhere = Backups::new().await;
            let same = compared(&here, &engine(&elsewhere), Reading::default()).await;
            drop(paused);
            tally.add(&same, CaptureMode::Changes);
            tally.compared += 1;
            if Instant::now() > end {
                break;
            }
        } else {
            tally.add(&made(&here, Reading::default()).await, CaptureMode::Changes);
        }
        if round % MOST == 0 {
            here.cleanup(&Policy::last(3), false, &Run::new()).await.expect("it cleans up");
        }
    }
    let done = application.stop(work).await;
    println!("{tally:?}, {done:?}");
    assert!(tally.changes > 9 && tally.compared > 0 && tally.rows_read > 0, "{tally:?}");
    assert!(done.committed > 50 && done.rolled_back > 0 && done.prepared > 0, "{done:?}");
    assert!(done.refused > 0 && done.maintained > 0, "{done:?}");
    let found = here.verify(&[], &Run::new()).await.expect("it ends");
    assert!(found.is_intact(), "{found:?}");
}
