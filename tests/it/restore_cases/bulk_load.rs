//! Tables that were emptied are filled past their indexes and references, which are then back.

use super::locks::open_transaction;
use crate::support::cycle::{Cycle, assert_same};
use crate::support::sample_database;

const EMPTY: &str = "TRUNCATE vrf, vpc, prefix, vpc_prefix_association, device42_ipaddress
    RESTART IDENTITY";

async fn identity(cycle: &Cycle, index: &str) -> String {
    cycle.database.value(&format!("SELECT '{index}'::regclass::oid")).await
}

#[tokio::test]
async fn plain_indexes_are_made_anew_and_special_ones_stay_in_place() {
    let cycle = Cycle::new(sample_database().await).await;
    cycle
        .sql(
            "CREATE INDEX long_ones ON prefix (prefix_id DESC NULLS LAST) WHERE length(prefix_id) > 20;
             CREATE INDEX commented ON prefix (created_at);
             COMMENT ON INDEX commented IS 'for the report';
             CREATE UNIQUE INDEX lone ON vpc (provider_vpc_id, provider);
             CREATE INDEX lower_case ON vrf (lower(description) COLLATE \"C\" text_pattern_ops);
             ALTER INDEX lower_case ALTER COLUMN 1 SET STATISTICS 500;
             ALTER TABLE vpc_prefix_association ADD CONSTRAINT again FOREIGN KEY (vpc_id)
                 REFERENCES vpc ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
             ALTER TABLE prefix ADD CONSTRAINT later FOREIGN KEY (vrf_id) REFERENCES vrf NOT VALID;",
        )
        .await;
    let (mut anew, mut stay) = (Vec::new(), Vec::new());
    for index in ["long_ones", "commented", "lone", "lower_case", "prefix_pkey"] {
        let list = if index == "long_ones" { &mut anew } else { &mut stay };
        list.push((index, identity(&cycle, index).await));
    }
    cycle.survives(EMPTY).await;
    for (index, before) in anew {
        assert_ne!(identity(&cycle, index).await, before, "{index}");
    }
    for (index, before) in stay {
        assert_eq!(identity(&cycle, index).await, before, "{index}");
    }
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
