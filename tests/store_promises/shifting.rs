//! Traffic that shifts from one size to another: no write fails, and the memory follows.

use crate::filler::{CONN_BUFFERS, CONSTANT, Filler};
use crate::support::{MIB, Server, one_at_a_time};

/// `-m`.
const LIMIT_MIB: u64 = 64;
/// At the end of a stream at least this share of `-m` is its values.
const SHARE_PERCENT: u64 = 60;

/// A stream: its name, how many values, and how long each.
const STREAMS: &[(&str, u64, usize)] = &[
    ("hundred", 900_000, 100),
    ("five-thousand", 60_000, 5_000),
    ("half-million", 1_000, 500_000),
    ("hundred-again", 900_000, 100),
];

fn check(args: &[&str]) {
    let _turn = one_at_a_time();
    let m = LIMIT_MIB.to_string();
    let server = Server::larderd(&[&["-m", m.as_str()], args].concat());
    let mut filler = Filler::new(server.connect());
    for (name, count, len) in STREAMS {
        for i in 0..*count {
            filler.set(&format!("{name}:{i}"), *len, 0);
        }
        let live = filler.live_bytes((0..*count).map(|i| format!("{name}:{i}")), *len);
        let share = live * 100 / (LIMIT_MIB * MIB);
        assert!(
            share >= SHARE_PERCENT,
            "after the stream {name} only {share} % of -m are its values"
        );
        let allowed = LIMIT_MIB * MIB + CONSTANT + CONN_BUFFERS;
        assert!(
            server.rss() <= allowed,
            "after the stream {name}: {} KiB resident",
            server.rss() / 1024
        );
    }
}

#[test]
fn one_worker() {
    check(&["-t", "1"]);
}

#[test]
fn four_workers() {
    check(&["-t", "4"]);
}
