//! Clients that vanish in the middle of everything, and clients that talk nonsense.

use crate::bystander::Bystander;
use crate::support::{MIB, Rng, Server, one_at_a_time, value};

/// A pipeline with every classic command in it, and both an answered and a quiet form where there are two.
const EVERYTHING: &str = "set a 0 0 3\r\nabc\r\nadd b 0 0 1\r\n1\r\nreplace a 0 0 2\r\nxy\r\nappend a 0 0 1 noreply\r\nz\r\n\
    prepend a 0 0 1\r\nw\r\ncas a 0 0 1 7\r\nq\r\ngets a b\r\ngat 100 a b\r\nincr b 5\r\ndecr b 1 noreply\r\ntouch a 50\r\n\
    delete a\r\nstats\r\nstats items\r\nstats conns\r\nverbosity 0\r\nversion\r\nmn\r\nset big 0 0 5000\r\n";

#[test]
fn one_that_closes_in_the_middle_of_everything() {
    let _turn = one_at_a_time();
    let mut server = Server::larderd(&["-m", "64", "-t", "2"]);
    let before = server.rss();
    let bystander = Bystander::start(&server);
    let everything = [
        EVERYTHING.as_bytes(),
        &value("big", 5000),
        b"\r\nget big\r\n",
    ]
    .concat();
    for len in (1..EVERYTHING.len() + 20).chain([EVERYTHING.len() + 3000, everything.len()]) {
        // Without reading: the server finds the connection gone while it still has something to say.
        server.connect().send(&everything[..len]);
        // Having ended its own half first.
        let mut conn = server.connect();
        conn.send(&everything[..len]);
        conn.finish_sending();
    }
    bystander.finish();
    server.assert_serves("clients that close in the middle");
    assert!(
        server.rss() < before + 16 * MIB,
        "what the vanished left is freed: {} KiB",
        server.rss() / 1024
    );
}

/// Half a large value: what had arrived is given back, again and again.
#[test]
fn one_that_closes_in_the_middle_of_large_values() {
    let _turn = one_at_a_time();
    let mut server = Server::larderd(&["-m", "64", "-t", "2"]);
    let mut other = server.connect();
    assert_eq!(other.set("large", b"old"), "STORED");
    let half = value("large", 500_000);
    for _ in 0..500 {
        let mut conn = server.connect();
        conn.send(b"set large 0 0 1000000\r\n");
        conn.send(&half);
    }
    assert_eq!(
        other.get("large").as_deref(),
        Some(&b"old"[..]),
        "half a value is none"
    );
    assert_eq!(
        other.set("large", &value("large", 1_000_000)),
        "STORED",
        "after 250 MB of halves"
    );
    assert!(
        server.rss() < (64 + 24) * MIB,
        "resident {} KiB",
        server.rss() / 1024
    );
    server.assert_serves("halves of large values");
}

#[test]
fn random_bytes() {
    let _turn = one_at_a_time();
    let mut server = Server::larderd(&["-m", "64", "-t", "2"]);
    let seed = Rng::seed("random_bytes");
    let mut rng = Rng::new(seed);
    let bystander = Bystander::start(&server);
    let commands: Vec<&str> = EVERYTHING.split_inclusive("\r\n").collect();
    for _ in 0..3000 {
        let mut bytes = Vec::new();
        for _ in 0..rng.below(20) {
            let len = rng.below(200) as usize;
            match rng.below(3) {
                0 => bytes.extend(rng.bytes(len)),
                1 => bytes.extend(rng.pick(&commands).bytes()),
                _ => {
                    // A command with one byte changed.
                    let mut broken = rng.pick(&commands).as_bytes().to_vec();
                    let at = rng.below(broken.len() as u64) as usize;
                    broken[at] = rng.next() as u8;
                    bytes.extend(broken);
                }
            }
        }
        server.connect().try_send(&bytes);
    }
    bystander.finish();
    server.assert_serves(&format!("random bytes of SEED={seed}"));
}
