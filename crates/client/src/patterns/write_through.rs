//! Writing through the cache: the database first, then the cache, and no old value left when either is in doubt.

use std::future::Future;

use bytes::Bytes;

use thiserror::Error;

use crate::client::{Client, checked};
use crate::error::Error;
use crate::ttl::Ttl;
use crate::value::IntoBytes;

/// Why [`Client::write_through`] did not do all of it.
#[derive(Debug, Error)]
pub enum WriteError<E> {
    /// The key cannot be used, so that nothing was written.
    #[error(transparent)]
    Key(Error),
    /// The writer failed. Whatever it did, the cache's value is deleted before it is read again.
    #[error("the value could not be written: {0}")]
    Write(E),
    /// The value is written, and not cached: what was cached before is deleted before it is read again.
    #[error("the value is written and not cached: {0}")]
    Cache(Error),
}

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
    /// See [`WriteError`].
    pub async fn write_through<E, W>(
        &self,
        key: impl AsRef<[u8]>,
        value: impl IntoBytes,
        ttl: Ttl,
        write: impl FnOnce() -> W,
    ) -> Result<(), WriteError<E>>
    where
        W: Future<Output = Result<(), E>>,
    {
        let key = checked(key.as_ref()).map_err(WriteError::Key)?;
        let mut guard = UntilWritten {
            client: self,
            key: key.clone(),
            is_written: false,
        };
        write().await.map_err(WriteError::Write)?;
        self.set(&key, value, ttl)
            .await
            .map_err(WriteError::Cache)?;
        guard.is_written = true;
        Ok(())
    }
}
