//! An archive on its way in: a stream that is fed to a thread, member by member, within bounds.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;

/// A block is handed on once it has so many bytes.
const BLOCK: usize = 256 << 10;

/// What a thread reads that does not wait for the stream itself: if the other end is dropped, it
/// reads the end.
#[derive(Debug)]
pub struct Incoming {
    blocks: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

impl Incoming {
    /// A reader, and what feeds it.
    pub fn new() -> (mpsc::Sender<io::Result<Bytes>>, Self) {
        let (sender, blocks) = mpsc::channel(4);
        (sender, Self { blocks, current: Bytes::new() })
    }
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.blocks.blocking_recv() {
                Some(block) => self.current = block?,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

/// Feeds a stream to its reader, until one of them ends. What fails is told to the reader.
pub async fn feed(mut stream: impl AsyncRead + Unpin, reader: mpsc::Sender<io::Result<Bytes>>) {
    loop {
        let mut block = Vec::with_capacity(BLOCK);
        let read = (&mut stream).take(BLOCK as u64).read_to_end(&mut block).await;
        let ends = !matches!(read, Ok(1..));
        let sent = match read {
            Ok(0) => return,
            read => reader.send(read.map(|_| block.into())).await,
        };
        if ends || sent.is_err() {
            return;
        }
    }
}

/// Reads so much and no more between two marks: what holds a whole value in memory is bounded by it.
#[derive(Debug)]
pub struct Bounded<R> {
    inner: R,
    budget: Budget,
}

/// How much a [`Bounded`] reader may still read.
#[derive(Debug, Clone)]
pub struct Budget {
    left: Rc<Cell<usize>>,
    full: usize,
}

impl Budget {
    /// So many bytes between two marks.
    pub fn of(full: usize) -> Self {
        Self { left: Rc::new(Cell::new(full)), full }
    }

    /// A value was read: from here on the budget is full again.
    pub fn mark(&self) {
        self.left.set(self.full);
    }
}

impl<R: Read> Bounded<R> {
    /// Reads within this budget.
    pub fn new(inner: R, budget: &Budget) -> Self {
        Self { inner, budget: budget.clone() }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.budget.left.get();
        if left == 0 && !buffer.is_empty() {
            let most = self.budget.full >> 20;
            return Err(io::Error::other(format!("a row is longer than {most} MiB")));
        }
        let length = buffer.len().min(left);
        let read = self.inner.read(&mut buffer[..length])?;
        self.budget.left.set(left - read);
        Ok(read)
    }
}
