//! The private server starts, is reached by every client, and never stays behind.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ipam_rewind::embedded::{EmbeddedError, Options, PLAN_OWNER, PrivatePostgres};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::{Connection, PgConnection};

use crate::support::{database, postgres};

fn server_process(server: &PrivatePostgres) -> i32 {
    let file = fs::read_to_string(server.socket_dir().join("data/postmaster.pid")).unwrap();
    file.lines().next().unwrap().parse().unwrap()
}

fn is_gone(process: i32, folder: &Path) -> bool {
    kill(Pid::from_raw(process), None).is_err() && !folder.exists()
}

fn assert_goes(process: i32, folder: &Path) {
    let begun = Instant::now();
    while !is_gone(process, folder) {
        assert!(begun.elapsed() < Duration::from_secs(30), "server {process} stayed behind");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
async fn sqlx_psql_and_pg_dump_take_the_same_url() {
    let database = database().await;
    database.connect().await.close().await.unwrap();
    for (program, arguments) in [
        ("psql", &["-X", "-At", "-c", "SELECT current_user", "-d"][..]),
        ("pg_dump", &["--schema-only", "-d"][..]),
    ] {
        let output = Command::new(postgres().bin_dir().join(program))
            .args(arguments)
            .arg(&database.url)
            .output()
            .unwrap();
        assert!(output.status.success(), "{program}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains(PLAN_OWNER), "{program}");
    }
}

#[tokio::test]
async fn the_server_listens_on_no_port_and_its_folder_is_closed_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let mut admin = PgConnection::connect(&postgres().url("postgres", "postgres")).await.unwrap();
    let listens: String =
        sqlx::query_scalar("SHOW listen_addresses").fetch_one(&mut admin).await.unwrap();
    assert_eq!(listens, "");
    let mode = fs::metadata(postgres().socket_dir()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn stopping_leaves_no_server_and_no_folder() {
    let server = PrivatePostgres::start(Options::default()).await.unwrap();
    let (process, folder) = (server_process(&server), server.socket_dir().to_owned());
    let url = server.url("postgres", "postgres");
    let _client = PgConnection::connect(&url).await.unwrap();
    server.stop().await.unwrap();
    assert!(is_gone(process, &folder));
}

#[tokio::test]
async fn dropping_stops_the_server_too() {
    let server = PrivatePostgres::start(Options::default()).await.unwrap();
    let (process, folder) = (server_process(&server), server.socket_dir().to_owned());
    drop(server);
    assert_goes(process, &folder);
}

/// Not a test of its own: the process that the next test kills.
#[tokio::test]
#[ignore = "run as a process by the test that kills it"]
async fn a_server_is_held_until_killed() {
    let server = PrivatePostgres::start(Options::default()).await.unwrap();
    println!("\nheld {} {}", server_process(&server), server.socket_dir().display());
    std::thread::sleep(Duration::from_mins(10));
}

#[test]
fn killing_the_process_leaves_no_server_behind() {
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "embedded::server::a_server_is_held_until_killed"])
        .args(["--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(holder.stdout.take().unwrap());
    let held = output
        .lines()
        .map(Result::unwrap)
        .find_map(|line| line.strip_prefix("held ").map(str::to_owned))
        .expect("the holder says what it holds");
    let (process, folder) = held.split_once(' ').unwrap();
    let (process, folder) = (process.parse().unwrap(), PathBuf::from(folder));
    assert!(!is_gone(process, &folder));
    kill(Pid::from_raw(holder.id().cast_signed()), Signal::SIGKILL).unwrap();
    holder.wait().unwrap();
    assert_goes(process, &folder);
}

#[tokio::test]
async fn a_cluster_of_ones_own_is_found_again_with_its_plan() {
    let home = tempfile::tempdir().unwrap();
    // The server's account has to get to the folder below.
    fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let options = Options {
        data_dir: Some(home.path().join("cluster")),
        durable: true,
        ..Options::default()
    };
    for expected in ["0", "1"] {
        let server = PrivatePostgres::start(options.clone()).await.unwrap();
        let url = server.create_plan_database("plan").await.unwrap();
        let mut owner = PgConnection::connect(&url).await.unwrap();
        let count: String = sqlx::query_scalar("SELECT count(*)::text FROM vpc")
            .fetch_one(&mut owner)
            .await
            .unwrap();
        assert_eq!(count, expected);
        sqlx::query(
            "INSERT INTO vpc (vpc_id, provider, provider_vpc_id)
             VALUES (gen_random_uuid(), 'aws', 'vpc-1')",
        )
        .execute(&mut owner)
        .await
        .unwrap();
        server.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_folder_that_is_no_cluster_is_refused_with_the_servers_own_words() {
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(home.path().join("PG_VERSION"), "7\n").unwrap();
    let options =
        Options { data_dir: Some(home.path().to_owned()), durable: false, ..Options::default() };
    match PrivatePostgres::start(options).await {
        Err(EmbeddedError::DidNotStart { log }) => assert!(!log.is_empty()),
        other => panic!("{other:?}"),
    }
}
