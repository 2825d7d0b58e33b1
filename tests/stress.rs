//! Many connections on few hot keys, with more workers than cores: incr, cas and append lose nothing, and a pipelined
//! get sees the set before it on its own connection.

mod support;

use std::collections::HashSet;
use std::thread;

use support::{Conn, Server, one_at_a_time};

/// More workers than any machine here has cores, so that the owner of a taken shard is often not running.
const ARGS: &[&str] = &["-m", "64", "-t", "8"];
const THREADS: usize = 8;

/// Runs the same work on several connections at once, each on a thread of its own.
fn at_once(server: &Server, work: impl Fn(usize, Conn) + Sync) {
    thread::scope(|scope| {
        for id in 0..THREADS {
            let conn = server.connect();
            let work = &work;
            scope.spawn(move || work(id, conn));
        }
    });
}

#[test]
fn incr_loses_nothing() {
    let _turn = one_at_a_time();
    let server = Server::larderd(ARGS);
    let mut conn = server.connect();
    for key in ["hot0", "hot1", "hot2"] {
        assert_eq!(conn.set(key, b"0"), "STORED");
    }
    const ROUNDS: usize = 300;
    at_once(&server, |_, mut conn| {
        for round in 0..ROUNDS {
            // A pipeline, so that several connections really meet; every reply is a number that only grows.
            conn.send(
                "incr hot0 1\r\nincr hot1 2\r\nincr hot2 3 noreply\r\n"
                    .repeat(16)
                    .as_bytes(),
            );
            let mut last = [0u64; 2];
            for i in 0..32 {
                let number: u64 = conn
                    .line()
                    .parse()
                    .unwrap_or_else(|_| panic!("a number in round {round}"));
                assert!(number > last[i % 2], "a counter went back");
                last[i % 2] = number;
            }
        }
    });
    let total = THREADS * ROUNDS * 16;
    for (key, step) in [("hot0", 1), ("hot1", 2), ("hot2", 3)] {
        let value = String::from_utf8(conn.get(key).expect("a counter")).expect("text");
        assert_eq!(value, (total * step).to_string(), "{key}");
    }
}

#[test]
fn cas_loses_nothing() {
    let _turn = one_at_a_time();
    let server = Server::larderd(ARGS);
    assert_eq!(server.connect().set("sum", b"0"), "STORED");
    const WINS: usize = 300;
    at_once(&server, |_, mut conn| {
        let mut wins = 0;
        while wins < WINS {
            let (cas, value) = conn.gets("sum").expect("always there");
            let next = (String::from_utf8_lossy(&value)
                .parse::<u64>()
                .expect("a number")
                + 1)
            .to_string();
            conn.send(format!("cas sum 0 0 {} {cas}\r\n{next}\r\n", next.len()).as_bytes());
            match conn.line().as_str() {
                "STORED" => wins += 1,
                "EXISTS" => {}
                other => panic!("{other}"),
            }
        }
    });
    let sum = server.connect().get("sum").expect("the sum");
    assert_eq!(sum, (THREADS * WINS).to_string().into_bytes());
}

#[test]
fn append_and_prepend_lose_nothing() {
    let _turn = one_at_a_time();
    let server = Server::larderd(ARGS);
    assert_eq!(server.connect().set("list", b"|"), "STORED");
    const WORDS: usize = 1000;
    at_once(&server, |id, mut conn| {
        let verb = if id % 2 == 0 { "append" } else { "prepend" };
        for some in (0..WORDS).collect::<Vec<_>>().chunks(20) {
            for i in some {
                let word = format!("<{id}.{i}>");
                conn.send(format!("{verb} list 0 0 {}\r\n{word}\r\n", word.len()).as_bytes());
            }
            for _ in some {
                assert_eq!(conn.line(), "STORED");
            }
        }
    });
    let list = String::from_utf8(server.connect().get("list").expect("the list")).expect("text");
    let words: Vec<&str> = list
        .split(['<', '>', '|'])
        .filter(|word| !word.is_empty())
        .collect();
    assert_eq!(words.len(), THREADS * WORDS, "every word once");
    assert_eq!(
        words.iter().collect::<HashSet<_>>().len(),
        THREADS * WORDS,
        "no word twice"
    );
    for id in 0..THREADS {
        let mine = words
            .iter()
            .filter_map(|word| word.strip_prefix(&format!("{id}.")));
        let numbers: Vec<usize> = mine.map(|n| n.parse().expect("a number")).collect();
        let ordered = if id % 2 == 0 {
            numbers.is_sorted()
        } else {
            numbers.iter().rev().is_sorted()
        };
        assert!(
            ordered,
            "the words of connection {id} stand in the order they were sent in"
        );
    }
}

/// add lets exactly one in, delete takes exactly one out: a lock as users build it.
#[test]
fn add_and_delete_make_a_lock() {
    let _turn = one_at_a_time();
    let server = Server::larderd(ARGS);
    assert_eq!(server.connect().set("guarded", b"0"), "STORED");
    const WINS: usize = 100;
    at_once(&server, |_, mut conn| {
        let mut wins = 0;
        while wins < WINS {
            conn.send(b"add lock 0 30 1\r\n1\r\n");
            if conn.line() != "STORED" {
                thread::yield_now();
                continue;
            }
            // Not atomic, and therefore in need of the lock.
            let value = String::from_utf8(conn.get("guarded").expect("there")).expect("text");
            let next = value.parse::<u64>().expect("a number") + 1;
            assert_eq!(conn.set("guarded", next.to_string().as_bytes()), "STORED");
            assert_eq!(conn.ask("delete lock"), "DELETED");
            wins += 1;
        }
    });
    let guarded = server.connect().get("guarded").expect("there");
    assert_eq!(guarded, (THREADS * WINS).to_string().into_bytes());
}

/// Keys of every shard, noreply sets among them, and the hot key of all: each get shows what was set before it.
#[test]
fn a_pipelined_get_sees_the_set_before_it() {
    let _turn = one_at_a_time();
    let server = Server::larderd(ARGS);
    at_once(&server, |id, mut conn| {
        for round in 0..400 {
            let mut pipeline = String::new();
            for i in 0..16 {
                let value = format!("{round}.{i}");
                let quiet = if i % 2 == 0 { " noreply" } else { "" };
                pipeline += &format!("set own{id}:{i} 0 0 {}{quiet}\r\n{value}\r\n", value.len());
                pipeline += &format!("set hot 0 0 1 noreply\r\nx\r\nget own{id}:{i} hot\r\n");
            }
            conn.send(pipeline.as_bytes());
            for i in 0..16 {
                if i % 2 == 1 {
                    assert_eq!(conn.line(), "STORED");
                }
                let (_, own) = conn.value_of_reply().expect("its own value");
                assert_eq!(
                    own,
                    format!("{round}.{i}").into_bytes(),
                    "the set before this get"
                );
                let (_, hot) = conn.value_of_reply().expect("the hot value");
                assert_eq!(hot, b"x");
                assert_eq!(conn.line(), "END");
            }
        }
    });
}
