//! Keys that can all be forgotten at once.
//!
//! The keys of a namespace carry its generation, which is an item of its own. To forget them all is to store another
//! generation: one write, however many keys there are. No generation is ever used twice, since it is made of the time
//! and of luck; so when its item is evicted or lost, a new one begins, and what an old one held is never read again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use crate::client::Client;
use crate::error::Error;
use crate::ttl::Ttl;
use crate::value::{IntoBytes, Value};

/// A part of the pool's keys that can be forgotten as a whole.
#[derive(Clone, Debug)]
pub struct Namespace {
    client: Client,
    /// The key of the item that holds the generation.
    place: Bytes,
    prefix: Bytes,
}

/// How often reading and making a generation are tried in turn.
const TRIES: usize = 3;

impl Client {
    /// The namespace of this name. Every call on it asks for its generation first.
    #[must_use]
    pub fn namespace(&self, name: &str) -> Namespace {
        Namespace {
            client: self.clone(),
            place: format!("larder:namespace:{name}").into(),
            prefix: format!("{name}:").into_bytes().into(),
        }
    }
}

impl Namespace {
    /// The key under which the pool has this key at present, to be given to any call of [`Client`] at once.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn key(&self, key: impl AsRef<[u8]>) -> Result<Vec<u8>, Error> {
        let generation = self.generation().await?;
        Ok([&self.prefix[..], &generation, b":", key.as_ref()].concat())
    }

    /// As [`Client::get`].
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Value>, Error> {
        self.client.get(self.key(key).await?).await
    }

    /// As [`Client::set`].
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn set(
        &self,
        key: impl AsRef<[u8]>,
        value: impl IntoBytes,
        ttl: Ttl,
    ) -> Result<(), Error> {
        self.client.set(self.key(key).await?, value, ttl).await
    }

    /// As [`Client::delete`].
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete(&self, key: impl AsRef<[u8]>) -> Result<bool, Error> {
        self.client.delete(self.key(key).await?).await
    }

    /// Forgets all keys: whoever asks for one from now on misses.
    ///
    /// # Errors
    /// See [`Error`]. The namespace's item is in doubt then, and a new generation begins when it was deleted.
    pub async fn invalidate(&self) -> Result<(), Error> {
        self.client.set(&self.place, fresh(), Ttl::Never).await
    }

    async fn generation(&self) -> Result<Bytes, Error> {
        for _ in 0..TRIES {
            if let Some(item) = self.client.get(&self.place).await? {
                return Ok(item.data);
            }
            let own = fresh();
            let added = self.client.add(&self.place, &own, Ttl::Never).await?;
            if added.is_stored() {
                return Ok(own.into());
            }
        }
        Err(Error::Server {
            node: self.client.node_for(&self.place).into(),
            text: "the namespace's item is there and not there".into(),
        })
    }
}

/// A generation that never was: microseconds, and 32 bits of luck for two that begin at the same one.
fn fresh() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let micros = now.map_or(0, |since: Duration| since.as_micros());
    format!("{micros:x}-{:08x}", fastrand::u32(..))
}
