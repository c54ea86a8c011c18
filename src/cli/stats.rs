//! `stats`

use clap::Args;

use super::context::Context;
use super::error::CliError;
use super::list::mark;
use super::output::{self, count, numbers, plural, size, table};
use crate::api::body;
use crate::engine::StoreStatistics;
use crate::service::{Disk, DiskSpace, Statistics};

/// Show store size, compression, and the space that each backup uses
#[derive(Debug, Args)]
pub struct Arguments {}

impl Arguments {
    /// Runs the command.
    pub async fn run(self, context: &Context) -> Result<(), CliError> {
        let engine = context.engine().await?;
        let disk = DiskSpace::of_store(engine.store());
        // Only a service that has run for a while knows how fast the store grows.
        let disk = disk.map(|space| Disk { space, full_in_days: None });
        let statistics = Statistics { store: engine.stats().await?, disk };
        context.print::<body::Statistics, _>(&statistics, |statistics| text(&statistics.store));
        output::errors(&statistics.store.unreadable);
        Ok(())
    }
}

fn text(statistics: &StoreStatistics) -> String {
    let s = statistics;
    let mut costs = table(&["Backup", "Logical", "Added", "Deleting it frees", ""]);
    for cost in &s.costs {
        costs.add_row([
            cost.backup_id.to_string(),
            size(cost.size),
            size(cost.added_size),
            size(cost.exclusive_size),
            mark(cost.backup_type).to_owned(),
        ]);
    }
    numbers(&mut costs, 1..=3);
    let backups = plural(s.backups as u64, "backup");
    format!(
        "Store        {} ({backups})\nLogical      {}  (all rows of all backups)\n\
         Unique       {}  in {} chunks (dedup {:.1} : 1)\n\
         Stored       {}  in {} (compression {:.1} : 1)\nTotal        {:.1} : 1\n\n{costs}",
        s.place,
        size(s.logical_bytes),
        size(s.unique_bytes),
        count(s.chunks),
        s.dedup_ratio,
        size(s.stored_bytes),
        plural(s.packs, "pack"),
        s.compression_ratio,
        s.total_ratio,
    )
}
