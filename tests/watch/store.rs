//! Lines about what memcached 1.6.18 does not tell of, or what differs from store to store: deletions, evictions, pages
//! that move; and a watcher at a Unix socket.

use std::time::Duration;

use crate::support::{Server, wait_until};
use crate::watcher::{Watcher, field, number};

#[test]
fn deletions() {
    let server = Server::larderd(&["-m", "64", "-t", "2"]);
    let mut watcher = Watcher::start(&server, "deletions");
    let mut conn = server.connect();
    assert_eq!(
        conn.set("a b".replace(' ', "%").as_str(), b"four"),
        "STORED"
    );
    assert_eq!(conn.ask("delete nothing"), "NOT_FOUND");
    assert_eq!(conn.ask("delete a%b"), "DELETED");
    assert_eq!(conn.ask("delete a%b"), "NOT_FOUND");
    assert_eq!(conn.set("last", b"x"), "STORED");
    assert_eq!(conn.ask("delete last"), "DELETED");
    let lines = watcher.until("last");
    assert_eq!(lines.len(), 2, "{lines:?}");
    let (_, entry) = lines[0].split_once(" type=").expect("a type");
    assert_eq!(entry, "deleted key=a%25b cmd=delete clsid=1 size=4");
}

/// A deletion by `md` is told as such, and none that marks only, and none by a binary frame: as in memcached.
#[test]
fn deletions_in_other_protocols() {
    let server = Server::larderd(&["-m", "64", "-t", "2"]);
    let mut watcher = Watcher::start(&server, "deletions");
    let mut conn = server.connect();
    for key in ["marked", "framed", "last"] {
        assert_eq!(conn.set(key, b"four"), "STORED");
    }
    assert_eq!(conn.ask("md nothing"), "NF");
    assert_eq!(conn.ask("md marked I"), "HD");
    assert_eq!(conn.ask("md marked C1"), "EX");
    conn.send(b"ms YSBi 3 b\r\nabc\r\nmd YSBi b q\r\n");
    assert_eq!(conn.line(), "HD");
    let mut binary = server.connect();
    let frame = b"\x80\x04\0\x06\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0\0\0\0\0\0framed";
    binary.send(frame);
    assert_eq!(binary.exactly(24)[..8], *b"\x81\x04\0\0\0\0\0\0");
    assert_eq!(conn.ask("md last O1"), "HD O1");
    let lines = watcher.until("last");
    let entries = lines
        .iter()
        .map(|line| line.split_once(" type=").expect("a type").1);
    assert_eq!(
        entries.collect::<Vec<_>>(),
        [
            "deleted key=a%20b cmd=md clsid=1 size=3",
            "deleted key=last cmd=md clsid=1 size=4"
        ]
    );
}

/// Every eviction is told, or counted as left out.
#[test]
fn evictions() {
    let server = Server::larderd(&["-m", "8", "-t", "2"]);
    let mut watcher = Watcher::start(&server, "evictions mutations");
    let mut conn = server.connect();
    let value = "v".repeat(1000);
    let mut told = 0;
    for number in 0..12_000 {
        let exptime = if number % 2 == 1 { 1000 } else { 0 };
        conn.send(format!("set key-{number} 0 {exptime} 1000\r\n{value}\r\n").as_bytes());
        assert_eq!(conn.line(), "STORED");
        let lines = watcher.until(&format!("item_store key=key-{number} "));
        told += lines.iter().map(|line| evicted(line)).sum::<u64>();
    }
    let all = conn.stat("evictions");
    assert!(all > 1000);
    // What one shard did for the other's sake is told by its owner within a second.
    wait_until(Duration::from_secs(10), "the rest to be told", || {
        assert_eq!(conn.set("end", b"x"), "STORED");
        let lines = watcher.until("item_store key=end ");
        told += lines.iter().map(|line| evicted(line)).sum::<u64>();
        told == conn.stat("evictions")
    });
}

/// How many evictions a line tells of; fails the test if it is not as it should be.
fn evicted(line: &str) -> u64 {
    if let Some(count) = line.strip_prefix("skipped=") {
        return count.parse().expect("a number");
    }
    if field(line, "type") != "eviction" {
        return 0;
    }
    let key = field(line, "key");
    let odd = key.ends_with(['1', '3', '5', '7', '9']);
    match field(line, "ttl") {
        "-1" => assert!(!odd, "{line}"),
        _ => assert!(odd && (900..=1000).contains(&number(line, "ttl")), "{line}"),
    }
    assert!(
        key.starts_with("key-") && number(line, "clsid") > 1,
        "{line}"
    );
    assert_eq!((field(line, "fetch"), number(line, "size")), ("no", 1000));
    assert!(number(line, "la") < 100, "{line}");
    1
}

#[test]
fn a_page_that_is_asked_for() {
    let server = Server::larderd(&["-m", "64", "-t", "1"]);
    let mut conn = server.connect();
    let value = "v".repeat(100);
    for number in 0..40_000 {
        conn.send(format!("set {number} 0 0 100 noreply\r\n{value}\r\n").as_bytes());
    }
    assert_eq!(conn.ask("mn"), "MN");
    let mut watcher = Watcher::start(&server, "sysevents");
    assert_eq!(conn.ask("slabs reassign -1 1"), "OK");
    let line = watcher.line();
    assert_eq!(
        (field(&line, "type"), field(&line, "dst")),
        ("slab_move", "0")
    );
    assert!(number(&line, "src") > 0, "{line}");
}

#[test]
fn pages_that_move() {
    let server = Server::larderd(&["-m", "8", "-t", "1"]);
    let mut conn = server.connect();
    let mut watcher = Watcher::start(&server, "sysevents");
    // Small values fill it; large ones that go on and on take their pages, when nobody has asked for those for long.
    for (count, size) in [(40_000, 100), (20_000, 2000)] {
        let value = "v".repeat(size);
        for number in 0..count {
            let line = format!("set {size}-{number} 0 0 {size} noreply\r\n{value}\r\n");
            conn.send(line.as_bytes());
        }
    }
    assert_eq!(conn.ask("mn"), "MN");
    assert!(conn.stat("slabs_moved") > 0);
    let line = watcher.line();
    let what = (field(&line, "type"), field(&line, "state"));
    assert_eq!(what, ("slab_move", "ok"));
    assert_ne!(field(&line, "src"), field(&line, "dst"));
}
