//! The one verdict: is the address plan protected, and if not, why? Page, health and monitoring have it
//! from here. Anybody may ask for it, so it names no path, host or user.

use chrono::{DateTime, Duration, Utc};
use serde::Serialize;

use crate::model::BackupId;
use crate::service::observe::overview::{LastRestored, Newest};

/// Without a schedule, a backup older than this is worth a word.
const STALE: Duration = Duration::days(1);
/// Clocks of different machines may differ by so much.
pub const CLOCKS_DIFFER: Duration = Duration::minutes(5);

/// How grave the verdict is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The plan is protected.
    Good,
    /// It is, but somebody should look at something.
    Notice,
    /// It is not, or will not be for long.
    Bad,
}

/// What the verdict rests on, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// All is well.
    Protected,
    /// All is well, but the newest backup was never verified.
    NotVerified,
    /// There is no backup.
    NoBackup,
    /// The store cannot be written.
    StoreUnusable,
    /// The newest backup is damaged.
    NewestDamaged,
    /// The database is out of reach.
    DatabaseUnreachable,
    /// The latest scheduled backup failed.
    ScheduledBackupFailed,
    /// A scheduled backup was not made in time.
    Overdue,
    /// The newest backup is dated in the future.
    ClockAhead,
    /// An older backup is damaged.
    OlderDamaged,
    /// The disk is nearly full.
    DiskFilling,
    /// A backup was not verified in time.
    VerificationOverdue,
    /// The retention rules do not do their work.
    RetentionStuck,
    /// A full read found other rows than the changes had told; all rows are read since.
    IncrementalMismatch,
    /// The live rows have changed since the backup that they come from.
    LiveDiffers,
    /// The newest backup is old, and none is scheduled.
    Stale,
}

/// The verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Protection {
    pub level: Level,
    pub cause: Cause,
    /// The verdict in a word or two.
    pub word: String,
    /// The reason in a sentence.
    pub sentence: String,
}

/// What is known without asking the store or the database anew.
#[derive(Debug, Clone)]
pub struct Known {
    pub now: DateTime<Utc>,
    pub newest: Option<Newest>,
    /// The backup that was restored since.
    pub restored: Option<LastRestored>,
    /// How many live rows differed from the one or the other when they were last read.
    pub differs: u64,
    /// Damaged backups, those that cannot be read among them.
    pub damaged: usize,
    /// When a scheduled backup failed that none has followed.
    pub failed_at: Option<DateTime<Utc>>,
    /// When the scheduled backup was due that was not made in time.
    pub overdue_since: Option<DateTime<Utc>>,
    /// When the next one is due; none without a schedule.
    pub next: Option<DateTime<Utc>>,
    /// How full the disk is, if that is worth a word.
    pub disk: Option<String>,
    /// Whether a backup was not verified in time.
    pub verification_overdue: bool,
    /// Since when a backup waits for its copy in another store, if that is too long.
    pub copy_overdue_since: Option<DateTime<Utc>>,
    /// Whether the retention rules do not do their work.
    pub retention_stuck: bool,
    /// How often changes are looked for; never without it.
    pub watch: Option<std::time::Duration>,
    /// Since when changes could not be looked for or kept.
    pub unwatched_since: Option<DateTime<Utc>>,
    /// The backup whose full read found other rows than the changes had told.
    pub mismatch: Option<BackupId>,
}

impl Protection {
    /// The verdict where the store cannot be read.
    #[must_use]
    pub fn unreadable() -> Self {
        unusable("it cannot be read")
    }
}

impl Known {
    /// Whether the newest backup is dated in the future.
    #[must_use]
    pub fn clock_is_wrong(&self) -> bool {
        self.newest.as_ref().is_some_and(|newest| newest.made > self.now + CLOCKS_DIFFER)
    }

    /// The verdict, given whether the store can be written and the database answers, or why not.
    #[must_use]
    pub fn verdict(&self, store: Result<(), &str>, database: Result<(), &str>) -> Protection {
        let Some(newest) = &self.newest else {
            return match store {
                Err(why) => unusable(why),
                Ok(()) => bad(Cause::NoBackup, "There is no backup yet."),
            };
        };
        let found = self.danger(newest, store, database).or_else(|| self.notice(newest));
        found.unwrap_or_else(|| self.good(newest))
    }

    fn last(&self, newest: &Newest) -> String {
        format!("The last backup was made {}", ago(self.now - newest.made))
    }

    /// What keeps a next backup from being made, or the newest from being of use.
    fn danger(
        &self,
        newest: &Newest,
        store: Result<(), &str>,
        database: Result<(), &str>,
    ) -> Option<Protection> {
        let last = self.last(newest);
        if let Err(why) = store {
            return Some(unusable(why));
        }
        if newest.damaged {
            let sentence = format!("{last}, and it is damaged. A new one repairs what it can.");
            return Some(bad(Cause::NewestDamaged, sentence));
        }
        if database.is_err() {
            let sentence = format!("{last}; the database is out of reach now.");
            let found = bad(Cause::DatabaseUnreachable, sentence);
            return Some(Protection { word: "At risk.".into(), ..found });
        }
        if let Some(at) = self.failed_at {
            let sentence = format!("The scheduled backup {} failed.", ago(self.now - at));
            return Some(bad(Cause::ScheduledBackupFailed, sentence));
        }
        if let Some(since) = self.unwatched_since {
            let long = span(self.now - since);
            let sentence = format!("{last}, and changes could not be kept for {long}.");
            let found = bad(Cause::Overdue, sentence);
            return Some(Protection { word: "At risk.".into(), ..found });
        }
        let since = self.overdue_since?;
        let late = span(self.now - since);
        let found = bad(Cause::Overdue, format!("{last}, and the scheduled one is {late} late."));
        Some(Protection { word: "At risk.".into(), ..found })
    }

    fn notice(&self, newest: &Newest) -> Option<Protection> {
        let last = ago(self.now - newest.made);
        let say = |cause, sentence: String| {
            Some(Protection {
                level: Level::Notice,
                cause,
                word: "Protected, but".into(),
                sentence,
            })
        };
        if self.clock_is_wrong() {
            let ahead = span(newest.made - self.now);
            let sentence = format!(
                "the last backup is dated {ahead} in the future: the clock of this machine is wrong, or was."
            );
            return say(Cause::ClockAhead, sentence);
        }
        if self.damaged > 0 {
            let (backups, are) =
                if self.damaged == 1 { ("backup", "is") } else { ("backups", "are") };
            let damaged = self.damaged;
            let sentence =
                format!("{damaged} {backups} {are} damaged. The last one, {last}, is not.");
            return say(Cause::OlderDamaged, sentence);
        }
        if let Some(disk) = &self.disk {
            return say(Cause::DiskFilling, format!("the disk is nearly full: {disk}."));
        }
        if self.verification_overdue {
            return say(Cause::VerificationOverdue, "backups were not verified in time.".into());
        }
        if let Some(id) = &self.mismatch {
            let sentence = format!(
                "backup {id} found other rows than the changes had told, so all rows are read each time. Find \
                 the cause, then `ipam-rewind backup --resume-incremental`."
            );
            return say(Cause::IncrementalMismatch, sentence);
        }
        if self.retention_stuck {
            let sentence = "old backups are not deleted: the cleanup fails again and again.";
            return say(Cause::RetentionStuck, sentence.into());
        }
        if self.differs > 0 {
            let (rows, differ) =
                if self.differs == 1 { ("row", "differs") } else { ("rows", "differ") };
            let from = match &self.restored {
                Some(restored) => {
                    format!("the backup that was restored {}", ago(self.now - restored.at))
                }
                None => format!("the last backup, {last}"),
            };
            let sentence = format!("{} {rows} {differ} from {from}.", self.differs);
            return say(Cause::LiveDiffers, sentence);
        }
        let age = self.now - newest.made;
        let stale = self.next.is_none() && self.watch.is_none() && age > STALE;
        let sentence = || format!("the last backup is {} old, and none is scheduled.", span(age));
        if stale { say(Cause::Stale, sentence()) } else { None }
    }

    fn good(&self, newest: &Newest) -> Protection {
        let (last, verified) = match &self.restored {
            Some(LastRestored { at, made, verified, .. }) => {
                let (at, made) = (ago(self.now - *at), ago(self.now - *made));
                (format!("Restored {at} to the backup made {made}"), *verified)
            }
            None => (format!("Last backup {}", ago(self.now - newest.made)), newest.verified),
        };
        let coming = match (self.watch, self.next) {
            (Some(every), _) => {
                let every = Duration::from_std(every).unwrap_or(Duration::MAX);
                format!("changes are looked for every {}", span(every))
            }
            (None, Some(next)) => format!("next in {}", span(next - self.now)),
            (None, None) => "none is scheduled".into(),
        };
        let (cause, verified) = if verified {
            (Cause::Protected, "verified")
        } else {
            (Cause::NotVerified, "not verified yet")
        };
        let sentence = format!("{last}, {verified}; {coming}.");
        Protection { level: Level::Good, cause, word: "Protected.".into(), sentence }
    }
}

fn bad(cause: Cause, sentence: impl Into<String>) -> Protection {
    Protection {
        level: Level::Bad,
        cause,
        word: "Not protected.".into(),
        sentence: sentence.into(),
    }
}

fn unusable(why: &str) -> Protection {
    bad(Cause::StoreUnusable, format!("The store cannot be used: {why}."))
}

/// "4 minutes", the greatest unit that fits.
#[must_use]
pub fn span(time: Duration) -> String {
    const UNITS: [(i64, &str); 6] = [
        (365 * 86_400, "year"),
        (30 * 86_400, "month"),
        (86_400, "day"),
        (3_600, "hour"),
        (60, "minute"),
        (1, "second"),
    ];
    let seconds = time.num_seconds().max(0);
    let (unit, name) =
        UNITS.into_iter().find(|(unit, _)| seconds >= *unit).unwrap_or((1, "second"));
    let many = seconds / unit;
    format!("{many} {name}{}", if many == 1 { "" } else { "s" })
}

/// "4 minutes ago"; of a time to come, by how much.
fn ago(age: Duration) -> String {
    match age {
        age if age < -CLOCKS_DIFFER => format!("{} in the future", span(-age)),
        age if age < Duration::seconds(5) => "just now".into(),
        age => format!("{} ago", span(age)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn newest(text: &str) -> Newest {
        let backup_id = "20250920_143022".parse().expect("an id");
        Newest { backup_id, made: at(text), damaged: false, verified: true }
    }

    fn known() -> Known {
        Known {
            now: at("2025-09-20T14:34:22Z"),
            newest: Some(newest("2025-09-20T14:30:22Z")),
            restored: None,
            differs: 0,
            damaged: 0,
            failed_at: None,
            overdue_since: None,
            next: Some(at("2025-09-20T15:30:22Z")),
            disk: None,
            verification_overdue: false,
            copy_overdue_since: None,
            retention_stuck: false,
            watch: None,
            unwatched_since: None,
            mismatch: None,
        }
    }

    fn said(known: &Known) -> String {
        let Protection { word, sentence, .. } = known.verdict(Ok(()), Ok(()));
        format!("{word} {sentence}")
    }

    #[test]
    fn verdict_says_since_when_all_is_well_and_what_comes_next() {
        let words = "Protected. Last backup 4 minutes ago, verified; next in 56 minutes.";
        assert_eq!(said(&known()), words);
        assert!(said(&Known { next: None, ..known() }).ends_with("; none is scheduled."));
        let watched = Known { watch: Some(std::time::Duration::from_secs(30)), ..known() };
        assert!(said(&watched).ends_with("; changes are looked for every 30 seconds."));
    }

    #[test]
    fn verdict_names_the_backup_that_live_was_restored_to_and_not_the_newest() {
        let restored = Some(LastRestored {
            backup_id: "20250920_100000".parse().expect("an id"),
            at: at("2025-09-20T14:32:22Z"),
            made: at("2025-09-20T10:00:00Z"),
            verified: true,
        });
        let mut known = Known { restored, ..known() };
        known.newest = known.newest.map(|newest| Newest { verified: false, ..newest });
        let words = "Protected. Restored 2 minutes ago to the backup made 4 hours ago, verified; next in 56 \
                     minutes.";
        assert_eq!(said(&known), words);
        known.differs = 12;
        let words =
            "Protected, but 12 rows differ from the backup that was restored 2 minutes ago.";
        assert_eq!(said(&known), words);
    }

    #[test]
    fn verdict_counts_the_live_rows_that_no_backup_has() {
        let known = Known { differs: 1, ..known() };
        assert_eq!(
            said(&known),
            "Protected, but 1 row differs from the last backup, 4 minutes ago."
        );
        assert_eq!(known.verdict(Ok(()), Ok(())).cause, Cause::LiveDiffers);
    }

    #[test]
    fn each_trouble_has_its_level_and_cause() {
        let damaged = Newest { damaged: true, ..known().newest.expect("one") };
        let due = Some(at("2025-09-20T14:00:00Z"));
        let old = Some(newest("2025-09-17T14:30:22Z"));
        let cases = [
            (Known { newest: None, ..known() }, Level::Bad, Cause::NoBackup),
            (
                Known { newest: Some(damaged), damaged: 1, ..known() },
                Level::Bad,
                Cause::NewestDamaged,
            ),
            (Known { failed_at: due, ..known() }, Level::Bad, Cause::ScheduledBackupFailed),
            (Known { overdue_since: due, ..known() }, Level::Bad, Cause::Overdue),
            (Known { unwatched_since: due, ..known() }, Level::Bad, Cause::Overdue),
            (
                Known { mismatch: "20250920_120000".parse().ok(), ..known() },
                Level::Notice,
                Cause::IncrementalMismatch,
            ),
            (Known { damaged: 1, ..known() }, Level::Notice, Cause::OlderDamaged),
            (Known { disk: Some("2 % left".into()), ..known() }, Level::Notice, Cause::DiskFilling),
            (Known { newest: old.clone(), next: None, ..known() }, Level::Notice, Cause::Stale),
            (Known { newest: old, ..known() }, Level::Good, Cause::Protected),
            (Known { retention_stuck: true, ..known() }, Level::Notice, Cause::RetentionStuck),
            (
                Known { verification_overdue: true, ..known() },
                Level::Notice,
                Cause::VerificationOverdue,
            ),
        ];
        for (known, level, cause) in cases {
            let found = known.verdict(Ok(()), Ok(()));
            assert_eq!((found.level, found.cause), (level, cause), "{found:?}");
        }
        let cause = |store, database| known().verdict(store, database).cause;
        assert_eq!(cause(Err("it is full"), Err("gone")), Cause::StoreUnusable);
        assert_eq!(cause(Ok(()), Err("gone")), Cause::DatabaseUnreachable);
    }

    #[test]
    fn backup_from_the_future_is_a_warning_about_the_clock_and_never_just_now() {
        let ahead = Known { newest: Some(newest("2026-09-20T14:30:22Z")), ..known() };
        assert_eq!(
            said(&ahead),
            "Protected, but the last backup is dated 12 months in the future: the clock of this machine \
             is wrong, or was."
        );
        let overdue = Known { overdue_since: Some(at("2025-09-20T14:00:00Z")), ..ahead };
        assert!(said(&overdue).contains("made 12 months in the future"), "{}", said(&overdue));
        let little = Known { newest: Some(newest("2025-09-20T14:35:22Z")), ..known() };
        assert!(said(&little).starts_with("Protected. Last backup just now"), "{}", said(&little));
    }
}
