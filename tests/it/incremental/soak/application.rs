//! What the application does: several sessions that write at random, and one that looks after the tables.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::{RwLock, RwLockWriteGuard};
use tokio::task::JoinHandle;

/// Sessions that write.
const SESSIONS: usize = 4;

/// Numbers that look random and are the same in every run.
#[derive(Debug)]
pub struct Numbers(pub u64);

impl Numbers {
    /// A number of 31 bits.
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next()).expect("31 bits") % limit
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

/// The application.
#[derive(Debug)]
pub struct Application {
    url: String,
    /// Held for reading by each transaction.
    gate: RwLock<()>,
    ends: AtomicBool,
    committed: AtomicUsize,
    rolled_back: AtomicUsize,
    prepared: AtomicUsize,
    refused: AtomicUsize,
    maintained: AtomicUsize,
}

/// How many transactions there were.
#[derive(Debug)]
pub struct Done {
    pub committed: usize,
    pub rolled_back: usize,
    pub prepared: usize,
    pub refused: usize,
    pub maintained: usize,
}

impl Application {
    pub fn new(url: String) -> Self {
        let [committed, rolled_back, prepared, refused, maintained] = Default::default();
        let (gate, ends) = (RwLock::default(), AtomicBool::default());
        Self { url, gate, ends, committed, rolled_back, prepared, refused, maintained }
    }

    pub fn start(self: &Arc<Self>, numbers: &mut Numbers) -> Vec<JoinHandle<()>> {
        let mut seed = || Numbers(numbers.next());
        let writers = (0..SESSIONS).map(|session| {
            let (this, numbers) = (self.clone(), seed());
            tokio::spawn(async move { this.write(session, numbers).await })
        });
        let mut work: Vec<_> = writers.collect();
        let (this, numbers) = (self.clone(), seed());
        work.push(tokio::spawn(async move { this.maintain(numbers).await }));
        work
    }

    /// Keeps it from writing for as long as the result lives. Prepared transactions stay open.
    pub async fn pause(&self) -> RwLockWriteGuard<'_, ()> {
        self.gate.write().await
    }

    pub async fn stop(&self, work: Vec<JoinHandle<()>>) -> Done {
        self.ends.store(true, Relaxed);
        for task in work {
            task.await.expect("it does not panic");
        }
        Done {
            committed: self.committed.load(Relaxed),
            rolled_back: self.rolled_back.load(Relaxed),
            prepared: self.prepared.load(Relaxed),
            refused: self.refused.load(Relaxed),
            maintained: self.maintained.load(Relaxed),
        }
    }

    async fn connect(&self) -> PgConnection {
        let mut connection = PgConnection::connect(&self.url).await.expect("it connects");
        let patience = "SET lock_timeout = '300ms'";
        sqlx::raw_sql(patience).execute(&mut connection).await.expect("it sets");
        connection
    }

    async fn write(&self, session: usize, mut numbers: Numbers) {
        let mut connection = self.connect().await;
        let mut waiting = Vec::new();
        for transaction in 0.. {
            if self.ends.load(Relaxed) {
                break;
            }
            let open = self.gate.read().await;
            let name = format!("{session}-{transaction}");
            let end = match numbers.below(10) {
                0 | 1 => "ROLLBACK".to_owned(),
                2 if waiting.len() < 5 => format!("PREPARE TRANSACTION '{name}'"),
                _ => "COMMIT".to_owned(),
            };
            let work = format!("BEGIN; {}; {end}", transaction_of(&mut numbers));
            if self.run(&mut connection, work).await {
                match end.split(' ').next() {
                    Some("ROLLBACK") => self.rolled_back.fetch_add(1, Relaxed),
                    Some("PREPARE") => {
                        waiting.push(name);
                        self.prepared.fetch_add(1, Relaxed)
                    }
                    _ => self.committed.fetch_add(1, Relaxed),
                };
            }
            if !waiting.is_empty() && numbers.one_in(4) {
                let name = waiting.swap_remove(numbers.below(waiting.len()));
                let end = if numbers.one_in(3) { "ROLLBACK" } else { "COMMIT" };
                let ended = self.run(&mut connection, format!("{end} PREPARED '{name}'")).await;
                assert!(ended, "a prepared transaction ends");
            }
            drop(open);
            tokio::task::yield_now().await;
        }
        for name in waiting {
            self.run(&mut connection, format!("COMMIT PREPARED '{name}'")).await;
        }
    }

    /// Looks after the tables as an administrator does.
    async fn maintain(&self, mut numbers: Numbers) {
        let mut connection = self.connect().await;
        while !self.ends.load(Relaxed) {
            let open = self.gate.read().await;
            let table = ["vrf", "prefix", "device42_ipaddress"][numbers.below(3)];
            let work = match numbers.below(40) {
                0..=9 => format!("VACUUM {table}"),
                10..=16 => format!("VACUUM (FREEZE) {table}"),
                17..=20 => format!("ANALYZE {table}"),
                21 => format!("VACUUM FULL {table}"),
                22 => format!("CLUSTER {table} USING {table}_pkey"),
                23 => "TRUNCATE device42_ipaddress".into(),
                24 => format!("ALTER TABLE {table} ADD extra text DEFAULT 'extra'"),
                25 => format!("ALTER TABLE {table} DROP IF EXISTS extra"),
                26 => "ALTER TABLE device42_ipaddress ALTER notes TYPE text".into(),
                27 => format!("REINDEX TABLE {table}"),
                _ => "SELECT pg_sleep(0.05)".into(),
            };
            if self.run(&mut connection, work).await {
                self.maintained.fetch_add(1, Relaxed);
            }
            drop(open);
            tokio::task::yield_now().await;
        }
    }

    /// Runs statements, and rolls back what is refused: a key that is taken, a row that others need or hold.
    async fn run(&self, connection: &mut PgConnection, work: String) -> bool {
        match sqlx::raw_sql(AssertSqlSafe(work.clone())).execute(&mut *connection).await {
            Ok(_) => true,
            Err(sqlx::Error::Database(error)) => {
                // What the tables forbid, a lock that is not had in time, a deadlock.
                let expected = ["23", "55P03", "40"];
                let code = error.code().unwrap_or_default();
                let known = expected.iter().any(|known| code.starts_with(known));
                assert!(known, "{work}: {error} ({code})");
                self.refused.fetch_add(1, Relaxed);
                sqlx::raw_sql("ROLLBACK").execute(connection).await.expect("it rolls back");
                false
            }
            Err(error) => panic!("{work}: {error}"),
        }
    }
}

/// The statements of a transaction, some of them in savepoints that are released or rolled back to.
fn transaction_of(numbers: &mut Numbers) -> String {
    let mut statements = Vec::new();
    for place in 0..=numbers.below(6) {
        let within = numbers.one_in(3);
        if within {
            statements.push(format!("SAVEPOINT s{place}"));
        }
        statements.push(statement(numbers));
        if within {
            let end = if numbers.one_in(2) { "ROLLBACK TO" } else { "RELEASE" };
            statements.push(format!("{end} s{place}"));
        }
    }
    if numbers.one_in(12) {
        statements.push("SELECT pg_sleep(0.2)".into());
        statements.push(statement(numbers));
    }
    statements.join("; ")
}

fn statement(numbers: &mut Numbers) -> String {
    let (one, other) = (numbers.below(300), numbers.below(1 << 16));
    let vrf = ["corp", "lab", "public-vrf"][numbers.below(3)];
    let vpc = format!("00000000-0000-0000-0000-00000000000{}", 1 + numbers.below(2));
    match numbers.below(16) {
        0 => format!("INSERT INTO vrf (vrf_id) VALUES ('v-{one}') ON CONFLICT DO NOTHING"),
        1 => format!("UPDATE vrf SET description = 'd-{other}' WHERE vrf_id = 'v-{one}'"),
        2 => format!("DELETE FROM vrf WHERE vrf_id = 'v-{one}'"),
        3 | 4 => format!(
            "INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable)
             VALUES ('p-{one}', '{vrf}', '198.{}.{}.0/24', 'manual', false) ON CONFLICT DO NOTHING",
            other >> 8,
            other & 255
        ),
        5 => format!("UPDATE prefix SET tags = '{{\"n\": {other}}}' WHERE prefix_id = 'p-{one}'"),
        // From one dataset to another.
        6 => format!("UPDATE prefix SET vrf_id = '{vrf}' WHERE prefix_id = 'p-{one}'"),
        7 => format!(
            "UPDATE prefix SET source = 'vpc', vpc_id = '{vpc}' WHERE prefix_id = 'p-{one}'"
        ),
        8 => format!(
            "UPDATE prefix SET source = 'manual', vpc_id = NULL WHERE prefix_id = 'p-{one}'"
        ),
        9 => format!("DELETE FROM prefix WHERE prefix_id ~ '^p-' AND hashtext(prefix_id) % 23 = {}", one % 23),
        10 => format!(
            "INSERT INTO device42_ipaddress (ip_address, label)
             SELECT '192.0.2.1', 'l-{other}-' || n FROM generate_series(1, {}) n",
            one % 40
        ),
        11 => format!("UPDATE device42_ipaddress SET label = label || '.' WHERE id % 31 = {}", one % 31),
        12 => format!("DELETE FROM device42_ipaddress WHERE id % 17 = {}", one % 17),
        // Each in a subtransaction of its own, more than the server remembers one by one.
        13 if one % 5 == 0 => format!(
            "DO $$ BEGIN FOR n IN 1..80 LOOP BEGIN
             INSERT INTO device42_ipaddress (ip_address, label) VALUES ('192.0.2.2', '{other}-' || n);
             EXCEPTION WHEN unique_violation THEN NULL; END; END LOOP; END $$"
        ),
        // As it was.
        14 => format!("UPDATE vrf SET description = description WHERE vrf_id > 'v-{one}'"),
        _ => format!("SELECT FROM vrf WHERE vrf_id = 'v-{one}' FOR UPDATE"),
    }
}
