//! Large changes of a plan, which only the benchmarks make.

use anyhow::Result;
use sqlx::PgConnection;

/// Imports 50,000 prefixes that nobody wanted into a VRF of their own.
pub async fn import(plan: &mut PgConnection) -> Result<()> {
    sqlx::raw_sql(
        "BEGIN;
         INSERT INTO vrf (vrf_id) VALUES ('imported');
         INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable)
         SELECT 'imported-' || n, 'imported', ('10.0.0.0'::inet + n)::cidr, 'manual', false
         FROM generate_series(1, 50000) n;
         COMMIT",
    )
    .execute(plan)
    .await?;
    Ok(())
}

/// Removes 1,000 subnets that nothing refers to, others in each round.
pub async fn remove(plan: &mut PgConnection, round: usize) -> Result<()> {
    sqlx::query(
        "DELETE FROM prefix WHERE prefix_id IN (
             SELECT prefix_id FROM prefix p WHERE source = 'vpc'
             AND NOT EXISTS (SELECT FROM prefix c WHERE c.parent_prefix_id = p.prefix_id)
             AND NOT EXISTS (SELECT FROM vpc_prefix_association a WHERE a.parent_prefix_id = p.prefix_id)
             ORDER BY hashtext(prefix_id || $1) LIMIT 1000)",
    )
    .bind(round.to_string())
    .execute(plan)
    .await?;
    Ok(())
}

/// Changes or removes half of the prefixes: every third gets other tags, and the subnets among the
/// others go. (Without the index, which the plan lacks, each row that goes would be looked for in all
/// associations: minutes that nobody measures.)
pub async fn wreck_half(plan: &mut PgConnection) -> Result<()> {
    sqlx::raw_sql(
        "BEGIN;
         CREATE INDEX lent ON vpc_prefix_association (parent_prefix_id);
         UPDATE prefix SET tags = tags || '{\"owner\": \"#REF!\"}'
         WHERE hashtext(prefix_id) % 3 = 0;
         DELETE FROM prefix WHERE source = 'vpc' AND hashtext(prefix_id) % 3 <> 0;
         DROP INDEX lent;
         COMMIT",
    )
    .execute(plan)
    .await?;
    Ok(())
}

/// Empties all tables.
pub async fn empty(plan: &mut PgConnection) -> Result<()> {
    sqlx::raw_sql("TRUNCATE vrf, vpc, prefix, vpc_prefix_association, device42_ipaddress")
        .execute(plan)
        .await?;
    Ok(())
}
