//! Records that the application keeps of requests: they go with the rows that the requests wrote.
//!
//! A record is newer than a backup if its time says so or if the backup's snapshot could not see it: a
//! transaction that was open while the snapshot was taken is older by its time alone. When everything
//! is restored, every newer record may be of a request that is undone. When a part is, only those go
//! that a transaction wrote together with a row that is undone, or that tell such a row's key.

use tokio::sync::mpsc::{Receiver, Sender};

use super::rules::Reference;
use super::stage::Stage;
use super::{Apply, Rules};
use crate::model::{Column, Schema, Table};
use crate::postgres::error::{DatabaseError, Trouble, While};
use crate::postgres::{Session, Site, sql};

/// The records that are to go.
const CHOSEN: &str = "pg_temp.rewind_records";
/// The records that are to come back.
const RETURNING: &str = "pg_temp.rewind_returning";

/// The table of the records at this site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    /// Its shape.
    pub table: Table,
    /// Whether this role may read them. Who only compares need not.
    pub readable: bool,
    /// The column that tells when one was made.
    made_at: String,
}

/// The records that go with what is undone.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// How many there are.
    pub count: u64,
    /// Where they stand: a table, or a query in parentheses.
    rows: String,
}

/// From when on records are newer.
#[derive(Debug, Clone)]
pub struct Since {
    /// The time of the snapshot.
    pub taken_at: String,
    /// What the snapshot saw, if it was taken of this server.
    pub visible: Option<String>,
}

impl Session {
    /// The table of the records, if this site has one that can be restored: a table with a primary
    /// key.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn records(&mut self, site: &Site) -> Result<Option<Records>, DatabaseError> {
        let Some((relation, records)) = site.stale.first().zip(site.profile.records.as_ref())
        else {
            return Ok(None);
        };
        let there = format!(
            "SELECT has_table_privilege(c.oid, 'SELECT') FROM pg_class c
             JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
             WHERE c.oid = {} AND c.relkind IN ('r', 'p')",
            relation.oid
        );
        let there: Vec<(bool,)> =
            self.rows(there).await.trying("look for the records of requests")?;
        let Some(&(readable,)) = there.first() else { return Ok(None) };
        let site = Site {
            profile: site.profile.clone(),
            tables: vec![relation.clone()],
            stale: Vec::new(),
            missing: Vec::new(),
        };
        let (mut tables, made_at) = (self.schema(&site).await?.tables, records.made_at.clone());
        Ok(tables.pop().map(|table| Records { table, readable, made_at }))
    }
}

impl Records {
    fn live(&self) -> String {
        sql::table(&self.table)
    }

    fn columns(&self, row: &str) -> String {
        sql::names_of(row, self.table.column_names())
    }

    fn schema(&self) -> Schema {
        Schema { tables: vec![self.table.clone()], missing: Vec::new() }
    }

    /// Whether the record `r` is newer; `now.xid` is the next transaction.
    fn is_newer(&self, since: &Since) -> String {
        let made = self.table.column(&self.made_at).map(|_| {
            let taken = sql::literal(&since.taken_at);
            format!("r.{} > {taken}::timestamptz", sql::name(&self.made_at))
        });
        let unseen = since.visible.as_ref().map(|visible| {
            format!(
                "NOT pg_visible_in_snapshot(
                     (now.xid - ((now.xid - r.xmin::text::int8) & 4294967295))::text::xid8, {}::pg_snapshot)",
                sql::literal(visible)
            )
        });
        let either: Vec<_> = made.into_iter().chain(unseen).collect();
        if either.is_empty() { "false".into() } else { format!("({})", either.join(" OR ")) }
    }

    /// The texts that the record `r` tells: strings and numbers within its values, and their words.
    fn told(&self) -> String {
        let speaks = |column: &&Column| {
            let name = column.type_name.as_str();
            matches!(name, "json" | "jsonb" | "text") || name.starts_with("character varying")
        };
        let key: Vec<_> = self.table.key_names().collect();
        let columns = self.table.columns.iter().filter(speaks);
        let columns = columns.filter(|column| !key.contains(&column.name.as_str()));
        let columns: Vec<_> =
            columns.map(|column| format!("r.{}", sql::name(&column.name))).collect();
        format!(
            "(SELECT v.value #>> '{{}}' AS word
              FROM jsonb_path_query(jsonb_build_array({0}), '$.**') AS v (value)
              WHERE jsonb_typeof(v.value) IN ('string', 'number')
              UNION ALL SELECT regexp_split_to_table(v.value #>> '{{}}', '[^[:alnum:]_.:-]+')
              FROM jsonb_path_query(jsonb_build_array({0}), '$.**') AS v (value)
              WHERE jsonb_typeof(v.value) = 'string')",
            columns.join(", ")
        )
    }
}

/// The transactions that wrote the live rows which are undone.
fn writers(stages: &[Stage<'_>]) -> String {
    let of = |stage: &Stage<'_>| {
        format!(
            "SELECT t.xmin FROM {} s JOIN {} t ON {}",
            stage.changes(),
            stage.live(),
            stage.same_key(("s", "t"))
        )
    };
    stages.iter().map(of).collect::<Vec<_>>().join(" UNION ")
}

/// The keys of the rows that are undone, where they are of one column.
fn keys(stages: &[Stage<'_>]) -> Option<String> {
    let single = stages.iter().filter(|stage| stage.table.key.len() == 1);
    let of = |stage: &Stage<'_>| {
        let key = sql::text_of(&sql::names(stage.table.key_names()));
        format!("SELECT {key} FROM {}", stage.changes())
    };
    let all: Vec<_> = single.map(of).collect();
    (!all.is_empty()).then(|| all.join(" UNION "))
}

impl Apply<'_> {
    /// Chooses the records that go with what is undone: all that are newer, or those that belong to
    /// what is staged. They are only kept apart if they are to be removed.
    ///
    /// # Errors
    /// If rows of other tables refer to them, the role may not read them, or the connection is lost.
    pub async fn choose_records(
        &mut self,
        records: &Records,
        since: &Since,
        everything: bool,
        keep: bool,
    ) -> Result<Chosen, DatabaseError> {
        let what = "look for records of requests that are undone";
        let stages = self.stages();
        let belongs = match (everything, stages.is_empty()) {
            (true, _) => "true".into(),
            (false, true) => "false".into(),
            (false, false) => {
                let told = keys(&stages).map_or("false".into(), |keys| {
                    format!("EXISTS (SELECT FROM {} w WHERE w.word IN ({keys}))", records.told())
                });
                format!("(r.xmin IN ({}) OR {told})", writers(&stages))
            }
        };
        let query = format!(
            "SELECT {} FROM {} r,
                 (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::int8 AS xid) now
             WHERE {} AND {belongs}",
            records.columns("r"),
            records.live(),
            records.is_newer(since)
        );
        let rows = if keep { CHOSEN.into() } else { format!("({query})") };
        if keep {
            let create = format!("CREATE TEMPORARY TABLE {CHOSEN} ON COMMIT DROP AS {query}");
            self.run(what, create).await?;
        }
        let count = format!("SELECT count(*) FROM {rows} c");
        let count: i64 = self.session.value(count).await.trying(what)?;
        let chosen = Chosen { count: count.unsigned_abs(), rows };
        if count > 0 {
            self.refuse_if_records_are_referred_to(records, &chosen).await?;
        }
        Ok(chosen)
    }

    async fn refuse_if_records_are_referred_to(
        &mut self,
        records: &Records,
        chosen: &Chosen,
    ) -> Result<(), DatabaseError> {
        let rules: Rules = self.session.write_rules(&records.schema()).await?;
        let mut found = Vec::new();
        for reference in &rules.references {
            let Reference { child, name, .. } = reference;
            let query = format!(
                "SELECT count(*) FROM {child} c JOIN {} p ON {}",
                chosen.rows,
                reference.holds(("c", "p"))
            );
            let what = format!("look for references in {child}");
            let count: i64 = self.session.value(query).await.trying(what)?;
            if count > 0 {
                found.push(format!("{count} in {child} by {name}"));
            }
        }
        if found.is_empty() {
            return Ok(());
        }
        let what = format!("remove records of {}", records.live());
        Err(DatabaseError { what, trouble: Trouble::ReferredTo(found) })
    }

    /// Sends the chosen records as lines of COPY text.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn read_records(
        &mut self,
        records: &Records,
        blocks: &Sender<Vec<u8>>,
    ) -> Result<(), DatabaseError> {
        let columns = sql::names(records.table.column_names());
        let statement = format!("COPY (SELECT {columns} FROM {CHOSEN}) TO STDOUT");
        self.session.copy_out(&statement, "read the records of requests", blocks).await
    }

    /// Takes the records that are to come back, as lines of COPY text of these columns.
    ///
    /// # Errors
    /// If the records are not of the table's types any more, or the connection is lost.
    pub async fn stage_records(
        &mut self,
        records: &Records,
        columns: &[&str],
        mut lines: Receiver<Vec<u8>>,
    ) -> Result<(), DatabaseError> {
        let what = "stage the records of requests";
        let create = format!(
            "CREATE TEMPORARY TABLE {RETURNING} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA",
            sql::names(columns.iter().copied()),
            records.live()
        );
        self.run(what, create).await?;
        let copy = format!("COPY {RETURNING} FROM STDIN");
        let mut copy = self.session.raw().copy_in_raw(&copy).await.trying(what)?;
        while let Some(block) = lines.recv().await {
            copy.send(block).await.trying(what)?;
        }
        copy.finish().await.trying(what)?;
        Ok(())
    }

    /// How many of the staged records would come back: those that are not there, or go before.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn count_returning(
        &mut self,
        records: &Records,
        chosen: Option<&Chosen>,
    ) -> Result<u64, DatabaseError> {
        let same = |a, b| same_key(&records.table, (a, b));
        let goes = chosen.map_or("false".into(), |Chosen { rows, .. }| {
            format!("EXISTS (SELECT FROM {rows} c WHERE {})", same("c", "r"))
        });
        let query = format!(
            "SELECT count(*) FROM {RETURNING} s WHERE NOT EXISTS (
                 SELECT FROM {} r WHERE {} AND NOT {goes})",
            records.live(),
            same("r", "s")
        );
        let count: i64 = self.session.value(query).await.trying("count the records of requests")?;
        Ok(count.unsigned_abs())
    }

    /// Removes the chosen records that are still the same, and brings the staged ones back that are not
    /// there. How many of each.
    ///
    /// # Errors
    /// If the role may not do this, or the connection is lost.
    pub async fn exchange_records(
        &mut self,
        records: &Records,
        chosen: bool,
        returning: Option<&[&str]>,
    ) -> Result<(u64, u64), DatabaseError> {
        if !chosen && returning.is_none() {
            return Ok((0, 0));
        }
        let table = &records.table;
        self.switch_triggers_of(table, false).await?;
        let (mut removed, mut returned) = (0, 0);
        if chosen {
            let same = format!(
                "ROW({})::record OPERATOR(pg_catalog.*=) ROW({})::record",
                records.columns("r"),
                records.columns("c")
            );
            let delete = format!(
                "DELETE FROM {} r USING {CHOSEN} c WHERE {} AND {same}",
                records.live(),
                same_key(&records.table, ("r", "c")),
            );
            removed = self.run("remove records of requests that are undone", delete).await?;
        }
        if let Some(columns) = returning {
            let columns = sql::names(columns.iter().copied());
            let insert = format!(
                "INSERT INTO {} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {RETURNING}
                 ON CONFLICT DO NOTHING",
                records.live(),
            );
            returned = self.run("bring records of requests back", insert).await?;
        }
        self.run("meet the deferred constraints", "SET CONSTRAINTS ALL IMMEDIATE".into()).await?;
        self.switch_triggers_of(table, true).await?;
        Ok((removed, returned))
    }
}

fn same_key(table: &Table, (a, b): (&str, &str)) -> String {
    let pair = |column: &str| format!("{a}.{0} = {b}.{0}", sql::name(column));
    table.key_names().map(pair).collect::<Vec<_>>().join(" AND ")
}
