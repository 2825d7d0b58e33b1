//! Rows of statistics: the names and their order, and that those said to be idle are.

use std::time::Duration;

use crate::names::{STATISTICS, rows_of};
use crate::report;
use crate::support::{Frame, HEADER_LEN, Server, wait_until};
use crate::table::{Table, Verdict};

/// A larderd with one item, so that every group has rows.
fn larderd(options: &[&str]) -> Server {
    let server = Server::larderd(&[&["-t", "2"], options].concat());
    assert_eq!(server.connect().set("key", b"value"), "STORED");
    server
}

/// The rows of a group, their names without the number of the class or descriptor. Of several connections, the last.
fn rows(server: &Server, command: &str) -> Vec<(String, String)> {
    let group = command.strip_prefix("stats").unwrap_or(command).trim();
    let mut rows = server.connect().stats(group);
    for (name, _) in &mut rows {
        let at = name.rfind(':').map_or(0, |colon| colon + 1);
        name.drain(..at);
    }
    let first = rows.first().map(|(name, _)| name.clone());
    let from = rows
        .iter()
        .rposition(|(name, _)| Some(name) == first.as_ref());
    rows.split_off(from.unwrap_or(0))
}

/// The names that a larderd with this option of `-o` is to show, in order.
fn expected(table: &Table, command: &str, all: &str, option: Option<&str>) -> Vec<String> {
    let rows = all.split_whitespace();
    let shown = rows.filter_map(|row| match row.split_once('?') {
        None => Some(row),
        Some((name, needed)) => (option == Some(needed)).then_some(name),
    });
    let served = |name: &&str| table.verdict(&rows_of(command), name).is_served();
    shown.filter(served).map(str::to_owned).collect()
}

#[test]
fn rows_stand_in_memcacheds_order() {
    let table = Table::read();
    for option in [None, Some("idle_timeout=30"), Some("temporary_ttl=30")] {
        let server = match option {
            None => larderd(&[]),
            Some(option) => larderd(&["-o", option]),
        };
        for (command, all) in STATISTICS {
            let rows = rows(&server, command);
            let names: Vec<_> = rows.into_iter().map(|(name, _)| name).collect();
            assert_eq!(
                names,
                expected(&table, command, all, option),
                "{command} with {option:?}"
            );
        }
    }
}

/// Traffic that makes every counter go up that goes up at all: look-ups, meta commands, touches, numbers, binary frames,
/// items that are evicted, that expire and that a crawl takes back, pages that move, watchers.
fn traffic(server: &Server) {
    let mut watcher = server.connect();
    assert_eq!(watcher.ask("watch fetchers mutations evictions"), "OK");
    let mut conn = server.connect();
    for (count, size) in [(30_000, 200), (6_000, 3_000), (30, 400_000)] {
        for number in 0..count {
            let key = format!("key{}", number % 20_000);
            let value = "v".repeat(size);
            let lines = format!(
                "ms {key} {size} T{}\r\n{value}\r\nget {key} none\r\nmg {key} v q\r\ntouch {key} 100\r\n",
                number % 3
            );
            conn.send(lines.as_bytes());
            conn.until(b"TOUCHED\r\n");
        }
    }
    for line in [
        "set n 0 0 1\r\n5\r\nincr n 1\r\ndecr n 1\r\ngat 10 n\r\nincr none 1\r\ndecr none 1\r\n",
        "cas n 0 0 1 1\r\n5\r\ncas none 0 0 1 1\r\n5\r\ndelete n\r\ndelete n\r\ntouch none 1\r\n",
        "ma n N0\r\nmd n I\r\nme n\r\nlru tune 10 20 0.1 2\r\nslabs reassign -1 1\r\nlru_crawler crawl all\r\n",
    ] {
        conn.send(format!("{line}mn\r\n").as_bytes());
        conn.until(b"MN\r\n");
    }
    let mut binary = server.connect();
    binary.send(&[Frame::bare(0x0a).bytes(), Frame::bare(0x7f).bytes()].concat());
    binary.exactly(2 * HEADER_LEN);
    let counted = [
        "evictions",
        "get_hits",
        "touch_hits",
        "cmd_meta",
        "lru_crawler_starts",
    ];
    wait_until(Duration::from_secs(20), "the crawl to end", || {
        conn.stat("lru_crawler_running") == 0
    });
    for name in counted {
        assert!(conn.stat(name) > 0, "{name}");
    }
}

#[test]
fn idle_rows_are_idle() {
    let table = Table::read();
    let server = larderd(&["-m", "8"]);
    traffic(&server);
    let mut faults = Vec::new();
    for (command, _) in STATISTICS {
        // Of every class, that is, and of every connection.
        let group = command.strip_prefix("stats").unwrap_or(command).trim();
        for (name, value) in server.connect().stats(group) {
            let name = name.rsplit(':').next().unwrap_or_default();
            let idle = table.verdict(&rows_of(command), name) == Verdict::Idle;
            if idle && !["0", "none"].contains(&value.as_str()) {
                faults.push(format!("{command}: {name} is {value}"));
            }
        }
    }
    report(&faults);
}
