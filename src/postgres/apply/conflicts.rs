//! Finds the live rows that must go before anything is written, and the rows that must wait.
//!
//! A row that changes is updated in place, unless that cannot be: a column changes that only the
//! database numbers or by which rows refer to it, or its unique values go round in a circle. Such a
//! row is deleted and made anew, and with it, step by step, every row that refers to it, since a
//! reference may be `RESTRICT`, which fires at once. References that can wait are left alone.

use std::collections::{BTreeMap, BTreeSet};

use super::order::{Order, Rows, Wait, order};
use super::rules::{Reference, UniqueRule};
use super::stage::Stage;
use super::{Apply, collide};
use crate::postgres::error::{DatabaseError, While};
use crate::postgres::sql;

const CANNOT: &str = "find the rows that must go first";
/// So many rows are named in one statement.
const NAMED: usize = 10_000;

impl Apply<'_> {
    /// Makes `i` and `u` say what is to be done to the table: a new row whose key is there already
    /// came from another part of it, or gets a key of another text.
    pub(super) async fn tell_apart(&mut self) -> Result<(), DatabaseError> {
        const WHAT: &str = "tell new rows from changed ones";
        for stage in self.stages() {
            let (remaking, writes_keys) = (
                self.rules.remaking(stage.number, stage.table),
                self.rules.keys_can_be_written(stage.number, stage.table),
            );
            if self.run(WHAT, pair(&stage, &remaking, writes_keys)).await? > 0 {
                self.run(WHAT, drop_duplicates(&stage)).await?;
            }
        }
        Ok(())
    }

    /// Fills the tables of leaving keys, stages those rows that come back as they are, and notes which
    /// rows wait. Returns for each table how many waves it is written in.
    pub(super) async fn find_conflicts(&mut self) -> Result<Vec<u32>, DatabaseError> {
        let mut any = 0;
        for stage in self.stages() {
            any += self.run(CANNOT, seeds(&stage)).await?;
        }
        if any > 0 {
            self.follow_references().await?;
        }
        let mut waves = vec![0; self.schema.tables.len()];
        for group in self.rules.parents_first() {
            let inserts_wait = !self.rules.refers_to_its_group(&group);
            for number in group {
                if self.staged.contains(&number) {
                    waves[number] = self.put_in_order(number, inserts_wait).await?;
                }
            }
        }
        for stage in self.stages() {
            self.run(CANNOT, stage_dragged(&stage)).await?;
            self.run(CANNOT, new_again(&stage)).await?;
        }
        Ok(waves)
    }

    /// Adds what refers to leaving rows, until nothing more does.
    async fn follow_references(&mut self) -> Result<(), DatabaseError> {
        let strict = self.rules.references.iter().filter(|it| !it.waits_on_delete());
        let inside: Vec<_> = strict.filter_map(|it| Some((it.inside?, it))).collect();
        loop {
            let mut added = 0;
            for (child, reference) in &inside {
                if !self.staged.contains(&reference.parent) {
                    continue;
                }
                let parent = self.stage_of(reference.parent);
                if !self.staged.contains(child) {
                    let child = self.stage_of(*child);
                    let any = referring_exist(&child, reference, &parent);
                    if !self.session.value::<bool>(any).await.trying(CANNOT)? {
                        continue;
                    }
                    self.create_stage(child.number).await?;
                    self.run(CANNOT, seeds(&child)).await?;
                }
                let child = self.stage_of(*child);
                added += self.run(CANNOT, referring(&child, reference, &parent)).await?;
            }
            if added == 0 {
                return Ok(());
            }
        }
    }

    /// Has rows wait whose unique values others hold, and adds to the leaving rows those that
    /// cannot. Returns the number of waves.
    async fn put_in_order(
        &mut self,
        number: usize,
        inserts_wait: bool,
    ) -> Result<u32, DatabaseError> {
        let stage = self.stage_of(number);
        let rules: Vec<_> = stage.rules.unique.iter().filter(|rule| rule.immediate).collect();
        if rules.is_empty() || !self.session.value(may_wait(&stage)).await.trying(CANNOT)? {
            return Ok(0);
        }
        loop {
            let (waits, inserted) = self.waits(&stage, &rules).await?;
            if waits.is_empty() {
                return Ok(0);
            }
            let fixed = self.fixed(&stage).await?;
            let Order { remade, waves } = order(&waits, &Rows { inserted, fixed, inserts_wait });
            if remade.is_empty() {
                return self.note_waves(&stage, waves).await;
            }
            let remade: Vec<_> = remade.into_iter().collect();
            for rows in remade.chunks(NAMED) {
                self.run(CANNOT, leave(&stage, rows)).await?;
            }
            self.follow_references().await?;
        }
    }

    /// Which staged rows wait for which others, and which of them are inserts.
    async fn waits(
        &mut self,
        stage: &Stage<'_>,
        rules: &[&UniqueRule],
    ) -> Result<(BTreeSet<Wait>, BTreeSet<u64>), DatabaseError> {
        let (mut waits, mut inserted) = (BTreeSet::new(), BTreeSet::new());
        for rule in rules {
            let rows: Vec<(String, bool, String)> =
                self.session.rows(collide::waiting(stage, rule)).await.trying(CANNOT)?;
            for (waiter, new, holder) in rows {
                let (waiter, holder) = (from_tid(&waiter), from_tid(&holder));
                waits.insert(Wait { waiter, holder });
                if new {
                    inserted.insert(waiter);
                }
            }
        }
        Ok((waits, inserted))
    }

    /// The staged rows whose live rows are referred to from tables outside.
    async fn fixed(&mut self, stage: &Stage<'_>) -> Result<BTreeSet<u64>, DatabaseError> {
        let rules = self.rules;
        let to_here = |it: &&Reference| {
            it.inside.is_none() && it.parent == stage.number && !it.waits_on_delete()
        };
        let mut fixed = BTreeSet::new();
        for reference in rules.references.iter().filter(to_here) {
            let rows: Vec<(String,)> =
                self.session.rows(referred_to(stage, reference)).await.trying(CANNOT)?;
            fixed.extend(rows.iter().map(|(row,)| from_tid(row)));
        }
        Ok(fixed)
    }

    async fn note_waves(
        &mut self,
        stage: &Stage<'_>,
        waves: BTreeMap<u64, u32>,
    ) -> Result<u32, DatabaseError> {
        let last = waves.values().copied().max().unwrap_or(0);
        let waves: Vec<_> = waves.into_iter().collect();
        for rows in waves.chunks(NAMED) {
            let row = |(row, wave): &(u64, u32)| format!("('{}'::tid, {wave})", tid(*row));
            let note = format!(
                "UPDATE {} s SET rewind_wave = w.wave FROM (VALUES {}) w (place, wave)
                 WHERE s.ctid = w.place",
                stage.changes(),
                rows.iter().map(row).collect::<Vec<_>>().join(", ")
            );
            self.run(CANNOT, note).await?;
        }
        Ok(last)
    }
}

/// A place in a staging table, as a number.
fn from_tid(tid: &str) -> u64 {
    let inner = tid.trim_matches(['(', ')']);
    let (block, offset) = inner.split_once(',').unwrap_or(("0", inner));
    let number = |text: &str| text.parse::<u64>().expect("the server writes numbers");
    (number(block) << 16) | number(offset)
}

fn tid(row: u64) -> String {
    format!("({},{})", row >> 16, row & 0xffff)
}

/// Whether there are rows that may collide, and rows that they may wait for.
fn may_wait(stage: &Stage<'_>) -> String {
    let any = |which| format!("EXISTS (SELECT FROM {} WHERE {which})", stage.changes());
    format!(
        "SELECT {} AND {}",
        any("rewind_indexed AND rewind_op <> 'd'"),
        any("rewind_op IN ('u', 'k')")
    )
}

/// Makes changed rows of new ones whose key is there already.
fn pair(stage: &Stage<'_>, remaking: &BTreeSet<String>, writes_keys: bool) -> String {
    let other_text = stage.other_key_text(("s", "t"));
    let differs = |column: &String| format!("s.{0} IS DISTINCT FROM t.{0}", sql::name(column));
    let mut remade: Vec<_> = remaking.iter().map(differs).collect();
    if !writes_keys {
        remade.push(other_text.clone());
    }
    if remade.is_empty() {
        remade.push("false".into());
    }
    format!(
        "UPDATE {} s SET rewind_op = CASE WHEN {other_text} THEN 'k' ELSE 'u' END,
             rewind_indexed = true, rewind_remake = {}
         FROM {} t WHERE s.rewind_op = 'i' AND {}",
        stage.changes(),
        remade.join(" OR "),
        stage.live(),
        stage.same_key(("s", "t")),
    )
}

/// Drops the removal of a row that stays.
fn drop_duplicates(stage: &Stage<'_>) -> String {
    format!(
        "DELETE FROM {0} d WHERE d.rewind_op = 'd'
         AND EXISTS (SELECT FROM {0} n WHERE n.rewind_op <> 'd' AND {1})",
        stage.changes(),
        stage.same_key(("d", "n"))
    )
}

/// Makes the table of leaving keys and puts in the rows that are gone in the end, and those whose
/// change no UPDATE can make.
fn seeds(stage: &Stage<'_>) -> String {
    let (leaving, changes) = (stage.leaving(), stage.changes());
    let key = sql::names(stage.table.key_names());
    format!(
        "CREATE TEMPORARY TABLE {leaving} ON COMMIT DROP AS SELECT {key} FROM {changes} WITH NO DATA;
         CREATE UNIQUE INDEX ON {leaving} ({key});
         INSERT INTO {leaving} SELECT {key} FROM {changes}
         WHERE rewind_op = 'd' OR (rewind_op <> 'i' AND rewind_remake) ON CONFLICT DO NOTHING;
         ANALYZE {leaving}"
    )
}

/// Has these staged rows leave first.
fn leave(stage: &Stage<'_>, rows: &[u64]) -> String {
    let rows = rows.iter().map(|row| format!("\"{}\"", tid(*row))).collect::<Vec<_>>().join(",");
    format!(
        "INSERT INTO {} SELECT {} FROM {} WHERE ctid = ANY ('{{{rows}}}'::tid[])
         ON CONFLICT DO NOTHING",
        stage.leaving(),
        sql::names(stage.table.key_names()),
        stage.changes(),
    )
}

/// Live rows `c` that refer to leaving rows of `parent`.
fn referring_from(child: &str, reference: &Reference, parent: &Stage<'_>) -> String {
    format!(
        "FROM {child} c JOIN {} p ON {} JOIN {} d ON {}",
        parent.live(),
        reference.holds(("c", "p")),
        parent.leaving(),
        parent.same_key(("p", "d")),
    )
}

fn referring(child: &Stage<'_>, reference: &Reference, parent: &Stage<'_>) -> String {
    format!(
        "INSERT INTO {} SELECT {} {} ON CONFLICT DO NOTHING",
        child.leaving(),
        child.key_of("c"),
        referring_from(&child.live(), reference, parent),
    )
}

fn referring_exist(child: &Stage<'_>, reference: &Reference, parent: &Stage<'_>) -> String {
    format!("SELECT EXISTS (SELECT {})", referring_from(&child.live(), reference, parent))
}

/// The changed rows of a table whose live rows are referred to from outside.
fn referred_to(stage: &Stage<'_>, reference: &Reference) -> String {
    format!(
        "SELECT DISTINCT s.ctid::text FROM {} s JOIN {} p ON {} JOIN {} c ON {}
         WHERE s.rewind_op IN ('u', 'k')",
        stage.changes(),
        stage.live(),
        stage.same_key(("s", "p")),
        reference.child,
        reference.holds(("c", "p")),
    )
}

/// Leaving rows that no change is staged for: they come back as they are.
fn stage_dragged(stage: &Stage<'_>) -> String {
    format!(
        "INSERT INTO {0} (rewind_op, rewind_part, {1}) SELECT 'i', '', {2} FROM {3} t JOIN {4} d
         ON {5} WHERE NOT EXISTS (SELECT FROM {0} s WHERE {6})",
        stage.changes(),
        sql::names(stage.table.column_names()),
        sql::names_of("t", stage.table.column_names()),
        stage.live(),
        stage.leaving(),
        stage.same_key(("t", "d")),
        stage.same_key(("s", "t")),
    )
}

/// A changed row that leaves first is a new one.
fn new_again(stage: &Stage<'_>) -> String {
    format!(
        "UPDATE {} s SET rewind_op = 'i' FROM {} d WHERE s.rewind_op IN ('u', 'k') AND {}",
        stage.changes(),
        stage.leaving(),
        stage.same_key(("s", "d")),
    )
}

/// How many rows of a table outside refer to leaving rows: by a reference that can wait, to those that
/// do not come back with the same values.
pub fn count_referring(reference: &Reference, parent: &Stage<'_>) -> String {
    let referring = referring_from(&reference.child, reference, parent);
    let referred: Vec<_> = reference.columns.iter().map(|(_, to, ..)| to.as_str()).collect();
    let stored = referred.iter().all(|column| parent.table.column(column).is_some());
    if !reference.waits_on_delete() || !stored {
        return format!("SELECT count(*) {referring}");
    }
    let same = |column: &&str| format!("s.{0} IS NOT DISTINCT FROM p.{0}", sql::name(column));
    format!(
        "SELECT count(*) {referring} WHERE NOT EXISTS (
             SELECT FROM {} s WHERE s.rewind_op <> 'd' AND {} AND {})",
        parent.changes(),
        parent.same_key(("s", "p")),
        referred.iter().map(same).collect::<Vec<_>>().join(" AND "),
    )
}
