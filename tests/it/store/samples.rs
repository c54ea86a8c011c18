//! Backups of made-up rows, written and read back through the store alone.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use ipam_rewind::model::{
    BackupId, BackupKind, ChunkId, Column, DatasetSummary, FORMAT_VERSION, Hash, KeyColumn,
    KeyKind, Manifest, PartManifest, Profile, RecordedProfile, Schema, SnapshotInfo, State, Table,
};
use ipam_rewind::store::{Location, Lock, LockKind, Mode, Store, StoreError, Writer, Written};
use ipam_rewind::tree::{ChunkPosition, ChunkSink, Cursor, Layout, TreeBuilder, split::Splitter};

pub const PATIENCE: Duration = Duration::from_secs(10);

pub fn id(n: u32) -> BackupId {
    format!("20250101_{:02}{:02}{:02}", n / 3600, n / 60 % 60, n % 60).parse().expect("an id")
}

/// Rows of a key, some text that does not compress well, and a volatile column. Rows of another
/// seed have the same keys, but no chunk in common.
pub fn rows(count: u32, seed: &str) -> Vec<Vec<u8>> {
    let row = |n: u32| {
        let text = Hash::of(format!("{seed} {n}").as_bytes());
        format!("key-{n:08}\t{text}\t{seed}").into_bytes()
    };
    (0..count).map(row).collect()
}

pub fn table() -> Table {
    let names = ["id", "text", "updated_at"];
    let column = |(place, name): (usize, &&str)| Column {
        name: (*name).into(),
        type_name: "text".into(),
        position: i16::try_from(place).expect("few") + 1,
        identity: None,
        generated: false,
    };
    Table {
        name: "vrf".into(),
        namespace: None,
        columns: names.iter().enumerate().map(column).collect(),
        key: vec![KeyColumn { column: "id".into(), kind: KeyKind::Text }],
        groups: vec![vec![0, 1], vec![2]],
        unique: Vec::new(),
        loose_unique: false,
        foreign_keys: Vec::new(),
        triggers: Vec::new(),
        sequences: Vec::new(),
    }
}

/// Writes the rows as a tree; the root is checked nowhere else.
pub fn write_tree<S: ChunkSink<Error = StoreError>>(
    writer: &mut S,
    rows: &[Vec<u8>],
) -> Result<PartManifest, StoreError> {
    let layout = Layout::from(&table());
    let mut builder = TreeBuilder::new(&layout, Splitter::default());
    let sink = |error| match error {
        ipam_rewind::tree::BuildError::Sink(error) => error,
        other => panic!("{other}"),
    };
    for row in rows {
        builder.push(row, writer).map_err(sink)?;
    }
    let root = builder.finish(writer).map_err(sink)?;
    Ok(PartManifest {
        name: "vrfs".into(),
        dataset: "vrfs".into(),
        table: "vrf".into(),
        root: root.id,
        rows: root.rows,
        bytes: root.bytes,
    })
}

/// The chunks of a tree, by their places.
pub type Chunks = HashMap<(u8, usize, Vec<u8>), Vec<u8>>;

/// Stores each chunk against the one that stood in its place in the tree written before.
pub struct AgainstLast {
    pub writer: Writer,
    pub last: Chunks,
}

impl ChunkSink for AgainstLast {
    type Error = StoreError;

    fn put(
        &mut self,
        place: &ChunkPosition<'_>,
        id: ChunkId,
        bytes: Vec<u8>,
    ) -> Result<(), StoreError> {
        let key = (place.level, place.group, place.last_key.to_vec());
        let base = self.last.get(&key).map(|base| (ChunkId::of(base), &base[..]));
        self.writer.put_with_base(id, &bytes, base)?;
        self.last.insert(key, bytes);
        Ok(())
    }
}

fn nothing() -> DatasetSummary {
    DatasetSummary { rows: 0, bytes: 0, root: Hash::of(b"") }
}

/// A backup whose chunks are stored as their differences from those of the backup before.
pub async fn back_up_against(
    store: &Store,
    id: &BackupId,
    rows: &[Vec<u8>],
    last: Chunks,
) -> Chunks {
    let (rows, writer) = (rows.to_vec(), store.writer().await.expect("a writer"));
    let written = tokio::task::spawn_blocking(move || {
        let mut sink = AgainstLast { writer, last };
        (write_tree(&mut sink, &rows).expect("written"), sink)
    });
    let (part, sink) = written.await.expect("no panic");
    sink.writer.finish().await.expect("durable");
    store.publish(&manifest(id, part), &State::default()).await.expect("published");
    sink.last
}

pub fn manifest(id: &BackupId, part: PartManifest) -> Manifest {
    let (rows, bytes) = (part.rows, part.bytes);
    let summary = DatasetSummary { rows, bytes, root: Hash::of(&part.root.0) };
    Manifest {
        format: FORMAT_VERSION,
        backup_id: id.clone(),
        timestamp: "2025-01-01T00:00:00.000000".into(),
        created_at: "2025-01-01T00:00:00.000000Z".into(),
        description: "says \"checksum\": \"abc\" to confuse a reader".into(),
        created_by: "system".into(),
        backup_type: BackupKind::Full,
        files: Profile::builtin().file_names(id),
        datasets: Profile::builtin()
            .per_dataset(|set| if *set == "vrfs" { summary.clone() } else { nothing() }),
        parts: vec![part],
        size: bytes,
        added_size: 0,
        snapshot: SnapshotInfo {
            database: "test".into(),
            server_version: "15".into(),
            server: None,
            database_oid: None,
            system_identifier: None,
            visible: "1:1:".into(),
            wal_position: None,
            taken_at: "2025-01-01 00:00:00+00".into(),
            schema_fingerprint: Hash::of(b""),
            point: None,
        },
        sequences: Vec::new(),
        schema: Schema { tables: vec![table()], missing: vec![] },
        number: None,
        imported: false,
        store: None,
        removed: Vec::new(),
        profile: RecordedProfile::default(),
        not_covered: Vec::new(),
        origin: None,
        automatic: false,
        capture: None,
    }
}

/// Writes the chunks of a backup of these rows, without publishing it.
pub async fn write(store: &Store, rows: &[Vec<u8>]) -> Result<(PartManifest, Written), StoreError> {
    let mut writer = store.writer().await?;
    let rows = rows.to_vec();
    let built = tokio::task::spawn_blocking(move || {
        let part = write_tree(&mut writer, &rows)?;
        Ok::<_, StoreError>((part, writer))
    });
    let (part, writer) = built.await.expect("no panic")?;
    Ok((part, writer.finish().await?))
}

/// A whole backup, as the engine makes one.
pub async fn back_up(
    store: &Store,
    id: &BackupId,
    rows: &[Vec<u8>],
) -> Result<Written, StoreError> {
    let held = store.lock(Lock::Objects, Mode::Shared, "backup", PATIENCE).await?;
    let (part, written) = write(store, rows).await?;
    store.confirm(&written).await?;
    store.publish_held(&held, &written, &manifest(id, part), &State::default()).await?;
    held.release().await;
    Ok(written)
}

/// The rows of a backup.
pub async fn read(store: &Store, id: &BackupId) -> Result<Vec<Vec<u8>>, StoreError> {
    let root = store.manifest(id).await?.parts[0].root;
    let reader = store.reader().await?;
    let read = tokio::task::spawn_blocking(move || {
        let layout = Layout::from(&table());
        let mut cursor = Cursor::new(&reader, &layout, &root)?;
        let mut rows = Vec::new();
        while let Some((_, row)) = cursor.next_row()? {
            rows.push(row);
        }
        Ok(rows)
    });
    read.await.expect("no panic")
}

pub async fn chunk(store: &Store, id: ChunkId) -> Result<bytes::Bytes, StoreError> {
    use ipam_rewind::tree::ChunkSource;
    let reader = store.reader().await?;
    tokio::task::spawn_blocking(move || reader.chunk(&id)).await.expect("no panic")
}

pub async fn in_folder(folder: &Path) -> Store {
    Store::open_or_create(&Location::Folder(folder.to_owned())).await.expect("a store")
}

pub async fn in_memory() -> Store {
    let objects = std::sync::Arc::new(object_store::memory::InMemory::new());
    Store::over(objects, None, LockKind::LEASE).await.expect("a store")
}

/// All files below a folder, in the order of their names; none if it is not there.
pub fn files(folder: &Path, below: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.join(below)];
    while let Some(path) = open.pop() {
        for entry in std::fs::read_dir(path).into_iter().flatten() {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
