//! Files of another form in the place of the live tables, for one transaction that is rolled
//! back: read like the live tables, it becomes a snapshot like any other.

use tokio::sync::mpsc::Receiver;

use super::error::{DatabaseError, While};
use super::session::Session;
use super::sql;
use crate::model::{Dataset, Profile, Schema, Table};

/// The tables whose rows the older form holds.
pub const TABLES: [&str; 4] = ["vrf", "vpc", "prefix", "vpc_prefix_association"];

/// Makes the tables whose rows are `pg_temp`'s from now on.
const FILL: &str = include_str!("legacy.sql");

/// Notes from here on say why the backup cannot be used.
const FAULTS: i32 = 100;

/// What had to be made up, or why nothing can be made of the backup.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MadeUp {
    /// A sentence for each kind of thing that was made up.
    pub notes: Vec<String>,
    /// A sentence for each kind of row that fits nowhere; empty if all is well.
    pub faults: Vec<String>,
}

impl Session {
    /// Takes the rows of files that were written then, and that hold these datasets: lines of part, made id,
    /// dashed cidr, and the row as JSON. Within a scratch snapshot of the live tables.
    ///
    /// # Errors
    /// If a row is not of its table's types, or the role may not make temporary tables.
    pub async fn stage_older(
        &mut self,
        schema: &Schema,
        (taken, datasets): (&str, &[Dataset]),
        mut lines: Receiver<Vec<u8>>,
    ) -> Result<(), DatabaseError> {
        let what = "stage the older backup";
        for name in TABLES {
            let table = schema.table(name).expect("no site lacks it");
            let columns = self.blank_columns(table).await?;
            let views = format!(
                "CREATE TEMP VIEW live_{name} AS SELECT * FROM {};
                 CREATE TEMP VIEW blank_{name} AS SELECT {columns}",
                sql::table(table),
            );
            self.run(views).await.trying(what)?;
        }
        let has = Profile::builtin().dataset_names().map(|dataset| {
            format!("{} AS {}", datasets.contains(&dataset), sql::name(dataset.name()))
        });
        let create = format!(
            "CREATE TEMP TABLE older (nr bigint GENERATED ALWAYS AS IDENTITY, part text, made text, dashed text,
                 doc jsonb) ON COMMIT DROP;
             CREATE TEMP TABLE older_backup ON COMMIT DROP AS SELECT {}::timestamptz AS taken, {}",
            sql::literal(taken),
            has.collect::<Vec<_>>().join(", ")
        );
        self.run(create).await.trying(what)?;
        let copy = "COPY pg_temp.older (part, made, dashed, doc) FROM STDIN";
        let mut copy = self.raw().copy_in_raw(copy).await.trying(what)?;
        while let Some(block) = lines.recv().await {
            copy.send(block).await.trying(what)?;
        }
        copy.finish().await.trying(what)?;
        self.run("CREATE INDEX ON pg_temp.older (nr); ANALYZE pg_temp.older".into())
            .await
            .trying(what)?;
        Ok(())
    }

    /// Puts the staged rows in the place of the live tables, under the same names in `pg_temp`.
    ///
    /// # Errors
    /// If a value is not of its column's type, or the connection is lost.
    pub async fn fill_older(&mut self) -> Result<MadeUp, DatabaseError> {
        let what = "bring the older backup into the form of the tables";
        self.run(FILL.into()).await.trying(what)?;
        let query = "SELECT place, rows, what FROM older_notes WHERE rows > 0 ORDER BY place";
        let rows: Vec<(i32, i64, String)> = self.rows(query.into()).await.trying(what)?;
        let mut made_up = MadeUp::default();
        for (place, rows, what) in rows {
            let notes = if place < FAULTS { &mut made_up.notes } else { &mut made_up.faults };
            notes.push(format!("{rows} {what}"));
        }
        Ok(made_up)
    }

    /// What each column of a new row is, as a list for SELECT: its default or null. A default that
    /// would count a sequence on is none.
    async fn blank_columns(&mut self, table: &Table) -> Result<String, DatabaseError> {
        let query = format!(
            "SELECT string_agg(pg_catalog.format('(%s)::%s AS %I',
                 CASE WHEN attgenerated <> '' OR pg_get_expr(adbin, adrelid) LIKE '%nextval(%'
                      THEN 'NULL' ELSE coalesce(pg_get_expr(adbin, adrelid), 'NULL') END,
                 format_type(atttypid, atttypmod), attname), ', ' ORDER BY attnum)
             FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
             WHERE attrelid = {} AND attnum > 0 AND NOT attisdropped",
            sql::regclass(table)
        );
        self.value(query).await.trying("read the catalog")
    }
}
