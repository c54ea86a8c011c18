//! Tokens, roles, names, origins: who is let in.

use serde_json::Value;

use crate::support::program::Program;
use crate::support::sample_database;
use crate::support::serving::{Serving, ok, refused};

/// A program without a database, with a token of each role.
fn with_tokens() -> (Program, [String; 3]) {
    let program = Program::at(None);
    let tokens = ["viewer", "operator", "admin"].map(|role| {
        let out = program.ok(&["token", "create", &format!("the-{role}"), "--role", role]);
        out.trim().to_owned()
    });
    (program, tokens)
}

#[tokio::test]
async fn each_call_needs_its_role_and_a_token() {
    let (program, [viewer, operator, admin]) = with_tokens();
    let serving = Serving::start(&program, &[]);
    let id = "20250101_000000";
    let calls: [(&str, String, [bool; 3]); 9] = [
        ("GET", "/api/backups".into(), [true, true, true]),
        ("GET", "/api/schedule".into(), [true, true, true]),
        ("GET", "/metrics".into(), [true, true, true]),
        ("POST", "/api/backup".into(), [false, true, true]),
        ("POST", format!("/api/preview/{id}"), [false, true, true]),
        ("POST", format!("/api/restore/{id}"), [false, false, true]),
        ("DELETE", format!("/api/backup/{id}"), [false, false, true]),
        ("POST", "/api/cleanup".into(), [false, false, true]),
        ("GET", "/api/audit".into(), [false, false, true]),
    ];
    for (method, path, allowed) in calls {
        let request = || serving.request(method, &path);
        assert_eq!(refused(request()).await, (401, "unauthenticated".into()), "{method} {path}");
        for (token, allowed) in [&viewer, &operator, &admin].into_iter().zip(allowed) {
            let answer = request().bearer_auth(token).send().await.expect("it answers");
            let forbidden = answer.status() == 403;
            assert_eq!(!forbidden, allowed, "{method} {path}: {}", answer.status());
        }
    }
    for open in ["/", "/docs/", "/api/openapi.json", "/api/health"] {
        let answer = serving.get(open).send().await.expect("it answers");
        assert!(answer.status().is_success(), "{open}: {}", answer.status());
    }
}

#[tokio::test]
async fn a_session_says_who_calls() {
    let (program, [viewer, ..]) = with_tokens();
    let serving = Serving::start(&program, &[]);
    let session = ok(serving.get("/api/session").bearer_auth(&viewer)).await;
    assert_eq!((&session["name"], &session["role"]), (&"the-viewer".into(), &"viewer".into()));
    assert_eq!(
        (&session["authentication"], &session["database"]),
        (&"token".into(), &false.into())
    );
}

#[tokio::test]
async fn a_token_is_worth_nothing_from_the_moment_it_is_revoked() {
    let (program, [viewer, _, admin]) = with_tokens();
    let serving = Serving::start(&program, &[]);
    let list = |token: String| serving.get("/api/backups").bearer_auth(token);
    ok(list(viewer.clone())).await;
    program.ok(&["token", "revoke", "the-viewer"]);
    assert_eq!(refused(list(viewer)).await, (401, "unauthenticated".into()));
    ok(list(admin.clone())).await;
    for name in ["the-operator", "the-admin"] {
        program.ok(&["token", "revoke", name]);
    }
    assert_eq!(refused(list(admin)).await.0, 401, "the last one does not open the door");
    assert_eq!(refused(serving.get("/api/backups")).await.0, 401);
}

#[tokio::test]
async fn a_token_can_stand_for_another_author_and_one_of_a_proxy_for_the_system() {
    let database = sample_database().await;
    let program = Program::on(&database);
    let create = |options: &[&str]| {
        let made = program.json(&[&["token", "create"], options, &["--role", "operator"]].concat());
        made["token"].as_str().expect("its text").to_owned()
    };
    let tokens = [
        (create(&["proxy", "--proxy"]), "system"),
        (create(&["gateway", "--author", "carol"]), "carol"),
        (create(&["dave"]), "dave"),
    ];
    let serving = Serving::start(&program, &[]);
    for (token, author) in tokens {
        let made = ok(serving.post("/api/backup").bearer_auth(&token)).await;
        assert_eq!(made["backup_info"]["created_by"], author);
    }
    let jobs = program.json(&["token", "list"]);
    let authors: Vec<_> =
        jobs["tokens"].as_array().expect("all").iter().map(|t| &t["author"]).collect();
    assert_eq!(authors, ["system", "carol", "dave"]);
    // The audit log tells who it was.
    for (author, code) in [("schedule", 2), ("local", 2), ("a b", 2), ("", 2), ("system", 0)] {
        let name = format!("n{code}{}", author.len());
        let made = ["token", "create", &name, "--role", "viewer", "--author", author];
        assert_eq!(program.run(&made).code, code, "{author:?}");
    }
}

#[tokio::test]
async fn a_first_token_closes_the_door_of_a_running_service() {
    let program = Program::at(None);
    let serving = Serving::start(&program, &[]);
    let session = serving.json("/api/session").await;
    assert_eq!((&session["name"], &session["role"]), (&"system".into(), &"admin".into()));
    assert_eq!(session["authentication"], "none");
    program.ok(&["token", "create", "first", "--role", "admin"]);
    assert_eq!(refused(serving.get("/api/session")).await.0, 401);
    program.ok(&["token", "revoke", "first"]);
    assert_eq!(refused(serving.get("/api/session")).await.0, 401, "nor does revoking it open it");
}

#[tokio::test]
async fn a_stream_of_events_ends_when_its_token_is_revoked() {
    let (program, [viewer, _, admin]) = with_tokens();
    let serving = Serving::start(&program, &[]);
    let events = |token: &str| serving.get("/api/events").bearer_auth(token).send();
    let revoked = events(&viewer).await.expect("it answers");
    let mut known = events(&admin).await.expect("it answers");
    program.ok(&["token", "revoke", "the-viewer"]);
    // Without a database this is a job that fails at once.
    let work = serving.post("/api/backup").bearer_auth(&admin).send();
    assert_eq!(work.await.expect("it answers").status(), 503);
    assert_eq!(revoked.text().await.expect("the stream ends"), "");
    let told = known.chunk().await.expect("it goes on").expect("an event");
    assert!(String::from_utf8_lossy(&told).contains("event: job"), "{told:?}");
}

#[tokio::test]
async fn guessing_is_slowed_down_and_locks_nobody_out() {
    let (program, [viewer, ..]) = with_tokens();
    let serving = Serving::start(&program, &[]);
    let mut limited = 0;
    for guess in 0..60 {
        let request = serving.get("/api/backups").bearer_auth(format!("ipr_{guess}"));
        let answer = request.send().await.expect("it answers");
        if answer.status() == 429 {
            assert!(answer.headers().contains_key("retry-after"));
            limited += 1;
        }
    }
    assert!(limited >= 20, "{limited} of 60 guesses in a row were put off");
    ok(serving.get("/api/backups").bearer_auth(&viewer)).await;
}

#[test]
fn without_tokens_only_this_machine_is_served_unless_told_in_so_many_words() {
    let program = Program::at(None);
    let ended = program.run(&["serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("token create"), "{}", ended.err);
    assert!(ended.err.contains("--allow-anonymous-on-any-address"), "{}", ended.err);
}

#[test]
fn an_allowed_host_without_tokens_is_refused_unless_told_in_so_many_words() {
    let program = Program::at(None);
    let ended = program.run(&["serve", "--listen", "127.0.0.1:0", "--allowed-host", "a.example"]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("everybody who reaches a.example"), "{}", ended.err);
    assert!(ended.err.contains("--allow-anonymous-on-any-address"), "{}", ended.err);
}

#[tokio::test]
async fn a_restart_after_the_last_token_is_gone_lets_nobody_in() {
    let (program, tokens) = with_tokens();
    let folder = program.store().join("service");
    for name in ["the-viewer", "the-operator", "the-admin"] {
        program.ok(&["token", "revoke", name]);
    }
    let closed = async |what: &str| {
        for options in [&["--allowed-host", "a.example"][..], &["--allow-anonymous-on-any-address"]]
        {
            let serving = Serving::start(&program, options);
            for call in ["/api/backups", "/api/session", "/metrics"] {
                assert_eq!(refused(serving.get(call)).await.0, 401, "{what}: {call}");
            }
            assert_eq!(refused(serving.get("/api/backups").bearer_auth(&tokens[2])).await.0, 401);
            assert!(serving.log().contains("nobody is let in"), "{}", serving.log());
        }
    };
    closed("revoked").await;
    std::fs::remove_file(folder.join("tokens.json")).expect("removed");
    closed("lost").await;
    for damaged in ["", "{", "[]", "{\"tokens\": 1}", "null"] {
        std::fs::write(folder.join("tokens.json"), damaged).expect("written");
        let ended = program.run(&["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(ended.code, 1, "{damaged}: {}", ended.err);
        assert!(ended.err.contains("tokens.json cannot be read"), "{}", ended.err);
    }
}

#[tokio::test]
async fn with_tokens_or_told_in_so_many_words_any_address_is_served() {
    let everywhere = ["--allow-anonymous-on-any-address"];
    let program = Program::at(None);
    let start = |program: &Program, options: &[&str]| {
        let line = [&["serve", "--listen", "0.0.0.0:0"], options].concat();
        Serving::of(program.command(&line))
    };
    let port = start(&program, &everywhere).address.port();
    assert_ne!(port, 0);
    let (program, [viewer, ..]) = with_tokens();
    let serving = start(&program, &[]);
    ok(serving.get("/api/backups").bearer_auth(viewer)).await;
}

#[tokio::test]
async fn a_name_that_was_made_to_point_here_is_turned_away() {
    let program = Program::at(None);
    let open = "--allow-anonymous-on-any-address";
    let serving = Serving::start(&program, &["--allowed-host", "backup.example", open]);
    let by_name = |name: &str| serving.get("/api/backups").header("host", name);
    for name in ["localhost", "127.0.0.1:1", "backup.example", "Backup.Example:443"] {
        ok(by_name(name)).await;
    }
    for name in ["evil.example", "backup.example.evil.example", "192.0.2.1"] {
        assert_eq!(refused(by_name(name)).await, (421, "unknown_host".into()), "{name}");
    }
    let page = serving.get("/").header("host", "evil.example").send().await.expect("it answers");
    assert_eq!(page.status(), 421, "the page, too");
}

#[tokio::test]
async fn a_page_of_others_changes_nothing_and_reads_nothing_unless_it_was_named() {
    let program = Program::at(None);
    let serving = Serving::start(&program, &["--cors-origin", "https://noc.example"]);
    let own = format!("http://{}", serving.address);
    let clean = |origin: &str| serving.post("/api/cleanup").header("origin", origin);
    for origin in [own.as_str(), "https://noc.example"] {
        ok(clean(origin)).await;
    }
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        assert_eq!(refused(clean(origin)).await, (403, "foreign_origin".into()), "{origin}");
    }
    let silent = serving.post("/api/cleanup").header("sec-fetch-site", "cross-site");
    assert_eq!(refused(silent).await.0, 403);

    let allowed = async |origin: &str| {
        let read = serving.get("/api/backups").header("origin", origin).send().await;
        let headers = read.expect("it answers").headers().clone();
        headers.get("access-control-allow-origin").map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(allowed("https://noc.example").await.as_deref(), Some("https://noc.example"));
    assert_eq!(allowed("https://evil.example").await, None);
    let asked = serving.request("OPTIONS", "/api/restore/20250101_000000");
    let asked = asked.header("origin", "https://noc.example");
    let asked = asked.header("access-control-request-method", "POST");
    let asked =
        asked.header("access-control-request-headers", "authorization,x-rewind-token,prefer");
    let told = asked.send().await.expect("it answers");
    assert!(told.status().is_success());
    let headers = told.headers()["access-control-allow-headers"].to_str().expect("text");
    for name in ["authorization", "x-rewind-token", "prefer"] {
        assert!(headers.contains(name), "{name} in {headers}");
    }
}

#[test]
fn tokens_are_listed_without_their_texts_and_names_are_taken_once() {
    let program = Program::at(None);
    let made = program.json(&["token", "create", "noc", "--role", "viewer", "--expires", "90d"]);
    let text = made["token"].as_str().expect("its text").to_owned();
    assert!(text.starts_with("ipr_") && text.len() == 68, "{text}");
    let list = program.json(&["token", "list"]);
    assert_eq!(
        (&list["tokens"][0]["name"], &list["tokens"][0]["role"]),
        (&"noc".into(), &"viewer".into())
    );
    assert!(list["tokens"][0]["expires_at"].is_string());
    let keys: Vec<_> = list["tokens"][0].as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["name", "role", "author", "created_at", "expires_at", "expired"]);
    let again = program.run(&["token", "create", "noc", "--role", "admin"]);
    assert!(again.code == 1 && again.err.contains("revoke it first"), "{}", again.err);
    assert_eq!(program.run(&["token", "create", "a b", "--role", "admin"]).code, 2);
    assert_eq!(program.run(&["token", "create", "x", "--role", "root"]).code, 2);
    assert_eq!(program.run(&["token", "revoke", "nobody"]).code, 1);
    let kept = std::fs::read_to_string(program.store().join("service/tokens.json")).expect("kept");
    assert!(!kept.contains(&text[4..]));
    let kept: Value = serde_json::from_str(&kept).expect("JSON");
    assert_eq!(kept["tokens"][0]["sha256"].as_str().map(str::len), Some(64));
}

#[tokio::test]
async fn a_token_beside_the_authorization_of_a_proxy_is_known_and_no_refusal_is_401() {
    let program = Program::at(None);
    let made = program.json(&["token", "create", "noc", "--role", "viewer"]);
    let token = made["token"].as_str().expect("its text");
    let serving = Serving::start(&program, &[]);
    let behind = || serving.get("/api/session").basic_auth("proxy", Some("password"));
    assert_eq!(ok(behind().header("x-rewind-token", token)).await["name"], "noc");
    assert_eq!(
        ok(serving.get("/api/session").header("x-rewind-token", token)).await["role"],
        "viewer"
    );
    // Browsers forget the proxy's password on 401.
    let refusal = (403, "unauthenticated".to_owned());
    assert_eq!(refused(behind()).await, refusal);
    assert_eq!(refused(behind().header("x-rewind-token", "ipr_no")).await, refusal);
    let none = serving.get("/api/session").header("x-rewind-token", "");
    assert_eq!(refused(none).await, refusal);
    // Without a proxy's, it is as ever.
    let plain = serving.get("/api/session").send().await.expect("it answers");
    assert_eq!(
        (plain.status().as_u16(), &plain.headers()["www-authenticate"]),
        (401, &"Bearer".parse().expect("text"))
    );
}
