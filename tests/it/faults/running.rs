//! A run of the program that is still under way, and what is to be seen of it from outside.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::support::cycle::Contents;
use crate::support::program::{Ended, Program};
use crate::support::{TestDatabase, sample_database};

/// Longer than any run takes on a busy machine whose disk writes gigabytes of others meanwhile.
const DEADLINE: Duration = Duration::from_mins(5);

/// A process, killed with this value if it has not ended by then.
pub struct Running(Option<Child>);

impl Running {
    pub fn start(program: &Program, arguments: &[&str]) -> Self {
        Self::of(program.command(arguments))
    }

    pub fn of(mut command: Command) -> Self {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(Some(command.spawn().expect("the program runs")))
    }

    fn child(&mut self) -> &mut Child {
        self.0.as_mut().expect("it has not been waited for")
    }

    pub fn pid(&mut self) -> u32 {
        self.child().id()
    }

    pub fn signal(&mut self, signal: Signal) {
        let pid = i32::try_from(self.pid()).expect("a process id");
        kill(Pid::from_raw(pid), signal).expect("it is there until it is waited for");
    }

    /// Waits for its end. What it prints must fit into a pipe.
    pub async fn ended(mut self) -> Ended {
        until("the end of the program", async || {
            self.child().try_wait().expect("a child").is_some()
        })
        .await;
        let child = self.0.take().expect("it has not been waited for");
        child.wait_with_output().expect("a child").into()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits until something is so.
pub async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !so().await {
        assert!(start.elapsed() < DEADLINE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Our program's sessions on this database that hold anything. (The one that ended the others may
/// take a moment to see that its client is gone.)
pub async fn sessions(database: &TestDatabase) -> String {
    count(database, "xact_start IS NOT NULL").await
}

/// Waits until no session of our program is left.
pub async fn until_left_alone(database: &TestDatabase) {
    until("the end of its sessions", async || count(database, "true").await == "0").await;
}

/// Waits until a session of our program waits for a table.
pub async fn until_it_waits_for_a_table(database: &TestDatabase) {
    until("a session that waits for a table", async || {
        count(database, "wait_event = 'relation'").await != "0"
    })
    .await;
}

/// Waits until a session of our program waits for a row that another transaction holds.
pub async fn until_it_waits_for_a_row(database: &TestDatabase) {
    until("a session that waits for a row", async || {
        count(database, "wait_event = 'transactionid'").await != "0"
    })
    .await;
}

async fn count(database: &TestDatabase, which: &str) -> String {
    let query = format!(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'ipam-rewind' AND {which}"
    );
    database.value(&query).await
}

/// A transaction that has run this statement and stays open until it is dropped.
pub async fn hold(database: &TestDatabase, statement: &str) -> PgConnection {
    let mut connection = database.connect().await;
    let statement = format!("BEGIN; {statement}");
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(&mut connection)
        .await
        .expect("nobody is in the way");
    connection
}

/// Holds a row that a restore removes at the end of its transaction, and that no backup has.
pub async fn hold_a_row(database: &TestDatabase) -> PgConnection {
    database
        .sql("INSERT INTO idempotency_record (request_id, created_at) VALUES ('late', now())")
        .await;
    hold(database, "SELECT FROM idempotency_record FOR UPDATE").await
}

/// Ends what [`hold`] or [`hold_a_row`] began, and takes the row away.
pub async fn let_go(mut connection: PgConnection) {
    sqlx::raw_sql("DELETE FROM idempotency_record WHERE request_id = 'late'; COMMIT")
        .execute(&mut connection)
        .await
        .expect("nobody is in the way");
    connection.close().await.expect("the connection ends in order");
}

/// Makes the plan differ from its backup in every table.
pub async fn change(database: &TestDatabase) {
    database
        .sql(
            "UPDATE vrf SET description = 'oops' WHERE vrf_id = 'prod-vrf';
             DELETE FROM vpc_prefix_association;
             UPDATE prefix SET tags = '{\"oops\": \"1\"}' WHERE source = 'vpc';
             INSERT INTO vpc VALUES (gen_random_uuid(), 'oops', 'other', 'a', 'v', 'r', '{}');
             UPDATE device42_ipaddress SET label = 'oops'",
        )
        .await;
}

/// A plan that was backed up, and then changed in every table.
pub struct Changed {
    pub database: TestDatabase,
    pub program: Program,
    /// The backup.
    pub target: String,
    /// What the database held then.
    pub wanted: Contents,
    /// What it holds now.
    pub now: Contents,
}

impl Changed {
    /// The sample plan.
    pub async fn sample() -> Self {
        Self::of(sample_database().await).await
    }

    pub async fn of(database: TestDatabase) -> Self {
        let program = Program::on(&database);
        let target = program.backup();
        let wanted = database.dump().await;
        change(&database).await;
        let now = database.dump().await;
        Self { database, program, target, wanted, now }
    }

    /// A restore of the backup that is [held in the middle](held_in_the_middle).
    pub async fn restore_in_the_middle(&self) -> (Running, PgConnection) {
        let restore = ["restore", &self.target, "--yes"];
        held_in_the_middle(&self.database, &self.program, &restore).await
    }

    /// The database holds what it held before the restore.
    pub async fn is_as_it_was(&self) {
        crate::support::cycle::assert_same(&self.database.dump().await, &self.now);
    }

    /// The database holds what the backup does.
    pub async fn is_restored(&self) {
        assert!(self.database.dump().await == self.wanted);
    }

    /// Restores the backup, now that nothing is in the way.
    pub async fn restore(&self) {
        self.program.ok(&["restore", &self.target, "--yes"]);
        self.is_restored().await;
    }
}

/// A restore that is in the middle of its transaction and has written everything: another session
/// holds the last row that it must remove.
pub async fn held_in_the_middle(
    database: &TestDatabase,
    program: &Program,
    restore: &[&str],
) -> (Running, PgConnection) {
    let held = hold_a_row(database).await;
    let restore = Running::start(program, restore);
    until_it_waits_for_a_row(database).await;
    (restore, held)
}

/// Every backup of this store is whole; their ids, newest first.
pub fn whole(program: &Program) -> Vec<String> {
    let ids = program.ids();
    let report = program.json(&["verify"]);
    assert_eq!(report["status"], "success", "{report}");
    assert_eq!(report["backups"].as_array().map(Vec::len), Some(ids.len()), "{report}");
    ids
}

/// All files below a folder with their sizes, but for the locks' and those that go while it looks.
pub fn files(folder: &Path) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        for entry in std::fs::read_dir(path).expect("readable") {
            let path = entry.expect("readable").path();
            let name = path.strip_prefix(folder).expect("below").to_string_lossy();
            if path.is_dir() && name != "locks" {
                open.push(path);
            } else if let Ok(file) = path.metadata()
                && file.is_file()
            {
                found.push((name.into_owned(), file.len()));
            }
        }
    }
    found.sort();
    found
}

/// Whatever became of earlier runs: the next backup works, and a cleanup then leaves a store as small
/// as one that never saw a fault, with no temporary file.
pub fn recovers(program: &Program, database: &TestDatabase) {
    program.backup();
    let ids = whole(program);
    program.ok(&["cleanup", "1", "--keep-pre-restore", "0h"]);
    let kept = whole(program);
    assert_eq!(kept[0], ids[0]);
    // A safety backup stays for a day, for the undo.
    let listed = program.json(&["list"]);
    let others = listed["backups"].as_array().expect("a list").iter().skip(1);
    let others: Vec<_> = others.map(|backup| &backup["backup_type"]).collect();
    assert!(others.is_empty() || others == ["pre-restore"], "{listed}");
    let left = files(program.store());
    let temporary = left.iter().find(|(name, _)| name.contains('#'));
    assert_eq!(temporary, None, "{left:?}");
    let fresh = Program::on(database);
    fresh.backup();
    let size = |files: &[(String, u64)]| files.iter().map(|(_, size)| size).sum::<u64>();
    let (ours, theirs) = (size(&left), size(&files(fresh.store())));
    assert!(ours <= theirs * 2, "{ours} bytes against {theirs}: {left:?}");
}
