//! A cache in front of a database: lazy loading and write-through, and what they spare the database.
//!
//! Run it on a pool, with SQLite or with a PostgreSQL server behind it, of whose tables it makes one, `db_cache_product`:
//!
//! ```text
//! scripts/pool 3
//! cargo run --release -p larder-client --example db_cache -- file:/tmp/larder-pool.…/nodes
//! cargo run --release -p larder-client --example db_cache -- file:/tmp/larder-pool.…/nodes 'host=/run/postgresql user=me'
//! ```

mod database;
mod load;
mod shop;

use std::error::Error;
use std::sync::Arc;

use larder_client::{Client, Discovery};

use database::{Database, PRODUCTS};
use shop::Shop;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut args = std::env::args().skip(1);
    let Some(source) = args.next() else {
        return Err(
            "usage: db_cache SOURCE [POSTGRES], as in file:/path 'host=/run/postgresql'".into(),
        );
    };
    let source: Discovery = source.parse()?;
    // The folder of the SQLite database goes with the example's end.
    let folder = tempfile::tempdir()?;
    let database = match args.next() {
        Some(connection) => Database::postgres(&connection).await?,
        None => Database::sqlite(&folder.path().join("shop.db"))?,
    };
    let database = Arc::new(database);
    let cache = Client::builder().follow(source).await?;
    // The table is new; of an older one nothing may be left in the cache.
    cache
        .delete_many((1..=PRODUCTS).map(shop::key))
        .await
        .all()?;
    println!("{} reads, {} writes", load::READS, load::WRITES);
    for (what, cache) in [("without the cache", None), ("with the cache", Some(cache))] {
        let database = Arc::clone(&database);
        let outcome = load::run(&Arc::new(Shop { database, cache })).await?;
        println!(
            "{what}: {} queries to the database, {:.2} s",
            outcome.queries,
            outcome.elapsed.as_secs_f64()
        );
    }
    Ok(())
}
