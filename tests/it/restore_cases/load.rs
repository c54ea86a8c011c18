//! Empty tables are loaded straight from the backup, without staging tables.

use std::time::Duration;

use ipam_rewind::engine::{Kind, RestoreOptions};
use ipam_rewind::model::Profile;
use ipam_rewind::postgres::{Apply, Lines, Load, Selection, Session};
use tokio::sync::{mpsc, oneshot};

use super::bulk_load::EMPTY;
use super::locks::open_transaction;
use super::site;
use crate::support::cycle::{Cycle, assert_same, words};
use crate::support::sample_database;

/// Takes the right to temporary tables away, which staging needs.
const NO_STAGING: &str = "DO $$ BEGIN
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC, %I', current_database(), current_user);
    END $$; DROP TABLE idempotency_record";

#[tokio::test]
async fn empty_tables_are_loaded_without_temporary_tables() {
    let cycle = Cycle::new(sample_database().await).await;
    cycle.sql(NO_STAGING).await;
    let before = cycle.contents().await;
    let id = cycle.backup().await;
    let merge = RestoreOptions { merge: true, ..RestoreOptions::default() };
    for options in [RestoreOptions::default(), merge] {
        cycle.sql(EMPTY).await;
        let restored = cycle.restore_with(&id, &options).await.restore_results;
        assert_same(&cycle.contents().await, &before);
        let inserted: u64 = restored.datasets.iter().map(|(_, results)| results.inserted).sum();
        let rows = "SELECT sum(n) FROM (SELECT count(*) FROM vrf UNION ALL SELECT count(*) FROM vpc
            UNION ALL SELECT count(*) FROM prefix UNION ALL SELECT count(*) FROM vpc_prefix_association
            UNION ALL SELECT count(*) FROM device42_ipaddress) AS t (n)";
        assert_eq!(cycle.database.value(rows).await, inserted.to_string());
    }
    cycle.sql("UPDATE vrf SET description = 'changed'").await;
    let error = cycle.refuses(&id, &RestoreOptions::default()).await;
    assert!(words(&error).contains("make temporary tables"), "{}", words(&error));
}

#[tokio::test]
async fn only_empty_tables_are_loaded_beside_changed_ones() {
    let cycle = Cycle::new(sample_database().await).await;
    let disturbance =
        "TRUNCATE prefix, vpc_prefix_association; UPDATE vpc SET region = 'elsewhere';
        DELETE FROM device42_ipaddress WHERE id % 2 = 0;
        INSERT INTO vrf (vrf_id) VALUES ('new')";
    cycle.survives(disturbance).await;
    cycle.triggers_refuse_what_they_must().await;
}

#[tokio::test]
async fn part_of_a_backup_is_selected_among_the_rows_of_empty_tables() {
    let cycle = Cycle::new(sample_database().await).await;
    let id = cycle.backup().await;
    let count = "SELECT count(*) FROM device42_ipaddress";
    let before = cycle.database.value(count).await;
    cycle.sql(EMPTY).await;
    let selection = Selection { datasets: vec!["vrfs".into()], scope: None };
    let options = RestoreOptions { selection, ..RestoreOptions::default() };
    cycle.restore_with(&id, &options).await;
    assert_eq!(cycle.database.value(count).await, "0");
    cycle.restore(&id).await;
    assert_eq!(cycle.database.value(count).await, before);
}

#[tokio::test]
async fn tables_of_any_shape_are_filled() {
    let shapes = [
        "ALTER TABLE device42_ipaddress
             ADD twice bigint GENERATED ALWAYS AS (id * 2) STORED,
             ADD number bigint GENERATED ALWAYS AS IDENTITY",
        "CREATE DOMAIN short AS text CHECK (length(VALUE) < 100);
         ALTER TABLE prefix ADD title short DEFAULT E'tab\t, \\\\ and \n', ADD none text",
        "ALTER TABLE vrf ADD first_prefix text REFERENCES prefix;
         UPDATE vrf SET first_prefix =
             (SELECT min(prefix_id) FROM prefix WHERE prefix.vrf_id = vrf.vrf_id)",
        "ALTER TABLE vrf ADD first_prefix text REFERENCES prefix DEFERRABLE;
         UPDATE vrf SET first_prefix =
             (SELECT min(prefix_id) FROM prefix WHERE prefix.vrf_id = vrf.vrf_id)",
    ];
    for shape in shapes {
        let cycle = Cycle::new(sample_database().await).await;
        cycle.sql(shape).await;
        cycle.survives(EMPTY).await;
        let before = cycle.contents().await;
        let id = cycle.backup().await;
        cycle.sql(EMPTY).await;
        let reader = open_transaction(&cycle, "SELECT FROM prefix").await;
        cycle.restore(&id).await;
        drop(reader);
        assert_same(&cycle.contents().await, &before);
    }
}

#[tokio::test]
async fn row_that_an_empty_table_refuses_is_named() {
    let key = "SELECT max(prefix_id) FROM prefix WHERE source = 'vpc'";
    let vpc = "SELECT min(vpc_id::text) FROM vpc WHERE provider = 'aws'";
    let cases = [
        (
            key,
            "ALTER TABLE prefix ADD CONSTRAINT not_that CHECK (prefix_id <> '{}')",
            "insert the row {} of prefix:",
            "\"not_that\"",
        ),
        (
            key,
            "ALTER TABLE prefix ADD CONSTRAINT one_key UNIQUE (prefix_id, vrf_id);
             ALTER TABLE prefix ADD CONSTRAINT one_source UNIQUE (source)",
            "recreate one_source of prefix",
            "\"one_source\"",
        ),
        (
            vpc,
            "ALTER TYPE cloud_provider RENAME VALUE 'aws' TO 'amazon'",
            "insert the row {} of vpc, column provider:",
            "\"aws\"",
        ),
        (
            "SELECT min(vrf_id) FROM vrf",
            "CREATE TABLE known (name text PRIMARY KEY); ALTER TABLE vrf ADD CONSTRAINT known
                 FOREIGN KEY (vrf_id) REFERENCES known NOT VALID",
            "insert rows of vrf",
            "(vrf_id)=({})",
        ),
        (
            "SELECT min(vrf_id) FROM vrf WHERE description IS NULL",
            "ALTER TABLE vrf ALTER description SET NOT NULL",
            "of vrf:",
            "\"description\"",
        ),
    ];
    for (row, change, named, rule) in cases {
        let cycle = Cycle::new(sample_database().await).await;
        cycle.sql("UPDATE vrf SET description = NULL WHERE vrf_id = 'prod-vrf'").await;
        let row = cycle.database.value(row).await;
        let id = cycle.backup().await;
        cycle.sql(EMPTY).await;
        cycle.sql(&change.replace("{}", &row)).await;
        let error = cycle.refuses(&id, &RestoreOptions::default()).await;
        assert_eq!(error.kind(), Kind::InTheWay, "{}", words(&error));
        for said in [named.replace("{}", &row), rule.replace("{}", &row)] {
            assert!(words(&error).contains(&said), "{said} is not in: {}", words(&error));
        }
    }
}

/// A source that fails sends no end. Its rows must not pass for all.
#[tokio::test]
async fn rows_without_their_end_are_not_taken_for_all() {
    let cycle = site("").await;
    cycle.sql("TRUNCATE vrf, vpc, prefix, vpc_prefix_association").await;
    let mut session = Session::connect(&cycle.database.url).await.expect("it connects");
    session.begin_look().await.expect("a transaction begins");
    let tables = session.site(Profile::builtin()).await.expect("the tables are there");
    session.rollback().await.expect("it ends");
    for ends in [true, false] {
        session.begin_exclusive(&tables, Duration::ZERO).await.expect("nobody is in the way");
        let schema = session.schema(&tables).await.expect("the catalog is read");
        let rules = session.write_rules(&schema).await.expect("the catalog is read");
        let surroundings = session.surroundings(&tables).await.expect("nothing is in the way");
        let (sender, lines) = mpsc::channel(2);
        let row = b"some\t\\N\tf\tt\t{}\n".to_vec();
        sender.send(Lines::Block(row)).await.expect("there is room");
        if ends {
            sender.send(Lines::End).await.expect("there is room");
        }
        drop(sender);
        let (begin, _begun) = oneshot::channel();
        let (refuse, _refused) = oneshot::channel();
        let mut apply = Apply::new(&mut session, &schema, &rules);
        apply.load("vrf", Load { rows: vec![("vrfs".into(), 1)], begin, lines, refuse });
        let written = apply.write(&tables, &surroundings, &["vrf"].into(), &[]).await;
        drop(apply);
        assert_eq!(written.is_ok(), ends, "{written:?}");
        if let Err(error) = written {
            let said = format!("{error}: {}", error.trouble);
            assert!(said.contains("not all of them could be read"), "{said}");
        }
        session.rollback().await.expect("it ends");
        assert_eq!(cycle.database.value("SELECT count(*) FROM vrf").await, "0");
    }
}
