//! Takes the figures down, and writes them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::measure::Measured;
use crate::results::{self, Row, Run, Wait};

impl Run {
    /// One more measurement of a row.
    pub fn took(&mut self, what: &str, by: &str, measured: &Measured, server_cpu: Duration) {
        eprintln!("  {what}, {by}: {:.2} s", measured.wall.as_secs_f64());
        let row = self.row_to_fill(what, by);
        row.seconds.push(measured.wall.as_secs_f64());
        row.cpu_seconds.push(measured.cpu.as_secs_f64());
        row.server_cpu_seconds.push(server_cpu.as_secs_f64());
        row.peak_bytes.push(measured.peak);
    }

    /// By how much the files of a row's program grew.
    pub fn stored(&mut self, what: &str, by: &str, bytes: u64) {
        self.row_to_fill(what, by).stored_bytes.push(bytes);
    }

    /// How long each operation of a client took while something ran.
    pub fn waited(&mut self, during: &str, who: &str, mut operations: Vec<Duration>) {
        operations.sort_unstable();
        let milliseconds =
            |wait: Option<&Duration>| wait.map_or(0.0, |wait| wait.as_secs_f64() * 1e3);
        let within_99 = (operations.len() * 99).div_ceil(100).saturating_sub(1);
        let wait = self.wait_to_fill(during, who);
        wait.operations.push(operations.len() as u64);
        wait.longest_ms.push(milliseconds(operations.last()));
        wait.within_99_ms.push(milliseconds(operations.get(within_99)));
    }

    fn row_to_fill(&mut self, what: &str, by: &str) -> &mut Row {
        let there = self.rows.iter().position(|row| row.what == what && row.by == by);
        let place = there.unwrap_or_else(|| {
            self.rows.push(Row { what: what.into(), by: by.into(), ..Row::default() });
            self.rows.len() - 1
        });
        &mut self.rows[place]
    }

    fn wait_to_fill(&mut self, during: &str, who: &str) -> &mut Wait {
        let there = self.waits.iter().position(|wait| wait.during == during && wait.who == who);
        let place = there.unwrap_or_else(|| {
            self.waits.push(Wait { during: during.into(), who: who.into(), ..Wait::default() });
            self.waits.len() - 1
        });
        &mut self.waits[place]
    }
}

/// Writes the figures of a run, and every page that quotes figures.
pub fn write(run: &Run, project: &Path) -> Result<()> {
    let file = project.join(format!("benches/results/cycle-{}.json", run.prefixes));
    fs::write(&file, serde_json::to_string_pretty(run)? + "\n")?;
    write_pages(project)
}

/// Writes every page that quotes figures.
pub fn write_pages(project: &Path) -> Result<()> {
    for page in results::pages(project)? {
        fs::write(&page.path, page.text)?;
    }
    Ok(())
}
