//! The programs as a user would call them.

use std::path::Path;
use std::process::Command;

/// The tables whose rows a backup holds, with their keys.
const TABLES: [(&str, &str); 5] = [
    ("vrf", "vrf_id"),
    ("vpc", "vpc_id"),
    ("prefix", "prefix_id"),
    ("vpc_prefix_association", "association_id"),
    ("device42_ipaddress", "id"),
];

/// A program in a session of its own, as cron, a timer of systemd and `ssh host program` begin it.
fn command(program: impl AsRef<Path>, arguments: &[&str]) -> Command {
    let mut command = Command::new("setsid");
    command.arg(program.as_ref()).args(arguments);
    command
}

/// Our own program.
pub fn rewind(store: &Path, url: &str, verb: &[&str]) -> Command {
    let mut command = command(env!("CARGO_BIN_EXE_ipam-rewind"), &["--quiet", "--yes"]);
    command.arg("--store").arg(store).args(["--database-url", url]).args(verb);
    command
}

/// Reads all rows as they come.
pub fn copy(programs: &Path, url: &str) -> Command {
    let all: String = TABLES.iter().map(|(table, _)| format!("COPY {table} TO STDOUT;")).collect();
    command(programs.join("psql"), &["-q", "-o", "/dev/null", "-c", &all, url])
}

/// Reads all rows in the order of their keys' bytes.
pub fn sorted_copy(programs: &Path, url: &str) -> Command {
    let order = |(table, key): &(&str, &str)| {
        format!("COPY (SELECT * FROM {table} ORDER BY {key}::text COLLATE \"C\") TO STDOUT;")
    };
    let all: String = TABLES.iter().map(order).collect();
    let all = format!("SET work_mem = '64MB';{all}");
    command(programs.join("psql"), &["-q", "-o", "/dev/null", "-c", &all, url])
}

/// A dump in PostgreSQL's own compressed format.
pub fn dump(programs: &Path, url: &str, file: &Path) -> Command {
    let mut command = command(programs.join("pg_dump"), &["-Fc", "-f"]);
    command.arg(file).arg(url);
    command
}

/// A dump as text, which others can find equal parts in.
pub fn plain_dump(programs: &Path, url: &str) -> Command {
    command(programs.join("pg_dump"), &["-Fp", url])
}

/// Puts a dump into an empty database.
pub fn pg_restore(programs: &Path, url: &str, file: &Path) -> Command {
    let mut command = command(programs.join("pg_restore"), &["-j2", "--no-owner", "-d", url]);
    command.arg(file);
    command
}

/// Installs E-Maj, and has it log the changes of all tables. The address is a superuser's.
pub fn emaj_install(programs: &Path, url: &str, script: &Path) -> Command {
    let tables: Vec<_> = TABLES.iter().map(|(table, _)| *table).collect();
    let begin = format!(
        "SELECT emaj.emaj_create_group('plan');
         SELECT emaj.emaj_assign_tables('public', '^({})$', NULL, 'plan');
         SELECT emaj.emaj_start_group('plan', 'start')",
        tables.join("|")
    );
    let mut command = command(programs.join("psql"), &["-q", "-o", "/dev/null"]);
    command.args(["-v", "ON_ERROR_STOP=1", "-f"]).arg(script).args(["-c", &begin, url]);
    command.env("PGOPTIONS", "-c client_min_messages=error");
    command
}

/// Has E-Maj take back what it logged. The address is a superuser's.
pub fn emaj_rollback(programs: &Path, url: &str) -> Command {
    let back = "SELECT * FROM emaj.emaj_rollback_group('plan', 'start')";
    let mut command = command(programs.join("psql"), &["-q", "-o", "/dev/null"]);
    command.args(["-c", back, url]);
    command
}

/// restic on a repository in `folder`, where its cache lies, too.
pub fn restic(folder: &Path, verb: &[&str]) -> Command {
    let mut command = command("restic", &["--quiet"]);
    command
        .env("RESTIC_PASSWORD", "a password")
        .env("RESTIC_CACHE_DIR", folder.join("restic-cache"))
        .arg("--repo")
        .arg(folder.join("restic"))
        .args(verb);
    command
}

/// What restic is given to keep its input.
pub const RESTIC_KEEP: [&str; 4] = ["backup", "--stdin", "--stdin-filename", "plan.sql"];

/// Makes a repository of borg in `folder`.
pub fn borg_init(folder: &Path) -> Command {
    let mut command = borg(folder);
    command.args(["init", "--encryption", "none"]).arg(folder.join("borg"));
    command
}

/// Keeps its input as the archive `name`.
pub fn borg_create(folder: &Path, name: &str) -> Command {
    let mut command = borg(folder);
    let archive = format!("{}::{name}", folder.join("borg").display());
    command.args(["create", &archive, "-"]);
    command
}

/// borg with its cache and notes in `folder`, asking nothing.
fn borg(folder: &Path) -> Command {
    let mut command = command("borg", &[]);
    command
        .env("BORG_BASE_DIR", folder.join("borg-base"))
        .env("BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes");
    command
}
