//! One load for a key at a time in this process: whoever comes meanwhile waits for its result.
//!
//! The load runs in the task of the caller that began it. When that one is dropped, one of those who wait begins anew.
//! A write to the key ends the flight for all who come later, since what is being loaded may be older than the write.

use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

/// How a load ended: a value and its client flags, nothing, or the loader's error.
pub(crate) type Landed = Result<Option<(Bytes, u32)>, Arc<dyn Any + Send + Sync>>;

type Told = watch::Receiver<Option<Landed>>;

/// All loads that are under way.
#[derive(Default)]
pub(crate) struct Flights {
    /// How many there are: looked at by every write, without the lock.
    count: AtomicUsize,
    by_key: Mutex<HashMap<Bytes, Told>>,
}

/// A place in a flight.
pub(super) enum Seat<'a> {
    /// The caller loads.
    Pilot(Pilot<'a>),
    /// Somebody else does.
    Passenger(Passenger),
}

/// Loads, and tells the others.
pub(super) struct Pilot<'a> {
    flights: &'a Flights,
    key: Bytes,
    told: watch::Sender<Option<Landed>>,
}

/// Waits for somebody else's load.
pub(super) struct Passenger(Told);

impl Flights {
    /// A seat in the flight of this key.
    pub(super) fn board(&self, key: &Bytes) -> Seat<'_> {
        self.change(|by_key| match by_key.get(key) {
            // One whose pilot is gone without a word is none.
            Some(told) if told.has_changed().is_ok() => Seat::Passenger(Passenger(told.clone())),
            _ => {
                let (told, receiver) = watch::channel(None);
                by_key.insert(key.clone(), receiver);
                Seat::Pilot(Pilot {
                    flights: self,
                    key: key.clone(),
                    told,
                })
            }
        })
    }

    /// The flight of this key, if there is one.
    pub(super) fn join(&self, key: &Bytes) -> Option<Passenger> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        self.change(|by_key| by_key.get(key).cloned().map(Passenger))
    }

    /// Lets nobody join the flight of this key any more.
    pub(crate) fn forget(&self, key: &Bytes) {
        if self.count.load(Ordering::Acquire) > 0 {
            self.change(|by_key| by_key.remove(key));
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut HashMap<Bytes, Told>) -> T) -> T {
        let mut by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut by_key);
        self.count.store(by_key.len(), Ordering::Release);
        changed
    }
}

impl Pilot<'_> {
    /// Whether the key was written since the load began.
    pub(super) fn is_overtaken(&self) -> bool {
        !self.flights.change(|by_key| self.is_current(by_key))
    }

    fn is_current(&self, by_key: &HashMap<Bytes, Told>) -> bool {
        let own = self.told.subscribe();
        by_key
            .get(&self.key)
            .is_some_and(|told| told.same_channel(&own))
    }

    pub(super) fn land(self, landed: Landed) {
        self.told.send_replace(Some(landed));
    }
}

impl Drop for Pilot<'_> {
    fn drop(&mut self) {
        self.flights.change(|by_key| {
            if self.is_current(by_key) {
                by_key.remove(&self.key);
            }
        });
    }
}

impl Passenger {
    /// The load's end; `None` if whoever loaded was dropped before it.
    pub(super) async fn landed(mut self) -> Option<Landed> {
        let told = self.0.wait_for(Option::is_some).await;
        told.ok().and_then(|landed| landed.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pilot<'a>(flights: &'a Flights, key: &Bytes) -> Pilot<'a> {
        match flights.board(key) {
            Seat::Pilot(pilot) => pilot,
            Seat::Passenger(_) => panic!("somebody else loads"),
        }
    }

    fn passenger(flights: &Flights, key: &Bytes) -> Passenger {
        match flights.board(key) {
            Seat::Passenger(passenger) => passenger,
            Seat::Pilot(_) => panic!("nobody else loads"),
        }
    }

    #[tokio::test]
    async fn all_hear_of_one_load() {
        let (flights, key) = (Flights::default(), Bytes::from_static(b"k"));
        let pilot = pilot(&flights, &key);
        let waiting = [passenger(&flights, &key), passenger(&flights, &key)];
        pilot.land(Ok(Some((Bytes::from_static(b"v"), 0))));
        for passenger in waiting {
            let landed = passenger.landed().await.expect("told").expect("no error");
            assert_eq!(landed, Some((Bytes::from_static(b"v"), 0)));
        }
        assert!(flights.join(&key).is_none(), "it is over");
    }

    #[tokio::test]
    async fn a_dropped_load_is_taken_over() {
        let (flights, key) = (Flights::default(), Bytes::from_static(b"k"));
        let first = pilot(&flights, &key);
        let waits = passenger(&flights, &key);
        drop(first);
        assert!(waits.landed().await.is_none());
        pilot(&flights, &key).land(Ok(None));
    }

    #[tokio::test]
    async fn nobody_joins_after_a_write() {
        let (flights, key) = (Flights::default(), Bytes::from_static(b"k"));
        let old = pilot(&flights, &key);
        flights.forget(&key);
        let new = pilot(&flights, &key);
        assert!(old.is_overtaken() && !new.is_overtaken());
        old.land(Ok(Some((Bytes::from_static(b"old"), 0))));
        let waits = passenger(&flights, &key);
        new.land(Ok(None));
        assert!(matches!(waits.landed().await, Some(Ok(None))));
    }
}
