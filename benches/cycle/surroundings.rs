//! What a run depends on: the machine, and the programs that take part with their versions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Rivals that may be missing, and Debian's names for their packages.
const RIVALS: [(&str, &str); 2] = [("restic", "restic"), ("borg", "borgbackup")];

/// What a program prints, if it is there and content.
fn told(program: impl AsRef<Path>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program.as_ref()).args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

/// The commit that is measured.
pub fn commit() -> String {
    told("git", &["describe", "--always", "--dirty"]).unwrap_or_else(|| "unknown".into())
}

/// Processor, memory and kernel.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let processor = entry("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into());
    let memory = entry("/proc/meminfo", "MemTotal")
        .and_then(|size| size.strip_suffix(" kB")?.parse::<u64>().ok())
        .map_or_else(String::new, |kib| format!(", {} GiB", kib.div_ceil(1 << 20)));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} cores, {processor}{memory}, Linux {}", kernel.trim())
}

fn entry(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'));
    Some(line?.1.trim().to_owned())
}

/// The rivals that are installed, and a sentence for each that is not.
pub fn rivals() -> (Vec<&'static str>, Vec<String>) {
    let mut missing = Vec::new();
    let mut there = Vec::new();
    for (program, package) in RIVALS {
        if told(program, &["--help"]).is_some() {
            there.push(program);
        } else {
            missing
                .push(format!("{program}: not installed, skipped (Debian's package: {package})"));
        }
    }
    (there, missing)
}

/// The script that installs E-Maj without its extension, in the folder that EMAJ_SQL names; or why there is
/// none.
pub fn emaj() -> Result<PathBuf, String> {
    let folder = std::env::var_os("EMAJ_SQL")
        .ok_or("E-Maj: EMAJ_SQL names no folder with its script, skipped")?;
    let is_script = |path: &PathBuf| {
        let name =
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let is_sql = path.extension().is_some_and(|it| it == "sql");
        is_sql && name.starts_with("emaj-") && !name.starts_with("emaj--")
    };
    let entries = fs::read_dir(&folder).map_err(|error| format!("E-Maj: {error}, skipped"))?;
    let mut scripts: Vec<_> =
        entries.flatten().map(|entry| entry.path()).filter(is_script).collect();
    scripts.sort();
    scripts.pop().ok_or_else(|| "E-Maj: no emaj-VERSION.sql in EMAJ_SQL, skipped".into())
}

/// The version of every program that takes part.
pub fn versions(postgres_programs: &Path, rivals: &[&str]) -> Vec<String> {
    let mut versions = vec![
        told(env!("CARGO_BIN_EXE_ipam-rewind"), &["--version"]),
        told(postgres_programs.join("postgres"), &["--version"]),
        told("rustc", &["--version"]),
        Some(format!("zstd {}", zstd::zstd_safe::version_string())),
    ];
    if rivals.contains(&"restic") {
        versions.push(told("restic", &["version"]));
    }
    if rivals.contains(&"borg") {
        versions.push(told("borg", &["--version"]));
    }
    versions.into_iter().flatten().collect()
}
