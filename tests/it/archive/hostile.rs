//! Archives that are cut, changed or malicious: refused with what is wrong, and without a trace.

use ipam_rewind::engine::{EngineError, Kind, Run};
use ipam_rewind::model::BackupId;

use super::exact::{archive, import};
use crate::support::cycle::{Cycle, words};
use crate::support::{database, sample_database};

/// The members of an archive: path, kind, content.
type Members = Vec<(String, tar::EntryType, Vec<u8>)>;

fn unpack(archive: &[u8]) -> Members {
    let mut archive = tar::Archive::new(archive);
    let members = archive.entries().expect("an archive").map(|member| {
        let mut member = member.expect("a member");
        let path = String::from_utf8(member.path_bytes().into_owned()).expect("text");
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut member, &mut content).expect("read");
        (path, member.header().entry_type(), content)
    });
    members.collect()
}

/// Packs without asking whether the names make sense.
fn pack(members: &Members) -> Vec<u8> {
    let mut out = Vec::new();
    for (path, kind, content) in members {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(content);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

async fn refused(cycle: &Cycle, archive: &[u8]) -> EngineError {
    let before = cycle.backups().await;
    let error = cycle.engine.import_archive(archive, &Run::new()).await;
    let error = error.expect_err("the archive must be refused");
    assert_eq!(error.kind(), Kind::MalformedArchive, "{}", words(&error));
    assert_eq!(cycle.backups().await, before);
    error
}

/// An empty store, and the archive of a small backup.
async fn small() -> (Cycle, BackupId, Vec<u8>) {
    let cycle = Cycle::new(database().await).await;
    let id = cycle.backup().await;
    let archive = archive(&cycle, &id).await;
    (cycle.elsewhere().await, id, archive)
}

/// Changes the first place of a member's text that reads like this.
fn change(members: &mut Members, place: usize, from: &str, to: &str) {
    let text = String::from_utf8(std::mem::take(&mut members[place].2)).expect("text");
    assert!(text.contains(from), "{from} in {text}");
    members[place].2 = text.replacen(from, to, 1).into_bytes();
}

#[tokio::test]
async fn an_archive_that_was_changed_says_where() {
    type Change = fn(&mut Members);
    let (cycle, _, sound) = small().await;
    let cases: [(&str, Change); 20] = [
        ("it was changed since it was exported", |m| {
            change(m, 0, "\"description\": \"", "\"description\": \"Not the ");
        }),
        ("it was changed since it was exported", |m| {
            change(m, 0, "\"pinned\": false", "\"pinned\": true");
        }),
        ("its created_by was changed", |m| {
            change(m, 0, "\"created_by\": \"system\"", "\"created_by\": \"admin\"");
        }),
        ("the rows of vrfs are not those", |m| change(m, 1, "Production", "production")),
        ("not those that were exported (1 of 2)", |m| {
            let text = String::from_utf8(m[1].2.clone()).expect("text");
            let rows: Vec<_> = text.lines().collect();
            let one = [rows[0], rows[1], rows[2].trim_end_matches(','), rows[4]];
            m[1].2 = one.join("\n").into_bytes();
        }),
        ("rows did not come in key order", |m| change(m, 1, "\"prod-vrf\"", "\"z\"")),
        ("lacks the column description", |m| change(m, 1, "description", "beschreibung")),
        ("is not of its type", |m| change(m, 1, "true", "1")),
        ("twice in a row", |m| change(m, 1, "\"description\"", "\"vrf_id\"")),
        ("the manifest in it was changed", |m| change(m, 0, "\"next\": 1", "\"next\": 7")),
        ("its first file is", |m| m.swap(0, 1)),
        ("the file of vpcs is missing", |m| drop(m.remove(3))),
        ("the file of vrfs twice", |m| m.insert(2, m[1].clone())),
        ("does not belong into it", |m| m[4].0 = "../../../etc/passwd".into()),
        ("has a member of the kind", |m| m[4].1 = tar::EntryType::Symlink),
        ("has a member of the kind", |m| m[0].1 = tar::EntryType::GNULongName),
        ("it has no rows of vpcs", |m| change(m, 3, "\"vpcs\"", "\"vpc\"")),
        ("vrfs is there twice", |m| change(m, 1, "\n]}", "\n], \"vrfs\": []}")),
        ("trailing characters", |m| m[1].2.extend_from_slice(b"{}")),
        ("EOF while parsing", |m| m[1].2.truncate(100)),
    ];
    for (why, change) in cases {
        let mut members = unpack(&sound);
        change(&mut members);
        let error = words(&refused(&cycle, &pack(&members)).await);
        assert!(error.contains(why), "wanted {why:?}, got {error:?}");
    }
    // The same way of packing, unchanged, is taken.
    import(&cycle, &pack(&unpack(&sound))).await;
}

#[tokio::test]
async fn an_archive_that_is_cut_anywhere_is_refused() {
    let (cycle, _, sound) = small().await;
    let members_end = sound.len() - 1024;
    for length in (0..members_end - 511).step_by(701) {
        refused(&cycle, &sound[..length]).await;
    }
    assert_eq!(words(&refused(&cycle, &[]).await), "the archive cannot be imported: it is empty");
    refused(&cycle, b"not an archive at all").await;
}

#[tokio::test]
async fn a_length_that_is_a_lie_costs_no_memory() {
    let (cycle, _, sound) = small().await;
    for place in [0, 1] {
        let mut lying = sound.clone();
        let mut at = 0;
        for _ in 0..place {
            let header = tar::Header::from_byte_slice(&sound[at..at + 512]);
            let size = usize::try_from(header.size().expect("a size")).expect("small");
            at += 512 + size.next_multiple_of(512);
        }
        let mut header = tar::Header::from_byte_slice(&sound[at..at + 512]).clone();
        header.set_size(u64::MAX / 2);
        header.set_cksum();
        lying[at..at + 512].copy_from_slice(header.as_bytes());
        refused(&cycle, &lying).await;
    }
}

#[tokio::test]
async fn bytes_changed_anywhere_never_make_another_backup() {
    let cycle = Cycle::new(sample_database().await).await;
    cycle
        .sql(
            "DELETE FROM vpc_prefix_association; UPDATE prefix SET parent_prefix_id = NULL;
        DELETE FROM prefix WHERE cidr << '10.0.0.0/9'",
        )
        .await;
    let id = cycle.backup().await;
    let sound = archive(&cycle, &id).await;
    let elsewhere = cycle.elsewhere().await;
    let original = cycle.engine.store().manifest(&id).await.expect("the manifest");
    let mut number: u64 = 1;
    for _ in 0..60 {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let mut changed = sound.clone();
        let place = usize::try_from(number >> 20).expect("64 bits") % changed.len();
        changed[place] ^= u8::try_from(1 + number % 255).expect("a byte");
        // A header's times, white space, a name beside the columns: not every byte counts.
        if let Ok(imported) = elsewhere.engine.import_archive(&changed[..], &Run::new()).await {
            let made = elsewhere.engine.store().manifest(&imported.backup_id).await;
            let made = made.expect("the manifest");
            assert_eq!(
                (made.parts, made.schema),
                (original.parts.clone(), original.schema.clone())
            );
            assert_eq!(made.sequences, original.sequences);
        }
    }
}

#[tokio::test]
async fn a_backup_from_the_future_is_refused() {
    let (cycle, _, sound) = small().await;
    let past = chrono::Utc::now() - chrono::Duration::days(400);
    let clock = std::sync::Arc::new(move || past);
    let early = cycle.engine.clone().with_clock(clock);
    let error = early.import_archive(&sound[..], &Run::new()).await.expect_err("refused");
    assert!(words(&error).contains("is from the future"), "{}", words(&error));
}

#[tokio::test]
async fn a_stream_that_breaks_off_leaves_nothing() {
    let (cycle, _, sound) = small().await;
    let broken = tokio_util::io::StreamReader::new(futures::stream::iter([
        Ok(bytes::Bytes::copy_from_slice(&sound[..3000])),
        Err(std::io::Error::other("the line is dead")),
    ]));
    let error = cycle.engine.import_archive(broken, &Run::new()).await.expect_err("it breaks off");
    assert!(words(&error).contains("the line is dead"), "{}", words(&error));
    assert_eq!(cycle.backups().await, 0);
    // What was written meanwhile is no one's, and goes.
    assert!(cycle.engine.verify(&[], &Run::new()).await.expect("verified").is_intact());
}
