//! The application: products out of a database, read lazily through the cache and written through it.

use std::sync::Arc;
use std::time::Duration;

use larder_client::{Client, Fetch, FetchError, Ttl, WriteError};

use super::database::{Database, Failure};

/// A cached name is good for so long.
const TTL: Ttl = Ttl::secs(300);

/// A shop without a cache asks its database each time.
pub(crate) struct Shop {
    pub(crate) database: Arc<Database>,
    pub(crate) cache: Option<Client>,
}

impl Shop {
    /// What the product is called. While the cache is away, the database says it.
    pub(crate) async fn product(&self, id: i64) -> Result<Option<String>, FetchError<Failure>> {
        let load = || self.database.product(id);
        let Some(cache) = &self.cache else {
            return load().await.map_err(|error| FetchError::Load(error.into()));
        };
        // Strangers ask for products that there are not: that is remembered as well, but not for as long. A name that is
        // about to be forgotten is read anew by one, while all others have the old one.
        let how = Fetch::ttl(TTL)
            .nothing_for(Duration::from_secs(60))
            .refresh_before(Duration::from_secs(30))
            .patience(Duration::from_secs(60));
        let name = cache.fetch_option(key(id), &how, load).await?;
        Ok(name.map(|name| String::from_utf8_lossy(&name).into_owned()))
    }

    /// Calls the product something else, first in the database.
    pub(crate) async fn rename(&self, id: i64, name: &str) -> Result<(), WriteError<Failure>> {
        let write = || self.database.rename(id, name);
        let Some(cache) = &self.cache else {
            return write().await.map_err(WriteError::Write);
        };
        match cache.write_through(key(id), name, TTL, write).await {
            // The database has it. The client sees to it that nobody reads the old name out of the cache.
            Err(WriteError::Cache(error)) => {
                eprintln!("db_cache: {name} is not cached: {error}");
                Ok(())
            }
            done => done,
        }
    }
}

/// Under which key the product is cached.
pub(crate) fn key(id: i64) -> String {
    format!("product:{id}")
}
