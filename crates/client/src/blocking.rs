//! The client for programmes without async: each call waits for its end.
//!
//! One thread of its own drives the connections, probes and keys in doubt between the calls, which may come from any
//! number of threads. What has no method here is [`Client::wait`]ed for.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Runtime;

use crate::client::{BuildError, Builder};
use crate::discovery::Discovery;
use crate::error::Error;
use crate::many::Many;
use crate::patterns::{Begun, Fetch, FetchError, something};
use crate::ttl::Ttl;
use crate::value::{CasUnique, IntoBytes, Stored, Value};

/// A pool of memcached nodes, as [`crate::Client`]; cheap to clone, and to be shared by threads.
///
/// None of it may be called, nor its last clone be dropped, on a thread that runs async tasks: tokio panics there, since
/// the tasks of that thread would stand still.
///
/// ```no_run
/// use larder_client::{Ttl, blocking::Client};
///
/// let cache = Client::connect("memcache://10.0.0.1,10.0.0.2")?;
/// cache.set("user:7", "Ada", Ttl::secs(300))?;
/// let stats = cache.wait(|cache| async move { cache.stats("items").await });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    // Before the runtime, which is dropped last.
    client: crate::Client,
    runtime: Arc<Runtime>,
}

impl Client {
    /// As [`crate::Client::connect`].
    ///
    /// # Errors
    /// As there; [`BuildError::Runtime`] if the system gives no thread.
    pub fn connect(url: &str) -> Result<Self, BuildError> {
        Self::build(Builder::new().url(url)?)
    }

    /// The client that the builder describes.
    ///
    /// # Errors
    /// As [`Builder::build`] and [`Self::connect`].
    pub fn build(builder: Builder) -> Result<Self, BuildError> {
        let runtime = runtime()?;
        let client = builder.build()?;
        Ok(Self { client, runtime })
    }

    /// As [`Builder::follow`].
    ///
    /// # Errors
    /// As there and [`Self::connect`].
    pub fn follow(builder: Builder, discovery: Discovery) -> Result<Self, BuildError> {
        let runtime = runtime()?;
        let client = runtime.block_on(builder.follow(discovery))?;
        Ok(Self { client, runtime })
    }

    /// Waits for whatever the async client is asked to do.
    pub fn wait<F: Future>(&self, ask: impl FnOnce(crate::Client) -> F) -> F::Output {
        self.runtime.block_on(ask(self.client.clone()))
    }

    /// As [`crate::Client::get`].
    ///
    /// # Errors
    /// As there.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Value>, Error> {
        self.runtime.block_on(self.client.get(key))
    }

    /// As [`crate::Client::get_many`].
    pub fn get_many<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Many<Option<Value>> {
        self.runtime.block_on(self.client.get_many(keys))
    }

    /// As [`crate::Client::set`].
    ///
    /// # Errors
    /// As there.
    pub fn set(&self, key: impl AsRef<[u8]>, value: impl IntoBytes, ttl: Ttl) -> Result<(), Error> {
        self.runtime.block_on(self.client.set(key, value, ttl))
    }

    /// As [`crate::Client::set_many`].
    pub fn set_many<K: AsRef<[u8]>, V: IntoBytes>(
        &self,
        items: impl IntoIterator<Item = (K, V)>,
        ttl: Ttl,
    ) -> Many<()> {
        self.runtime.block_on(self.client.set_many(items, ttl))
    }

    /// As [`crate::Client::add`].
    ///
    /// # Errors
    /// As there.
    pub fn add(
        &self,
        key: impl AsRef<[u8]>,
        value: impl IntoBytes,
        ttl: Ttl,
    ) -> Result<Stored, Error> {
        self.runtime.block_on(self.client.add(key, value, ttl))
    }

    /// As [`crate::Client::cas`].
    ///
    /// # Errors
    /// As there.
    pub fn cas(
        &self,
        key: impl AsRef<[u8]>,
        value: impl IntoBytes,
        cas: CasUnique,
        ttl: Ttl,
    ) -> Result<Stored, Error> {
        self.runtime.block_on(self.client.cas(key, value, cas, ttl))
    }

    /// As [`crate::Client::delete`].
    ///
    /// # Errors
    /// As there.
    pub fn delete(&self, key: impl AsRef<[u8]>) -> Result<bool, Error> {
        self.runtime.block_on(self.client.delete(key))
    }

    /// As [`crate::Client::delete_many`].
    pub fn delete_many<K: AsRef<[u8]>>(&self, keys: impl IntoIterator<Item = K>) -> Many<bool> {
        self.runtime.block_on(self.client.delete_many(keys))
    }

    /// As [`crate::Client::incr_or`].
    ///
    /// # Errors
    /// As there.
    pub fn incr_or(
        &self,
        key: impl AsRef<[u8]>,
        by: u64,
        initial: u64,
        ttl: Ttl,
    ) -> Result<u64, Error> {
        self.runtime
            .block_on(self.client.incr_or(key, by, initial, ttl))
    }

    /// As [`crate::Client::touch`].
    ///
    /// # Errors
    /// As there.
    pub fn touch(&self, key: impl AsRef<[u8]>, ttl: Ttl) -> Result<bool, Error> {
        self.runtime.block_on(self.client.touch(key, ttl))
    }

    /// As [`crate::Client::fetch`], with a loader that waits, too. It is called on this thread, and may use this client.
    ///
    /// # Errors
    /// As there.
    pub fn fetch<V, E>(
        &self,
        key: impl AsRef<[u8]>,
        how: &Fetch,
        load: impl FnOnce() -> Result<V, E>,
    ) -> Result<Bytes, FetchError<E>>
    where
        V: IntoBytes,
        E: Send + Sync + 'static,
    {
        let begun = self.client.begin_fetch(key, how, None);
        let ticket = match self.runtime.block_on(begun)? {
            Begun::Found(found) => return something(found),
            Begun::Load(ticket) => ticket,
        };
        // Not within the runtime: the loader may use this client, or others that wait.
        let loaded = load().map_err(|error| FetchError::Load(Arc::new(error)));
        let loaded = loaded.map(|value| Some(value.into_bytes()));
        something(self.runtime.block_on(ticket.end(loaded))?)
    }
}

fn runtime() -> Result<Arc<Runtime>, BuildError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("larder-client")
        .enable_all()
        .build();
    runtime.map(Arc::new).map_err(BuildError::Runtime)
}
