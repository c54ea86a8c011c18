//! Tables with partitions, and tables that others inherit from.

use ipam_rewind::engine::RestoreOptions;

use super::{DISTURB, DISTURB_ADDRESSES, backup_refused, restore_refused};
use crate::restore_cases::{plan, site};
use crate::support::cycle::{Cycle, words};

const CHILD: &str = "CREATE TABLE d42_lab (rack text NOT NULL) INHERITS (device42_ipaddress)";

/// The plan with the addresses in partitions by their ids, one of them cut again.
async fn partitioned(more: &str) -> Cycle {
    site(&format!(
        "ALTER TABLE device42_ipaddress RENAME TO aside;
         ALTER SEQUENCE device42_ipaddress_id_seq OWNED BY NONE;
         CREATE TABLE device42_ipaddress (LIKE aside INCLUDING DEFAULTS, PRIMARY KEY (id))
             PARTITION BY RANGE (id);
         CREATE TABLE d42_p1 PARTITION OF device42_ipaddress FOR VALUES FROM (0) TO (3);
         CREATE TABLE d42_p2 PARTITION OF device42_ipaddress FOR VALUES FROM (3) TO (100);
         CREATE TABLE d42_p3 PARTITION OF device42_ipaddress FOR VALUES FROM (100) TO (999)
             PARTITION BY RANGE (id);
         CREATE TABLE d42_p3_a PARTITION OF d42_p3 FOR VALUES FROM (100) TO (999);
         INSERT INTO device42_ipaddress SELECT * FROM aside; DROP TABLE aside;
         INSERT INTO device42_ipaddress (id, ip_address, label) VALUES (100, '::a', 'deep');
         {more}"
    ))
    .await
}

#[tokio::test]
async fn inheriting_table_is_refused_before_anything_is_read() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    cycle
        .sql(&format!(
            "{CHILD}; INSERT INTO d42_lab (ip_address, label, rack)
             SELECT '10.0.0.1', 'lab', 'r' || n FROM generate_series(1, 5) n"
        ))
        .await;
    let wanted = ["public.d42_lab", "ALTER TABLE", "NO INHERIT"];
    backup_refused(&cycle, &wanted).await;
    cycle.sql("DELETE FROM d42_lab WHERE rack IN ('r1', 'r2')").await;
    restore_refused(&cycle, &id, &wanted).await;
    cycle.sql("ALTER TABLE d42_lab NO INHERIT device42_ipaddress").await;
    cycle.restore(&id).await;
    assert_eq!(cycle.database.value("SELECT count(*) FROM d42_lab").await, "3");
}

#[tokio::test]
async fn inheriting_table_with_an_id_of_its_parent_is_refused() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    cycle
        .sql(&format!(
            "{CHILD}; INSERT INTO d42_lab (id, ip_address, label, rack)
             SELECT id, ip_address, 'twice', 'r' FROM ONLY device42_ipaddress"
        ))
        .await;
    backup_refused(&cycle, &["d42_lab"]).await;
    restore_refused(&cycle, &id, &["d42_lab"]).await;
}

#[tokio::test]
async fn inheriting_table_of_an_inheriting_table_is_refused() {
    let cycle = site(
        "CREATE TABLE a () INHERITS (vrf); CREATE TABLE b () INHERITS (a);
         INSERT INTO b (vrf_id) VALUES ('deep')",
    )
    .await;
    backup_refused(&cycle, &["public.a"]).await;
}

#[tokio::test]
async fn foreign_partition_is_refused() {
    let cycle = partitioned("").await;
    cycle
        .database
        .sql_as_superuser(
            "CREATE FOREIGN DATA WRAPPER far; CREATE SERVER far FOREIGN DATA WRAPPER far;
             ALTER TABLE device42_ipaddress DROP CONSTRAINT device42_ipaddress_pkey1;
             CREATE FOREIGN TABLE d42_far PARTITION OF device42_ipaddress
                 FOR VALUES FROM (1000) TO (2000) SERVER far",
        )
        .await;
    backup_refused(&cycle, &["d42_far", "DETACH PARTITION"]).await;
}

#[tokio::test]
async fn partitioned_table_is_restored() {
    let cycle = partitioned("").await;
    let more = "DELETE FROM device42_ipaddress WHERE label = 'deep';
        UPDATE device42_ipaddress SET id = 98 WHERE label = 'mail'";
    cycle.survives(&format!("{DISTURB} {DISTURB_ADDRESSES} {more}")).await;
}

#[tokio::test]
async fn rows_outside_that_refer_to_a_partition_are_named_and_kept() {
    let actions = ["CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT", "NO ACTION"];
    for (partition, action) in actions.iter().flat_map(|it| [("d42_p2", it), ("d42_p3", it)]) {
        let cycle = partitioned(&format!(
            "CREATE TABLE ticket (id int PRIMARY KEY,
                 ip int CONSTRAINT about REFERENCES {partition} (id) ON DELETE {action})"
        ))
        .await;
        let id = cycle.backup().await;
        let ip = if partition == "d42_p2" { 55 } else { 155 };
        cycle
            .sql(&format!(
                "INSERT INTO device42_ipaddress (id, ip_address, label) VALUES ({ip}, '::b', 'b');
                 INSERT INTO ticket VALUES (1, {ip}); {DISTURB}"
            ))
            .await;
        let error = cycle.refuses(&id, &RestoreOptions::default()).await;
        assert!(words(&error).contains("1 in ticket by about"), "{action}: {}", words(&error));
        cycle.sql("DELETE FROM ticket").await;
        cycle.restore(&id).await;
    }
}

#[tokio::test]
async fn rows_outside_that_refer_to_other_rows_of_a_partition_are_left_alone() {
    let cycle = partitioned(
        "CREATE TABLE ticket (id int PRIMARY KEY, ip int REFERENCES d42_p2 (id) ON DELETE CASCADE);
         CREATE TABLE whole (id int PRIMARY KEY,
             ip int REFERENCES device42_ipaddress (id) ON DELETE CASCADE);
         INSERT INTO ticket SELECT id, id FROM d42_p2;
         INSERT INTO whole SELECT id, id FROM device42_ipaddress WHERE label = 'mail'",
    )
    .await;
    cycle.survives("UPDATE device42_ipaddress SET notes = 'changed'").await;
}

#[tokio::test]
async fn reference_from_a_partition_to_another_backed_up_table_is_met() {
    let cycle = partitioned(
        "ALTER TABLE device42_ipaddress ADD vrf text;
         ALTER TABLE d42_p2 ADD FOREIGN KEY (vrf) REFERENCES vrf ON DELETE CASCADE;
         INSERT INTO vrf (vrf_id) VALUES ('goes');
         UPDATE d42_p2 SET vrf = 'goes'",
    )
    .await;
    cycle.survives("DELETE FROM vrf WHERE vrf_id = 'goes'").await;
}

/// A trigger that spoils what is written.
const SPOIL: &str = "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN NEW.notes := 'spoilt'; RETURN NEW; END $$;";

#[tokio::test]
async fn trigger_on_one_partition_does_not_run() {
    for state in ["ENABLE", "ENABLE ALWAYS", "ENABLE REPLICA", "DISABLE"] {
        for table in ["d42_p1", "d42_p3_a"] {
            let cycle = partitioned(&format!(
                "{SPOIL} CREATE TRIGGER spoils BEFORE INSERT OR UPDATE ON {table}
                     FOR EACH ROW EXECUTE FUNCTION spoil();
                 ALTER TABLE {table} {state} TRIGGER spoils"
            ))
            .await;
            let deep = "DELETE FROM device42_ipaddress WHERE label = 'deep';";
            cycle.survives(&format!("{DISTURB_ADDRESSES} {deep}")).await;
        }
    }
}

#[tokio::test]
async fn trigger_disabled_on_one_partition_stays_disabled_there_alone() {
    let cycle = partitioned(&format!(
        "{SPOIL} CREATE TRIGGER spoils BEFORE INSERT OR UPDATE ON device42_ipaddress
             FOR EACH ROW EXECUTE FUNCTION spoil();
         ALTER TABLE d42_p1 DISABLE TRIGGER spoils;
         ALTER TABLE d42_p3_a ENABLE ALWAYS TRIGGER spoils"
    ))
    .await;
    let states = "SELECT string_agg(tgrelid::regclass::text || tgenabled::text, ' '
        ORDER BY tgrelid::regclass::text) FROM pg_trigger WHERE tgname = 'spoils'";
    let before = cycle.database.value(states).await;
    assert_eq!(before, "d42_p1D d42_p2O d42_p3O d42_p3_aA device42_ipaddressO");
    cycle.survives(DISTURB_ADDRESSES).await;
    assert_eq!(cycle.database.value(states).await, before);
}
