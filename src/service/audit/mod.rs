//! The audit log: who did what, with which outcome. Appended durably, bounded by rotation.

mod files;

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::service::Role;
use crate::service::jobs::JobId;
use crate::threads::locked;
use files::Family;

/// The folder of the log.
const FOLDER: &str = "audit";
/// What earlier programs wrote.
const FILE: &str = "audit.jsonl";
/// Entries of a family that wait while the log cannot be written.
const MOST_WAITING: usize = 200;
/// The name of whoever is not known; no token can have it.
const UNKNOWN: &str = "+unknown";
/// Characters that are kept of a text from outside.
const LONGEST: usize = 200;

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was over.
    pub at: DateTime<Utc>,
    /// The token's name; `system` on a service without tokens, `schedule` if nobody asked, nobody if
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
    pub detail: Option<String>,
    /// The job that did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// The request that asked for it, as `x-request-id` named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// The log of one service. Cloning is cheap.
///
/// Each caller has files of their own, and of these some for what they changed and others for what
/// they were shown or refused. So nobody pushes out what others did, and nobody pushes out what they
/// changed by looking at things.
#[derive(Debug, Clone)]
pub struct Audit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// The folder of all files.
    folder: PathBuf,
    /// The first of the files that earlier programs wrote, for all callers.
    earlier: Family,
    waiting: Mutex<Waiting>,
}

/// Entries that could not be written yet, by family; oldest first.
type Waiting = HashMap<String, VecDeque<Entry>>;

/// The newest entries, and what could not be read of the log.
#[derive(Debug, Default)]
pub struct Newest {
    /// Newest first.
    pub entries: Vec<Entry>,
    /// What is damaged or unreadable, a sentence each.
    pub problems: Vec<String>,
}

fn cut(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
}

impl Entry {
    /// The name of the files that it belongs to.
    fn family(&self) -> String {
        let name = self.who.as_deref().unwrap_or(UNKNOWN);
        let plain =
            |c: char| if c.is_ascii_alphanumeric() || "._-@+".contains(c) { c } else { '+' };
        let name: String = name.chars().take(64).map(plain).collect();
        let kind = if self.is_change() { "changes" } else { "access" };
        format!("{name}.{kind}")
    }

    /// Whether somebody only looked, or tried to.
    fn is_look(&self) -> bool {
        let looks = ["GET ", "HEAD ", "OPTIONS ", "POST /api/preview/"];
        let query = self.detail.as_deref().filter(|detail| detail.starts_with('?'));
        let is_dry = query.is_some_and(|query| query.contains("dry_run=true"));
        is_dry || looks.iter().any(|look| self.action.starts_with(look))
    }

    /// Whether something was changed, or tried to.
    fn is_change(&self) -> bool {
        self.outcome != Outcome::Refused && !self.is_look()
    }

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
        let earlier = Family::at(folder.join(FILE));
        let waiting = Mutex::default();
        Self(Arc::new(Inner { folder: folder.join(FOLDER), earlier, waiting }))
    }

    /// Writes an entry; it is on the disk when this returns. A log that cannot be written stops
    /// nobody's work: the program's own log gets the entry, and this one when it can be written again.
    pub async fn record(&self, entry: Entry) {
        let audit = self.clone();
        let entry = entry.bounded();
        let written = tokio::task::spawn_blocking(move || audit.append(entry)).await;
        written.expect("writing does not panic");
    }

    fn append(&self, entry: Entry) {
        let mut waiting = locked(&self.0.waiting);
        let family = entry.family();
        let own = waiting.entry(family.clone()).or_default();
        if own.len() >= MOST_WAITING {
            own.pop_front();
        }
        own.push_back(entry);
        // That of this entry first: the others were tried before.
        let mut names: Vec<_> = waiting.keys().filter(|name| **name != family).cloned().collect();
        names.insert(0, family);
        for name in names {
            if let Err(error) = self.write(&name, &mut waiting) {
                let newest = waiting.get(&name).and_then(VecDeque::back);
                let entry = newest.map(|entry| serde_json::to_string(entry).unwrap_or_default());
                let entry = entry.unwrap_or_default();
                tracing::error!("could not write the audit log: {error}; entry: {entry}");
                return;
            }
        }
    }

    /// Writes what waits of this family.
    fn write(&self, name: &str, waiting: &mut Waiting) -> io::Result<()> {
        let state = self.0.folder.parent().unwrap_or(&self.0.folder);
        crate::service::files::make_folder_in(state, &self.0.folder)?;
        let family = Family::at(self.0.folder.join(format!("{name}.jsonl")));
        while let Some(entry) = waiting.get(name).and_then(VecDeque::front) {
            family.append(entry)?;
            if let Some(own) = waiting.get_mut(name) {
                own.pop_front();
            }
        }
        waiting.remove(name);
        Ok(())
    }

    /// The newest entries, newest first; what cannot be read of the log is said.
    pub async fn newest(&self, limit: usize) -> Newest {
        self.newest_of(limit, |_| true).await
    }

    /// As [`Self::newest`], without what only looked.
    pub async fn newest_changes(&self, limit: usize) -> Newest {
        self.newest_of(limit, |entry| !entry.is_look()).await
    }

    async fn newest_of(&self, limit: usize, takes: fn(&Entry) -> bool) -> Newest {
        let audit = self.clone();
        let read = tokio::task::spawn_blocking(move || audit.read(limit, takes)).await;
        read.expect("reading does not panic")
    }

    fn read(&self, limit: usize, takes: fn(&Entry) -> bool) -> Newest {
        let waiting = locked(&self.0.waiting);
        let mut newest = Newest::default();
        let waits = waiting.values().flat_map(|own| own.iter().rev());
        newest.entries.extend(waits.filter(|entry| takes(entry)).cloned());
        for family in self.families(&mut newest.problems) {
            family.read(limit, takes, &mut newest);
        }
        drop(waiting);
        newest.entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
        newest.entries.truncate(limit);
        newest
    }

    fn families(&self, problems: &mut Vec<String>) -> Vec<Family> {
        let mut families = vec![self.0.earlier.clone()];
        let names = match fs::read_dir(&self.0.folder) {
            Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                problems.push(format!("the folder of the audit log cannot be read: {error}"));
                Vec::new()
            }
        };
        let mut bases: Vec<_> = names.iter().filter_map(|path| files::base(path)).collect();
        bases.sort();
        bases.dedup();
        families.extend(bases.into_iter().map(Family::at));
        families
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

    fn actions(newest: &Newest) -> Vec<&str> {
        newest.entries.iter().map(|entry| entry.action.as_str()).collect()
    }

    fn at(second: u32, action: &str) -> Entry {
        let at = entry(action).at + chrono::Duration::seconds(second.into());
        Entry { at, ..entry(action) }
    }

    #[tokio::test]
    async fn the_newest_come_first_also_over_a_rotation_and_over_callers() {
        let folder = tempfile::tempdir().expect("a folder");
        let audit = Audit::in_folder(folder.path());
        let other = || Some("other".into());
        crate::service::files::append_json(&folder.path().join(FILE), &at(0, "zero")).expect("old");
        audit.record(at(1, "one")).await;
        audit.record(Entry { who: other(), ..at(2, "two") }).await;
        let file = folder.path().join("audit/robot.changes.jsonl");
        let file = fs::File::options().append(true).open(file).expect("there");
        file.set_len(files::LARGE).expect("made large");
        audit.record(at(3, "GET /three")).await;
        audit.record(at(4, "four")).await;
        let all = ["four", "GET /three", "two", "one", "zero"];
        assert_eq!(actions(&audit.newest(2).await), all[..2]);
        assert_eq!(actions(&audit.newest(9).await), all);
    }

    #[tokio::test]
    async fn nobody_pushes_out_what_others_did_or_what_they_changed_by_looking() {
        let folder = tempfile::tempdir().expect("a folder");
        let audit = Audit::in_folder(folder.path());
        audit.record(Entry { who: Some("admin".into()), ..at(0, "delete") }).await;
        audit.record(at(1, "backup")).await;
        let kept = usize::from(files::KEPT);
        for _ in 0..kept + 3 {
            let file = fs::File::create(folder.path().join("audit/robot.access.jsonl"));
            file.expect("made").set_len(files::LARGE).expect("made large");
            audit.record(at(2, "GET /api/history/{table}/{key}")).await;
            let refused = Outcome::Refused;
            audit.record(Entry { outcome: refused, ..at(2, "POST /api/restore/{id}") }).await;
        }
        let newest = audit.newest(1000).await;
        assert_eq!(actions(&newest)[newest.entries.len() - 2..], ["backup", "delete"]);
        let files = fs::read_dir(folder.path().join("audit")).expect("a folder").count();
        assert_eq!(files, 2 + kept + 1, "what is put aside has an end");
    }

    #[tokio::test]
    async fn what_comes_from_outside_stays_one_short_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let audit = Audit::in_folder(folder.path());
        let long = format!("a\nb{}", "é".repeat(5000));
        let who = Some("../../etc/passwd\n".into());
        audit.record(Entry { target: Some(long), who, ..entry("one") }).await;
        let file = folder.path().join("audit/..+..+etc+passwd+.changes.jsonl");
        let text = fs::read_to_string(file).expect("read");
        assert_eq!(text.lines().count(), 1);
        assert!(text.len() < 1000, "{}", text.len());
    }

    #[tokio::test]
    async fn what_is_damaged_is_said_and_the_rest_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let audit = Audit::in_folder(folder.path());
        audit.record(at(1, "one")).await;
        let file = folder.path().join("audit/robot.changes.jsonl");
        let text = fs::read(&file).expect("read");
        fs::write(&file, [&text[..], b"{\"at\": \n\xff\xfe\n", &text].concat()).expect("written");
        fs::create_dir(folder.path().join("audit/other.changes.jsonl")).expect("made");
        let newest = audit.newest(9).await;
        assert_eq!(actions(&newest), ["one", "one"]);
        assert_eq!(newest.problems.len(), 2, "{:?}", newest.problems);
        assert!(newest.problems.contains(&"robot.changes.jsonl: 2 lines are damaged".into()));
    }

    #[tokio::test]
    async fn entries_that_cannot_be_written_wait_until_they_can() {
        let folder = tempfile::tempdir().expect("a folder");
        let audit = Audit::in_folder(folder.path());
        let place = folder.path().join("audit");
        fs::write(&place, "no folder").expect("in the way");
        for number in 0..300 {
            audit.record(Entry { who: Some("viewer".into()), ..at(number, "flood") }).await;
        }
        audit.record(at(400, "one")).await;
        assert_eq!(actions(&audit.newest(1).await), ["one"]);
        fs::remove_file(&place).expect("out of the way");
        audit.record(at(500, "two")).await;
        let newest = Audit::in_folder(folder.path()).newest(1000).await;
        assert_eq!(newest.entries.len(), MOST_WAITING + 2);
        assert_eq!(actions(&newest)[..3], ["two", "one", "flood"]);
    }
}
