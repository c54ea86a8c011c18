//! Makes the live tables what the staged changes say, in the transaction that holds them locked.
//!
//! The order of the steps is what keeps every constraint content without switching one off:
//!
//! 1. [`stage`]: the changes stand in temporary tables.
//! 2. [`select`]: for a part of a restore, what was not asked for (nor is needed) goes again.
//! 3. [`uproot`]: which live rows must go before anything is written: those that are gone, those
//!    that hold unique values which others get, and whatever refers to either.
//! 4. [`relief`]: indexes and references of nearly empty tables step aside until the rows are there.
//! 5. [`prop`]: references without an index get one where many rows go.
//! 6. [`write`]: deletes, children first; then inserts and updates, parents first.

mod prop;
mod relief;
mod select;
mod stage;
mod switches;
mod uproot;
mod write;

use std::collections::{BTreeMap, BTreeSet};

pub use select::Selection;
pub use stage::Staging;

use super::catalog::OutsideReference;
use super::error::{DatabaseError, Trouble, While};
use super::relation::Site;
use super::session::Session;
use super::sql;
use super::surroundings::Surroundings;
use crate::model::{Part, RowCounts, Schema, SequenceValue};
use crate::tree::{Key, Layout};

/// How many changes are staged, by part: from the live rows to those that are to be.
pub type Staged = BTreeMap<&'static str, RowCounts>;

/// One application of staged changes.
#[derive(Debug)]
pub struct Apply<'a> {
    session: &'a mut Session,
    schema: &'a Schema,
}

impl<'a> Apply<'a> {
    /// Works in the transaction that this session is in.
    #[must_use]
    pub fn new(session: &'a mut Session, schema: &'a Schema) -> Self {
        Self { session, schema }
    }

    async fn run(&mut self, what: &str, statements: String) -> Result<u64, DatabaseError> {
        self.session.run(statements).await.trying(what)
    }

    /// What is staged, by part.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn staged(&mut self) -> Result<Staged, DatabaseError> {
        let mut staged = Staged::new();
        for table in &self.schema.tables {
            let of = |op| format!("count(*) FILTER (WHERE rewind_op = '{op}')");
            let query = format!(
                "SELECT rewind_part, {}, {}, count(*) FILTER (WHERE rewind_touch), {} FROM {}
                 GROUP BY 1",
                of('i'),
                of('u'),
                of('d'),
                stage::staging(table)
            );
            let rows: Vec<(String, i64, i64, i64, i64)> =
                self.session.rows(query).await.trying("count the changes")?;
            for (part, inserted, updated, touched, deleted) in rows {
                let part = Part::named(&part).expect("staged under a part's name");
                let [added, changed, touched, removed] =
                    [inserted, updated, touched, deleted].map(i64::unsigned_abs);
                staged.insert(part.name, RowCounts { added, changed, touched, removed });
            }
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
        let table = self.schema.table(part.table).expect("a part's table is in its schema");
        let key = table.key_names().map(|column| format!("{}::text", sql::name(column)));
        let query = format!(
            "SELECT ARRAY[{}] FROM {} WHERE rewind_part = {} ORDER BY {} LIMIT {limit}",
            key.collect::<Vec<_>>().join(", "),
            stage::staging(table),
            sql::literal(part.name),
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

    /// Writes what is staged, sets the sequences, and removes what would lie afterwards. The tables
    /// that are `nearly_empty` may be locked against readers for it.
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
        made_after: &str,
    ) -> Result<(), DatabaseError> {
        let Surroundings { outside, triggers, .. } = surroundings;
        self.switch_triggers(triggers, false).await?;
        self.uproot(outside).await?;
        self.refuse_if_referred_to(outside).await?;
        let relief = self.relieve(nearly_empty).await?;
        self.prop_up().await?;
        self.write_rows().await?;
        self.end_relief(relief).await?;
        self.set_sequences(sequences).await?;
        self.remove_stale(site, made_after).await?;
        self.switch_triggers(triggers, true).await?;
        if self.session.table_triggers(site).await? == *triggers {
            return Ok(());
        }
        let why = "a trigger was left in another state than before";
        Err(DatabaseError { what: "restore".into(), trouble: Trouble::Unsuitable(why.into()) })
    }

    /// Refuses to go on if rows of tables that are not backed up refer to rows that must go: the
    /// reference's action would change or delete what no backup holds.
    async fn refuse_if_referred_to(
        &mut self,
        outside: &[OutsideReference],
    ) -> Result<(), DatabaseError> {
        let mut found = Vec::new();
        for reference in outside {
            let Some(table) = self.schema.table(&reference.key.references) else {
                continue;
            };
            let query = uproot::count_referring(reference, table);
            let what = format!("look for references in {}", reference.shown);
            let count: i64 = self.session.value(query).await.trying(what)?;
            if count > 0 {
                let name = &reference.key.name;
                found.push(format!("{count} in {} by {name}", reference.shown));
            }
        }
        if found.is_empty() {
            return Ok(());
        }
        Err(DatabaseError { what: "replace the rows".into(), trouble: Trouble::ReferredTo(found) })
    }
}
