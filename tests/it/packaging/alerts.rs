//! The alerts of docs/monitoring.md: promtool takes them, and they fire when they should.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::docs::block_of;
use crate::support::database;
use crate::support::program::{Ended, Program};
use crate::support::serving::{Serving, ok};

/// Names and values.
type Labels = &'static [(&'static str, &'static str)];

/// Four hours of what Prometheus has collected of the service `a`, and the alerts that it raises.
struct Case {
    name: &'static str,
    /// Metrics without the label of the service, and their values, one a minute.
    series: Labels,
    /// Times, alerts, and the labels with which they fire beside that of the service; none where they do not.
    alerts: &'static [(&'static str, &'static str, Option<Labels>)],
}

const UP: &str = r#"up{job="ipam-rewind",instance="a"}"#;
const LAST_SUCCESS: &str =
    r#"ipam_rewind_last_success_timestamp_seconds{instance="a",kind="backup"}"#;
const DAMAGED: &str = r#"ipam_rewind_damaged_backups{instance="a"}"#;
const OVERDUE: &str = r#"ipam_rewind_backup_overdue{instance="a"}"#;
const FAILED: &str =
    r#"ipam_rewind_jobs_total{instance="a",kind="backup",trigger="schedule",outcome="failed"}"#;
const DISK_FREE: &str = r#"ipam_rewind_disk_available_bytes{instance="a"}"#;
const DISK_SIZE: &str = r#"ipam_rewind_disk_size_bytes{instance="a"}"#;

/// Each alert of the page has a case in which it fires and one in which it does not.
const CASES: [Case; 3] = [
    Case {
        name: "a service that is well raises nothing",
        series: &[
            (UP, "1x240"),
            (LAST_SUCCESS, "0+60x240"),
            (DAMAGED, "0x240"),
            (FAILED, "0x240"),
            (DISK_FREE, "50x240"),
            (DISK_SIZE, "100x240"),
        ],
        alerts: &[
            ("4h", "IpamRewindDown", None),
            ("4h", "IpamRewindNoBackup", None),
            ("4h", "IpamRewindDamage", None),
            ("4h", "IpamRewindOverdue", None),
            ("4h", "IpamRewindJobFailed", None),
            ("4h", "IpamRewindDiskFull", None),
        ],
    },
    Case {
        name: "the first failure after the start is seen",
        series: &[(FAILED, "0x30 1x210")],
        alerts: &[
            ("29m", "IpamRewindJobFailed", None),
            ("35m", "IpamRewindJobFailed", Some(&[("kind", "backup")])),
            ("3h", "IpamRewindJobFailed", None),
        ],
    },
    Case {
        name: "a schedule that stopped, damage, a full disk and a service that is away are seen",
        series: &[
            (UP, "1x10 0x230"),
            (LAST_SUCCESS, "0x240"),
            (DAMAGED, "0x10 1x230"),
            (OVERDUE, "0x10 1x230"),
            (DISK_FREE, "9x240"),
            (DISK_SIZE, "100x240"),
        ],
        alerts: &[
            ("9m", "IpamRewindDown", None),
            ("20m", "IpamRewindDown", Some(&[("job", "ipam-rewind")])),
            ("119m", "IpamRewindNoBackup", None),
            ("130m", "IpamRewindNoBackup", Some(&[("kind", "backup")])),
            ("9m", "IpamRewindOverdue", None),
            ("12m", "IpamRewindOverdue", Some(&[])),
            ("9m", "IpamRewindDamage", None),
            ("12m", "IpamRewindDamage", Some(&[])),
            ("20m", "IpamRewindDiskFull", Some(&[])),
        ],
    },
];

impl Case {
    /// The test of promtool.
    fn document(&self) -> Value {
        let series =
            |(series, values): &(&str, &str)| json!({ "series": series, "values": values });
        let alert = |(time, name, labels): &(&str, &str, Option<Labels>)| {
            let fires = labels.map(|labels| {
                let labels = labels.iter().copied().chain([("instance", "a")]);
                json!({ "exp_labels": labels.collect::<BTreeMap<_, _>>() })
            });
            let fires: Vec<_> = fires.into_iter().collect();
            json!({ "eval_time": time, "alertname": name, "exp_alerts": fires })
        };
        json!({
            "name": self.name,
            "interval": "1m",
            "input_series": self.series.iter().map(series).collect::<Vec<_>>(),
            "alert_rule_test": self.alerts.iter().map(alert).collect::<Vec<_>>(),
        })
    }

    fn fires(&self, alert: &str) -> bool {
        self.alerts.iter().any(|(_, name, labels)| *name == alert && labels.is_some())
    }
}

fn promtool(folder: &Path, words: &[&str]) -> Ended {
    let mut promtool = Command::new("promtool");
    promtool.current_dir(folder).args(words);
    promtool.output().expect("promtool runs; scripts/setup.sh installs it").into()
}

#[test]
fn the_documented_alerts_are_valid_and_fire_when_they_should() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = block_of("docs/monitoring.md", "yaml alerts");
    // JSON is YAML.
    let cases = json!({
        "rule_files": ["alerts.yml"],
        "evaluation_interval": "1m",
        "tests": CASES.iter().map(Case::document).collect::<Vec<_>>(),
    });
    for (name, text) in [("alerts.yml", &rules), ("cases.yml", &cases.to_string())] {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    let checked = promtool(folder.path(), &["check", "rules", "alerts.yml"]);
    assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
    let tried = promtool(folder.path(), &["test", "rules", "cases.yml"]);
    assert_eq!(tried.code, 0, "{}{}", tried.out, tried.err);
    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(CASES.iter().any(|case| case.fires(alert)), "{alert}");
    }
}

#[tokio::test]
async fn the_documented_alerts_use_metrics_that_exist() {
    let database = database().await;
    let program = Program::on(&database);
    let serving = Serving::start(&program, &[]);
    ok(serving.post("/api/backup")).await;
    let metrics = serving.get("/metrics").send().await.expect("it answers");
    let metrics = metrics.text().await.expect("a body");
    let rules = block_of("docs/monitoring.md", "yaml alerts");
    let words = rules.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names: Vec<_> = words.filter(|word| word.starts_with("ipam_rewind_")).collect();
    assert!(names.len() >= 4, "{names:?}");
    for name in names {
        let is_sample =
            |line: &str| line.starts_with(name) && line[name.len()..].starts_with(['{', ' ']);
        assert!(metrics.lines().any(is_sample), "{name} in {metrics}");
    }
}
