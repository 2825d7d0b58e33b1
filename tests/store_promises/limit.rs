//! `-m` is a promise: whatever mix of sizes is stored, resident memory stays within it and a small constant.

use std::thread;

use crate::filler::{CONN_BUFFERS, CONSTANT, Filler};
use crate::support::{MIB, Rng, Server, one_at_a_time};

/// Small items stored at most: more than a large limit holds would only take time.
const SMALL_MAX: u64 = 12_000_000;

/// Stores `volume` bytes of values whose lengths are spread evenly over all orders of magnitude up to `len_max`.
fn fill_mixed(server: &Server, seed: u64, volume: u64, len_max: u64) {
    let mut rng = Rng::new(seed);
    let mut filler = Filler::new(server.connect());
    let mut stored = 0;
    let bits = u64::from(len_max.ilog2());
    while stored < volume {
        let high = 1u64 << rng.below(bits + 1);
        let len = (high + rng.below(high)).min(len_max) as usize;
        filler.set(&format!("mixed:{seed}:{}", rng.below(1 << 40)), len, 0);
        stored += len as u64 + 60;
    }
    filler.flush();
}

fn assert_promise(server: &Server, limit_mib: u64, when: &str) {
    let rss = server.rss();
    let allowed = limit_mib * MIB + CONSTANT + CONN_BUFFERS;
    assert!(
        rss <= allowed,
        "-m {limit_mib} {when}: {} KiB resident, {} allowed",
        rss / 1024,
        allowed / 1024
    );
}

/// Several connections at once, small and large values, until the limit has been passed many times.
fn check(limit_mib: u64, args: &[&str], volume: u64, len_max: u64) {
    let _turn = one_at_a_time();
    let m = limit_mib.to_string();
    let server = Server::larderd(&[&["-m", m.as_str()], args].concat());
    let seed = Rng::seed("the limit");
    thread::scope(|scope| {
        for i in 0..3 {
            let server = &server;
            scope.spawn(move || fill_mixed(server, seed + i, volume / 3, len_max));
        }
    });
    assert_promise(&server, limit_mib, "filled with every size");
    // Small items are dearest in index and headers.
    let mut filler = Filler::new(server.connect());
    for i in 0..(limit_mib * MIB / 40).min(SMALL_MAX) {
        filler.set(&format!("small:{i}"), 1 + (i % 20) as usize, 0);
    }
    filler.flush();
    assert_promise(&server, limit_mib, "filled with small values");
    fill_mixed(&server, seed + 3, volume / 4, len_max);
    assert_promise(&server, limit_mib, "filled with every size again");
    assert!(
        filler.conn().stat("evictions") > 0,
        "it was filled past its limit"
    );
}

#[test]
fn sixty_four_mebibytes_four_workers() {
    check(64, &["-t", "4"], 800 * MIB, MIB - 500);
}

#[test]
fn a_large_limit_two_workers() {
    check(1000, &["-t", "2", "-I", "8m"], 4000 * MIB, 8 * MIB - 500);
}

/// No value can be kept beside another here, and none may fail.
#[test]
fn values_of_half_the_memory() {
    let _turn = one_at_a_time();
    let server = Server::larderd(&["-m", "64", "-t", "4", "-I", "32m"]);
    let mut filler = Filler::new(server.connect());
    for i in 0..20 {
        filler.set(&format!("huge:{i}"), 20 * MIB as usize, 0);
        filler.set(&format!("tiny:{i}"), 20, 0);
    }
    filler.flush();
    assert!(
        filler.live_bytes(std::iter::once("huge:19".to_owned()), 20 * MIB as usize) > 0,
        "the last is there"
    );
    assert_promise(&server, 64, "after values of a third of it");
}
