//! Changes as a day brings them: at random places, within a few VRFs, by a cloud sync. The same
//! seed picks the same rows.

use sqlx::PgConnection;

use crate::embedded::EmbeddedError;

/// Changes the tags of `rows` prefixes anywhere in the plan; returns how many it changed, which
/// is fewer only if the plan is smaller.
///
/// # Errors
/// When the database refuses.
pub async fn edit_random(
    connection: &mut PgConnection,
    rows: u64,
    seed: u64,
) -> Result<u64, EmbeddedError> {
    let statement = "
        UPDATE prefix SET tags = tags || jsonb_build_object('ticket', 'CHG-' || $1)
        WHERE prefix_id IN (
            SELECT prefix_id FROM prefix
            ORDER BY md5(prefix_id || $1), prefix_id COLLATE \"C\" LIMIT $2)";
    let done =
        sqlx::query(statement).bind(seed.to_string()).bind(limit(rows)).execute(connection).await?;
    Ok(done.rows_affected())
}

/// Changes the tags of `rows` manual prefixes within `vrfs` VRFs; returns how many it changed,
/// which is fewer only if those VRFs hold fewer.
///
/// # Errors
/// When the database refuses.
pub async fn edit_clustered(
    connection: &mut PgConnection,
    rows: u64,
    vrfs: u64,
    seed: u64,
) -> Result<u64, EmbeddedError> {
    let statement = "
        WITH chosen AS (
            SELECT vrf_id FROM vrf WHERE vrf_id <> 'public-vrf'
            ORDER BY md5(vrf_id || $1), vrf_id COLLATE \"C\" LIMIT $3)
        UPDATE prefix SET tags = tags || jsonb_build_object('ticket', 'CHG-' || $1)
        WHERE prefix_id IN (
            SELECT prefix_id FROM prefix JOIN chosen USING (vrf_id)
            WHERE source = 'manual'
            ORDER BY md5(prefix_id || $1), prefix_id COLLATE \"C\" LIMIT $2)";
    let done = sqlx::query(statement)
        .bind(seed.to_string())
        .bind(limit(rows))
        .bind(limit(vrfs))
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

/// Does what each cloud sync does: writes every VPC subnet anew, so that only `updated_at`
/// changes. Returns how many there are.
///
/// # Errors
/// When the database refuses.
pub async fn touch_subnets(connection: &mut PgConnection) -> Result<u64, EmbeddedError> {
    let statement = "
        UPDATE prefix SET updated_at = now()
        WHERE source = 'vpc' AND vrf_id <> 'public-vrf'";
    let done = sqlx::query(statement).execute(connection).await?;
    Ok(done.rows_affected())
}

fn limit(rows: u64) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
