//! The power is lost at any moment: what the program has said is done stays done, and every backup that
//! is listed is whole.
//!
//! The program runs as users run it, and what it asks the system for is recorded. From the record
//! every state that a disk may be left in is made up (`model.rs`) and tried.

mod model;
mod states;
mod story;

use std::path::Path;

use futures::{StreamExt, stream};
use ipam_rewind::engine::{Engine, Run};
use ipam_rewind::model::BackupId;
use ipam_rewind::store::Store;

use crate::store::samples::{back_up, id, in_folder, rows};
use crate::store::sweeping::sweep;
use crate::support::program::Program;
use model::Tree;
use states::{Found, States};
use story::Story;

/// Says how many states are tried; without it so many that it takes less than a minute.
const HOW_MANY: &str = "POWER_LOSS_STATES";
const USUAL: usize = 400;
/// States that are tried with the program itself, which takes longer.
const WHOLE: usize = 3;

fn how_many() -> usize {
    let wanted = std::env::var(HOW_MANY).ok();
    wanted.map_or(USUAL, |wanted| wanted.parse().unwrap_or(usize::MAX))
}

/// Writes a state to a folder.
fn lay_out(tree: &Tree, folder: &Path) {
    for (path, content) in tree {
        let path = folder.join(path);
        match content {
            Some(bytes) => std::fs::write(path, bytes).expect("written"),
            None => std::fs::create_dir(path).expect("made"),
        }
    }
}

/// What is wrong with a state, if anything is.
async fn fault(found: &Found) -> Option<String> {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let folder = tempfile::tempdir_in(parent).expect("a folder");
    lay_out(&found.tree, folder.path());
    let store = in_folder(folder.path()).await;
    whole(&store, found).await.err()
}

async fn whole(store: &Store, found: &Found) -> Result<(), String> {
    let engine = Engine::new(store.clone(), None);
    let intact = async |when: &str| {
        let report = engine.verify(&[], &Run::new()).await;
        let report = report.map_err(|error| format!("{when}: {}", error.chain().join(": ")))?;
        let damage = report.backups.into_iter().filter(|backup| !backup.intact);
        let damage: Vec<_> = damage.map(|b| format!("{}: {:?}", b.backup_id, b.damage)).collect();
        if damage.is_empty() { Ok(()) } else { Err(format!("{when}: {damage:?}")) }
    };
    let list = engine.list().await.map_err(|error| error.chain().join(": "))?;
    if !list.unreadable.is_empty() {
        return Err(format!("cannot be read: {:?}", list.unreadable));
    }
    let ids: Vec<_> = list.backups.iter().map(|backup| &backup.info.backup_id).collect();
    let wrong = |wanted: &BackupId, there: bool| ids.contains(&wanted) != there;
    if let Some(lost) = found.there.iter().find(|id| wrong(id, true)) {
        return Err(format!("backup {lost} was made and is not there"));
    }
    if let Some(back) = found.gone.iter().find(|id| wrong(id, false)) {
        return Err(format!("backup {back} was deleted and is there"));
    }
    let pinned = |id: &BackupId| {
        list.backups.iter().any(|backup| backup.info.backup_id == *id && backup.info.pinned)
    };
    if let Some(id) = found.pinned.iter().find(|id| !pinned(id)) {
        return Err(format!("backup {id} was pinned and is not"));
    }
    intact("found").await?;
    back_up(store, &id(1), &rows(40, "new")).await.map_err(|error| format!("new: {error}"))?;
    let swept = sweep(store).await;
    if !swept.problems.is_empty() {
        return Err(format!("swept: {:?}", swept.problems));
    }
    intact("after a backup and a sweep").await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_state_that_a_power_loss_can_leave_has_whole_backups_only() {
    let story = Story::told().await;
    let states = States::of(&story);
    let (distinct, tried) = (states.found.len(), how_many().min(states.found.len()));
    println!("power loss: {} changes, {distinct} distinct states, {tried} tried", story.changes());
    assert!(distinct > 2_000, "only {distinct} states: something was not recorded");
    let faults = faults(states.sample(tried)).await;
    assert!(
        faults.is_empty(),
        "{} of {tried}: {:#?}",
        faults.len(),
        &faults[..faults.len().min(5)]
    );
    for found in states.sample(WHOLE) {
        through_the_program(found, &story);
    }
    // The model can fail: were removals not durable, deleted backups would come back without packs.
    let states = States::without_durable_removals(&story);
    let lost =
        |found: &&Found| found.after.starts_with("cleanup") || found.after.starts_with("delete");
    let mut come_back = false;
    for found in states.found.iter().filter(lost) {
        come_back = fault(found).await.is_some_and(|fault| fault.contains("in no pack"));
        if come_back {
            break;
        }
    }
    assert!(come_back, "the model misses what it was made for");
}

/// What is wrong with these states, two tried at a time.
async fn faults(states: impl Iterator<Item = &Found>) -> Vec<String> {
    let tried = states.map(async |found| {
        let fault = fault(found).await?;
        Some(format!("{}: {fault}", found.after))
    });
    stream::iter(tried).buffer_unordered(2).filter_map(async |fault| fault).collect().await
}

/// The same with the program: all that are listed restore, a backup and a cleanup work.
fn through_the_program(found: &Found, story: &Story) {
    let program = Program::on(&story.database);
    lay_out(&found.tree, program.store());
    let (list, verify) = (program.run(&["list", "--json"]), program.run(&["verify"]));
    if list.out.contains("backup_id") {
        assert_eq!(verify.code, 0, "{}: {}{}", found.after, verify.out, verify.err);
        for id in program.ids() {
            program.ok(&["restore", &id, "--yes", "--no-safety-backup"]);
        }
    }
    program.backup();
    program.ok(&["cleanup", "1"]);
    program.ok(&["verify"]);
}
