//! The service as a process: how it begins, and how it ends.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::faults::running::{
    Running, hold, sessions, until_it_waits_for_a_table, until_left_alone,
};
use crate::support::program::Program;
use crate::support::{http_client, sample_database};

/// A service that is listening, killed with this value.
struct Serving {
    child: Child,
    address: String,
    log: std::thread::JoinHandle<String>,
}

impl Serving {
    fn start(mut command: Command) -> Self {
        let mut child =
            command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it runs");
        let mut log = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut said = String::new();
        let address = loop {
            let mut line = String::new();
            assert_ne!(log.read_line(&mut line).expect("text"), 0, "it ended: {said}");
            said += &line;
            if let Some((_, rest)) = line.split_once("Serving http://") {
                break format!("http://{}", rest.split(' ').next().expect("an address"));
            }
        };
        // Read on, or the pipe fills up.
        let log = std::thread::spawn(move || {
            log.read_to_string(&mut said).expect("text");
            said
        });
        Self { child, address, log }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a process id");
        kill(Pid::from_raw(pid), signal).expect("it is there");
    }

    /// Waits for the end; the exit code and the log.
    fn ended(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().expect("a child");
        (status.code(), self.log.join().expect("the log was read"))
    }

    async fn get(&self, path: &str) -> Value {
        let answer =
            http_client().get(format!("{}{path}", self.address)).send().await.expect("an answer");
        answer.json().await.expect("JSON")
    }

    fn post(&self, path: &str) -> reqwest::RequestBuilder {
        http_client().post(format!("{}{path}", self.address))
    }
}

fn serve(program: &Program, more: &[&str]) -> Command {
    program.command(&[&["serve", "--listen", "127.0.0.1:0"], more].concat())
}

const EXCLUSIVE: &str = "LOCK TABLE vrf IN ACCESS EXCLUSIVE MODE";

#[tokio::test]
async fn a_service_that_is_asked_to_end_lets_a_running_backup_finish_and_answers_it() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let serving = Serving::start(serve(&program, &["--log-format", "json"]));
    let held = hold(&database, EXCLUSIVE).await;
    let call = tokio::spawn(serving.post("/api/backup").send());
    until_it_waits_for_a_table(&database).await;
    serving.signal(Signal::SIGTERM);
    drop(held);
    let answer = call.await.expect("it ends").expect("an answer");
    assert_eq!(answer.status(), 200);
    let id = answer.json::<Value>().await.expect("JSON")["backup_id"].clone();
    let (code, log) = serving.ended();
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(program.ids(), [id.as_str().expect("an id")]);

    let lines = log.lines().filter(|line| line.starts_with('{'));
    let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let about = |line: &&Value| line["spans"].to_string().contains("job_id");
    let job = lines.iter().find(about).unwrap_or_else(|| panic!("no job in {log}"));
    let request = job["spans"][0]["request_id"].as_str().expect("the request that asked");
    assert!(log.matches(request).count() > 1, "the request and its job share a name: {log}");
}

#[tokio::test]
async fn a_service_that_is_asked_to_end_rolls_back_what_takes_too_long() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let serving = Serving::start(serve(&program, &["--grace", "0"]));
    let _held = hold(&database, EXCLUSIVE).await;
    let call = tokio::spawn(serving.post("/api/backup").send());
    until_it_waits_for_a_table(&database).await;
    serving.signal(Signal::SIGINT);
    let answer = call.await.expect("it ends").expect("an answer");
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.json::<Value>().await.expect("JSON")["code"], "interrupted");
    let (code, log) = serving.ended();
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(sessions(&database).await, "0");
    assert!(program.ids().is_empty());
}

#[tokio::test]
async fn a_service_that_was_killed_says_after_its_restart_what_it_did_not_finish() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let serving = Serving::start(serve(&program, &[]));
    let held = hold(&database, EXCLUSIVE).await;
    let asked = serving.post("/api/backup").header("prefer", "respond-async").send();
    let job = asked.await.expect("an answer").json::<Value>().await.expect("JSON")["job"].clone();
    let id = job["job_id"].as_str().expect("an id");
    until_it_waits_for_a_table(&database).await;
    let remembered = program.store().join("service/jobs.json");
    crate::faults::running::until("the job in jobs.json", async || {
        std::fs::read_to_string(&remembered).is_ok_and(|text| text.contains("\"running\""))
    })
    .await;
    serving.signal(Signal::SIGKILL);
    serving.ended();
    drop(held);
    until_left_alone(&database).await;

    let again = Serving::start(serve(&program, &[]));
    let job = again.get(&format!("/api/jobs/{id}")).await["job"].clone();
    assert_eq!((&job["state"], &job["cancellable"]), (&"interrupted".into(), &false.into()));
    assert_eq!(job["problem"]["code"], "interrupted");
    again.signal(Signal::SIGTERM);
    assert_eq!(again.ended().0, Some(0));
    assert!(program.ids().is_empty());
}

#[tokio::test]
async fn a_second_service_over_the_same_state_is_refused() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let serving = Serving::start(serve(&program, &[]));
    let second = Running::of(serve(&program, &[])).ended().await;
    assert_eq!(second.code, 6);
    assert!(second.err.contains("another service uses the state folder"), "{}", second.err);
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.ended().0, Some(0));
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn all_threads_share_one_arena_unless_somebody_says_otherwise() {
    let program = Program::at(None);
    for (said, arenas) in [(None, "1"), (Some("3"), "3")] {
        let mut command = program.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.envs(said.map(|said| ("MALLOC_ARENA_MAX", said)));
        let serving = Serving::start(command);
        let about = |what: &str| {
            let file = format!("/proc/{}/{what}", serving.child.id());
            std::fs::read_to_string(file).expect("text of the kernel")
        };
        let wanted = format!("MALLOC_ARENA_MAX={arenas}");
        assert!(about("environ").split('\0').any(|variable| variable == wanted));
        assert_eq!(about("comm"), "ipam-rewind\n", "it is still called by its name");
        serving.signal(Signal::SIGTERM);
        assert_eq!(serving.ended().0, Some(0));
    }
}

#[tokio::test]
async fn an_embedded_service_keeps_its_database_and_its_backups_in_its_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    // The server's own account must get to its data.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).expect("ours");
    let embedded = format!("--embedded={}", folder.path().display());
    let command = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipam-rewind"));
        command.args(["serve", "--listen", "127.0.0.1:0", &embedded, "--prefixes", "500"]);
        command
    };
    let serving = Serving::start(command());
    let made = serving.post("/api/backup").send().await.expect("an answer");
    let made: Value = made.json().await.expect("JSON");
    assert!(made["backup_info"]["datasets"]["prefixes"]["rows"].as_u64() > Some(100), "{made}");
    serving.signal(Signal::SIGTERM);
    let (code, log) = serving.ended();
    assert_eq!(code, Some(0), "{log}");

    let again = Serving::start(command());
    let list = again.get("/api/backups").await;
    assert_eq!(list["backups"][0]["backup_id"], made["backup_id"]);
    let id = made["backup_id"].as_str().expect("an id");
    let diff = again.get(&format!("/api/diff/{id}/live")).await;
    assert_eq!(diff["identical"], true, "the same database: {diff}");
    again.signal(Signal::SIGTERM);
    assert_eq!(again.ended().0, Some(0));
}
