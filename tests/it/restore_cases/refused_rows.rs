//! Rows that the database does not take any more, or that cannot be stored: named with table, key and
//! column, and nothing is changed.

use ipam_rewind::engine::{BackupRequest, EngineError, Kind, RestoreOptions, Run};

use super::{plan, site};
use crate::support::cycle::{Cycle, assert_same, words};
use crate::support::sql_ascii_database;

/// Backs up, runs this, and returns how the restore is refused.
async fn refusal(cycle: &Cycle, change: &str) -> EngineError {
    let id = cycle.backup().await;
    cycle.sql(change).await;
    let error = cycle.refuses(&id, &RestoreOptions::default()).await;
    assert_eq!(error.kind(), Kind::InTheWay, "{}", words(&error));
    assert!(error.hint().is_some(), "{}", words(&error));
    error
}

#[tokio::test]
async fn value_that_its_type_does_not_take_any_more_is_named() {
    let cases = [
        (
            "",
            "UPDATE vpc SET provider = 'gcp'; ALTER TYPE cloud_provider RENAME VALUE 'aws' TO 'amazon'",
            ["the row 00000000-0000-0000-0000-000000000001 of vpc, column provider", "\"aws\""],
        ),
        (
            "CREATE DOMAIN short AS text; ALTER TABLE vrf ADD title short DEFAULT 'a long one'",
            "UPDATE vrf SET title = 'x' WHERE vrf_id = 'lab';
             ALTER DOMAIN short ADD CHECK (length(VALUE) < 5) NOT VALID",
            ["the row lab of vrf, column title", "short_check"],
        ),
    ];
    for (before, change, named) in cases {
        let cycle = site(before).await;
        let error = refusal(&cycle, change).await;
        for named in named {
            assert!(words(&error).contains(named), "{named:?} is not in: {}", words(&error));
        }
    }
}

#[tokio::test]
async fn row_that_a_rule_of_the_site_refuses_is_named_with_the_rule() {
    let cases = [
        (
            "",
            "UPDATE vrf SET description = 'x' WHERE vrf_id = 'corp';
             ALTER TABLE vrf ADD CONSTRAINT short CHECK (length(description) < 5) NOT VALID",
            "update the row corp of vrf",
            "\"short\"",
        ),
        (
            "UPDATE vrf SET description = coalesce(description, 'x');
             UPDATE vrf SET description = NULL WHERE vrf_id = 'lab'",
            "UPDATE vrf SET description = 'x' WHERE vrf_id = 'lab';
             ALTER TABLE vrf ALTER description SET NOT NULL",
            "update the row lab of vrf",
            "\"description\"",
        ),
        (
            "",
            "UPDATE vrf SET description = NULL; CREATE TABLE known (name text PRIMARY KEY);
             ALTER TABLE vrf ADD CONSTRAINT known FOREIGN KEY (description) REFERENCES known NOT VALID",
            "rows of vrf",
            "\"known\"",
        ),
        (
            "INSERT INTO vrf (vrf_id, description) VALUES ('twin', 'Corporate')",
            "UPDATE vrf SET description = vrf_id; CREATE UNIQUE INDEX one_name ON vrf (description)",
            "of vrf",
            "one_name",
        ),
        (
            "",
            "UPDATE vrf SET description = 'x';
             CREATE FUNCTION never(text) RETURNS bool LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'never say %', $1; END $$;
             ALTER TABLE vrf ADD CONSTRAINT never CHECK (never(description)) NOT VALID",
            "rows of vrf",
            "function never(text)",
        ),
        (
            "",
            "DELETE FROM device42_ipaddress WHERE label = 'mail';
             ALTER TABLE device42_ipaddress ADD CONSTRAINT web CHECK (label <> 'mail')",
            "insert the row 2 of device42_ipaddress",
            "\"web\"",
        ),
    ];
    for (before, change, row, rule) in cases {
        let cycle = site(before).await;
        let id = cycle.backup().await;
        cycle.sql(change).await;
        let said = words(&cycle.refuses(&id, &RestoreOptions::default()).await);
        assert!(said.contains(row) && said.contains(rule), "{change}: {said}");
    }
}

#[tokio::test]
async fn row_of_80_megabytes_is_named_with_its_column() {
    let cycle = plan().await;
    cycle.sql("UPDATE vrf SET description = repeat('x', 80 << 20) WHERE vrf_id = 'lab'").await;
    let refused = cycle.engine.backup(BackupRequest::default(), &Run::new()).await;
    let error = refused.expect_err("it is larger than a chunk may be");
    let named = "the row lab of vrf has 838860";
    assert!(words(&error).contains(named), "{}", words(&error));
    assert!(words(&error).contains("in its column description"), "{}", words(&error));
    assert_eq!(cycle.backups().await, 0);
}

#[tokio::test]
async fn row_of_140_megabytes_goes_the_whole_way_where_the_limit_is_raised() {
    let mut cycle = plan().await;
    cycle.engine = cycle.engine.clone().with_max_row(150 << 20);
    cycle.sql("UPDATE vrf SET description = repeat('x', 140 << 20) WHERE vrf_id = 'lab'").await;
    cycle.survives("UPDATE vrf SET description = 'short' WHERE vrf_id = 'lab'").await;
    let report = cycle.engine.verify(&[], &Run::new()).await.expect("verified");
    assert!(report.is_intact(), "{report:?}");
}

#[tokio::test]
async fn row_over_the_limit_that_a_backup_holds_comes_back_and_is_named_when_it_is_read() {
    let mut cycle = plan().await;
    let usual = cycle.engine.clone();
    cycle.engine = usual.clone().with_max_row(100 << 20);
    cycle.sql("UPDATE vrf SET description = repeat('x', 80 << 20) WHERE vrf_id = 'lab'").await;
    let id = cycle.backup().await;
    let before = cycle.contents().await;
    cycle.sql("UPDATE vrf SET description = 'short' WHERE vrf_id = 'lab'").await;
    cycle.engine = usual;
    cycle.restore(&id).await;
    assert_same(&cycle.contents().await, &before);
    let error = cycle.refuses(&id, &RestoreOptions::default()).await;
    assert!(words(&error).contains("in its column description"), "{}", words(&error));
    assert!(error.hint().is_some_and(|hint| hint.contains("--max-row-size")));
}

#[tokio::test]
async fn row_that_the_server_cannot_send_is_named_with_its_column() {
    let cycle = plan().await;
    // Each line end is two bytes of COPY text.
    cycle.sql("UPDATE vrf SET description = repeat(E'\\n', 550000000) WHERE vrf_id = 'lab'").await;
    // Looking for it is no less bound than reading: neither functions nor settings of the site matter.
    cycle.sql("CREATE FUNCTION octet_length(text) RETURNS int LANGUAGE sql AS 'SELECT 1'").await;
    for setting in ["search_path = public, pg_catalog", "statement_timeout = '100ms'"] {
        cycle.database.alter(&format!("SET {setting}"));
    }
    let refused = cycle.engine.backup(BackupRequest::default(), &Run::new()).await;
    let error = refused.expect_err("its line would have 1.1 GB");
    let named = "The largest row of vrf is lab, with 550000000 bytes in its column description";
    assert!(words(&error).contains(named), "{}", words(&error));
    assert_eq!(cycle.backups().await, 0);
}

#[tokio::test]
async fn byte_that_is_not_utf8_is_named_with_row_and_column() {
    let cycle = Cycle::new(sql_ascii_database().await).await;
    cycle.sql("SET client_encoding = 'SQL_ASCII'; INSERT INTO vrf (vrf_id, description) VALUES ('lab', E'caf\\xe9')").await;
    let refused = cycle.engine.backup(BackupRequest::default(), &Run::new()).await;
    let error = refused.expect_err("it cannot be read");
    let named = "the row lab of vrf, column description, has a byte that is not UTF-8";
    assert!(words(&error).contains(named), "{}", words(&error));
    cycle.sql("UPDATE vrf SET description = 'café' WHERE vrf_id = 'lab'").await;
    cycle.survives("UPDATE vrf SET description = 'x'").await;
}
