//! The first primitive with a base: reads what was written since, and changes the trees of then.
//!
//! Each table is passed over once: its rows are counted, and those that were written since come with their
//! content. What was added, changed or moved between parts follows from the trees. If the table then has fewer
//! rows than the trees would, the keys of its rows are read, too. A table of which the changes cannot be told
//! is read as a whole, as without a base.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use futures::future::try_join_all;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::engine::capture::base::Base;
use crate::engine::capture::edits::{Edits, LiveKeys, TableChanges, Unusable, Written};
use crate::engine::capture::rows::{QUEUE, Taken, each_row};
use crate::engine::capture::scan::{self, Sinks, TreeRules};
use crate::engine::capture::sort::too_long;
use crate::engine::{EngineError, Run};
use crate::model::{Part, PartManifest, Profile, Schema, SnapshotInfo, Table};
use crate::postgres::{Pages, Session};
use crate::threads::{self, locked};
use crate::tree::Layout;

/// Rows that were written since are held in memory up to so many bytes of a table; else it is read as a whole.
const MOST_BYTES: u64 = 32 << 20;

/// What was read.
#[derive(Debug, Default)]
pub struct Captured {
    /// The tree of each part.
    pub parts: Vec<PartManifest>,
    /// The tables that were read as a whole, and why.
    pub whole: BTreeMap<String, String>,
    /// Tables whose rows contradicted the base.
    pub contradictions: Vec<String>,
    /// Rows whose content was read.
    pub rows_read: u64,
}

/// Makes the trees of what these sessions see, from those of `base`.
pub async fn capture_changes<S: Sinks>(
    sessions: &mut [&mut Session],
    (base, now): (&Base, &SnapshotInfo),
    (profile, schema): (&Profile, &Schema),
    rules: TreeRules,
    sinks: &S,
    run: &Run,
) -> Result<Captured, EngineError> {
    let mut captured = Captured::default();
    let mut tables = VecDeque::new();
    for table in &schema.tables {
        match base.cannot_tell(&table.name, (now, schema)) {
            Some(why) => drop(captured.whole.insert(table.name.clone(), why)),
            None => tables.push_back(table),
        }
    }
    let follower = Follower { base, now, profile, rules, run };
    for (table, changes) in follower.read_changes(sessions, tables).await? {
        let name = table.name.clone();
        let Some(changes) = changes else {
            captured.whole.insert(name, "most of its rows were written since".into());
            continue;
        };
        captured.rows_read += changes.written.iter().map(|part| part.len() as u64).sum::<u64>();
        match follower.follow(sessions, changes, sinks).await? {
            Ok(parts) => captured.parts.extend(parts),
            Err(why) => captured.refuse(name, &why),
        }
    }
    captured.read_whole(sessions, (profile, schema), rules, sinks, run).await
}

impl Captured {
    fn refuse(&mut self, table: String, why: &Unusable) {
        let why = match why {
            Unusable::Unreadable(error) => format!("{why}: {error}"),
            Unusable::Contradiction => {
                self.contradictions.push(format!("{table}: {why}"));
                why.to_string()
            }
        };
        self.whole.insert(table, why);
    }

    /// Reads those tables as a whole of which the changes cannot be told.
    async fn read_whole<S: Sinks>(
        mut self,
        sessions: &mut [&mut Session],
        (profile, schema): (&Profile, &Schema),
        rules: TreeRules,
        sinks: &S,
        run: &Run,
    ) -> Result<Self, EngineError> {
        if !self.whole.is_empty() {
            let tables = schema.tables.iter().filter(|table| self.whole.contains_key(&table.name));
            let schema = Schema { tables: tables.cloned().collect(), missing: Vec::new() };
            let parts = scan::capture(sessions, (profile, &schema), rules, sinks, run).await?;
            self.rows_read += parts.iter().map(|part| part.rows).sum::<u64>();
            self.parts.extend(parts);
        }
        scan::in_order(&mut self.parts, profile);
        Ok(self)
    }
}

/// Follows the changes of tables since a base.
struct Follower<'c> {
    base: &'c Base,
    now: &'c SnapshotInfo,
    profile: &'c Profile,
    rules: TreeRules,
    run: &'c Run,
}

impl Follower<'_> {
    /// Reads what was written in each of these tables, over all sessions; `None` of one where that is too much.
    async fn read_changes<'s>(
        &self,
        sessions: &mut [&mut Session],
        tables: VecDeque<&'s Table>,
    ) -> Result<Vec<(&'s Table, Option<TableChanges>)>, EngineError> {
        let (waiting, read) = (Mutex::new(tables), Mutex::new(Vec::new()));
        let work = sessions.iter_mut().map(|session| self.read_some(session, &waiting, &read));
        try_join_all(work).await?;
        Ok(read.into_inner().expect("nothing panics while it holds what was read"))
    }

    async fn read_some<'s>(
        &self,
        session: &mut Session,
        waiting: &Mutex<VecDeque<&'s Table>>,
        read: &Mutex<Vec<(&'s Table, Option<TableChanges>)>>,
    ) -> Result<(), EngineError> {
        loop {
            let next = locked(waiting).pop_front();
            let Some(table) = next else { return Ok(()) };
            let changes = self.read_table(session, table).await?;
            locked(read).push((table, changes));
        }
    }

    async fn read_table(
        &self,
        session: &mut Session,
        table: &Table,
    ) -> Result<Option<TableChanges>, EngineError> {
        let parts: Vec<_> = self.profile.parts_of(&table.name).cloned().collect();
        let point = self.base.snapshot.info.point.as_ref().expect("a base has one");
        let now = self
            .now
            .point
            .as_ref()
            .and_then(|now| now.table(&table.name))
            .expect("it was compared");
        let changed = session.find_changed(table, (point, now)).await?;
        let trees = || parts.iter().filter_map(|part| self.base.snapshot.part(&part.name));
        let (rows, bytes): (u64, u64) =
            trees().fold((0, 0), |(rows, bytes), tree| (rows + tree.rows, bytes + tree.bytes));
        if changed.written.saturating_mul(bytes / rows.max(1)) > MOST_BYTES {
            return Ok(None);
        }
        let (full, blocks) = mpsc::channel::<Vec<u8>>(QUEUE);
        let taking = self.take_rows(table, &parts, blocks);
        let read = session.copy_changed(table, &parts, &changed, &full).await;
        drop(full);
        let taken = taking.await.expect("taking rows does not panic");
        if let Err(error) = read {
            return Err(session.name_unreadable(error, table).await.into());
        }
        let written = taken.map_err(|error| error.with_column_of(table))?;
        let rows = changed.rows;
        Ok(written.map(|written| TableChanges { table: table.clone(), parts, rows, written }))
    }

    /// Takes the rows of each part; `None` if they are too many.
    fn take_rows(
        &self,
        table: &Table,
        parts: &[Arc<Part>],
        blocks: mpsc::Receiver<Vec<u8>>,
    ) -> JoinHandle<Result<Option<Written>, EngineError>> {
        let (layout, parts, table) = (Layout::from(table), parts.to_vec(), table.name.clone());
        let (max_row, progress) = (self.rules.max_row, self.run.progress_sender());
        threads::spawn(move || {
            let mut written: Written = parts.iter().map(|_| BTreeMap::new()).collect();
            let mut bytes = 0;
            let taken = each_row(blocks, parts.len(), &progress, |part, row| {
                bytes += row.len() as u64;
                if row.len() > max_row {
                    return Err(too_long(&parts[part], &layout, row, max_row));
                }
                if bytes <= MOST_BYTES {
                    let key = layout.key_of(row);
                    let key = key
                        .map_err(|error| EngineError::building(&parts[part].name, error.into()))?;
                    written[part].insert(key, row.to_vec());
                }
                Ok(())
            })?;
            match taken {
                Taken::NoPart => Err(EngineError::OutsideDatasets(table)),
                Taken::All => Ok((bytes <= MOST_BYTES).then_some(written)),
            }
        })
    }

    /// Changes the trees of a table into those of its rows.
    async fn follow<S: Sinks>(
        &self,
        sessions: &mut [&mut Session],
        changes: TableChanges,
        sinks: &S,
    ) -> Result<Result<Vec<PartManifest>, Unusable>, EngineError> {
        let mut edits = match self.compare(changes, sinks).await {
            Ok(edits) => edits,
            Err(why) => return Ok(Err(why)),
        };
        if edits.lacking > 0 {
            edits = match self.find_missing(sessions, edits).await? {
                Ok(edits) => edits,
                Err(why) => return Ok(Err(why)),
            };
        }
        let (reader, splitter, sinks) =
            (self.base.snapshot.reader.clone(), self.rules.splitter, sinks.clone());
        let patch = move || edits.apply(&reader, splitter, &sinks);
        threads::spawn(patch).await.expect("changing a tree does not panic")
    }

    /// Compares what was written in a table with its trees.
    async fn compare<S: Sinks>(&self, changes: TableChanges, sinks: &S) -> Result<Edits, Unusable> {
        let tree = |part: &Arc<Part>| self.base.snapshot.part(&part.name).cloned();
        let trees = changes.parts.iter().filter_map(tree).collect();
        let (reader, sinks) = (self.base.snapshot.reader.clone(), sinks.clone());
        let gone = self.base.gone.clone();
        let compare = move || {
            let mut edits = Edits::new(&reader, trees, changes)?;
            if edits.lacking > 0 {
                edits.remove_known(&reader, &gone)?;
            }
            edits.refuse_unreliable(&reader, &sinks)?;
            Ok(edits)
        };
        threads::spawn(compare).await.expect("comparing does not panic")
    }

    /// Finds the rows that a table lacks, by the keys of those that it has.
    async fn find_missing(
        &self,
        sessions: &mut [&mut Session],
        edits: Edits,
    ) -> Result<Result<Edits, Unusable>, EngineError> {
        let reader = self.base.snapshot.reader.clone();
        let count = move || edits.missing(&reader).map(|keys| (edits, keys));
        let counted = threads::spawn(count).await.expect("reading nodes does not panic");
        let (mut edits, keys) = match counted {
            Ok(counted) => counted,
            Err(why) => return Ok(Err(why)),
        };
        let schema = Schema { tables: vec![edits.table.clone()], missing: Vec::new() };
        let pages = sessions[0].pages(&schema).await?.first().copied().unwrap_or(0);
        let stretches = Pages::cut(pages, sessions.len() as u64);
        let parts: Vec<_> = self.profile.parts_of(&edits.table.name).cloned().collect();
        let table = &edits.table;
        let work = sessions.iter_mut().zip(stretches).map(|(session, pages)| {
            read_keys(session, (table, &parts), pages, keys.clone(), self.run)
        });
        let read = try_join_all(work).await?;
        let reader = self.base.snapshot.reader.clone();
        let find = move || {
            let mut all = keys;
            for keys in read {
                all.add(keys?)?;
            }
            edits.remove_missing(&reader, all)?;
            Ok(edits)
        };
        Ok(threads::spawn(find).await.expect("finding keys does not panic"))
    }
}

/// Reads the keys of the rows in these pages.
async fn read_keys(
    session: &mut Session,
    (table, parts): (&Table, &[Arc<Part>]),
    pages: Pages,
    mut keys: LiveKeys,
    run: &Run,
) -> Result<Result<LiveKeys, Unusable>, EngineError> {
    let (full, blocks) = mpsc::channel::<Vec<u8>>(QUEUE);
    let (count, progress, name) = (parts.len(), run.progress_sender(), table.name.clone());
    let taking = threads::spawn(move || {
        let mut wrong = None;
        let taken = each_row(blocks, count, &progress, |part, columns| {
            if wrong.is_none() {
                wrong = keys.came(part, columns).err();
            }
            Ok(())
        })?;
        match taken {
            Taken::NoPart => Err(EngineError::OutsideDatasets(name)),
            Taken::All => Ok(wrong.map_or(Ok(keys), Err)),
        }
    });
    let read = session.copy_keys(table, parts, pages, &full).await;
    drop(full);
    let taken = taking.await.expect("taking keys does not panic");
    if let Err(error) = read {
        return Err(session.name_unreadable(error, table).await.into());
    }
    taken
}
