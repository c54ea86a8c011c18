//! Ids and the order of backups, whatever the clock says and however many processes make them; and
//! what several processes say of one backup at a time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;

use chrono::Duration;
use ipam_rewind::engine::Run;
use ipam_rewind::model::{BackupId, Manifest, Policy, State};
use ipam_rewind::store::{Location, LockKind, Store, StoreError};
use object_store::memory::InMemory;

use crate::store::samples;
use crate::support::clockwork::Clockwork;
use crate::support::cycle::Cycle;
use crate::support::program::Program;
use crate::support::s3::S3Server;
use crate::support::{database, sample_database};

async fn newest(clockwork: &Clockwork) -> String {
    clockwork.ids().await.pop().expect("there is one")
}

async fn cleanup(clockwork: &Clockwork, keep: usize) {
    let engine = clockwork.engine().await;
    engine.cleanup(&Policy::last(keep), false, &Run::new()).await.expect("cleaned up");
}

#[tokio::test]
async fn new_backup_after_many_in_one_second_outlives_the_cleanup() {
    let clockwork = Clockwork::new(database().await);
    let mut used = BTreeSet::new();
    for _ in 0..8 {
        assert!(used.insert(clockwork.backup().await));
    }
    cleanup(&clockwork, 3).await;
    let new = clockwork.backup().await;
    assert!(used.insert(new.clone()), "{new} was used before");
    cleanup(&clockwork, 3).await;
    assert_eq!(clockwork.ids().await.len(), 3);
    assert_eq!(newest(&clockwork).await, new.as_str());
}

#[tokio::test]
async fn clock_set_back_or_corrected_never_makes_a_new_backup_look_older() {
    let clockwork = Clockwork::new(database().await);
    clockwork.backup().await;
    let leaps = [
        Duration::seconds(-30),
        Duration::days(-4000),
        Duration::days(9000),
        Duration::days(-5000),
        Duration::minutes(1),
    ];
    let mut created = clockwork.ids().await;
    for leap in leaps {
        clockwork.turn(leap);
        created.push(clockwork.backup().await.to_string());
        assert_eq!(clockwork.ids().await, created, "after {leap}");
        let listed = clockwork.engine().await.list().await.expect("listed").backups;
        let listed: Vec<_> = listed.iter().rev().map(|b| b.info.backup_id.to_string()).collect();
        assert_eq!(listed, created);
        let newest = created[created.len() - 1].parse().expect("an id");
        let changes = clockwork.engine().await.changes(&newest).await.expect("counted");
        let before = changes.before.expect("there is one");
        assert_eq!(before.as_str(), created[created.len() - 2]);
    }
    cleanup(&clockwork, 2).await;
    assert_eq!(clockwork.ids().await, created[created.len() - 2..]);
}

#[tokio::test]
async fn ids_of_deleted_backups_never_come_back() {
    let clockwork = Clockwork::new(database().await);
    let mut used = BTreeSet::new();
    for _ in 0..3 {
        let id = clockwork.backup().await;
        assert!(used.insert(id.clone()), "{id} came back");
        // The newest; and so all, each time.
        let engine = clockwork.engine().await;
        engine.delete(&id, &Run::new()).await.expect("deleted");
        assert!(clockwork.ids().await.is_empty());
    }
}

/// Claims ids through two handles at a time.
async fn claims_are_unique(one: Store, other: Store) {
    let claim = |store: Store| async move {
        let (part, _) = samples::write(&store, &samples::rows(1, "rows")).await.expect("written");
        let wanted: Manifest = samples::manifest(&samples::id(1), part);
        let mut claimed = Vec::new();
        for _ in 0..15 {
            claimed.push(store.claim(&wanted, false).await.expect("claimed"));
        }
        claimed
    };
    let (mut all, others) = tokio::join!(tokio::spawn(claim(one)), tokio::spawn(claim(other)));
    let all = all.as_mut().expect("no panic");
    all.append(&mut others.expect("no panic"));
    let ids: BTreeSet<_> = all.iter().map(|claimed| claimed.id.clone()).collect();
    let numbers: BTreeSet<_> = all.iter().map(|claimed| claimed.number).collect();
    assert_eq!((ids.len(), numbers), (30, (1..=30).collect()));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_writers_never_get_the_same_id_in_a_folder_or_in_memory() {
    let folder = crate::support::folder();
    claims_are_unique(
        samples::in_folder(folder.path()).await,
        samples::in_folder(folder.path()).await,
    )
    .await;
    let objects = Arc::new(InMemory::new());
    let over = || Store::over(objects.clone(), None, LockKind::LEASE);
    claims_are_unique(over().await.expect("a store"), over().await.expect("a store")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_in_s3_are_not_used_again_and_keep_the_order() {
    let server = S3Server::start().await;
    let store = Store::over(Arc::new(server.bucket()), None, LockKind::LEASE).await.expect("made");
    let (part, _) = samples::write(&store, &samples::rows(5, "rows")).await.expect("written");
    let mut created = Vec::new();
    for n in [30, 20, 30] {
        let mut manifest = samples::manifest(&samples::id(n), part.clone());
        manifest.name(store.claim(&manifest, false).await.expect("claimed"));
        store.publish(&manifest, &State::default()).await.expect("published");
        created.push(manifest.backup_id);
    }
    assert_eq!(created, [samples::id(30), samples::id(20), samples::id(31)]);
    assert_eq!(store.backups().await.expect("listed"), created);
    store.unlink(&created[2]).await.expect("deleted");
    let manifest = samples::manifest(&samples::id(31), part);
    assert_eq!(store.claim(&manifest, false).await.expect("claimed").id, samples::id(32));
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_back_up_at_once_make_different_backups() {
    let database = database().await;
    let program = Program::on(&database);
    program.backup();
    let backup = || program.backup();
    let ids: BTreeSet<_> = thread::scope(|scope| {
        let running: Vec<_> = (0..4).map(|_| scope.spawn(backup)).collect();
        running.into_iter().map(|one| one.join().expect("no panic")).collect()
    });
    assert_eq!(ids.len(), 4);
    let list = program.json(&["list"]);
    let numbers = list["backups"].as_array().expect("a list").iter();
    let numbers: Vec<_> = numbers.map(|one| one["number"].as_u64().expect("a number")).collect();
    assert_eq!(numbers, [5, 4, 3, 2, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn verifications_beside_annotations_of_other_processes_lose_nothing() {
    let database = database().await;
    let program = Program::on(&database);
    let id = program.backup();
    thread::scope(|scope| {
        for who in 0..3 {
            let (program, id) = (&program, &id);
            scope.spawn(move || {
                for n in 0..6 {
                    program.ok(&["annotate", id, "--label", &format!("k{who}.{n}=v")]);
                }
            });
        }
        scope.spawn(|| (0..8).for_each(|_| drop(program.ok(&["verify", &id]))));
        scope.spawn(|| program.ok(&["annotate", &id, "--pin"]));
    });
    let info = &program.json(&["details", &id])["backup_info"];
    assert_eq!(info["labels"].as_object().map(serde_json::Map::len), Some(18));
    assert_eq!((&info["pinned"], info["verification"].is_object()), (&true.into(), true));
}

/// Pins and cleans up one backup at the same time, through two handles.
async fn pin_races(one: Store, other: Store) {
    for n in 1..20 {
        let id = samples::id(n);
        samples::back_up(&one, &id, &samples::rows(2, "rows")).await.expect("made");
        let pin = |state: &mut State| state.pinned = true;
        let (pinned, gone) = tokio::join!(one.change_state(&id, pin), other.unlink_unpinned(&id));
        let there = one.manifest(&id).await.is_ok();
        match pinned {
            Ok(_) => assert!(there && !gone.expect("looked at"), "a pinned backup went"),
            Err(StoreError::NoSuchBackup(_)) => assert!(!there && gone.expect("gone")),
            Err(error) => panic!("{error}"),
        }
        assert_eq!(one.state(&id).await.expect("read").pinned, there, "a state was left");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn backup_pinned_while_it_is_cleaned_away_stays_or_the_pin_is_refused() {
    let folder = crate::support::folder();
    pin_races(samples::in_folder(folder.path()).await, samples::in_folder(folder.path()).await)
        .await;
}

#[tokio::test]
async fn imports_take_their_place_in_time_and_a_deleted_one_its_id() {
    let clockwork = Clockwork::new(sample_database().await);
    let elsewhere = Cycle::new(sample_database().await).await;
    let here = clockwork.engine().await;
    let first = clockwork.backup().await;
    clockwork.turn(Duration::hours(2));
    let old = here.backup(ipam_rewind::engine::BackupRequest::default(), &Run::new()).await;
    let old = old.expect("made").backup_id;
    let archive = crate::archive::exact::whole(
        here.export_archive(&old, &Run::new()).await.expect("exported"),
    )
    .await;
    clockwork.turn(Duration::hours(2));
    let last = clockwork.backup().await;
    here.delete(&old, &Run::new()).await.expect("deleted");

    let import = async |engine: &ipam_rewind::engine::Engine| {
        engine.import_archive(&archive[..], &Run::new()).await.expect("imported").backup_id
    };
    assert_eq!(import(&here).await, old, "the same backup");
    assert_eq!(clockwork.ids().await, [first.as_str(), old.as_str(), last.as_str()]);
    let copy = import(&here).await;
    assert_eq!((copy.clone(), newest(&clockwork).await), (old.next(), last.to_string()));
    cleanup(&clockwork, 1).await;
    assert_eq!(clockwork.ids().await, [last.as_str()], "an import displaces no newer backup");

    assert_eq!(import(&elsewhere.engine).await, old, "an id that no backup had there");
    elsewhere.engine.delete(&old, &Run::new()).await.expect("deleted");
    assert_eq!(import(&elsewhere.engine).await, old);
}

#[tokio::test]
async fn archive_imported_again_leaves_the_state_of_what_is_there() {
    let database = database().await;
    let program = Program::on(&database);
    let id = program.backup();
    let place = program.store().join("archive.tar");
    let place = place.to_str().expect("a path");
    program.ok(&["export", &id, "--output", place]);
    let elsewhere = Program::at(None);
    let mut made: Vec<String> = Vec::new();
    for _ in 0..4 {
        let imported = elsewhere.json(&["import", place]);
        let new = imported["backup_id"].as_str().expect("an id").to_owned();
        assert!(!made.contains(&new), "{new} is there already");
        elsewhere.ok(&["annotate", &new, "--pin", "--label", "change=CHG-1"]);
        made.push(new);
        for id in &made {
            let info = &elsewhere.json(&["details", id])["backup_info"];
            assert_eq!(
                (&info["pinned"], &info["labels"]["change"]),
                (&true.into(), &"CHG-1".into())
            );
        }
    }
    assert_eq!(made[0], id);
}

#[tokio::test(flavor = "multi_thread")]
async fn store_of_earlier_programs_keeps_its_order_when_the_clock_is_set_back() {
    let folder = crate::support::folder();
    let store = samples::in_folder(folder.path()).await;
    for n in [10, 20] {
        samples::back_up(&store, &samples::id(n), &samples::rows(2, "rows")).await.expect("made");
    }
    assert!(!folder.path().join("ids.json").exists());
    let (part, _) = samples::write(&store, &samples::rows(2, "rows")).await.expect("written");
    let mut manifest = samples::manifest(&samples::id(5), part);
    manifest.name(store.claim(&manifest, false).await.expect("claimed"));
    store.publish(&manifest, &State::default()).await.expect("published");
    let order: [BackupId; 3] = [samples::id(10), samples::id(20), samples::id(5)];
    assert_eq!(store.backups().await.expect("listed"), order);
    let again = Store::open(&Location::Folder(folder.path().to_owned())).await.expect("opened");
    assert_eq!(again.backups().await.expect("listed"), order);
}
