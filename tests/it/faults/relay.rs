//! A relay between the program and the server that holds up or cuts a connection at a chosen point.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::support::{TestDatabase, postgres};

/// The message that commits, as the protocol has it.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// When the relay stops to relay.
#[derive(Clone, Copy)]
pub enum Fault {
    /// After so many bytes from the server, in each connection: it stays open, but nothing comes
    /// until the relay is dropped.
    HoldUpAfter(usize),
    /// Cuts the connection on COMMIT, which the server never sees.
    CutBeforeCommit,
    /// Cuts the connection when COMMIT was answered; the answer is lost.
    CutAfterCommit,
    /// Keeps the answer to COMMIT until the relay is dropped.
    HoldUpCommit,
}

/// Relays until it is dropped.
pub struct Relay {
    /// The address of the database through it.
    pub url: String,
    struck: Arc<AtomicUsize>,
    /// How many more connections are answered.
    answers: Arc<AtomicUsize>,
    /// Connections that are held up wait for its end.
    _holding: watch::Sender<()>,
    task: AbortHandle,
}

impl Relay {
    pub async fn to(database: &TestDatabase, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let name = database.value("SELECT current_database()").await;
        let struck = Arc::new(AtomicUsize::new(0));
        let counter = struck.clone();
        let answers = Arc::new(AtomicUsize::new(usize::MAX));
        let left = answers.clone();
        let (holding, held) = watch::channel(());
        let task = tokio::spawn(async move {
            let mut unanswered = Vec::new();
            loop {
                let (client, _) = listener.accept().await.expect("a connection");
                let one_less = |left: usize| left.checked_sub(1);
                if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_err() {
                    unanswered.push(client);
                    continue;
                }
                let (counter, held) = (counter.clone(), held.clone());
                tokio::spawn(async move { relay(client, fault, &counter, held).await });
            }
        });
        Self {
            url: format!("postgres://prefix_user@127.0.0.1:{port}/{name}?sslmode=disable"),
            struck,
            answers,
            _holding: holding,
            task: task.abort_handle(),
        }
    }

    /// From now on new connections are accepted, but never answered.
    pub fn ignore_whoever_comes(&self) {
        self.answer_only(0);
    }

    /// From now on so many new connections are answered; the others are accepted, and that is all.
    pub fn answer_only(&self, connections: usize) {
        self.answers.store(connections, Ordering::SeqCst);
    }

    /// How many connections the fault has struck.
    pub fn struck(&self) -> usize {
        self.struck.load(Ordering::SeqCst)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn relay(
    mut client: TcpStream,
    fault: Fault,
    struck: &AtomicUsize,
    mut held: watch::Receiver<()>,
) {
    let socket = postgres().socket_dir().join(".s.PGSQL.5432");
    let mut server = UnixStream::connect(socket).await.expect("the server");
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let mute = AtomicBool::new(false);
    let there = async {
        let mut bytes = vec![0; 64 << 10];
        loop {
            let count = from_client.read(&mut bytes).await.unwrap_or(0);
            let commits = bytes[..count].windows(COMMIT.len()).any(|at| at == COMMIT);
            match fault {
                Fault::CutBeforeCommit if commits => {
                    struck.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                Fault::CutAfterCommit | Fault::HoldUpCommit if commits => {
                    mute.store(true, Ordering::SeqCst);
                }
                _ => {}
            }
            if count == 0 || to_server.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    };
    let back = async {
        let (mut bytes, mut relayed) = (vec![0; 16 << 10], 0);
        loop {
            let count = from_server.read(&mut bytes).await.unwrap_or(0);
            relayed += count;
            let strikes = match fault {
                Fault::HoldUpAfter(most) => relayed > most,
                Fault::CutBeforeCommit => false,
                Fault::CutAfterCommit | Fault::HoldUpCommit => mute.load(Ordering::SeqCst),
            };
            if strikes {
                struck.fetch_add(1, Ordering::SeqCst);
                if matches!(fault, Fault::CutAfterCommit) {
                    return;
                }
                let _ = held.changed().await;
            }
            if count == 0 || to_client.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! { () = there => {}, () = back => {} }
}
