//! Those who work in the plan while something runs, and how long they wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use sqlx::{Connection, PgConnection};
use tokio::task::JoinHandle;

use crate::results::READERS;

/// Between two operations of a client: people and services do not ask without a break.
const PAUSE: Duration = Duration::from_millis(5);

/// What a client does again and again, and to which rows.
struct Client {
    who: &'static str,
    statement: &'static str,
    subjects: Vec<String>,
}

/// What each client is asked to do it to.
pub struct Subjects {
    prefixes: Vec<String>,
    vrfs: Vec<String>,
    /// Rows that only the writer changes.
    written: Vec<String>,
}

impl Subjects {
    /// Rows anywhere in the plan, the same for the same plan.
    pub async fn of(plan: &mut PgConnection) -> Result<Self> {
        let keys = "SELECT prefix_id FROM prefix ORDER BY md5(prefix_id) LIMIT 1100";
        let mut prefixes: Vec<String> = sqlx::query_scalar(keys).fetch_all(&mut *plan).await?;
        let written = prefixes.split_off(prefixes.len().min(1_000));
        let vrfs = "SELECT vrf_id FROM vrf WHERE vrf_id <> 'public-vrf'
                    ORDER BY md5(vrf_id) LIMIT 100";
        let vrfs = sqlx::query_scalar(vrfs).fetch_all(plan).await?;
        Ok(Self { prefixes, vrfs, written })
    }

    fn clients(&self) -> [Client; 3] {
        let [prefix, vrf] = READERS;
        [
            Client {
                who: prefix,
                statement: "SELECT * FROM prefix WHERE prefix_id = $1",
                subjects: self.prefixes.clone(),
            },
            Client {
                who: vrf,
                statement: "SELECT * FROM prefix WHERE vrf_id = $1 ORDER BY cidr",
                subjects: self.vrfs.clone(),
            },
            Client {
                who: "writer",
                statement: "UPDATE prefix SET tags = tags || jsonb_build_object('seen', now())
                            WHERE prefix_id = $1",
                subjects: self.written.clone(),
            },
        ]
    }
}

/// Clients at work.
pub struct AtWork {
    stop: Arc<AtomicBool>,
    tasks: Vec<(&'static str, JoinHandle<Result<Vec<Duration>>>)>,
}

impl AtWork {
    /// Connects all clients and lets them begin.
    pub async fn begin(url: &str, subjects: &Subjects) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = Vec::new();
        for client in subjects.clients() {
            let mut connection = PgConnection::connect(url).await?;
            // The first time prepares the statement.
            client.operate(&mut connection, 0).await?;
            tasks.push((client.who, tokio::spawn(client.work(connection, Arc::clone(&stop)))));
        }
        Ok(Self { stop, tasks })
    }

    /// Lets each finish what it is at; returns how long each operation took.
    pub async fn end(self) -> Result<Vec<(&'static str, Vec<Duration>)>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for (who, task) in self.tasks {
            all.push((who, task.await??));
        }
        Ok(all)
    }
}

impl Client {
    async fn work(
        self,
        mut connection: PgConnection,
        stop: Arc<AtomicBool>,
    ) -> Result<Vec<Duration>> {
        let mut took = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let began = Instant::now();
            self.operate(&mut connection, took.len()).await?;
            took.push(began.elapsed());
            tokio::time::sleep(PAUSE).await;
        }
        connection.close().await?;
        Ok(took)
    }

    async fn operate(&self, connection: &mut PgConnection, turn: usize) -> Result<()> {
        let subject = &self.subjects[turn % self.subjects.len()];
        sqlx::query(self.statement).bind(subject).fetch_all(connection).await?;
        Ok(())
    }
}
