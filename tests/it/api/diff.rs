//! `/api/diff`, `/api/history`, `/api/backup/{id}/changes`

use crate::support::app::App;
use crate::support::sample_database;

#[tokio::test]
async fn two_backups_and_a_backup_and_live_are_compared() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let first = app.backup().await;
    database.sql("UPDATE vrf SET description = 'new' WHERE vrf_id = 'prod-vrf'").await;
    let report = app.get(&format!("/api/diff/{first}/live")).await.ok();
    assert_eq!(report["datasets"]["vrfs"]["changed"], 1);
    assert_eq!(report["changes"][0]["key"], "prod-vrf");

    let second = app.backup().await;
    let backups = app.get(&format!("/api/diff/{first}/{second}?limit=5")).await.ok();
    assert_eq!(backups["changes"], report["changes"]);
    assert_eq!(app.get(&format!("/api/diff/{first}/{first}")).await.ok()["identical"], true);
    app.get(&format!("/api/diff/{first}/yesterday")).await.problem(400, "malformed_request");

    let changes = app.get(&format!("/api/backup/{second}/changes")).await.ok();
    assert_eq!(
        (&changes["before"], &changes["datasets"]["vrfs"]["changed"]),
        (&first.into(), &1.into())
    );
    let history = app.get("/api/history/vrf/prod-vrf").await.ok();
    assert_eq!(history["versions"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn all_rows_that_differ_are_a_download() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let first = app.backup().await;
    database.sql("UPDATE vrf SET description = 'a,b' WHERE vrf_id = 'prod-vrf'").await;
    let second = app.backup().await;
    let csv = app.get(&format!("/api/diff/{first}/{second}?format=csv")).await;
    assert!(csv.header("content-type").starts_with("text/csv"), "{csv:?}");
    assert!(csv.header("content-disposition").contains("attachment; filename="));
    let text = String::from_utf8(csv.bytes).expect("text");
    assert!(text.starts_with("dataset,table,key,change,column,old,new\n"), "{text}");
    assert!(text.contains("vrfs,vrf,prod-vrf,changed,description,") && text.contains("\"a,b\""));

    database.sql("UPDATE vrf SET description = '=1+1;@x' WHERE vrf_id = 'prod-vrf'").await;
    let third = app.backup().await;
    for (formulas, cell) in [("", ",=1+1;@x\n"), ("&formulas=escape", ",'=1+1;'@x\n")] {
        let path = format!("/api/diff/{second}/{third}?format=csv{formulas}");
        let text = String::from_utf8(app.get(&path).await.bytes).expect("text");
        assert!(text.contains(cell), "{text}");
    }
    let path = format!("/api/diff/{second}/{third}?format=csv&formulas=none");
    app.get(&path).await.problem(400, "malformed_request");
    database.sql("UPDATE vrf SET description = 'a,b' WHERE vrf_id = 'prod-vrf'").await;
    let mut request = crate::support::app::request("GET", &format!("/api/diff/{first}/live"));
    request.headers_mut().insert("accept", "text/csv".parse().expect("a header"));
    assert_eq!(String::from_utf8(app.call(request).await.bytes).expect("text"), text);
    let lines = app.get(&format!("/api/diff/{first}/{second}?format=json")).await;
    assert_eq!(lines.header("content-type"), "application/jsonl");
    assert_eq!(lines.json()["key"], "prod-vrf");
}
