//! The place of one connection: empty, being filled, or filled.
//!
//! Connecting is a task of its own: a caller that gives up does not undo it for those who wait with it, and what it
//! found is told to the node's health once.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::{Failure, LiveNode};
use crate::conn::transport::Stream;
use crate::conn::{Conn, Fault, greet};
use crate::wire::Dialect;

type Outcome = Result<Arc<Conn>, Fault>;

#[derive(Default)]
pub(super) struct Slot(Mutex<Place>);

#[derive(Default)]
enum Place {
    #[default]
    Empty,
    Connecting(watch::Receiver<Option<Outcome>>),
    Filled(Arc<Conn>),
}

impl Slot {
    fn with<T>(&self, look: impl FnOnce(&mut Place) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn fill(&self, conn: Arc<Conn>) {
        self.with(|place| *place = Place::Filled(conn));
    }

    /// Lets go of the connection, which ends when what was asked is answered.
    pub(super) fn leave(&self) {
        self.with(|place| {
            if matches!(place, Place::Filled(_)) {
                *place = Place::Empty;
            }
        });
    }

    /// Ends the connection, if there is one.
    pub(super) fn abort(&self, fault: &Fault) {
        let filled = self.with(|place| match std::mem::take(place) {
            Place::Filled(conn) => Some(conn),
            other => {
                *place = other;
                None
            }
        });
        if let Some(conn) = filled {
            // Whoever hears of it now need not tell the health.
            conn.is_to_be_reported();
            conn.abort(fault.clone());
        }
    }
}

impl LiveNode {
    /// The slot's connection; waits for it no longer than until `deadline`.
    pub(super) async fn conn(
        self: &Arc<Self>,
        slot: usize,
        deadline: Instant,
    ) -> Result<Arc<Conn>, Failure> {
        let mut outcome = match self.filled_or_connecting(slot) {
            Ok(conn) => return Ok(conn),
            Err(outcome) => outcome,
        };
        let made = outcome.wait_for(Option::is_some);
        let outcome = match timeout_at(deadline, made).await {
            Err(_) => return Err(self.too_late(false)),
            Ok(Err(_)) => Err(Fault::soft("connecting was given up")),
            Ok(Ok(outcome)) => outcome
                .clone()
                .unwrap_or_else(|| Err(Fault::soft("connecting was given up"))),
        };
        outcome.map_err(|fault| Failure {
            // Whoever is refused a connection need not try at once once more.
            is_harmless: false,
            ..self.lost(&fault, crate::wire::Kind::Get)
        })
    }

    fn filled_or_connecting(
        self: &Arc<Self>,
        slot: usize,
    ) -> Result<Arc<Conn>, watch::Receiver<Option<Outcome>>> {
        self.slots[slot].with(|place| match place {
            Place::Filled(conn) if !conn.is_closed() => Ok(Arc::clone(conn)),
            // If the other end is gone, the connecting task ended with its runtime.
            Place::Connecting(outcome) if outcome.has_changed().is_ok() => Err(outcome.clone()),
            Place::Filled(_) | Place::Empty | Place::Connecting(_) => {
                let (told, outcome) = watch::channel(None);
                *place = Place::Connecting(outcome.clone());
                tokio::spawn(Arc::clone(self).connect_slot(slot, told));
                Err(outcome)
            }
        })
    }

    async fn connect_slot(self: Arc<Self>, slot: usize, told: watch::Sender<Option<Outcome>>) {
        let outcome = self.connect().await.map(Arc::new);
        let place = match &outcome {
            Ok(conn) => Place::Filled(Arc::clone(conn)),
            Err(_) => Place::Empty,
        };
        self.slots[slot].with(|at| *at = place);
        match &outcome {
            Err(fault) => self.failed(fault),
            // A node that went down meanwhile is asked again only when it was probed.
            Ok(conn) if !self.health().admits() => conn.abort(Fault::soft("the node is down")),
            Ok(_) => {}
        }
        let _ = told.send(Some(outcome));
    }

    /// A new connection of those that are shared.
    pub(super) async fn connect(&self) -> Result<Conn, Fault> {
        let (stream, dialect) = self.greeted().await?;
        Ok(Conn::start(stream, dialect, self.settings.call_timeout))
    }

    /// A new connection, greeted, and what the server speaks.
    pub(crate) async fn greeted(&self) -> Result<(Box<dyn Stream>, Dialect), Fault> {
        let settings = &self.settings;
        let connecting = async {
            let connected = settings.transport.connect(self.spec.address()).await;
            let mut stream =
                connected.map_err(|error| Fault::hard(format!("cannot connect: {error}")))?;
            let credentials = settings.credentials.as_ref();
            let dialect = greet(&mut stream, credentials, settings.is_classic).await?;
            Ok((stream, dialect))
        };
        let limit = settings.connect_timeout;
        timeout(limit, connecting).await.unwrap_or_else(|_| {
            let limit_ms = limit.as_millis();
            Err(Fault::soft(format!("no connection within {limit_ms} ms")))
        })
    }
}
