//! The handle that applications hold, and what it does with one key.

mod admin;
mod builder;
mod following;
mod many;
mod url;

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use bytes::Bytes;
use larder_protocol::client::{check_key, meta::Mode};

pub use admin::{NodeResult, NodeStatus};
pub use builder::{BuildError, Builder};
use following::Following;

use crate::error::Error;
use crate::gutter::Gutter;
use crate::limits::VALUE_LEN_MAX;
use crate::node::NodeSpec;
use crate::patterns::Flights;
use crate::pool::Pool;
use crate::ring::{RingError, Routing};
use crate::settings::Settings;
use crate::ttl::Ttl;
use crate::value::{CasUnique, IntoBytes, StoreIf, Stored, Value};
use crate::wire::{Answer, Command, Counting, Fetching, Item, Storing, Verb};

/// A pool of memcached nodes.
///
/// Cheap to clone; all clones share connections and what is known of the nodes. Connections are made when they are first
/// needed. Every call may be dropped at any time: its reply, when it comes, meets nobody else.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use larder_client::{Client, Ttl};
///
/// let cache = Client::connect("memcache://10.0.0.1,10.0.0.2,10.0.0.3:11212")?;
/// cache.set("user:7", "Ada", Ttl::secs(300)).await?;
/// let value = cache.get("user:7").await?.expect("stored just now");
/// assert_eq!(value.data, "Ada");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Arc<Settings>,
    routing: Routing,
    gutter: Option<Arc<Gutter>>,
    pool: ArcSwap<Pool>,
    /// Held while the list changes: one change at a time.
    changing: Mutex<()>,
    flights: Flights,
    _following: Option<Following>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("nodes", &self.nodes())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the nodes that a URL names: `memcache://h1,h2:11212;weight=2;name=b?dist=ketama`. [`Builder::url`]
    /// says what else it may hold.
    ///
    /// # Errors
    /// Says what is wrong with the URL. Nothing is connected yet.
    pub fn connect(url: &str) -> Result<Self, BuildError> {
        Builder::new().url(url)?.build()
    }

    /// A client with settings of its own.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The item of this key, or `None` if there is none.
    ///
    /// # Errors
    /// An error is not a miss; see [`Error`].
    pub async fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Value>, Error> {
        let verb = Verb::Get(Fetching::default());
        self.ask(key, verb).await.and_then(found)
    }

    /// As [`Self::get`], and lets the item live for `ttl` from now.
    ///
    /// # Errors
    /// See [`Error`]. The item may live on for the new time even if the call failed.
    pub async fn get_and_touch(
        &self,
        key: impl AsRef<[u8]>,
        ttl: Ttl,
    ) -> Result<Option<Value>, Error> {
        let touch = Some(ttl.exptime(SystemTime::now()));
        let verb = Verb::Get(Fetching {
            touch,
            ..Fetching::default()
        });
        self.ask(key, verb).await.and_then(found)
    }

    /// Stores a value in any case.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::maybe_applied`] tells whether the value may be stored all the same.
    pub async fn set(
        &self,
        key: impl AsRef<[u8]>,
        value: impl IntoBytes,
        ttl: Ttl,
    ) -> Result<(), Error> {
        self.set_with_flags(key, value, 0, ttl).await
    }

    /// As [`Self::set`], with client flags.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub async fn set_with_flags(
        &self,
        key: impl AsRef<[u8]>,
        value: impl IntoBytes,
        flags: u32,
        ttl: Ttl,
    ) -> Result<(), Error> {
        match self.store(key, value, flags, ttl, StoreIf::Always).await? {
            Stored::Stored => Ok(()),
            other => Err(odd(&format!("{other:?}"))),
        }
    }

    /// Stores a value with client flags, if a condition holds. The other stores of a whole value are this with flags 0;
    /// whoever writes again what he read with [`Value::flags`] gives those.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub async fn store(
        &self,
        key: impl AsRef<[u8]>,
        value: impl IntoBytes,
        flags: u32,
        ttl: Ttl,
        condition: StoreIf,
    ) -> Result<Stored, Error> {
        let (mode, cas) = match condition {
            StoreIf::Always => (Mode::Set, None),
            StoreIf::Absent => (Mode::Add, None),
            StoreIf::Present => (Mode::Replace, None),
            StoreIf::Unchanged(cas) => (Mode::Set, Some(cas.0)),
        };
        let verb = storing(mode, value.into_bytes(), flags, ttl, cas);
        stored(self.ask(key, verb).await?)
    }

    /// Stores a value unless there is one.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub async fn add(
        &self,
        key: impl AsRef<[u8]>,
        value: impl IntoBytes,
        ttl: Ttl,
    ) -> Result<Stored, Error> {
        self.store(key, value, 0, ttl, StoreIf::Absent).await
    }

    /// Stores a value if there is one already.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub async fn replace(
        &self,
        key: impl AsRef<[u8]>,
        value: impl IntoBytes,
        ttl: Ttl,
    ) -> Result<Stored, Error> {
        self.store(key, value, 0, ttl, StoreIf::Present).await
    }

    /// Puts bytes behind the value that is there, whose time to live stays what it was.
    ///
    /// # Errors
    /// As [`Self::set`]. After [`Error::maybe_applied`] the key is deleted before it is served again, so that no value
    /// has the bytes twice.
    pub async fn append(
        &self,
        key: impl AsRef<[u8]>,
        value: impl IntoBytes,
    ) -> Result<Stored, Error> {
        self.put_beside(Mode::Append, key.as_ref(), value.into_bytes())
            .await
    }

    /// Puts bytes before the value that is there, whose time to live stays what it was.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn prepend(
        &self,
        key: impl AsRef<[u8]>,
        value: impl IntoBytes,
    ) -> Result<Stored, Error> {
        self.put_beside(Mode::Prepend, key.as_ref(), value.into_bytes())
            .await
    }

    async fn put_beside(&self, mode: Mode, key: &[u8], value: Bytes) -> Result<Stored, Error> {
        #[cfg(feature = "compression")]
        if self.settings().pack_above.is_some() {
            return Err(Error::Codec("put beside one that may be compressed".into()));
        }
        let verb = storing(mode, value, 0, Ttl::Never, None);
        stored(self.ask(key, verb).await?)
    }

    /// Stores a value if the item is still the one that was read, by [`Value::cas`]; with client flags 0.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub async fn cas(
        &self,
        key: impl AsRef<[u8]>,
        value: impl IntoBytes,
        cas: CasUnique,
        ttl: Ttl,
    ) -> Result<Stored, Error> {
        let condition = StoreIf::Unchanged(cas);
        self.store(key, value, 0, ttl, condition).await
    }

    /// Deletes an item; says whether there was one.
    ///
    /// # Errors
    /// See [`Error`]. The key of a delete that failed is remembered, and deleted before its node serves it again; other
    /// programmes may read the old value until then. After [`Error::Busy`] it is not: nothing happened at all.
    pub async fn delete(&self, key: impl AsRef<[u8]>) -> Result<bool, Error> {
        done(self.ask(key, Verb::Delete { cas: None }).await?)
    }

    /// Lets an item live for `ttl` from now; says whether there was one.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn touch(&self, key: impl AsRef<[u8]>, ttl: Ttl) -> Result<bool, Error> {
        let exptime = ttl.exptime(SystemTime::now());
        done(self.ask(key, Verb::Touch { exptime }).await?)
    }

    /// Adds to a number, which begins anew at 0 beyond 2⁶⁴ − 1. `None` if there is no item.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::Server`] if the item is no number. It is never tried twice.
    pub async fn incr(&self, key: impl AsRef<[u8]>, by: u64) -> Result<Option<u64>, Error> {
        self.count(key, by, false, None).await
    }

    /// Takes from a number, which stops at 0. `None` if there is no item.
    ///
    /// # Errors
    /// As [`Self::incr`].
    pub async fn decr(&self, key: impl AsRef<[u8]>, by: u64) -> Result<Option<u64>, Error> {
        self.count(key, by, true, None).await
    }

    /// As [`Self::incr`], but if there is no item one is made that holds `initial` and lives for `ttl`.
    ///
    /// # Errors
    /// As [`Self::incr`].
    pub async fn incr_or(
        &self,
        key: impl AsRef<[u8]>,
        by: u64,
        initial: u64,
        ttl: Ttl,
    ) -> Result<u64, Error> {
        self.count_or(key.as_ref(), by, false, initial, ttl).await
    }

    /// As [`Self::decr`], but if there is no item one is made that holds `initial` and lives for `ttl`.
    ///
    /// # Errors
    /// As [`Self::incr`].
    pub async fn decr_or(
        &self,
        key: impl AsRef<[u8]>,
        by: u64,
        initial: u64,
        ttl: Ttl,
    ) -> Result<u64, Error> {
        self.count_or(key.as_ref(), by, true, initial, ttl).await
    }

    async fn count_or(
        &self,
        key: &[u8],
        by: u64,
        is_decr: bool,
        initial: u64,
        ttl: Ttl,
    ) -> Result<u64, Error> {
        let first = (initial, ttl.exptime(SystemTime::now()));
        // Old servers cannot make the item in the same breath. Somebody may delete it between two steps, but not for ever.
        for _ in 0..COUNT_TRIES {
            if let Some(number) = self.count(key, by, is_decr, Some(first)).await? {
                return Ok(number);
            }
            if self.add(key, initial.to_string(), ttl).await?.is_stored() {
                return Ok(initial);
            }
        }
        Err(odd("an item that is there and not there"))
    }

    async fn count(
        &self,
        key: impl AsRef<[u8]>,
        delta: u64,
        is_decr: bool,
        initial: Option<(u64, i32)>,
    ) -> Result<Option<u64>, Error> {
        let counting = Counting {
            delta,
            is_decr,
            initial,
        };
        match self.ask(key, Verb::Arith(counting)).await? {
            Answer::Number(number) => Ok(Some(number)),
            Answer::Missing => Ok(None),
            other => Err(odd(&format!("{other:?}"))),
        }
    }

    /// One command on one key.
    pub(crate) async fn ask(&self, key: impl AsRef<[u8]>, verb: Verb) -> Result<Answer, Error> {
        let command = command(key.as_ref(), verb)?;
        if command.verb.kind().changes_value() {
            self.inner.flights.forget(&command.key);
        }
        self.carry_out(command).await
    }

    /// As [`Self::ask`], but loads of the key that are under way stay.
    pub(crate) async fn carry_out(&self, command: Command) -> Result<Answer, Error> {
        let pool = self.inner.pool.load_full();
        let written = command.verb.kind().changes_value();
        let written = written.then(|| command.key.clone());
        let answer = pool.ask(command).await;
        self.inner.look_back(&pool, &written);
        answer
    }

    /// Has a key deleted before anybody reads it again.
    pub(crate) fn doubt(&self, key: &Bytes) {
        self.inner.flights.forget(key);
        self.inner.pool.load().doubt(key);
    }

    pub(crate) fn flights(&self) -> &Flights {
        &self.inner.flights
    }

    pub(crate) fn pool(&self) -> Arc<Pool> {
        self.inner.pool.load_full()
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Replaces the list of nodes, for all clones at once. Calls that have begun end on the old one; nodes that stay keep
    /// their connections.
    ///
    /// # Errors
    /// No ring can be made of the list; the old one stays.
    pub fn set_nodes(&self, nodes: &[NodeSpec]) -> Result<(), RingError> {
        self.inner.set_nodes(nodes)
    }

    /// The present list of nodes.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeSpec> {
        self.inner.pool.load().specs.to_vec()
    }

    /// What the node is called on which this key lives.
    #[must_use]
    pub fn node_for(&self, key: impl AsRef<[u8]>) -> String {
        self.inner
            .pool
            .load()
            .node_for(key.as_ref())
            .label
            .to_string()
    }

    /// The share of keys, from 0 to 1, that would live elsewhere if the list were this one.
    ///
    /// # Errors
    /// No ring can be made of the list.
    pub fn moved_fraction(&self, nodes: &[NodeSpec]) -> Result<f64, RingError> {
        self.inner.pool.load().ring.moved_fraction(nodes)
    }
}

/// How often counting up and making the item are tried in turn.
const COUNT_TRIES: usize = 3;

/// A command whose key and value have been looked at.
pub(crate) fn command(key: &[u8], verb: Verb) -> Result<Command, Error> {
    if let Verb::Store(Storing { value, .. }) = &verb
        && value.len() > VALUE_LEN_MAX
    {
        return Err(Error::TooLarge { len: value.len() });
    }
    checked(key).map(|key| Command { key, verb })
}

/// A key that can be sent.
pub(crate) fn checked(key: &[u8]) -> Result<Bytes, Error> {
    match check_key(key) {
        Ok(()) => Ok(Bytes::copy_from_slice(key)),
        Err(fault) => Err(Error::BadKey {
            key: key.to_vec(),
            fault,
        }),
    }
}

pub(crate) fn storing(mode: Mode, value: Bytes, flags: u32, ttl: Ttl, cas: Option<u64>) -> Verb {
    Verb::Store(Storing {
        mode,
        value,
        flags,
        exptime: ttl.exptime(SystemTime::now()),
        cas,
    })
}

fn found(answer: Answer) -> Result<Option<Value>, Error> {
    match answer {
        Answer::Missing => Ok(None),
        Answer::Item(item) if item.is_placeholder() || item.is_nothing() => Ok(None),
        Answer::Item(Item {
            value, flags, cas, ..
        }) => Ok(Some(Value {
            data: value,
            flags,
            cas: CasUnique(cas),
        })),
        other => Err(odd(&format!("{other:?}"))),
    }
}

pub(crate) fn stored(answer: Answer) -> Result<Stored, Error> {
    match answer {
        Answer::Done(_) => Ok(Stored::Stored),
        Answer::NotStored => Ok(Stored::NotStored),
        Answer::Exists => Ok(Stored::Exists),
        Answer::Missing => Ok(Stored::NotFound),
        other => Err(odd(&format!("{other:?}"))),
    }
}

fn done(answer: Answer) -> Result<bool, Error> {
    match answer {
        Answer::Done(_) => Ok(true),
        Answer::Missing => Ok(false),
        other => Err(odd(&format!("{other:?}"))),
    }
}

/// An answer that fits the request's form and makes no sense: a server that is not what it says.
fn odd(what: &str) -> Error {
    Error::Server {
        node: "the server".into(),
        text: what.into(),
    }
}
