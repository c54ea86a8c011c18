//! What writing the tables sets off: rules, event triggers, triggers, materialized views.

use ipam_rewind::engine::RestoreOptions;

use super::{DISTURB, restore_refused};
use crate::restore_cases::{plan, site};

const BILLING: &str = "CREATE TABLE billing_event (id serial PRIMARY KEY, what text);";

#[tokio::test]
async fn rule_that_writes_elsewhere_is_refused_and_named() {
    for event in ["INSERT", "UPDATE", "DELETE"] {
        for action in ["ALSO INSERT INTO billing_event (what) VALUES ('vrf')", "INSTEAD NOTHING"] {
            let cycle = plan().await;
            let id = cycle.backup().await;
            cycle
                .sql(&format!(
                    "{DISTURB} {BILLING} CREATE RULE \"Bill it\" AS ON {event} TO vrf DO {action}"
                ))
                .await;
            let wanted = ["the rule \"Bill it\" on public.vrf", "DISABLE RULE \"Bill it\""];
            restore_refused(&cycle, &id, &wanted).await;
            cycle.sql("ALTER TABLE public.vrf DISABLE RULE \"Bill it\"").await;
            cycle.restore(&id).await;
            assert_eq!(cycle.database.value("SELECT count(*) FROM billing_event").await, "0");
        }
    }
}

#[tokio::test]
async fn rule_for_all_sessions_is_refused_and_one_for_replicas_is_not() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    cycle
        .sql(&format!(
            "{DISTURB} {BILLING} CREATE RULE bill AS ON UPDATE TO prefix
                 DO ALSO INSERT INTO billing_event (what) VALUES ('prefix');
             ALTER TABLE prefix ENABLE ALWAYS RULE bill"
        ))
        .await;
    restore_refused(&cycle, &id, &["the rule bill on public.prefix"]).await;
    cycle.sql("ALTER TABLE prefix ENABLE REPLICA RULE bill").await;
    let rules = cycle.contents().await["rules"].clone();
    cycle.restore(&id).await;
    assert_eq!(cycle.contents().await["rules"], rules);
    assert_eq!(cycle.database.value("SELECT count(*) FROM billing_event").await, "0");
}

#[tokio::test]
async fn rule_on_the_idempotency_records_is_refused() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    cycle
        .sql(&format!(
            "{DISTURB} {BILLING} CREATE RULE bill AS ON DELETE TO idempotency_record
                 DO ALSO INSERT INTO billing_event (what) VALUES ('record')"
        ))
        .await;
    restore_refused(&cycle, &id, &["the rule bill on public.idempotency_record"]).await;
}

#[tokio::test]
async fn foreign_key_that_follows_a_removed_idempotency_record_is_refused() {
    for action in ["CASCADE", "SET NULL"] {
        let cycle = plan().await;
        let id = cycle.backup().await;
        cycle
            .sql(&format!(
                "{DISTURB} CREATE TABLE reply (id int PRIMARY KEY,
                     request text CONSTRAINT about REFERENCES idempotency_record ON DELETE {action});
                 INSERT INTO idempotency_record (request_id, created_at) VALUES ('late', now());
                 INSERT INTO reply VALUES (1, 'late')"
            ))
            .await;
        restore_refused(&cycle, &id, &["the foreign key about of reply"]).await;
    }
}

#[tokio::test]
async fn rule_of_a_partition_does_not_run_and_stays() {
    let cycle = site(&format!(
        "{BILLING} ALTER TABLE device42_ipaddress RENAME TO aside;
         CREATE TABLE device42_ipaddress (LIKE aside, PRIMARY KEY (id)) PARTITION BY RANGE (id);
         CREATE TABLE d42_p PARTITION OF device42_ipaddress DEFAULT;
         INSERT INTO device42_ipaddress SELECT * FROM aside;
         CREATE RULE bill AS ON UPDATE TO d42_p
             DO ALSO INSERT INTO billing_event (what) VALUES ('address')"
    ))
    .await;
    cycle.survives("UPDATE device42_ipaddress SET notes = 'changed'").await;
}

#[tokio::test]
async fn event_trigger_that_the_restore_would_fire_is_refused_and_named() {
    for when in ["ddl_command_start", "ddl_command_end", "sql_drop"] {
        let cycle = plan().await;
        let id = cycle.backup().await;
        cycle.sql(&format!("{DISTURB} {BILLING}")).await;
        cycle
            .database
            .sql_as_superuser(&format!(
                "CREATE FUNCTION bill() RETURNS event_trigger LANGUAGE plpgsql AS $$
                     BEGIN INSERT INTO public.billing_event (what) VALUES (tg_tag); END $$;
                 CREATE EVENT TRIGGER watch ON {when} EXECUTE FUNCTION bill()"
            ))
            .await;
        restore_refused(&cycle, &id, &["the event trigger watch", "ALTER EVENT TRIGGER"]).await;
        cycle.database.sql_as_superuser("ALTER EVENT TRIGGER watch DISABLE").await;
        cycle.restore(&id).await;
        assert_eq!(cycle.database.value("SELECT count(*) FROM billing_event").await, "0");
    }
}

#[tokio::test]
async fn event_trigger_of_other_commands_does_not_stand_in_the_way() {
    let cycle = plan().await;
    cycle
        .database
        .sql_as_superuser(
            "CREATE FUNCTION forbid() RETURNS event_trigger LANGUAGE plpgsql AS $$
                 BEGIN RAISE EXCEPTION 'not here'; END $$;
             CREATE EVENT TRIGGER no_functions ON ddl_command_start
                 WHEN TAG IN ('CREATE FUNCTION') EXECUTE FUNCTION forbid()",
        )
        .await;
    cycle.survives(DISTURB).await;
}

#[tokio::test]
async fn role_whose_sessions_skip_triggers_and_foreign_keys_is_refused() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    let name = cycle.database.value("SELECT current_database()").await;
    let owner = cycle.database.value("SELECT current_user").await;
    let set =
        format!("ALTER ROLE {owner} IN DATABASE {name} SET session_replication_role = replica");
    cycle.database.sql_as_superuser(&set).await;
    restore_refused(&cycle, &id, &["session_replication_role"]).await;
}

#[tokio::test]
async fn trigger_on_the_idempotency_records_does_not_run() {
    let cycle = site(&format!(
        "{BILLING} CREATE FUNCTION bill() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN INSERT INTO billing_event (what) VALUES ('record'); RETURN OLD; END $$;
         CREATE TRIGGER bills BEFORE DELETE ON idempotency_record
             FOR EACH ROW EXECUTE FUNCTION bill();
         CREATE TRIGGER counts AFTER DELETE ON idempotency_record
             FOR EACH STATEMENT EXECUTE FUNCTION bill()"
    ))
    .await;
    let id = cycle.backup().await;
    let triggers = cycle.contents().await["triggers"].clone();
    let late = "INSERT INTO idempotency_record (request_id, created_at) VALUES ('late', now())";
    cycle.sql(&format!("{DISTURB} {late}")).await;
    cycle.restore(&id).await;
    assert_eq!(cycle.database.value("SELECT count(*) FROM billing_event").await, "0");
    assert_eq!(cycle.contents().await["triggers"], triggers);
}

#[tokio::test]
async fn preview_and_result_name_stale_views_and_silent_triggers() {
    let cycle = site(&format!(
        "CREATE VIEW seen AS SELECT * FROM vrf;
         CREATE MATERIALIZED VIEW report AS SELECT count(*) FROM seen;
         CREATE MATERIALIZED VIEW of_report AS SELECT * FROM report;
         CREATE MATERIALIZED VIEW unrelated AS SELECT 1;
         {BILLING} CREATE FUNCTION bill() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN INSERT INTO billing_event (what) VALUES ('vrf'); RETURN NULL; END $$;
         CREATE TRIGGER bills AFTER UPDATE ON vrf FOR EACH STATEMENT EXECUTE FUNCTION bill()"
    ))
    .await;
    let id = cycle.backup().await;
    cycle.sql(DISTURB).await;
    let events = cycle.database.value("SELECT count(*) FROM billing_event").await;
    let seen = cycle.preview(&id, &RestoreOptions::default()).await;
    let restored = cycle.restore(&id).await;
    for notes in [seen.notes, restored.notes] {
        let notes = notes.join("\n");
        for wanted in ["view report", "view of_report", "\"bills\" on public.vrf"] {
            assert!(notes.contains(wanted), "{wanted} in {notes}");
        }
        assert!(!notes.contains("unrelated"), "{notes}");
    }
    assert_eq!(cycle.database.value("SELECT count(*) FROM billing_event").await, events);
}

#[tokio::test]
async fn published_tables_are_restored() {
    let cycle = plan().await;
    cycle.database.sql_as_superuser("CREATE PUBLICATION everything FOR ALL TABLES").await;
    cycle.survives(DISTURB).await;
}
