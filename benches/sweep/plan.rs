//! The rows of a sample plan, in key order, before and after three kinds of edits.

use std::process::Command;

use anyhow::{Result, ensure};
use futures::TryStreamExt;
use ipam_rewind::embedded::sample::{self, PlanSize};
use ipam_rewind::embedded::{Options, PrivatePostgres};
use ipam_rewind::model::{Part, Profile, Table};
use ipam_rewind::postgres::Session;
use sqlx::postgres::PgPoolCopyExt as _;
use sqlx::{Connection, PgConnection, PgPool};

/// All rows of one part as COPY text.
pub struct Rows {
    pub table: Table,
    pub text: Vec<u8>,
}

/// The whole plan at one time.
pub type State = Vec<Rows>;

/// The plan at four times; each edit starts from the state before it.
pub struct Plan {
    pub first: State,
    /// 0.1 % of the prefixes changed at random places.
    pub random: State,
    /// As many changed within 20 VRFs.
    pub clustered: State,
    /// `updated_at` of every subnet.
    pub touched: State,
    /// Bytes of `pg_dump -Fc` of the first state.
    pub dumped: usize,
}

impl Plan {
    pub async fn read(prefixes: u64) -> Result<Self> {
        let server = PrivatePostgres::start(Options::default()).await?;
        let url = server.create_plan_database("ipam").await?;
        let mut plan = PgConnection::connect(&url).await?;
        sample::load(&mut plan, PlanSize { prefixes }).await?;
        let dumped = dump(&server, &url)?;
        let first = state(&url).await?;
        sample::edit_random(&mut plan, prefixes / 1_000, 1).await?;
        let random = state(&url).await?;
        sample::edit_clustered(&mut plan, prefixes / 1_000, 20, 2).await?;
        let clustered = state(&url).await?;
        sample::touch_subnets(&mut plan).await?;
        let touched = state(&url).await?;
        server.stop().await?;
        Ok(Self { first, random, clustered, touched, dumped })
    }

    /// Bytes of the first state's rows.
    pub fn bytes(&self) -> usize {
        self.first.iter().map(|rows| rows.text.len()).sum()
    }
}

fn dump(server: &PrivatePostgres, url: &str) -> Result<usize> {
    let dump = Command::new(server.bin_dir().join("pg_dump")).args(["-Fc", url]).output()?;
    ensure!(dump.status.success(), "pg_dump failed: {}", dump.status);
    Ok(dump.stdout.len())
}

async fn state(url: &str) -> Result<State> {
    let mut session = Session::connect(url).await?;
    session.begin_look().await?;
    let site = session.site(Profile::builtin()).await?;
    let schema = session.schema(&site).await?;
    session.rollback().await?;
    let pool = PgPool::connect(url).await?;
    let mut state = State::new();
    for part in &Profile::builtin().parts {
        let table = schema.table(&part.table).expect("the sample has every table");
        state.push(Rows { table: table.clone(), text: read(&pool, part, table).await? });
    }
    Ok(state)
}

async fn read(pool: &PgPool, part: &Part, table: &Table) -> Result<Vec<u8>> {
    let columns = table.column_names().collect::<Vec<_>>().join(", ");
    let key = &table.key[0].column;
    // Bytes of a uuid and of its text sort alike; numbers do not.
    let order = if part.table == "device42_ipaddress" {
        key.clone()
    } else {
        format!("{key}::text COLLATE \"C\"")
    };
    let query = format!(
        "COPY (SELECT {columns} FROM {} WHERE {} ORDER BY {order}) TO STDOUT",
        part.table, part.condition
    );
    let mut stream = pool.copy_out_raw(&query).await?;
    let mut text = Vec::new();
    while let Some(block) = stream.try_next().await? {
        text.extend_from_slice(&block);
    }
    Ok(text)
}
