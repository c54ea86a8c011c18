//! Large changes of a plan, which only the benchmarks make.

use anyhow::Result;
use sqlx::PgConnection;

/// Changes or removes half of the prefixes: every third gets other tags, and the subnets among the
/// others go.
pub async fn wreck_half(plan: &mut PgConnection) -> Result<()> {
    sqlx::raw_sql(
        "BEGIN;
         UPDATE prefix SET tags = tags || '{\"owner\": \"#REF!\"}'
         WHERE hashtext(prefix_id) % 3 = 0;
         DELETE FROM prefix WHERE source = 'vpc' AND hashtext(prefix_id) % 3 <> 0;
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
