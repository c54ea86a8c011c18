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

/// Prefixes of three VRFs, of which some change without their network or VRF.
async fn changed_networks(database: &crate::support::TestDatabase, first: u32, last: u32) {
    let sql = format!(
        "INSERT INTO vrf (vrf_id) VALUES ('Other prefixes'), ('blue') ON CONFLICT DO NOTHING;
         INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable)
           SELECT 'net-' || v.vrf || n, v.vrf, ('10.77.' || n || '.0/24')::cidr, 'manual', true
           FROM (VALUES ('Other prefixes'), ('blue')) v (vrf), generate_series({first}, {last}) n
         ON CONFLICT DO NOTHING"
    );
    database.sql(&sql).await;
}

#[tokio::test]
async fn changes_are_found_by_columns_that_did_not_change() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    changed_networks(&database, 0, 9).await;
    let first = app.backup().await;
    database
        .sql("UPDATE prefix SET tags = '{\"owner\": \"Ann\"}' WHERE prefix_id LIKE 'net-%'")
        .await;
    database.sql("UPDATE vrf SET description = 'Blue site' WHERE vrf_id = 'blue'").await;
    let second = app.backup().await;
    for to in [second.as_str(), "live"] {
        let report = app.get(&format!("/api/diff/{first}/{to}?limit=0")).await.ok();
        let id = report["comparison_id"].as_str().expect("an id");
        let found = async |query: &str| {
            app.get(&format!("/api/comparisons/{id}/changes?{query}")).await.ok()
        };
        for (query, total) in [
            ("", 21),
            ("q=10.77.3.0/24", 2),
            ("q=10.77.0.0/16", 20),
            ("q=10.77.3.200", 2),
            ("q=10.77.3", 2),
            ("q=10.78.0.0/16", 0),
            ("q=BLUE%2010.77.3.0/24", 1),
            ("q=ann", 20),
            ("q=blue%20site", 1),
            ("kind=added", 0),
            ("kind=added,changed&dataset=vrfs", 1),
        ] {
            let body = found(query).await;
            assert_eq!(body["total"], total, "{query}: {body}");
        }
        let body = found("q=10.77.3.0/24&limit=1&offset=1").await;
        let change = &body["changes"][0];
        assert_eq!(change["kind"], "changed");
        assert_eq!(change["identity"]["cidr"], "10.77.3.0/24");
        assert_eq!(change["identity"]["vrf_id"], "blue");
        assert_eq!(change["cells"][0]["column"], "tags");
        assert_eq!(body["datasets"]["prefixes"]["changed"], 2);
    }
}

#[tokio::test]
async fn changed_networks_are_a_tree_whose_nodes_count_all_that_is_below() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    changed_networks(&database, 0, 0).await;
    let first = app.backup().await;
    changed_networks(&database, 0, 199).await;
    database
        .sql(
            "INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable)
             VALUES ('net-wide', 'blue', '10.77.0.0/16', 'manual', true);
             UPDATE prefix SET routable = NOT routable WHERE prefix_id = 'net-blue0'",
        )
        .await;
    let report = app.get(&format!("/api/diff/{first}/live?limit=0")).await.ok();
    let id = report["comparison_id"].as_str().expect("an id");
    let tree =
        async |query: &str| app.get(&format!("/api/comparisons/{id}/tree?{query}")).await.ok();
    let groups = tree("").await;
    let names: Vec<_> =
        groups["nodes"].as_array().expect("nodes").iter().map(|node| &node["group"]).collect();
    assert_eq!(names, ["Other prefixes", "blue"]);
    assert_eq!((&groups["rows"], &groups["total"]), (&400.into(), &2.into()), "{groups}");
    let blue = &groups["nodes"][1];
    let counts = serde_json::json!({"added": 200, "changed": 1, "touched": 0, "removed": 0});
    assert_eq!((&blue["counts"], &blue["children"]), (&counts, &1.into()));
    let top = tree("group=blue").await["nodes"][0].clone();
    assert_eq!(top["change"]["identity"]["cidr"], "10.77.0.0/16");
    assert_eq!((&top["counts"], &top["children"]), (&counts, &200.into()));
    let below = tree(&format!("below={}&offset=198&limit=500", top["place"])).await;
    assert_eq!(below["total"], 200);
    assert_eq!(below["nodes"][1]["change"]["identity"]["cidr"], "10.77.199.0/24");
    assert_eq!(below["nodes"].as_array().map(Vec::len), Some(2));
    let found = tree("q=10.77.0.0/30").await;
    assert_eq!(found["rows"], 0);
    let found = tree("q=10.77.8.0/21&kind=added").await;
    assert_eq!(found["rows"], 16, "{found}");
}

#[tokio::test]
async fn comparison_that_is_not_kept_is_unknown_and_a_part_of_a_preview_finds_its_rows_alone() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    let id = app.backup().await;
    database
        .sql("UPDATE vrf SET description = 'new' WHERE vrf_id IN ('prod-vrf', 'public-vrf')")
        .await;
    database.sql("UPDATE vpc SET tags = '{\"a\": \"b\"}'").await;
    let found = async |preview: &str| {
        let preview = app.post(preview).await.ok();
        let id = preview["comparison_id"].as_str().expect("an id").to_owned();
        app.get(&format!("/api/comparisons/{id}/changes")).await.ok()
    };
    let part = found(&format!("/api/preview/{id}?vrf=prod-vrf&limit=0")).await;
    assert_eq!((&part["total"], &part["changes"][0]["key"]), (&1.into(), &"prod-vrf".into()));
    let vrfs = found(&format!("/api/preview/{id}?dataset=vrfs")).await;
    assert_eq!(vrfs["total"], 2);
    assert!(found(&format!("/api/preview/{id}")).await["total"].as_u64() > Some(2));
    for unknown in ["1", "00000000-0000-4000-8000-000000000000"] {
        let path = format!("/api/comparisons/{unknown}/changes");
        app.get(&path).await.problem(404, "no_such_comparison");
    }
    let path = format!("/api/comparisons/{unknown}/tree?kind=moved", unknown = 1);
    app.get(&path).await.problem(400, "malformed_request");
}
