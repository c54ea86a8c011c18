//! Real S3 servers, each on a port of its own: `rclone serve s3`, which ignores conditions on
//! writes, and `moto`, which honours them. With `IPAM_REWIND_GARAGE` set, Garage stands in for both.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{ClientOptions, RetryConfig};

/// The servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Ignores `If-None-Match` and `If-Match` of a PUT.
    Rclone,
    /// Refuses what they forbid, as AWS does.
    Moto,
    /// Does what its version does.
    Garage,
}

/// Those of each run of the tests.
pub const KINDS: [Kind; 2] = [Kind::Rclone, Kind::Moto];

/// A server that ends with this value.
pub struct S3Server {
    process: Child,
    port: u16,
    folder: tempfile::TempDir,
}

fn tool(variable: &str, path: &str) -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools").join(path);
    let path = std::env::var_os(variable).map_or(tools, PathBuf::from);
    assert!(path.is_file(), "{} is missing: run scripts/setup.sh", path.display());
    path
}

fn command(kind: Kind, port: u16, folder: &Path) -> Command {
    match kind {
        Kind::Rclone => {
            let mut rclone = Command::new(tool("IPAM_REWIND_RCLONE", "rclone"));
            rclone.args(["serve", "s3", "--auth-key", "key,secret", "--config", "/dev/null"]);
            rclone.args(["--addr", &format!("127.0.0.1:{port}")]).arg(folder);
            rclone
        }
        Kind::Moto => {
            let mut moto = Command::new(tool("IPAM_REWIND_MOTO", "moto/bin/moto_server"));
            moto.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
            moto
        }
        Kind::Garage => {
            let mut garage = garage(folder);
            garage.arg("server");
            garage
        }
    }
}

/// The program Garage, if the tests are to use it.
fn garage_program() -> Option<PathBuf> {
    std::env::var_os("IPAM_REWIND_GARAGE").map(PathBuf::from)
}

/// The credentials: Garage takes none but its own kind.
pub fn keys() -> (&'static str, &'static str) {
    const GARAGE_KEY: &str = "GK31c2f218a2e44f485b94239e";
    const GARAGE_SECRET: &str = "b892c0665f0ada8a4755dae98baa3b133590e11dae3bcc1f9d769d67f16c3835";
    if garage_program().is_some() { (GARAGE_KEY, GARAGE_SECRET) } else { ("key", "secret") }
}

fn garage(folder: &Path) -> Command {
    let mut garage = Command::new(garage_program().expect("only called where it is set"));
    garage.arg("-c").arg(folder.join("garage.toml"));
    garage
}

fn configure_garage(port: u16, folder: &Path) {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let rpc = free.local_addr().expect("bound");
    let (place, secret) = (folder.display(), "11".repeat(32));
    let settings = format!(
        "metadata_dir = \"{place}/meta\"\ndata_dir = \"{place}/data\"\ndb_engine = \"sqlite\"\n\
         replication_factor = 1\nrpc_bind_addr = \"{rpc}\"\nrpc_public_addr = \"{rpc}\"\n\
         rpc_secret = \"{secret}\"\n[s3_api]\ns3_region = \"us-east-1\"\n\
         api_bind_addr = \"127.0.0.1:{port}\"\nroot_domain = \".localhost\"\n"
    );
    std::fs::write(folder.join("garage.toml"), settings).expect("written");
}

/// Gives a Garage that answers a layout, a key and the bucket.
fn fill_garage(folder: &Path) {
    let run = |arguments: &[&str]| {
        let output = garage(folder).args(arguments).output().expect("it runs");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {error}");
        String::from_utf8(output.stdout).expect("text")
    };
    let node = run(&["node", "id", "-q"]);
    let node = node.trim().split('@').next().expect("an id").to_owned();
    run(&["layout", "assign", "-z", "here", "-c", "1G", &node]);
    run(&["layout", "apply", "--version", "1"]);
    let (key, secret) = keys();
    run(&["key", "import", "--yes", "-n", "tests", key, secret]);
    run(&["bucket", "create", "bucket"]);
    run(&["bucket", "allow", "--read", "--write", "--owner", "bucket", "--key", "tests"]);
}

impl S3Server {
    /// Starts rclone with an empty bucket, `bucket`.
    pub async fn start() -> Self {
        Self::start_as(Kind::Rclone).await
    }

    /// Starts a server of this kind with an empty bucket, `bucket`.
    pub async fn start_as(kind: Kind) -> Self {
        let kind = if garage_program().is_some() { Kind::Garage } else { kind };
        let folder = super::folder();
        std::fs::create_dir(folder.path().join("bucket")).expect("made");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        if kind == Kind::Garage {
            configure_garage(port, folder.path());
        }
        let mut command = command(kind, port, folder.path());
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let server = Self { process: process.expect("it starts"), port, folder };
        for _ in 0..4800 {
            if make_bucket(port).is_ok() {
                if kind == Kind::Garage {
                    fill_garage(server.folder.path());
                }
                return server;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server does not answer");
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What the program must find in its environment.
    pub fn environment(&self) -> [(&'static str, String); 5] {
        environment(self.port)
    }

    /// A client of its bucket.
    pub fn bucket(&self) -> AmazonS3 {
        builder(self.port).with_allow_http(true).build().expect("a client")
    }
}

/// What the program must find in its environment to reach a server at this port.
pub fn environment(port: u16) -> [(&'static str, String); 5] {
    [
        ("AWS_ENDPOINT", format!("http://127.0.0.1:{port}")),
        ("AWS_ALLOW_HTTP", "true".into()),
        ("AWS_REGION", "us-east-1".into()),
        ("AWS_ACCESS_KEY_ID", keys().0.into()),
        ("AWS_SECRET_ACCESS_KEY", keys().1.into()),
    ]
}

/// A client that waits so long for an answer, and sends nothing twice.
pub fn impatient(port: u16, timeout: Duration) -> AmazonS3 {
    let options = ClientOptions::new().with_allow_http(true).with_timeout(timeout);
    let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    builder(port).with_client_options(options).with_retry(retry).build().expect("a client")
}

fn builder(port: u16) -> AmazonS3Builder {
    ipam_rewind::tls::use_ring();
    AmazonS3Builder::new()
        .with_bucket_name("bucket")
        .with_endpoint(format!("http://127.0.0.1:{port}"))
        .with_region("us-east-1")
        .with_access_key_id(keys().0)
        .with_secret_access_key(keys().1)
}

/// A bucket that is there already is fine; so is a refusal for want of a signature.
fn make_bucket(port: u16) -> std::io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", port))?;
    let request =
        "PUT /bucket HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    server.write_all(request.as_bytes())?;
    let mut answer = String::new();
    server.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 ") {
        Ok(())
    } else {
        Err(std::io::ErrorKind::InvalidData.into())
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
