//! Memory that is given back: by items that expire untouched, and when the limit is lowered.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::filler::{CONN_BUFFERS, CONSTANT, Filler};
use crate::support::{MIB, Server, one_at_a_time, wait_until};

/// A request during background work may take this long, on a machine with other work to do.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Sets a flag when it goes, also when a test fails.
struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `work` while another connection stores and reads all the time; the longest that one of its rounds took.
fn under_traffic(server: &Server, work: impl FnOnce()) -> Duration {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let traffic = scope.spawn(|| {
            let mut conn = server.connect();
            let mut longest = Duration::ZERO;
            for i in 0u64.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let began = Instant::now();
                let key = format!("traffic:{}", i % 1000);
                assert_eq!(conn.set(&key, &[b't'; 500]), "STORED");
                assert!(conn.get(&key).is_some(), "what was stored a moment ago");
                longest = longest.max(began.elapsed());
            }
            longest
        });
        {
            let _stop = SetAtEnd(&stop);
            work();
        }
        traffic.join().expect("every answer right")
    })
}

#[test]
fn a_million_expired_items_leave_by_themselves() {
    let _turn = one_at_a_time();
    let server = Server::larderd(&["-m", "300", "-t", "2"]);
    let mut filler = Filler::new(server.connect());
    filler.set("stays", 100, 0);
    filler.flush();
    let empty = server.rss();
    let mut full = empty;
    // Once for good, to know what a million items take; then each anew with two seconds to live.
    for exptime in [0, 2] {
        for i in 0..1_000_000 {
            filler.set(&format!("short-lived:{i}"), 64, exptime);
        }
        filler.flush();
        if exptime == 0 {
            full = server.rss();
        }
    }
    assert!(
        full > empty + 60 * MIB,
        "a million items take {} KiB",
        (full - empty) / 1024
    );

    let longest = under_traffic(&server, || {
        let mut conn = server.connect();
        // The traffic beside has a thousand keys.
        wait_until(Duration::from_secs(20), "curr_items to fall", || {
            conn.stat("curr_items") <= 1010
        });
        wait_until(
            Duration::from_secs(20),
            "the memory to be given back",
            || server.rss() < empty + (full - empty) / 4 + 8 * MIB,
        );
    });
    assert!(longest < ANSWER_MAX, "a request waited {longest:?}");
    assert_eq!(
        filler.conn().stat("evictions"),
        0,
        "they expired and were not evicted"
    );
    assert!(
        filler.conn().get("stays").is_some(),
        "what has no exptime is still there"
    );
}

#[test]
fn a_lower_limit_is_followed_within_ten_seconds() {
    let _turn = one_at_a_time();
    let server = Server::larderd(&["-m", "400", "-t", "2"]);
    let mut filler = Filler::new(server.connect());
    for i in 0..250_000 {
        filler.set(
            &format!("filled:{i}"),
            if i % 100 == 0 { 100_000 } else { 1_000 },
            0,
        );
    }
    filler.flush();
    assert!(
        server.rss() > 350 * MIB,
        "filled to {} KiB",
        server.rss() / 1024
    );

    let longest = under_traffic(&server, || {
        let mut conn = server.connect();
        for lower_mib in [200, 64] {
            assert_eq!(conn.ask(&format!("cache_memlimit {lower_mib}")), "OK");
            assert_eq!(conn.stat("limit_maxbytes"), lower_mib * MIB);
            wait_until(Duration::from_secs(10), "resident memory to follow", || {
                server.rss() <= lower_mib * MIB + CONSTANT + CONN_BUFFERS
            });
        }
    });
    assert!(longest < ANSWER_MAX, "a request waited {longest:?}");
    // And it can be raised again.
    assert_eq!(filler.conn().ask("cache_memlimit 128"), "OK");
    for i in 0..100_000 {
        filler.set(&format!("again:{i}"), 1_000, 0);
    }
    filler.flush();
    assert!(
        server.rss() > 100 * MIB,
        "raised to 128, and {} KiB are used",
        server.rss() / 1024
    );
}
