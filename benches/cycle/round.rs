//! One round: everything once, ours and theirs in turn, each round beginning with another program.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use ipam_rewind::embedded::sample;
use sqlx::{Connection, PgConnection};

use crate::bench::Bench;
use crate::measure;
use crate::programs;
use crate::results::{
    BORG, CHECK, CLUSTERED, COPY, DIFF, DUMP, EMAJ, FIRST, LIVE_DIFF, OURS, PG_RESTORE, PREVIEW,
    RANDOM, REMOVED, RESTIC, RESTORE, RESTORE_ALL, TOUCHED, UNCHANGED, VERIFY,
};
use crate::{edits, waits};

const SORTED_COPY: &str = "psql COPY, in key order";
const IMPORTED: &str = "backup, 50,000 rows imported";

/// Larger plans are restored into empty tables in the first round only.
const RESTORED_EACH_ROUND: u64 = 200_000;

/// A round's database and folder.
pub struct Round<'a> {
    pub bench: &'a mut Bench,
    pub plan: PgConnection,
    pub url: String,
    number: usize,
    folder: PathBuf,
    saves: u64,
}

/// Does everything once.
pub async fn run(bench: &mut Bench, number: u64) -> Result<()> {
    let url = bench.fresh_plan().await?;
    let plan = PgConnection::connect(&url).await?;
    let folder = bench.folder(&format!("round-{number}"))?;
    let number = usize::try_from(number)?;
    let mut round = Round { bench, plan, url, number, folder, saves: 0 };
    round.backups().await?;
    let ids = round.ids()?;
    let (touched, first) = (&ids[0], ids.last().context("the first backup")?);
    round.small_restores(touched).await?;
    round.emaj().await?;
    waits::run(&mut round, touched).await?;
    round.removed_and_imported(touched).await?;
    round.large_restores(first).await?;
    round.rewind("cleanup", &["cleanup", "1"])?;
    fs::remove_dir_all(&round.folder)?;
    Ok(())
}

impl Round<'_> {
    /// Every change of a day, saved by everyone.
    async fn backups(&mut self) -> Result<()> {
        self.make_repositories()?;
        // So that it is not the first program that warms the caches.
        measure::pipe(vec![programs::copy(self.bench.server.bin_dir(), &self.url)])?;
        self.save(FIRST, &[OURS, COPY, SORTED_COPY, DUMP, RESTIC, BORG])?;
        let savers = [OURS, RESTIC, BORG];
        self.save(UNCHANGED, &[OURS, COPY, RESTIC, BORG])?;
        // Different rows in each round.
        let seed = self.number as u64;
        sample::edit_random(&mut self.plan, 1_000, seed).await?;
        self.save(RANDOM, &savers)?;
        let ids = self.ids()?;
        let (random, unchanged) = (&ids[0], &ids[1]);
        self.rewind(DIFF, &["diff", unchanged, random, "--limit", "0"])?;
        sample::edit_clustered(&mut self.plan, 1_000, 20, seed).await?;
        self.save(CLUSTERED, &savers)?;
        sample::touch_subnets(&mut self.plan).await?;
        self.save(TOUCHED, &savers)
    }

    /// Rows that go, and rows that come in a crowd: saved, and taken back.
    async fn removed_and_imported(&mut self, id: &str) -> Result<()> {
        let savers = [OURS, RESTIC, BORG];
        edits::remove(&mut self.plan, self.number).await?;
        self.save(REMOVED, &savers)?;
        self.restore("restore, 1,000 rows removed", id)?;
        edits::import(&mut self.plan).await?;
        self.save(IMPORTED, &savers)?;
        self.restore("restore, 50,000 rows imported", id)
    }

    /// The same 1,000 rows, taken back by triggers that logged them.
    async fn emaj(&mut self) -> Result<()> {
        let Some(script) = self.bench.emaj.clone() else { return Ok(()) };
        let url = self.bench.copy_of_plan("tracked").await?;
        let admin = self.bench.server.url("tracked", "postgres");
        let programs = self.bench.server.bin_dir().to_owned();
        measure::pipe(vec![programs::emaj_install(&programs, &admin, &script)])?;
        let mut plan = PgConnection::connect(&url).await?;
        sample::edit_random(&mut plan, 1_000, 1_000 + self.number as u64).await?;
        plan.close().await?;
        let back = programs::emaj_rollback(&programs, &admin);
        self.bench.measure(RESTORE, EMAJ, vec![back])?;
        self.bench.drop_database("tracked").await
    }

    /// The way back from 1,000 rows, and the proofs that it is there.
    async fn small_restores(&mut self, id: &str) -> Result<()> {
        sample::edit_random(&mut self.plan, 1_000, 1_000 + self.number as u64).await?;
        self.rewind(LIVE_DIFF, &["diff", id, "--limit", "0"])?;
        self.rewind(PREVIEW, &["restore", id, "--dry-run"])?;
        for by in self.in_turn(&[OURS, PG_RESTORE]) {
            if by == OURS {
                self.rewind(RESTORE, &["restore", id])?;
            } else {
                self.pg_restore().await?;
            }
        }
        for by in self.in_turn(&[OURS, CHECK]) {
            if by == OURS {
                self.rewind(VERIFY, &["verify"])?;
            } else {
                let check = programs::restic(&self.folder, &["check", "--read-data"]);
                self.bench.measure(VERIFY, CHECK, vec![check])?;
            }
        }
        Ok(())
    }

    /// The way back from more and more.
    async fn large_restores(&mut self, first: &str) -> Result<()> {
        self.restore("restore, subnets touched and 2,000 rows", first)?;
        edits::wreck_half(&mut self.plan).await?;
        self.restore("restore, half of the prefixes", first)?;
        if self.number == 1 || self.bench.run.prefixes <= RESTORED_EACH_ROUND {
            edits::empty(&mut self.plan).await?;
            self.restore(RESTORE_ALL, first)?;
        }
        Ok(())
    }

    /// Measures a restore, and looks whether nothing differs afterwards.
    fn restore(&mut self, what: &str, id: &str) -> Result<()> {
        self.rewind(what, &["restore", id])?;
        let look = programs::rewind(&self.store(), &self.url, &["diff", id, "--json"]);
        let diff: serde_json::Value = serde_json::from_str(&measure::pipe(vec![look])?.output)?;
        ensure!(diff["identical"] == true, "{what} left differences");
        Ok(())
    }

    fn make_repositories(&self) -> Result<()> {
        if self.takes_part(RESTIC) {
            measure::pipe(vec![programs::restic(&self.folder, &["init"])])?;
        }
        if self.takes_part(BORG) {
            measure::pipe(vec![programs::borg_init(&self.folder)])?;
        }
        Ok(())
    }

    /// Lets each program save or read all rows.
    fn save(&mut self, what: &str, programs: &[&'static str]) -> Result<()> {
        self.saves += 1;
        for by in self.in_turn(programs) {
            let (commands, kept) = self.saving(by);
            match kept {
                Some(kept) => self.bench.measure_kept(what, by, commands, &kept)?,
                None => drop(self.bench.measure(what, by, commands)?),
            }
        }
        Ok(())
    }

    /// What a program is called by to save all rows, and where it keeps them.
    fn saving(&self, by: &str) -> (Vec<Command>, Option<PathBuf>) {
        let (postgres, url) = (self.bench.server.bin_dir(), self.url.as_str());
        let archive = self.saves.to_string();
        match by {
            COPY => (vec![programs::copy(postgres, url)], None),
            SORTED_COPY => (vec![programs::sorted_copy(postgres, url)], None),
            DUMP => (vec![programs::dump(postgres, url, &self.dump())], Some(self.dump())),
            RESTIC => {
                let keep = programs::restic(&self.folder, &programs::RESTIC_KEEP);
                let pipe = vec![programs::plain_dump(postgres, url), keep];
                (pipe, Some(self.folder.join("restic")))
            }
            BORG => {
                let keep = programs::borg_create(&self.folder, &archive);
                let pipe = vec![programs::plain_dump(postgres, url), keep];
                (pipe, Some(self.folder.join("borg")))
            }
            _ => (vec![programs::rewind(&self.store(), url, &["backup"])], Some(self.store())),
        }
    }

    async fn pg_restore(&mut self) -> Result<()> {
        let again = self.bench.empty_database("again").await?;
        let restore = programs::pg_restore(self.bench.server.bin_dir(), &again, &self.dump());
        self.bench.measure(RESTORE_ALL, PG_RESTORE, vec![restore])?;
        self.bench.drop_database("again").await
    }

    /// Runs ipam-rewind and takes down what it took.
    fn rewind(&mut self, what: &str, verb: &[&str]) -> Result<()> {
        let command = programs::rewind(&self.store(), &self.url, verb);
        self.bench.measure(what, OURS, vec![command])?;
        Ok(())
    }

    /// Those of the programs that are installed, another one first in each round.
    fn in_turn(&self, programs: &[&'static str]) -> Vec<&'static str> {
        let installed = programs.iter().copied().filter(|by| self.takes_part(by));
        let mut order: Vec<_> = installed.collect();
        let first = (self.number - 1) % order.len();
        order.rotate_left(first);
        order
    }

    fn takes_part(&self, by: &str) -> bool {
        let rival = match by {
            RESTIC | CHECK => "restic",
            BORG => "borg",
            _ => return true,
        };
        self.bench.rivals.contains(&rival)
    }

    /// All backups, newest first.
    fn ids(&self) -> Result<Vec<String>> {
        let list = programs::rewind(&self.store(), &self.url, &["list", "--json"]);
        let list: serde_json::Value = serde_json::from_str(&measure::pipe(vec![list])?.output)?;
        let backups = list["backups"].as_array().context("a list of backups")?;
        let id = |backup: &serde_json::Value| backup["backup_id"].as_str().map(str::to_owned);
        backups.iter().map(|backup| id(backup).context("an id")).collect()
    }

    pub fn store(&self) -> PathBuf {
        self.folder.join("store")
    }

    /// The dump in PostgreSQL's own format.
    pub fn dump(&self) -> PathBuf {
        self.folder.join("plan.dump")
    }
}
