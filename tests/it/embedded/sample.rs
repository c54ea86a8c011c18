//! The sample plan: always the same, and nothing in it that the application would refuse.

use ipam_rewind::embedded::sample::{self, PlanSize};

use crate::support::{SAMPLE, TestDatabase, database, sample_database};

async fn assert_none(database: &TestDatabase, what: &str, query: &str) {
    let count = database.value(&format!("SELECT count(*) FROM {query}")).await;
    assert_eq!(count, "0", "{what}");
}

#[tokio::test]
async fn the_plan_has_the_counts_that_it_promises() {
    let database = sample_database().await;
    let counts = SAMPLE.counts();
    for (from, expected) in [
        ("vrf", counts.vrfs),
        ("vpc", counts.vpcs),
        ("vpc_prefix_association", counts.associations),
        ("prefix", SAMPLE.prefixes),
        ("prefix WHERE source = 'manual' AND vrf_id <> 'public-vrf'", counts.manual),
        ("prefix WHERE source = 'vpc' AND vrf_id <> 'public-vrf'", counts.subnets),
        ("prefix WHERE vrf_id = 'public-vrf'", counts.public_ips),
        ("device42_ipaddress", counts.device42),
    ] {
        let found = database.value(&format!("SELECT count(*) FROM {from}")).await;
        assert_eq!(found, expected.to_string(), "{from}");
    }
    assert_eq!((counts.vrfs, counts.associations, counts.subnets), (10, 300, 1_200));
}

#[tokio::test]
async fn the_plan_is_the_same_every_time() {
    let (first, second) = (sample_database().await, database().await);
    let counts = sample::load(&mut second.connect().await, SAMPLE).await.unwrap();
    assert_eq!(counts, SAMPLE.counts());
    let (mut first, mut second) = (first.dump().await, second.dump().await);
    // When the schema was created is not part of the plan.
    first.remove("_sqlx_migrations");
    second.remove("_sqlx_migrations");
    assert_eq!(first, second);
}

#[tokio::test]
async fn the_triggers_would_have_accepted_every_row_of_the_plan() {
    let database = sample_database().await;
    let before = database
        .value(
            "SELECT md5(string_agg(prefix_id || indentation_level, ','
        ORDER BY prefix_id)) FROM prefix",
        )
        .await;
    database
        .sql("UPDATE prefix SET cidr = cidr, parent_prefix_id = parent_prefix_id, routable = routable")
        .await;
    let after = database
        .value(
            "SELECT md5(string_agg(prefix_id || indentation_level, ','
        ORDER BY prefix_id)) FROM prefix",
        )
        .await;
    assert_eq!(before, after, "the triggers found other indentation levels");
    let enabled = "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O'";
    assert_eq!(database.value(enabled).await, "5");
}

#[tokio::test]
async fn what_no_trigger_checks_fits_as_well() {
    let database = sample_database().await;
    assert_none(
        &database,
        "a parent in another VRF",
        "prefix c JOIN prefix p
        ON p.prefix_id = c.parent_prefix_id WHERE p.vrf_id <> c.vrf_id",
    )
    .await;
    assert_none(
        &database,
        "a subnet outside the blocks of its VPC",
        "prefix s
        WHERE source = 'vpc' AND vrf_id <> 'public-vrf' AND NOT EXISTS (
            SELECT FROM vpc_prefix_association a
            WHERE a.vpc_id = s.vpc_id AND a.vpc_prefix_cidr >>= s.cidr)",
    )
    .await;
    assert_none(
        &database,
        "a block outside its parent",
        "vpc_prefix_association a
        JOIN prefix p ON p.prefix_id = a.parent_prefix_id
        WHERE NOT p.cidr >>= a.vpc_prefix_cidr OR a.routable AND NOT p.routable",
    )
    .await;
    assert_none(
        &database,
        "a subnet that the last sync missed",
        "(SELECT 1 FROM prefix
        WHERE source = 'vpc' GROUP BY source HAVING count(DISTINCT updated_at) > 1) x",
    )
    .await;
    assert_none(
        &database,
        "an unexpected id",
        "prefix WHERE prefix_id <> CASE
        WHEN source = 'vpc' AND vrf_id = 'public-vrf'
            THEN vpc_id || '-subnet-' || translate(text(cidr), './', '--')
        WHEN source = 'vpc' THEN vpc_id || '-subnet-' || replace(cidr::text, '/', '-')
        WHEN vrf_id = 'public-vrf' THEN 'public-ip-' || translate(text(cidr), './', '--')
        WHEN family(cidr) = 4
            THEN 'manual-' || vrf_id || '-' || translate(cidr::text, './', '--')
        ELSE prefix_id END",
    )
    .await;
    assert_none(
        &database,
        "an update before the creation",
        "prefix
        WHERE updated_at < created_at",
    )
    .await;
}

#[tokio::test]
async fn the_plan_looks_like_a_real_one() {
    let database = sample_database().await;
    for (what, query, at_least) in [
        ("providers", "SELECT count(DISTINCT provider) FROM vpc", 4),
        ("levels", "SELECT count(DISTINCT indentation_level) FROM prefix", 6),
        ("IPv6", "SELECT count(*) FROM prefix WHERE family(cidr) = 6", 300),
        ("non-routable", "SELECT count(*) FROM prefix WHERE NOT routable", 200),
        ("nested tags", "SELECT count(*) FROM prefix WHERE tags ? 'contact'", 300),
        ("different tags", "SELECT count(DISTINCT tags) FROM prefix", 1_500),
        ("imports", "SELECT count(DISTINCT created_at) FROM prefix", 1_000),
        (
            "public without a VPC",
            "SELECT count(*) FROM prefix
            WHERE vrf_id = 'public-vrf' AND source = 'manual'",
            90,
        ),
        (
            "public with a VPC",
            "SELECT count(*) FROM prefix
            WHERE vrf_id = 'public-vrf' AND source = 'vpc'",
            190,
        ),
    ] {
        let found: u64 = database.value(query).await.parse().unwrap();
        assert!(found >= at_least, "{what}: {found}");
    }
}

#[tokio::test]
async fn a_new_device_gets_the_next_free_id() {
    let database = sample_database().await;
    database
        .sql("INSERT INTO device42_ipaddress (ip_address, label) VALUES ('10.0.0.1', 'x')")
        .await;
    let newest = database.value("SELECT max(id) FROM device42_ipaddress").await;
    assert_eq!(newest, (SAMPLE.counts().device42 + 1).to_string());
}

#[tokio::test]
async fn the_smallest_plan_loads_and_a_second_load_is_refused() {
    let database = database().await;
    let smallest = PlanSize { prefixes: 1 };
    let counts = sample::load(&mut database.connect().await, smallest).await.unwrap();
    assert_eq!(counts.manual + counts.subnets + counts.public_ips, 100);
    let before = database.dump().await;
    sample::load(&mut database.connect().await, smallest).await.unwrap_err();
    assert_eq!(database.dump().await, before);
}

#[tokio::test]
async fn the_mess_is_deep_and_always_the_same() {
    let (first, second) = (sample_database().await, sample_database().await);
    let clean = first.dump().await;
    let mishaps = sample::make_mess(&mut first.connect().await).await.unwrap();
    assert_eq!(mishaps.len(), 5);
    for mishap in &mishaps {
        assert!(mishap.rows > 0, "{mishap:?}");
    }
    assert!(mishaps[0].rows > 300 && mishaps[1].rows > 50 && mishaps[2].rows > 100);
    let again = sample::make_mess(&mut second.connect().await).await.unwrap();
    assert_eq!(mishaps, again);
    let messy = first.dump().await;
    for table in ["vrf", "vpc", "prefix", "vpc_prefix_association"] {
        assert_ne!(clean[table], messy[table], "{table}");
    }
}

#[tokio::test]
async fn edits_change_as_many_rows_as_asked_and_only_those() {
    let database = sample_database().await;
    let mut connection = database.connect().await;
    assert_eq!(sample::edit_random(&mut connection, 50, 7).await.unwrap(), 50);
    let edited = "SELECT count(*) FROM prefix WHERE tags->>'ticket' = 'CHG-7'";
    assert_eq!(database.value(edited).await, "50");
    assert_eq!(sample::edit_clustered(&mut connection, 60, 2, 8).await.unwrap(), 60);
    let vrfs = "SELECT count(DISTINCT vrf_id) FROM prefix WHERE tags->>'ticket' = 'CHG-8'";
    assert_eq!(database.value(vrfs).await, "2");
}

#[tokio::test]
async fn the_same_seed_edits_the_same_rows_and_another_seed_others() {
    let (first, second) = (sample_database().await, sample_database().await);
    let edited = "SELECT string_agg(prefix_id, ',' ORDER BY prefix_id) FROM prefix
        WHERE tags->>'ticket' LIKE 'CHG-%'";
    sample::edit_random(&mut first.connect().await, 20, 1).await.unwrap();
    sample::edit_random(&mut second.connect().await, 20, 1).await.unwrap();
    let once = first.value(edited).await;
    assert_eq!(once, second.value(edited).await);
    sample::edit_random(&mut second.connect().await, 20, 2).await.unwrap();
    assert_ne!(once, second.value(edited).await);
}

#[tokio::test]
async fn a_touch_changes_nothing_but_the_time_of_every_subnet() {
    let database = sample_database().await;
    let content = "SELECT md5(string_agg((to_jsonb(p) - 'updated_at')::text, ','
        ORDER BY prefix_id)) FROM prefix p";
    let before = database.value(content).await;
    let touched = sample::touch_subnets(&mut database.connect().await).await.unwrap();
    assert_eq!(touched, SAMPLE.counts().subnets);
    assert_eq!(database.value(content).await, before);
    let times = "SELECT count(*) FROM prefix WHERE updated_at > '2026-03-02'";
    assert_eq!(database.value(times).await, touched.to_string());
}
