//! What the system tells about running processes, in `/proc`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

/// `USER_HZ`, the unit of CPU times in `/proc`: the same on all of today's architectures.
const TICKS_A_SECOND: u64 = 100;

/// The most memory that a process, or any process below it, has had resident, in bytes.
pub fn peak_of_tree(pid: u32) -> u64 {
    let below = children(pid).into_iter().map(peak_of_tree);
    below.chain(high_water(pid)).max().unwrap_or(0)
}

fn high_water(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Those that the main thread of a process started and did not wait for yet.
fn children(pid: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_ascii_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// A PostgreSQL server with all of its processes.
pub struct Server {
    postmaster: u32,
}

impl Server {
    /// The server of a data folder.
    pub fn of(data: &Path) -> Result<Self> {
        let file = fs::read_to_string(data.join("postmaster.pid"))?;
        let postmaster = file.lines().next().context("a process id")?.trim().parse()?;
        Ok(Self { postmaster })
    }

    /// What it has computed since it was started: all that run, and all that have ended.
    pub fn cpu(&self) -> Result<Duration> {
        loop {
            let before = children(self.postmaster);
            let running = before.iter().filter_map(|pid| Some(ticks(*pid)?.own)).sum::<u64>();
            let main = ticks(self.postmaster).context("the server has gone")?;
            // One that ended in between would be counted twice, or not at all.
            if children(self.postmaster) == before {
                let ticks = running + main.own + main.ended_children;
                return Ok(Duration::from_millis(ticks * 1_000 / TICKS_A_SECOND));
            }
        }
    }
}

struct Ticks {
    own: u64,
    ended_children: u64,
}

/// See proc_pid_stat(5): utime and stime are the fields 14 and 15, those of children follow.
fn ticks(pid: u32) -> Option<Ticks> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field, the name, may hold blanks; it ends with the last parenthesis.
    let (_, rest) = stat.rsplit_once(')')?;
    let field = |number: usize| rest.split_ascii_whitespace().nth(number - 3)?.parse::<u64>().ok();
    Some(Ticks { own: field(14)? + field(15)?, ended_children: field(16)? + field(17)? })
}
