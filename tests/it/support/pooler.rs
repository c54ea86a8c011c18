//! pgbouncer in transaction mode before the private PostgreSQL: each transaction may run in another
//! session of the server.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::postgres;

/// A running pgbouncer that goes with this value.
pub struct Pooler {
    port: u16,
    process: Child,
    _folder: tempfile::TempDir,
}

impl Pooler {
    /// Starts one that lets these users in, and waits until it takes connections.
    pub fn start(users: &[&str]) -> Self {
        let socket = postgres().socket_dir();
        let account = fs::metadata(socket).expect("the server's folder");
        let folder = tempfile::tempdir().expect("a folder");
        // Free a moment ago: nobody else on this machine asks for a port as fast.
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let list: String = users.iter().map(|user| format!("\"{user}\" \"\"\n")).collect();
        fs::write(folder.path().join("users"), list).expect("written");
        // The servers take turns, so that no two transactions meet the same by chance.
        let settings = format!(
            "[databases]\n* = host={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = transaction\n\
             default_pool_size = 6\nserver_round_robin = 1\n\
             ignore_startup_parameters = extra_float_digits\n",
            socket.display(),
            folder.path().join("users").display()
        );
        let file = folder.path().join("pgbouncer.ini");
        fs::write(&file, settings).expect("written");
        for path in [folder.path(), &folder.path().join("users"), &file] {
            // Only root may, and only root has to.
            let _ = chown(path, Some(account.uid()), Some(account.gid()));
        }
        drop(listener);
        let mut command = Command::new(program());
        command.arg("-q").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        if nix::unistd::geteuid().is_root() {
            command.uid(account.uid()).gid(account.gid());
        }
        let process = command.spawn().expect("pgbouncer starts");
        let mut pooler = Self { port, process, _folder: folder };
        pooler.wait();
        pooler
    }

    fn wait(&mut self) {
        let since = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.process.try_wait().expect("it can be asked");
            assert!(ended.is_none(), "pgbouncer ended: {ended:?}");
            assert!(since.elapsed() < Duration::from_secs(30), "pgbouncer takes no connections");
            std::thread::yield_now();
        }
    }

    /// The address of a database through it.
    pub fn url(&self, database: &str, user: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Debian keeps it off the `PATH` of users.
fn program() -> PathBuf {
    let usual = Path::new("/usr/sbin/pgbouncer");
    if usual.is_file() { usual.into() } else { "pgbouncer".into() }
}
