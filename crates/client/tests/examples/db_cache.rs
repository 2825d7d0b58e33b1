//! The example `db_cache`: SQLite and PostgreSQL behind a cache of three nodes, and what is left for them to do.

#[path = "../../examples/db_cache/database.rs"]
mod database;
#[path = "../../examples/db_cache/load.rs"]
mod load;
#[path = "../../examples/db_cache/shop.rs"]
mod shop;

use std::sync::Arc;
use std::time::{Duration, Instant};

use larder_client::Client;

use crate::postgres::Postgres;
use crate::server::{Kind, PATIENCE, Server};
use database::{Database, PRODUCTS};
use shop::Shop;

fn nodes() -> Vec<Server> {
    (0..3).map(|_| Server::start(Kind::Larderd, &[])).collect()
}

fn cache(servers: &[Server], timeout: Duration) -> Client {
    Client::builder()
        .nodes(servers.iter().map(Server::node))
        .timeout(timeout)
        .connect_timeout(timeout)
        .build()
        .expect("a client")
}

/// Every product is what the database says it is.
async fn judge(shop: &Shop) {
    for id in 1..=PRODUCTS {
        let name = shop.product(id).await.expect("a name");
        let real = shop.database.product(id).await.expect("a name");
        assert_eq!(name, real, "product {id}");
    }
}

/// The load, without the cache and with it.
async fn spared(database: Database) {
    let (servers, database) = (nodes(), Arc::new(database));
    let shop = |cache| {
        let database = Arc::clone(&database);
        Arc::new(Shop { database, cache })
    };
    let without = load::run(&shop(None)).await.expect("a working database");
    assert_eq!(without.queries, load::READS + load::WRITES);

    let cached = shop(Some(cache(&servers, PATIENCE)));
    let with = load::run(&cached).await.expect("a working database");
    // Each product is read once at most, whoever asked, and never after it was written.
    let at_most = load::WRITES + PRODUCTS.unsigned_abs();
    assert!(with.queries <= at_most, "{} queries", with.queries);
    assert!(with.queries > load::WRITES, "something had to be read");
    judge(&cached).await;
    println!(
        "{} reads, {} writes: {} queries without the cache, {} with it, in {:?} and {:?}",
        load::READS,
        load::WRITES,
        without.queries,
        with.queries,
        without.elapsed,
        with.elapsed
    );

    // What there is not, is asked for once.
    let before = database.queries();
    for _ in 0..10 {
        let name = cached.product(PRODUCTS + 1).await.expect("an answer");
        assert_eq!(name, None);
    }
    assert_eq!(database.queries() - before, 1);
}

#[tokio::test]
async fn sqlite_is_spared() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shop.db");
    spared(Database::sqlite(&path).expect("a database")).await;
}

#[tokio::test]
async fn postgres_is_spared() {
    let postgres = Postgres::start();
    let database = Database::postgres(&postgres.connection()).await;
    spared(database.expect("a connection")).await;
}

/// A name is changed while a node with the old one hangs; once it goes on, nobody reads the old one there.
#[tokio::test]
async fn no_old_name_after_a_node_hung() {
    let (postgres, servers) = (Postgres::start(), nodes());
    let database = Database::postgres(&postgres.connection()).await;
    let shop = Shop {
        database: Arc::new(database.expect("a connection")),
        cache: Some(cache(&servers, Duration::from_secs(1))),
    };
    judge(&shop).await;
    servers[0].pause();
    for id in 1..=PRODUCTS {
        let name = format!("product {id}, renamed");
        shop.rename(id, &name).await.expect("a working database");
        let read = shop.product(id).await.expect("a name");
        assert_eq!(read.as_ref(), Some(&name));
    }
    servers[0].resume();
    let begun = Instant::now();
    loop {
        let before = shop.database.queries();
        for id in 1..=PRODUCTS {
            let name = shop.product(id).await.expect("a name");
            assert_eq!(name, Some(format!("product {id}, renamed")));
        }
        // All are in the cache again.
        if shop.database.queries() == before {
            break;
        }
        assert!(begun.elapsed() < 4 * PATIENCE, "the node serves again");
    }
}
