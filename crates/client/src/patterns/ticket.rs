//! The right to load a key, and what follows from the load.
//!
//! Whoever has it and is dropped gives it up at once, so that nobody waits for a load that will not end.

use bytes::Bytes;
use larder_protocol::client::meta::Mode;

use super::fetch::{Fetch, FetchError};
use super::flight::Pilot;
use crate::client::{Client, storing};
use crate::wire::{Item, Verb};

/// A fetch that has come to where the loader is needed, or need not.
pub(crate) enum Begun<'a> {
    Found(Option<Bytes>),
    Load(Box<Ticket<'a>>),
}

/// By what right a loaded value is stored.
pub(super) enum Claim {
    /// The item of this CAS unique keeps the place.
    Place(u64),
    /// The lock key is ours.
    Lock(Bytes),
    /// There is no item yet, as far as is known.
    Empty,
    /// None: the cache could not be asked.
    Nothing,
}

/// The right to load one key.
pub(crate) struct Ticket<'a> {
    pub(super) client: &'a Client,
    pub(super) key: Bytes,
    pub(super) how: Fetch,
    /// Those of what is loaded.
    pub(super) flags: u32,
    pub(super) claim: Claim,
    /// What was there before, if it may be given out.
    pub(super) before: Option<Bytes>,
    /// None of this process wait if there is none.
    pub(super) pilot: Option<Pilot<'a>>,
}

impl Ticket<'_> {
    /// The load has ended: stores what it brought, and tells those who wait.
    pub(crate) async fn end<E: Send + Sync + 'static>(
        mut self,
        loaded: Result<Option<Bytes>, FetchError<E>>,
    ) -> Result<Option<Bytes>, FetchError<E>> {
        match (loaded, self.before.take()) {
            (Ok(loaded), _) => {
                self.keep(loaded.as_ref()).await;
                self.claim = Claim::Nothing;
                let flags = self.flags;
                if let Some(pilot) = self.pilot.take() {
                    pilot.land(Ok(loaded.clone().map(|value| (value, flags))));
                }
                Ok(loaded)
            }
            // Those who wait find it as well.
            (Err(_), Some(before)) => {
                self.claim = Claim::Nothing;
                Ok(Some(before))
            }
            (Err(error), None) => {
                self.client.give_up(&self.key, &self.claim).await;
                self.claim = Claim::Nothing;
                if let Some(pilot) = self.pilot.take() {
                    pilot.land(Err(error.tell()));
                }
                Err(error)
            }
        }
    }

    /// Stores what was loaded, unless this process has written the key since the load began. What cannot be stored is
    /// not, and the next caller loads again.
    async fn keep(&self, loaded: Option<&Bytes>) {
        let (client, key) = (self.client, &self.key);
        let (value, flags, ttl) = match (loaded, self.how.nothing_kept(&self.claim)) {
            (Some(value), _) => (value.clone(), self.flags, self.how.kept(&self.claim)),
            (None, Some(ttl)) => (Bytes::new(), Item::NOTHING, ttl),
            (None, None) => return client.give_up(key, &self.claim).await,
        };
        if self.is_overtaken() {
            return client.give_up(key, &self.claim).await;
        }
        let (mode, cas) = match &self.claim {
            Claim::Nothing => return,
            Claim::Place(cas) => (Mode::Set, Some(*cas)),
            Claim::Lock(_) | Claim::Empty => (Mode::Add, None),
        };
        let verb = storing(mode, value.clone(), flags, ttl, cas);
        let stored = client.ask_quietly(key, verb).await;
        if cas.is_none() {
            // The gutter takes no `add`.
            if stored.is_err_and(|error| error.is_away()) && !self.is_overtaken() {
                let verb = storing(Mode::Set, value, flags, ttl, None);
                drop(client.ask_quietly(key, verb).await);
            }
            // A write at the same moment may have come before it.
            if self.is_overtaken() {
                let delete = Verb::Delete { cas: None };
                drop(client.ask_quietly(key, delete).await);
            }
        }
        if let Claim::Lock(lock) = &self.claim {
            drop(client.delete(lock).await);
        }
    }

    fn is_overtaken(&self) -> bool {
        self.pilot.as_ref().is_none_or(Pilot::is_overtaken)
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let claim = std::mem::replace(&mut self.claim, Claim::Nothing);
        if !matches!(claim, Claim::Place(_) | Claim::Lock(_)) || self.before.is_some() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (client, key) = (self.client.clone(), self.key.clone());
            runtime.spawn(async move { client.give_up(&key, &claim).await });
        }
    }
}

impl Client {
    /// Gives the place to the next, who need not wait for the time that a load may take.
    pub(super) async fn give_up(&self, key: &Bytes, claim: &Claim) {
        match claim {
            Claim::Place(cas) => {
                let verb = Verb::Delete { cas: Some(*cas) };
                drop(self.ask_quietly(key, verb).await);
            }
            Claim::Lock(lock) => drop(self.delete(lock).await),
            Claim::Empty | Claim::Nothing => {}
        }
    }
}
