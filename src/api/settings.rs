//! What the API is told when it starts.

use std::time::Duration;

use super::base_path::BasePath;
use super::guard::{Hosts, Origins};

/// What the router lets through.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Calls that may be under way at a time.
    pub calls_at_a_time: usize,
    /// How long a call that is no job may take.
    pub patience: Duration,
    /// How long a body may stand still while it comes in.
    pub standstill: Duration,
    /// Bytes that an archive may have.
    pub largest_upload: u64,
    /// The names under which the service may be called.
    pub hosts: Hosts,
    /// The pages that may change something.
    pub origins: Origins,
    /// The path below which a proxy shows the service.
    pub base_path: BasePath,
}

impl Default for Settings {
    fn default() -> Self {
        let hosts = Hosts::new(([127, 0, 0, 1], 0).into(), &[]);
        let origins = Origins::default();
        Self {
            calls_at_a_time: 256,
            patience: Duration::from_secs(30),
            standstill: Duration::from_secs(30),
            largest_upload: 4 << 30,
            hosts,
            origins,
            base_path: BasePath::default(),
        }
    }
}
