//! Reads the rules from the catalog.

use std::collections::BTreeSet;

use super::{Compared, Reference, Rules, TableRules, UniqueRule};
use crate::model::{Schema, Table};
use crate::postgres::error::{DatabaseError, While};
use crate::postgres::{Session, sql};

/// Of an index: the table, whether it is the key, of an exclusion constraint, checked at once, and
/// takes nulls for equal; the predicate; the expressions, operators and collations; the columns read.
type IndexRow =
    (i64, bool, bool, bool, bool, String, Vec<String>, Vec<String>, Vec<String>, Vec<String>);

/// Of a reference: name, referring table, its place, that of the table referred to, the columns here
/// and there, operators, collations, deferrable, and what deletions and updates do.
type ReferenceRow = (
    String,
    String,
    i64,
    i64,
    Vec<String>,
    Vec<String>,
    Vec<String>,
    Vec<String>,
    bool,
    String,
    String,
);

const CANNOT: &str = "read the catalog";

impl TableRules {
    /// Drops the rules over columns that were added since the backup: the staged rows have no values
    /// for them, so that only the server can tell whether a row collides. It refuses the row then.
    fn leave_to_server(&mut self, table: &Table) {
        let stored = |column: &String| table.column(column).is_some();
        let computed = self.generated.iter().filter(|(.., reads)| reads.iter().all(stored));
        let computed: BTreeSet<_> = computed.map(|(column, ..)| column.clone()).collect();
        let known = |column: &String| stored(column) || computed.contains(column);
        self.unique.retain(|unique| unique.reads.iter().all(known));
    }
}

impl Session {
    /// What the catalog says about writing these tables.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn write_rules(&mut self, schema: &Schema) -> Result<Rules, DatabaseError> {
        let tables = format!(
            "unnest({}) WITH ORDINALITY AS {{}} (id, number)",
            sql::regclasses(&schema.tables)
        );
        let mut rules = Rules::default();
        rules.tables.resize_with(schema.tables.len(), TableRules::default);
        self.add_column_rules(&tables, &mut rules).await?;
        self.add_indexes(&tables, &mut rules).await?;
        for (table, rules) in schema.tables.iter().zip(&mut rules.tables) {
            rules.leave_to_server(table);
        }
        self.add_references(&tables, &mut rules).await?;
        Ok(rules)
    }

    async fn add_column_rules(
        &mut self,
        tables: &str,
        rules: &mut Rules,
    ) -> Result<(), DatabaseError> {
        let tables = tables.replace("{}", "t");
        let domains = format!(
            "WITH RECURSIVE below (number, name, type) AS (
                 SELECT t.number, a.attname, a.atttypid FROM {tables}
                 JOIN pg_attribute a ON a.attrelid = t.id AND a.attnum > 0 AND NOT a.attisdropped
                 UNION ALL
                 SELECT b.number, b.name, y.typbasetype FROM below b
                 JOIN pg_type y ON y.oid = b.type AND y.typtype = 'd')
             SELECT b.number, b.name::text, format_type(b.type, -1) FROM below b
             JOIN pg_type y ON y.oid = b.type AND y.typtype <> 'd'
             WHERE EXISTS (SELECT FROM below d JOIN pg_type y ON y.oid = d.type
                           WHERE d.number = b.number AND d.name = b.name AND y.typtype = 'd')"
        );
        let rows: Vec<(i64, String, String)> = self.rows(domains).await.trying(CANNOT)?;
        for (number, column, below) in rows {
            rules.tables[place(number)].domains.push((column, below));
        }
        let generated = format!(
            "SELECT t.number, a.attname::text, pg_get_expr(f.adbin, f.adrelid),
                 ARRAY(SELECT r.attname::text FROM pg_attribute r
                       WHERE r.attrelid = t.id AND r.attnum > 0 AND r.attnum <> a.attnum
                       AND r.attgenerated = '' AND (f.adbin::text ~ ':varattno 0 ' OR EXISTS (
                           SELECT FROM pg_depend d
                           WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = t.id
                           AND d.refobjsubid = r.attnum
                           AND ((d.classid, d.objid) = ('pg_attrdef'::regclass, f.oid)
                                OR (d.classid, d.objid, d.objsubid)
                                   = ('pg_class'::regclass, t.id, a.attnum)))))
             FROM {tables} JOIN pg_attribute a ON a.attrelid = t.id AND a.attgenerated <> ''
                 AND NOT a.attisdropped
             JOIN pg_attrdef f ON f.adrelid = t.id AND f.adnum = a.attnum"
        );
        let rows: Vec<(i64, String, String, Vec<String>)> =
            self.rows(generated).await.trying(CANNOT)?;
        for (number, column, expression, reads) in rows {
            rules.tables[place(number)].generated.push((column, expression, reads));
        }
        Ok(())
    }

    async fn add_indexes(&mut self, tables: &str, rules: &mut Rules) -> Result<(), DatabaseError> {
        let tables = tables.replace("{}", "t");
        let each = "FROM generate_series(1, i.indnkeyatts) AS k ORDER BY k";
        let query = format!(
            "SELECT t.number, i.indisprimary AND i.indrelid = t.id, i.indisexclusion, i.indimmediate,
                 coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false),
                 coalesce(pg_get_expr(i.indpred, i.indrelid), ''),
                 ARRAY(SELECT pg_get_indexdef(i.indexrelid, k, true) {each}),
                 ARRAY(SELECT (SELECT pg_catalog.format('OPERATOR(%I.%s)', n.nspname, o.oprname)
                               FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
                               WHERE o.oid = coalesce(x.conexclop[k], (
                                   SELECT m.amopopr FROM pg_opclass p JOIN pg_amop m
                                   ON m.amopfamily = p.opcfamily AND m.amoplefttype = p.opcintype
                                   AND m.amoprighttype = p.opcintype AND m.amopstrategy = 3
                                   WHERE p.oid = i.indclass[k - 1]))) {each}),
                 ARRAY(SELECT coalesce((SELECT pg_catalog.format(' COLLATE %I.%I', n.nspname, o.collname)
                               FROM pg_collation o JOIN pg_namespace n ON n.oid = o.collnamespace
                               WHERE o.oid = i.indcollation[k - 1]), '') {each}),
                 ARRAY(SELECT a.attname::text FROM pg_attribute a
                       WHERE a.attrelid = i.indrelid AND a.attnum > 0 AND NOT a.attisdropped
                       AND (a.attnum = ANY (i.indkey)
                            OR concat(i.indexprs, i.indpred) ~ ':varattno 0 '
                            OR EXISTS (SELECT FROM pg_depend d
                               WHERE d.refclassid = 'pg_class'::regclass
                               AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum
                               AND ((d.classid, d.objid) = ('pg_class'::regclass, i.indexrelid)
                                    OR (d.classid, d.objid) = ('pg_constraint'::regclass, x.oid)))))
             FROM {tables} JOIN pg_index i
             ON i.indrelid = t.id OR i.indrelid IN (SELECT relid FROM pg_partition_tree(t.id))
             JOIN pg_class c ON c.oid = i.indexrelid AND NOT c.relispartition
             LEFT JOIN pg_constraint x ON x.conindid = i.indexrelid AND x.contype IN ('p', 'u', 'x')
             WHERE i.indisready AND (i.indisunique OR i.indisexclusion) ORDER BY 1, i.indexrelid"
        );
        let rows: Vec<IndexRow> = self.rows(query).await.trying(CANNOT)?;
        for row in rows {
            let (number, key, exclusion, immediate, nulls_are_equal, predicate, ..) = row;
            let (.., expressions, operators, collations, reads) = row;
            let table = &mut rules.tables[place(number)];
            if key {
                table.key.clone_from(&operators);
            }
            if key && !exclusion {
                continue;
            }
            let entry = expressions.into_iter().zip(operators).zip(collations);
            let entry = entry.map(|((expression, operator), collation)| Compared {
                expression,
                operator,
                collation,
            });
            let reads = reads.into_iter().collect();
            let entry = entry.collect();
            table.unique.push(UniqueRule { entry, predicate, nulls_are_equal, immediate, reads });
        }
        Ok(())
    }

    async fn add_references(
        &mut self,
        tables: &str,
        rules: &mut Rules,
    ) -> Result<(), DatabaseError> {
        let columns = |side: &str, table: &str| {
            format!(
                "ARRAY(SELECT a.attname::text FROM unnest(c.{side}) WITH ORDINALITY AS k (attnum, place)
                       JOIN pg_attribute a ON a.attrelid = c.{table} AND a.attnum = k.attnum
                       ORDER BY k.place)"
            )
        };
        let tree = |table: &str, id: &str| {
            format!(
                "(c.{table} = {id} OR c.{table} IN (SELECT relid FROM pg_partition_tree({id})))"
            )
        };
        let query = format!(
            "SELECT c.conname::text, c.conrelid::regclass::text, coalesce(k.number, 0), t.number, {}, {},
                 ARRAY(SELECT pg_catalog.format('OPERATOR(%I.%s)', n.nspname, o.oprname)
                       FROM unnest(c.conpfeqop) WITH ORDINALITY AS e (operator, place)
                       JOIN pg_operator o ON o.oid = e.operator
                       JOIN pg_namespace n ON n.oid = o.oprnamespace ORDER BY e.place),
                 ARRAY(SELECT CASE WHEN f.attcollation = p.attcollation OR o.oid IS NULL THEN ''
                                   ELSE pg_catalog.format(' COLLATE %I.%I', n.nspname, o.collname) END
                       FROM unnest(c.conkey, c.confkey) WITH ORDINALITY AS e (here, there, place)
                       JOIN pg_attribute f ON f.attrelid = c.conrelid AND f.attnum = e.here
                       JOIN pg_attribute p ON p.attrelid = c.confrelid AND p.attnum = e.there
                       LEFT JOIN pg_collation o ON o.oid = p.attcollation
                       LEFT JOIN pg_namespace n ON n.oid = o.collnamespace ORDER BY e.place),
                 c.condeferrable, c.confdeltype::text, c.confupdtype::text
             FROM {} JOIN pg_constraint c ON c.contype = 'f' AND c.conparentid = 0 AND {}
             LEFT JOIN {} ON {}
             WHERE coalesce((to_jsonb(c) ->> 'conenforced')::bool, true)
             ORDER BY c.conname COLLATE \"C\", c.oid",
            columns("conkey", "conrelid"),
            columns("confkey", "confrelid"),
            tables.replace("{}", "t"),
            tree("confrelid", "t.id"),
            tables.replace("{}", "k"),
            tree("conrelid", "k.id"),
        );
        let rows: Vec<ReferenceRow> = self.rows(query).await.trying(CANNOT)?;
        rules.references = rows.into_iter().map(reference).collect();
        Ok(())
    }
}

fn reference(row: ReferenceRow) -> Reference {
    let (name, child, inside, parent, here, there, operators, collations, deferrable, ..) = row;
    let (.., on_delete, on_update) = row;
    let columns = here.into_iter().zip(there).zip(operators.into_iter().zip(collations));
    let columns =
        columns.map(|((from, to), (operator, collation))| (from, to, operator, collation));
    let action = |text: &str| text.chars().next().unwrap_or('a');
    Reference {
        name,
        child,
        inside: (inside > 0).then(|| place(inside)),
        parent: place(parent),
        columns: columns.collect(),
        deferrable,
        on_delete: action(&on_delete),
        on_update: action(&on_update),
    }
}

/// From the catalog's numbers, which begin at one.
fn place(number: i64) -> usize {
    usize::try_from(number - 1).expect("a table that was asked for")
}
