//! The command line: verbs, words, JSON bodies, questions, exit codes.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use serde_json::Value;
use sqlx::Connection;

use crate::support::program::{Ended, Program};
use crate::support::s3::S3Server;
use crate::support::{database, sample_database};

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[tokio::test]
async fn a_backup_answers_with_the_documented_body() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let body = program.json(&["backup", "Before major update"]);
    assert_eq!(keys(&body), ["status", "message", "backup_id", "backup_info", "timestamp"]);
    let info = &body["backup_info"];
    let id = body["backup_id"].as_str().expect("an id");
    assert_eq!(info["description"], "Before major update");
    assert_eq!(info["created_by"], "system");
    assert_eq!(info["backup_type"], "full");
    assert_eq!(info["status"], "completed");
    assert_eq!(info["restore_tested"], false);
    assert_eq!(
        info["files"],
        serde_json::json!({
            "vrfs": format!("vrfs_export_{id}.json"),
            "prefixes": format!("manual_prefixes_export_{id}.json"),
            "vpcs": format!("vpc_data_export_{id}.json"),
            "public_ips": format!("public_ips_export_{id}.json"),
        })
    );
    let timestamp = info["timestamp"].as_str().expect("a time");
    assert_eq!(timestamp.len(), "2025-09-20T14:30:22.123456".len());
    assert_eq!(info["created_at"], format!("{timestamp}Z"));
    assert_eq!(timestamp[..19].replace(['-', ':'], "").replace('T', "_"), id);
    assert_eq!(info["datasets"]["vrfs"]["rows"], 10);
}

#[tokio::test]
async fn list_and_details_answer_with_the_documented_bodies() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let (first, second) = (program.backup(), program.backup());
    let list = program.json(&["list"]);
    assert_eq!(keys(&list), ["status", "backups", "count"]);
    assert_eq!(list["count"], 2);
    assert_eq!(program.ids(), [second, first.clone()]);
    let listed = &list["backups"][1];
    assert_eq!((&listed["backup_path"], &listed["age_days"]), (&first.as_str().into(), &0.into()));
    let description = listed["description"].as_str().expect("the default");
    assert!(description.starts_with("Backup created on 20"), "{description}");

    let details = program.json(&["details", &first]);
    assert_eq!(keys(&details), ["status", "backup_info"]);
    let files = details["backup_info"]["files_info"].as_array().expect("four files");
    assert_eq!(files.len(), 4);
    assert_eq!(keys(&files[0]), ["name", "size", "modified"]);
    let sum: u64 = files.iter().map(|file| file["size"].as_u64().expect("a size")).sum();
    assert_eq!(details["backup_info"]["total_size"], sum);
}

#[tokio::test]
async fn a_restore_says_what_it_did_and_how_to_undo_it() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let id = program.backup();
    database.sql("UPDATE vrf SET description = 'oops' WHERE vrf_id = 'prod-vrf'").await;
    let body = program.json(&["restore", &id, "--yes"]);
    assert_eq!(keys(&body), ["status", "message", "backup_id", "restore_results", "timestamp"]);
    let results = &body["restore_results"];
    let vrfs = serde_json::json!({"inserted": 0, "updated": 1, "deleted": 0, "unchanged": 9});
    assert_eq!(results["vrfs"], vrfs);
    assert_eq!(results["proven"], true);
    let safety = results["safety_backup"].as_str().expect("a safety backup");

    let details = program.json(&["details", &id]);
    assert_eq!(details["backup_info"]["restore_tested"], true);
    assert_eq!(program.json(&["details", safety])["backup_info"]["backup_type"], "pre-restore");
    let said = program.ok(&["restore", safety, "--yes"]);
    assert!(said.contains("To undo this: ipam-rewind restore 20"), "{said}");
    assert_eq!(
        database.value("SELECT description FROM vrf WHERE vrf_id = 'prod-vrf'").await,
        "oops"
    );
}

#[tokio::test]
async fn a_dry_run_shows_the_changes_and_makes_none() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let id = program.backup();
    database.sql("UPDATE vrf SET description = 'oops' WHERE vrf_id = 'prod-vrf'").await;
    let before = database.dump().await;
    let said = program.ok(&["restore", &id, "--dry-run"]);
    assert!(said.contains("~ vrf prod-vrf\n    description: oops → "), "{said}");
    assert_eq!(database.dump().await, before);
    assert_eq!(program.ids().len(), 1);
}

#[tokio::test]
async fn a_question_without_a_terminal_is_a_refusal() {
    let database = database().await;
    let program = Program::on(&database);
    let id = program.backup();
    for verb in [["restore", &id, "--json"], ["delete", &id, "--json"]] {
        let ended = program.run(&verb);
        assert_eq!(ended.code, 2, "{}", ended.err);
        assert!(ended.err.contains("pass --yes"), "{}", ended.err);
        assert!(ended.out.contains("\"malformed_request\""), "{}", ended.out);
        assert!(!ended.err.contains("would do this"), "before any work: {}", ended.err);
    }
    assert_eq!(program.ids(), [id]);
}

#[test]
fn a_usage_error_lists_no_option_that_the_environment_gives() {
    let program = Program::at(None);
    let mut command = program.command(&["restore"]);
    command.env("DATABASE_URL", "postgres://nobody@localhost/none");
    let ended = Ended::from(command.output().expect("it runs"));
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("Usage: ipam-rewind restore [OPTIONS] <ID>\n"), "{}", ended.err);
    assert!(
        !ended.err.contains("--database-url") && !ended.err.contains("--store"),
        "{}",
        ended.err
    );
}

#[tokio::test]
async fn a_description_of_several_words_needs_no_quotes() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let made = program.json(&["backup", "Before", "the VLAN", "import"]);
    assert_eq!(made["backup_info"]["description"], "Before the VLAN import");
}

/// How a run ends whose standard input is this text.
fn told(program: &Program, arguments: &[&str], input: &[u8]) -> Ended {
    let mut command = program.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    // One that needs no answer may be gone before it is given.
    let _ = child.stdin.take().expect("piped").write_all(input);
    child.wait_with_output().expect("it ends").into()
}

#[tokio::test]
async fn a_line_on_standard_input_answers_a_question() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let id = program.backup();
    database.sql("UPDATE vrf SET description = 'oops' WHERE vrf_id = 'prod-vrf'").await;
    let changed = database.dump().await;
    for (input, code) in [("n\n", 1), ("nonsense\n", 1), ("", 2), ("\n", 2), ("  \ny\n", 2)] {
        for verb in ["restore", "delete"] {
            let ended = told(&program, &[verb, &id], input.as_bytes());
            assert_eq!(ended.code, code, "{verb} {input:?}: {}", ended.err);
        }
        assert_eq!(database.dump().await, changed);
    }
    let ended = told(&program, &["restore", &id], b"y\n");
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.err.contains("~ vrf prod-vrf") && ended.err.contains("[y/N] y"), "{}", ended.err);
    assert_ne!(database.dump().await, changed);
    assert_eq!(told(&program, &["delete", &id], b"YES").code, 0);
    assert!(!program.ids().contains(&id));
}

/// A command on a terminal of its own.
pub fn on_a_terminal(line: &str) -> Command {
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", line, "/dev/null"]).stdin(Stdio::piped());
    command
}

/// What the program prints on a terminal where somebody answers its question so, and its exit code.
fn answered(program: &Program, arguments: &[&str], answer: &[u8]) -> (i32, String) {
    seen(&program.command(arguments), answer)
}

/// As [`answered`], for this command.
pub fn seen(inner: &Command, answer: &[u8]) -> (i32, String) {
    seen_after(inner, answer, || ())
}

/// As [`seen`]; does something between the question and the answer.
fn seen_after(inner: &Command, answer: &[u8], meanwhile: impl FnOnce()) -> (i32, String) {
    let mut meanwhile = Some(meanwhile);
    let words = std::iter::once(inner.get_program()).chain(inner.get_args());
    let line: Vec<_> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
    let mut command = on_a_terminal(&line.join(" "));
    for (name, value) in inner.get_envs() {
        command.env(name, value.expect("set"));
    }
    let mut terminal = command.stdout(Stdio::piped()).spawn().expect("it runs");
    // Held to the end: without a keyboard the terminal would end.
    let mut keyboard = terminal.stdin.take().expect("piped");
    let mut screen = terminal.stdout.take().expect("piped");
    let (mut seen, mut block, mut asked) = (String::new(), [0; 4096], false);
    while let read @ 1.. = screen.read(&mut block).expect("readable") {
        seen += &String::from_utf8_lossy(&block[..read]);
        if !asked && seen.contains("[y/N]") {
            asked = true;
            meanwhile.take().expect("asked once")();
            keyboard.write_all(answer).expect("typed");
        }
    }
    (terminal.wait().expect("it ends").code().expect("a code"), seen)
}

#[tokio::test]
async fn a_question_shows_what_it_is_about_and_takes_yes_no_and_an_interruption() {
    if !on_a_terminal("true").status().is_ok_and(|ended| ended.success()) {
        println!("no terminals here: nothing was tried");
        return;
    }
    let database = sample_database().await;
    let program = Program::on(&database);
    let id = program.backup();
    database.sql("UPDATE vrf SET description = 'oops' WHERE vrf_id = 'prod-vrf'").await;
    let changed = database.dump().await;
    for (answer, code) in [(&b"n\n"[..], 1), (b"\x03", 130)] {
        let (ended, seen) = answered(&program, &["restore", &id, "--quiet"], answer);
        assert_eq!(ended, code, "{seen}");
        assert!(seen.contains("~ vrf prod-vrf"), "{seen}");
        let name = database.value("SELECT current_database()").await;
        assert!(seen.contains(&format!("Restore {id} into {name} at ")), "{seen}");
        assert!(seen.contains("nothing was changed"), "{seen}");
        assert_eq!(database.dump().await, changed);
    }
    assert_eq!(answered(&program, &["delete", &id], b"\x03").0, 130);
    let (ended, seen) = answered(&program, &["restore", &id], b"y\n");
    assert_eq!(ended, 0, "{seen}");
    assert_ne!(database.dump().await, changed);
}

#[tokio::test]
async fn restore_takes_no_answer_to_a_preview_of_rows_that_have_changed_since() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let id = program.backup();
    database.sql("UPDATE vrf SET description = 'oops' WHERE vrf_id = 'prod-vrf'").await;
    let seen = program.json(&["restore", &id, "--dry-run"])["fingerprint"].clone();
    let seen = seen.as_str().expect("a fingerprint");
    let change = || {
        let sql = "UPDATE vrf SET description = 'mine' WHERE vrf_id = 'public-vrf'";
        let psql = Command::new("psql").args(["-XqAt", &database.url, "-c", sql]).status();
        assert!(psql.expect("it runs").success());
    };
    if on_a_terminal("true").status().is_ok_and(|ended| ended.success()) {
        let (code, said) = seen_after(&program.command(&["restore", &id]), b"y\n", change);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("have changed since the preview"), "{said}");
    } else {
        change();
    }
    let ended = program.run(&["restore", &id, "--yes", "--json", "--fingerprint", seen]);
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(ended.out.contains("\"changed_since_preview\""), "{}", ended.out);
    let left = "SELECT count(*) FROM vrf WHERE description IN ('mine', 'oops')";
    assert_eq!(database.value(left).await, "2");
    let seen = program.json(&["restore", &id, "--dry-run"])["fingerprint"].clone();
    let seen = seen.as_str().expect("a fingerprint");
    program.ok(&["restore", &id, "--yes", "--fingerprint", seen]);
}

#[tokio::test]
async fn each_kind_of_failure_has_its_exit_code_and_a_problem_document() {
    let database = database().await;
    let program = Program::on(&database);
    let id = program.backup();
    let nowhere = "postgres://nobody@127.0.0.1:1/none";
    let cases: [(&[&str], i32, &str); 11] = [
        (&["details", "20250101_000000"], 3, "no_such_backup"),
        (&["restore", "20250101_000000", "--yes"], 3, "no_such_backup"),
        (&["details", "../../etc/passwd"], 2, "malformed_request"),
        (&["restore", &id, "--dataset", "everything", "--yes"], 2, "malformed_request"),
        (&["backup", "--database-url", nowhere], 5, "database_unreachable"),
        (&["backup", "--database-url", "mysql://x:secret@y/z"], 2, "malformed_request"),
        (&["restore", &id, "--vrf", "nosuch", "--yes"], 2, "malformed_request"),
        (&["backup", "--database-url-file", "/no/such/file"], 2, "malformed_request"),
        (&["list", "--no-such-option"], 2, "malformed_request"),
        (&["token", "revoke", "nobody"], 1, "failed"),
        (&["serve", "--keep-last", "0"], 2, "malformed_request"),
    ];
    for (arguments, code, name) in cases {
        let Ended { code: ended, out, err } = program.run(&[arguments, &["--json"]].concat());
        assert_eq!(ended, code, "{arguments:?}: {err}");
        let problem: Value = serde_json::from_str(&out).expect("a problem document");
        assert_eq!(keys(&problem)[..5], ["type", "title", "status", "detail", "code"]);
        assert_eq!(problem["code"], name);
        assert!(!out.contains("secret") && !err.contains("secret"), "{out}{err}");
    }
    assert_eq!(program.run(&["rewind"]).code, 2);
    assert_eq!(program.run(&["--help"]).code, 0);
    assert_eq!(program.ids(), [id]);
}

#[tokio::test]
async fn a_role_that_may_not_read_is_told_so() {
    let database = database().await;
    let stranger = crate::support::postgres().url("postgres", "postgres");
    let connected = sqlx::PgConnection::connect(&stranger).await;
    let mut superuser = connected.expect("a superuser");
    let create = "CREATE ROLE stranger LOGIN";
    sqlx::raw_sql(create).execute(&mut superuser).await.expect("a role");
    let program = Program::at(Some(database.url.replace("prefix_user@", "stranger@")));
    let ended = program.run(&["backup"]);
    assert_eq!(ended.code, 5, "{}", ended.err);
    assert!(ended.err.contains("permission denied"), "{}", ended.err);
}

#[tokio::test]
async fn verbs_that_only_read_make_no_store() {
    let program = Program::at(None);
    let missing = program.store().join("none");
    let at = |verb| program.run(&[verb, "--store", missing.to_str().expect("a path")]);
    for verb in ["stats", "verify"] {
        let ended = at(verb);
        assert_eq!(ended.code, 1, "{}", ended.err);
        assert!(ended.err.contains("there is no store"), "{}", ended.err);
    }
    let ended = at("list");
    assert_eq!((ended.code, ended.out.as_str()), (0, "No backups found\n"), "{}", ended.err);
    let list = program.json(&["list", "--store", missing.to_str().expect("a path")]);
    assert_eq!(list, serde_json::json!({"status": "success", "backups": [], "count": 0}));
    assert!(!missing.exists());
}

#[tokio::test]
async fn cleanup_keeps_the_newest_and_says_what_went() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let ids = [program.backup(), program.backup(), program.backup()];
    let dry = program.json(&["cleanup", "1", "--dry-run"]);
    assert_eq!((dry["deleted"].as_array().map(Vec::len), &dry["dry_run"]), (Some(2), &true.into()));
    assert_eq!(program.ids().len(), 3);
    let done = program.json(&["cleanup", "1"]);
    assert_eq!(done["message"], "Backups: 2 deleted, 1 kept");
    assert_eq!(program.ids(), [ids[2].clone()]);
    assert_eq!(program.ok(&["verify"]).lines().last(), Some("No damage found."));
    assert_eq!(program.json(&["delete", &ids[2], "--yes"])["status"], "success");
    let statistics = program.json(&["stats"]);
    assert!(statistics["disk"]["available_bytes"].as_u64() > Some(0), "{statistics}");
    assert_eq!((&statistics["backups"], &statistics["packs"]), (&0.into(), &0.into()));
}

#[tokio::test]
async fn what_a_dry_run_says_of_space_is_what_a_cleanup_frees() {
    let database = sample_database().await;
    let program = Program::on(&database);
    for prefix in 0..4 {
        let change = format!(
            "UPDATE prefix SET tags = '{{\"n\": {prefix}}}' WHERE prefix_id ~ '[{prefix}-9]$'"
        );
        database.sql(&change).await;
        program.backup();
    }
    let freed = |arguments: &[&str]| program.json(arguments)["freed"]["bytes"].as_u64();
    for keep in ["3", "1", "1"] {
        let promised = freed(&["cleanup", keep, "--dry-run"]).expect("bytes");
        let done = freed(&["cleanup", keep]).expect("bytes");
        // A pack that is written anew has a table of its own, which is much of a small one.
        assert!(done <= promised && promised <= done * 3 / 2, "{keep}: {promised}, {done}");
    }
    assert_eq!(freed(&["cleanup", "1", "--dry-run"]), Some(0));
}

#[tokio::test]
async fn a_store_in_s3_does_all_that_a_folder_does() {
    let (server, database) = (S3Server::start().await, sample_database().await);
    let program = Program::on(&database);
    let run = |arguments: &[&str]| {
        let mut command = program.command(arguments);
        command.env("BACKUP_STORE", "s3://bucket/some/prefix").envs(server.environment());
        let ended = Ended::from(command.output().expect("the program runs"));
        assert_eq!(ended.code, 0, "{arguments:?}: {}{}", ended.out, ended.err);
        ended.out
    };
    let created: Value = serde_json::from_str(&run(&["backup", "--json"])).expect("a document");
    let id = created["backup_id"].as_str().expect("an id");
    let before = database.dump().await;
    database.sql("UPDATE prefix SET tags = '{}'; DELETE FROM vpc_prefix_association").await;
    run(&["restore", id, "--yes"]);
    assert_eq!(database.dump().await, before);
    assert!(run(&["diff", id]).contains("Nothing differs"));
    run(&["backup"]);
    // The safety backup takes no place among those that are kept.
    assert!(run(&["cleanup", "1"]).contains("Backups: 1 deleted, 2 kept"));
    assert!(run(&["verify"]).contains("No damage found."));
    assert!(run(&["stats"]).contains("s3://bucket/some/prefix (2 backups)"));
}

#[test]
fn a_description_that_would_break_the_list_is_refused() {
    let program = Program::at(None);
    for wrong in ["two\nlines", "\u{1b}[2J", &"x".repeat(1001)] {
        let ended = program.run(&["backup", wrong]);
        assert_eq!(ended.code, 2, "{}", ended.err);
        assert!(ended.err.contains("the description has"), "{}", ended.err);
    }
    let ended = program.run(&["backup", "--created-by", "carol"]);
    assert_eq!(ended.code, 2, "nobody names another as the author: {}", ended.err);
}

/// The help of all commands. The options of every command stand there once.
fn all_help(program: &Program) -> String {
    let help = program.ok(&["--help"]);
    let after = help.split_once("Commands:\n").expect("a list of commands").1;
    let names = after.lines().take_while(|line| !line.is_empty());
    let names =
        names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    let mut page = String::new();
    let mut add = |title: &str, text: &str| {
        let lines: Vec<_> = text.trim_end().lines().map(str::trim_end).collect();
        page += &format!("\n### {title}\n\n```text\n{}\n```\n", lines.join("\n"));
    };
    add("ipam-rewind", &help);
    let global: Vec<_> = help.split("\n\n").collect();
    let own = |text: &str| {
        let blocks = text.split("\n\n").filter(|block| !global.contains(block));
        blocks.collect::<Vec<_>>().join("\n\n")
    };
    for name in names {
        add(&format!("ipam-rewind {name}"), &own(&program.ok(&[name, "--help"])));
    }
    for name in ["create", "list", "revoke"] {
        let help = program.ok(&["token", name, "--help"]);
        add(&format!("ipam-rewind token {name}"), &own(&help));
    }
    page
}

#[test]
fn the_page_on_the_command_line_ends_with_the_help() {
    const MARK: &str =
        "<!-- The output of --help follows; DOCS_UPDATE=1 cargo test writes it anew. -->\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/cli.md");
    let page = std::fs::read_to_string(path).expect("the page");
    let (written, _) = page.split_once(MARK).expect("the mark");
    let wanted = format!("{written}{MARK}{}", all_help(&Program::at(None)));
    if std::env::var_os("DOCS_UPDATE").is_some() {
        std::fs::write(path, &wanted).expect("written");
    } else {
        assert!(page == wanted, "run the tests with DOCS_UPDATE=1, which writes docs/cli.md anew");
    }
}

#[tokio::test]
async fn the_documented_script_passes_the_verbs_on() {
    let database = database().await;
    let program = Program::on(&database);
    program.backup();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/backup_restore_cli.sh");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(script);
        command.args(arguments).stdin(Stdio::null()).env("BACKUP_STORE", program.store());
        command
            .env("DATABASE_URL", &database.url)
            .env("IPAM_REWIND", env!("CARGO_BIN_EXE_ipam-rewind"));
        Ended::from(command.output().expect("the script runs"))
    };
    assert_eq!(run(&["backup", "By the script"]).code, 0);
    assert!(run(&["list"]).out.contains("By the script"));
    assert_eq!(run(&["details", "20250101_000000"]).code, 3);
    assert_eq!(run(&["restore", &program.ids()[0]]).code, 2);
}
