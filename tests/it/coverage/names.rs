//! A name means what it means for the application: the role's own search path decides.

use super::{DISTURB, DISTURB_ADDRESSES, search_path};
use crate::restore_cases::{plan, site};
use crate::support::cycle::assert_same;

/// The plan with the addresses in a second schema of the search path.
const IN_SYNC: &str = "CREATE SCHEMA sync; ALTER TABLE device42_ipaddress SET SCHEMA sync";

#[tokio::test]
async fn table_in_second_schema_is_backed_up_and_restored() {
    let cycle = site(IN_SYNC).await;
    search_path(&cycle, "public, sync").await;
    let restored = cycle.survives(&format!("{DISTURB} {DISTURB_ADDRESSES}")).await;
    assert!(restored.restore_results.proven);
    let next = "INSERT INTO device42_ipaddress (ip_address, label) VALUES ('::2', 'next')";
    cycle.sql(next).await;
}

#[tokio::test]
async fn table_moved_to_another_schema_after_the_backup_is_restored() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    let rows = "SELECT string_agg(t::text, ' ' ORDER BY id) FROM device42_ipaddress t";
    let before = cycle.database.value(rows).await;
    cycle.sql(&format!("{DISTURB_ADDRESSES} {IN_SYNC}")).await;
    search_path(&cycle, "public, sync").await;
    cycle.restore(&id).await;
    assert_eq!(cycle.database.value(rows).await, before);
}

#[tokio::test]
async fn empty_schema_named_like_the_role_changes_nothing() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    let before = cycle.contents().await;
    let role = cycle.database.value("SELECT current_user").await;
    cycle.sql(&format!("CREATE SCHEMA \"{role}\"; {DISTURB}")).await;
    let current = cycle.database.value("SELECT current_schema()").await;
    assert_eq!(current, role);
    cycle.restore(&id).await;
    assert_same(&cycle.contents().await, &before);
    cycle.survives(&format!("{DISTURB} {DISTURB_ADDRESSES}")).await;
}

#[tokio::test]
async fn first_schema_of_the_path_decides_between_two_tables_of_one_name() {
    let cycle = site(
        "CREATE SCHEMA sync; CREATE TABLE sync.vrf (LIKE public.vrf INCLUDING ALL);
         INSERT INTO sync.vrf (vrf_id) VALUES ('other')",
    )
    .await;
    search_path(&cycle, "public, sync").await;
    let restored = cycle.survives(DISTURB).await;
    assert!(restored.restore_results.proven);
    assert_eq!(cycle.database.value("SELECT count(*) FROM sync.vrf").await, "1");
}

#[tokio::test]
async fn sequence_in_another_schema_is_restored() {
    for default in ["'seqs.d42'", "'seqs.d42'::text::regclass", "'seqs.\"D 42''s\"'"] {
        let cycle = site(&format!(
            "CREATE SCHEMA seqs; CREATE SEQUENCE seqs.d42 START 100;
             CREATE SEQUENCE seqs.\"D 42's\" START 100;
             ALTER TABLE device42_ipaddress ALTER id SET DEFAULT nextval({default});
             DROP SEQUENCE device42_ipaddress_id_seq;
             INSERT INTO device42_ipaddress (ip_address, label) VALUES ('::3', 'numbered')"
        ))
        .await;
        cycle.survives(DISTURB_ADDRESSES).await;
        let next = "INSERT INTO device42_ipaddress (ip_address, label) VALUES ('::2', 'next')";
        cycle.sql(next).await;
        let id = cycle.database.value("SELECT id FROM device42_ipaddress WHERE label = 'next'");
        assert_eq!(id.await, "101", "{default}");
    }
}

#[tokio::test]
async fn newer_idempotency_records_in_a_second_schema_are_removed() {
    let cycle = site("CREATE SCHEMA sync; ALTER TABLE idempotency_record SET SCHEMA sync").await;
    search_path(&cycle, "public, sync").await;
    let id = cycle.backup().await;
    cycle
        .sql(&format!(
            "{DISTURB} INSERT INTO idempotency_record (request_id, created_at, response_data)
             VALUES ('late', now(), '{{\"prefix_id\": \"new\"}}')"
        ))
        .await;
    cycle.restore(&id).await;
    let left = cycle.database.value("SELECT count(*) FROM sync.idempotency_record").await;
    assert_eq!(left, "0");
}

#[tokio::test]
async fn functions_and_operators_of_the_site_do_not_replace_those_of_the_server() {
    let cycle = site(
        "CREATE FUNCTION public.current_schemas(bool) RETURNS name[] LANGUAGE sql AS
             'SELECT ARRAY[''nowhere'']::name[]';
         CREATE FUNCTION public.format(text, name, name) RETURNS text LANGUAGE sql AS 'SELECT $1';
         CREATE FUNCTION public.never(text, text) RETURNS bool LANGUAGE sql AS 'SELECT false';
         CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = public.never);
         CREATE FUNCTION public.count(text) RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint';
         CREATE TABLE public.pg_class (oid oid, relname name)",
    )
    .await;
    search_path(&cycle, "public, pg_catalog").await;
    let before = cycle.contents().await;
    let id = cycle.backup().await;
    let disturb = "DELETE FROM vpc_prefix_association; INSERT INTO vrf (vrf_id) VALUES ('new')";
    cycle.sql(disturb).await;
    cycle.restore(&id).await;
    assert_same(&cycle.contents().await, &before);
}

#[tokio::test]
async fn check_that_finds_its_function_by_the_search_path_does_not_stand_in_the_way() {
    let cycle = site(
        "CREATE SCHEMA rules;
         CREATE FUNCTION rules.short(text) RETURNS bool LANGUAGE sql AS 'SELECT length($1) < 99';
         CREATE FUNCTION is_fine(text) RETURNS bool LANGUAGE plpgsql AS
             'BEGIN RETURN short($1); END'",
    )
    .await;
    search_path(&cycle, "public, rules").await;
    cycle.sql("ALTER TABLE vrf ADD CHECK (is_fine(description))").await;
    cycle.survives(DISTURB).await;
}
