//! A server whose history is put back, or goes on elsewhere.

use super::{Backups, Moment, plan_on};
use crate::support::scratch::Scratch;

/// Changes other rows than [`HERE`] does, in as many transactions.
const THERE: [&str; 3] = [
    "UPDATE prefix SET tags = '{\"there\": 1}' WHERE prefix_id = 'six'",
    "UPDATE vrf SET description = 'there' WHERE vrf_id = 'corp'",
    "INSERT INTO vrf (vrf_id) VALUES ('added')",
];

const HERE: [&str; 3] = [
    "INSERT INTO vrf (vrf_id) VALUES ('added')",
    "UPDATE prefix SET tags = '{\"here\": 1}' WHERE prefix_id = 'north'",
    "UPDATE vrf SET description = 'here' WHERE vrf_id = 'lab'",
];

async fn all(server: &Scratch, statements: [&str; 3]) {
    for statement in statements {
        server.sql(statement).await;
    }
}

#[tokio::test]
async fn data_directory_that_was_put_back_is_read_in_full() {
    let (mut server, backups) = (plan_on("").await, Backups::new().await);
    server.stop().await;
    let earlier = server.copy();
    server.start().await;
    backups.add(&server).await;
    all(&server, HERE).await;
    backups.add_changes(&server, 3).await;
    let moment = Moment::of(&server).await;
    server.stop().await;
    server.put_back(&earlier);
    server.start().await;
    all(&server, THERE).await;
    moment.pass(&server).await;
    backups.add_full(&server, "started anew").await;
    server.sql("DELETE FROM vrf WHERE vrf_id = 'added'").await;
    backups.add_changes(&server, 0).await;
}

#[tokio::test]
async fn server_that_is_at_an_earlier_point_than_the_base_is_read_in_full() {
    let (mut server, backups) = (plan_on("").await, Backups::new().await);
    server.hide_starts().await;
    server.stop().await;
    let earlier = server.copy();
    server.start().await;
    backups.add(&server).await;
    all(&server, HERE).await;
    backups.add_changes(&server, 3).await;
    server.stop().await;
    server.put_back(&earlier);
    server.start().await;
    all(&server, THERE).await;
    backups.add_full(&server, "put back to an earlier point").await;
}

#[tokio::test]
async fn standby_promoted_after_a_lag_is_read_in_full() {
    let (mut primary, backups) = (plan_on("").await, Backups::new().await);
    // Only the timeline tells.
    primary.hide_starts().await;
    primary.stop().await;
    let mut standby = primary.copy();
    primary.start().await;
    backups.add(&primary).await;
    all(&primary, HERE).await;
    backups.add_changes(&primary, 3).await;
    let moment = Moment::of(&primary).await;
    primary.stop().await;
    standby.make_standby(None);
    standby.start().await;
    standby.promote().await;
    all(&standby, THERE).await;
    moment.pass(&standby).await;
    backups.add_full(&standby, "on another timeline").await;
    standby.sql("DELETE FROM vrf WHERE vrf_id = 'added'").await;
    backups.add_changes(&standby, 0).await;
}

#[tokio::test]
async fn database_that_is_made_anew_with_its_oid_is_read_in_full() {
    let (server, backups) = (plan_on("").await, Backups::new().await);
    if server.number("SELECT current_setting('server_version_num')").await < 150_000 {
        return println!("this version gives each database another oid");
    }
    let oid = server.value("SELECT oid FROM pg_database WHERE datname = 'plan'").await;
    server.sql_in("postgres", "CREATE DATABASE earlier TEMPLATE plan").await;
    all(&server, HERE).await;
    let again = format!("CREATE DATABASE plan OWNER prefix_user OID {oid} TEMPLATE earlier");
    backups.add(&server).await;
    for statement in ["DROP DATABASE plan WITH (FORCE)", &again] {
        server.sql_in("postgres", statement).await;
    }
    server.sql("INSERT INTO vrf (vrf_id) VALUES ('added')").await;
    backups.add_full(&server, "from another database").await;
}
