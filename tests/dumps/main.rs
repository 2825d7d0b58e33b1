//! Dumps and the crawler from outside: what the lines say, that a dump shows each item once beside the traffic, holds
//! little when nobody reads it, and keeps what was sent behind it for later.

#[path = "../support/mod.rs"]
mod support;

mod lists;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use support::{Conn, MIB, Reply, Server, frame, rss, wait_until};

/// Sets that are sent before their replies are read.
const SETS_AT_ONCE: usize = 1_000;

/// Stores `prefix:from` up to `prefix:to`, with a value of 10 bytes.
fn fill(conn: &mut Conn, prefix: &str, from: usize, to: usize) {
    let keys: Vec<usize> = (from..to).collect();
    for some in keys.chunks(SETS_AT_ONCE) {
        let sets: String = some
            .iter()
            .map(|n| format!("set {prefix}:{n} 0 0 10\r\n0123456789\r\n"))
            .collect();
        conn.send(sets.as_bytes());
        let replies = conn.exactly(some.len() * b"STORED\r\n".len());
        assert_eq!(replies, b"STORED\r\n".repeat(some.len()));
    }
}

/// The keys of a `metadump`, its first and last line left out.
fn keys(dump: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(dump);
    let lines = text.lines().filter_map(|line| line.strip_prefix("key="));
    let keys: Vec<String> = lines
        .map(|line| line.split(' ').next().expect("a key").to_owned())
        .collect();
    assert_eq!(keys.len() + 2, text.lines().count(), "OK, the items, END");
    keys
}

fn dump(conn: &mut Conn, which: &str) -> Vec<u8> {
    conn.send(format!("lru_crawler metadump {which}\r\n").as_bytes());
    conn.until(b"END\r\n")
}

#[test]
fn what_the_lines_say() {
    let server = Server::larderd(&["-m", "64", "-t", "3"]);
    let mut conn = server.connect();
    conn.send(
        b"set a%b 7 0 1\r\nx\r\nset soon 0 -1 1\r\nx\r\nset later 0 1000 3\r\nabc\r\nget later\r\n",
    );
    conn.until(b"END\r\n");
    let now = conn.stat("time");
    let dumped = String::from_utf8(dump(&mut conn, "hash")).expect("a text");
    let (mut lines, ended): (Vec<&str>, &str) = (dumped.lines().collect(), "END");
    assert_eq!((lines.remove(0), lines.pop()), ("OK", Some(ended)));
    lines.sort_unstable();
    let [first, second] = lines[..] else {
        panic!("two items live: {dumped}");
    };
    let facts = |line: &str| -> BTreeMap<String, String> {
        assert!(line.ends_with(' '), "memcached's blank: {line:?}");
        let words = line.trim_end().split(' ');
        let pairs = words.map(|word| word.split_once('=').expect("name=value"));
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    };
    let (escaped, later) = (facts(first), facts(second));
    let names = ["cas", "cls", "exp", "fetch", "flags", "key", "la", "size"];
    assert!(escaped.keys().eq(names), "{first}");
    let few = |facts: &BTreeMap<String, String>| {
        ["key", "fetch", "flags"].map(|name| facts[name].clone())
    };
    assert_eq!(few(&escaped), ["a%25b", "no", "7"]);
    assert_eq!(few(&later), ["later", "yes", "0"]);
    assert_eq!(escaped["exp"], "-1");
    let expires: u64 = later["exp"].parse().expect("a second");
    assert!(
        (now + 995..now + 1005).contains(&expires),
        "{expires} at {now}"
    );
    let accessed: u64 = later["la"].parse().expect("a second");
    assert!(
        (now - 5..now + 5).contains(&accessed),
        "{accessed} at {now}"
    );
    assert_eq!(
        conn.gets("later").map(|(cas, _)| cas.to_string()),
        Some(later["cas"].clone())
    );
    assert!(
        dumped.contains(" \nkey=") || dumped.contains(" \nEND\r\n"),
        "a bare line end"
    );

    same_by_class(&mut conn, &later["cls"], expires);
}

/// By class, by keys alone, and by the older listing it is the same.
fn same_by_class(conn: &mut Conn, class: &str, expires: u64) {
    let by_class = String::from_utf8(dump(conn, class)).expect("a text");
    assert!(by_class.contains("key=later "), "{by_class}");
    conn.send(format!("stats cachedump {class} 0\r\n").as_bytes());
    let listed = String::from_utf8(conn.until(b"END\r\n")).expect("a text");
    assert!(
        listed.contains(&format!("ITEM later [3 b; {expires} s]\r\n")),
        "{listed}"
    );
    assert_eq!(keys(by_class.as_bytes()).len(), listed.lines().count() - 1);

    conn.send(b"lru_crawler mgdump all\r\n");
    let commands = String::from_utf8(conn.until(b"EN\r\n")).expect("a text");
    let mut commands: Vec<&str> = commands.split("\r\n").collect();
    commands.sort_unstable();
    assert_eq!(commands, ["", "EN", "OK", "mg a%b", "mg later"]);
    assert_eq!(conn.ask("flush_all"), "OK");
    assert_eq!(dump(conn, "hash"), b"OK\r\nEND\r\n");
}

#[test]
fn beside_the_traffic_each_item_once() {
    const STAYING: usize = 200_000;
    let server = Server::larderd(&["-m", "256", "-t", "3"]);
    let mut traffic = server.connect();
    fill(&mut traffic, "stays", 0, STAYING);
    for which in ["hash", "all"] {
        let mut dumper = server.connect();
        dumper.send(format!("lru_crawler metadump {which}\r\n").as_bytes());
        // The index grows and items are written anew while the dump goes on, as slowly as it is read here.
        let mut dumped = dumper.exactly(64 * 1024);
        fill(&mut traffic, which, 0, 100_000);
        if which == "hash" {
            fill(&mut traffic, "stays", 0, 50_000);
        }
        dumped.extend(dumper.until(b"END\r\n"));
        let mut stayed: Vec<String> = keys(&dumped)
            .into_iter()
            .filter(|key| key.starts_with("stays"))
            .collect();
        stayed.sort_unstable();
        let met = stayed.len();
        stayed.dedup();
        assert_eq!((met, stayed.len()), (STAYING, STAYING), "{which}");
    }
}

#[test]
fn what_is_behind_a_dump_waits() {
    let server = Server::larderd(&["-m", "64", "-t", "2"]);
    let mut conn = server.connect();
    fill(&mut conn, "k", 0, 20_000);
    conn.send(b"lru_crawler mgdump hash\r\nget k:7\r\nset k:8 0 0 1\r\nx\r\nmn\r\n");
    let all = conn.until(b"MN\r\n");
    let text = String::from_utf8(all).expect("a text");
    let (dumped, behind) = text.split_once("EN\r\n").expect("the dump's end");
    assert_eq!(dumped.lines().count(), 20_001);
    assert_eq!(
        behind,
        "VALUE k:7 0 10\r\n0123456789\r\nEND\r\nSTORED\r\nMN\r\n"
    );
    // A dump whose client goes away leaves nothing behind.
    conn.send(b"lru_crawler metadump all\r\n");
    conn.exactly(1_000);
    drop(conn);
    let mut other = server.connect();
    wait_until(
        Duration::from_secs(10),
        "the connection to be closed",
        || other.stat("curr_connections") == 1,
    );
}

#[test]
fn nobody_reads() {
    let server = Server::larderd(&["-m", "256", "-t", "2"]);
    let mut traffic = server.connect();
    fill(&mut traffic, "k", 0, 300_000);
    let before = rss(server.pid());
    let mut dumpers: Vec<Conn> = (0..20).map(|_| server.connect()).collect();
    let mut begun = Vec::new();
    for dumper in &mut dumpers {
        dumper.send(b"lru_crawler metadump hash\r\n");
        begun = dumper.exactly(1_000);
    }
    // A second passes in the server, by its own clock.
    let begin = traffic.stat("uptime");
    wait_until(Duration::from_secs(10), "two seconds of uptime", || {
        assert!(traffic.get("k:1").is_some());
        traffic.stat("uptime") >= begin + 2
    });
    let grown = rss(server.pid()).saturating_sub(before);
    assert!(
        grown < 20 * MIB / 4,
        "20 dumps that nobody reads took {grown} bytes"
    );
    // Each of them goes on when its client does.
    let last = dumpers.last_mut().expect("20 of them");
    begun.extend(last.until(b"END\r\n"));
    let all = keys(&begun);
    let different: BTreeSet<&String> = all.iter().collect();
    assert_eq!((all.len(), different.len()), (300_000, 300_000));
}

#[test]
fn a_crawl_that_is_asked_for() {
    let server = Server::larderd(&["-m", "64", "-t", "2"]);
    let mut conn = server.connect();
    fill(&mut conn, "k", 0, 5_000);
    let checked = |conn: &mut Conn| conn.stat("crawler_items_checked");
    assert_eq!(
        (checked(&mut conn), conn.stat("lru_crawler_starts")),
        (0, 0)
    );
    assert_eq!(conn.ask("lru_crawler crawl all"), "OK");
    wait_until(Duration::from_secs(10), "the crawl to end", || {
        conn.stat("lru_crawler_running") == 0
    });
    assert_eq!(
        (checked(&mut conn), conn.stat("lru_crawler_starts")),
        (5_000, 2)
    );
    conn.send(b"set gone 0 1 1\r\nx\r\n");
    conn.line();
    wait_until(Duration::from_secs(10), "the item to be taken back", || {
        conn.stat("crawler_reclaimed") == 1
    });
    assert_eq!(conn.stat("curr_items"), 5_000);
}

#[test]
fn a_page_that_is_moved() {
    let server = Server::larderd(&["-m", "64", "-t", "2"]);
    let mut conn = server.connect();
    fill(&mut conn, "k", 0, 20_000);
    let slabs = conn.stats("slabs");
    let pages = |rows: &[(String, String)]| -> (String, u64) {
        let all = rows.iter().filter_map(|(name, value)| {
            Some((
                name.strip_suffix(":total_pages")?,
                value.parse::<u64>().ok()?,
            ))
        });
        let (class, pages) = all.max_by_key(|(_, pages)| *pages).expect("a class");
        (class.to_owned(), pages)
    };
    let (class, before) = pages(&slabs);
    assert_eq!(conn.ask(&format!("slabs reassign {class} 1")), "OK");
    assert_eq!(conn.stat("slabs_moved"), 1);
    assert_eq!(pages(&conn.stats("slabs")), (class, before - 1));
    assert_eq!(conn.ask("slabs reassign -1 1"), "OK");
    assert_eq!(
        conn.ask("slabs reassign 50 1"),
        "NOSPARE source class has no spare pages"
    );
    assert_eq!(
        conn.ask("slabs reassign 0 1"),
        "OK",
        "a page without a class"
    );

    let server = Server::larderd(&["-m", "64", "-t", "2", "-M"]);
    let mut conn = server.connect();
    fill(&mut conn, "k", 0, 20_000);
    assert!(
        conn.ask("slabs reassign -1 1").starts_with("BUSY"),
        "items must not be evicted"
    );
    assert_eq!(conn.stat("curr_items"), 20_000);
}

#[test]
fn keys_that_no_line_can_hold() {
    let server = Server::larderd(&["-m", "64", "-t", "1"]);
    let mut conn = server.connect();
    // A frame may name any key: set, with flags and a time, and no value.
    let key = b"a b\r\nEN";
    let mut framed = server.connect();
    framed.send(&frame(0x01, 0, &[0; 8], key, b""));
    let reply = Reply::read(&mut framed);
    assert_eq!((reply.opcode, reply.status), (0x01, 0));
    assert!(reply.extras.is_empty() && reply.key.is_empty());
    conn.send(b"lru_crawler mgdump all\r\n");
    assert_eq!(conn.until(b"EN\r\n"), b"OK\r\nmg YSBiDQpFTg== b\r\nEN\r\n");
    assert_eq!(conn.ask("mg YSBiDQpFTg== b s"), "HD s0");
    for line in ["metadump", "mgdump", "crawl"] {
        let none = conn.ask(&format!("lru_crawler {line} ,"));
        assert_eq!(none, "NOTSTARTED no items to crawl");
    }
}

#[test]
fn options_that_forbid() {
    let server = Server::larderd(&["-X", "-o", "no_slab_reassign,no_lru_maintainer"]);
    let mut conn = server.connect();
    for (line, expected) in [
        ("lru_crawler metadump all", "ERROR metadump not allowed"),
        ("lru_crawler mgdump 1", "ERROR key dump not allowed"),
        ("lru_crawler metadump 64", "ERROR metadump not allowed"),
        (
            "stats cachedump 1 0",
            "CLIENT_ERROR stats cachedump not allowed",
        ),
        ("stats detail on", "CLIENT_ERROR stats detail not allowed"),
        (
            "slabs reassign 1 2",
            "CLIENT_ERROR slab reassignment disabled",
        ),
        ("slabs reassign x", "ERROR"),
        (
            "slabs reassign x y",
            "CLIENT_ERROR slab reassignment disabled",
        ),
        ("lru mode flat", "ERROR"),
        ("lru temp_ttl 5", "ERROR"),
        ("lru tune 1 2 0.5 3", "OK"),
        ("lru_crawler crawl all", "OK"),
    ] {
        assert_eq!(conn.ask(line), expected, "{line}");
    }
}

#[test]
fn what_is_turned_is_shown() {
    let options = "lru_crawler_tocrawl=9,lru_crawler_sleep=250,slab_automove=2,no_lru_crawler";
    let server = Server::larderd(&["-o", options]);
    let mut conn = server.connect();
    let shown = |conn: &mut Conn, name: &str| -> String {
        let rows = conn.stats("settings");
        let found = rows.into_iter().find(|(row, _)| row == name);
        found.expect("a row").1
    };
    for (name, expected) in [
        ("lru_crawler_tocrawl", "9"),
        ("lru_crawler_sleep", "250"),
        ("slab_automove", "2"),
        ("lru_crawler", "no"),
    ] {
        assert_eq!(shown(&mut conn, name), expected, "{name}");
    }
    assert_eq!(conn.stats("").len(), 91, "the crawler's two rows are gone");
    for (line, name, expected) in [
        ("slabs automove 0", "slab_automove", "0"),
        ("slabs automove ratio 0.5", "slab_automove_ratio", "0.50"),
        ("slabs automove window 60", "slab_automove_window", "60"),
        ("lru tune 11 22 0.33 4.5", "hot_lru_pct", "11"),
        ("lru tune 11 22 0.33 4.5", "warm_lru_pct", "22"),
        ("lru tune 11 22 0.33 4.5", "hot_max_factor", "0.33"),
        ("lru tune 11 22 0.33 4.5", "warm_max_factor", "4.50"),
        ("lru mode flat", "lru_segmented", "no"),
        ("lru temp_ttl 30", "temp_lru", "yes"),
        ("lru temp_ttl 30", "temporary_ttl", "30"),
        ("lru temp_ttl -1", "temp_lru", "no"),
        ("lru_crawler enable", "lru_crawler", "yes"),
        ("lru_crawler sleep 7", "lru_crawler_sleep", "7"),
        ("lru_crawler tocrawl 8", "lru_crawler_tocrawl", "8"),
    ] {
        assert_eq!(conn.ask(line), "OK", "{line}");
        assert_eq!(shown(&mut conn, name), expected, "{line}");
        if name == "lru_crawler" {
            assert_eq!(conn.stats("").len(), 93);
        }
    }
}
