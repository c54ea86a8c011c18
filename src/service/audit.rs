//! The audit log: who did what, with which outcome. Appended durably, bounded by rotation.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Role, files};
use crate::threads::locked;

const FILE: &str = "audit.jsonl";
/// Bytes from which on a file is put aside and a new one begun.
const LARGE: u64 = 8 * 1024 * 1024;
/// Files put aside that are kept.
const KEPT: u8 = 4;
/// Characters that are kept of a text from outside.
const LONGEST: usize = 200;

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was not allowed, or made no sense.
    Refused,
    /// A job for it was taken on; its end is an entry of its own.
    Accepted,
    /// It was done.
    Succeeded,
    /// It was tried.
    Failed,
    /// Somebody ended it.
    Cancelled,
    /// The service ended before it was done.
    Interrupted,
}

/// One thing that somebody did, or wanted to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    /// When it was over.
    pub at: DateTime<Utc>,
    /// The token's name; `local` on a service without tokens, `schedule` if nobody asked, nobody if
    /// it is not known who.
    pub who: Option<String>,
    /// What they may do.
    pub role: Option<Role>,
    /// What it was: a job's kind, or a call as `METHOD /path`.
    pub action: String,
    /// The backup that it was about.
    pub target: Option<String>,
    /// How it went.
    pub outcome: Outcome,
    /// Why it went so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub detail: Option<String>,
    /// The job that did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub job_id: Option<String>,
    /// The request that asked for it, as `x-request-id` named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub request_id: Option<String>,
}

/// The log of one service. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Audit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    alone: Mutex<()>,
}

fn cut(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
}

impl Entry {
    /// Long texts cut short.
    fn bounded(mut self) -> Self {
        let texts = [&mut self.who, &mut self.target, &mut self.detail, &mut self.request_id];
        texts.into_iter().flatten().for_each(cut);
        cut(&mut self.action);
        self
    }
}

impl Audit {
    /// The log in this state folder.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self(Arc::new(Inner { path: folder.join(FILE), alone: Mutex::default() }))
    }

    /// Writes an entry; it is on the disk when this returns. A log that cannot be written stops
    /// nobody's work: that is said in the program's own log.
    pub async fn record(&self, entry: Entry) {
        let audit = self.clone();
        let entry = entry.bounded();
        let written = tokio::task::spawn_blocking(move || audit.append(&entry)).await;
        match written.expect("writing does not panic") {
            Ok(()) => {}
            Err(error) => tracing::error!("the audit log cannot be written: {error}"),
        }
    }

    fn append(&self, entry: &Entry) -> io::Result<()> {
        let _alone = locked(&self.0.alone);
        if fs::metadata(&self.0.path).is_ok_and(|meta| meta.len() >= LARGE) {
            self.rotate()?;
        }
        files::append_json(&self.0.path, entry)
    }

    /// `audit.jsonl` becomes `audit.1.jsonl`, that `audit.2.jsonl`, and so on; the oldest goes.
    fn rotate(&self) -> io::Result<()> {
        for number in (1..=KEPT).rev() {
            let from = if number == 1 { self.0.path.clone() } else { self.aside(number - 1) };
            match fs::rename(from, self.aside(number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn aside(&self, number: u8) -> PathBuf {
        self.0.path.with_extension(format!("{number}.jsonl"))
    }

    /// The newest entries, newest first.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub async fn newest(&self, limit: usize) -> io::Result<Vec<Entry>> {
        let audit = self.clone();
        let read = tokio::task::spawn_blocking(move || audit.read(limit)).await;
        read.expect("reading does not panic")
    }

    fn read(&self, limit: usize) -> io::Result<Vec<Entry>> {
        let _alone = locked(&self.0.alone);
        let mut newest = Vec::new();
        for number in 0..=KEPT {
            let path = if number == 0 { self.0.path.clone() } else { self.aside(number) };
            newest.extend(files::read_lines::<Entry>(&path)?.into_iter().rev());
            if newest.len() >= limit {
                break;
            }
        }
        newest.truncate(limit);
        Ok(newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(action: &str) -> Entry {
        Entry {
            at: "2025-09-20T14:30:22Z".parse().expect("a time"),
            who: Some("robot".into()),
            role: Some(Role::Operator),
            action: action.into(),
            target: None,
            outcome: Outcome::Succeeded,
            detail: None,
            job_id: None,
            request_id: None,
        }
    }

    #[tokio::test]
    async fn the_newest_come_first_also_over_a_rotation() {
        let folder = tempfile::tempdir().expect("a folder");
        let audit = Audit::in_folder(folder.path());
        for action in ["one", "two"] {
            audit.record(entry(action)).await;
        }
        let file = fs::File::options().append(true).open(folder.path().join(FILE)).expect("there");
        file.set_len(LARGE).expect("made large");
        audit.record(entry("three")).await;
        let actions =
            |entries: Vec<Entry>| entries.into_iter().map(|e| e.action).collect::<Vec<_>>();
        assert_eq!(actions(audit.newest(2).await.expect("read")), ["three", "two"]);
        assert_eq!(actions(audit.newest(9).await.expect("read")), ["three", "two", "one"]);
        assert!(fs::metadata(folder.path().join(FILE)).expect("there").len() < 1000);
    }

    #[tokio::test]
    async fn what_is_put_aside_has_an_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let audit = Audit::in_folder(folder.path());
        for _ in 0..KEPT + 3 {
            let file = fs::File::create(folder.path().join(FILE)).expect("made");
            file.set_len(LARGE).expect("made large");
            audit.record(entry("one")).await;
        }
        let files = fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(files, usize::from(KEPT) + 1);
    }

    #[tokio::test]
    async fn what_comes_from_outside_stays_one_short_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let audit = Audit::in_folder(folder.path());
        let long = format!("a\nb{}", "é".repeat(5000));
        audit.record(Entry { target: Some(long), ..entry("one") }).await;
        let text = fs::read_to_string(folder.path().join(FILE)).expect("read");
        assert_eq!(text.lines().count(), 1);
        assert!(text.len() < 1000, "{}", text.len());
    }
}
