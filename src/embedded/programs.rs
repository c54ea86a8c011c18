//! Finds the PostgreSQL server programs, which Debian keeps off the `PATH`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::EmbeddedError;

const OVERRIDE: &str = "IPAM_REWIND_PG_BIN";
const DEBIAN: &str = "/usr/lib/postgresql";

/// The folder of `initdb` and `postgres`: the one asked for, else what `IPAM_REWIND_PG_BIN` says,
/// else what `pg_config` says, else the newest version that Debian's packages installed.
pub(super) fn find(asked: Option<&Path>) -> Result<PathBuf, EmbeddedError> {
    let set = || env::var_os(OVERRIDE).map(PathBuf::from);
    if let Some(folder) = asked.map(Path::to_owned).or_else(set) {
        return if holds_server(&folder) {
            Ok(folder)
        } else {
            Err(EmbeddedError::NoProgramsThere(folder))
        };
    }
    told_by_pg_config()
        .filter(|folder| holds_server(folder))
        .or_else(|| newest_version(Path::new(DEBIAN)))
        .ok_or(EmbeddedError::ProgramsNotFound)
}

fn holds_server(folder: &Path) -> bool {
    ["initdb", "postgres"].iter().all(|program| folder.join(program).is_file())
}

fn told_by_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let folder = String::from_utf8(output.stdout).ok()?;
    (output.status.success()).then(|| PathBuf::from(folder.trim()))
}

fn newest_version(root: &Path) -> Option<PathBuf> {
    fs::read_dir(root)
        .ok()?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, folder)| holds_server(folder))
        .max()
        .map(|(_, folder)| folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(root: &Path, version: &str, programs: &[&str]) {
        let folder = root.join(version).join("bin");
        fs::create_dir_all(&folder).unwrap();
        for program in programs {
            fs::write(folder.join(program), "").unwrap();
        }
    }

    #[test]
    fn the_newest_complete_version_wins_by_number_not_by_text() {
        let root = tempfile::tempdir().unwrap();
        install(root.path(), "9", &["initdb", "postgres"]);
        install(root.path(), "15", &["initdb", "postgres"]);
        install(root.path(), "18", &["psql"]);
        install(root.path(), "common", &["initdb", "postgres"]);
        assert_eq!(newest_version(root.path()), Some(root.path().join("15/bin")));
    }

    #[test]
    fn without_an_installation_nothing_is_found() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(newest_version(root.path()), None);
        assert_eq!(newest_version(&root.path().join("missing")), None);
    }
}
