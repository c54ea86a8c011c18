//! The alerts of docs/monitoring.md: promtool takes them, and they fire when they should.

use std::path::Path;
use std::process::Command;

use super::docs::block_of;
use crate::support::database;
use crate::support::program::{Ended, Program};
use crate::support::serving::{Serving, ok};

/// What Prometheus would have collected, a minute at a time, and which alerts that raises. Each alert of the page
/// has a case in which it fires and one in which it does not.
const CASES: &str = r#"
rule_files: [alerts.yml]
evaluation_interval: 1m
tests:
  - name: a service that is well raises nothing
    interval: 1m
    input_series: &well
      - { series: 'up{job="ipam-rewind",instance="a"}', values: '1x240' }
      - { series: 'ipam_rewind_last_success_timestamp_seconds{instance="a",kind="backup"}', values: '0+60x240' }
      - { series: 'ipam_rewind_damaged_backups{instance="a"}', values: '0x240' }
      - { series: 'ipam_rewind_jobs_total{instance="a",kind="backup",trigger="schedule",outcome="failed"}', values: '0x240' }
      - { series: 'ipam_rewind_disk_available_bytes{instance="a"}', values: '50x240' }
      - { series: 'ipam_rewind_disk_size_bytes{instance="a"}', values: '100x240' }
    alert_rule_test:
      - { eval_time: 4h, alertname: IpamRewindDown }
      - { eval_time: 4h, alertname: IpamRewindNoBackup }
      - { eval_time: 4h, alertname: IpamRewindDamage }
      - { eval_time: 4h, alertname: IpamRewindOverdue }
      - { eval_time: 4h, alertname: IpamRewindJobFailed }
      - { eval_time: 4h, alertname: IpamRewindDiskFull }
  - name: the first failure after the start is seen
    interval: 1m
    input_series:
      - { series: 'ipam_rewind_jobs_total{instance="a",kind="backup",trigger="schedule",outcome="failed"}', values: '0x30 1x210' }
    alert_rule_test:
      - { eval_time: 29m, alertname: IpamRewindJobFailed }
      - { eval_time: 35m, alertname: IpamRewindJobFailed, exp_alerts: [{ exp_labels: { instance: a, kind: backup } }] }
      - { eval_time: 3h, alertname: IpamRewindJobFailed }
  - name: a schedule that stopped, damage, a full disk and a service that is away are seen
    interval: 1m
    input_series:
      - { series: 'up{job="ipam-rewind",instance="a"}', values: '1x10 0x230' }
      - { series: 'ipam_rewind_last_success_timestamp_seconds{instance="a",kind="backup"}', values: '0x240' }
      - { series: 'ipam_rewind_damaged_backups{instance="a"}', values: '0x10 1x230' }
      - { series: 'ipam_rewind_backup_overdue{instance="a"}', values: '0x10 1x230' }
      - { series: 'ipam_rewind_disk_available_bytes{instance="a"}', values: '9x240' }
      - { series: 'ipam_rewind_disk_size_bytes{instance="a"}', values: '100x240' }
    alert_rule_test:
      - { eval_time: 9m, alertname: IpamRewindDown }
      - { eval_time: 20m, alertname: IpamRewindDown, exp_alerts: [{ exp_labels: { instance: a, job: ipam-rewind } }] }
      - { eval_time: 119m, alertname: IpamRewindNoBackup }
      - { eval_time: 130m, alertname: IpamRewindNoBackup, exp_alerts: [{ exp_labels: { instance: a, kind: backup } }] }
      - { eval_time: 9m, alertname: IpamRewindOverdue }
      - { eval_time: 12m, alertname: IpamRewindOverdue, exp_alerts: [{ exp_labels: { instance: a } }] }
      - { eval_time: 9m, alertname: IpamRewindDamage }
      - { eval_time: 12m, alertname: IpamRewindDamage, exp_alerts: [{ exp_labels: { instance: a } }] }
      - { eval_time: 20m, alertname: IpamRewindDiskFull, exp_alerts: [{ exp_labels: { instance: a } }] }
"#;

fn promtool(folder: &Path, words: &[&str]) -> Ended {
    let mut promtool = Command::new("promtool");
    promtool.current_dir(folder).args(words);
    promtool.output().expect("promtool runs; scripts/setup.sh installs it").into()
}

#[test]
fn the_documented_alerts_are_valid_and_fire_when_they_should() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = block_of("docs/monitoring.md", "yaml alerts");
    for (name, text) in [("alerts.yml", rules.as_str()), ("cases.yml", CASES)] {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    let checked = promtool(folder.path(), &["check", "rules", "alerts.yml"]);
    assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
    let tried = promtool(folder.path(), &["test", "rules", "cases.yml"]);
    assert_eq!(tried.code, 0, "{}{}", tried.out, tried.err);
    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(CASES.matches(&format!("alertname: {alert}, exp_alerts")).count() > 0, "{alert}");
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
