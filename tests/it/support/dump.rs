//! A database as text, in an order and a form that nothing but its content changes.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use sqlx::PgConnection;

/// Each user table's rows in the order of its primary key, under the table's name, whatever its
/// schema; each sequence's last value and whether it was called, under `sequence NAME`; under `triggers`
/// and `rules` the triggers of users, those of partitions too, and the rules, and whether they are
/// enabled; and under `indexes` and `constraints` what these say.
pub async fn dump(connection: &mut PgConnection) -> BTreeMap<String, String> {
    pin_session(connection).await;
    let mut dump = BTreeMap::new();
    for (table, order) in tables(connection).await {
        let rows = copy(connection, &format!("SELECT * FROM {table} ORDER BY {order}")).await;
        let name = table.strip_suffix(" AS t").expect("an alias");
        dump.insert(name.to_owned(), rows);
    }
    for sequence in sequences(connection).await {
        let state = format!("SELECT last_value, is_called FROM {sequence}");
        let state = copy(connection, &state).await;
        dump.insert(format!("sequence {sequence}"), state);
    }
    let triggers = "SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger
        WHERE NOT tgisinternal OR (tgparentid <> 0 AND tgconstraint = 0)
        ORDER BY tgrelid::regclass::text COLLATE \"C\", tgname";
    dump.insert("triggers".to_owned(), copy(connection, triggers).await);
    let rules = "SELECT ev_class::regclass, rulename, ev_enabled FROM pg_rewrite
        WHERE rulename <> '_RETURN' ORDER BY ev_class::regclass::text COLLATE \"C\", rulename";
    dump.insert("rules".to_owned(), copy(connection, rules).await);
    let indexes = "SELECT indexdef, tablespace FROM pg_indexes
        WHERE schemaname !~ '^pg_' ORDER BY indexdef COLLATE \"C\"";
    dump.insert("indexes".to_owned(), copy(connection, indexes).await);
    let constraints = "SELECT conrelid::regclass, conname, convalidated, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE conrelid <> 0 AND connamespace::regnamespace::text !~ '^\"?(pg_|information)'
        ORDER BY conrelid::regclass::text COLLATE \"C\", conname";
    dump.insert("constraints".to_owned(), copy(connection, constraints).await);
    dump
}

async fn pin_session(connection: &mut PgConnection) {
    let settings = "SET client_encoding = 'UTF8'; SET DateStyle = 'ISO, YMD';
        SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; SET extra_float_digits = 1;
        SET bytea_output = 'hex'; SET search_path = public";
    sqlx::raw_sql(settings).execute(connection).await.expect("the settings exist");
}

/// The tables with the order of their keys: text by its bytes, whatever the database's locale.
async fn tables(connection: &mut PgConnection) -> Vec<(String, String)> {
    sqlx::query_as(
        "SELECT c.oid::regclass::text || ' AS t',
                coalesce(string_agg(quote_ident(attname) ||
                    CASE WHEN attcollation <> 0 THEN ' COLLATE \"C\"' ELSE '' END, ', '
                    ORDER BY array_position(indkey::int[], attnum::int)), 't::text COLLATE \"C\"')
         FROM pg_class c
         LEFT JOIN pg_index ON c.oid = indrelid AND indisprimary
         LEFT JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
         WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
         AND relnamespace::regnamespace::text !~ '^\"?(pg_|information)'
         GROUP BY c.oid",
    )
    .fetch_all(connection)
    .await
    .expect("the catalog lists the tables")
}

async fn sequences(connection: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT oid::regclass::text FROM pg_class
         WHERE relkind = 'S' AND relnamespace::regnamespace::text !~ '^\"?(pg_|information)'",
    )
    .fetch_all(connection)
    .await
    .expect("the catalog lists the sequences")
}

async fn copy(connection: &mut PgConnection, query: &str) -> String {
    let statement = format!("COPY ({query}) TO STDOUT");
    let rows = connection.copy_out_raw(&statement).await.expect("COPY begins");
    let rows = rows.try_fold(Vec::new(), async |mut all, part| {
        all.extend_from_slice(&part);
        Ok(all)
    });
    let rows = rows.await.expect("COPY ends");
    String::from_utf8(rows).expect("the encoding is UTF-8")
}
