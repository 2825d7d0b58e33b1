//! Reading through, writing through, namespaces, locks and sessions, on servers with meta commands and without.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use larder_client::{
    Client, Error, Fetch, FetchError, Observer, SessionStore, Stored, Ttl, WriteError,
};
use tokio::sync::{Barrier, Notify};
use tokio::time::timeout;

use crate::server::PATIENCE;
use crate::verbs::{ALL, META};

const GOOD: Fetch = Fetch::ttl(Ttl::secs(100));

/// A loader that counts how often it was called.
#[derive(Default)]
struct Loads(AtomicU32);

impl Loads {
    async fn load(&self) -> Result<String, Error> {
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        tokio::task::yield_now().await;
        Ok(format!("value {number}"))
    }

    fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Begins to load a key, and drops the fetch while its loader is at work.
pub(crate) async fn drop_fetch(client: &Client, key: &str, how: &Fetch) {
    let begun = Notify::new();
    let never = client.fetch(key, how, || async {
        begun.notify_one();
        pending::<Result<&str, Error>>().await
    });
    tokio::select! {
        _ = never => panic!("it never ends"),
        () = begun.notified() => {}
    }
}

#[tokio::test]
async fn one_load_for_all_who_ask() {
    for setup in ALL {
        let (servers, client) = setup.pool();
        let other = setup.client_of(&servers);
        let loads = Arc::new(Loads::default());
        let calls: Vec<_> = (0..100)
            .map(|i| {
                let client = [&client, &other][i % 2].clone();
                let loads = Arc::clone(&loads);
                tokio::spawn(async move { client.fetch("k", &GOOD, || loads.load()).await })
            })
            .collect();
        for call in calls {
            assert_eq!(call.await.expect("no panic").expect("loaded"), "value 1");
        }
        assert_eq!(loads.count(), 1, "{setup:?}: one in both processes");
        let found = client.get("k").await.expect("get").expect("stored");
        assert_eq!(found.data, "value 1");
        let again = client.fetch("k", &GOOD, || loads.load()).await;
        assert_eq!(again.expect("a hit"), "value 1");
    }
}

#[tokio::test]
async fn a_loader_that_fails() {
    for setup in ALL {
        let (_servers, client) = setup.pool();
        let fails = || async { Err::<&str, _>("no database") };
        let error = client.fetch("k", &GOOD, fails).await.expect_err("fails");
        assert_eq!(
            error.to_string(),
            "the value could not be loaded: no database"
        );
        let loads = Loads::default();
        let found = client.fetch("k", &GOOD, || loads.load()).await;
        assert_eq!(found.expect("the next loads at once"), "value 1");
        let bad = client.fetch("bad key", &GOOD, || loads.load()).await;
        assert!(matches!(bad, Err(FetchError::Cache(Error::BadKey { .. }))));
        assert_eq!(loads.count(), 1);
    }
}

#[tokio::test]
async fn nothing_is_remembered_if_it_is_said_so() {
    for setup in ALL {
        let (_servers, client) = setup.pool();
        let loads = Loads::default();
        let nothing = || async { loads.load().await.map(|_| None::<String>) };
        for _ in 0..2 {
            let found = client.fetch_option("k", &GOOD, nothing).await;
            assert_eq!(found.expect("loaded"), None);
        }
        assert_eq!(loads.count(), 2);
        let how = GOOD.nothing_for(Duration::from_secs(50));
        for _ in 0..3 {
            let found = client.fetch_option("k", &how, nothing).await;
            assert_eq!(found.expect("loaded"), None);
        }
        assert_eq!(loads.count(), 3);
        assert_eq!(client.get("k").await, Ok(None), "not an empty value");
    }
}

#[tokio::test]
async fn a_load_older_than_a_delete_is_not_stored() {
    for setup in META {
        let (servers, client) = setup.pool();
        let other = setup.client_of(&servers);
        for deleter in [&client, &other] {
            let found = client.fetch("k", &GOOD, || async {
                deleter.delete("k").await?;
                Ok::<_, Error>("old")
            });
            assert_eq!(found.await.expect("loaded"), "old");
            assert_eq!(client.get("k").await, Ok(None), "and nobody else gets it");
        }
    }
}

#[tokio::test]
async fn whoever_asks_after_a_write_gets_no_older_load() {
    for setup in ALL {
        let (_servers, client) = setup.pool();
        let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let old = tokio::spawn({
            let (client, begun, go) = (client.clone(), Arc::clone(&begun), Arc::clone(&go));
            async move {
                let load = || async {
                    begun.notify_one();
                    go.notified().await;
                    Ok::<_, Error>("old")
                };
                client.fetch("k", &GOOD, load).await
            }
        });
        begun.notified().await;
        client.set("k", "new", Ttl::Never).await.expect("set");
        let found = client.fetch("k", &GOOD, || async { Ok::<_, Error>("newer") });
        assert_eq!(found.await.expect("found"), "new");
        go.notify_one();
        assert_eq!(old.await.expect("no panic").expect("loaded"), "old");
        let found = client.get("k").await.expect("get").expect("stored");
        assert_eq!(found.data, "new");
    }
}

#[tokio::test]
async fn a_dropped_load_is_done_by_the_next() {
    for setup in ALL {
        let (_servers, client) = setup.pool();
        let how = GOOD.patience(Duration::from_secs(1));
        drop_fetch(&client, "k", &how).await;
        let loads = Loads::default();
        let found = client.fetch("k", &how, || loads.load());
        let found = timeout(PATIENCE, found).await.expect("in time");
        assert_eq!(found.expect("loaded"), "value 1");
    }
}

#[tokio::test]
async fn one_renews_while_the_others_read_on() {
    for setup in META {
        let (servers, client) = setup.pool();
        let other = setup.client_of(&servers);
        // Less is left, always, than the time from which on it is to be renewed.
        let how = GOOD.refresh_before(Duration::from_secs(200));
        let value = |value: &'static str| move || async move { Ok::<_, Error>(value) };
        assert_eq!(
            client.fetch("k", &GOOD, value("one")).await.expect("load"),
            "one"
        );
        let found = client.fetch("k", &how, || async {
            let meanwhile = other.fetch("k", &how, value("never")).await;
            assert_eq!(meanwhile.expect("found"), "one");
            Ok::<_, Error>("two")
        });
        assert_eq!(found.await.expect("renewed"), "two");
        let fails = || async { Err::<&str, _>("no database") };
        let found = client.fetch("k", &how, fails).await;
        assert_eq!(found.expect("the old one is still good"), "two");
    }
}

#[derive(Default)]
struct WithoutCache(AtomicU32);

impl Observer for WithoutCache {
    fn fetch_without_cache(&self, _node: Option<&str>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn without_the_cache_the_loader_is_asked() {
    let seen = Arc::new(WithoutCache::default());
    let builder = Client::builder().url("memcache:///nowhere/at/all.sock");
    let builder = builder.expect("a URL").observer(Arc::clone(&seen) as _);
    let client = builder.build().expect("a client");
    let loads = Loads::default();
    for number in 1..4 {
        let found = client.fetch("k", &GOOD, || loads.load()).await;
        assert_eq!(found.expect("loaded"), format!("value {number}"));
    }
    assert_eq!(seen.0.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn written_through_or_not_there_at_all() {
    for setup in ALL {
        let (servers, _) = setup.pool();
        let builder = setup.builder(&servers).settle(Duration::from_millis(1));
        let client = builder.build().expect("a client");
        let good = || async { Ok::<_, &str>(()) };
        client
            .write_through("k", "one", Ttl::Never, good)
            .await
            .expect("written");
        let found = client.get("k").await.expect("get").expect("stored");
        assert_eq!(found.data, "one");
        let bad = || async { Err("lost the database") };
        let error = client.write_through("k", "two", Ttl::Never, bad).await;
        let error = error.expect_err("the writer's");
        assert!(matches!(error, WriteError::Write("lost the database")));
        let said = "the value could not be written: lost the database";
        assert_eq!(error.to_string(), said);
        assert_eq!(trusted(&client, "k").await, None, "it may be old");
        client.set("k", "one", Ttl::Never).await.expect("set");
        let never = || pending::<Result<(), &str>>();
        tokio::select! {
            biased;
            _ = client.write_through("k", "two", Ttl::Never, never) => panic!("it never ends"),
            () = async {} => {}
        }
        assert_eq!(trusted(&client, "k").await, None, "it may be old");
    }
}

async fn trusted(client: &Client, key: &str) -> Option<bytes::Bytes> {
    let trusted = async {
        loop {
            match client.get(key).await {
                Err(Error::InDoubt { .. }) => tokio::task::yield_now().await,
                other => return other.expect("get").map(|value| value.data),
            }
        }
    };
    timeout(PATIENCE, trusted).await.expect("in time")
}

#[tokio::test]
async fn a_namespace_is_forgotten_as_a_whole() {
    for setup in ALL {
        let (servers, client) = setup.pool();
        let users = client.namespace("users");
        let elsewhere = setup.client_of(&servers).namespace("users");
        let mut seen = std::collections::HashSet::new();
        for round in 0..5 {
            assert_eq!(users.get("7").await, Ok(None), "round {round}");
            users.set("7", "Ada", Ttl::Never).await.expect("set");
            let found = elsewhere.get("7").await.expect("get").expect("stored");
            assert_eq!(found.data, "Ada");
            assert!(seen.insert(users.key("7").await.expect("a key")));
            match round % 2 {
                0 => users.invalidate().await.expect("invalidated"),
                // As if the item with the generation had been evicted.
                _ => assert!(client.delete("larder:namespace:users").await.expect("lost")),
            }
        }
    }
}

#[tokio::test]
async fn a_lock_has_one_owner() {
    for setup in ALL {
        let (servers, client) = setup.pool();
        let other = setup.client_of(&servers);
        let hold = Duration::from_secs(100);
        let lock = client.lock("l", hold).await.expect("asked").expect("free");
        assert!(other.lock("l", hold).await.expect("asked").is_none());
        assert_eq!(lock.extend(hold).await, Ok(true));
        assert_eq!(lock.release().await, Ok(true));
        let lock = other.lock("l", hold).await.expect("asked").expect("free");
        client.delete("l").await.expect("lost, as if evicted");
        let next = client.lock("l", hold).await.expect("asked").expect("free");
        assert_eq!(lock.extend(hold).await, Ok(false));
        assert_eq!(lock.release().await, Ok(false), "not the new owner's");
        assert_eq!(next.extend(hold).await, Ok(true));
    }
}

#[tokio::test]
async fn sessions_lose_no_update() {
    for setup in ALL {
        let (servers, client) = setup.pool();
        let ttl = Duration::from_secs(100);
        let store = SessionStore::new(client, "s:", ttl);
        let beside = SessionStore::new(setup.client_of(&servers), "s:", ttl);
        let id = store.create("0").await.expect("created");
        let first = store.load(&id).await.expect("asked").expect("there");
        let mut second = beside.load(&id).await.expect("asked").expect("there");
        second.data = "1".into();
        assert_eq!(beside.save(&second).await, Ok(Stored::Stored));
        assert_eq!(store.save(&first).await, Ok(Stored::Exists));
        let start = Arc::new(Barrier::new(8));
        let updates: Vec<_> = (0..8)
            .map(|i| {
                let store = [&store, &beside][i % 2].clone();
                let (id, start) = (id.clone(), Arc::clone(&start));
                tokio::spawn(async move {
                    start.wait().await;
                    store.update(&id, plus_one).await
                })
            })
            .collect();
        for update in updates {
            assert_eq!(update.await.expect("no panic"), Ok(true));
        }
        let session = store.load(&id).await.expect("asked").expect("there");
        assert_eq!(session.data, "9");
        assert_eq!(store.destroy(&id).await, Ok(true));
        assert_eq!(store.load(&id).await, Ok(None));
        assert_eq!(store.save(&session).await, Ok(Stored::NotFound));
        assert_eq!(store.update(&id, plus_one).await, Ok(false));
        for strange in ["", "7", "../x", "a b\r\nflush_all", &"g".repeat(32)] {
            assert_eq!(store.load(strange).await, Ok(None));
        }
    }
}

fn plus_one(data: &[u8]) -> String {
    let number: u32 = std::str::from_utf8(data)
        .expect("text")
        .parse()
        .expect("a number");
    (number + 1).to_string()
}
