//! A real S3 server, `rclone serve s3`, on a port of its own.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};

/// A server that ends with this value.
pub struct S3Server {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

fn rclone() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/rclone");
    let path = std::env::var_os("IPAM_REWIND_RCLONE").map_or(tools, PathBuf::from);
    assert!(path.is_file(), "{} is missing: run scripts/setup.sh", path.display());
    path
}

impl S3Server {
    /// Starts it with an empty bucket, `bucket`.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("bucket")).expect("made");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        let process = Command::new(rclone())
            .args(["serve", "s3", "--auth-key", "key,secret", "--config", "/dev/null"])
            .args(["--addr", &format!("127.0.0.1:{port}")])
            .arg(folder.path())
            .stderr(Stdio::null())
            .spawn()
            .expect("rclone starts");
        let server = Self { process, port, _folder: folder };
        for _ in 0..200 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server does not answer");
    }

    /// What the program must find in its environment.
    pub fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT", format!("http://127.0.0.1:{}", self.port)),
            ("AWS_ALLOW_HTTP", "true".into()),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_ACCESS_KEY_ID", "key".into()),
            ("AWS_SECRET_ACCESS_KEY", "secret".into()),
        ]
    }

    /// A client of its bucket.
    pub fn bucket(&self) -> AmazonS3 {
        AmazonS3Builder::new()
            .with_bucket_name("bucket")
            .with_endpoint(format!("http://127.0.0.1:{}", self.port))
            .with_allow_http(true)
            .with_region("us-east-1")
            .with_access_key_id("key")
            .with_secret_access_key("secret")
            .build()
            .expect("a client")
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
