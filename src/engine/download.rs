//! A file on its way out: made on a thread of its own, block by block, while earlier blocks are
//! taken. Memory holds a few blocks, however long the file is.

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::engine::EngineError;
use crate::threads;

/// A block is sent once it has so many bytes.
const BLOCK: usize = 128 << 10;
/// Blocks that may wait to be taken.
const QUEUE: usize = 4;

/// A file that is made while it is taken. To stop taking it is all it needs to be ended.
#[derive(Debug)]
pub struct Download {
    /// What to call the file.
    pub name: String,
    pub media_type: &'static str,
    /// Its bytes, where that is known beforehand; it then has exactly so many.
    pub size: Option<u64>,
    /// The blocks, in order. After an error there are no more, and the file is not whole.
    pub blocks: mpsc::Receiver<Result<Bytes, EngineError>>,
}

/// Takes the bytes of a file: to send them on, or only to count them.
pub(in crate::engine) struct Out {
    /// What is written next is appended here.
    pub buffer: Vec<u8>,
    bytes: u64,
    counting: bool,
    /// Where blocks go; nowhere if they are only counted and nobody waits for them.
    blocks: Option<mpsc::Sender<Result<Bytes, EngineError>>>,
}

impl Out {
    /// Returns how many bytes this writes; they go nowhere. Ends early once nobody waits for this file.
    ///
    /// # Errors
    /// [`EngineError::Interrupted`]; those of `write`.
    pub fn count(
        file: Option<&Making>,
        write: impl FnOnce(&mut Out) -> Result<(), EngineError>,
    ) -> Result<u64, EngineError> {
        let blocks = file.and_then(|file| file.out.blocks.clone());
        let mut out = Out { buffer: Vec::new(), bytes: 0, counting: true, blocks };
        write(&mut out)?;
        out.flush()?;
        Ok(out.bytes)
    }

    /// To be called after each row: passes the buffer on once it is full.
    ///
    /// # Errors
    /// [`EngineError::Interrupted`] if nobody takes the file any more.
    pub fn settle(&mut self) -> Result<(), EngineError> {
        if self.buffer.len() >= BLOCK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), EngineError> {
        self.bytes += self.buffer.len() as u64;
        if self.counting {
            self.buffer.clear();
            let gone = self.blocks.as_ref().is_some_and(mpsc::Sender::is_closed);
            return if gone { Err(EngineError::Interrupted) } else { Ok(()) };
        }
        let block = std::mem::replace(&mut self.buffer, Vec::with_capacity(2 * BLOCK));
        self.send(Ok(block.into())).map_err(|()| EngineError::Interrupted)
    }

    fn send(&self, block: Result<Bytes, EngineError>) -> Result<(), ()> {
        self.blocks.as_ref().map_or(Ok(()), |blocks| blocks.blocking_send(block).map_err(|_| ()))
    }
}

/// A file that is being made.
pub(in crate::engine) struct Making {
    /// Where its bytes go.
    pub out: Out,
    /// Who waits to be told how long it will be.
    waiting: Option<oneshot::Sender<Result<Option<u64>, EngineError>>>,
}

impl Making {
    /// How many bytes this writes; they go nowhere.
    pub fn count(
        &self,
        write: impl FnOnce(&mut Out) -> Result<(), EngineError>,
    ) -> Result<u64, EngineError> {
        Out::count(Some(self), write)
    }

    /// The file will have so many bytes. What fails before this is told to who asked for the file;
    /// what fails afterwards, to who takes it.
    pub fn begin(&mut self, size: Option<u64>) {
        if let Some(waiting) = self.waiting.take() {
            // Who has gone away closed the blocks, too.
            let _ = waiting.send(Ok(size));
        }
    }

    fn fail(&mut self, error: EngineError) {
        // Nobody to be told is no failure.
        let _ = match self.waiting.take() {
            Some(waiting) => waiting.send(Err(error)).map_err(|_| ()),
            None => self.out.send(Err(error)),
        };
    }
}

impl Download {
    /// Starts a file that `make` makes, on a thread that may block.
    pub(in crate::engine) async fn start(
        name: String,
        media_type: &'static str,
        make: impl FnOnce(&mut Making) -> Result<(), EngineError> + Send + 'static,
    ) -> Result<Self, EngineError> {
        let (sender, blocks) = mpsc::channel(QUEUE);
        let (waiting, begun) = oneshot::channel();
        threads::spawn(move || {
            let out = Out { buffer: Vec::new(), bytes: 0, counting: false, blocks: Some(sender) };
            let mut making = Making { out, waiting: Some(waiting) };
            if let Err(error) = make(&mut making).and_then(|()| making.out.flush()) {
                making.fail(error);
            }
        });
        let size = begun.await.expect("every file begins or fails")?;
        Ok(Self { name, media_type, size, blocks })
    }
}
