//! The task that owns a connection's socket: requests out, replies in, both at once.
//!
//! It never stops reading because it cannot write, nor the other way round, so that two full buffers never wait for each
//! other. Everything that callers handed over meanwhile goes out in one write.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::replies::Replies;
use super::transport::Stream;
use super::{Fault, Request};
use crate::limits::{OUT_HIGH, READ_MAX, READ_MIN, REQUESTS_A_TURN};

/// One connection's state.
pub(super) struct Driver {
    stream: Box<dyn Stream>,
    incoming: mpsc::UnboundedReceiver<Request>,
    killed: watch::Receiver<Option<Fault>>,
    /// How long replies are waited for when nobody can ask any more.
    linger: Duration,
    replies: Replies,
    out: BytesMut,
    needs_flush: bool,
    taken: Vec<Request>,
    is_asked_no_more: bool,
}

impl Driver {
    pub(super) fn new(
        stream: Box<dyn Stream>,
        incoming: mpsc::UnboundedReceiver<Request>,
        killed: watch::Receiver<Option<Fault>>,
        linger: Duration,
    ) -> Self {
        Self {
            stream,
            incoming,
            killed,
            linger,
            replies: Replies::default(),
            out: BytesMut::new(),
            needs_flush: false,
            taken: Vec::new(),
            is_asked_no_more: false,
        }
    }

    pub(super) async fn run(mut self) {
        let fault = self.work().await;
        if !self.replies.is_empty() || !self.out.is_empty() {
            self.stream.discard_unsent();
        }
        // First the keys of what was sent are noted, then the connection calls itself closed, and only then do callers
        // hear of it: one who goes on on another connection must find all those keys in doubt, and not this one.
        self.replies.note_unfinished();
        self.incoming.close();
        self.replies.fail(&fault);
        while let Ok(request) = self.incoming.try_recv() {
            request.pending.fail(&fault, false);
        }
    }

    /// Until somebody has had enough.
    async fn work(&mut self) -> Fault {
        let mut killed = self.killed.clone();
        let stopped = async move {
            match killed.wait_for(Option::is_some).await {
                Ok(fault) => fault.clone(),
                Err(_) => None,
            }
        };
        let mut stopped = pin!(stopped);
        let first = poll_fn(|cx| match stopped.as_mut().poll(cx) {
            Poll::Ready(fault) => Poll::Ready(fault),
            Poll::Pending => self.poll(cx).map(Some),
        });
        match first.await {
            Some(fault) => fault,
            // The handle was dropped. What was asked is answered yet.
            None => timeout(self.linger, poll_fn(|cx| self.poll(cx)))
                .await
                .unwrap_or_else(|_| no_handle()),
        }
    }

    /// One turn: takes requests, writes, reads, until each would wait.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Fault> {
        loop {
            let has_taken = self.poll_requests(cx);
            if let Poll::Ready(fault) = self.poll_write(cx) {
                return Poll::Ready(fault);
            }
            match self.poll_read(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(fault)) => return Poll::Ready(fault),
                Poll::Pending if has_taken => {}
                Poll::Pending if self.is_asked_no_more && self.replies.is_empty() => {
                    return Poll::Ready(no_handle());
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn poll_requests(&mut self, cx: &mut Context<'_>) -> bool {
        if self.is_asked_no_more || self.out.len() >= OUT_HIGH {
            return false;
        }
        let taken = &mut self.taken;
        match self.incoming.poll_recv_many(cx, taken, REQUESTS_A_TURN) {
            Poll::Pending => return false,
            Poll::Ready(0) => {
                self.is_asked_no_more = true;
                return false;
            }
            Poll::Ready(_) => {}
        }
        for request in taken.drain(..) {
            // What nobody waits for any more, and no server has seen, need not go out.
            match request.pending.is_abandoned() {
                true => request.pending.discard(),
                false => {
                    self.out.extend_from_slice(&request.bytes);
                    self.replies.push(request.pending);
                }
            }
        }
        true
    }

    /// Writes all there is. Ready only with the fault that ended it.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Fault> {
        while !self.out.is_empty() {
            match pin!(self.stream.write_buf(&mut self.out)).poll(cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(ended("nothing more can be written")),
                Poll::Ready(Ok(_)) => self.needs_flush = true,
                Poll::Ready(Err(error)) => return Poll::Ready(ended_by(&error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        if self.needs_flush {
            match pin!(self.stream.flush()).poll(cx) {
                Poll::Ready(Ok(())) => self.needs_flush = false,
                Poll::Ready(Err(error)) => return Poll::Ready(ended_by(&error)),
                Poll::Pending => {}
            }
        }
        Poll::Pending
    }

    /// One read, and the answers it brought.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let input = &mut self.replies.input;
        if input.capacity() - input.len() < READ_MIN {
            let missing = self.replies.missing();
            self.replies
                .input
                .reserve(missing.clamp(READ_MIN, READ_MAX));
        }
        match pin!(self.stream.read_buf(&mut self.replies.input)).poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(0)) => Poll::Ready(Err(ended("the server closed the connection"))),
            Poll::Ready(Ok(_)) => Poll::Ready(self.replies.take()),
            Poll::Ready(Err(error)) => Poll::Ready(Err(ended_by(&error))),
        }
    }
}

/// The other side ended the connection: it is gone, or it had enough of a connection that was idle. A soft fault: the
/// next connection shows at once which of the two it was, and a get that waits is asked again there.
fn ended(what: &'static str) -> Fault {
    Fault::soft(what)
}

fn no_handle() -> Fault {
    Fault::closed("the connection is no longer needed")
}

fn ended_by(error: &io::Error) -> Fault {
    Fault::soft(format!("the connection ended: {error}"))
}
