//! The settings that every transaction pins, because a role, a database or a URL can set others that
//! change what is sent or read. `docs/database.md` has the reason for each.
//!
//! They are set for the transaction and not for the session: a pooler may run the next transaction in
//! another session of the server, and would hand ours to the application as we left it.

use std::time::Duration;

use super::sql;

/// Settings that every supported version has and every role may set.
const EVERYWHERE: &[(&str, &str)] = &[
    // The text of values, sent and read.
    ("client_encoding", "UTF8"),
    ("datestyle", "ISO, YMD"),
    ("intervalstyle", "postgres"),
    ("timezone", "UTC"),
    ("extra_float_digits", "1"),
    ("bytea_output", "hex"),
    ("lc_monetary", "C"),
    ("xmloption", "content"),
    ("xmlbinary", "base64"),
    ("array_nulls", "on"),
    // The text of statements.
    ("standard_conforming_strings", "on"),
    ("backslash_quote", "safe_encoding"),
    ("escape_string_warning", "on"),
    ("transform_null_equals", "off"),
    ("quote_all_identifiers", "off"),
    // Which rows a query gives. With row_security off, a policy that would hide rows is an error.
    ("row_security", "off"),
    ("gin_fuzzy_search_limit", "0"),
    ("constraint_exclusion", "off"),
    // What a transaction may do, and what ends it.
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "off"),
    ("default_transaction_deferrable", "off"),
    ("exit_on_error", "off"),
    ("idle_in_transaction_session_timeout", "0"),
    ("synchronous_commit", "on"),
    // Where temporary tables and rebuilt indexes lie.
    ("default_tablespace", ""),
    ("temp_tablespaces", ""),
    ("default_table_access_method", "heap"),
    ("check_function_bodies", "on"),
    // Cost. No parallel workers: the leader, which writes the rows, is what one waits for, and they
    // would take the processor from the application. No scans by range of pages: unlike a scan of a
    // whole table, which keeps to a few buffers of its own, they would drive the application's pages
    // out of the server's cache, and make it wait for the disk when it wants them back.
    ("jit", "off"),
    ("max_parallel_workers_per_gather", "0"),
    ("enable_tidscan", "off"),
    ("work_mem", "64MB"),
    ("maintenance_work_mem", "128MB"),
    ("application_name", "ipam-rewind"),
];

/// Settings that some versions lack, or only some roles may set. They are set where they differ; a
/// role that may not is refused by the server, which names the setting.
const WHERE_DIFFERENT: &[(&str, &str)] = &[
    // Without it foreign keys are not checked, and triggers do not fire.
    ("session_replication_role", "origin"),
    // With these the server leaves out damaged pages or rows without an error.
    ("zero_damaged_pages", "off"),
    ("ignore_checksum_failure", "off"),
    ("ignore_system_indexes", "off"),
    ("client_connection_check_interval", "1000"),
    ("transaction_timeout", "0"),
    ("idle_session_timeout", "0"),
    ("restrict_nonsystem_relation_kind", ""),
];

/// Has the server send something on a connection that is silent for a minute, as one is while a
/// statement runs: whatever forgets idle connections on the way keeps this one, and a program that is
/// gone is noticed. A connection without TCP ignores it.
const KEEPALIVE: &str =
    "SET LOCAL tcp_keepalives_idle = 60; SET LOCAL tcp_keepalives_interval = 10;
    SET LOCAL tcp_keepalives_count = 6;";

/// Asks what a session is to know: the server's process, the schemas of the role's own search path, and
/// the settings of [`WHERE_DIFFERENT`] that differ, with the values that they are to have. It is not
/// asked for what another user of a pooled session may have left behind. `pg_catalog` and the temporary
/// schema are searched anyway.
pub fn greeting() -> String {
    let values = WHERE_DIFFERENT
        .iter()
        .map(|(name, value)| format!("({}, {})", sql::literal(name), sql::literal(value)));
    format!(
        "BEGIN READ ONLY; SET LOCAL statement_timeout = 0; SET LOCAL search_path TO DEFAULT;
         SELECT pg_catalog.pg_backend_pid(), ARRAY(
             SELECT s.name::text FROM pg_catalog.unnest(pg_catalog.current_schemas(false))
                 WITH ORDINALITY AS s (name, place)
             WHERE NOT pg_catalog.starts_with(s.name::text, 'pg_'::text) ORDER BY s.place);
         SET LOCAL search_path = pg_catalog;
         SELECT name, value FROM (VALUES {}) AS pinned (name, value)
         JOIN pg_settings USING (name) WHERE reset_val <> value OR setting <> value;
         COMMIT",
        values.collect::<Vec<_>>().join(", "),
    )
}

/// What a session pins in each of its transactions.
#[derive(Debug, Clone)]
pub struct Pins {
    /// The schemas in which the role looks names up, `pg_catalog` and the temporary one aside.
    pub search_path: Vec<String>,
    /// Settings of [`WHERE_DIFFERENT`] that differ, with the values that they are to have.
    pub different: Vec<(String, String)>,
    /// How long a statement waits for a lock.
    pub lock_timeout: Duration,
}

impl Pins {
    /// Statements that pin everything for the rest of the transaction that has just begun. They take
    /// no snapshot.
    ///
    /// The search path is the role's own: what the server runs for a row that is written (functions of
    /// a CHECK, a domain, an index) finds what it finds for the application. `pg_catalog` comes first,
    /// whatever the role says, so that nothing that we send means another function or operator.
    pub fn set_local(&self) -> String {
        let different = self.different.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let pinned: String = EVERYWHERE
            .iter()
            .copied()
            .chain(different)
            .map(|(name, value)| format!("SET LOCAL {name} = {};", sql::literal(value)))
            .collect();
        let path = match &self.search_path[..] {
            [] => "''".to_owned(),
            some => sql::names(some.iter().map(String::as_str)),
        };
        let wait = limit_waits(self.lock_timeout);
        format!(
            "SET LOCAL statement_timeout = 0;{KEEPALIVE}{pinned}{wait}SET LOCAL search_path = {path};"
        )
    }

    /// A query for what is not as [`Pins::set_local`] sets it.
    pub fn differing(&self) -> String {
        let rows = EVERYWHERE
            .iter()
            .map(|(name, value)| format!("({}, {})", sql::literal(name), sql::literal(value)));
        format!(
            "SELECT pg_catalog.format('%s is %s', name, current_setting(name))
             FROM (VALUES {}) AS pinned (name, value)
             WHERE replace(current_setting(name), '\"\"', '') <> value
             UNION ALL SELECT pg_catalog.format('search_path is %s', current_setting('search_path'))
             WHERE current_schemas(false)::text[] <> {}",
            rows.collect::<Vec<_>>().join(", "),
            sql::texts(&self.search_path),
        )
    }
}

/// Limits how long the statements of this transaction wait for a lock.
pub fn limit_waits(lock_timeout: Duration) -> String {
    format!("SET LOCAL lock_timeout = {};", milliseconds(lock_timeout))
}

/// A timeout of 0 would be none.
fn milliseconds(timeout: Duration) -> u128 {
    timeout.as_millis().clamp(1, i32::MAX.unsigned_abs().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_path_is_set_as_names_and_an_empty_one_as_empty() {
        let path = |path: &[&str]| {
            let search_path = path.iter().map(|&name| name.to_owned()).collect();
            let pins = Pins { search_path, different: vec![], lock_timeout: Duration::ZERO };
            pins.set_local()
        };
        assert!(path(&[]).ends_with("SET LOCAL search_path = '';"));
        assert!(
            path(&["a\"b", "public"]).ends_with("SET LOCAL search_path = \"a\"\"b\", \"public\";")
        );
    }
}
