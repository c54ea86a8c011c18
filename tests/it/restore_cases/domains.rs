//! Columns whose type is a domain: what it forbids must not forbid the way back.

use super::site;
use crate::support::cycle::changed;

/// Domains that take neither nulls nor everything else, on columns of all kinds.
const DOMAINS: &str = "
    CREATE DOMAIN filled AS text NOT NULL CHECK (VALUE <> '');
    CREATE DOMAIN named AS filled CHECK (VALUE !~ '^ ');
    CREATE DOMAIN short AS char(5) NOT NULL;
    CREATE DOMAIN price AS numeric(8,2) NOT NULL;
    CREATE DOMAIN listed AS text[] NOT NULL CHECK (cardinality(VALUE) > 0);
    CREATE TYPE pair AS (name named, number int);
    CREATE DOMAIN paired AS pair NOT NULL;
    ALTER TABLE vrf ADD owner named DEFAULT 'me', ADD cost price DEFAULT 1.5, ADD code short DEFAULT 'a',
        ADD marks listed DEFAULT '{a}', ADD every filled[] DEFAULT '{x,y}',
        ADD both_of paired DEFAULT ROW('n', 1)::pair, ADD loose pair DEFAULT ROW('m', 2)::pair;
    ALTER TABLE prefix ADD note filled DEFAULT 'n', ADD number int GENERATED ALWAYS AS (masklen(cidr)) STORED;
    CREATE UNIQUE INDEX ON prefix (vrf_id, cidr, note);
    CREATE DOMAIN key_of AS uuid NOT NULL;
    ALTER TABLE vpc_prefix_association ALTER association_id TYPE key_of;
    CREATE DOMAIN number AS bigint NOT NULL CHECK (VALUE > 0);
    ALTER TABLE device42_ipaddress ALTER id TYPE number;";

#[tokio::test]
async fn site_with_domains_that_take_no_nulls_restores_deleted_added_and_changed_rows() {
    let cycle = site(DOMAINS).await;
    let restored = cycle
        .survives(
            "INSERT INTO vrf (vrf_id, owner) VALUES ('new', 'you');
             UPDATE vrf SET owner = 'other', marks = '{b,c}', code = 'zz', cost = 7
                 WHERE vrf_id = 'lab';
             DELETE FROM vpc_prefix_association WHERE parent_prefix_id = 'north';
             DELETE FROM prefix WHERE prefix_id IN ('six', 'north-a');
             UPDATE prefix SET note = 'changed' WHERE prefix_id = 'south-a';
             INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable)
                 VALUES ('new', 'lab', '192.0.2.0/24', 'manual', true);
             INSERT INTO device42_ipaddress (ip_address, label) VALUES ('::1', 'new');
             DELETE FROM device42_ipaddress WHERE label = 'web'",
        )
        .await;
    assert_eq!(changed(&restored, "vrfs"), (0, 1, 1));
    assert_eq!(changed(&restored, "prefixes"), (2, 1, 1));
    assert_eq!(changed(&restored, "public_ips"), (1, 0, 1));
}

#[tokio::test]
async fn key_that_breaks_its_domain_since_does_not_keep_its_row() {
    let cycle =
        site("CREATE DOMAIN number AS bigint; ALTER TABLE device42_ipaddress ALTER id TYPE number")
            .await;
    let before = cycle.contents().await;
    let id = cycle.backup().await;
    cycle
        .sql(
            "INSERT INTO device42_ipaddress (id, ip_address, label) VALUES (-7, '::1', 'new');
             ALTER DOMAIN number ADD CONSTRAINT positive CHECK (VALUE > 0) NOT VALID",
        )
        .await;
    cycle.restore(&id).await;
    assert_eq!(cycle.contents().await["device42_ipaddress"], before["device42_ipaddress"]);
}
