//! Runs a program and measures it from outside.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// What a program took.
pub struct Measured {
    /// From start to end.
    pub wall: Duration,
    /// The most memory that it had resident, in bytes.
    pub peak: u64,
    /// What it printed.
    pub output: String,
}

/// Runs a program to its end, which must be a success.
pub fn program(path: &Path, arguments: &[&str]) -> Result<Measured> {
    let began = Instant::now();
    let mut child = Command::new(path)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", path.display()))?;
    let mut stdout = child.stdout.take().context("a pipe")?;
    let reader = std::thread::spawn(move || {
        let mut output = String::new();
        stdout.read_to_string(&mut output).map(|_| output)
    });
    let mut peak = 0;
    let status = loop {
        // The high-water mark only grows, so the last look before the end is nearly the truth.
        peak = peak.max(high_water(child.id()).unwrap_or(0));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let wall = began.elapsed();
    ensure!(status.success(), "{} {arguments:?} failed: {status}", path.display());
    let output = reader.join().expect("reading does not panic")?;
    Ok(Measured { wall, peak, output })
}

fn high_water(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Bytes of all files below a folder.
pub fn folder_size(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.metadata()?;
        sum += if kind.is_dir() { folder_size(&entry.path())? } else { kind.len() };
    }
    Ok(sum)
}
