//! Sessions of an application's users: found by an id that nobody can guess, kept alive by being used, never overwritten
//! by a request that had read an older state.

use std::time::Duration;

use bytes::Bytes;

use crate::client::Client;
use crate::error::Error;
use crate::ttl::Ttl;
use crate::value::{CasUnique, IntoBytes, Stored};

/// Where sessions are kept.
#[derive(Clone, Debug)]
pub struct SessionStore {
    client: Client,
    prefix: String,
    ttl: Duration,
}

/// A session as it was loaded.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// What the user's cookie holds: 128 random bits in hexadecimal.
    pub id: String,
    /// What the application keeps.
    pub data: Bytes,
    cas: CasUnique,
}

/// Bytes of an id: nobody guesses 128 random bits.
const ID_BYTES: usize = 16;
/// How often a session is loaded anew because another request changed it.
const TRIES: usize = 16;

impl std::fmt::Debug for Session {
    /// Without the id, which is all that it takes to be the user: it has no place in a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("data_len", &self.data.len())
            .finish_non_exhaustive()
    }
}

impl SessionStore {
    /// Sessions under keys that begin with `prefix`. One that is not used for `ttl` ends.
    #[must_use]
    pub fn new(client: Client, prefix: impl Into<String>, ttl: Duration) -> Self {
        Self {
            client,
            prefix: prefix.into(),
            ttl,
        }
    }

    /// Begins a session.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::Codec`] if the system gives no random bits.
    pub async fn create(&self, data: impl IntoBytes) -> Result<String, Error> {
        let mut bytes = [0; ID_BYTES];
        getrandom::fill(&mut bytes)
            .map_err(|error| Error::Codec(format!("given an id: {error}").into()))?;
        let id = format!("{:032x}", u128::from_ne_bytes(bytes));
        self.client.add(self.key(&id), data, self.ttl()).await?;
        Ok(id)
    }

    /// The session of this id, which lives for the whole time again. `None` if there is none, or if it is no id of ours.
    ///
    /// # Errors
    /// See [`Error`]. An error does not say that the user has no session.
    pub async fn load(&self, id: &str) -> Result<Option<Session>, Error> {
        if !is_id(id) {
            return Ok(None);
        }
        let found = self.client.get_and_touch(self.key(id), self.ttl()).await?;
        Ok(found.map(|value| Session {
            id: id.to_owned(),
            data: value.data,
            cas: value.cas,
        }))
    }

    /// Stores the session's data, unless another request stored some since it was loaded ([`Stored::Exists`]) or it has
    /// ended ([`Stored::NotFound`]). After it, load it again before saving it again.
    ///
    /// # Errors
    /// See [`Error`]. Of a save that has no known end nothing is ever read: the session is deleted.
    pub async fn save(&self, session: &Session) -> Result<Stored, Error> {
        let (key, data) = (self.key(&session.id), session.data.clone());
        self.client.cas(key, data, session.cas, self.ttl()).await
    }

    /// Changes the session's data, as often as other requests change it meanwhile. False if there is no session.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::Codec`] if others changed it each time.
    pub async fn update<V: IntoBytes>(
        &self,
        id: &str,
        mut change: impl FnMut(&[u8]) -> V,
    ) -> Result<bool, Error> {
        for _ in 0..TRIES {
            let Some(mut session) = self.load(id).await? else {
                return Ok(false);
            };
            session.data = change(&session.data).into_bytes();
            match self.save(&session).await? {
                Stored::Exists => {}
                stored => return Ok(stored.is_stored()),
            }
        }
        Err(Error::Codec(
            format!("saved: others changed it {TRIES} times").into(),
        ))
    }

    /// Ends a session; says whether there was one.
    ///
    /// # Errors
    /// See [`Error`]. The session is remembered and deleted before its node serves it again.
    pub async fn destroy(&self, id: &str) -> Result<bool, Error> {
        match is_id(id) {
            true => self.client.delete(self.key(id)).await,
            false => Ok(false),
        }
    }

    fn key(&self, id: &str) -> String {
        format!("{}{id}", self.prefix)
    }

    fn ttl(&self) -> Ttl {
        Ttl::After(self.ttl)
    }
}

/// Ids come from strangers.
fn is_id(id: &str) -> bool {
    id.len() == 2 * ID_BYTES && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}
