//! Reading through the cache: what is there, or what a loader brings.
//!
//! One caller of the process loads (`flight`), and one process of all: on servers with meta commands the first who misses
//! wins an empty item that keeps the place (`mg … N`), and only who still holds that place fills it, so that a value loaded
//! before a delete never comes after it. On older servers a lock key, added beside, says that somebody loads.
//!
//! To clients that do not know of it, the place is an empty value with client flags 0, for as long as the load takes: those
//! of other languages, and this one with [`crate::Builder::classic`], read it as such. In a pool that they share, load
//! keys that only this client reads, or use it with `classic` throughout. And an empty value with flags 0 that somebody
//! stored is loaded anew once it is to be renewed, instead of being given out meanwhile.
//!
//! A value that may be stale is stored for longer than it is good; who reads it in that time gets it at once, except the
//! one who wins to renew it (`mg … R`).

use std::any::Any;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;
use tokio::time::{Instant, sleep};

use super::flight::{Landed, Pilot, Seat};
use super::ticket::{Begun, Claim, Ticket};
use crate::client::{Client, checked, command};
use crate::error::Error;
use crate::ttl::{Ttl, seconds_up};
use crate::value::IntoBytes;
use crate::wire::{Answer, Fetching, Item, Verb};

/// What a lock key begins with, on servers that have no better way.
const LOCK_PREFIX: &[u8] = b"larder:load:";

/// The first wait for somebody else's load, and by how much each is longer than the one before.
const WAIT_FIRST: Duration = Duration::from_millis(5);
const WAIT_GROWTH: f64 = 1.5;
/// The longest.
const WAIT_MAX: Duration = Duration::from_millis(250);

/// The longest that a load is waited for.
const PATIENCE_MAX: Duration = Duration::from_secs(60 * 60);

/// How [`Client::fetch`] treats a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetch {
    ttl: Ttl,
    stale_for: Duration,
    refresh_before: Duration,
    nothing_for: Option<Duration>,
    patience: Duration,
}

impl Fetch {
    /// Loaded values are good for so long.
    #[must_use]
    pub const fn ttl(ttl: Ttl) -> Self {
        Self {
            ttl,
            stale_for: Duration::ZERO,
            refresh_before: Duration::ZERO,
            nothing_for: None,
            patience: Duration::from_secs(10),
        }
    }

    /// For so long after its time a value is still given out, while one caller loads a new one; and if that fails, to him
    /// too. Needs servers with meta commands, and is left out on others.
    #[must_use]
    pub const fn stale_for(mut self, wait: Duration) -> Self {
        self.stale_for = wait;
        self
    }

    /// So long before its time is over, one caller loads a new value, while the others get the old one; if his load fails,
    /// nobody else tries before that time. Needs servers
    /// with meta commands, and is left out on others.
    #[must_use]
    pub const fn refresh_before(mut self, lead: Duration) -> Self {
        self.refresh_before = lead;
        self
    }

    /// "There is nothing" ([`Client::fetch_option`]) is remembered for so long; then one caller looks again, while the
    /// others hear it still, for as long as [`Self::stale_for`] and [`Self::refresh_before`] together. It is not
    /// remembered at all if this is not said.
    #[must_use]
    pub const fn nothing_for(mut self, wait: Duration) -> Self {
        self.nothing_for = Some(wait);
        self
    }

    /// How long a load may take before somebody else tries; 10 s if it is not said. Whole seconds, at least
    /// one, and an hour at most.
    #[must_use]
    pub const fn patience(mut self, wait: Duration) -> Self {
        self.patience = if wait.as_secs() < PATIENCE_MAX.as_secs() {
            wait
        } else {
            PATIENCE_MAX
        };
        self
    }

    fn patience_s(&self) -> i32 {
        i32::try_from(self.patience.as_secs().max(1)).unwrap_or(1)
    }

    /// The seconds left from which on a value is to be renewed.
    fn renew_below_s(&self) -> Option<i32> {
        let lead = self.stale_for.saturating_add(self.refresh_before);
        i32::try_from(seconds_up(lead))
            .ok()
            .filter(|lead| *lead > 0)
    }

    /// How long the server keeps "there is nothing": where it is to be renewed, for the time of that as well.
    pub(super) fn nothing_kept(&self, claim: &Claim) -> Option<Ttl> {
        let wait = self.nothing_for?;
        Some(Ttl::After(match claim {
            Claim::Place(_) => {
                let lead = self.stale_for.saturating_add(self.refresh_before);
                wait.saturating_add(lead)
            }
            _ => wait,
        }))
    }

    /// How long the server keeps a value.
    pub(super) fn kept(&self, claim: &Claim) -> Ttl {
        match (self.ttl, claim) {
            (Ttl::After(wait), Claim::Place(_)) => Ttl::After(wait.saturating_add(self.stale_for)),
            (Ttl::At(time), Claim::Place(_)) => {
                Ttl::At(time.checked_add(self.stale_for).unwrap_or(time))
            }
            (ttl, _) => ttl,
        }
    }
}

/// Why [`Client::fetch`] has no value.
#[derive(Debug, Error)]
pub enum FetchError<E> {
    /// The loader failed. Everybody who waited for the same load gets the same error.
    #[error("the value could not be loaded: {0}")]
    Load(Arc<E>),
    /// The key cannot be used, so that nothing was loaded.
    #[error(transparent)]
    Cache(Error),
}

impl<E: Send + Sync + 'static> FetchError<E> {
    /// For those who wait for the same load, whose loaders may have errors of other types.
    pub(super) fn tell(&self) -> Arc<dyn Any + Send + Sync> {
        match self {
            Self::Load(error) => Arc::clone(error) as _,
            Self::Cache(error) => Arc::new(error.clone()),
        }
    }

    fn told(error: Arc<dyn Any + Send + Sync>) -> Option<Self> {
        match error.downcast::<E>() {
            Ok(error) => Some(Self::Load(error)),
            Err(error) => {
                let error = error.downcast::<Error>().ok()?;
                Some(Self::Cache(Error::clone(&error)))
            }
        }
    }
}

/// What the cache had.
enum Look {
    /// A value that is good, or "there is nothing".
    Found(Option<Bytes>),
    /// This caller is to load; and what was there before, if it may be given out.
    Load(Claim, Option<Bytes>),
    /// Somebody else loads.
    Wait,
}

impl Client {
    /// The value of a key: the cache's, or else the loader's, which is stored for the next.
    ///
    /// While one caller loads, all others of this process and of the pool wait for his value. On servers with meta commands
    /// an empty item keeps the place meanwhile, which clients of other languages and those with [`crate::Builder::classic`]
    /// read as an empty value. When the cache cannot be
    /// asked, the loader is called, nothing is stored, and [`crate::Observer::fetch_without_cache`] hears of it.
    ///
    /// # Errors
    /// The loader's, a key that cannot be used, or [`Error::Codec`] if a [`Self::fetch_option`] of the same key has it
    /// remembered that there is nothing.
    pub async fn fetch<V, E, F, L>(
        &self,
        key: impl AsRef<[u8]>,
        how: &Fetch,
        load: F,
    ) -> Result<Bytes, FetchError<E>>
    where
        V: IntoBytes,
        E: Send + Sync + 'static,
        F: FnOnce() -> L,
        L: Future<Output = Result<V, E>>,
    {
        let load = || async { load().await.map(Some) };
        something(self.fetch_option(key, how, load).await?)
    }

    /// As [`Self::fetch`], for a loader that may find that there is nothing: [`Fetch::nothing_for`].
    ///
    /// "Nothing" is stored as an empty value with client flags of its own. [`Client::get`] takes it for what it says;
    /// clients of other languages see the empty value.
    ///
    /// # Errors
    /// As [`Self::fetch`].
    pub async fn fetch_option<V, E, F, L>(
        &self,
        key: impl AsRef<[u8]>,
        how: &Fetch,
        load: F,
    ) -> Result<Option<Bytes>, FetchError<E>>
    where
        V: IntoBytes,
        E: Send + Sync + 'static,
        F: FnOnce() -> L,
        L: Future<Output = Result<Option<V>, E>>,
    {
        let load = || async {
            let loaded = load().await;
            let loaded = loaded.map_err(|error| FetchError::Load(Arc::new(error)))?;
            Ok(loaded.map(IntoBytes::into_bytes))
        };
        self.fetch_flagged(key, how, None, load).await
    }

    /// As [`Self::fetch_option`]; with `flags`, a value under others is not taken from the cache, nor stored over.
    pub(super) async fn fetch_flagged<E, F, L>(
        &self,
        key: impl AsRef<[u8]>,
        how: &Fetch,
        flags: Option<u32>,
        load: F,
    ) -> Result<Option<Bytes>, FetchError<E>>
    where
        E: Send + Sync + 'static,
        F: FnOnce() -> L,
        L: Future<Output = Result<Option<Bytes>, FetchError<E>>>,
    {
        match self.begin_fetch(key, how, flags).await? {
            Begun::Found(found) => Ok(found),
            Begun::Load(ticket) => {
                let loaded = load().await;
                ticket.end(loaded).await
            }
        }
    }

    /// A fetch up to where the loader is needed.
    pub(crate) async fn begin_fetch<E: Send + Sync + 'static>(
        &self,
        key: impl AsRef<[u8]>,
        how: &Fetch,
        flags: Option<u32>,
    ) -> Result<Begun<'_>, FetchError<E>> {
        let key = checked(key.as_ref()).map_err(FetchError::Cache)?;
        let (pilot, claim, before) = match self.found_or_pilot(&key, how, flags).await {
            Turn::Found(found) => return Ok(Begun::Found(found)),
            Turn::Landed(Err(error)) => match FetchError::told(error) {
                Some(error) => return Err(error),
                // Another loader of the same key, with errors of another type.
                None => (None, Claim::Nothing, None),
            },
            Turn::Landed(Ok(Some((_, of)))) if flags.is_some_and(|own| own != of) => {
                // Another loader of the same key, with values of another form.
                self.tell_without_cache(None);
                (None, Claim::Nothing, None)
            }
            Turn::Landed(Ok(found)) => return Ok(Begun::Found(found.map(|(value, _)| value))),
            Turn::Load(pilot, claim, before) => (Some(pilot), claim, before),
        };
        Ok(Begun::Load(Box::new(Ticket {
            client: self,
            key,
            how: *how,
            flags: flags.unwrap_or_default(),
            claim,
            before,
            pilot,
        })))
    }

    /// Asks the cache, and waits for others, until there is a value or this caller is to load.
    async fn found_or_pilot(&self, key: &Bytes, how: &Fetch, flags: Option<u32>) -> Turn<'_> {
        let deadline = Instant::now() + how.patience;
        let mut wait = WAIT_FIRST;
        loop {
            if let Some(landed) = self.join(key).await {
                return Turn::Landed(landed);
            }
            let is_late = Instant::now() >= deadline;
            let (claim, before) = match self.look(key, how, flags, is_late).await {
                Ok(Look::Found(found)) => return Turn::Found(found),
                Ok(Look::Load(claim, before)) => (claim, before),
                Ok(Look::Wait) => {
                    sleep(wait).await;
                    wait = wait.mul_f64(WAIT_GROWTH).min(WAIT_MAX);
                    continue;
                }
                Err(error) => {
                    self.tell_without_cache(error.node());
                    (Claim::Nothing, None)
                }
            };
            match self.flights().board(key) {
                Seat::Pilot(pilot) => return Turn::Load(pilot, claim, before),
                Seat::Passenger(passenger) => {
                    self.give_up(key, &claim).await;
                    if let Some(landed) = passenger.landed().await {
                        return Turn::Landed(landed);
                    }
                }
            }
        }
    }

    pub(super) fn tell_without_cache(&self, node: Option<&str>) {
        if let Some(observer) = &self.settings().observer {
            observer.fetch_without_cache(node);
        }
    }

    async fn join(&self, key: &Bytes) -> Option<Landed> {
        self.flights().join(key)?.landed().await
    }

    async fn look(
        &self,
        key: &Bytes,
        how: &Fetch,
        flags: Option<u32>,
        is_late: bool,
    ) -> Result<Look, Error> {
        let verb = Verb::Get(Fetching {
            wants_ttl: true,
            vivify: Some(how.patience_s()),
            recache: how.renew_below_s(),
            ..Fetching::default()
        });
        Ok(match self.ask(key, verb).await? {
            Answer::Item(item) => {
                let is_ours = item.is_placeholder() || item.is_nothing();
                if let Some(own) = flags
                    && !is_ours
                {
                    judge_flags(item.flags, own)?;
                }
                judge(item, how, is_late)
            }
            _ if is_late => Look::Load(Claim::Empty, None),
            _ => self.lock_key(key, how).await,
        })
    }

    /// On servers that keep no place: whoever can add the lock key loads.
    async fn lock_key(&self, key: &Bytes, how: &Fetch) -> Look {
        let lock = Bytes::from([LOCK_PREFIX, key].concat());
        let ttl = Ttl::secs(how.patience_s().unsigned_abs().into());
        // Without a lock, for whatever reason, more than one loads, which is better than none.
        match self.add(&lock, "", ttl).await {
            Ok(stored) if stored.is_stored() => {
                // Whoever had the lock before may have stored his value since this caller looked.
                let again = self.ask(key, Verb::Get(Fetching::default())).await;
                match again {
                    Ok(Answer::Item(item)) => {
                        drop(self.delete(lock).await);
                        judge(item, how, false)
                    }
                    _ => Look::Load(Claim::Lock(lock), None),
                }
            }
            Ok(_) => Look::Wait,
            Err(_) => Look::Load(Claim::Empty, None),
        }
    }

    /// As [`Self::ask`], but those who wait for the load go on waiting: this is the load's own write.
    pub(super) async fn ask_quietly(&self, key: &Bytes, verb: Verb) -> Result<Answer, Error> {
        self.carry_out(command(key, verb)?).await
    }
}

/// What a caller is to do.
enum Turn<'a> {
    Found(Option<Bytes>),
    Landed(Landed),
    Load(Pilot<'a>, Claim, Option<Bytes>),
}

/// The value of a fetch whose loader always has one. "Nothing" comes from a `fetch_option` of the same key.
pub(crate) fn something<T, E>(found: Option<T>) -> Result<T, FetchError<E>> {
    let nothing = "read: it says that there is nothing, which only fetch_option can";
    found.ok_or_else(|| FetchError::Cache(Error::Codec(nothing.into())))
}

/// Whether a value was written by those who read it, by its client flags.
pub(super) fn judge_flags(found: u32, own: u32) -> Result<(), Error> {
    if found == own {
        return Ok(());
    }
    Err(Error::Codec(
        format!("read: its client flags are {found}, not {own}, so something else wrote it").into(),
    ))
}

/// What an item means for who reads it. `is_late` says that whoever else loads had his time.
fn judge(item: Item, how: &Fetch, is_late: bool) -> Look {
    let claim = Claim::Place(item.cas);
    if item.is_placeholder() {
        return match item.won || is_late {
            true => Look::Load(claim, None),
            false => Look::Wait,
        };
    }
    let found = (!item.is_nothing()).then(|| item.value.clone());
    let stale_s = i64::try_from(seconds_up(how.stale_for)).unwrap_or(i64::MAX);
    let left_s = i64::from(item.ttl_s.unwrap_or(-1));
    // Whoever won to renew it is gone: he had all the time that a load may take.
    let is_orphan =
        item.is_won_already && left_s >= 0 && left_s < stale_s - i64::from(how.patience_s());
    match item.won || is_orphan {
        true => Look::Load(claim, found),
        false => Look::Found(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(value: &'static str, ttl_s: i32) -> Item {
        Item {
            value: Bytes::from_static(value.as_bytes()),
            cas: 7,
            ttl_s: Some(ttl_s),
            ..Item::default()
        }
    }

    /// What is to be done, in a word and with the value that may be given out.
    fn judged(item: Item, is_late: bool) -> (&'static str, Option<Bytes>) {
        let how = Fetch::ttl(Ttl::secs(100))
            .stale_for(Duration::from_secs(60))
            .patience(Duration::from_secs(10));
        match judge(item, &how, is_late) {
            Look::Found(found) => ("found", found),
            Look::Load(_, before) => ("load", before),
            Look::Wait => ("wait", None),
        }
    }

    #[test]
    fn what_an_item_means() {
        let value = Some(Bytes::from_static(b"v"));
        let won = |item| Item { won: true, ..item };
        let others = |item| Item {
            is_won_already: true,
            ..item
        };
        for (item, expected) in [
            (item("v", 150), ("found", value.clone())),
            (item("v", -1), ("found", value.clone())),
            (won(item("v", 59)), ("load", value.clone())),
            (others(item("v", 59)), ("found", value.clone())),
            // Ten seconds after it should have been renewed it still is not.
            (others(item("v", 49)), ("load", value.clone())),
            (won(item("", 10)), ("load", None)),
            (others(item("", 10)), ("wait", None)),
            (item("", 10), ("found", Some(Bytes::new()))),
            (
                Item {
                    flags: Item::NOTHING,
                    ..item("", 10)
                },
                ("found", None),
            ),
        ] {
            assert_eq!(judged(item.clone(), false), expected, "{item:?}");
        }
        assert_eq!(judged(others(item("", 1)), true), ("load", None));
    }

    #[test]
    fn a_stale_value_is_kept_for_longer_only_where_it_can_be_told_apart() {
        let how = Fetch::ttl(Ttl::secs(100)).stale_for(Duration::from_secs(60));
        assert_eq!(how.kept(&Claim::Place(1)), Ttl::secs(160));
        assert_eq!(how.kept(&Claim::Empty), Ttl::secs(100));
        assert_eq!(how.renew_below_s(), Some(60));
        // Kept for less than that, it would have to be renewed whenever it is read.
        let how = how.nothing_for(Duration::from_secs(5));
        assert_eq!(how.nothing_kept(&Claim::Place(1)), Some(Ttl::secs(65)));
        assert_eq!(how.nothing_kept(&Claim::Empty), Some(Ttl::secs(5)));
        assert_eq!(Fetch::ttl(Ttl::secs(100)).renew_below_s(), None);
        let how = Fetch::ttl(Ttl::After(Duration::MAX)).stale_for(Duration::MAX);
        assert_eq!(how.kept(&Claim::Place(1)), Ttl::After(Duration::MAX));
        // Servers count in whole seconds, and less than one is one.
        let how = Fetch::ttl(Ttl::secs(100)).stale_for(Duration::from_millis(1));
        assert_eq!(how.renew_below_s(), Some(1));
    }
}
