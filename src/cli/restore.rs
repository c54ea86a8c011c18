//! `restore`

use clap::{Args, ValueEnum};

use super::backup::lacking;
use super::context::Context;
use super::diff::rows;
use super::error::CliError;
use super::output::{self, count, numbers, plain, plural, table};
use super::prompt::Answer;
use crate::api::body;
use crate::engine::{
    EngineError, OtherRows, Preview, RestoreOptions, RestoreResults, Restored, Selection,
    VerifyResult,
};
use crate::model::{BackupId, CaptureMode, Fingerprint, PerDataset, Profile};

/// Changed rows of each dataset that a preview shows to people.
const SHOWN: usize = 5;
/// As many as the API's preview shows unless told otherwise.
const SHOWN_AS_JSON: usize = 100;

/// Make the live rows identical to a backup
///
/// Shows a preview and asks for confirmation. Then, in one transaction: locks the tables against
/// writers, saves the current state as a safety backup, writes only the rows that differ, reads the
/// result back, and commits only if it equals the backup. If anything fails, the database is
/// unchanged.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Arguments {
    /// Backup id, as `list` shows it
    id: String,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Restore only this dataset (vrfs, prefixes, vpcs, public_ips) and the rows it depends on;
    /// repeatable
    #[arg(long, value_name = "NAME")]
    dataset: Vec<String>,
    /// Restore only this VRF and the rows it depends on
    #[arg(long, value_name = "VRF_ID")]
    vrf: Option<String>,
    /// Only add and update rows: rows that the backup does not have stay, and nothing is deleted
    #[arg(long)]
    merge: bool,
    /// Allow restoring a backup of another database or cluster
    #[arg(long)]
    into_other_database: bool,
    /// Allow columns that were added since the backup: re-created rows get null or the default,
    /// other rows keep their values
    #[arg(long)]
    allow_schema_drift: bool,
    /// Which rows to read back before the commit
    #[arg(long, value_name = "ROWS", default_value = "changed")]
    verify_result: ReadBack,
    /// Restore only if the live rows are still those of the preview with this fingerprint
    ///
    /// A preview printed with --dry-run --json has it. Between its own preview and your answer the
    /// command makes sure of the same.
    #[arg(long, value_name = "HASH")]
    fingerprint: Option<Fingerprint>,
    /// Do not create a safety backup; the restore cannot be undone
    #[arg(long)]
    no_safety_backup: bool,
}

/// Which rows are read back.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ReadBack {
    /// Those that the restore wrote, and the number of all; all where that does not tell
    Changed,
    /// All rows
    Full,
}

impl From<ReadBack> for VerifyResult {
    fn from(rows: ReadBack) -> Self {
        match rows {
            ReadBack::Changed => Self::Changed,
            ReadBack::Full => Self::Full,
        }
    }
}

impl Arguments {
    /// Runs the command.
    pub async fn run(self, context: &Context) -> Result<(), CliError> {
        let id: BackupId = self.id.parse().map_err(EngineError::from)?;
        let asks = !self.dry_run && !context.yes();
        let answer = if asks { context.expect_answer().await? } else { Answer::Yes };
        let engine = context.engine().await?;
        let options = self.options(engine.profile())?;
        let mut options = RestoreOptions { lock_patience: engine.lock_timeout(), ..options };
        if self.dry_run || !context.yes() {
            let shown = if context.json() { SHOWN_AS_JSON } else { SHOWN };
            let look = async |run: &_| engine.preview(&id, &options, shown, run).await;
            let preview = context.run(look).await?;
            if self.dry_run {
                context.print::<body::Preview, _>(&preview, |preview| {
                    text_of_preview(preview, !self.no_safety_backup)
                });
                return Ok(());
            }
            // Whoever is asked is shown what about, whatever else is not to be said.
            output::note(&text_of_preview(&preview, !self.no_safety_backup));
            if let (Some(why), false) = (&preview.other_database, self.into_other_database) {
                return Err(EngineError::OtherDatabase { id, why: why.clone() }.into());
            }
            let target = plain(&preview.target.to_string());
            let verb = if self.merge { "Merge" } else { "Restore" };
            options.fingerprint.get_or_insert(preview.fingerprint);
            context.confirm(&format!("\n{verb} {id} into {target} now?"), answer).await?;
        }
        let restored = context.run(async |run| engine.restore(&id, &options, run).await).await?;
        context.print::<body::Restored, _>(&restored, text);
        Ok(())
    }

    fn options(&self, profile: &Profile) -> Result<RestoreOptions, EngineError> {
        let datasets = self.dataset.iter().map(String::as_str);
        Ok(RestoreOptions {
            selection: Selection::named(profile, datasets, self.vrf.clone())?,
            merge: self.merge,
            safety_backup: !self.no_safety_backup,
            fingerprint: self.fingerprint,
            into_other_database: self.into_other_database,
            allow_schema_drift: self.allow_schema_drift,
            verify_result: self.verify_result.into(),
            ..RestoreOptions::default()
        })
    }
}

fn results(datasets: &PerDataset<RestoreResults>, head: [&str; 5]) -> String {
    let mut table = table(&head);
    for (dataset, done) in datasets {
        table.add_row([
            dataset.name().to_owned(),
            count(done.inserted),
            count(done.updated),
            count(done.deleted),
            count(done.unchanged),
        ]);
    }
    numbers(&mut table, 1..=4);
    table.to_string()
}

/// Says what is done to rows of tables that are not backed up.
fn others(rows: &[OtherRows], [removed, inserted]: [&str; 2], kept: bool) -> String {
    let mut text = String::new();
    for OtherRows { table, removed: gone, inserted: back } in rows {
        if *gone > 0 {
            let records = plural(*gone, "record");
            text += &format!(
                "\nBeside these, {records} of {table} {removed}: answers to requests whose rows are undone.{}",
                if kept { " The safety backup keeps them." } else { "" }
            );
        }
        if *back > 0 {
            let records = plural(*back, "record");
            text += &format!("\nBeside these, {records} of {table} {inserted}.");
        }
    }
    text
}

fn notes(of: &[String]) -> String {
    of.iter().map(|note| format!("\nNote: {}", plain(note))).collect()
}

fn text_of_preview(preview: &Preview, kept: bool) -> String {
    let lacks = lacking(&preview.missing_tables);
    let notes = notes(&preview.notes);
    let (source, target) = (plain(&preview.source.to_string()), plain(&preview.target.to_string()));
    let other = preview.other_database.as_deref().map(|why| format!("\nAnother database: {why}"));
    let other = other.unwrap_or_default();
    format!(
        "Backup of    {source}\nRestore into {target}{other}\n\n{}{lacks}{notes}",
        changes_of(preview, kept)
    )
}

fn changes_of(preview: &Preview, kept: bool) -> String {
    if preview.is_empty() {
        let what = if preview.partial { "Of what was selected, nothing" } else { "Nothing" };
        let id = &preview.backup_id;
        let drift = notes(&preview.schema_drift);
        return format!("{what} differs from backup {id}: a restore would change no row.{drift}");
    }
    let head = ["Dataset", "Insert", "Update", "Delete", "Leave"];
    let mut text =
        format!("A restore of {} would do this to the current rows:\n", preview.backup_id);
    text += &results(&preview.datasets, head);
    text += &others(&preview.other_rows, ["would be removed", "would be brought back"], kept);
    if preview.touched > 0 {
        let touched = plural(preview.touched, "update");
        text += &format!("\n{touched} of a time stamp alone");
    }
    text += &notes(&preview.schema_drift);
    text += &format!("\n\n{}", rows(&preview.changes));
    if preview.truncated {
        let id = &preview.backup_id;
        text += &format!(
            "\n… and more: `ipam-rewind diff live {id} --limit N` lists all that differs."
        );
    }
    text
}

fn text(restored: &Restored) -> String {
    let report = &restored.restore_results;
    let head = ["Dataset", "Inserted", "Updated", "Deleted", "Left"];
    let undo = match &report.safety_backup {
        Some(safety) => format!("To undo this: ipam-rewind restore {safety}"),
        None => "There is no safety backup, as you asked.".into(),
    };
    let proven = if report.partial {
        "what was selected is as in the backup, and nothing else was changed"
    } else {
        "the rows read back before the commit were those of the backup"
    };
    let read = match report.read_back {
        CaptureMode::Full => "all rows were read back",
        CaptureMode::Changes => "the written rows were read back, and all were counted",
    };
    let locked = report.locked_ms;
    let notes = notes(&report.schema_drift) + &notes(&restored.notes);
    format!(
        "{} into {}\n{}{}\nVerified: {proven}; {read}.\nWriters waited for at most {locked} ms.\n{undo}{notes}",
        body::Restored::message(restored),
        plain(&report.target.to_string()),
        results(&report.datasets, head),
        others(
            &report.other_rows,
            ["were removed", "were brought back"],
            report.safety_backup.is_some()
        ),
    )
}
