//! Runs programs and measures them from outside.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::processes;

/// Memory is looked at so often; sooner at first, for programs that end soon.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// What a program, or a pipe of programs, took.
pub struct Measured {
    /// From the start of the first to the end of the last.
    pub wall: Duration,
    /// What all of them computed, in the system's name, too.
    pub cpu: Duration,
    /// The most memory that the largest of them had resident, in bytes.
    pub peak: u64,
    /// What the last one printed.
    pub output: String,
}

/// Runs each program with the output of the one before as its input. All must be successes.
pub fn pipe(mut commands: Vec<Command>) -> Result<Measured> {
    let cpu_before = cpu_of_children()?;
    let began = Instant::now();
    let (mut children, output) = started(&mut commands)?;
    let output = read_aside(output);
    let (end, ended) = mpsc::channel();
    let pids: Vec<_> = children.iter().map(Child::id).collect();
    let watching = thread::spawn(move || watch(&pids, &ended));
    let ends: io::Result<Vec<_>> = children.iter_mut().map(Child::wait).collect();
    let wall = began.elapsed();
    drop(end);
    let peak = watching.join().expect("watching does not panic");
    for (command, end) in commands.iter().zip(ends?) {
        ensure!(end.success(), "{command:?} failed: {end}");
    }
    let output = output.join().expect("reading does not panic")?;
    Ok(Measured { wall, cpu: cpu_of_children()?.saturating_sub(cpu_before), peak, output })
}

fn started(commands: &mut [Command]) -> Result<(Vec<Child>, ChildStdout)> {
    let mut children = Vec::new();
    let mut input: Option<ChildStdout> = None;
    for command in commands {
        command.stdin(input.take().map_or_else(Stdio::null, Stdio::from)).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
        input = child.stdout.take();
        children.push(child);
    }
    Ok((children, input.context("nothing to run")?))
}

fn read_aside(mut stdout: ChildStdout) -> JoinHandle<io::Result<String>> {
    thread::spawn(move || {
        let mut output = String::new();
        stdout.read_to_string(&mut output).map(|_| output)
    })
}

/// The most memory that one of these processes, or of those below them, had until the channel ends.
///
/// The system keeps the highest mark itself, so that the last look before the end is nearly the truth.
/// A look every 2 ms took a tenth longer of what was measured.
fn watch(pids: &[u32], ended: &Receiver<()>) -> u64 {
    let (mut peak, mut pause) = (0, Duration::from_millis(1));
    while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        pause = BETWEEN_LOOKS.min(2 * pause);
        let now = pids.iter().map(|pid| processes::peak_of_tree(*pid)).max();
        peak = peak.max(now.unwrap_or(0));
    }
    peak
}

/// What all children that were waited for computed. The private server is none of them as long
/// as it runs.
fn cpu_of_children() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let microseconds = (usage.user_time() + usage.system_time()).num_microseconds();
    Ok(Duration::from_micros(u64::try_from(microseconds)?))
}

/// Bytes of a file, or of all files below a folder; none if it is not there.
pub fn size(path: &Path) -> Result<u64> {
    if !path.is_dir() {
        return Ok(fs::metadata(path).map_or(0, |file| file.len()));
    }
    fs::read_dir(path)?.map(|entry| size(&entry?.path())).sum()
}
