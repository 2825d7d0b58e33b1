//! The floor's loops.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use anyhow::{Context, Result};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};
use slab::Slab;

use super::split::Replies;

const NEWS: Token = Token(usize::MAX);
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// Accepts on this thread and deals connections to the others; it never looks at their requests.
pub(super) fn serve(listener: TcpListener, threads: usize, replies: &Replies) -> Result<()> {
    let mut loops = Vec::new();
    for _ in 0..threads {
        let poll = Poll::new().context("cannot make a loop")?;
        let waker = Waker::new(poll.registry(), NEWS).context("cannot make a waker")?;
        let (sender, news) = channel();
        let replies = replies.clone();
        thread::spawn(move || {
            Loop {
                poll,
                news,
                replies,
                conns: Slab::new(),
            }
            .run()
        });
        loops.push((sender, waker));
    }
    for (turn, stream) in listener.incoming().enumerate() {
        let stream = stream.context("cannot accept")?;
        let (sender, waker): &(Sender<_>, Waker) = &loops[turn % threads];
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        sender
            .send(TcpStream::from_std(stream))
            .context("a loop has ended")?;
        waker.wake().context("cannot wake a loop")?;
    }
    Ok(())
}

struct Conn {
    stream: TcpStream,
    /// An unfinished request.
    tail: Vec<u8>,
    /// Replies that the socket had no room for.
    unwritten: Vec<u8>,
}

struct Loop {
    poll: Poll,
    news: Receiver<TcpStream>,
    replies: Replies,
    conns: Slab<Conn>,
}

impl Loop {
    fn run(mut self) -> Result<()> {
        let mut events = Events::with_capacity(1024);
        let (mut buffer, mut out) = (vec![0; READ_BUFFER_BYTES], Vec::new());
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result.context("cannot wait")?,
            }
            for event in &events {
                match event.token() {
                    NEWS => self.adopt()?,
                    Token(index) => {
                        let conn = &mut self.conns[index];
                        if !conn.turn(&self.replies, &mut buffer, &mut out) {
                            self.conns.remove(index);
                        }
                    }
                }
            }
        }
    }

    fn adopt(&mut self) -> Result<()> {
        while let Ok(mut stream) = self.news.try_recv() {
            let entry = self.conns.vacant_entry();
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll
                .registry()
                .register(&mut stream, Token(entry.key()), interest)
                .context("cannot watch a socket")?;
            entry.insert(Conn {
                stream,
                tail: Vec::new(),
                unwritten: Vec::new(),
            });
        }
        Ok(())
    }
}

impl Conn {
    /// Reads, answers and writes; false when the connection is over. A read that leaves room in the buffer has drained
    /// the socket. A client that does not read is not read from either, until its socket has room again.
    fn turn(&mut self, replies: &Replies, buffer: &mut [u8], out: &mut Vec<u8>) -> bool {
        loop {
            if !self.unwritten.is_empty() {
                out.append(&mut self.unwritten);
                if !self.write(out) {
                    return false;
                }
                if !self.unwritten.is_empty() {
                    return true;
                }
            }
            let bytes = match self.stream.read(buffer) {
                Ok(0) => return false,
                Ok(bytes) => bytes,
                Err(error) => {
                    return matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted);
                }
            };
            self.answer(replies, &buffer[..bytes], out);
            if !self.write(out) {
                return false;
            }
            if bytes < buffer.len() {
                return true;
            }
        }
    }

    fn answer(&mut self, replies: &Replies, input: &[u8], out: &mut Vec<u8>) {
        if self.tail.is_empty() {
            let taken = replies.answer(input, out);
            if taken < input.len() {
                self.tail.extend_from_slice(&input[taken..]);
            }
        } else {
            self.tail.extend_from_slice(input);
            let taken = replies.answer(&self.tail, out);
            self.tail.drain(..taken);
        }
    }

    /// Empties `out`; what the socket has no room for is kept.
    fn write(&mut self, out: &mut Vec<u8>) -> bool {
        let written = match self.stream.write(out) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(_) => return false,
        };
        if written < out.len() {
            self.unwritten.extend_from_slice(&out[written..]);
        }
        out.clear();
        true
    }
}
