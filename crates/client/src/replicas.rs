//! The same values in several pools: written to all, read from one.
//!
//! Each pool has nodes and a ring of its own, say in a zone of its own. A pool that could not take a write has the key in
//! doubt, and deletes it before it gives it out again, so that its copy is never older than the others'. CAS uniques and
//! counts differ from pool to pool, and have no place here.

use std::sync::Arc;

use bytes::Bytes;
use larder_protocol::client::check_key;

use crate::client::Client;
use crate::error::Error;
use crate::join::join_all;
use crate::ttl::Ttl;
use crate::value::{CasUnique, IntoBytes, Value};

/// Puts the key in doubt in every pool unless all their answers were looked at: also when the caller is dropped while
/// some have the write, and others do not.
struct UntilTold<'a> {
    pools: &'a Replicas,
    key: &'a [u8],
    is_told: bool,
}

impl Drop for UntilTold<'_> {
    fn drop(&mut self) {
        // What is no key was not sent either.
        if !self.is_told && check_key(self.key).is_ok() {
            let key = Bytes::copy_from_slice(self.key);
            self.pools.pools().for_each(|pool| pool.doubt(&key));
        }
    }
}

/// Pools that hold the same.
#[derive(Clone, Debug)]
pub struct Replicas {
    nearest: Client,
    others: Arc<[Client]>,
}

impl Replicas {
    /// Reads go to `nearest`, and to the others in their order when it has nothing to give.
    #[must_use]
    pub fn new(nearest: Client, others: impl IntoIterator<Item = Client>) -> Self {
        Self {
            nearest,
            others: others.into_iter().collect(),
        }
    }

    /// The item as the first pool has it that has it. Its [`Value::cas`] is 0, which no item has.
    ///
    /// # Errors
    /// No pool could be asked; the nearest one's error.
    pub async fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Value>, Error> {
        let key = key.as_ref();
        let mut outcome = self.nearest.get(key).await;
        for pool in &*self.others {
            if matches!(outcome, Ok(Some(_)) | Err(Error::BadKey { .. })) {
                break;
            }
            match (pool.get(key).await, &outcome) {
                // A pool that answered stands against one that could not be asked.
                (Ok(None), Ok(None)) | (Err(_), _) => {}
                (answered, _) => outcome = answered,
            }
        }
        outcome.map(|found| {
            found.map(|value| Value {
                cas: CasUnique(0),
                ..value
            })
        })
    }

    /// Stores a value in every pool that can be reached.
    ///
    /// # Errors
    /// No pool took it; the nearest one's error.
    pub async fn set(
        &self,
        key: impl AsRef<[u8]>,
        value: impl IntoBytes,
        ttl: Ttl,
    ) -> Result<(), Error> {
        let (key, value) = (key.as_ref(), value.into_bytes());
        let pools = self.pools().map(|pool| pool.set(key, value.clone(), ttl));
        let mut guard = self.until_told(key);
        let mut results = self.told(key, join_all(pools.collect()).await);
        guard.is_told = true;
        match results.iter().any(Result::is_ok) {
            true => Ok(()),
            false => results.swap_remove(0),
        }
    }

    /// Deletes an item in every pool; says whether any had it.
    ///
    /// # Errors
    /// A pool could not delete it. It does before it gives the key out again to this process.
    pub async fn delete(&self, key: impl AsRef<[u8]>) -> Result<bool, Error> {
        let key = key.as_ref();
        let pools = self.pools().map(|pool| pool.delete(key));
        let mut guard = self.until_told(key);
        let results = self.told(key, join_all(pools.collect()).await);
        guard.is_told = true;
        let deleted: Result<Vec<bool>, Error> = results.into_iter().collect();
        Ok(deleted?.contains(&true))
    }

    fn until_told<'a>(&'a self, key: &'a [u8]) -> UntilTold<'a> {
        UntilTold {
            pools: self,
            key,
            is_told: false,
        }
    }

    fn pools(&self) -> impl Iterator<Item = &Client> {
        [&self.nearest].into_iter().chain(&*self.others)
    }

    /// Puts the key in doubt wherever it could not be written, for whatever reason.
    fn told<T>(&self, key: &[u8], results: Vec<Result<T, Error>>) -> Vec<Result<T, Error>> {
        for (pool, result) in self.pools().zip(&results) {
            match result {
                Ok(_) | Err(Error::BadKey { .. }) => {}
                Err(_) => pool.doubt(&Bytes::copy_from_slice(key)),
            }
        }
        results
    }
}
