//! The same over S3: a real server, `rclone serve s3`, on a port of its own.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use ipam_rewind::store::{Lock, LockKind, Mode, Store, StoreError};
use object_store::ObjectStore;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::prefix::PrefixStore;

use super::conformance::suite;
use super::samples::{PATIENCE, back_up, id, read, rows};

/// A server that ends with this value.
struct Server {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

fn rclone() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/rclone");
    let path = std::env::var_os("IPAM_REWIND_RCLONE").map_or(tools, PathBuf::from);
    assert!(
        path.is_file(),
        "{} is missing: run scripts/setup.sh",
        path.display()
    );
    path
}

impl Server {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("bucket")).expect("made");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        let process = Command::new(rclone())
            .args([
                "serve",
                "s3",
                "--auth-key",
                "key,secret",
                "--config",
                "/dev/null",
            ])
            .args(["--addr", &format!("127.0.0.1:{port}")])
            .arg(folder.path())
            .stderr(Stdio::null())
            .spawn()
            .expect("rclone starts");
        let server = Self {
            process,
            port,
            _folder: folder,
        };
        for _ in 0..200 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server does not answer");
    }

    fn bucket(&self) -> AmazonS3 {
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

    async fn store(&self, prefix: &str) -> Store {
        let objects: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(self.bucket(), prefix));
        Store::over(objects, None, LockKind::LEASE)
            .await
            .expect("a store")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_s3_conforms() {
    let server = Server::start().await;
    suite(&server.store("some/prefix").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_machines_share_a_store_in_s3() {
    let server = Server::start().await;
    let (one, two) = (server.store("shared").await, server.store("shared").await);
    assert_eq!(one.parameters(), two.parameters());
    back_up(&one, &id(1), &rows(1500, "one"))
        .await
        .expect("made");
    back_up(&two, &id(2), &rows(1500, "two"))
        .await
        .expect("made");
    let writing = one
        .lock(Lock::Objects, Mode::Shared, "backup", PATIENCE)
        .await
        .expect("free");
    let busy = two
        .lock(Lock::Objects, Mode::Exclusive, "sweep", Duration::ZERO)
        .await;
    assert!(matches!(busy, Err(StoreError::Busy { .. })), "{busy:?}");
    writing.release().await;

    two.unlink(&id(1)).await.expect("unlinked");
    let held = two
        .lock(Lock::Objects, Mode::Exclusive, "sweep", PATIENCE)
        .await
        .expect("free");
    let marked = two.sweep(&held, two.default_grace()).await.expect("swept");
    assert!(
        marked.packs_removed == 0 && marked.bytes_pending > 0,
        "{marked:?}"
    );
    let swept = two.sweep(&held, Duration::ZERO).await.expect("swept");
    assert_eq!(
        (swept.packs_removed, swept.problems.len()),
        (1, 0),
        "{swept:?}"
    );
    held.release().await;
    assert!(read(&one, &id(2)).await.expect("read") == rows(1500, "two"));
    let manifest = one.manifest(&id(2)).await.expect("whole");
    assert_eq!(
        one.check_all(&[manifest], |_| ()).await.expect("checked"),
        []
    );
}
