//! How nodes are won back: what they must not keep, what may not stop them, and who sees to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_client::{
    Builder, CallOutcome, Client, Error, Fake, FakeFault, Fetch, NodeSpec, NodeState, Observer,
    Stored, Ttl,
};
use tokio::runtime::Runtime;
use tokio::time::{Instant, timeout};

use crate::server::{BOTH, PATIENCE, Server};
use crate::verbs::read;

const OFTEN: Duration = Duration::from_millis(1);

fn spec(node: &str) -> NodeSpec {
    node.parse().expect("a node")
}

fn client(builder: Builder) -> Client {
    let builder = builder.timeout(PATIENCE).connect_timeout(PATIENCE);
    let builder = builder.settle(OFTEN).probe_waits(OFTEN, OFTEN);
    builder.build().expect("a client")
}

/// Puts a key in doubt, as a write behind the cache does that has no known end.
async fn doubt(client: &Client, key: &str) {
    let fails = || async { Err::<(), _>("no database") };
    let written = client.write_through(key, "v", Ttl::Never, fails).await;
    written.expect_err("not written");
}

#[tokio::test]
async fn the_gutter_keeps_nothing_of_a_node_that_left() {
    let fake = Fake::new(["x", "y", "gutter"].map(spec));
    let builder = fake.builder().nodes([spec("x")]);
    let client = client(builder.gutter([spec("gutter")], Duration::from_secs(60)));
    fake.hurt("x:11211", FakeFault::Refuses);
    assert!(client.get("k").await.is_err(), "it is found out");
    client.set("k", "vg", Ttl::Never).await.expect("the gutter");
    client.set_nodes(&[spec("y")]).expect("a list");
    client.set("k", "v2", Ttl::Never).await.expect("set");
    fake.hurt("y:11211", FakeFault::Refuses);
    assert!(client.get("k").await.is_err(), "it is found out");
    assert_eq!(read(&client, "k").await, None);
    client.set("k", "vg", Ttl::Never).await.expect("the gutter");
    let flushed = client.flush().await;
    assert!(flushed[1].1.is_ok(), "{flushed:?}");
    assert_eq!(read(&client, "k").await, None);
}

#[tokio::test]
async fn a_write_to_the_gutter_without_a_reply_may_have_come_about() {
    let fake = Fake::new(["x", "gutter"].map(spec));
    let builder = fake.builder().nodes([spec("x")]);
    let client = client(builder.gutter([spec("gutter")], Duration::from_secs(60)));
    fake.hurt("x:11211", FakeFault::Refuses);
    assert!(client.get("k").await.is_err(), "it is found out");
    client.set("k", "u", Ttl::Never).await.expect("the gutter");
    fake.hurt("gutter:11211", FakeFault::LosesReplies);
    let error = client.set("k", "v", Ttl::Never).await.expect_err("lost");
    assert!(error.maybe_applied(), "{error}");
    assert_eq!(error.node(), Some("gutter:11211"));
}

/// Each call begins in a runtime of its own, as in a programme that warms up in one and works in another.
#[test]
fn a_runtime_that_ends_takes_nobody_with_it() {
    let server = Server::start(BOTH[1], &[]);
    let client = client(Client::builder().nodes([server.node()]));
    let runtime = || Runtime::new().expect("a runtime");
    runtime().block_on(async {
        client.set("k", "v", Ttl::Never).await.expect("set");
        // It goes with its runtime before it was mended.
        doubt(&client, "doubt").await;
    });
    let second = runtime();
    second.block_on(async {
        assert_eq!(read(&client, "k").await.as_deref(), Some(&b"v"[..]));
        assert_eq!(read(&client, "doubt").await, None);
    });
    drop(second);
    runtime().block_on(async {
        assert_eq!(read(&client, "k").await.as_deref(), Some(&b"v"[..]));
    });
}

/// A runtime that ends while a connection is being made.
#[test]
fn a_connection_that_was_never_made_is_made_by_the_next() {
    let fake = Fake::new([spec("a")]);
    let client = client(fake.builder());
    let runtime = || Runtime::new().expect("a runtime");
    fake.hurt("a:11211", FakeFault::Hangs);
    let first = runtime();
    first.block_on(async {
        let waits = timeout(Duration::from_millis(10), client.get("k")).await;
        assert!(waits.is_err(), "it does not answer");
    });
    drop(first);
    fake.heal("a:11211");
    assert_eq!(runtime().block_on(read(&client, "k")), None);
}

/// With `-F` a server cannot be flushed. What it holds is not served, until it was started anew.
#[tokio::test]
async fn a_server_that_refuses_to_be_flushed_serves_after_a_restart() {
    for kind in BOTH {
        let mut server = Server::start(kind, &["-F"]);
        let client = client(Client::builder().nodes([server.node()]).journal_keys_max(2));
        client.set("old", "v", Ttl::Never).await.expect("set");
        for key in ["a", "b", "c"] {
            doubt(&client, key).await;
        }
        let refused = async {
            loop {
                let error = client.get("old").await.expect_err("in doubt");
                if error.to_string().contains("refuses to be flushed") {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, refused).await.expect("it is said");
        server.restart();
        assert_eq!(read(&client, "old").await, None);
    }
}

/// However many keys are in doubt, they are deleted after one wait.
#[tokio::test(start_paused = true)]
async fn many_keys_are_mended_at_once() {
    let fake = Fake::new([spec("a")]);
    let client = fake.builder().timeout(PATIENCE).connect_timeout(PATIENCE);
    let client = client.build().expect("a client");
    let keys: Vec<String> = (0..5000).map(|n| format!("key:{n}")).collect();
    for key in &keys {
        doubt(&client, key).await;
    }
    let begun = Instant::now();
    for key in &keys {
        while client.get(key).await != Ok(None) {
            // The clock goes on when everybody waits.
            tokio::time::sleep(OFTEN).await;
        }
    }
    // It is one settling wait of a second, by the test's own clock, and the one that had begun.
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
}

/// How often each verb ended how.
#[derive(Default)]
struct Calls(Mutex<BTreeMap<&'static str, [u32; 2]>>);

impl Observer for Calls {
    fn call(&self, _: &str, verb: &'static str, outcome: CallOutcome, _: Duration) {
        let mut calls = self.0.lock().expect("calls");
        calls.entry(verb).or_default()[usize::from(outcome == CallOutcome::Hit)] += 1;
    }
}

#[tokio::test]
async fn a_fetch_that_has_to_load_is_a_miss() {
    let fake = Fake::new([spec("a")]);
    let calls = Arc::new(Calls::default());
    let client = client(fake.builder().observer(Arc::clone(&calls) as _));
    let how = Fetch::ttl(Ttl::secs(60));
    for _ in 0..3 {
        let found = client.fetch("k", &how, || async { Ok::<_, Error>("v") });
        assert_eq!(found.await.expect("loaded"), "v");
    }
    let added = client.add("k", "w", Ttl::Never).await;
    assert_eq!(added, Ok(Stored::NotStored));
    let calls = calls.0.lock().expect("calls");
    assert_eq!(calls["get"], [1, 2]);
    assert_eq!(calls["set"], [1, 1]);
    assert_eq!(client.node_states()[0].state, NodeState::Up);
}

/// The longest and the shortest of everything.
#[tokio::test]
async fn no_wait_is_too_long_or_too_short() {
    let fake = Fake::new([spec("a")]);
    for wait in [Duration::MAX, Duration::ZERO] {
        let builder = fake
            .builder()
            .timeout(Duration::MAX)
            .connect_timeout(Duration::MAX);
        let client = builder.settle(wait).probe_waits(wait, wait).build();
        let client = client.expect("a client");
        let how = Fetch::ttl(Ttl::After(Duration::MAX))
            .stale_for(wait)
            .patience(wait);
        let how = how.refresh_before(wait).nothing_for(wait);
        let found = client.fetch("k", &how, || async { Ok::<_, Error>("v") });
        assert_eq!(found.await.expect("loaded"), "v");
        fake.hurt("a:11211", FakeFault::Refuses);
        client.get("k").await.expect_err("gone");
        fake.restart("a:11211");
    }
}

/// Over several connections each key goes by its own, and answers come in the order of the keys.
#[tokio::test]
async fn several_connections_to_a_node() {
    for kind in BOTH {
        let server = Server::start(kind, &[]);
        let client = client(Client::builder().nodes([server.node()]).conns_per_node(4));
        let keys: Vec<String> = (0..3000).map(|n| format!("key:{n}")).collect();
        let items = keys.iter().map(|key| (key, key));
        client.set_many(items, Ttl::Never).await.all().expect("set");
        for (key, found) in client.get_many(&keys).await.all().expect("got") {
            assert_eq!(found.expect("stored").data, key);
        }
        for round in 0..20_u64 {
            assert_eq!(client.incr_or("n", 1, 1, Ttl::Never).await, Ok(round + 1));
        }
    }
}
