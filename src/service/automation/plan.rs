//! What the service is to do by itself.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;

use crate::engine::Clock;
use crate::model::{Age, Policy};
use crate::service::notify::{Monitor, Target};
use crate::service::schedule::Timetable;

/// How long a job goes on without any progress, unless told otherwise.
const STALL_TIMEOUT: Duration = Duration::from_mins(10);

/// What the service is to do by itself.
#[derive(Clone)]
pub struct Plan {
    /// When to back up.
    pub timetable: Timetable,
    /// How often to look for changes, and to make a backup if there are some; never without it.
    pub watch: Option<Duration>,
    /// What to keep after each backup; everything without it.
    pub retention: Option<Policy>,
    /// Whether the rules wait for somebody to confirm them if they would delete something at the first start.
    pub confirm_retention: bool,
    /// Within which time every backup is to be proven again; never without it.
    pub verify_within: Option<Age>,
    /// How long a job goes on without any progress.
    pub stall_timeout: Duration,
    /// Whom to tell of failures, or of more.
    pub notify: Vec<Target>,
    /// Who is told when scheduled backups begin and end.
    pub heartbeat: Option<Monitor>,
    /// The store that backups are copied into after they were made.
    pub copy_to: Option<String>,
    /// The time.
    pub clock: Clock,
}

impl Default for Plan {
    /// Nothing.
    fn default() -> Self {
        Self {
            timetable: Timetable::default(),
            watch: None,
            retention: None,
            confirm_retention: false,
            verify_within: None,
            stall_timeout: STALL_TIMEOUT,
            notify: Vec::new(),
            heartbeat: None,
            copy_to: None,
            clock: Arc::new(Utc::now),
        }
    }
}
