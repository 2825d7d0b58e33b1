//! Watchers that do not read, and many at once beside a load: each line is either received or told as skipped, every
//! command is answered meanwhile, and memory stays bounded.

use std::thread;
use std::time::Duration;

use crate::support::{Ended, MIB, Server, wait_until};
use crate::watcher::Watcher;

/// Lines that a watcher has received, and those it was told that it has lost.
#[derive(Debug, Default)]
struct Account {
    received: u64,
    skipped: u64,
}

/// Reads until a watcher has received, or was told that it lost, as many lines as look-ups were made: `made` before, and
/// one more whenever nothing more comes, since it is told of losses before the next line only. Those are added to `made`.
fn settle(server: &Server, watcher: &mut Watcher, made: &mut u64) -> Account {
    let mut account = Account::default();
    // Of a line whose end has not come.
    let mut begun = Vec::new();
    let mut conn = server.connect();
    watcher.conn.set_limit(Duration::from_millis(300));
    for _ in 0..100 {
        assert_eq!(conn.get("one-more"), None);
        *made += 1;
        while account.received + account.skipped < *made {
            let (bytes, ended) = watcher.conn.try_until(b"\n");
            begun.extend(bytes);
            if ended != Ended::Found {
                break;
            }
            let line = String::from_utf8(std::mem::take(&mut begun)).expect("plain text");
            if let Some(skipped) = line.strip_prefix("skipped=") {
                account.skipped += skipped.trim().parse::<u64>().expect("a number");
            } else {
                assert!(line.starts_with("ts=") && line.contains(" size="), "{line}");
                account.received += 1;
            }
        }
        if account.received + account.skipped >= *made {
            break;
        }
    }
    assert_eq!(
        account.received + account.skipped,
        *made,
        "each line once: {account:?}"
    );
    account
}

/// Gets of a key that is not there, pipelined, so many of them; answered all.
fn load(server: &Server, gets: u64) {
    let mut conn = server.connect();
    let pipeline = "get nothing\r\n".repeat(100);
    for _ in 0..gets / 100 {
        conn.send(pipeline.as_bytes());
        for _ in 0..100 {
            assert_eq!(conn.line(), "END");
        }
    }
}

#[test]
fn a_slow_watcher_loses_lines_and_is_told() {
    let server = Server::larderd(&["-m", "64", "-t", "2"]);
    let mut watcher = Watcher::start(&server, "fetchers");
    load(&server, 1_000);
    let before = server.rss();
    load(&server, 199_000);
    // Nothing was read of the watcher's lines so far, and nobody waited for that: each look-up was answered.
    let mut conn = server.connect();
    assert_eq!(conn.stat("cmd_get"), 200_000);
    let lines_lost = conn.stat("log_worker_dropped") + conn.stat("log_watcher_skipped");
    assert!(lines_lost > 100_000, "{lines_lost} lines lost of 200,000");
    let after = server.rss();
    assert!(
        after < before + 4 * MIB,
        "from {before} to {after} bytes for lines that nobody reads"
    );
    let account = settle(&server, &mut watcher, &mut 200_000);
    assert!(account.skipped > 100_000, "it was slow: {account:?}");
    let written = conn.stat("log_worker_written");
    let lost = conn.stat("log_worker_dropped") + conn.stat("log_watcher_skipped");
    assert_eq!(
        conn.stat("log_watcher_sent") + lost,
        written + conn.stat("log_worker_dropped")
    );
    assert!(lost >= account.skipped);
}

#[test]
fn many_watchers_beside_a_load() {
    let server = Server::larderd(&["-m", "64", "-t", "2"]);
    let mut watchers: Vec<Watcher> = (0..20)
        .map(|_| Watcher::start(&server, "fetchers"))
        .collect();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| load(&server, 5_000));
        }
    });
    let mut made = 20_000;
    for watcher in &mut watchers {
        settle(&server, watcher, &mut made);
    }
    drop(watchers);
    let mut conn = server.connect();
    wait_until(Duration::from_secs(10), "the watchers to leave", || {
        conn.stat("log_watchers") == 0
    });
}
