//! Reads where in the server's history a transaction's snapshot lies, and what gives the rows their text.

use std::collections::BTreeMap;

use super::error::{DatabaseError, While};
use super::session::Session;
use super::sql;
use crate::model::{Hash, ReadPoint, Schema, Table, TablePoint};

const WHAT: &str = "read the point in the server's history";

/// Oldest running and next transaction, start of the server, version of the database's row in the catalog, timeline,
/// WAL position, whether a standby.
type PointRow = (String, String, String, Option<String>, Option<String>, Option<String>, bool);

/// The table's name, an oid and a file node below it, the relation's kind, its access method.
type FileRow = (String, i64, Option<i64>, String, Option<String>);

impl Session {
    /// The point at which this transaction's snapshot of these tables lies. Within a transaction that
    /// holds the tables.
    ///
    /// # Errors
    /// If the connection is lost.
    pub(super) async fn read_point(
        &mut self,
        schema: &Schema,
    ) -> Result<Option<ReadPoint>, DatabaseError> {
        // The WAL position is read after the snapshot was taken: every commit that it sees lies before.
        let query = "
            SELECT pg_snapshot_xmin(pg_current_snapshot())::text,
                pg_snapshot_xmax(pg_current_snapshot())::text,
                extract(epoch FROM pg_postmaster_start_time())::text,
                (SELECT xmin::text FROM pg_database WHERE datname = current_database()),
                CASE WHEN NOT pg_is_in_recovery()
                     THEN left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END,
                CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()::text
                     ELSE pg_current_wal_insert_lsn()::text END,
                pg_is_in_recovery()";
        let row: PointRow = self.row(query.into()).await.trying(WHAT)?;
        let (oldest, next, server_started, database_version, timeline, wal, standby) = row;
        let tables = self.table_points(schema).await?;
        let numbers = oldest.parse().ok().zip(next.parse().ok()).zip(wal);
        Ok(numbers.map(|((oldest_running, next), wal)| ReadPoint {
            oldest_running,
            next,
            server_started,
            database_version,
            timeline,
            wal,
            standby,
            tables,
        }))
    }

    async fn table_points(&mut self, schema: &Schema) -> Result<Vec<TablePoint>, DatabaseError> {
        if schema.tables.is_empty() {
            return Ok(Vec::new());
        }
        let relations = relations(schema);
        let files = format!(
            "WITH RECURSIVE {relations}
             SELECT r.name, c.oid::int8, pg_relation_filenode(c.oid)::int8, c.relkind::text, a.amname::text
             FROM relations r JOIN pg_class c ON c.oid = r.oid LEFT JOIN pg_am a ON a.oid = c.relam
             ORDER BY c.oid"
        );
        let files: Vec<FileRow> = self.rows(files).await.trying(WHAT)?;
        let values: Vec<(String, Option<String>, Option<String>)> =
            self.rows(versions(&relations)).await.trying(WHAT)?;
        let mut values: BTreeMap<_, _> = values
            .into_iter()
            .map(|(table, versions, names)| (table, (versions.unwrap_or_default(), names)))
            .collect();
        let point = |table: &Table| {
            let of = |row: &&FileRow| row.0 == table.name;
            let number = |oid: i64| u32::try_from(oid).expect("an oid has 32 bits");
            let stored = files
                .iter()
                .filter(of)
                .map(|(_, oid, file, ..)| (number(*oid), file.map_or(0, number)));
            let (versions, names) = values.remove(&table.name).unwrap_or_default();
            let foreign = files
                .iter()
                .filter(of)
                .find_map(|(.., kind, method)| not_a_heap(kind, method.as_deref()));
            TablePoint {
                table: table.name.clone(),
                files: stored.collect(),
                values: Hash::of(versions.as_bytes()),
                opaque: foreign.or_else(|| names.map(|names| names_objects(&names))),
            }
        };
        Ok(schema.tables.iter().map(point).collect())
    }

    /// Whether the server wrote nothing into its WAL since then, so that no row has changed. Never of tables
    /// whose changes are not written there.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn is_quiet_since(&mut self, point: &ReadPoint) -> Result<bool, DatabaseError> {
        let oids = point.tables.iter().flat_map(|table| &table.files).map(|(oid, _)| *oid);
        let query = format!(
            "SELECT extract(epoch FROM pg_catalog.pg_postmaster_start_time())::text = {}
                AND CASE WHEN pg_catalog.pg_is_in_recovery()
                    THEN pg_catalog.pg_last_wal_replay_lsn()::text
                    ELSE pg_catalog.pg_current_wal_insert_lsn()::text END = {}
                AND NOT EXISTS (SELECT FROM pg_catalog.pg_class
                    WHERE oid = ANY ({}) AND relpersistence = 'u')",
            sql::literal(&point.server_started),
            sql::literal(&point.wal),
            sql::oids(oids)
        );
        self.value(query).await.trying(WHAT)
    }

    /// Makes sure that every commit before this WAL position outlasts a crash of the server: a later
    /// transaction could otherwise get the id of one that was seen and lost. Between two transactions.
    /// Writes an empty message into the WAL and commits, which is when the server flushes it, unless it was
    /// flushed so far by itself. No table changes. Returns whether they do.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn make_durable(&mut self, point: &ReadPoint) -> Result<bool, DatabaseError> {
        // What a standby replays was stored before.
        if point.standby || self.is_durable(point).await? {
            return Ok(true);
        }
        let begin = self.begin("READ COMMITTED READ WRITE");
        let flush = format!(
            "{begin} SET LOCAL synchronous_commit = local;
             SELECT pg_logical_emit_message(true, 'ipam-rewind', ''); COMMIT"
        );
        match self.run(flush).await {
            // The server may begin no transaction that writes, or not for this role. Then it is no base.
            Err(sqlx::Error::Database(error)) => {
                tracing::debug!("could not flush the server's commits: {error}");
                self.rollback().await?;
                Ok(false)
            }
            done => {
                done.trying(WHAT)?;
                self.is_durable(point).await
            }
        }
    }

    /// Whether every commit before this WAL position outlasts a crash of the server.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn is_durable(&mut self, point: &ReadPoint) -> Result<bool, DatabaseError> {
        if point.standby {
            return Ok(true);
        }
        let query = format!(
            "SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN false
             ELSE pg_catalog.pg_current_wal_flush_lsn() >= {}::pg_catalog.pg_lsn END",
            sql::literal(&point.wal)
        );
        self.value(query).await.trying(WHAT)
    }
}

/// The tables and all partitions below them as the relation `relations` of `name` and `oid`.
fn relations(schema: &Schema) -> String {
    let rows = schema
        .tables
        .iter()
        .map(|table| format!("({}, {}::oid)", sql::literal(&table.name), sql::regclass(table)));
    format!(
        "relations (name, oid) AS (
             SELECT name, oid FROM (VALUES {}) AS tables (name, oid)
             UNION SELECT r.name, i.inhrelid FROM pg_inherits i JOIN relations r ON i.inhparent = r.oid)",
        rows.collect::<Vec<_>>().join(", ")
    )
}

/// Asks for the versions of all catalog rows that give the values of each table their text: those of
/// its columns, of their types, and of what those are made of. And for types whose text is the name of
/// an object, which changes with that.
///
/// The version of a catalog row is the transaction that wrote it, so nothing that is altered can look the
/// same, whatever this program knows of it.
fn versions(relations: &str) -> String {
    format!(
        "WITH RECURSIVE {relations}, types (name, oid) AS (
             SELECT r.name, a.atttypid FROM relations r
             JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
             UNION
             SELECT t.name, part.oid FROM types t JOIN pg_type y ON y.oid = t.oid
             CROSS JOIN LATERAL (
                 SELECT y.typelem UNION ALL SELECT y.typbasetype
                 UNION ALL SELECT a.atttypid FROM pg_attribute a
                     WHERE a.attrelid = y.typrelid AND a.attnum > 0 AND NOT a.attisdropped
                 UNION ALL SELECT rngsubtype FROM pg_range WHERE rngtypid = y.oid
                 UNION ALL SELECT rngtypid FROM pg_range g
                     WHERE (to_jsonb(g) ->> 'rngmultitypid')::oid = y.oid) AS part (oid)
             WHERE part.oid <> 0),
         versions (name, version) AS (
             SELECT r.name, pg_catalog.format('column %s.%s %s', a.attrelid, a.attnum, a.xmin)
                 FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0
             UNION ALL SELECT t.name, pg_catalog.format('type %s %s', y.oid, y.xmin)
                 FROM types t JOIN pg_type y USING (oid)
             UNION ALL SELECT t.name, pg_catalog.format('attribute %s.%s %s', a.attrelid, a.attnum, a.xmin)
                 FROM types t JOIN pg_type y USING (oid)
                 JOIN pg_attribute a ON a.attrelid = y.typrelid AND a.attnum > 0
             UNION ALL SELECT t.name, pg_catalog.format('label %s %s', e.oid, e.xmin)
                 FROM types t JOIN pg_enum e ON e.enumtypid = t.oid
             UNION ALL SELECT t.name, pg_catalog.format('output %s %s', p.oid, p.xmin)
                 FROM types t JOIN pg_type y USING (oid) JOIN pg_proc p ON p.oid = y.typoutput
             UNION ALL SELECT t.name, pg_catalog.format('extension %s %s', x.oid, x.xmin)
                 FROM types t JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = t.oid
                     AND d.refclassid = 'pg_extension'::regclass
                 JOIN pg_extension x ON x.oid = d.refobjid)
         SELECT v.name, string_agg(v.version, E'\\n' ORDER BY v.version COLLATE \"C\"),
             (SELECT min(y.typname::text) FROM types t JOIN pg_type y USING (oid)
              JOIN pg_proc p ON p.oid = y.typoutput
              WHERE t.name = v.name AND p.pronamespace = 'pg_catalog'::regnamespace
              AND (p.proname = 'aclitemout' OR p.proname ~ '^reg.*out$'))
         FROM versions v GROUP BY v.name"
    )
}

/// Why the row versions of a relation are not known, if it is not stored as a heap.
fn not_a_heap(kind: &str, method: Option<&str>) -> Option<String> {
    match (kind, method) {
        ("r", Some("heap")) | ("p", _) => None,
        ("r", Some(method)) => {
            Some(format!("its access method is {method}, whose row versions are not known"))
        }
        _ => Some("it is not stored as a table of this server".into()),
    }
}

fn names_objects(type_name: &str) -> String {
    format!("a column holds values of the type {type_name}, whose text is the name of an object")
}
