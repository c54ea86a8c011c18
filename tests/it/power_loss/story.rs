//! What the program is asked to do while it is watched, and what it has promised after each step.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use ipam_rewind::model::BackupId;

use super::model::{Disk, Fate, Torn, is_lock};
use crate::support::program::{Ended, Program};
use crate::support::recorder::{Change, parse, watch};
use crate::support::{TestDatabase, database};

/// What must be so once a step has ended.
#[derive(Debug, Clone, Default)]
pub struct Promised {
    pub there: Vec<BackupId>,
    pub gone: Vec<BackupId>,
    pub pinned: Vec<BackupId>,
}

/// One run of the program, or a part of one that was killed.
pub struct Step {
    pub name: String,
    pub changes: Vec<Change>,
    /// What holds before the step and while it runs.
    pub during: Promised,
}

/// Several runs on one store.
pub struct Story {
    pub database: TestDatabase,
    pub root: u64,
    pub steps: Vec<Step>,
    /// What holds in the end.
    pub promised: Promised,
    program: Program,
}

impl Story {
    pub async fn told() -> Self {
        let database = database().await;
        let program = Program::on(&database);
        let root = program.store().metadata().expect("a folder").ino();
        let (steps, promised) = (Vec::new(), Promised::default());
        let mut story = Self { database, root, steps, promised, program };
        story.tell().await;
        story.is_recorded_whole();
        story
    }

    async fn tell(&mut self) {
        self.fill("one").await;
        let first = self.backup(&["backup"]);
        self.fill("two").await;
        let second = self.backup(&["backup"]);
        self.run(&["annotate", first.as_str(), "--pin"]);
        self.promised.pinned.push(first.clone());
        self.run(&["verify"]);
        let archive = tempfile::tempdir().expect("a folder");
        let archive = archive.path().join("second.tar");
        let archive = archive.to_str().expect("text");
        self.run(&["export", second.as_str(), "--output", archive]);
        self.delete(&second);
        assert_eq!(self.backup(&["import", archive]), second);
        self.fill("three").await;
        self.backup(&["backup"]);
        self.backup(&["restore", first.as_str(), "--yes"]);
        self.delete_killed_before_its_sweep().await;
        self.backup_killed_before_its_names_are_durable().await;
        let others: Vec<_> = self.ids().into_iter().filter(|id| *id != first).collect();
        let all = ["cleanup", "0", "--keep-pre-restore", "0h", "--allow-empty"];
        self.gone(&all, &others);
        assert_eq!(self.ids(), [first], "what is pinned stays");
    }

    fn ids(&self) -> Vec<BackupId> {
        if self.steps.is_empty() {
            return Vec::new();
        }
        self.program.ids().iter().map(|id| id.parse().expect("an id")).collect()
    }

    /// Rows that no other filling has.
    async fn fill(&self, text: &str) {
        let fill = format!(
            "DELETE FROM vrf; INSERT INTO vrf(vrf_id, description)
             SELECT 'vrf-' || n, md5('{text}' || n) FROM generate_series(1, 60) n"
        );
        self.database.sql(&fill).await;
    }

    /// Runs the program to its end, or until it is killed.
    fn watched(&mut self, arguments: &[&str], killed: Option<(&str, &str)>) -> Ended {
        let mut command = self.program.command(arguments);
        let log = tempfile::NamedTempFile::new().expect("a file");
        watch(&mut command, self.program.store());
        command.env("RECORDER_LOG", log.path());
        command.envs(killed);
        let ended: Ended = command.output().expect("the program runs").into();
        let changes = parse(&std::fs::read(log.path()).expect("readable"));
        let (name, during) = (arguments.join(" "), self.promised.clone());
        self.steps.push(Step { name, changes, during });
        ended
    }

    fn run(&mut self, arguments: &[&str]) -> String {
        let ended = self.watched(arguments, None);
        assert_eq!(ended.code, 0, "{arguments:?}: {}{}", ended.out, ended.err);
        ended.out
    }

    fn backup(&mut self, arguments: &[&str]) -> BackupId {
        let before = self.ids();
        self.run(arguments);
        let new = self.ids().into_iter().find(|id| !before.contains(id)).expect("one");
        self.promised.there.push(new.clone());
        self.promised.gone.retain(|id| *id != new);
        self.steps.last_mut().expect("just run").during.gone.retain(|id| *id != new);
        new
    }

    /// Runs what takes away these backups, which may be there or not while it runs.
    fn gone(&mut self, arguments: &[&str], ids: &[BackupId]) {
        self.promised.there.retain(|id| !ids.contains(id));
        self.run(arguments);
        self.promised.gone.extend_from_slice(ids);
    }

    fn delete(&mut self, id: &BackupId) {
        self.gone(&["delete", id.as_str(), "--yes"], std::slice::from_ref(id));
    }

    /// The manifest is gone, and before its folder is synced the process is killed; then another sweeps.
    async fn delete_killed_before_its_sweep(&mut self) {
        self.fill("four").await;
        let id = self.backup(&["backup"]);
        self.promised.there.retain(|other| *other != id);
        let removed = format!("U:/{id}/manifest.json");
        self.killed_after(&["delete", id.as_str(), "--yes"], &removed);
        assert!(!self.ids().contains(&id), "it was killed after the removal");
        self.run(&["cleanup", "99"]);
        self.promised.gone.push(id);
    }

    /// A pack has its name, and before that is synced the process is killed; then another relies on it.
    async fn backup_killed_before_its_names_are_durable(&mut self) {
        for changes in 1..=9 {
            self.fill(&format!("five {changes}")).await;
            self.killed_after_changes(&["backup"], changes);
        }
        self.fill("five").await;
        self.killed_after(&["backup"], "R:.pack");
        self.backup(&["backup"]);
    }

    /// Runs the program and kills it after so many changes.
    fn killed_after_changes(&mut self, arguments: &[&str], changes: usize) {
        self.watched(arguments, Some(("RECORDER_KILL", &changes.to_string())));
    }

    /// Runs the program until it has made the change that `last` names as the recorder does.
    fn killed_after(&mut self, arguments: &[&str], last: &str) {
        let ended = self.watched(arguments, Some(("RECORDER_KILL_AT", last)));
        assert_eq!(ended.code, -1, "it ended before that change: {}{}", ended.out, ended.err);
    }

    pub fn changes(&self) -> usize {
        self.steps.iter().map(|step| step.changes.len()).sum()
    }

    /// All changes together make the folder as it is, so none was missed.
    fn is_recorded_whole(&self) {
        let mut disk = Disk::new(self.root);
        let changes = self.steps.iter().flat_map(|step| &step.changes);
        changes.for_each(|change| disk.apply(change));
        let mut there = super::model::Tree::new();
        collect(self.program.store(), "", &mut there);
        let kept = disk.after(Fate { entries: u64::MAX, content: Torn::Kept });
        assert!(kept == there, "{:?}\n{:?}", kept.keys(), there.keys());
    }
}

fn collect(folder: &Path, below: &str, tree: &mut super::model::Tree) {
    for entry in std::fs::read_dir(folder).expect("readable") {
        let entry = entry.expect("readable");
        let name = entry.file_name().into_string().expect("text");
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        if is_lock(&path) {
            continue;
        }
        if entry.path().is_dir() {
            tree.insert(path.clone(), None);
            collect(&entry.path(), &path, tree);
        } else {
            tree.insert(path, Some(std::fs::read(entry.path()).expect("readable")));
        }
    }
}
