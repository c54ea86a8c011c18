//! The retention rules beside "the newest N"; `cleanup` and `serve` share them.

use clap::Args;

use crate::model::{Age, Policy};

/// What to keep beside the newest.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[expect(clippy::struct_field_names, reason = "they are called as the options are")]
pub struct KeepRules {
    /// Keep the newest backup of each of the last N hours that have one
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    keep_hourly: usize,
    /// Keep the newest backup of each of the last N days that have one
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    keep_daily: usize,
    /// Keep the newest backup of each of the last N weeks that have one
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    keep_weekly: usize,
    /// Keep the newest backup of each of the last N months that have one
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    keep_monthly: usize,
    /// Keep the newest backup of each of the last N years that have one
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    keep_yearly: usize,
    /// Keep all backups younger than this, relative to the newest (36h, 14d, 8w)
    #[arg(long, value_name = "AGE")]
    keep_within: Option<Age>,
    /// Keep safety backups for this long, relative to the newest backup; they do not count toward
    /// other rules
    #[arg(long, value_name = "AGE", default_value_t = Age::days(Policy::PRE_RESTORE_DAYS))]
    keep_pre_restore: Age,
    /// Keep all backups that `watch` made for this long, relative to the newest backup; after that one an
    /// hour for a day, one a day for 30 days and one a week for a year
    #[arg(long, value_name = "AGE", default_value_t = Age::hours(Policy::AUTOMATIC_HOURS))]
    keep_automatic: Age,
}

impl KeepRules {
    /// The policy of these rules and the newest `last`.
    pub fn policy(&self, last: usize) -> Policy {
        Policy {
            last,
            hourly: self.keep_hourly,
            daily: self.keep_daily,
            weekly: self.keep_weekly,
            monthly: self.keep_monthly,
            yearly: self.keep_yearly,
            within: self.keep_within,
            pre_restore_within: self.keep_pre_restore,
            automatic_within: self.keep_automatic,
            allow_empty: false,
        }
    }
}
