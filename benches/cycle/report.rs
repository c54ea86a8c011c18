//! The figures of a run as a table for people and JSON for programs.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use ipam_rewind::embedded::sample::PlanCounts;
use serde::Serialize;

use crate::measure::Measured;

/// All figures of a run.
#[derive(Serialize)]
pub struct Report {
    plan: String,
    prefixes: u64,
    rounds: u64,
    machine: String,
    commit: String,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    seconds: Vec<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    peak_bytes: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bytes: Vec<u64>,
}

fn output_of(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|done| String::from_utf8_lossy(&done.stdout).trim().to_owned()).unwrap_or_default()
}

fn machine() -> String {
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    format!("{cpus} cores, {}", model.map_or("unknown", |(_, name)| name))
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

fn spread(values: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    format!("{least:.2} to {most:.2}")
}

#[expect(clippy::cast_precision_loss, reason = "megabytes for people")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

impl Report {
    pub fn new(counts: &PlanCounts, prefixes: u64, rounds: u64) -> Self {
        Self {
            plan: format!("{counts:?}"),
            prefixes,
            rounds,
            machine: machine(),
            commit: output_of("git", &["describe", "--always", "--dirty"]),
            rows: Vec::new(),
        }
    }

    fn row(&mut self, name: &'static str) -> &mut Row {
        let place = self.rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
            self.rows.push(Row { name, seconds: vec![], peak_bytes: vec![], bytes: vec![] });
            self.rows.len() - 1
        });
        &mut self.rows[place]
    }

    pub fn time(&mut self, name: &'static str, measured: &Measured) {
        eprintln!("  {name}: {:.2} s", measured.wall.as_secs_f64());
        let row = self.row(name);
        row.seconds.push(measured.wall.as_secs_f64());
        row.peak_bytes.push(measured.peak);
    }

    pub fn bytes(&mut self, name: &'static str, bytes: u64) {
        self.row(name).bytes.push(bytes);
    }

    /// The median of a row's times or bytes.
    fn median_of(&self, name: &str) -> Option<f64> {
        let row = self.rows.iter().find(|row| row.name == name)?;
        let bytes: Vec<_> = row.bytes.iter().map(|bytes| megabytes(*bytes)).collect();
        median(&row.seconds).or_else(|| median(&bytes))
    }

    /// The budgets, each as a ratio of two rows.
    fn ratios(&self) -> String {
        let budgets = [
            ("first backup", "psql COPY", 1.3),
            ("size: first backup", "size: pg_dump -Fc", 0.4),
            ("growth: 1,000 random rows", "size: first backup", 0.15),
            ("growth: 1,000 rows in 20 VRFs", "size: first backup", 0.01),
            ("growth: all subnets touched", "size: first backup", 0.05),
            ("restore, 1,000 random rows", "psql COPY, in key order", 3.0),
            ("restore, 1,000 random rows", "pg_restore -j2", 0.5),
            ("restore into empty tables", "pg_restore -j2", 1.0),
        ];
        let mut out =
            "| ratio of medians | measured | at most |\n| --- | ---: | ---: |\n".to_owned();
        for (of, to, most) in budgets {
            if let (Some(a), Some(b)) = (self.median_of(of), self.median_of(to)) {
                let _ = writeln!(out, "| {of} / {to} | {:.3} | {most} |", a / b);
            }
        }
        out
    }

    fn markdown(&self) -> String {
        let mut out = format!(
            "# The cycle at {} prefixes\n\n{} rounds on {}, commit {}.\n\n{}\n\n",
            self.prefixes, self.rounds, self.machine, self.commit, self.plan
        );
        out += "| what | median | spread | peak memory |\n| --- | ---: | ---: | ---: |\n";
        for row in &self.rows {
            let peak =
                row.peak_bytes.iter().max().map(|peak| format!("{:.0} MB", megabytes(*peak)));
            let bytes: Vec<_> = row.bytes.iter().map(|bytes| megabytes(*bytes)).collect();
            let (values, unit) =
                if bytes.is_empty() { (&row.seconds, "s") } else { (&bytes, "MB") };
            let _ = writeln!(
                out,
                "| {} | {:.2} {unit} | {} | {} |",
                row.name,
                median(values).unwrap_or_default(),
                spread(values),
                peak.unwrap_or_default()
            );
        }
        format!("{out}\n{}", self.ratios())
    }

    /// Writes `benches/results/cycle-N.md` and `.json`.
    pub fn write(&self, project: &Path) -> Result<()> {
        let folder = project.join("benches/results");
        fs::create_dir_all(&folder)?;
        let name = format!("cycle-{}", self.prefixes);
        fs::write(folder.join(format!("{name}.md")), self.markdown())?;
        fs::write(folder.join(format!("{name}.json")), serde_json::to_string_pretty(self)?)?;
        eprintln!("\n{}", self.markdown());
        Ok(())
    }
}
