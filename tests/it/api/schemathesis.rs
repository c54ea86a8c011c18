//! Schemathesis plays all calls of the document, well-formed and not, against a running service:
//! nothing breaks down, and nothing is answered that the document does not say.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::support::app::{App, Listening};
use crate::support::sample_database;

fn schemathesis() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/schemathesis/bin/st");
    assert!(path.is_file(), "{} is missing: run scripts/setup.sh", path.display());
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_breaks_down_and_nothing_undocumented_is_answered() {
    let database = sample_database().await;
    let app = App::on(&database).await;
    app.backup().await;
    let listening = Listening::to(&app).await;
    let document = format!("{}/api/openapi.json", listening.address);
    let folder = tempfile::tempdir().expect("a folder");
    let run = tokio::process::Command::new(schemathesis())
        // One worker: Python 3.11 counts the depth of what it parses over all threads together, and
        // now and then gives up ("AST constructor recursion depth mismatch").
        .args(["run", &document, "--workers", "1", "--max-examples", "30", "--seed", "1"])
        .args(["--phases", "examples,coverage,fuzzing", "--request-timeout", "60"])
        // Streams go on, and archives it cannot make: what comes of hostile ones, `archive` tests. An
        // answer that is refused for the way it was asked is no finding.
        .args(["--exclude-path-regex", "/events$|/import$"])
        .args(["--exclude-checks", "unsupported_method,positive_data_acceptance"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .await
        .expect("it runs");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}\n{}", String::from_utf8_lossy(&run.stderr));
}
