//! The service beside an application, behind nginx, exactly as docs/integrate.md has it.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ipam_rewind::tls;
use reqwest::{Client, Method};
use serde_json::Value;

use super::docs::block;
use crate::support::program::Program;
use crate::support::serving::Serving;
use crate::support::{TestDatabase, sample_database};

/// Says what it was asked; any path is the application's.
const APPLICATION: &str = "
from http.server import BaseHTTPRequestHandler, HTTPServer
class Application(BaseHTTPRequestHandler):
    def answer(self):
        body = f'application: {self.command} {self.path}'.encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = do_DELETE = answer
    def log_message(self, *words): pass
server = HTTPServer(('127.0.0.1', 0), Application)
print(server.server_port, flush=True)
server.serve_forever()
";

/// A process that ends with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn application() -> (Running, u16) {
    let mut python = Command::new("/usr/bin/python3");
    let child = python.args(["-c", APPLICATION]).stdout(Stdio::piped()).spawn();
    let mut child = child.expect("python3 runs");
    let mut line = String::new();
    let out = child.stdout.take().expect("piped");
    BufReader::new(out).read_line(&mut line).expect("it tells its port");
    (Running(child), line.trim().parse().expect("a port"))
}

/// Starts nginx with the page's block, where only names and ports are those of this test.
async fn nginx(
    folder: &Path,
    service: SocketAddr,
    application: u16,
    token: &str,
) -> (Running, u16) {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("bound").port();
    let secret = folder.join("token.conf");
    let header = format!("proxy_set_header Authorization \"Bearer {token}\";\n");
    std::fs::write(&secret, header).expect("written");
    let mut server = block("nginx");
    for (from, to) in [
        ("listen 80", format!("listen 127.0.0.1:{port}")),
        ("http://ipam-rewind:8000", format!("http://{service}")),
        ("http://ipam-app:8000", format!("http://127.0.0.1:{application}")),
        ("/etc/nginx/ipam-rewind-token.conf", secret.display().to_string()),
    ] {
        assert!(server.contains(from), "{from}");
        server = server.replace(from, &to);
    }
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("{what}_temp_path {what};"));
    let whole = format!(
        "user root; daemon off; master_process off; pid nginx.pid; error_log stderr; events {{}}
         http {{ access_log off; {} {server} }}",
        temporary.concat()
    );
    std::fs::write(folder.join("nginx.conf"), whole).expect("written");
    drop(free);
    let mut nginx = Command::new("/usr/sbin/nginx");
    nginx.arg("-p").arg(folder).arg("-c").arg("nginx.conf").arg("-e").arg("stderr");
    let running = Running(nginx.spawn().expect("nginx runs; scripts/setup.sh installs it"));
    for _ in 0..200 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return (running, port);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nginx does not answer");
}

/// Makes the page's role in this database; the database's address for it.
async fn role(database: &TestDatabase, blocks: &[&str]) -> String {
    let name = database.value("SELECT current_database()").await;
    // Roles belong to the whole server, which other tests use as well.
    let role = format!("rewind_{name}");
    for opening in blocks {
        let sql = block(&format!("sql {opening}"));
        let sql = sql.replace("rewind", &role).replace("prefix_management", &name);
        database.sql_as_superuser(&sql).await;
    }
    database.url.replace("prefix_user@", &format!("{role}@"))
}

async fn body(client: &Client, method: Method, url: String) -> Value {
    let answer = client.request(method, &url).send().await.expect("an answer");
    let (status, text) = (answer.status(), answer.text().await.expect("a body"));
    assert!(status.is_success(), "{url}: {status} {text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

#[tokio::test]
async fn the_documented_calls_go_to_the_service_and_all_others_to_the_application() {
    let database = sample_database().await;
    let program = Program::at(Some(role(&database, &["reads", "restores"]).await));
    let made = program.ok(&["token", "create", "proxy", "--role", "admin", "--proxy"]);
    let token = made.split_whitespace().find(|word| word.starts_with("ipr_")).expect("a token");
    let serving = Serving::start(
        &program,
        &["--allowed-host", "ipam.example", "--allow-anonymous-on-any-address"],
    );
    let (_application, application) = application();
    let folder = tempfile::tempdir().expect("a folder");
    let (_nginx, port) = nginx(folder.path(), serving.address, application, token).await;
    // As a browser that knows the application by its name.
    let address: SocketAddr = ([127, 0, 0, 1], port).into();
    let client = tls::client_builder().resolve("ipam.example", address).no_proxy().build();
    let client = client.expect("a client");
    let url = |path: &str| format!("http://ipam.example:{port}{path}");

    let created = body(&client, Method::POST, url("/api/backup?description=By%20the%20page")).await;
    let id = created["backup_id"].as_str().expect("an id");
    assert_eq!(created["backup_info"]["description"], "By the page");
    assert_eq!(created["backup_info"]["created_by"], "system", "as without a proxy");
    let before = database.dump().await;
    database.sql("UPDATE prefix SET tags = '{}' WHERE source = 'manual'").await;
    let restored = body(&client, Method::POST, url(&format!("/api/restore/{id}"))).await;
    assert_eq!(restored["restore_results"]["proven"], true);
    assert!(database.dump().await == before, "all is back");
    let list = body(&client, Method::GET, url("/api/backups")).await;
    assert_eq!(list["count"], 2);
    let details = body(&client, Method::GET, url(&format!("/api/backup/{id}"))).await;
    assert_eq!(details["backup_info"]["restore_tested"], true);
    let deleted = body(&client, Method::DELETE, url(&format!("/api/backup/{id}"))).await;
    assert_eq!(deleted["status"], "success");
    let missing = client.get(url(&format!("/api/backup/{id}"))).send().await.expect("an answer");
    assert_eq!(missing.status(), 404);
    assert_eq!(missing.headers()["content-type"], "application/problem+json");

    for path in ["/", "/api/prefixes?vrf=prod", "/api/backups-of-mine", "/api/restored", "/docs"] {
        let answer = client.get(url(path)).send().await.expect("an answer");
        assert_eq!(answer.text().await.expect("text"), format!("application: GET {path}"));
    }
    // A page of others cannot make the browser call it.
    let foreign = client.post(url("/api/backup")).header("Origin", "http://evil.example");
    assert_eq!(foreign.send().await.expect("an answer").status(), 403);
}

#[tokio::test]
async fn a_role_that_only_reads_backs_up_and_compares_but_cannot_restore() {
    let database = sample_database().await;
    let program = Program::at(Some(role(&database, &["reads"]).await));
    let id = program.backup();
    database.sql("UPDATE vrf SET description = 'new' WHERE vrf_id = 'prod-vrf'").await;
    assert_eq!(program.json(&["diff", &id])["datasets"]["vrfs"]["changed"], 1);
    let preview = program.ok(&["restore", &id, "--dry-run"]);
    assert!(preview.contains("records of idempotency_record"), "{preview}");
    let before = database.dump().await;
    let refused = program.run(&["restore", &id, "--yes"]);
    assert_eq!(refused.code, 5, "{}", refused.err);
    assert!(database.dump().await == before, "nothing was changed");
}
