//! Calls that are dropped in the middle: whatever reply comes later meets nobody, and every reply that is seen is for the
//! key that was asked.

use std::future::Future;

use larder_client::{Client, Error, Ttl};
use tokio::task::{JoinSet, yield_now};

use crate::server::{Kind, Server};
use crate::verbs::{META, Setup};

/// Calls that are dropped, for each kind of server: a million in all.
const DROPS: u64 = 500_000;
const TASKS: u64 = 32;
const KEYS: u64 = 512;
/// The keys of a call for some.
const SOME: u64 = 5;

/// What was seen.
#[derive(Default)]
struct Seen {
    dropped: u64,
    answered: u64,
    /// The keys of the calls that were answered.
    keys: u64,
    refused: u64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_million_dropped_meta_calls_to_memcached() {
    dropped_calls(META[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_million_dropped_classic_calls_to_larderd() {
    dropped_calls(Setup {
        kind: Kind::Larderd,
        is_classic: true,
    })
    .await;
}

async fn dropped_calls(setup: Setup) {
    let servers: Vec<Server> = (0..2).map(|_| Server::start(setup.kind, &[])).collect();
    let client = setup.client_of(&servers);
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        tasks.spawn(call_and_drop(client.clone(), task));
    }
    let mut all = Seen::default();
    while let Some(seen) = tasks.join_next().await {
        let seen = seen.expect("a task without a fault");
        all.dropped += seen.dropped;
        all.answered += seen.answered;
        all.keys += seen.keys;
        all.refused += seen.refused;
    }
    assert_eq!(all.dropped, DROPS);
    assert!(all.answered > DROPS / 20, "some are awaited");
    // More was carried out than was waited for: the rest are replies that met nobody.
    let unheard = commands(&client).await - all.keys;
    println!(
        "{setup:?}: {DROPS} calls dropped, {} answered, {} refused; {unheard} replies met nobody",
        all.answered, all.refused
    );
    assert!(
        unheard > DROPS / 20,
        "some are dropped after they were sent"
    );
    for key in 0..KEYS {
        check(key, client.get(name(key)).await.expect("still in order"));
    }
    assert!(client.node_states().iter().all(|node| node.in_flight == 0));
}

/// How many commands on keys the servers have carried out.
async fn commands(client: &Client) -> u64 {
    let rows = client.stats("").await.into_iter();
    let rows = rows.flat_map(|(_, rows)| rows.expect("statistics"));
    let counts = rows.filter(|(name, _)| name == "cmd_get" || name == "cmd_set");
    let counts = counts.map(|(_, count)| count.parse::<u64>().expect("a number"));
    counts.sum()
}

async fn call_and_drop(client: Client, task: u64) -> Seen {
    let mut random = task.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut seen = Seen::default();
    while seen.dropped < DROPS / TASKS {
        // xorshift64
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let key = (random >> 8) % KEYS;
        let patience = (random >> 32) % 8;
        let outcome = match random % 4 {
            0 => or_dropped(patience, set(&client, key)).await,
            1 => or_dropped(patience, get_some(&client, key)).await,
            _ => or_dropped(patience, get(&client, key)).await,
        };
        match outcome {
            // More were dropped than the server has answered by now; such a call is not sent.
            Some(Err(Error::Busy { .. })) => {
                seen.refused += 1;
                yield_now().await;
            }
            Some(keys) => {
                seen.keys += keys.expect("nothing else fails here");
                seen.answered += 1;
            }
            None => seen.dropped += 1,
        }
    }
    seen
}

/// The call's result, unless it takes more than some turns of the runtime: then it is dropped where it stands.
async fn or_dropped<T>(turns: u64, call: impl Future<Output = T>) -> Option<T> {
    let patience = async {
        for _ in 0..turns {
            yield_now().await;
        }
    };
    tokio::select! {
        biased;
        result = call => Some(result),
        () = patience => None,
    }
}

fn name(key: u64) -> String {
    format!("key:{key}")
}

/// A value that says whose it is, of a length of its own.
fn value(key: u64) -> String {
    let name = name(key);
    name.repeat(usize::try_from(key % 50 * key % 30 + 1).expect("small"))
}

fn check(key: u64, found: Option<larder_client::Value>) {
    if let Some(found) = found {
        assert!(
            found.data == value(key),
            "{} has {:?}",
            name(key),
            found.data
        );
    }
}

/// The calls, each giving the number of its keys.
async fn set(client: &Client, key: u64) -> Result<u64, Error> {
    let set = client.set(name(key), value(key), Ttl::Never);
    set.await.map(|()| 1)
}

async fn get(client: &Client, key: u64) -> Result<u64, Error> {
    check(key, client.get(name(key)).await?);
    Ok(1)
}

async fn get_some(client: &Client, key: u64) -> Result<u64, Error> {
    let keys: Vec<u64> = (0..SOME).map(|i| (key + i * 7) % KEYS).collect();
    let found = client.get_many(keys.iter().map(|key| name(*key))).await;
    for (key, (_, result)) in keys.iter().zip(found) {
        check(*key, result?);
    }
    Ok(SOME)
}
