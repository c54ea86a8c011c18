//! The embedded page, or what there is instead.

use std::path::Path;

use ipam_rewind::api::Settings;

use crate::support::app::{Answer, App, request};

/// Whether `frontend/dist` holds the page.
pub fn is_built() -> bool {
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
async fn every_place_of_the_page_knows_its_way_to_the_root_whatever_path_is_in_front() {
    if !is_built() {
        return;
    }
    let settings =
        Settings { base_path: "/rewind".parse().expect("a path"), ..Settings::default() };
    let app = App::with(None, settings).await;
    let mut tags = std::collections::BTreeSet::new();
    for (path, way) in [
        ("/", "./"),
        ("/rewind/", "./"),
        ("/statistics", "./"),
        ("/backups/20250920_143022", "../"),
        ("/rewind/backups/20250920_143022", "../"),
        ("/rewind/compare/live/20250920_143022", "../../"),
    ] {
        let answer = app.get(path).await;
        let text = String::from_utf8(answer.bytes.clone()).expect("text");
        assert!(text.contains(&format!("<base href=\"{way}\" />")), "{path}: {text}");
        assert!(!text.contains("=\"/"), "{path}: no address is absolute: {text}");
        tags.insert((answer.header("etag").to_owned(), way));
    }
    assert_eq!(tags.len(), 3, "another way is another document: {tags:?}");
    app.get("/rewinder/assets/x.js").await.problem(404, "no_such_call");
    app.get("/rewind/api/nothing").await.problem(404, "no_such_call");
    let bare = app.get("/rewind").await;
    assert_eq!((bare.status.as_u16(), bare.header("location")), (308, "/rewind/"));
}

#[tokio::test]
async fn a_file_of_another_build_is_not_there_and_is_not_the_page() {
    let app = App::with(None, Settings::default()).await;
    app.get("/assets/index-0ldbu11d.js").await.problem(404, "no_such_call");
    app.get("/..%2f..%2fCargo.toml").await.problem(404, "no_such_call");
}

#[tokio::test]
async fn scripts_are_stored_compressed_and_decoded_for_clients_without_gzip() {
    if !is_built() {
        return;
    }
    let app = App::with(None, Settings::default()).await;
    let page = String::from_utf8(app.get("/").await.bytes).expect("text");
    let script = page.split("src=\"").nth(1).and_then(|rest| rest.split('"').next());
    let script = script.and_then(|script| script.strip_prefix('.')).expect("a relative address");
    let with = async |coding: &'static str| -> Answer {
        let mut asked = request("GET", script);
        asked.headers_mut().insert("accept-encoding", coding.parse().expect("a header"));
        let answer = app.call(asked).await;
        assert_eq!(answer.status, 200, "{coding}");
        assert_eq!(answer.header("content-type"), "text/javascript; charset=utf-8", "{coding}");
        assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(answer.headers.get_all("vary").iter().count(), 1, "{coding}");
        answer
    };
    let plain = with("br, gzip;q=0").await;
    assert_eq!(plain.header("content-encoding"), "");
    let packed = with("deflate, gzip;q=0.5").await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert_ne!(packed.header("etag"), plain.header("etag"));
    let mut text = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(&*packed.bytes);
    std::io::Read::read_to_end(&mut decoder, &mut text).expect("gzip");
    assert!(text == plain.bytes && packed.bytes.len() * 2 < text.len());

    for (coding, tag) in [("gzip", packed.header("etag")), ("identity", plain.header("etag"))] {
        let mut again = request("GET", script);
        again.headers_mut().insert("accept-encoding", coding.parse().expect("a header"));
        again.headers_mut().insert("if-none-match", tag.parse().expect("a header"));
        assert_eq!(app.call(again).await.status, 304, "{coding}");
    }
}
