//! Loads and writes that come too late, or whose callers leave: nothing older than an acknowledged write stays.

use std::time::Duration;

use bytes::Bytes;
use larder_client::{
    Builder, Client, Error, Fake, FakeFault, Fetch, FetchError, NodeSpec, Replicas, Ttl,
};
use tokio::time::timeout;

use crate::patterns::drop_fetch;
use crate::server::PATIENCE;
use crate::verbs::{ALL, read};

const GOOD: Fetch = Fetch::ttl(Ttl::secs(100));

fn fake(nodes: &[&str]) -> Fake {
    Fake::new(nodes.iter().map(|node| spec(node)))
}

fn spec(node: &str) -> NodeSpec {
    node.parse().expect("a node")
}

fn client(builder: Builder) -> Client {
    let builder = builder.timeout(PATIENCE).connect_timeout(PATIENCE);
    let builder = builder.settle(Duration::from_millis(1));
    builder.build().expect("a client")
}

#[tokio::test]
async fn a_load_older_than_this_processs_delete_is_not_stored() {
    for setup in ALL {
        let (_servers, client) = setup.pool();
        let found = client.fetch("k", &GOOD, || async {
            client.delete("k").await?;
            Ok::<_, Error>("old")
        });
        assert_eq!(found.await.expect("loaded"), "old");
        assert_eq!(client.get("k").await, Ok(None), "{setup:?}");
        let found = client.fetch("k", &GOOD, || async { Ok::<_, Error>("new") });
        assert_eq!(found.await.expect("loaded"), "new", "nobody has to wait");
    }
}

#[tokio::test]
async fn a_load_older_than_a_write_is_not_stored_in_the_gutter() {
    let fake = fake(&["a", "gutter"]);
    let gutter = [spec("gutter")];
    let builder = fake.builder().nodes([spec("a")]);
    let client = client(builder.gutter(gutter, Duration::from_secs(60)));
    fake.hurt("a:11211", FakeFault::Refuses);
    assert!(client.get("k").await.is_err(), "it is found out");
    for write in [Some("v2"), None] {
        let found = client.fetch("k", &GOOD, || async {
            match write {
                Some(value) => client.set("k", value, Ttl::Never).await?,
                None => drop(client.delete("k").await?),
            }
            Ok::<_, Error>("v1")
        });
        assert_eq!(found.await.expect("loaded"), "v1");
        let left = client.get("k").await.expect("the gutter's");
        assert_eq!(left.map(|value| value.data), write.map(Bytes::from));
        drop(client.delete("k").await);
    }
}

#[tokio::test]
async fn a_dropped_fetch_gives_its_place_up() {
    for setup in ALL {
        let (servers, client) = setup.pool();
        let other = setup.client_of(&servers);
        // Far longer than the test may take.
        let how = GOOD.patience(Duration::from_secs(1000));
        drop_fetch(&client, "k", &how).await;
        let found = other.fetch("k", &how, || async { Ok::<_, Error>("v") });
        let found = timeout(PATIENCE, found).await.expect("in time");
        assert_eq!(found.expect("loaded"), "v");
    }
}

/// One pool has the new value, the other was not even reached, and then the first loses it.
#[tokio::test]
async fn a_dropped_write_leaves_no_pool_behind() {
    let (near, far) = (fake(&["near"]), fake(&["far"]));
    let pools = [client(near.builder()), client(far.builder())];
    let both = Replicas::new(pools[0].clone(), [pools[1].clone()]);
    for is_set in [true, false] {
        both.set("k", "v1", Ttl::Never).await.expect("set");
        far.hurt("far:11211", FakeFault::Hangs);
        let write = async {
            match is_set {
                true => drop(both.set("k", "v2", Ttl::Never).await),
                false => drop(both.delete("k").await),
            }
        };
        let arrived = async {
            while pools[0]
                .get("k")
                .await
                .expect("near")
                .is_some_and(|found| found.data == "v1")
            {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = write => panic!("the far pool does not answer"),
            () = arrived => {}
        }
        near.restart("near:11211");
        far.restart("far:11211");
        // What a restart empties is not what is tested.
        let beside = client(far.builder());
        beside.set("k", "v1", Ttl::Never).await.expect("set");
        for pool in &pools {
            assert_eq!(read(pool, "k").await, None, "{is_set}");
        }
    }
}

#[tokio::test]
async fn a_fetch_hears_that_there_is_nothing_as_an_error() {
    for setup in ALL {
        let (_servers, client) = setup.pool();
        let how = GOOD.nothing_for(Duration::from_secs(50));
        let nothing = || async { Ok::<_, Error>(None::<String>) };
        let found = client.fetch_option("k", &how, nothing).await;
        assert_eq!(found.expect("loaded"), None);
        let found = client.fetch("k", &how, || async { Ok::<_, Error>("v") });
        let error = found.await.expect_err("no value, and not an empty one");
        assert!(
            matches!(error, FetchError::Cache(Error::Codec(_))),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_delete_for_which_there_is_no_place_is_remembered() {
    let fake = fake(&["a"]);
    let client = client(fake.builder().in_flight_max(1));
    for key in ["k", "s"] {
        client.set(key, "old", Ttl::Never).await.expect("set");
    }
    fake.hurt("a:11211", FakeFault::Hangs);
    let mut waits = Box::pin(client.get("other"));
    // It takes the only place.
    assert!(timeout(Duration::from_millis(1), &mut waits).await.is_err());
    let busy = client.set("s", "new", Ttl::Never).await;
    assert!(matches!(busy, Err(Error::Busy { .. })));
    let busy = client.delete("k").await;
    assert!(matches!(busy, Err(Error::Busy { .. })));
    fake.heal("a:11211");
    waits.await.expect("answered");
    assert_eq!(read(&client, "k").await, None);
    assert_eq!(read(&client, "s").await.as_deref(), Some(&b"old"[..]));
}

#[tokio::test]
async fn a_value_that_no_server_takes_is_not_sent() {
    let fake = fake(&["a"]);
    let client = client(fake.builder());
    let value = vec![0; larder_client::limits::VALUE_LEN_MAX + 1];
    let error = client.set("k", value, Ttl::Never).await.expect_err("large");
    assert!(error.to_string().contains("1073741825"), "{error}");
}
