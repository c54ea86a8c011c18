//! Tables that were emptied are filled without their indexes and foreign keys, which are then recreated.

use super::locks::open_transaction;
use crate::support::cycle::{Cycle, assert_same};
use crate::support::sample_database;

pub const EMPTY: &str = "TRUNCATE vrf, vpc, prefix, vpc_prefix_association, device42_ipaddress
    RESTART IDENTITY";

/// All that the catalog says of indexes, constraints and triggers, but for their numbers.
const DEFINITIONS: &str = "
    SELECT string_agg(line, E'\n' ORDER BY line COLLATE \"C\") FROM (
        SELECT concat_ws(' ', c.conrelid::regclass, c.conname, c.contype, c.condeferrable, c.condeferred,
            c.convalidated, pg_get_constraintdef(c.oid), obj_description(c.oid, 'pg_constraint'))
        FROM pg_constraint c WHERE c.conrelid <> 0
        UNION ALL
        SELECT concat_ws(' ', i.indrelid::regclass, i.indexrelid::regclass, pg_get_indexdef(i.indexrelid),
            i.indisunique, i.indisprimary, i.indimmediate, i.indisvalid, i.indisready, i.indisclustered,
            i.indisreplident, x.reloptions, x.relowner::regrole, obj_description(x.oid, 'pg_class'))
        FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
        WHERE x.relnamespace = 'public'::regnamespace
        UNION ALL
        SELECT concat_ws(' ', t.tgrelid::regclass, t.tgname, t.tgenabled, pg_get_triggerdef(t.oid))
        FROM pg_trigger t WHERE NOT t.tgisinternal
        UNION ALL
        SELECT concat_ws(' ', a.attrelid::regclass, a.attname, a.attnotnull) FROM pg_attribute a
        WHERE a.attrelid = ANY ('{vrf,vpc,prefix,vpc_prefix_association,device42_ipaddress}'::regclass[])
    ) AS lines (line)";

async fn identity(cycle: &Cycle, index: &str) -> String {
    cycle.database.value(&format!("SELECT '{index}'::regclass::oid")).await
}

#[tokio::test]
async fn plain_indexes_of_empty_tables_are_recreated_and_special_ones_stay() {
    let cycle = Cycle::new(sample_database().await).await;
    cycle
        .sql(
            "CREATE INDEX long_ones ON prefix (prefix_id DESC NULLS LAST) WHERE length(prefix_id) > 20;
             CREATE INDEX commented ON prefix (created_at);
             COMMENT ON INDEX commented IS 'for the report';
             CREATE UNIQUE INDEX lone ON vpc (provider_vpc_id, provider)
                 INCLUDE (region) WITH (fillfactor = 70) WHERE provider_vpc_id IS NOT NULL;
             ALTER TABLE vpc ADD CONSTRAINT whole UNIQUE (vpc_id, region) INCLUDE (provider);
             ALTER TABLE vpc ADD CONSTRAINT filled UNIQUE (vpc_id, provider_vpc_id) WITH (fillfactor = 60);
             ALTER TABLE vpc ADD CONSTRAINT waits UNIQUE (vpc_id, region) DEFERRABLE;
             ALTER TABLE vpc ADD CONSTRAINT told UNIQUE (vpc_id, provider);
             COMMENT ON CONSTRAINT told ON vpc IS 'for the report';
             CREATE VIEW grouped AS SELECT vpc_id, region FROM vpc GROUP BY vpc_id;
             CREATE TABLE note (vrf_id text REFERENCES vrf);
             ALTER TABLE device42_ipaddress REPLICA IDENTITY USING INDEX device42_ipaddress_pkey;
             ALTER TABLE vpc_prefix_association CLUSTER ON vpc_prefix_association_pkey;
             CREATE INDEX lower_case ON vrf (lower(description) COLLATE \"C\" text_pattern_ops);
             ALTER INDEX lower_case ALTER COLUMN 1 SET STATISTICS 500;
             ALTER TABLE vpc_prefix_association ADD CONSTRAINT again FOREIGN KEY (vpc_id)
                 REFERENCES vpc ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
             ALTER TABLE prefix ADD CONSTRAINT later FOREIGN KEY (vrf_id) REFERENCES vrf NOT VALID;",
        )
        .await;
    let anew = ["long_ones", "lone", "whole", "prefix_pkey", "prefix_vrf_id_cidr_key"];
    let stay = [
        "commented",
        "lower_case",
        "told",
        "filled",
        "waits",
        "vpc_pkey",
        "vrf_pkey",
        "device42_ipaddress_pkey",
        "vpc_prefix_association_pkey",
    ];
    let mut before = Vec::new();
    for index in anew.into_iter().chain(stay) {
        before.push((index, identity(&cycle, index).await));
    }
    let definitions = cycle.database.value(DEFINITIONS).await;
    assert!(definitions.contains("prefix_pkey"), "{definitions}");
    cycle.survives(&EMPTY.replace("vrf,", "note, vrf,")).await;
    for (index, before) in before {
        let recreated = identity(&cycle, index).await != before;
        assert_eq!(recreated, anew.contains(&index), "{index}");
    }
    assert_eq!(cycle.database.value(DEFINITIONS).await, definitions);
    cycle.triggers_refuse_what_they_must().await;
}

#[tokio::test]
async fn whoever_reads_an_emptied_table_is_not_waited_for() {
    let cycle = Cycle::new(sample_database().await).await;
    cycle.sql("CREATE INDEX long_ones ON prefix (length(prefix_id))").await;
    let before = cycle.contents().await;
    let id = cycle.backup().await;
    cycle.sql(EMPTY).await;
    let index = identity(&cycle, "long_ones").await;
    let reader = open_transaction(&cycle, "SELECT FROM prefix").await;
    cycle.restore(&id).await;
    drop(reader);
    assert_eq!(identity(&cycle, "long_ones").await, index);
    assert_same(&cycle.contents().await, &before);
}

#[tokio::test]
async fn what_keeps_rows_unique_stays_where_a_table_has_rows() {
    let cycle = Cycle::new(sample_database().await).await;
    cycle.sql("CREATE UNIQUE INDEX lone ON prefix (prefix_id, vrf_id)").await;
    let mut before = Vec::new();
    for index in ["prefix_source_idx", "prefix_pkey", "lone"] {
        before.push((index, identity(&cycle, index).await));
    }
    let one = "INSERT INTO vrf (vrf_id) VALUES ('new');
        INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable)
        VALUES ('new', 'new', '192.0.2.0/24', 'manual', false)";
    cycle.survives(&format!("{EMPTY}; {one}")).await;
    for (index, before) in before {
        let recreated = identity(&cycle, index).await != before;
        assert_eq!(recreated, index == "prefix_source_idx", "{index}");
    }
}
