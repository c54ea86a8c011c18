//! What a role or a database can set changes neither what is read nor whether it can be restored.

use ipam_rewind::engine::{Kind, Point};

use super::{plan, site};
use crate::support::cycle::{Cycle, assert_same, words};

/// Values that depend on settings, in columns of the site's own.
const SENSITIVE: &str = "
    CREATE DOMAIN short AS text CHECK (length(VALUE) < 100);
    ALTER TABLE vrf ADD words text[] DEFAULT '{}', ADD at timestamptz, ADD local timestamp,
        ADD span interval, ADD bytes bytea, ADD money money, ADD number float8, ADD real float4,
        ADD doc xml, ADD day date, ADD title short, ADD n numeric, ADD moments timestamptz[];
    UPDATE vrf SET words = ARRAY['a', NULL, 'NULL', 'b \\ c', '\"'], at = '2025-03-30 01:30:00.123456Z',
        local = '2025-12-01 23:59:59.999999', span = '-1 year 2 mons -3 days +04:05:06.789',
        bytes = '\\x00ff5c27', money = 1234.56, number = 0.1::float8 + 0.2, real = 1.1::float4 / 3,
        doc = '<a b=\"c\">&amp;</a>', day = '0044-03-15 BC', title = 'é \\n', n = 1e-20,
        moments = ARRAY['infinity', '1999-12-31 23:59:60Z']::timestamptz[];";

const DISTURB: &str = "
    UPDATE vrf SET words = NULL, at = NULL, local = NULL, span = NULL, bytes = NULL, money = NULL,
        number = NULL, real = NULL, doc = NULL, day = NULL, title = NULL, n = NULL, moments = NULL;
    UPDATE prefix SET tags = '{}'; DELETE FROM vpc_prefix_association;";

/// Every setting with which a role may change what is sent or read, as its database has it.
const SETTINGS: [&str; 48] = [
    "array_nulls = off",
    "backslash_quote = off",
    "bytea_output = 'escape'",
    "check_function_bodies = off",
    "client_encoding = 'LATIN1'",
    "client_min_messages = 'debug1'",
    "constraint_exclusion = on",
    "datestyle = 'German, DMY'",
    "default_table_access_method = 'heap'",
    "default_text_search_config = 'german'",
    "default_transaction_deferrable = on",
    "default_transaction_isolation = 'serializable'",
    "default_transaction_read_only = on",
    "enable_seqscan = off",
    "enable_hashjoin = off",
    "enable_tidscan = on",
    "escape_string_warning = off",
    "exit_on_error = on",
    "extra_float_digits = -15",
    "from_collapse_limit = 1",
    "geqo_threshold = 2",
    "gin_fuzzy_search_limit = 1",
    "idle_in_transaction_session_timeout = '1s'",
    "intervalstyle = 'sql_standard'",
    "join_collapse_limit = 1",
    "lc_monetary = 'C'",
    "lc_numeric = 'C'",
    "lc_time = 'C'",
    "lock_timeout = 1",
    "max_parallel_workers_per_gather = 8",
    "parallel_setup_cost = 0",
    "plan_cache_mode = 'force_generic_plan'",
    "plpgsql.extra_errors = 'all'",
    "plpgsql.variable_conflict = 'use_column'",
    "quote_all_identifiers = on",
    "row_security = on",
    "standard_conforming_strings = off",
    "statement_timeout = '1s'",
    "synchronize_seqscans = off",
    "synchronous_commit = off",
    "temp_buffers = 100",
    "timezone = 'Asia/Kathmandu'",
    "timezone_abbreviations = 'India'",
    "transform_null_equals = on",
    "work_mem = '64kB'",
    "maintenance_work_mem = '1MB'",
    "xmlbinary = 'hex'",
    "xmloption = 'document'",
];

fn set(cycle: &Cycle, settings: &[&str]) {
    for setting in settings {
        cycle.database.alter(&format!("SET {setting}"));
    }
}

/// A backup with these settings equals one without; each is restored and undone with them.
async fn is_exact_with(cycle: &Cycle, settings: &[&str]) {
    let plain = cycle.contents().await;
    let without = cycle.backup().await;
    set(cycle, settings);
    let with = cycle.backup().await;
    let between = (Point::Backup(without.clone()), Point::Backup(with.clone()));
    assert!(cycle.diff(between.0, between.1).await.identical, "{settings:?}");
    cycle.database.alter("RESET ALL");
    cycle.sql(DISTURB).await;
    let disturbed = cycle.contents().await;
    set(cycle, settings);
    let restored = cycle.restore(&with).await;
    cycle.database.alter("RESET ALL");
    assert_same(&cycle.contents().await, &plain);
    set(cycle, settings);
    cycle.undo(&restored).await;
    cycle.database.alter("RESET ALL");
    assert_same(&cycle.contents().await, &disturbed);
    cycle.restore(&without).await;
    assert_same(&cycle.contents().await, &plain);
}

#[tokio::test]
async fn each_setting_of_a_database_leaves_backup_and_restore_exact() {
    let cycle = site(SENSITIVE).await;
    for setting in SETTINGS {
        is_exact_with(&cycle, &[setting]).await;
    }
}

#[tokio::test]
async fn all_settings_of_a_database_together_leave_backup_and_restore_exact() {
    let cycle = site(SENSITIVE).await;
    is_exact_with(&cycle, &SETTINGS).await;
}

#[tokio::test]
async fn tablespaces_of_a_role_are_not_used() {
    let cycle = site(SENSITIVE).await;
    let folder = crate::support::postgres().socket_dir().join("fast");
    std::fs::create_dir_all(&folder).expect("made");
    std::os::unix::fs::chown(
        &folder,
        Some(owner_of(crate::support::postgres().socket_dir())),
        None,
    )
    .expect("handed over");
    let create = format!("CREATE TABLESPACE fast LOCATION '{}'", folder.display());
    cycle.database.sql_as_superuser(&create).await;
    for setting in ["default_tablespace = 'fast'", "temp_tablespaces = 'fast'"] {
        // The owner may not create there: whatever tried to would be refused.
        is_exact_with(&cycle, &[setting]).await;
    }
}

fn owner_of(folder: &std::path::Path) -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(folder).expect("it is there").uid()
}

#[tokio::test]
async fn check_whose_function_uses_the_search_path_is_met() {
    let cycle = site(
        "CREATE SCHEMA util;
         CREATE FUNCTION util.is_short(text) RETURNS bool LANGUAGE sql AS 'SELECT length($1) < 100';
         CREATE TABLE util.allowed (provider text); INSERT INTO util.allowed VALUES ('aws'), ('azure');
         CREATE FUNCTION util.is_fine(text) RETURNS bool LANGUAGE plpgsql AS $$
             BEGIN RETURN is_short($1) AND (SELECT count(*) > 0 FROM allowed); END $$;
         CREATE DOMAIN util.fine AS text CHECK (util.is_fine(VALUE));
         SET search_path = public, util;
         ALTER TABLE vrf ADD CHECK (is_fine(description)), ADD motto util.fine;
         CREATE FUNCTION util.folded(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$
             BEGIN PERFORM is_short($1); RETURN lower($1); END $$;
         -- Since version 17 an index is made with a search_path of the server's own.
         DO $$ BEGIN
             IF current_setting('server_version_num')::int < 170000 THEN
                 CREATE UNIQUE INDEX ON vrf (folded(description));
             END IF;
         END $$",
    )
    .await;
    set(&cycle, &["search_path = public, util"]);
    cycle
        .survives(
            "UPDATE vrf SET description = 'changed ' || vrf_id, motto = 'one';
             INSERT INTO vrf (vrf_id, motto) VALUES ('new', 'two'); DELETE FROM prefix WHERE vrf_id = 'lab';
             DELETE FROM vrf WHERE vrf_id = 'lab'",
        )
        .await;
}

#[tokio::test]
async fn replication_role_that_skips_foreign_keys_is_refused_by_name() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    set(&cycle, &["session_replication_role = 'replica'"]);
    let refused = cycle.try_restore(&id, &ipam_rewind::engine::RestoreOptions::default()).await;
    let error = refused.expect_err("its foreign keys would not be checked");
    assert_eq!(error.kind(), Kind::NotPermitted, "{}", words(&error));
    assert!(words(&error).contains("session_replication_role"), "{}", words(&error));
}
