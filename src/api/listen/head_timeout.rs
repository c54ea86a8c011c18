//! A connection whose requests must come whole: one that has begun a request and does not end its head in
//! time is given up. Waiting for the next request is not limited here.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::connections::ConnectionPermit;

/// Bytes in and out, with an end to a request's head.
#[derive(Debug)]
pub struct HeadTimeout<T> {
    inner: T,
    limit: Duration,
    permit: Arc<ConnectionPermit>,
    /// The requests that had come whole when the head began.
    seen: u64,
    /// Runs from the first byte of a request, and on a new connection from its begin.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<T> HeadTimeout<T> {
    /// Waits so long at most for the head of a request; `permit` counts those that came whole.
    pub fn new(inner: T, limit: Duration, permit: Arc<ConnectionPermit>) -> Self {
        let seen = permit.requests();
        let waiting = Some(Box::pin(tokio::time::sleep(limit)));
        Self { inner, limit, permit, seen, waiting }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for HeadTimeout<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if self.permit.requests() != self.seen {
            (self.seen, self.waiting) = (self.permit.requests(), None);
        }
        let came = buffer.filled().len() > before;
        if came && self.waiting.is_none() && self.permit.is_idle() {
            let end = Instant::now() + self.limit;
            self.waiting = Some(Box::pin(tokio::time::sleep_until(end)));
        }
        // Also where more has come: a client that goes on byte by byte is given up as well.
        let over = self.waiting.as_mut().is_some_and(|end| end.as_mut().poll(cx).is_ready());
        if over {
            let words = "the head of a request did not come in time";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, words)));
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for HeadTimeout<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
