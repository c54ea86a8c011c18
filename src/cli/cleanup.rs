//! `cleanup`

use chrono::Duration;
use clap::Args;

use super::context::Context;
use super::delete::freed;
use super::error::CliError;
use super::output::{plain, size, table};
use crate::engine::{CleanupReport, Judged};
use crate::model::{Policy, Reason};

/// Keep the newest backups and whatever is pinned, delete the others
///
/// The other rules keep more, never less. Does not ask.
#[derive(Debug, Args)]
pub struct Arguments {
    /// How many of the newest to keep, of all kinds
    #[arg(default_value_t = 10)]
    keep: usize,
    /// Also keep the newest of each of the last N hours that have a backup
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    keep_hourly: usize,
    /// Also keep the newest of each of the last N days that have a backup
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    keep_daily: usize,
    /// Also keep the newest of each of the last N weeks that have a backup
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    keep_weekly: usize,
    /// Also keep the newest of each of the last N months that have a backup
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    keep_monthly: usize,
    /// Also keep the newest of each of the last N years that have a backup
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    keep_yearly: usize,
    /// Also keep all that are younger than this, counted from the newest (36h, 14d, 8w)
    #[arg(long, value_name = "AGE", value_parser = age)]
    keep_within: Option<Duration>,
    /// Only show what would go
    #[arg(long)]
    dry_run: bool,
}

fn age(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no age; an age looks like 36h, 14d or 8w");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number: i64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
    let age = match unit {
        'h' => Duration::try_hours(number),
        'd' => Duration::try_days(number),
        'w' => Duration::try_weeks(number),
        _ => None,
    };
    age.filter(|age| *age >= Duration::zero()).ok_or_else(wrong)
}

impl Arguments {
    /// Runs the verb.
    pub async fn run(self, context: &Context) -> Result<(), CliError> {
        let engine = context.engine().await?;
        let policy = Policy {
            last: self.keep,
            hourly: self.keep_hourly,
            daily: self.keep_daily,
            weekly: self.keep_weekly,
            monthly: self.keep_monthly,
            yearly: self.keep_yearly,
            within: self.keep_within,
        };
        let clean = async |run: &_| engine.cleanup(&policy, self.dry_run, run).await;
        let report = context.run(clean).await?;
        context.print(&report, text);
        Ok(())
    }
}

fn why(judged: &Judged) -> String {
    let word = |reason: &Reason| match reason {
        Reason::Pinned => "pinned",
        Reason::Last => "among the newest",
        Reason::Hourly => "hourly",
        Reason::Daily => "daily",
        Reason::Weekly => "weekly",
        Reason::Monthly => "monthly",
        Reason::Yearly => "yearly",
        Reason::Within => "young enough",
    };
    judged.kept_because.iter().map(word).collect::<Vec<_>>().join(", ")
}

fn text(report: &CleanupReport) -> String {
    let goes = if report.dry_run { "would go" } else { "deleted" };
    let mut backups = table(&["Backup", "", "Because", "Description"]);
    for judged in &report.kept {
        let id = judged.backup_id.to_string();
        backups.add_row([id, "kept".into(), why(judged), plain(&judged.description)]);
    }
    for judged in &report.deleted {
        let id = judged.backup_id.to_string();
        let because = "no rule keeps it".into();
        backups.add_row([id, goes.into(), because, plain(&judged.description)]);
    }
    let freed = if report.dry_run {
        format!("about {} would be freed", size(report.freed.bytes))
    } else {
        freed(&report.freed)
    };
    format!("{backups}\n{}\n{freed}", report.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_and_a_unit() {
        assert_eq!(age("36h"), Ok(Duration::hours(36)));
        assert_eq!(age("8w"), Ok(Duration::weeks(8)));
        for wrong in ["", "d", "12", "-3d", "3m", "3é", "99999999999999999w"] {
            assert!(age(wrong).is_err(), "{wrong:?}");
        }
    }
}
