//! Row-level security, and a pooler that runs each transaction in another session of the server.

use ipam_rewind::embedded::PLAN_OWNER;
use ipam_rewind::engine::{BackupRequest, Engine, Kind, Point, RestoreOptions, Run};
use sqlx::{Connection, PgConnection};

use super::DISTURB;
use crate::restore_cases::{plan, site};
use crate::support::cycle::{Cycle, assert_same, words};
use crate::support::pooler::Pooler;

/// A hundred and twenty prefixes, of which a reader sees thirty.
const HIDDEN: &str = "
    INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable)
        SELECT 'p' || n, 'lab', ('172.16.' || n || '.0/24')::cidr, 'manual', false
        FROM generate_series(1, 108) n;
    ALTER TABLE prefix ENABLE ROW LEVEL SECURITY;
    CREATE POLICY seen ON prefix USING (cidr <<= '172.16.0.0/19');";

/// An engine over the cycle's store that reaches its database through this pooler.
async fn through(cycle: &Cycle, pooler: &Pooler, user: &str) -> Engine {
    let name = cycle.database.value("SELECT current_database()").await;
    Engine::new(cycle.engine.store().clone(), Some(pooler.url(&name, user)))
}

#[tokio::test]
async fn sixteen_backups_of_a_role_that_row_security_binds_are_all_refused() {
    let cycle = site(HIDDEN).await;
    let role = format!("reader_{}", cycle.database.value("SELECT current_database()").await);
    cycle
        .database
        .sql_as_superuser(&format!(
            "CREATE ROLE {role} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role};
             GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}"
        ))
        .await;
    let pooler = Pooler::start(&[&role]);
    let engine = through(&cycle, &pooler, &role).await;
    for round in 0..16 {
        let refused = engine.backup(BackupRequest::default(), &Run::new()).await;
        let error = refused.expect_err("rows are hidden");
        assert_eq!(error.kind(), Kind::NotPermitted, "{round}: {}", words(&error));
        let said = words(&error);
        assert!(said.contains("row-level security of public.prefix"), "{round}: {said}");
    }
    assert_eq!(cycle.backups().await, 0);
    drop(pooler);
    cycle.database.sql_as_superuser(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[tokio::test]
async fn sixteen_backups_through_a_pooler_are_all_complete() {
    let cycle = site(HIDDEN).await;
    let direct = cycle.backup().await;
    let pooler = Pooler::start(&[PLAN_OWNER]);
    let engine = through(&cycle, &pooler, PLAN_OWNER).await;
    for round in 0..16 {
        let made = engine.backup(BackupRequest::default(), &Run::new()).await;
        let made = made.unwrap_or_else(|error| panic!("{round}: {}", words(&error)));
        let seen = cycle.diff(Point::Backup(direct.clone()), Point::Backup(made.backup_id)).await;
        assert!(seen.identical, "{round}");
    }
}

#[tokio::test]
async fn forced_row_security_binds_the_owner_too_and_is_refused_in_every_path() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    let hide = "ALTER TABLE prefix FORCE ROW LEVEL SECURITY";
    cycle.sql(&format!("{DISTURB} {HIDDEN} {hide}")).await;
    let options = RestoreOptions::default();
    let run = Run::new();
    let refused = [
        cycle.engine.backup(BackupRequest::default(), &run).await.map(drop),
        cycle.engine.diff(&Point::Backup(id.clone()), &Point::Live, 1, &run).await.map(drop),
        cycle.engine.preview(&id, &options, 1, &run).await.map(drop),
        cycle.engine.restore(&id, &options, &run).await.map(drop),
    ];
    for refused in refused {
        let error = refused.expect_err("rows are hidden");
        assert!(words(&error).contains("row-level security of public.prefix"), "{}", words(&error));
    }
    assert_eq!(cycle.backups().await, 1);
}

#[tokio::test]
async fn forced_row_security_of_the_idempotency_records_is_refused() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    cycle
        .sql(&format!(
            "{DISTURB} ALTER TABLE idempotency_record ENABLE ROW LEVEL SECURITY;
             ALTER TABLE idempotency_record FORCE ROW LEVEL SECURITY"
        ))
        .await;
    let wanted = ["row-level security of public.idempotency_record"];
    super::restore_refused(&cycle, &id, &wanted).await;
}

#[tokio::test]
async fn restore_and_comparison_work_through_a_pooler() {
    let cycle = plan().await;
    let before = cycle.contents().await;
    let id = cycle.backup().await;
    cycle.sql(DISTURB).await;
    let pooler = Pooler::start(&[PLAN_OWNER]);
    let engine = through(&cycle, &pooler, PLAN_OWNER).await;
    let (options, run) = (RestoreOptions::default(), Run::new());
    let seen = engine.preview(&id, &options, 9, &run).await;
    let seen = seen.unwrap_or_else(|error| panic!("preview: {}", words(&error)));
    assert!(!seen.is_empty());
    let restored = engine.restore(&id, &options, &run).await;
    restored.unwrap_or_else(|error| panic!("restore: {}", words(&error)));
    assert_same(&cycle.contents().await, &before);
    let seen = engine.diff(&Point::Backup(id), &Point::Live, 9, &run).await;
    assert!(seen.unwrap_or_else(|error| panic!("diff: {}", words(&error))).identical);
}

#[tokio::test]
async fn sessions_that_the_application_gets_from_the_pooler_have_its_settings() {
    let cycle = plan().await;
    let id = cycle.backup().await;
    cycle.sql(DISTURB).await;
    let pooler = Pooler::start(&[PLAN_OWNER]);
    let engine = through(&cycle, &pooler, PLAN_OWNER).await;
    let settings = "SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings
        WHERE name NOT IN ('application_name', 'client_encoding', 'DateStyle', 'TimeZone',
            'extra_float_digits', 'standard_conforming_strings', 'in_hot_standby')";
    let direct = cycle.database.value(settings).await;
    let (options, run) = (RestoreOptions::default(), Run::new());
    let restored = engine.restore(&id, &options, &run).await;
    restored.unwrap_or_else(|error| panic!("restore: {}", words(&error)));
    let name = cycle.database.value("SELECT current_database()").await;
    let mut pids = std::collections::BTreeSet::new();
    let url = pooler.url(&name, PLAN_OWNER);
    let mut application = PgConnection::connect(&url).await.expect("the pooler lets us in");
    for _ in 0..12 {
        let query = sqlx::AssertSqlSafe(format!("SELECT pg_backend_pid(), ({settings})"));
        let rows = sqlx::raw_sql(query).fetch_all(&mut application).await.expect("an answer");
        let (pid, seen) = <(i32, String) as sqlx::FromRow<_>>::from_row(&rows[0]).expect("a row");
        assert_eq!(seen, direct);
        pids.insert(pid);
    }
    assert!(pids.len() > 1, "the sessions take turns");
}
