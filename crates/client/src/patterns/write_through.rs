//! Writing through the cache: the database first, then the cache, and no old value left when either is in doubt.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use larder_protocol::client::check_key;

use super::fetch::FetchError;
use crate::client::Client;
use crate::error::Error;
use crate::ttl::Ttl;
use crate::value::IntoBytes;

/// Puts the key in doubt unless both writes went well: also when the caller is dropped between them.
struct UntilWritten<'a> {
    client: &'a Client,
    key: Bytes,
    is_written: bool,
}

impl Drop for UntilWritten<'_> {
    fn drop(&mut self) {
        if !self.is_written {
            self.client.doubt(&self.key);
        }
    }
}

impl Client {
    /// Has `write` write the value where it is kept, and then stores it here.
    ///
    /// If either fails, or the call is dropped, the key is deleted before it is read again: the write may have gone
    /// through, so that the old value must not stay. Two callers who write the same key at the same time may reach the
    /// cache in another order than the database; where that can be, write and then [`Client::delete`].
    ///
    /// # Errors
    /// [`FetchError::Load`]: the database's error. [`FetchError::Cache`]: the value is written, and not cached.
    pub async fn write_through<E, W>(
        &self,
        key: impl AsRef<[u8]>,
        value: impl IntoBytes,
        ttl: Ttl,
        write: impl FnOnce() -> W,
    ) -> Result<(), FetchError<E>>
    where
        W: Future<Output = Result<(), E>>,
    {
        let key = Bytes::copy_from_slice(key.as_ref());
        check_key(&key).map_err(|fault| {
            FetchError::Cache(Error::BadKey {
                key: key.to_vec(),
                fault,
            })
        })?;
        let mut guard = UntilWritten {
            client: self,
            key: key.clone(),
            is_written: false,
        };
        write()
            .await
            .map_err(|error| FetchError::Load(Arc::new(error)))?;
        self.set(&key, value, ttl)
            .await
            .map_err(FetchError::Cache)?;
        guard.is_written = true;
        Ok(())
    }
}
