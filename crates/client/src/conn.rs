//! One connection to one node, shared by every task that asks that node.
//!
//! A task of its own ([`driver`]) owns the socket; callers hand it requests, already encoded, and wait for the answers.
//! What a caller does while it waits, or whether it still does, is of no concern to the order of replies.

mod driver;
mod handshake;
mod replies;
#[cfg(feature = "tls")]
mod tls;
pub(crate) mod transport;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use larder_protocol::client::Broken;
use tokio::sync::{mpsc, watch};

use crate::wire::Dialect;
use transport::Stream;

pub(crate) use handshake::{Credentials, greet};
pub(crate) use replies::Pending;
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError};

/// Why a connection ended, or was never made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) reason: Arc<str>,
    pub(crate) severity: Severity,
    /// Whether the server may have seen the request that hears of it.
    pub(crate) was_sent: bool,
}

/// What a fault says about the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// Slow, perhaps for a moment.
    Soft,
    /// Gone, or not what it should be.
    Hard,
}

impl Fault {
    pub(crate) fn hard(reason: impl Into<Arc<str>>) -> Self {
        Self {
            reason: reason.into(),
            severity: Severity::Hard,
            was_sent: false,
        }
    }

    pub(crate) fn soft(reason: impl Into<Arc<str>>) -> Self {
        Self {
            severity: Severity::Soft,
            ..Self::hard(reason)
        }
    }

    fn closed(reason: impl Into<Arc<str>>) -> Self {
        Self::soft(reason)
    }

    fn broken(broken: &Broken) -> Self {
        Self::hard(format!("not a memcached reply to what was asked: {broken}"))
    }

    pub(crate) fn sent(self, was_sent: bool) -> Self {
        Self { was_sent, ..self }
    }
}

/// One request on its way to the task that owns the socket.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) bytes: Vec<u8>,
    pub(crate) pending: Pending,
}

/// A handle to a connection. The connection ends when the last request is answered after the handle is dropped.
#[derive(Debug)]
pub(crate) struct Conn {
    dialect: Dialect,
    requests: mpsc::UnboundedSender<Request>,
    kill: watch::Sender<Option<Fault>>,
    /// Whether its end was told to the node's health; many callers hear of one end.
    is_reported: AtomicBool,
}

impl Conn {
    /// Sets a task to work on a greeted stream.
    pub(crate) fn start(stream: Box<dyn Stream>, dialect: Dialect, linger: Duration) -> Self {
        let (requests, incoming) = mpsc::unbounded_channel();
        let (kill, killed) = watch::channel(None);
        tokio::spawn(driver::Driver::new(stream, incoming, killed, linger).run());
        Self {
            dialect,
            requests,
            kill,
            is_reported: AtomicBool::new(false),
        }
    }

    /// True once: for the caller who tells the node's health how the connection ended.
    pub(crate) fn is_to_be_reported(&self) -> bool {
        !self.is_reported.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whether no request will be taken any more. When it says so, the keys of all requests that it had are noted.
    pub(crate) fn is_closed(&self) -> bool {
        self.requests.is_closed()
    }

    /// Hands a request over, or gives it back if the connection has ended.
    pub(crate) fn send(&self, request: Request) -> Result<(), Box<Request>> {
        self.requests
            .send(request)
            .map_err(|refused| Box::new(refused.0))
    }

    /// Ends the connection at once: nothing that is still in a buffer of this machine goes out.
    pub(crate) fn abort(&self, fault: Fault) {
        self.kill.send_if_modified(|place| {
            let is_first = place.is_none();
            place.get_or_insert(fault);
            is_first
        });
    }
}
