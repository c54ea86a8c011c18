//! The mess that a demo rewinds: what goes wrong in an address plan on a bad day.

use sqlx::{Connection, PgConnection};

use crate::embedded::EmbeddedError;

/// Something that went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mishap {
    /// What happened, in one line.
    pub description: String,
    /// How many rows it inserted, changed or deleted.
    pub rows: u64,
}

/// Wrecks the sample plan of `connection`'s database: a bad import, a deleted subtree, a mass
/// edit, a deleted VPC and a public address that changed hands. All of it happens or nothing.
///
/// # Errors
/// When the database refuses; then nothing was changed.
pub async fn make_mess(connection: &mut PgConnection) -> Result<Vec<Mishap>, EmbeddedError> {
    let mut transaction = connection.begin().await?;
    let mishaps = vec![
        Mishap {
            description: "a bad import: VRF `prod-vrf-copy` and wrong prefixes in it and in \
                          `prod-vrf`"
                .to_owned(),
            rows: bad_import(&mut transaction).await?,
        },
        delete_subtree(&mut transaction).await?,
        Mishap {
            description: "a mass edit: tags and routable flags of the prefixes of two VRFs"
                .to_owned(),
            rows: mass_edit(&mut transaction).await?,
        },
        delete_vpc(&mut transaction).await?,
        Mishap {
            description: "a public address given to another VPC".to_owned(),
            rows: reassign_public_address(&mut transaction).await?,
        },
    ];
    transaction.commit().await?;
    Ok(mishaps)
}

async fn bad_import(connection: &mut PgConnection) -> Result<u64, EmbeddedError> {
    let vrf = "
        INSERT INTO vrf (vrf_id, description, tags)
        VALUES ('prod-vrf-copy', 'import of export (2) FINAL.xlsx', '{\"imported\": true}')";
    let prefixes = "
        INSERT INTO prefix (prefix_id, vrf_id, cidr, tags, source, routable)
        SELECT format('manual-%s-172-%s-%s-0-24', vrf_id, 16 + number / 256, number % 256),
               vrf_id, format('172.%s.%s.0/24', 16 + number / 256, number % 256)::cidr,
               jsonb_build_object('owner', '#REF!', 'row', number), 'manual', true
        FROM generate_series(0, 299) number, (VALUES ('prod-vrf'), ('prod-vrf-copy')) v (vrf_id)";
    Ok(run(connection, vrf).await? + run(connection, prefixes).await?)
}

/// Deletes one site with everything below it, children first as the foreign key asks.
async fn delete_subtree(connection: &mut PgConnection) -> Result<Mishap, EmbeddedError> {
    let site: Option<(String, String)> = sqlx::query_as(
        "SELECT site.prefix_id, site.vrf_id || ' ' || site.cidr
         FROM prefix site JOIN prefix child ON child.parent_prefix_id = site.prefix_id
         WHERE site.indentation_level = 2 AND NOT site.vpc_children_type_flag
           AND site.source = 'manual' AND masklen(site.cidr) = 16
         GROUP BY site.prefix_id ORDER BY count(*) DESC, site.prefix_id COLLATE \"C\" LIMIT 1",
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some((site, name)) = site else {
        return Ok(Mishap { description: "no site to delete".to_owned(), rows: 0 });
    };
    let mut rows = 0;
    for level in (2..=6).rev() {
        rows += delete_level(connection, &site, level).await?;
    }
    Ok(Mishap { description: format!("a deleted site: {name} with everything below it"), rows })
}

async fn delete_level(
    connection: &mut PgConnection,
    root: &str,
    level: i32,
) -> Result<u64, EmbeddedError> {
    let statement = "
        WITH RECURSIVE below AS (
            SELECT prefix_id, indentation_level FROM prefix WHERE prefix_id = $1
            UNION ALL
            SELECT child.prefix_id, child.indentation_level
            FROM prefix child JOIN below ON child.parent_prefix_id = below.prefix_id)
        DELETE FROM prefix WHERE prefix_id IN (
            SELECT prefix_id FROM below WHERE indentation_level = $2)";
    let done = sqlx::query(statement).bind(root).bind(level).execute(connection).await?;
    Ok(done.rows_affected())
}

async fn mass_edit(connection: &mut PgConnection) -> Result<u64, EmbeddedError> {
    run(
        connection,
        "UPDATE prefix
         SET tags = tags - 'owner' || '{\"environment\": \"decommissioned\"}', routable = false
         WHERE vrf_id IN (
             SELECT vrf_id FROM vrf WHERE routable_flag AND vrf_id NOT IN
                 ('prod-vrf', 'public-vrf', 'prod-vrf-copy')
             ORDER BY vrf_id COLLATE \"C\" LIMIT 2)",
    )
    .await
}

/// Deletes the VPC with the most subnets; its associations go along by their foreign key.
async fn delete_vpc(connection: &mut PgConnection) -> Result<Mishap, EmbeddedError> {
    let (vpc, name): (String, String) = sqlx::query_as(
        "SELECT vpc.vpc_id::text, provider || ' ' || provider_vpc_id
         FROM vpc JOIN prefix USING (vpc_id)
         GROUP BY vpc.vpc_id ORDER BY count(*) DESC, vpc.vpc_id LIMIT 1",
    )
    .fetch_one(&mut *connection)
    .await?;
    let mut rows = 0;
    for statement in [
        "DELETE FROM prefix WHERE vpc_id = $1::uuid",
        "DELETE FROM vpc_prefix_association WHERE vpc_id = $1::uuid",
        "DELETE FROM vpc WHERE vpc_id = $1::uuid",
    ] {
        let done = sqlx::query(statement).bind(&vpc).execute(&mut *connection).await?;
        rows += done.rows_affected();
    }
    Ok(Mishap {
        description: format!("a deleted VPC: {name} with its blocks, subnets and addresses"),
        rows,
    })
}

/// The address keeps its CIDR and gets a new id, as the cloud sync would have it.
async fn reassign_public_address(connection: &mut PgConnection) -> Result<u64, EmbeddedError> {
    run(
        connection,
        "UPDATE prefix SET source = 'vpc', vpc_id = taker.vpc_id, tags = '{\"usage\": \"unknown\"}',
             prefix_id = taker.vpc_id || replace(prefix_id, 'public-ip-', '-subnet-')
         FROM (SELECT vpc_id FROM vpc ORDER BY vpc_id LIMIT 1) taker
         WHERE prefix_id = (
             SELECT min(prefix_id COLLATE \"C\") FROM prefix
             WHERE vrf_id = 'public-vrf' AND source = 'manual')",
    )
    .await
}

async fn run(connection: &mut PgConnection, statement: &'static str) -> Result<u64, EmbeddedError> {
    let done = sqlx::query(statement).execute(connection).await?;
    Ok(done.rows_affected())
}
