//! Streams a plan into an empty database: generated row by row, never held as a whole.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::copy_text::CopyText;
use super::size::{PlanCounts, PlanSize};
use super::vrf::Vrf;
use super::{cloud, device42, prefix, public, site, vrf};
use crate::embedded::EmbeddedError;

/// Connects to the database of a plan.
///
/// # Errors
/// When it cannot be reached.
pub async fn connect(url: &str) -> Result<PgConnection, EmbeddedError> {
    Ok(PgConnection::connect(url).await?)
}

/// Fills the plan of the database at this address, as [`load`] does, unless it has prefixes already.
///
/// # Errors
/// When the database cannot be reached or refuses; then nothing was loaded.
pub async fn load_if_empty(url: &str, plan: PlanSize) -> Result<(), EmbeddedError> {
    let mut connection = connect(url).await?;
    let there = sqlx::query_scalar("SELECT EXISTS (SELECT FROM prefix)");
    if !there.fetch_one(&mut connection).await? {
        load(&mut connection, plan).await?;
    }
    connection.close().await?;
    Ok(())
}

/// Fills the empty plan of `connection`'s database, as the owner of its tables, in one
/// transaction; the same size always gives the same rows. Every rule that the triggers hold is
/// kept, but they are not run, for speed. Returns how many rows of each kind there are now.
///
/// # Errors
/// When the database refuses, as it does if the plan is not empty; then nothing was loaded.
pub async fn load(
    connection: &mut PgConnection,
    plan: PlanSize,
) -> Result<PlanCounts, EmbeddedError> {
    let mut transaction = connection.begin().await?;
    run(&mut transaction, "ALTER TABLE prefix DISABLE TRIGGER USER").await?;
    write_vrfs(&mut transaction, plan).await?;
    write_vpcs(&mut transaction, plan).await?;
    write_prefixes(&mut transaction, plan).await?;
    write_associations(&mut transaction, plan).await?;
    write_devices(&mut transaction, plan).await?;
    run(&mut transaction, "ALTER TABLE prefix ENABLE TRIGGER USER").await?;
    transaction.commit().await?;
    run(connection, "ANALYZE vrf, vpc, prefix, vpc_prefix_association, device42_ipaddress").await?;
    Ok(plan.counts())
}

async fn write_vrfs(connection: &mut PgConnection, plan: PlanSize) -> Result<(), EmbeddedError> {
    let vrfs = Vrf::all(plan).filter(|vrf| !vrf.is_preset());
    copy(connection, vrf::COLUMNS, vrfs, |vrf, rows| vrf.write(rows)).await
}

async fn write_vpcs(connection: &mut PgConnection, plan: PlanSize) -> Result<(), EmbeddedError> {
    copy(connection, cloud::VPC_COLUMNS, 0..plan.vpcs(), cloud::write_vpc).await
}

/// One COPY for all prefixes: children may then come before their parents, since a foreign key is
/// checked at the statement's end.
async fn write_prefixes(
    connection: &mut PgConnection,
    plan: PlanSize,
) -> Result<(), EmbeddedError> {
    let networks = Vrf::all(plan).zip(site::shares(plan)).map(Piece::Network);
    let public = (0..plan.public_ips()).map(Piece::Public);
    copy(connection, prefix::COLUMNS, networks.chain(public), |piece, rows| match piece {
        Piece::Network((vrf, share)) => {
            let vpcs = vrf.vpcs(plan);
            site::write(&vrf, vpcs.end - vpcs.start, share, rows);
            for (slot, vpc) in (0..).zip(vpcs) {
                cloud::write_subnets(&vrf, slot, vpc, rows);
            }
        }
        Piece::Public(number) => public::write(plan, number, rows),
    })
    .await
}

/// A part of the table `prefix` that is generated at once: a whole VRF, or one public address.
enum Piece {
    Network((Vrf, u64)),
    Public(u64),
}

async fn write_associations(
    connection: &mut PgConnection,
    plan: PlanSize,
) -> Result<(), EmbeddedError> {
    copy(connection, cloud::ASSOCIATION_COLUMNS, Vrf::all(plan), |vrf, rows| {
        for (slot, vpc) in (0..).zip(vrf.vpcs(plan)) {
            cloud::write_associations(&vrf, slot, vpc, rows);
        }
    })
    .await
}

async fn write_devices(connection: &mut PgConnection, plan: PlanSize) -> Result<(), EmbeddedError> {
    copy(connection, device42::COLUMNS, 0..plan.device42(), device42::write).await?;
    // The ids were given, so the sequence has not moved with them.
    let next = plan.device42() + 1;
    let restart = format!("ALTER SEQUENCE device42_ipaddress_id_seq RESTART WITH {next}");
    run(connection, &restart).await
}

/// Sends what `write` makes of each item to one `COPY`.
async fn copy<T>(
    connection: &mut PgConnection,
    columns: &str,
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(T, &mut CopyText),
) -> Result<(), EmbeddedError> {
    let mut target = connection.copy_in_raw(&format!("COPY {columns} FROM STDIN")).await?;
    let mut rows = CopyText::default();
    for item in items {
        write(item, &mut rows);
        if let Some(large) = rows.take_if_large() {
            target.send(large.into_bytes()).await?;
        }
    }
    target.send(rows.take().into_bytes()).await?;
    target.finish().await?;
    Ok(())
}

async fn run(connection: &mut PgConnection, statement: &str) -> Result<(), EmbeddedError> {
    // Only constants and numbers come here.
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}
