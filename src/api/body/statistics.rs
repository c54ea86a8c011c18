//! The store in numbers, and how its size went.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::describe::describe;
use crate::service::sizes::{self, Size};

/// How the store's size went.
#[derive(Debug, Serialize, ToSchema)]
pub struct Sizes {
    /// Always `success`.
    status: &'static str,
    /// Oldest first; one after each job that changed the store. Of what is older than 90 days, the
    /// last of each day.
    sizes: Vec<Size>,
}

impl From<Vec<Size>> for Sizes {
    fn from(sizes: Vec<Size>) -> Self {
        Self { status: super::SUCCESS, sizes }
    }
}

describe! {
    /// The store's size at one moment.
    struct Size = sizes::Size {
        /// The moment.
        at: DateTime<Utc>,
        /// Backups.
        backups: usize,
        /// Bytes of all packs.
        stored_bytes: u64,
        /// Bytes of the rows of all backups.
        logical_bytes: u64,
    }
}
