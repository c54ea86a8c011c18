//! Notices arrive: in the form of each service, whatever a target does, and over a restart.

mod delivery;
mod formats;
mod reports;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use ipam_rewind::api::body::notice;
use ipam_rewind::service::notify::{Notifier, Target, Wanted};

const QUICK: Duration = Duration::from_millis(5);

fn target(url: &str) -> Target {
    let target = Target::parse(url, Wanted::Failure, None, notice);
    target.expect("an address").with_first_pause(QUICK)
}

fn at() -> DateTime<Utc> {
    "2025-09-20T14:30:22Z".parse().expect("a time")
}

/// A notifier over a folder, and what it tells of its deliveries.
fn notifier(targets: Vec<Target>, folder: &Path) -> (Notifier, Arc<Mutex<Vec<String>>>) {
    let told = Arc::<Mutex<Vec<String>>>::default();
    let kept = told.clone();
    let tell = move |format: &'static str, delivery| {
        kept.lock().expect("no panic").push(format!("{format} {delivery:?}"));
    };
    (Notifier::start(targets, folder, tell).expect("it starts"), told)
}
