//! The settings that every session and every transaction pins, because a role, a database or a URL
//! can set others that change what is sent or read. `docs/database.md` has the reason for each.

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

/// Pins the settings of a session. The first column of the first row is the server's process, that
/// of the last row the search path.
///
/// Relations are those of the first schema of the role's search path. The other schemas stay behind
/// it: functions of the site (of a CHECK, a domain, an index) look their own names up there.
pub fn pin_session(lock_timeout: Duration) -> String {
    let values = WHERE_DIFFERENT
        .iter()
        .map(|(name, value)| format!("({}, {})", sql::literal(name), sql::literal(value)));
    format!(
        "SET statement_timeout = 0; SELECT pg_backend_pid(); {}
         SELECT set_config(name, value, false) FROM (VALUES {}) AS pinned (name, value)
         JOIN pg_settings USING (name) WHERE setting <> value;
         SELECT set_config('search_path', coalesce((
             SELECT string_agg(quote_ident(name), ', ' ORDER BY place)
             FROM unnest(current_schemas(false)) WITH ORDINALITY AS s (name, place)
             WHERE name <> 'pg_catalog' AND name NOT LIKE 'pg\\_temp%'), ''), false);",
        set("SET", lock_timeout),
        values.collect::<Vec<_>>().join(", "),
    )
}

/// Pins the settings of the transaction that has just begun: a pooler may run it in another session
/// of the server than the one that [`pin_session`] was sent to. Takes no snapshot.
pub fn pin_transaction(search_path: &str, lock_timeout: Duration) -> String {
    let path = if search_path.is_empty() { "''" } else { search_path };
    format!(
        "SET LOCAL statement_timeout = 0; {} SET LOCAL search_path = {path};",
        set("SET LOCAL", lock_timeout)
    )
}

/// Limits how long the statements of this transaction wait for a lock.
pub fn limit_waits(lock_timeout: Duration) -> String {
    format!("SET LOCAL lock_timeout = {};", milliseconds(lock_timeout))
}

fn set(how: &str, lock_timeout: Duration) -> String {
    let pin = |(name, value): &(&str, &str)| format!("{how} {name} = {};", sql::literal(value));
    let pinned: String = EVERYWHERE.iter().map(pin).collect();
    format!("{pinned} {how} lock_timeout = {};", milliseconds(lock_timeout))
}

/// A timeout of 0 would be none.
fn milliseconds(timeout: Duration) -> u128 {
    timeout.as_millis().clamp(1, i32::MAX.unsigned_abs().into())
}
