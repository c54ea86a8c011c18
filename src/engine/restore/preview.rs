//! What a restore would change, found out without changing anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::engine::capture::live::named_if_blocked;
use crate::engine::compare::diff::collect;
use crate::engine::compare::kept::ComparisonId;
use crate::engine::compare::row_change::Collected;
use crate::engine::compare::spool::Sides;
use crate::engine::compare::trees::{changes, differing};
use crate::engine::restore::options::RestoreOptions;
use crate::engine::restore::records::{OtherRows, fitting, since};
use crate::engine::restore::report::RestoreResults;
use crate::engine::snapshot::Snapshot;
use crate::engine::{Engine, EngineError, Phase, RowChange, Run};
use crate::model::{
    BackupId, Fingerprint, Manifest, MissingTable, Part, PerDataset, Sameness, Source, Table,
};
use crate::postgres::{Apply, Records, Session, Since};
use crate::threads;
use crate::tree::{Key, Layout, Range};

/// Changes of a part whose keys are kept at most.
const MOST_STAGED: usize = 1 << 22;

/// What a restore would do. Counts are what it would do to the live rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Preview {
    pub backup_id: BackupId,
    /// The live state that this was compared with; a restore can be bound to it.
    pub fingerprint: Fingerprint,
    /// Time at which the live rows were read.
    pub as_of: DateTime<Utc>,
    /// The name by which all changes can be searched, for as long as they are kept.
    pub comparison_id: Option<ComparisonId>,
    /// Whether only a part was asked for; of the rest this says nothing.
    pub partial: bool,
    /// What would be done, by dataset.
    pub datasets: PerDataset<RestoreResults>,
    /// Of the rows to be updated, those of which only the time of the last touch would change.
    pub touched: u64,
    /// What would be done to rows of tables that are not backed up.
    pub other_rows: Vec<OtherRows>,
    /// The rows that would change, from live to what they become.
    pub changes: Vec<RowChange>,
    /// Whether there are more changes than are listed.
    pub truncated: bool,
    /// The tables of which this says nothing: they belong to a backup and are not in this one.
    pub missing_tables: Vec<MissingTable>,
    /// Where the backup was taken.
    pub source: Source,
    /// Where the rows would be written.
    pub target: Source,
    /// Why the target is another database than the source; then a restore must be told that it may.
    pub other_database: Option<String>,
    /// What would not follow the rows by itself, and what cannot be told, a sentence each.
    pub notes: Vec<String>,
    /// Columns that were added or altered since the backup, and what becomes of them; one sentence each.
    pub schema_drift: Vec<String>,
}

impl Preview {
    /// Whether the restore would change nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.datasets.values().all(RestoreResults::is_zero) && self.other_rows.is_empty()
    }
}

impl Engine {
    /// What a restore with these options would change; lists at most `limit` rows of each dataset.
    ///
    /// # Errors
    /// As a restore, as far as it would get before it writes. Damage is only found in what the
    /// comparison reads.
    pub async fn preview(
        &self,
        id: &BackupId,
        options: &RestoreOptions,
        limit: usize,
        run: &Run,
    ) -> Result<Preview, EngineError> {
        let manifest = self.store.manifest(id).await?;
        self.refuse_broken_rules(&manifest).await?;
        let mut session = self.connect(run).await?;
        let preview = self.preview_over(&mut session, manifest, options, limit, run).await;
        named_if_blocked(&mut session, preview).await
    }

    async fn preview_over(
        &self,
        session: &mut Session,
        manifest: Manifest,
        options: &RestoreOptions,
        limit: usize,
        run: &Run,
    ) -> Result<Preview, EngineError> {
        let store = self.store.reader().await?;
        let id = manifest.backup_id.clone();
        let profile = manifest.profile().clone();
        let site = self.look(session, &profile).await?;
        // Records that come back are staged to be counted.
        let compares_alone = options.is_all() && manifest.covers_whole_tables();
        if compares_alone && manifest.removed.is_empty() {
            session.begin_snapshot(&site).await?;
        } else {
            session.begin_scratch_snapshot(&site).await?;
        }
        let fit = self.fit(session, &site, &manifest, options).await?;
        self.refuse_unknown(session, &fit.live, &manifest, &options.selection).await?;
        let mut notes = session.surroundings(&site).await?.notes();
        let (source, here) = (Source::from(&manifest.snapshot), session.source().await?);
        let other_database = match source.compare(&here) {
            Sameness::Other(why) => Some(why),
            Sameness::Same(remark) => {
                notes.extend(remark);
                None
            }
        };
        let mut second = self.share_snapshot(session, &site, run).await?;
        let mut readers: Vec<_> = std::iter::once(&mut *session).chain(&mut second).collect();
        let tables = (&profile, fit.live.clone());
        let live = self.capture_aside(&mut readers, tables, &store, run).await?;
        if let Some(second) = second {
            second.close().await?;
        }
        let (fingerprint, as_of) = (live.fingerprint(), live.taken);
        let not_covered = &manifest.not_covered;
        let covered = fit.live.clone().covered(&profile, not_covered);
        let missing_tables = covered.lacking_or_not_covered(&profile, not_covered);
        let since = since(&manifest, &live.info);
        let target = Snapshot::of(manifest.clone(), store).with_tables_of(&fit.restored);
        run.begin(Phase::Comparing, None);
        let unchanged = RestoreResults::unchanged(&live);
        let live = live.not_covering(&manifest.not_covered);
        let live = self.project(&live, &fit.restored).await?;
        let schema = fit.restored;
        let (rules, records) = (session.write_rules(&schema).await?, session.records(&site).await?);
        let mut apply = Apply::new(session, &schema, &rules);
        let all = options.is_all();
        let sides = Sides { old: live.clone(), new: target.clone(), only: None };
        let (found, only) = if compares_alone {
            (collect(live, target, limit).await?, None)
        } else {
            self.stage_changes(&mut apply, (&schema, &rules), &live, &target).await?;
            self.narrow(&mut apply, (&manifest, options)).await?;
            let keys = all_staged_keys(&mut apply, &sides).await?;
            (collect_staged(&mut apply, (live, target), limit).await?, Some(keys))
        };
        let comparison_id = self.keep_comparison(Sides { only, ..sides }, true);
        let changes = found.datasets.values().any(|counts| !counts.is_zero());
        let other_rows = match &records {
            Some(records) if !records.readable => {
                notes.push(format!(
                    "records of {} that a restore removes are not counted: this role may not read them",
                    records.table.name
                ));
                Vec::new()
            }
            Some(records) => {
                let since = Some(since).filter(|_| changes && !options.merge);
                self.other_rows(&mut apply, records, &manifest, since, all).await?
            }
            None => Vec::new(),
        };
        session.rollback().await?;
        run.begin(Phase::Done, None);
        Ok(Preview {
            backup_id: id,
            fingerprint,
            as_of,
            comparison_id,
            partial: !options.is_all(),
            datasets: RestoreResults::over(&unchanged, &found.datasets),
            other_rows,
            touched: found.datasets.values().map(|counts| counts.touched).sum(),
            changes: found.changes,
            truncated: found.truncated,
            missing_tables,
            source,
            target: here,
            other_database,
            notes,
            schema_drift: fit.drift,
        })
    }
}

impl Engine {
    /// What would be done to records of requests; nothing goes if nothing changes.
    async fn other_rows(
        &self,
        apply: &mut Apply<'_>,
        records: &Records,
        manifest: &Manifest,
        since: Option<Since>,
        all: bool,
    ) -> Result<Vec<OtherRows>, EngineError> {
        let chosen = match &since {
            Some(since) => Some(apply.choose_records(records, since, all, false).await?),
            None => None,
        };
        let removed = chosen.as_ref().map_or(0, |chosen| chosen.count);
        let kept = manifest.removed.first().filter(|_| all);
        let kept = kept.and_then(|kept| Some((kept, fitting(kept, records)?)));
        let Some((kept, columns)) = kept else {
            return Ok(OtherRows::some(records, (removed, 0)));
        };
        let reader = self.store.reader().await?;
        self.stage_records(apply, records, (kept, &columns), reader).await?;
        let inserted = apply.count_returning(records, chosen.as_ref()).await?;
        Ok(OtherRows::some(records, (removed, inserted)))
    }
}

/// The keys of all changes that are staged, by part.
async fn all_staged_keys(
    apply: &mut Apply<'_>,
    sides: &Sides,
) -> Result<BTreeMap<String, BTreeSet<Key>>, EngineError> {
    let mut all = BTreeMap::new();
    for part in differing(&sides.old, &sides.new)? {
        let keys = apply.staged_keys(&part, MOST_STAGED).await?;
        all.insert(part.name.clone(), keys);
    }
    Ok(all)
}

/// Collects those changes from the first side to the second that are staged.
async fn collect_staged(
    apply: &mut Apply<'_>,
    (old, new): (Snapshot, Snapshot),
    limit: usize,
) -> Result<Collected, EngineError> {
    let staged = apply.staged().await?;
    let parts = differing(&old, &new)?;
    let mut found = Collected::new(&new.profile, limit);
    let shared = Arc::new((old, new));
    for part in parts {
        let Some(counts) = staged.get(&part.name) else {
            continue;
        };
        let keys = apply.staged_keys(&part, found.room(&part.dataset)).await?;
        let (shared, sought) = (shared.clone(), part.clone());
        let look = move || {
            let (old, new) = &*shared;
            let table = new.schema.table(&sought.table).expect("a part's table is in its schema");
            rows_with(&keys, &sought, table, (old, new))
        };
        let rows = threads::spawn(look).await.expect("comparing does not panic")?;
        found.add(&part, rows, *counts);
    }
    // Rows that leave a part which the backup does not cover, for one that it does.
    let moved = staged.iter().filter(|(name, _)| shared.1.part(name).is_none());
    for (part, counts) in moved.filter_map(|(name, it)| Some((shared.1.profile.part(name)?, it))) {
        found.add(part, Vec::new(), *counts);
    }
    Ok(found)
}

/// The changes of a part that have one of these keys. Blocks.
fn rows_with(
    keys: &BTreeSet<Key>,
    part: &Part,
    table: &Table,
    (old, new): (&Snapshot, &Snapshot),
) -> Result<Vec<RowChange>, EngineError> {
    let Some(last) = keys.last() else {
        return Ok(Vec::new());
    };
    let layout = Layout::from(table);
    let range = Range { after: None, upto: Some(last.clone()) };
    let mut rows = Vec::with_capacity(keys.len());
    for change in changes(part, &layout, old, new)?.within(range)? {
        let change = change?;
        if keys.contains(&change.key) {
            rows.push(RowChange::new(part, table, &change));
        }
    }
    Ok(rows)
}
