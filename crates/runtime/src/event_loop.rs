//! The one place that holds a `mio::Poll`: waiting for sockets, for a wake from another thread, or for a time to pass.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mio::event::Source;
use mio::{Events, Interest, Poll, Token, Waker};

/// Events taken from the kernel in one wait.
const EVENTS: usize = 256;

/// The token of a wake; sources use numbers below.
const WAKE: usize = usize::MAX;

/// What is known of one source after a wait. Edges: each is told once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    /// The number that the source was registered with.
    pub(crate) number: usize,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// The other side has closed, or its half: read until the end.
    pub(crate) hung_up: bool,
}

/// A poll and its events.
pub(crate) struct EventLoop {
    poll: Poll,
    events: Events,
    waker: Arc<Waker>,
}

impl EventLoop {
    pub(crate) fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), Token(WAKE))?);
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS),
            waker,
        })
    }

    /// Wakes this loop from another thread.
    pub(crate) fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// Watches a connection for both directions.
    pub(crate) fn add_conn(&self, source: &mut impl Source, number: usize) -> io::Result<()> {
        self.poll.registry().register(
            source,
            Token(number),
            Interest::READABLE | Interest::WRITABLE,
        )
    }

    /// Watches a listening socket.
    pub(crate) fn add_listener(&self, source: &mut impl Source, number: usize) -> io::Result<()> {
        self.poll
            .registry()
            .register(source, Token(number), Interest::READABLE)
    }

    /// Waits at most `timeout` (for ever if none), then gives what is ready. Returns whether another thread has woken it.
    pub(crate) fn wait(
        &mut self,
        timeout: Option<Duration>,
        mut each: impl FnMut(Ready),
    ) -> io::Result<bool> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(false),
            result => result?,
        }
        let mut woken = false;
        for event in &self.events {
            let Token(number) = event.token();
            if number == WAKE {
                woken = true;
                continue;
            }
            each(Ready {
                number,
                readable: event.is_readable(),
                writable: event.is_writable(),
                hung_up: event.is_read_closed() || event.is_error(),
            });
        }
        Ok(woken)
    }
}
