//! The pool in memory behaves as real ones do: the same tests, and each fault as it is met in production.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_client::{
    CallOutcome, Client, Error, Fake, FakeFault, Fetch, NodeSpec, NodeState, Observer, Ttl,
};
use tokio::time::timeout;

use crate::server::PATIENCE;
use crate::verbs::one_key_of;

fn fake() -> Fake {
    let node = |name: &str| -> NodeSpec { name.parse().expect("a node") };
    Fake::new(["a", "b;weight=2", "c:1;name=sea"].map(node))
}

fn patient(fake: &Fake) -> Client {
    let builder = fake.builder().timeout(PATIENCE).connect_timeout(PATIENCE);
    builder.build().expect("a client")
}

#[tokio::test]
async fn verbs() {
    let fake = fake();
    let client = patient(&fake);
    one_key_of(&client).await.expect("verbs work");
    let big = vec![b'x'; 1 << 20];
    let keys: Vec<String> = (0..50).map(|i| format!("key:{i}")).collect();
    let set = client.set_many(keys.iter().map(|key| (key, &big)), Ttl::Never);
    assert_eq!(set.await.errors().count(), 0);
    let got = client.get_many(&keys).await;
    assert!(got.found().all(|(_, found)| found.data == big));
    assert_eq!(got.found().count(), 50);
    for (node, version) in client.versions().await {
        assert_eq!(version.as_deref(), Ok("1.6.45"), "{node}");
    }
    assert!(client.stats("").await.iter().all(|(_, rows)| rows.is_ok()));
    assert!(client.flush().await.iter().all(|(_, done)| done.is_ok()));
    assert_eq!(client.get("key:1").await, Ok(None));
}

#[tokio::test]
async fn its_clock_is_advanced() {
    let hour = Duration::from_secs(60 * 60);
    // Relative on the wire, and a Unix time.
    for time in [24 * hour, 31 * 24 * hour] {
        let fake = fake();
        let client = patient(&fake);
        client.set("k", "v", Ttl::After(time)).await.expect("set");
        fake.advance(time - hour);
        assert!(client.get("k").await.expect("get").is_some());
        fake.advance(2 * hour);
        assert_eq!(client.get("k").await, Ok(None));
    }
}

#[tokio::test]
async fn stale_values_while_one_loads() {
    let fake = fake();
    let [first, second] = [patient(&fake), patient(&fake)];
    let how = Fetch::ttl(Ttl::secs(60)).stale_for(Duration::from_secs(30));
    let load = |value: &'static str| move || async move { Ok::<_, Error>(value) };
    let found = first.fetch("k", &how, load("one")).await;
    assert_eq!(found.expect("loaded"), "one");
    fake.advance(Duration::from_secs(61));
    let found = first.fetch("k", &how, || async {
        let meanwhile = second.fetch("k", &how, load("never")).await;
        assert_eq!(meanwhile.expect("stale"), "one");
        Ok::<_, Error>("two")
    });
    assert_eq!(found.await.expect("renewed"), "two");
    fake.advance(Duration::from_secs(91));
    let found = second.fetch("k", &how, load("three")).await;
    assert_eq!(found.expect("loaded"), "three");
}

/// How often each verb ended how on each node, and the nodes' states.
#[derive(Default)]
struct Metrics {
    calls: Mutex<BTreeMap<(String, &'static str), [u32; 3]>>,
    states: Mutex<Vec<(String, NodeState)>>,
}

impl Observer for Metrics {
    fn call(&self, node: &str, verb: &'static str, outcome: CallOutcome, _elapsed: Duration) {
        let mut calls = self.calls.lock().expect("calls");
        let counts = calls.entry((node.to_owned(), verb)).or_default();
        let outcomes = [CallOutcome::Hit, CallOutcome::Miss, CallOutcome::Error];
        let index = outcomes.iter().position(|known| *known == outcome);
        counts[index.expect("a known outcome")] += 1;
    }

    fn node_state(&self, node: &str, state: NodeState) {
        let mut states = self.states.lock().expect("states");
        states.push((node.to_owned(), state));
    }
}

#[tokio::test]
async fn faults_are_what_they_are_in_production() {
    let fake = fake();
    let metrics = Arc::new(Metrics::default());
    let builder = fake.builder().observer(Arc::clone(&metrics) as _);
    let builder = builder.probe_waits(Duration::from_millis(1), Duration::from_millis(1));
    let builder = builder.settle(Duration::from_millis(1));
    let client = builder.timeout(Duration::from_secs(1)).build();
    let client = client.expect("a client");
    let node = client.node_for("k");
    served(&client, Some("v1")).await;

    fake.hurt(&node, FakeFault::Answers("out of memory\r\nEND".to_owned()));
    let error = client.get("k").await.expect_err("refused").to_string();
    assert_eq!(
        error,
        format!("{node} answered: SERVER_ERROR out of memory  END")
    );
    fake.heal(&node);

    fake.hurt(&node, FakeFault::LosesReplies);
    let error = client.set("k", "v2", Ttl::Never).await.expect_err("lost");
    assert!(error.maybe_applied(), "{error}");
    fake.heal(&node);
    assert_eq!(served(&client, None).await, None, "in doubt, and deleted");

    served(&client, Some("v3")).await;
    fake.hurt(&node, FakeFault::Hangs);
    let error = client.set("k", "v4", Ttl::Never).await.expect_err("late");
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    fake.heal(&node);
    assert_eq!(served(&client, None).await, None, "neither v3 nor v4");

    fake.hurt(&node, FakeFault::Refuses);
    assert!(client.get("k").await.is_err(), "gone");
    let error = client.get("k").await.expect_err("not asked");
    assert!(matches!(error, Error::NodeDown { .. }), "{error}");
    fake.restart(&node);
    served(&client, Some("v5")).await;

    let calls = metrics.calls.lock().expect("calls").clone();
    assert_eq!(
        calls
            .keys()
            .map(|(of, _)| of)
            .filter(|of| **of != node)
            .count(),
        0
    );
    let [hits, misses, errors] = calls[&(node.clone(), "get")];
    assert!(hits >= 3 && misses >= 2 && errors >= 3, "{calls:?}");
    let [_, _, errors] = calls[&(node.clone(), "set")];
    assert!(errors >= 2, "{calls:?}");
    let states = metrics.states.lock().expect("states");
    for state in [
        NodeState::Suspect,
        NodeState::Down,
        NodeState::Probing,
        NodeState::Up,
    ] {
        assert!(states.contains(&(node.clone(), state)), "{states:?}");
    }
}

#[tokio::test]
async fn a_gutter_among_its_nodes() {
    let fake = Fake::new(["a", "g"].map(|node| node.parse().expect("a node")));
    let [node, gutter] = ["a", "g"].map(|node| node.parse::<NodeSpec>().expect("a node"));
    let builder = fake.builder().nodes([node]);
    let client = builder.gutter([gutter], Duration::from_secs(30)).build();
    let client = client.expect("a client");
    served(&client, Some("v1")).await;
    fake.hurt("a:11211", FakeFault::Refuses);
    assert_eq!(served(&client, None).await, None, "the gutter has nothing");
    served(&client, Some("v2")).await;
    assert_eq!(served(&client, None).await, Some("v2".into()));
    fake.advance(Duration::from_secs(31));
    assert_eq!(
        served(&client, None).await,
        None,
        "it keeps nothing for long"
    );
}

/// Sets "k" if there is a value, and gets it, both as often as it takes.
async fn served(client: &Client, value: Option<&str>) -> Option<bytes::Bytes> {
    let served = async {
        if let Some(value) = value {
            while client.set("k", value, Ttl::Never).await.is_err() {
                tokio::task::yield_now().await;
            }
        }
        loop {
            match client.get("k").await {
                Ok(found) => return found.map(|value| value.data),
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    timeout(PATIENCE, served).await.expect("in time")
}
