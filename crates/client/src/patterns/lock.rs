//! A lock that ends by itself, and that only its owner ends before.

use std::time::Duration;

use bytes::Bytes;
use larder_protocol::client::meta::Mode;

use crate::client::{Client, stored, storing};
use crate::error::Error;
use crate::ttl::Ttl;

/// A held lock. Dropped, it ends with its time; [`Lock::release`] ends it at once.
///
/// It spares work that others do already; it is no proof: a cache may evict the item, and a holder may be paused for
/// longer than his time. What must not happen twice needs the database's own locks.
#[derive(Debug)]
pub struct Lock {
    client: Client,
    key: Bytes,
    token: String,
}

impl Client {
    /// Takes the lock of this key for `hold`, or says by `None` that somebody else has it.
    ///
    /// # Errors
    /// See [`Error`]: nobody holds it for this caller then.
    pub async fn lock(&self, key: impl AsRef<[u8]>, hold: Duration) -> Result<Option<Lock>, Error> {
        let token = format!("{:032x}", fastrand::u128(..));
        let key = Bytes::copy_from_slice(key.as_ref());
        let added = self.add(&key, &token, Ttl::After(hold)).await?;
        Ok(added.is_stored().then(|| Lock {
            client: self.clone(),
            key,
            token,
        }))
    }
}

impl Lock {
    /// What the item holds: nobody else has the same.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Holds the lock for `hold` from now. False if it was lost meanwhile.
    ///
    /// # Errors
    /// See [`Error`]; whether it is still held is not known then.
    pub async fn extend(&self, hold: Duration) -> Result<bool, Error> {
        self.replace(&self.token, Ttl::After(hold)).await
    }

    /// Lets others have the lock. False if it was lost before.
    ///
    /// # Errors
    /// See [`Error`]; then it ends with its time.
    pub async fn release(self) -> Result<bool, Error> {
        // A store that is expired at once: old servers cannot delete under a condition.
        self.replace("", Ttl::After(Duration::ZERO)).await
    }

    async fn replace(&self, value: &str, ttl: Ttl) -> Result<bool, Error> {
        let Some(item) = self.client.get(&self.key).await? else {
            return Ok(false);
        };
        if item.data != self.token {
            return Ok(false);
        }
        let value = Bytes::copy_from_slice(value.as_bytes());
        let verb = storing(Mode::Set, value, 0, ttl, Some(item.cas.0));
        Ok(stored(self.client.ask(&self.key, verb).await?)?.is_stored())
    }
}
