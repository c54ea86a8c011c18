//! Triggers neither change what a restore writes nor are they left in another state.

use super::{plan, site};
use crate::support::cycle::{Cycle, assert_same};

const DISTURB: &str = "
    DELETE FROM prefix WHERE prefix_id IN ('north-a', 'six');
    UPDATE prefix SET tags = '{\"changed\": 1}' WHERE prefix_id LIKE 'south%';
    UPDATE vrf SET description = 'changed' WHERE vrf_id = 'corp';
    DELETE FROM vpc_prefix_association;";

/// The plan with a trigger on `table` that spoils every row and every statement.
async fn with_spoiler(table: &str, column: &str, state: &str) -> Cycle {
    site(&format!(
        "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN NEW.{column} := 'spoilt'; RETURN NEW; END $$;
         CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN RAISE EXCEPTION 'this table is not to be written'; END $$;
         CREATE TRIGGER \"A spoiler\" BEFORE INSERT OR UPDATE ON {table}
             FOR EACH ROW EXECUTE FUNCTION spoil();
         CREATE TRIGGER \"Z forbids\" AFTER DELETE OR TRUNCATE ON {table}
             FOR EACH STATEMENT EXECUTE FUNCTION forbid();
         ALTER TABLE {table} {state} TRIGGER \"A spoiler\"; ALTER TABLE {table} {state} TRIGGER \"Z forbids\""
    ))
    .await
}

/// Backup, disturbance past the triggers, restore and undo.
async fn survives_past_its_triggers(cycle: &Cycle, table: &str, state: &str) {
    let states = "SELECT string_agg(concat(tgname, tgenabled), ' ' ORDER BY tgname) FROM pg_trigger
        WHERE NOT tgisinternal";
    let before = cycle.database.value(states).await;
    cycle
        .survives(&format!(
            "ALTER TABLE {table} DISABLE TRIGGER \"A spoiler\";
             ALTER TABLE {table} DISABLE TRIGGER \"Z forbids\"; {DISTURB}
             ALTER TABLE {table} {state} TRIGGER \"A spoiler\";
             ALTER TABLE {table} {state} TRIGGER \"Z forbids\""
        ))
        .await;
    assert_eq!(cycle.database.value(states).await, before);
}

#[tokio::test]
async fn a_sites_own_triggers_that_are_enabled_do_not_fire_and_fire_again_after() {
    let cycle = with_spoiler("vrf", "description", "ENABLE").await;
    survives_past_its_triggers(&cycle, "vrf", "ENABLE").await;
    cycle.sql("INSERT INTO vrf (vrf_id) VALUES ('new')").await;
    let description = "SELECT description FROM vrf WHERE vrf_id = 'new'";
    assert_eq!(cycle.database.value(description).await, "spoilt");
    let deleted = cycle.database.try_sql("DELETE FROM vrf WHERE vrf_id = 'new'").await;
    deleted.expect_err("the site's own trigger refuses");
    cycle.triggers_refuse_what_they_must().await;
}

#[tokio::test]
async fn triggers_that_are_always_enabled_do_not_fire_and_are_so_again() {
    let cycle = with_spoiler("prefix", "prefix_id", "ENABLE ALWAYS").await;
    survives_past_its_triggers(&cycle, "prefix", "ENABLE ALWAYS").await;
}

#[tokio::test]
async fn triggers_that_are_disabled_stay_disabled() {
    let cycle = with_spoiler("vrf", "description", "DISABLE").await;
    survives_past_its_triggers(&cycle, "vrf", "DISABLE").await;
    cycle.triggers_refuse_what_they_must().await;
}

#[tokio::test]
async fn triggers_for_replicas_alone_stay_for_replicas_alone() {
    let cycle = with_spoiler("vrf", "description", "ENABLE REPLICA").await;
    survives_past_its_triggers(&cycle, "vrf", "ENABLE REPLICA").await;
}

#[tokio::test]
async fn the_applications_triggers_stay_off_where_a_site_has_them_off() {
    let cycle = site("ALTER TABLE prefix DISABLE TRIGGER USER").await;
    cycle.survives(DISTURB).await;
    let orphan = "UPDATE prefix SET parent_prefix_id = 'lab' WHERE prefix_id = 'root'";
    cycle.sql(orphan).await;
}

#[tokio::test]
async fn a_restore_keeps_the_triggers_as_they_are_now_and_not_as_they_were() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    let before = cycle.contents().await;
    cycle
        .sql(&format!(
            "{DISTURB} ALTER TABLE prefix DISABLE TRIGGER prefix_set_updated_at;
             ALTER TABLE prefix ENABLE ALWAYS TRIGGER prefix_check_parent"
        ))
        .await;
    let triggers = cycle.contents().await["triggers"].clone();
    cycle.restore(&id).await;
    let mut after = cycle.contents().await;
    assert_eq!(after["triggers"], triggers);
    after.insert("triggers".into(), before["triggers"].clone());
    assert_same(&after, &before);
}

#[tokio::test]
async fn a_deferred_constraint_trigger_of_a_site_does_not_stand_in_the_way() {
    let cycle = site(
        "CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN RAISE EXCEPTION 'not with me'; END $$;
         CREATE CONSTRAINT TRIGGER late AFTER INSERT OR DELETE ON prefix
             DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION forbid()",
    )
    .await;
    cycle
        .survives(&format!(
            "ALTER TABLE prefix DISABLE TRIGGER late; {DISTURB}
             ALTER TABLE prefix ENABLE TRIGGER late"
        ))
        .await;
    cycle.triggers_refuse_what_they_must().await;
}
