//! A client's connection: its socket, what has come and is not done with, what is to be sent.
//!
//! Both buffers are empty most of the time and then own no memory: input is worked on in the worker's read buffer, and
//! replies are written out of the worker's output buffer; only what is left over is copied here.

use std::io;
use std::sync::Arc;

use larder_store::RelTime;

use crate::config::{Config, Protocol};
use crate::execute::{CloseReason, Session, Unfinished};
use crate::gate::{Gate, Pass};
use crate::limits::{ENTRY_INPUT_MAX, LONG_INPUT_BYTES};
use crate::seats::Seat;
use crate::shared::{ConnInfo, Shared};
use crate::socket::Socket;
use crate::tls::Fault;
use crate::watch::Drained;

/// One client.
pub(crate) struct Conn {
    pub(crate) socket: Socket,
    pub(crate) info: Arc<ConnInfo>,
    pub(crate) session: Session,
    /// Input that is not done with, from `input_at` on.
    input: Vec<u8>,
    input_at: usize,
    /// Since when what lies at its front waits for its end.
    input_since: RelTime,
    /// Replies that the socket has not taken, or that wait for the connection's turn to end. Nothing is worked on while
    /// the socket owes the first: so they are never more than one turn brings.
    output: Vec<u8>,
    /// The socket may have more to read.
    pub(crate) readable: bool,
    /// The other side has closed its half: read until the end comes.
    pub(crate) hung_up: bool,
    /// The socket may take more. Cleared by a write that it did not take whole.
    pub(crate) writable: bool,
    /// The input may hold what can be worked on without reading more.
    pub(crate) pending: bool,
    /// It is not in yet: its TLS handshake is not done, or it has not said who it is.
    pub(crate) entering: bool,
    /// The next read is not shared: the last one brought more than a request or two, or it is not in yet.
    pub(crate) reads_alone: bool,
    /// The connection is in the worker's queue.
    pub(crate) queued: bool,
    /// Why TLS cannot go on.
    pub(crate) fault: Option<Box<Fault>>,
    /// It is to be closed when its output is sent.
    pub(crate) closing: Option<CloseReason>,
    /// Its place among its address's connections.
    _seat: Option<Seat>,
}

impl Conn {
    pub(crate) fn new(
        socket: Socket,
        info: Arc<ConnInfo>,
        protocol: Protocol,
        gate: Option<&Arc<Gate>>,
        seat: Option<Seat>,
        for_admins: bool,
    ) -> Self {
        let pass = gate.map(|gate| Pass::new(Arc::clone(gate), Arc::clone(&info), for_admins));
        let pass = pass.map(Box::new);
        let mut session = Session::new(protocol, info.fd, pass);
        let entering = socket.is_handshaking() || session.is_outside();
        Self {
            socket,
            session,
            info,
            input: Vec::new(),
            input_at: 0,
            input_since: 0,
            output: Vec::new(),
            readable: false,
            hung_up: false,
            writable: true,
            pending: false,
            entering,
            reads_alone: entering,
            queued: false,
            fault: None,
            closing: None,
            _seat: seat,
        }
    }

    /// After a read in the middle of the handshake: if that is done, its certificate may let it in. Why there is no place
    /// for it, if so.
    pub(crate) fn see_handshake(
        &mut self,
        shared: &Shared,
        config: &Config,
    ) -> Option<CloseReason> {
        if self.socket.is_handshaking() {
            return None;
        }
        let certificate = self.socket.client_certificate()?;
        self.session.show_certificate(certificate, shared, config)
    }

    /// Sees whether it is in by now.
    pub(crate) fn see_entry(&mut self) {
        self.entering = self.socket.is_handshaking() || self.session.is_outside();
        self.reads_alone |= self.entering;
    }

    /// Whether it has sent more than is kept of anybody who is not in.
    pub(crate) fn floods_entry(&self) -> bool {
        self.entering && self.kept_input() > ENTRY_INPUT_MAX
    }

    /// Input that is not done with.
    pub(crate) fn take_input(&mut self) -> (Vec<u8>, usize) {
        (
            std::mem::take(&mut self.input),
            std::mem::take(&mut self.input_at),
        )
    }

    /// Puts input back of which bytes up to `done` are done with, of these `used` at `now`. A buffer that is done with is
    /// freed.
    pub(crate) fn put_input(&mut self, input: Vec<u8>, done: usize, used: usize, now: RelTime) {
        if done < input.len() {
            (self.input, self.input_at) = (input, done);
        }
        if used > 0 {
            self.input_since = now;
        }
    }

    /// Keeps what is left of the worker's read buffer.
    pub(crate) fn keep_input(&mut self, rest: &[u8], now: RelTime) {
        self.input.extend_from_slice(rest);
        self.input_since = now;
    }

    /// Bytes of input that are kept and not done with.
    pub(crate) fn kept_input(&self) -> usize {
        self.input.len() - self.input_at
    }

    /// Whether a request that has begun to come in has taken longer than it may, at `now`. To be asked once a second.
    pub(crate) fn is_slow(&mut self, timeout_s: u32, now: RelTime) -> bool {
        let line = self.has_input().then_some(Unfinished {
            since: self.input_since,
            came: self.kept_input(),
        });
        // Of a record of TLS only the last read's time is known.
        let record = self.socket.has_unfinished_record().then(|| Unfinished {
            since: self.info.last_command(),
            came: 0,
        });
        let Some(unfinished) = self.session.block.or(line).or(record) else {
            return false;
        };
        if self.pending || self.has_output() || self.closing.is_some() {
            // It is this side that keeps it waiting.
            self.input_since += 1;
            if let Some(block) = &mut self.session.block {
                block.since += 1;
            }
            return false;
        }
        unfinished.is_late(timeout_s, now)
    }

    pub(crate) fn has_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// Adds to the input that is there, dropping what of it is done with.
    pub(crate) fn add_input(&mut self, more: &[u8]) {
        if self.input_at > 0 {
            self.input.drain(..self.input_at);
            self.input_at = 0;
        }
        self.input.extend_from_slice(more);
    }

    /// Whether a line begins with the next byte that is read.
    pub(crate) fn is_between_lines(&self) -> bool {
        !self.has_input() && self.session.is_between_lines()
    }

    /// Whether its turn is one read into a part of the worker's buffer, and what comes of that.
    pub(crate) fn can_share_a_read(&self) -> bool {
        let owes = self.pending || self.has_output() || self.closing.is_some();
        self.readable && !owes && !self.reads_alone && !self.socket.reads_alone()
    }

    /// Whether replies wait to be sent.
    pub(crate) fn has_output(&self) -> bool {
        !self.output.is_empty() || self.socket.owes()
    }

    /// Bytes that its input takes, if that is long; else 0.
    pub(crate) fn long_input_bytes(&self) -> usize {
        match self.input.len() > LONG_INPUT_BYTES {
            true => self.input.capacity(),
            false => 0,
        }
    }

    /// Drops its input, and says so.
    pub(crate) fn give_up_input(&mut self, error: &[u8]) {
        self.input = Vec::new();
        self.input_at = 0;
        self.output.extend_from_slice(error);
    }

    /// Puts a turn's replies aside, until it goes on.
    pub(crate) fn keep_replies(&mut self, replies: &mut Vec<u8>) {
        self.output.append(replies);
    }

    /// Takes the replies up again that were put aside.
    pub(crate) fn take_replies(&mut self, replies: &mut Vec<u8>) {
        replies.append(&mut std::mem::take(&mut self.output));
    }

    /// Writes what is left from before, or else `replies`: one write. What the socket does not take is kept. Returns how
    /// many bytes it took.
    pub(crate) fn write(&mut self, replies: &mut Vec<u8>) -> io::Result<usize> {
        if self.has_output() {
            self.output.append(replies);
            let taken = self.socket.write(&self.output)?;
            self.writable = taken == self.output.len() && !self.socket.owes();
            if taken == self.output.len() {
                self.output = Vec::new();
            } else {
                self.output.drain(..taken);
            }
            return Ok(taken);
        }
        if replies.is_empty() {
            return Ok(0);
        }
        let taken = self.socket.write(replies)?;
        if taken < replies.len() {
            self.output = replies[taken..].to_vec();
            self.writable = false;
        } else if self.socket.owes() {
            self.writable = false;
        }
        replies.clear();
        Ok(taken)
    }

    /// Takes in the lines that have come for a watcher, as far as its buffer has room for them.
    pub(crate) fn take_lines(&mut self, bytes_max: usize) -> Drained {
        self.session.take_lines(&mut self.output, bytes_max)
    }

    /// Bytes of the connection's own buffers.
    pub(crate) fn buffer_bytes(&self) -> usize {
        let buffers = self.input.capacity() + self.output.capacity();
        buffers + self.socket.buffer_bytes() + self.session.buffer_bytes()
    }

    /// Notes for `stats conns` and for the idle timeout that something was done at `now`.
    #[inline]
    pub(crate) fn note_activity(&self, now: RelTime) {
        self.info.note_command(now);
    }
}
