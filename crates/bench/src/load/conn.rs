//! One connection of the load generator: what it has still to write, what it read of a reply that is not complete.

use std::io::{ErrorKind, Read, Write};

use anyhow::{Context, Result, bail};

use super::tally::Tally;
use crate::endpoint::LoopSocket;
use crate::replies::{Check, Expected};
use crate::workload::{Data, Requests};

/// A connection and the requests under way on it.
pub(crate) struct Conn {
    socket: LoopSocket,
    /// Requests not yet written, from `written` on.
    out: Vec<u8>,
    written: usize,
    /// The beginning of a reply whose end has not arrived.
    tail: Vec<u8>,
    expected: Expected,
}

impl Conn {
    pub(crate) fn new(socket: LoopSocket) -> Self {
        Self {
            socket,
            out: Vec::new(),
            written: 0,
            tail: Vec::new(),
            expected: Expected::default(),
        }
    }

    pub(crate) fn socket(&mut self) -> &mut LoopSocket {
        &mut self.socket
    }

    /// How many requests wait for their replies.
    pub(crate) fn waiting(&self) -> usize {
        self.expected.len()
    }

    /// Adds the next request; it goes out with `flush`.
    pub(crate) fn push(&mut self, requests: &mut Requests, data: &Data, sent_ns: u64) -> bool {
        requests.next(data, sent_ns, &mut self.out, &mut self.expected)
    }

    /// Writes what it can; the rest goes when the socket has room again.
    pub(crate) fn flush(&mut self) -> Result<()> {
        while self.written < self.out.len() {
            match self.socket.write(&self.out[self.written..]) {
                Ok(0) => bail!("the server takes no more"),
                Ok(bytes) => self.written += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("cannot write to the server"),
            }
        }
        self.out.clear();
        self.written = 0;
        Ok(())
    }

    /// Reads until the socket is drained and checks what came. A read that leaves room in the buffer has drained it.
    /// `now_ns` is asked after each read: that is when its replies arrived.
    pub(crate) fn read(
        &mut self,
        data: &Data,
        check: Check,
        buffer: &mut [u8],
        tally: &mut Tally,
        now_ns: impl Fn() -> u64,
    ) -> Result<()> {
        loop {
            let bytes = match self.socket.read(buffer) {
                Ok(0) => bail!(
                    "the server closed a connection on which {} requests waited",
                    self.expected.len()
                ),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error).context("cannot read from the server"),
            };
            tally.now_ns = now_ns();
            self.take(data, check, &buffer[..bytes], tally)?;
            if bytes < buffer.len() {
                return Ok(());
            }
        }
    }

    /// Checks what is complete where it lies; only an unfinished rest is copied.
    fn take(&mut self, data: &Data, check: Check, input: &[u8], tally: &mut Tally) -> Result<()> {
        if self.tail.is_empty() {
            let taken = self.expected.take(data, check, input, tally)?;
            self.tail.extend_from_slice(&input[taken..]);
        } else {
            self.tail.extend_from_slice(input);
            let taken = self.expected.take(data, check, &self.tail, tally)?;
            self.tail.drain(..taken);
        }
        Ok(())
    }
}
