//! Nodes that go and come back: what fails, for how long, and that nothing older than the last acknowledged write is read.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use larder_client::{Builder, Client, Error, NodeState, Observer, Replicas, Ttl};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::server::{BOTH, Kind, PATIENCE, Server};
use crate::verbs::read;

/// How long a call waits for a server that is stopped. Whatever a server that runs must answer is asked until it does.
const WAIT: Duration = Duration::from_secs(1);

/// The nodes' states as the client tells them.
#[derive(Clone)]
struct States(Arc<watch::Sender<HashMap<String, NodeState>>>);

impl Observer for States {
    fn node_state(&self, node: &str, state: NodeState) {
        self.0.send_modify(|states| {
            states.insert(node.to_owned(), state);
        });
    }
}

impl States {
    async fn wait_for(&self, server: &Server, state: NodeState) {
        let mut states = self.0.subscribe();
        let node = server.node().to_string();
        let reached = states.wait_for(|states| states.get(&node) == Some(&state));
        let reached = timeout(PATIENCE, reached).await.expect("in time");
        drop(reached.expect("the client lives"));
    }
}

/// Servers, and a client that probes them often.
struct Pool {
    servers: Vec<Server>,
    states: States,
    client: Client,
}

fn pool(kind: Kind, count: usize, with: impl Fn(Builder) -> Builder) -> Pool {
    let servers: Vec<Server> = (0..count).map(|_| Server::start(kind, &[])).collect();
    let states = States(Arc::new(watch::Sender::default()));
    let builder = Client::builder()
        .nodes(servers.iter().map(Server::node))
        .observer(Arc::new(states.clone()))
        .connect_timeout(PATIENCE)
        .probe_waits(Duration::from_millis(20), Duration::from_millis(100));
    let client = with(builder).build().expect("a client");
    Pool {
        servers,
        states,
        client,
    }
}

impl Pool {
    fn index_of(&self, key: &str) -> usize {
        let label = self.client.node_for(key);
        let is_there = |server: &Server| server.node().to_string() == label;
        self.servers.iter().position(is_there).expect("a node")
    }

    /// Sets a key, as often as it takes on a machine on which everything may be late.
    async fn set(&self, key: &str, value: &str) {
        let done = async {
            while self.client.set(key, value, Ttl::Never).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, done).await.expect("in time");
    }

    /// A get that waits until the key is served.
    async fn get(&self, key: &str) -> Option<bytes::Bytes> {
        read(&self.client, key).await
    }
}

#[tokio::test]
async fn a_node_that_is_gone_fails_alone_and_is_won_back() {
    for kind in BOTH {
        let mut pool = pool(kind, 3, |builder| builder.timeout(PATIENCE));
        let keys: Vec<String> = (0..300).map(|i| format!("key:{i}")).collect();
        let items = keys.iter().map(|key| (key, key));
        assert_eq!(
            pool.client
                .set_many(items, Ttl::Never)
                .await
                .errors()
                .count(),
            0
        );
        let gone = pool.index_of("key:0");
        pool.servers[gone].crash();
        // The first call finds it out; from then on nothing is sent.
        assert!(pool.client.get("key:0").await.is_err(), "not a miss");
        pool.states
            .wait_for(&pool.servers[gone], NodeState::Down)
            .await;
        let error = pool.client.get("key:0").await.expect_err("down");
        assert_eq!(error.node(), Some(&*pool.servers[gone].node().to_string()));
        for (key, result) in pool.client.get_many(&keys).await {
            let key = String::from_utf8(key.to_vec()).expect("text");
            match result {
                Ok(found) => assert_eq!(found.expect("a hit").data, key),
                Err(error) => assert_eq!(pool.index_of(&key), gone, "{error}"),
            }
        }
        pool.servers[gone].restart();
        pool.states
            .wait_for(&pool.servers[gone], NodeState::Up)
            .await;
        assert_eq!(pool.get("key:0").await, None, "it came back empty");
    }
}

#[tokio::test]
async fn a_write_that_nobody_answered_is_never_read() {
    for kind in BOTH {
        let pool = pool(kind, 1, |builder| builder.timeout(WAIT));
        pool.set("k", "v1").await;
        pool.servers[0].pause();
        let error = pool.client.set("k", "late", Ttl::Never).await;
        let error = error.expect_err("no answer");
        assert!(matches!(error, Error::Timeout { .. }), "{error}");
        assert!(error.maybe_applied());
        assert!(pool.client.get("k").await.is_err(), "in doubt, not a miss");
        pool.servers[0].resume();
        assert_eq!(pool.get("k").await, None, "neither the old nor the late");
        pool.set("k", "v2").await;
        assert_eq!(pool.get("k").await.as_deref(), Some(&b"v2"[..]));
    }
}

#[tokio::test]
async fn a_node_whose_keys_in_doubt_are_too_many_is_flushed() {
    let pool = pool(Kind::Larderd, 1, |builder| {
        builder.journal_keys_max(10).timeout(WAIT)
    });
    pool.set("old", "v").await;
    pool.servers[0].pause();
    let deletes = (0..20).map(|i| format!("key:{i}"));
    assert_eq!(pool.client.delete_many(deletes).await.errors().count(), 20);
    pool.servers[0].resume();
    assert_eq!(pool.get("old").await, None);
}

#[tokio::test]
async fn the_gutter_stands_in_and_leaves_nothing_behind() {
    let gutter = Server::start(Kind::Larderd, &[]);
    let mut pool = pool(Kind::Larderd, 1, |builder| {
        builder
            .gutter([gutter.node()], Duration::from_secs(30))
            .timeout(PATIENCE)
    });
    let client = pool.client.clone();
    client.set("k", "v1", Ttl::Never).await.expect("stored");
    pool.servers[0].crash();
    // Whoever finds it out may hear of it, or be served by the gutter already.
    assert!(!matches!(client.get("k").await, Ok(Some(_))));
    pool.states
        .wait_for(&pool.servers[0], NodeState::Down)
        .await;
    assert_eq!(client.get("k").await, Ok(None));
    client.set("k", "v2", Ttl::Never).await.expect("stored");
    assert_eq!(pool.get("k").await.as_deref(), Some(&b"v2"[..]));
    assert!(client.incr("k", 1).await.is_err(), "counts do not fork");
    pool.servers[0].restart();
    pool.states.wait_for(&pool.servers[0], NodeState::Up).await;
    assert_eq!(pool.get("k").await, None);
    let beside = Client::builder().nodes([gutter.node()]);
    let beside = beside.timeout(PATIENCE).connect_timeout(PATIENCE);
    let beside = beside.build().expect("a client");
    assert_eq!(beside.get("k").await, Ok(None), "no copy for a later time");
}

#[tokio::test]
async fn a_node_that_has_enough_to_do_is_not_asked() {
    let pool = pool(Kind::Larderd, 1, |builder| {
        builder.in_flight_max(2).timeout(WAIT)
    });
    pool.set("a", "1").await;
    pool.servers[0].pause();
    let calls: Vec<_> = (0..5)
        .map(|_| {
            let client = pool.client.clone();
            tokio::spawn(async move { client.get("a").await })
        })
        .collect();
    let mut refused = 0;
    for call in calls {
        let result = call.await.expect("no panic");
        refused += usize::from(matches!(result, Err(Error::Busy { .. })));
    }
    assert_eq!(refused, 3);
    pool.servers[0].resume();
    assert!(pool.get("a").await.is_some());
}

#[tokio::test]
async fn replicas_lose_nothing_with_a_node() {
    let mut near = pool(Kind::Larderd, 1, |builder| builder.timeout(PATIENCE));
    let far = pool(Kind::Larderd, 1, |builder| builder.timeout(PATIENCE));
    let both = Replicas::new(near.client.clone(), [far.client.clone()]);
    let data = async |key: &str| both.get(key).await.map(|found| found.map(|v| v.data));
    both.set("a", "1", Ttl::Never).await.expect("set");
    for pool in [&near, &far] {
        assert_eq!(pool.get("a").await.as_deref(), Some(&b"1"[..]));
    }
    near.servers[0].crash();
    assert_eq!(data("a").await, Ok(Some("1".into())), "the other has it");
    assert_eq!(data("b").await, Ok(None), "the other can tell");
    both.set("a", "2", Ttl::Never).await.expect("one took it");
    assert!(both.delete("b").await.is_err(), "not deleted everywhere");
    near.servers[0].restart();
    near.states.wait_for(&near.servers[0], NodeState::Up).await;
    assert_eq!(data("a").await, Ok(Some("2".into())));
    assert_eq!(both.delete("a").await, Ok(true));
    assert_eq!(data("a").await, Ok(None));
}
