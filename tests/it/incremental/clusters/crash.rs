//! A server that recovers from a crash while its postmaster goes on.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Backups, Moment, next_transaction, plan_on};
use crate::incremental::how;
use crate::support::scratch::Scratch;

/// Commits are not flushed, nor by anybody later, until somebody asks for it.
const FORGETFUL: &str = "synchronous_commit = off\nwal_writer_delay = 10s\nbgwriter_lru_maxpages = 0\n\
     checkpoint_timeout = 1h";

/// A server that forgets commits when it crashes.
struct Forgetful {
    scratch: Scratch,
    /// The process that would flush them, which is stopped.
    writer: Pid,
}

impl Forgetful {
    async fn new() -> Self {
        let scratch = plan_on(FORGETFUL).await;
        scratch.sql("ALTER TABLE device42_ipaddress SET UNLOGGED").await;
        scratch.sql_as_superuser("CHECKPOINT").await;
        let writer = stopped_writer(&scratch).await;
        Self { scratch, writer }
    }

    async fn crash(&mut self) {
        let started = "SELECT pg_postmaster_start_time()";
        let before = self.scratch.value(started).await;
        self.scratch.crash(self.writer).await;
        assert_eq!(self.scratch.value(started).await, before);
        self.writer = stopped_writer(&self.scratch).await;
    }
}

impl Drop for Forgetful {
    /// A process that is stopped would keep the server from its end.
    fn drop(&mut self) {
        let _ = kill(self.writer, Signal::SIGCONT);
    }
}

async fn stopped_writer(scratch: &Scratch) -> Pid {
    let writer = scratch.process("walwriter").await;
    kill(writer, Signal::SIGSTOP).expect("it is stopped");
    writer
}

#[tokio::test]
async fn commits_that_a_backup_saw_outlast_a_crash() {
    let (mut server, backups) = (Forgetful::new().await, Backups::new().await);
    backups.add(&server.scratch).await;
    for number in 0..5 {
        let insert = format!("INSERT INTO vrf (vrf_id) VALUES ('seen-{number}')");
        server.scratch.sql(&insert).await;
    }
    backups.add_changes(&server.scratch, 5).await;
    let moment = Moment::of(&server.scratch).await;
    for number in 0..5 {
        let insert = format!("INSERT INTO vrf (vrf_id) VALUES ('later-{number}')");
        server.scratch.sql(&insert).await;
    }
    server.crash().await;
    assert_eq!(server.scratch.number("SELECT count(*) FROM vrf WHERE vrf_id ~ '^later'").await, 0);
    let next = next_transaction(&server.scratch).await;
    assert!(next < moment.next + 5, "transaction ids are used again");
    // Were commits lost that the backup saw, others would now take their place: as many rows, of transactions
    // that are as old as theirs.
    let seen = "SELECT count(*) FROM vrf WHERE vrf_id ~ '^seen'";
    let lost = 5 - server.scratch.number(seen).await;
    let others = "INSERT INTO vrf (vrf_id) SELECT 'other-' || n FROM generate_series";
    server.scratch.sql(&format!("{others}(1, {lost}) n")).await;
    server.scratch.sql("UPDATE vrf SET description = 'again' WHERE vrf_id = 'lab'").await;
    moment.pass(&server.scratch).await;
    backups.add_changes(&server.scratch, 1).await;
}

#[tokio::test]
async fn unlogged_table_that_a_crash_emptied_is_followed() {
    let (mut server, backups) = (Forgetful::new().await, Backups::new().await);
    backups.add(&server.scratch).await;
    server.scratch.sql("UPDATE device42_ipaddress SET label = 'changed' WHERE id = 1").await;
    backups.add_changes(&server.scratch, 1).await;
    server.crash().await;
    assert_eq!(server.scratch.number("SELECT count(*) FROM device42_ipaddress").await, 0);
    backups.add_changes(&server.scratch, 0).await;
    // Other rows under the keys of old ones.
    server.scratch
        .sql("INSERT INTO device42_ipaddress (id, ip_address, label) VALUES (1, '203.0.113.9', 'new'), (9, '203.0.113.8', 'new')")
        .await;
    backups.add_changes(&server.scratch, 2).await;
    server.crash().await;
    server.scratch.sql("INSERT INTO device42_ipaddress (id, ip_address, label) VALUES (2, '203.0.113.7', 'a'), (9, '203.0.113.8', 'b')").await;
    backups.add_changes(&server.scratch, 2).await;
}

#[tokio::test]
async fn backup_that_a_crash_could_undo_is_no_base() {
    let (mut server, backups) = (Forgetful::new().await, Backups::new().await);
    let forbid = "DO $$ DECLARE function regprocedure; BEGIN
        FOR function IN SELECT oid FROM pg_proc WHERE proname = 'pg_logical_emit_message' LOOP
            EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', function); END LOOP; END $$";
    server.scratch.sql_as_superuser(forbid).await;
    server.scratch.sql("INSERT INTO vrf (vrf_id) VALUES ('seen-1')").await;
    let first = backups.add(&server.scratch).await;
    let moment = Moment::of(&server.scratch).await;
    server.crash().await;
    // In place of the row that is lost, of a transaction with the same id.
    server.scratch.sql("INSERT INTO vrf (vrf_id) VALUES ('other-1')").await;
    moment.pass(&server.scratch).await;
    backups.add_full(&server.scratch, "does not say at which point").await;
    assert_eq!(first.snapshot.point, None, "{:?}", how(&first));
}
