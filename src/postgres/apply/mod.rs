//! Makes the live tables what the staged changes say, in the transaction that holds them locked.
//!
//! The order of the steps is what keeps every constraint content without switching one off:
//!
//! 1. [`stage`]: the changes stand in temporary tables, of the tables that change alone.
//! 2. [`keep`]: in a merge, deletions are dropped.
//!    [`select`]: for a part of a restore, what was not asked for (nor is needed) goes again.
//! 3. [`conflicts`]: which live rows must go before anything is written: those that are gone, those
//!    that no UPDATE can change, and whatever refers to either. [`collide`] finds unique values that
//!    change hands, and [`order`] in which order that can be done.
//! 4. [`bulk_load`]: indexes and references of nearly empty tables are dropped until the rows are there.
//! 5. [`temporary_index`]: references without an index get one where many rows go.
//! 6. [`write`]: deletes, children first; then inserts and updates, parents first. [`load`] copies the rows
//!    of empty tables in, for which nothing was staged.
//!
//! [`rules`] is what the catalog says about all this.

mod added;
mod bulk_load;
mod collide;
mod conflicts;
mod keep;
mod load;
mod order;
mod records;
mod refused;
mod rules;
mod select;
mod stage;
mod switches;
mod temporary_index;
mod write;

use std::collections::{BTreeMap, BTreeSet};

pub use load::{Lines, Load};
pub use records::{Chosen, Records, Since};
pub use rules::Rules;
pub(super) use rules::{Reference, UniqueRule};
pub use select::{ScopeValue, Selection};
pub use stage::Staging;

use super::error::{DatabaseError, Trouble, While};
use super::relation::Site;
use super::session::Session;
use super::sql;
use super::surroundings::Surroundings;
use crate::model::{Part, ReadPoint, RowCounts, Schema, SequenceValue};
use crate::tree::{Key, Layout};

/// How many changes are staged, by part: from the live rows to those that are to be.
pub type Staged = BTreeMap<String, RowCounts>;

/// One application of staged changes.
#[derive(Debug)]
pub struct Apply<'a> {
    session: &'a mut Session,
    schema: &'a Schema,
    rules: &'a Rules,
    /// The tables of the schema that have staging tables, by their place.
    staged: BTreeSet<usize>,
    /// The empty tables that are loaded without one, by their place.
    loads: BTreeMap<usize, Load>,
    added: Option<&'a BTreeMap<String, Vec<String>>>,
}

impl<'a> Apply<'a> {
    /// Works in the transaction that this session is in.
    #[must_use]
    pub fn new(session: &'a mut Session, schema: &'a Schema, rules: &'a Rules) -> Self {
        Self {
            session,
            schema,
            rules,
            staged: BTreeSet::new(),
            loads: BTreeMap::new(),
            added: None,
        }
    }

    /// Keeps what stands in these columns of live rows that are deleted and made anew; by table.
    #[must_use]
    pub fn keeping(self, added: &'a BTreeMap<String, Vec<String>>) -> Self {
        Self { added: Some(added), ..self }
    }

    async fn run(&mut self, what: &str, statements: String) -> Result<u64, DatabaseError> {
        self.session.run(statements).await.trying(what)
    }

    /// The point of a snapshot, if a crash of the server cannot undo what the snapshot saw.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn lasting(
        &mut self,
        point: Option<ReadPoint>,
    ) -> Result<Option<ReadPoint>, DatabaseError> {
        let Some(point) = point else { return Ok(None) };
        Ok(self.session.is_durable(&point).await?.then_some(point))
    }

    /// What is staged or is to be loaded, by part.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn staged(&mut self) -> Result<Staged, DatabaseError> {
        let mut staged = Staged::new();
        for stage in self.stages() {
            let of = |op| format!("count(*) FILTER (WHERE rewind_op = '{op}')");
            let query = format!(
                "SELECT rewind_part, {}, {}, count(*) FILTER (WHERE rewind_touch), {} FROM {}
                 GROUP BY 1",
                of('i'),
                of('u'),
                of('d'),
                stage.changes()
            );
            let rows: Vec<(String, i64, i64, i64, i64)> =
                self.session.rows(query).await.trying("count the changes")?;
            for (part, inserted, updated, touched, deleted) in rows {
                let [added, changed, touched, removed] =
                    [inserted, updated, touched, deleted].map(i64::unsigned_abs);
                staged.insert(part, RowCounts { added, changed, touched, removed });
            }
        }
        for &(ref part, added) in self.loads.values().flat_map(|load| &load.rows) {
            staged.insert(part.clone(), RowCounts { added, ..RowCounts::default() });
        }
        Ok(staged)
    }

    /// The keys of the first `limit` changes that are staged of a part.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn staged_keys(
        &mut self,
        part: &Part,
        limit: usize,
    ) -> Result<BTreeSet<Key>, DatabaseError> {
        let Some(stage) = self.stages().into_iter().find(|it| it.table.name == part.table) else {
            return Ok(BTreeSet::new());
        };
        let table = stage.table;
        let key = table.key_names().map(|column| sql::text_of(&sql::name(column)));
        let query = format!(
            "SELECT ARRAY[{}] FROM {} WHERE rewind_part = {} ORDER BY {} LIMIT {limit}",
            key.collect::<Vec<_>>().join(", "),
            stage.changes(),
            sql::literal(&part.name),
            sql::key_order(table)
        );
        let rows: Vec<(Vec<String>,)> =
            self.session.rows(query).await.trying("list the changes")?;
        let layout = Layout::from(table);
        let key = |(values,): (Vec<String>,)| {
            let key = layout.key_of_values(values.iter().map(String::as_str));
            key.expect("a staged key is the table's")
        };
        Ok(rows.into_iter().map(key).collect())
    }

    /// The keys, by part, of rows that were staged to be deleted and that the tables do not have now; none at
    /// all if more than `limit` are staged.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn gone(
        &mut self,
        limit: u64,
    ) -> Result<BTreeMap<String, BTreeSet<Key>>, DatabaseError> {
        let mut gone: BTreeMap<String, BTreeSet<Key>> = BTreeMap::new();
        if self.staged().await?.values().map(|counts| counts.removed).sum::<u64>() > limit {
            return Ok(gone);
        }
        for stage in self.stages() {
            let key = stage
                .table
                .key_names()
                .map(|column| sql::text_of(&format!("d.{}", sql::name(column))));
            let query = format!(
                "SELECT rewind_part, ARRAY[{}] FROM {} d WHERE rewind_op = 'd'
                 AND NOT EXISTS (SELECT FROM {} t WHERE {})",
                key.collect::<Vec<_>>().join(", "),
                stage.changes(),
                stage.live(),
                stage.same_key(("t", "d"))
            );
            let rows: Vec<(String, Vec<String>)> =
                self.session.rows(query).await.trying("look for the deleted rows")?;
            let layout = Layout::from(stage.table);
            for (part, values) in rows {
                let key = layout.key_of_values(values.iter().map(String::as_str));
                gone.entry(part).or_default().insert(key.expect("a staged key is the table's"));
            }
        }
        Ok(gone)
    }

    /// Writes what is staged or is to be loaded, and sets the sequences. The tables that are `nearly_empty` may be locked against readers for it.
    ///
    /// # Errors
    /// If the server refuses a step, rows outside the backup stand in the way, or the connection
    /// is lost. The transaction can only be rolled back then.
    pub async fn write(
        &mut self,
        site: &Site,
        surroundings: &Surroundings,
        nearly_empty: &BTreeSet<&str>,
        sequences: &[SequenceValue],
    ) -> Result<(), DatabaseError> {
        let written = self.write_all(site, surroundings, nearly_empty, sequences).await;
        // What was not loaded any more is not waited for.
        self.loads.clear();
        written
    }

    async fn write_all(
        &mut self,
        site: &Site,
        surroundings: &Surroundings,
        nearly_empty: &BTreeSet<&str>,
        sequences: &[SequenceValue],
    ) -> Result<(), DatabaseError> {
        let triggers = &surroundings.triggers;
        let writes = !(self.staged.is_empty() && self.loads.is_empty());
        if writes {
            self.switch_triggers(triggers, false).await?;
            self.tell_apart().await?;
            let waves = self.find_conflicts().await?;
            self.refuse_if_referred_to().await?;
            let bulk_load = self.begin_bulk_load(nearly_empty).await?;
            self.create_temporary_indexes().await?;
            self.keep_added().await?;
            self.write_rows(&waves).await?;
            self.bring_added_back().await?;
            self.end_bulk_load(bulk_load).await?;
        }
        self.set_sequences(sequences).await?;
        if writes {
            self.switch_triggers(triggers, true).await?;
        }
        if self.session.table_triggers(site).await? == *triggers {
            return Ok(());
        }
        let why = "a trigger was left in another state than before";
        Err(DatabaseError { what: "restore".into(), trouble: Trouble::Unsuitable(why.into()) })
    }

    /// Refuses to go on if rows of tables that are not backed up refer to rows that must go: the
    /// reference's action would change or delete what no backup holds.
    async fn refuse_if_referred_to(&mut self) -> Result<(), DatabaseError> {
        let mut found = Vec::new();
        for reference in self.rules.references.iter().filter(|it| it.inside.is_none()) {
            if !self.staged.contains(&reference.parent) {
                continue;
            }
            let query = conflicts::count_referring(reference, &self.stage_of(reference.parent));
            let what = format!("look for references in {}", reference.child);
            let count: i64 = self.session.value(query).await.trying(what)?;
            if count > 0 {
                found.push(format!("{count} in {} by {}", reference.child, reference.name));
            }
        }
        if found.is_empty() {
            return Ok(());
        }
        Err(DatabaseError { what: "replace the rows".into(), trouble: Trouble::ReferredTo(found) })
    }
}
