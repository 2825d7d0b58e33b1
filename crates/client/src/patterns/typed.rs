//! Values of the application's own types: JSON or postcard.
//!
//! JSON is stored with client flags 0, as the plain text that it is, so that clients of every language read it. postcard
//! is shorter and faster, for Rust alone, and stored with flags [`POSTCARD`]. A value whose flags say that something else
//! wrote it is an error, and so is one that does not fit the type: neither is a miss.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fetch::{Fetch, FetchError, judge_flags, something};
use crate::client::Client;
use crate::error::Error;
use crate::ttl::Ttl;
use crate::value::{CasUnique, StoreIf, Stored, Value};

/// Client flags of a value in postcard: the letters PC.
#[cfg(feature = "postcard")]
const POSTCARD: u32 = 0x5043;

/// A client whose values are of the application's own types, any that serde knows.
///
/// ```no_run
/// # #[cfg(feature = "json")]
/// # async fn example(cache: larder_client::Client) -> Result<(), larder_client::Error> {
/// use larder_client::Ttl;
///
/// let cache = cache.json();
/// cache.set("primes", &[2, 3, 5], Ttl::secs(300)).await?;
/// let primes: Option<Vec<u32>> = cache.get("primes").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Typed {
    client: Client,
    codec: Codec,
}

#[derive(Clone, Copy, Debug)]
enum Codec {
    #[cfg(feature = "json")]
    Json,
    #[cfg(feature = "postcard")]
    Postcard,
}

impl Client {
    /// Values as JSON, with client flags 0: other languages' clients read them as text.
    #[cfg(feature = "json")]
    #[must_use]
    pub fn json(&self) -> Typed {
        Typed {
            client: self.clone(),
            codec: Codec::Json,
        }
    }

    /// Values in postcard's compact form, with client flags of their own (0x5043).
    #[cfg(feature = "postcard")]
    #[must_use]
    pub fn postcard(&self) -> Typed {
        Typed {
            client: self.clone(),
            codec: Codec::Postcard,
        }
    }
}

impl Typed {
    /// As [`Client::get`].
    ///
    /// # Errors
    /// See [`Error`]; [`Error::Codec`] if what is there is no such value.
    pub async fn get<T: DeserializeOwned>(
        &self,
        key: impl AsRef<[u8]>,
    ) -> Result<Option<T>, Error> {
        let found = self.get_with_cas(key).await?;
        Ok(found.map(|(value, _)| value))
    }

    /// As [`Self::get`], with the item's version for [`Self::cas`].
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn get_with_cas<T: DeserializeOwned>(
        &self,
        key: impl AsRef<[u8]>,
    ) -> Result<Option<(T, CasUnique)>, Error> {
        let found = self.client.get(key).await?;
        let read = |value: Value| Ok((self.codec.decode(&value.data, value.flags)?, value.cas));
        found.map(read).transpose()
    }

    /// As [`Client::get_many`]: each key has a result of its own.
    pub async fn get_many<T: DeserializeOwned, K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> crate::Many<Option<T>> {
        let found = self.client.get_many(keys).await;
        let read = |value: Value| self.codec.decode(&value.data, value.flags);
        let typed = found.into_iter().map(|(key, result)| {
            let result = result.and_then(|found| found.map(read).transpose());
            (key, result)
        });
        crate::Many::new(typed.collect())
    }

    /// As [`Client::set`].
    ///
    /// # Errors
    /// As [`Client::set`]; [`Error::Codec`] if the value has no such form. Nothing was sent then.
    pub async fn set<T: Serialize + ?Sized>(
        &self,
        key: impl AsRef<[u8]>,
        value: &T,
        ttl: Ttl,
    ) -> Result<(), Error> {
        let (data, flags) = self.codec.encode(value)?;
        self.client.set_with_flags(key, data, flags, ttl).await
    }

    /// As [`Client::add`].
    ///
    /// # Errors
    /// As [`Self::set`].
    pub async fn add<T: Serialize + ?Sized>(
        &self,
        key: impl AsRef<[u8]>,
        value: &T,
        ttl: Ttl,
    ) -> Result<Stored, Error> {
        self.store(key, value, ttl, StoreIf::Absent).await
    }

    /// As [`Client::replace`].
    ///
    /// # Errors
    /// As [`Self::set`].
    pub async fn replace<T: Serialize + ?Sized>(
        &self,
        key: impl AsRef<[u8]>,
        value: &T,
        ttl: Ttl,
    ) -> Result<Stored, Error> {
        self.store(key, value, ttl, StoreIf::Present).await
    }

    /// As [`Client::cas`].
    ///
    /// # Errors
    /// As [`Self::set`].
    pub async fn cas<T: Serialize + ?Sized>(
        &self,
        key: impl AsRef<[u8]>,
        value: &T,
        cas: CasUnique,
        ttl: Ttl,
    ) -> Result<Stored, Error> {
        self.store(key, value, ttl, StoreIf::Unchanged(cas)).await
    }

    /// As [`Client::store`], with the client flags that say what the value is.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub async fn store<T: Serialize + ?Sized>(
        &self,
        key: impl AsRef<[u8]>,
        value: &T,
        ttl: Ttl,
        condition: StoreIf,
    ) -> Result<Stored, Error> {
        let (data, flags) = self.codec.encode(value)?;
        self.client.store(key, data, flags, ttl, condition).await
    }

    /// As [`Client::fetch`]. What is in the cache and cannot be read is treated as a cache that cannot be asked: the
    /// loader is called, and nothing is stored.
    ///
    /// # Errors
    /// As [`Client::fetch`]; a loaded value that has no such form is [`FetchError::Cache`].
    pub async fn fetch<T, E, F, L>(
        &self,
        key: impl AsRef<[u8]>,
        how: &Fetch,
        load: F,
    ) -> Result<T, FetchError<E>>
    where
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
        F: FnOnce() -> L,
        L: Future<Output = Result<T, E>>,
    {
        let load = || async { load().await.map(Some) };
        something(self.fetch_option(key, how, load).await?)
    }

    /// As [`Client::fetch_option`], and [`Self::fetch`].
    ///
    /// # Errors
    /// As [`Self::fetch`].
    pub async fn fetch_option<T, E, F, L>(
        &self,
        key: impl AsRef<[u8]>,
        how: &Fetch,
        load: F,
    ) -> Result<Option<T>, FetchError<E>>
    where
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
        F: FnOnce() -> L,
        L: Future<Output = Result<Option<T>, E>>,
    {
        let mut load = Some(load);
        let encoded = || {
            let load = load.take();
            async move {
                let Some(load) = load else { return Ok(None) };
                let loaded = load()
                    .await
                    .map_err(|error| FetchError::Load(Arc::new(error)))?;
                let encoded = loaded.map(|value| self.codec.encode(&value));
                let encoded = encoded.transpose().map_err(FetchError::Cache)?;
                Ok(encoded.map(|(data, _)| data))
            }
        };
        let flags = self.codec.flags();
        let found = self.client.fetch_flagged(key, how, Some(flags), encoded);
        let Some(data) = found.await? else {
            return Ok(None);
        };
        match (self.codec.decode(&data, flags), load) {
            (Ok(value), _) => Ok(Some(value)),
            (Err(error), None) => Err(FetchError::Cache(error)),
            (Err(_), Some(load)) => {
                self.client.tell_without_cache(None);
                load()
                    .await
                    .map_err(|error| FetchError::Load(Arc::new(error)))
            }
        }
    }
}

impl Codec {
    fn flags(self) -> u32 {
        match self {
            #[cfg(feature = "json")]
            Self::Json => 0,
            #[cfg(feature = "postcard")]
            Self::Postcard => POSTCARD,
        }
    }

    fn encode<T: Serialize + ?Sized>(self, value: &T) -> Result<(Bytes, u32), Error> {
        let encoded = match self {
            #[cfg(feature = "json")]
            Self::Json => serde_json::to_vec(value)
                .map_err(|error| Error::Codec(format!("written as JSON: {error}").into())),
            #[cfg(feature = "postcard")]
            Self::Postcard => postcard::to_stdvec(value)
                .map_err(|error| Error::Codec(format!("written in postcard: {error}").into())),
        };
        Ok((encoded?.into(), self.flags()))
    }

    fn decode<T: DeserializeOwned>(self, data: &[u8], flags: u32) -> Result<T, Error> {
        judge_flags(flags, self.flags())?;
        match self {
            #[cfg(feature = "json")]
            Self::Json => serde_json::from_slice(data)
                .map_err(|error| Error::Codec(format!("read as JSON: {error}").into())),
            #[cfg(feature = "postcard")]
            Self::Postcard => match postcard::take_from_bytes(data) {
                Ok((value, [])) => Ok(value),
                Ok((_, rest)) => Err(Error::Codec(
                    format!("read in postcard: {} bytes are left over", rest.len()).into(),
                )),
                Err(error) => Err(Error::Codec(format!("read in postcard: {error}").into())),
            },
        }
    }
}
