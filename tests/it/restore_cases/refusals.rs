//! What a restore must refuse before anything is changed: rows of others that it would hit, tables
//! that its rows do not fit, a role that may not.

use ipam_rewind::engine::{Engine, EngineError, Kind, RestoreOptions, Run};

use super::{plan, site};
use crate::support::cycle::{Cycle, assert_same, words};
use crate::support::postgres;

/// A note on each prefix below the root, in a table that no backup knows.
async fn with_notes(action: &str) -> Cycle {
    site(&format!(
        "CREATE TABLE note (id int PRIMARY KEY,
             prefix_id text DEFAULT 'root' CONSTRAINT about REFERENCES prefix {action});
         INSERT INTO note SELECT row_number() OVER (), prefix_id FROM prefix
             WHERE parent_prefix_id = 'root'"
    ))
    .await
}

const NEW_WITH_NOTE: &str = "
    INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable)
        VALUES ('new', 'lab', '192.0.2.0/24', 'manual', true);
    INSERT INTO note VALUES (100, 'new');";

#[tokio::test]
async fn rows_outside_the_backup_that_would_be_hit_are_named_and_nothing_is_changed() {
    let actions = [
        "ON DELETE CASCADE",
        "ON DELETE SET NULL",
        "ON DELETE SET DEFAULT",
        "ON DELETE RESTRICT",
        "ON DELETE NO ACTION DEFERRABLE INITIALLY DEFERRED",
    ];
    for action in actions {
        let cycle = with_notes(action).await;
        let id = cycle.backup().await;
        cycle.sql(NEW_WITH_NOTE).await;
        let error = cycle.refuses(&id, &RestoreOptions::default()).await;
        assert!(words(&error).contains("1 in note by about"), "{action}: {}", words(&error));
        assert_eq!(error.kind(), Kind::InTheWay);
        cycle.sql("DELETE FROM note WHERE id = 100").await;
        cycle.restore(&id).await;
    }
}

#[tokio::test]
async fn a_constraint_that_came_later_and_forbids_a_row_is_named() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    cycle.sql("UPDATE vrf SET description = 'x' WHERE description IS NOT NULL").await;
    cycle.sql("ALTER TABLE vrf ADD CONSTRAINT short CHECK (length(description) < 5)").await;
    let error = cycle.refuses(&id, &RestoreOptions::default()).await;
    assert_eq!(error.kind(), Kind::InTheWay, "{}", words(&error));
    assert!(words(&error).contains("\"short\""), "{}", words(&error));
}

#[tokio::test]
async fn rows_outside_the_backup_whose_prefix_merely_changed_are_left_alone() {
    let cycle = with_notes("ON DELETE CASCADE ON UPDATE CASCADE").await;
    cycle
        .survives("UPDATE prefix SET tags = '{\"changed\": 1}'; DELETE FROM prefix WHERE prefix_id = 'six'")
        .await;
}

#[tokio::test]
async fn rows_outside_the_backup_whose_prefix_would_be_created_again_are_named() {
    let cycle = with_notes("ON DELETE CASCADE").await;
    let id = cycle.backup().await;
    cycle
        .sql(
            "ALTER TABLE prefix DISABLE TRIGGER USER;
             UPDATE prefix SET cidr = '10.99.0.0/16' WHERE prefix_id = 'north';
             UPDATE prefix SET cidr = '10.1.0.0/16' WHERE prefix_id = 'south';
             UPDATE prefix SET cidr = '10.2.0.0/16' WHERE prefix_id = 'north'",
        )
        .await;
    let error = cycle.refuses(&id, &RestoreOptions::default()).await;
    assert!(words(&error).contains("2 in note by about"), "{}", words(&error));
}

#[tokio::test]
async fn rows_outside_the_backup_that_refer_to_a_block_are_not_changed_with_it() {
    for action in ["CASCADE", "SET NULL", "NO ACTION"] {
        let cycle = site(&format!(
            "CREATE TABLE note (id int PRIMARY KEY, vrf_id text, cidr cidr,
                 CONSTRAINT about FOREIGN KEY (vrf_id, cidr) REFERENCES prefix (vrf_id, cidr)
                 ON UPDATE {action} ON DELETE CASCADE)"
        ))
        .await;
        let id = cycle.backup().await;
        cycle
            .sql(
                "UPDATE prefix SET cidr = 'fd01::/32' WHERE prefix_id = 'six';
                 INSERT INTO note VALUES (1, 'corp', 'fd01::/32')",
            )
            .await;
        let error = cycle.refuses(&id, &RestoreOptions::default()).await;
        assert!(words(&error).contains("1 in note by about"), "{action}: {}", words(&error));
    }
}

/// Backs the plan up, changes the tables, and returns how the restore's refusal lists that.
async fn differences(change: &str) -> Vec<String> {
    let cycle = plan().await;
    let id = cycle.backup().await;
    cycle.sql(change).await;
    let error = cycle.refuses(&id, &RestoreOptions::default()).await;
    assert_eq!(error.kind(), Kind::SchemaMismatch, "{}", words(&error));
    assert_eq!(cycle.backups().await, 1);
    let (options, run) = (RestoreOptions::default(), Run::new());
    let seen = cycle.engine.preview(&id, &options, 1, &run).await;
    let seen = seen.expect_err("the preview refuses, too");
    assert_eq!(seen.to_string(), error.to_string());
    match error {
        EngineError::Misfit { differences, .. } => differences,
        other => panic!("{}", words(&other)),
    }
}

#[tokio::test]
async fn tables_that_do_not_fit_are_refused_with_every_difference() {
    let change = "ALTER TABLE prefix DROP tags; ALTER TABLE vpc ADD cost int;
        ALTER TABLE vrf ALTER description TYPE varchar(99); DROP TABLE device42_ipaddress";
    assert_eq!(
        differences(change).await,
        [
            "vrf.description is character varying(99), but was text",
            "vpc.cost is new: the backup has no values for it",
            "prefix.tags is missing",
            "the table device42_ipaddress is missing",
        ]
    );
}

#[tokio::test]
async fn a_table_that_no_site_may_lack_is_named_when_it_is_missing() {
    let change = "DROP TABLE vpc_prefix_association";
    let missing = ["the table vpc_prefix_association is missing"];
    assert_eq!(differences(change).await, missing);
}

#[tokio::test]
async fn a_column_that_became_generated_does_not_fit() {
    let change = "ALTER TABLE vrf DROP description;
        ALTER TABLE vrf ADD description text GENERATED ALWAYS AS (upper(vrf_id)) STORED";
    assert_eq!(differences(change).await, ["vrf.description is missing"]);
}

#[tokio::test]
async fn another_primary_key_does_not_fit() {
    let change = "ALTER TABLE vpc_prefix_association DROP CONSTRAINT vpc_prefix_association_pkey;
        ALTER TABLE vpc_prefix_association ADD PRIMARY KEY (vpc_id, vpc_prefix_cidr)";
    let differences = differences(change).await;
    assert_eq!(differences, ["the primary key of vpc_prefix_association is another"]);
}

#[tokio::test]
async fn a_table_that_came_later_does_not_fit() {
    let cycle = site("ALTER TABLE device42_ipaddress RENAME TO aside").await;
    let id = cycle.backup().await;
    cycle.sql("ALTER TABLE aside RENAME TO device42_ipaddress").await;
    let error = cycle.refuses(&id, &RestoreOptions::default()).await;
    assert_eq!(error.kind(), Kind::SchemaMismatch);
}

/// The same store and database, for a role that has been granted only this.
async fn as_other_role(cycle: &Cycle, granted: &str) -> Engine {
    let name = cycle.database.value("SELECT current_database()").await;
    let role = format!("guest_of_{name}");
    cycle
        .database
        .sql_as_superuser(&format!(
            "CREATE ROLE {role} LOGIN; GRANT {granted} ON ALL TABLES IN SCHEMA public TO {role};
         GRANT {granted} ON ALL SEQUENCES IN SCHEMA public TO {role}"
        ))
        .await;
    let url = postgres().url(&name, &role);
    Engine::new(cycle.engine.store().clone(), Some(url))
}

#[tokio::test]
async fn a_role_that_does_not_own_the_tables_is_not_permitted() {
    for granted in ["SELECT", "ALL"] {
        let cycle = plan().await;
        let id = cycle.backup().await;
        cycle.sql("DELETE FROM vpc_prefix_association; DELETE FROM device42_ipaddress").await;
        let before = cycle.contents().await;
        let guest = as_other_role(&cycle, granted).await;
        let refused = guest.restore(&id, &RestoreOptions::default(), &Run::new()).await;
        let error = refused.expect_err("the role may not do this");
        assert_eq!(error.kind(), Kind::NotPermitted, "{granted}: {}", words(&error));
        assert_same(&cycle.contents().await, &before);
        cycle.triggers_refuse_what_they_must().await;
    }
}
