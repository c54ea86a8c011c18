//! What jobs give, and how `jobs.json` keeps it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::engine::{
    BackupCreated, CleanupReport, CopyReport, Deleted, DiffReport, Imported, Preview, Restored,
    VerifyReport,
};

/// What a job gave.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobResult {
    Backup(Box<BackupCreated>),
    Restore(Restored),
    Preview(Preview),
    /// Of a verification.
    Verify(VerifyReport),
    Cleanup(CleanupReport),
    /// Of a deletion.
    Delete(Deleted),
    Import(Box<Imported>),
    /// Of a comparison.
    Diff(DiffReport),
    /// Of a copy into another store.
    Copy(CopyReport),
}

impl JobResult {
    /// Takes the store's folder out of the sentences, for example out of the notes of a sweep that met
    /// an object it could not remove. The values of rows are what they are.
    #[must_use]
    pub fn without_folder(mut self, folder: &str) -> Self {
        for text in self.sentences() {
            if text.contains(folder) {
                *text = text.replace(folder, "(the store)");
            }
        }
        self
    }

    /// The sentences that may name a file.
    fn sentences(&mut self) -> Vec<&mut String> {
        match self {
            Self::Backup(_) | Self::Diff(_) | Self::Copy(_) => Vec::new(),
            Self::Restore(Restored { notes, .. }) | Self::Preview(Preview { notes, .. }) => {
                notes.iter_mut().collect()
            }
            Self::Cleanup(CleanupReport { freed, .. }) | Self::Delete(Deleted { freed, .. }) => {
                freed.notes.iter_mut().collect()
            }
            Self::Import(imported) => imported.notes.iter_mut().collect(),
            Self::Verify(VerifyReport { backups, elsewhere, notes, .. }) => {
                let damage = backups.iter_mut().flat_map(|backup| &mut backup.damage);
                damage.chain(elsewhere).chain(notes).collect()
            }
        }
    }

    /// How many bytes it takes as JSON.
    pub fn size(&self) -> usize {
        serde_json::to_vec(self).expect("results are plain data").len()
    }
}

/// Reads what may have been written in another form by an earlier program: nothing then.
///
/// # Errors
/// If it is no JSON.
pub fn if_understood<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    from: D,
) -> Result<Option<T>, D::Error> {
    let value = Option::<Value>::deserialize(from)?;
    Ok(value.and_then(|value| serde_json::from_value(value).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{ChangeKind, Freed, Point, RowChange};

    fn deletion(note: &str) -> JobResult {
        JobResult::Delete(Deleted {
            backup_id: "20250920_143022".parse().expect("an id"),
            dry_run: false,
            freed: Freed { notes: vec![note.into()], ..Freed::default() },
        })
    }

    #[test]
    fn result_names_the_store_but_not_where_it_is() {
        let told = deletion("cannot remove /app/backups/packs/1").without_folder("/app/backups");
        let JobResult::Delete(told) = told else { panic!("{told:?}") };
        assert_eq!(told.freed.notes, ["cannot remove (the store)/packs/1"]);
        let change = RowChange {
            dataset: "vrfs".into(),
            table: "vrf".into(),
            key: "/app/backups".into(),
            kind: ChangeKind::Added,
            cells: Vec::new(),
        };
        let report = DiffReport {
            from: Point::Live,
            to: Point::Live,
            comparison_id: None,
            identical: false,
            left_out: Vec::new(),
            datasets: [].into(),
            changes: vec![change],
            truncated: false,
            missing_tables: Vec::new(),
        };
        let told = JobResult::Diff(report).without_folder("/app/backups");
        let JobResult::Diff(told) = told else { panic!("{told:?}") };
        assert_eq!(told.changes[0].key, "/app/backups");
    }

    #[derive(Debug, Deserialize)]
    struct Kept {
        #[serde(deserialize_with = "if_understood")]
        result: Option<JobResult>,
    }

    #[test]
    fn result_of_an_earlier_form_is_forgotten_and_its_job_is_not() {
        let kept = |text: &str| serde_json::from_str::<Kept>(text).expect("a job").result;
        assert!(
            kept(r#"{"result": {"status": "success", "message": "Backup 1 deleted"}}"#).is_none()
        );
        assert!(kept(r#"{"result": null}"#).is_none());
        let text = serde_json::json!({ "result": deletion("why") }).to_string();
        assert!(matches!(kept(&text), Some(JobResult::Delete(_))));
    }
}
