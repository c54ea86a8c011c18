//! The unit of the package, as docs/systemd.md shows it.

use std::fs;
use std::process::Command;

use super::docs::{block_of, file};
use crate::support::program::{Ended, Program};
use crate::support::serving::Serving;

/// The words after `Name=` in a unit.
fn setting<'a>(unit: &'a str, name: &str) -> &'a str {
    let mut lines = unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    lines.next_back().unwrap_or_else(|| panic!("{name} is not set"))
}

#[test]
fn the_page_shows_the_unit_of_the_package() {
    assert_eq!(
        block_of("docs/systemd.md", "ini unit"),
        file("packaging/debian/ipam-rewind.service")
    );
}

#[test]
fn systemd_finds_no_fault_in_the_unit_and_its_drop_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ipam-rewind.service");
    for more in ["", &block_of("docs/systemd.md", "ini drop-in")] {
        let unit = file("packaging/debian/ipam-rewind.service") + more;
        // The program is not installed here, nor is the account.
        let unit = unit.replace("/usr/bin/ipam-rewind", env!("CARGO_BIN_EXE_ipam-rewind"));
        fs::write(&path, unit.replace("User=ipam-rewind", "User=root")).expect("written");
        let mut verify = Command::new("systemd-analyze");
        verify.args(["verify", "--man=no", "--recursive-errors=no"]).arg(&path);
        let found: Ended =
            verify.output().expect("systemd is there; scripts/setup.sh installs it").into();
        let about: Vec<_> = found.err.lines().filter(|line| line.contains("ipam-rewind")).collect();
        assert!(found.code == 0 && about.is_empty(), "{}", found.err);
    }
}

#[tokio::test]
async fn the_service_starts_as_the_unit_and_its_settings_say() {
    let unit = file("packaging/debian/ipam-rewind.service");
    let settings = file("packaging/debian/service.env");
    let program = Program::at(None);
    let state = program.store().join(setting(&unit, "StateDirectory"));
    fs::create_dir(&state).expect("made");
    // As systemd does it: %S is the folder above the state folder, and OPTIONS is split into words.
    let line = setting(&unit, "ExecStart").replace("%S", &program.store().display().to_string());
    let options =
        setting(&settings, "OPTIONS").trim_matches('\'').replace("127.0.0.1:8000", "127.0.0.1:0");
    let words = line.replace("/usr/bin/ipam-rewind", "").replace("$OPTIONS", &options);
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec {} {words}", env!("CARGO_BIN_EXE_ipam-rewind"))]).env_clear();
    shell.env("STATE_DIRECTORY", &state).env("BACKUP_STORE", state.join("store"));
    assert_eq!(setting(&settings, "BACKUP_STORE"), "/var/lib/ipam-rewind/store");
    let serving = Serving::of(shell);
    assert!(state.join("first-token").is_file() && state.join("tokens.json").is_file());
    assert_eq!(serving.stop().await, 0);
}
