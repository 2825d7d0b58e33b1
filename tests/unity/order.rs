//! Commands on one key from many connections and in all protocols, with more workers than cores: each connection's take
//! effect in its order, and nobody sees a value older than one that was acknowledged before he asked.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;

use crate::speaker::{PROTOCOLS, Protocol, Speaker, Swapped};
use crate::support::{Server, one_at_a_time};

/// More workers than any machine here has cores, so that the owner of a taken shard is often not running.
const ARGS: &[&str] = &["-m", "64", "-t", "8"];

/// Runs the same work on several connections of each protocol at once, each on a thread of its own.
fn at_once(server: &Server, each: usize, work: impl Fn(usize, Speaker) + Sync) {
    thread::scope(|scope| {
        for id in 0..each * PROTOCOLS.len() {
            let speaker = Speaker::new(server, PROTOCOLS[id % PROTOCOLS.len()]);
            let work = &work;
            scope.spawn(move || work(id, speaker));
        }
    });
}

/// A pipeline on a connection's own keys, and on a key of all: each fetch shows what was stored just before it.
#[test]
fn a_pipeline_is_carried_out_in_its_order() {
    let _turn = one_at_a_time();
    let server = Server::larderd(ARGS);
    at_once(&server, 3, |id, mut speaker| {
        for round in 0..150_u64 {
            let mut pipeline = Vec::new();
            let key = |at: u64| format!("own{id}:{at}");
            for at in 0..16 {
                let number = (round * 100 + at).to_string();
                pipeline.extend(speaker.set_bytes(&key(at), id as u32, 0, number.as_bytes()));
                pipeline.extend(speaker.incr_bytes(&key(at), 7));
                pipeline.extend(speaker.set_bytes("hot", 0, 0, b"x"));
                pipeline.extend(speaker.append_bytes(&key(at), b"!"));
                pipeline.extend(speaker.get_bytes(&key(at)));
            }
            speaker.conn.send(&pipeline);
            for at in 0..16 {
                let number = round * 100 + at;
                assert!(speaker.stored());
                assert_eq!(speaker.counted(), Some(number + 7));
                assert!(speaker.stored() && speaker.stored());
                let item = speaker.fetched().expect("its own item");
                let right = format!("{}!", number + 7);
                assert_eq!(String::from_utf8_lossy(&item.value), right);
                assert_eq!(item.flags, id as u32);
            }
        }
    });
}

/// All count the same keys up: nothing is lost, and on each connection the numbers only rise.
#[test]
fn counters_lose_nothing() {
    let _turn = one_at_a_time();
    let server = Server::larderd(ARGS);
    const ROUNDS: usize = 150;
    const EACH: usize = 3;
    let mut text = Speaker::new(&server, Protocol::Text);
    for key in ["hot0", "hot1"] {
        text.set(key, 0, 0, b"0");
    }
    at_once(&server, EACH, |_, mut speaker| {
        let mut last = [0; 2];
        for _ in 0..ROUNDS {
            let step = [speaker.incr_bytes("hot0", 1), speaker.incr_bytes("hot1", 2)];
            speaker.conn.send(&step.concat().repeat(16));
            for at in 0..32 {
                let number = speaker.counted().expect("a number");
                assert!(number > last[at % 2], "a counter went back");
                last[at % 2] = number;
            }
        }
    });
    let total = (EACH * PROTOCOLS.len() * ROUNDS * 16) as u64;
    for (key, step) in [("hot0", 1), ("hot1", 2)] {
        assert_eq!(text.incr(key, 0), Some(total * step), "{key}");
    }
}

/// Who swaps in any protocol swaps what he has seen, and nobody's swap is lost.
#[test]
fn swaps_lose_nothing() {
    let _turn = one_at_a_time();
    let server = Server::larderd(ARGS);
    const WINS: u64 = 100;
    const EACH: usize = 2;
    let mut text = Speaker::new(&server, Protocol::Text);
    text.set("sum", 0, 0, b"0");
    at_once(&server, EACH, |_, mut speaker| {
        let mut wins = 0;
        while wins < WINS {
            let item = speaker.get("sum").expect("always there");
            let sum: u64 = String::from_utf8_lossy(&item.value).parse().expect("a sum");
            let next = (sum + 1).to_string();
            let swapped = speaker.cas("sum", 0, next.as_bytes(), item.cas);
            wins += u64::from(swapped == Swapped::Stored);
        }
    });
    let total = WINS * (EACH * PROTOCOLS.len()) as u64;
    assert_eq!(text.incr("sum", 0), Some(total));
}

/// What was acknowledged to one connection is seen by all others from then on, in every protocol.
#[test]
fn nobody_sees_what_is_out_of_date() {
    let _turn = one_at_a_time();
    let server = Server::larderd(ARGS);
    Speaker::new(&server, Protocol::Text).set("version", 0, 0, b"0");
    let acknowledged = AtomicU64::new(0);
    const ROUNDS: usize = 800;
    at_once(&server, 3, |id, mut speaker| {
        // Of each protocol one connection counts, and two look.
        if id < PROTOCOLS.len() {
            for _ in 0..ROUNDS {
                let number = speaker.incr("version", 1).expect("a number");
                acknowledged.fetch_max(number, SeqCst);
            }
            return;
        }
        for _ in 0..ROUNDS {
            let least = acknowledged.load(SeqCst);
            let item = speaker.get("version").expect("always there");
            let seen: u64 = String::from_utf8_lossy(&item.value)
                .parse()
                .expect("a number");
            assert!(seen >= least, "{seen} was read after {least} was told");
        }
    });
}
