//! Finds which row it was that the database refused, so that the error names it.

use sqlx::postgres::PgDatabaseError;

use super::Apply;
use super::stage::Stage;
use super::write::names;
use crate::model::Schema;
use crate::postgres::error::{DatabaseError, Trouble, While};
use crate::postgres::{Session, sql};

/// Where a write begins that may be refused.
const BEGIN: &str = "SAVEPOINT rewind_write";
/// Where it ends well.
const END: &str = "RELEASE SAVEPOINT rewind_write";
/// What takes it back, so that the row can be looked for.
const BACK: &str = "ROLLBACK TO SAVEPOINT rewind_write";

impl Apply<'_> {
    /// Runs a statement that writes staged rows of these tables. An error names the row that is
    /// refused, if there is one table and the rule that refuses the row can be asked for it.
    pub(super) async fn write_named(
        &mut self,
        verb: &str,
        stages: &[Stage<'_>],
        statement: String,
    ) -> Result<(), DatabaseError> {
        let what = format!("{verb} rows of {}", names(stages));
        self.run(&what, BEGIN.into()).await?;
        let Err(error) = self.session.run(statement).await else {
            self.run(&what, END.into()).await?;
            return Ok(());
        };
        let refusal = Refusal::of(&error);
        let failed = Trouble::refused_row(error);
        let ([stage], Some(refusal)) = (stages, refusal) else {
            return Err(DatabaseError { what, trouble: failed });
        };
        let found = match self.session.run(BACK.into()).await {
            Ok(_) => self.session.refused_row(stage, &refusal, self.schema).await.ok().flatten(),
            Err(_) => None,
        };
        let named = |row| format!("{verb} the row {row}");
        Err(DatabaseError { what: found.map_or(what, named), trouble: failed })
    }
}

/// Which rule refused a row.
#[derive(Debug)]
enum Refusal {
    NotNull(String),
    Constraint(String),
    /// A domain does not take the value.
    Domain,
}

impl Refusal {
    fn of(error: &sqlx::Error) -> Option<Self> {
        let answer = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
        match answer.code() {
            "23502" | "23514" if answer.data_type().is_some() => Some(Self::Domain),
            "23502" => answer.column().map(|column| Self::NotNull(column.to_owned())),
            code if code.starts_with("23") => {
                answer.constraint().map(|name| Self::Constraint(name.to_owned()))
            }
            _ => None,
        }
    }
}

impl Session {
    /// A staged row that the rule refuses: its key, its table and, of a domain, the column.
    async fn refused_row(
        &mut self,
        stage: &Stage<'_>,
        refusal: &Refusal,
        parents: &Schema,
    ) -> Result<Option<String>, DatabaseError> {
        const WHAT: &str = "look for the row that is refused";
        let condition = match refusal {
            Refusal::Domain => return self.refused_value(stage).await,
            Refusal::NotNull(column) => format!("s.{} IS NULL", sql::name(column)),
            Refusal::Constraint(name) => {
                let Some(condition) = self.broken_rule(stage, name, parents).await? else {
                    return Ok(None);
                };
                condition
            }
        };
        let query = format!(
            "SELECT {} FROM {} s WHERE s.rewind_op <> 'd' AND {condition} LIMIT 1",
            sql::key_text("s", stage.table),
            stage.changes(),
        );
        let rows: Vec<(String,)> = self.rows(query).await.trying(WHAT)?;
        Ok(rows.into_iter().next().map(|(key,)| format!("{key} of {}", stage.table.name)))
    }

    /// The staged row and the column whose value a domain refuses: only casting a value tells, so that
    /// the rows are halved until one is left.
    async fn refused_value(&mut self, stage: &Stage<'_>) -> Result<Option<String>, DatabaseError> {
        const WHAT: &str = "look for the value that is refused";
        let (table, changes) = (stage.table, stage.changes());
        let count = format!("SELECT count(*) FROM {changes} WHERE rewind_op <> 'd'");
        let count: i64 = self.value(count).await.trying(WHAT)?;
        let domains = stage.rules.domains.iter().filter_map(|(name, _)| table.column(name));
        for column in domains.map(|place| &table.columns[place]) {
            let (name, of_type) = (sql::name(&column.name), &column.type_name);
            let takes = |from: i64, rows: i64| {
                format!(
                    "SELECT count(v.{name}::{of_type}) FROM (
                         SELECT {name} FROM {changes} WHERE rewind_op <> 'd'
                         ORDER BY ctid OFFSET {from} LIMIT {rows}) v"
                )
            };
            let (mut from, mut rows) = (0, count);
            if self.takes(takes(from, rows)).await.trying(WHAT)? {
                continue;
            }
            while rows > 1 {
                let half = rows / 2;
                if self.takes(takes(from, half)).await.trying(WHAT)? {
                    (from, rows) = (from + half, rows - half);
                } else {
                    rows = half;
                }
            }
            let key = format!(
                "SELECT {} FROM {changes} s WHERE s.rewind_op <> 'd' ORDER BY s.ctid OFFSET {from} LIMIT 1",
                sql::key_text("s", stage.table)
            );
            let key: String = self.value(key).await.trying(WHAT)?;
            return Ok(Some(format!("{key} of {}, column {}", table.name, column.name)));
        }
        Ok(None)
    }

    /// Whether a query goes through; if not, the transaction is as it was before.
    async fn takes(&mut self, query: String) -> Result<bool, sqlx::Error> {
        let taken = self.run(query).await.is_ok();
        if !taken {
            self.run(BACK.into()).await?;
        }
        Ok(taken)
    }

    /// The condition on a staged row `s` that the constraint or unique index with this name refuses.
    async fn broken_rule(
        &mut self,
        stage: &Stage<'_>,
        name: &str,
        parents: &Schema,
    ) -> Result<Option<String>, DatabaseError> {
        let table = stage.table;
        let key = table.foreign_keys.iter().find(|key| key.name == name);
        let parent = key.and_then(|key| parents.table(&key.references)).map(sql::table);
        let key_and_parent = key.zip(parent);
        if let Some((key, parent)) = key_and_parent {
            let pairs = key.columns.iter().zip(&key.referenced_columns);
            let equal = |(from, to): (&String, &String)| {
                format!("s.{} = p.{}", sql::name(from), sql::name(to))
            };
            let given = key.columns.iter().map(|it| format!("s.{} IS NOT NULL", sql::name(it)));
            return Ok(Some(format!(
                "{} AND NOT EXISTS (SELECT FROM {} p WHERE {})",
                given.collect::<Vec<_>>().join(" AND "),
                parent,
                pairs.map(equal).collect::<Vec<_>>().join(" AND ")
            )));
        }
        let query = format!(
            "SELECT '(' || pg_get_expr(conbin, conrelid) || ') IS FALSE' FROM pg_constraint
             WHERE conrelid = {0} AND conname = {1} AND contype = 'c'
             UNION ALL
             SELECT pg_catalog.format('EXISTS (SELECT FROM %s t WHERE %s)', i.indrelid::regclass,
                 (SELECT string_agg(pg_catalog.format('t.%1$I = s.%1$I', a.attname), ' AND ')
                  FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)))
             FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
             WHERE i.indrelid = {0} AND c.relname = {1} AND i.indisunique
                 AND i.indexprs IS NULL AND i.indpred IS NULL",
            sql::regclass(table),
            sql::literal(name)
        );
        let rows: Vec<(String,)> = self.rows(query).await.trying("read the rule")?;
        let own = stage.same_key(("t", "s"));
        let rule = rows.into_iter().next().map(|(rule,)| rule);
        // A row does not collide with itself.
        Ok(rule.map(|rule| {
            match rule.strip_prefix("EXISTS ").and_then(|it| it.strip_suffix(')')) {
                Some(exists) => format!("EXISTS {exists} AND NOT ({own}))"),
                None => rule,
            }
        }))
    }
}
