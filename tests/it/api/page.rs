//! The embedded page, or what there is instead.

use std::path::Path;

use ipam_rewind::api::Settings;

use crate::support::app::{App, request};

fn is_built() -> bool {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("frontend/dist/index.html").exists()
}

#[tokio::test]
async fn the_root_and_every_place_of_the_page_is_the_page_or_says_how_to_build_it() {
    let app = App::with(None, Settings::default()).await;
    for path in ["/", "/backups", "/backups/20250920_143022"] {
        let answer = app.get(path).await;
        assert_eq!(answer.status, 200);
        let text = String::from_utf8(answer.bytes.clone()).expect("text");
        if is_built() {
            assert!(text.contains("<html"), "{path}: {text}");
            assert_eq!(answer.header("cache-control"), "no-cache");
            let mut again = request("GET", path);
            let tag = answer.headers["etag"].clone();
            again.headers_mut().insert("if-none-match", tag);
            assert_eq!(app.call(again).await.status, 304, "{path}");
        } else {
            assert!(text.contains("npm"), "{path}: {text}");
        }
    }
}

#[tokio::test]
async fn a_file_of_another_build_is_not_there_and_is_not_the_page() {
    let app = App::with(None, Settings::default()).await;
    app.get("/assets/index-0ldbu11d.js").await.problem(404, "no_such_call");
    app.get("/..%2f..%2fCargo.toml").await.problem(404, "no_such_call");
}
