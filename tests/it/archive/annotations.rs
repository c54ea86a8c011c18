//! What people say of a backup later.

use crate::support::database;
use crate::support::program::Program;

#[tokio::test]
async fn a_pinned_backup_outlives_cleanups_until_it_is_unpinned() {
    let database = database().await;
    let program = Program::on(&database);
    let (old, new) = (program.backup(), program.backup());
    program.ok(&["annotate", &old, "--pin"]);
    program.ok(&["cleanup", "1"]);
    assert_eq!(program.ids(), [new.clone(), old.clone()]);
    program.ok(&["annotate", &old, "--unpin"]);
    program.ok(&["cleanup", "1"]);
    assert_eq!(program.ids(), [new]);
}

#[tokio::test]
async fn description_and_labels_change_and_the_rest_of_the_state_stays() {
    let database = database().await;
    let program = Program::on(&database);
    let id = program.backup();
    program.ok(&["verify", &id]);
    let label = ["annotate", &id, "--label", "change=CHG-1", "--label", "site=fra=2"];
    let body = program.json(&label);
    assert_eq!(
        body["backup_info"]["labels"],
        serde_json::json!({"change": "CHG-1", "site": "fra=2"})
    );
    let said = program.ok(&["annotate", &id, "--label", "change=", "--description", "Golden"]);
    assert_eq!(said, format!("Backup {id}: Golden [site=fra=2]\n"));
    let info = &program.json(&["details", &id])["backup_info"];
    assert_eq!(info["labels"], serde_json::json!({"site": "fra=2"}));
    assert_eq!((&info["description"], info["verification"].is_object()), (&"Golden".into(), true));
}

#[tokio::test]
async fn what_would_break_a_list_and_what_says_nothing_is_refused() {
    let database = database().await;
    let program = Program::on(&database);
    let id = program.backup();
    for wrong in [
        &["--description", "two\nlines"][..],
        &["--description", ""],
        &["--label", "no value"],
        &["--label", "with space=x"],
        &["--pin", "--unpin"],
        &[],
    ] {
        let ended = program.run(&[&["annotate", &id], wrong].concat());
        assert_eq!(ended.code, 2, "{wrong:?}: {}", ended.err);
    }
    assert_eq!(program.run(&["annotate", "20250101_000000", "--pin"]).code, 3);
    assert_eq!(program.json(&["details", &id])["backup_info"]["labels"], serde_json::json!({}));
}
