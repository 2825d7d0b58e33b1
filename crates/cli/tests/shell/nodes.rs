//! All nodes at once: ping, stats, dump, flush; and what is handed on.

use std::collections::BTreeSet;

use super::pool::Pool;
use super::{larder, text};

#[test]
fn ping_is_a_health_check() {
    let mut pool = Pool::start();
    let said = pool.done("ping", &[]);
    let lines: Vec<&str> = text(&said).lines().collect();
    assert_eq!(lines.len(), 3);
    for (line, name) in lines.iter().zip(&pool.names) {
        let version = line.strip_prefix(&format!("{name} "));
        assert!(
            version.is_some_and(|version| version.starts_with("1.6.")),
            "{line}"
        );
    }
    pool.crash(1);
    let out = pool.run("ping", &[], b"");
    assert_eq!(out.status.code(), Some(1));
    assert_eq!(text(&out.stdout).lines().count(), 2);
    let said = text(&out.stderr);
    let expected = format!(
        "larder: 1 of 3 nodes did not answer as they should: {}",
        pool.names[1]
    );
    assert!(said.starts_with(&expected), "{said}");
}

/// The cells of a row.
fn row<'a>(table: &'a str, name: &str) -> Vec<&'a str> {
    let rows = table.lines().map(|line| line.split_whitespace().collect());
    let mut rows = rows.filter(|row: &Vec<&str>| row.first() == Some(&name));
    rows.next().unwrap_or_else(|| panic!("{name} in\n{table}"))
}

#[test]
fn stats_are_one_table() {
    let pool = Pool::start();
    for n in 0..20 {
        pool.done("set", &[&format!("k{n}"), "v"]);
    }
    let said = pool.done("stats", &[]);
    let table = text(&said);
    let header: Vec<&str> = table
        .lines()
        .next()
        .expect("a header")
        .split_whitespace()
        .collect();
    assert_eq!(header[..3], pool.names);
    assert_eq!(header[3], "all");
    let items = row(table, "curr_items");
    let numbers: Vec<u64> = items[1..]
        .iter()
        .map(|cell| cell.parse().expect("a number"))
        .collect();
    assert_eq!((numbers[..3].iter().sum(), numbers[3]), (20_u64, 20));
    // Process ids have no sum.
    assert_eq!(row(table, "pid").len(), 4);

    let said = pool.done("stats", &["settings"]);
    assert_eq!(
        row(text(&said), "maxbytes"),
        ["maxbytes", "16777216", "16777216", "16777216"]
    );
}

#[test]
fn dumps_tell_of_every_item() {
    let mut pool = Pool::start();
    let keys: BTreeSet<String> = (0..40).map(|n| format!("caf\u{e9}:{n}%")).collect();
    for key in &keys {
        pool.done("set", &[key, "v", "--ttl=1h"]);
    }
    let dumped: BTreeSet<String> = pool.dump(&["--keys"]).lines().map(str::to_owned).collect();
    assert_eq!(dumped, keys);
    let lines = pool.dump(&[]);
    assert_eq!(lines.lines().count(), keys.len());
    for line in lines.lines() {
        assert!(
            line.starts_with("key=caf%C3%A9%3A") && line.contains(" exp="),
            "{line}"
        );
    }
    // A node that is away keeps no other's items back.
    pool.crash(0);
    let out = pool.run("dump", &["--keys"], b"");
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stderr).contains(&pool.names[0]));
    assert!(text(&out.stdout).lines().count() > 0);
}

#[test]
fn flush_asks_first() {
    let pool = Pool::start();
    pool.done("set", &["k", "v"]);
    let said = pool.refused("flush", &[]);
    assert!(said.contains("nobody can be asked"), "{said}");
    assert_eq!(pool.done("get", &["k"]), b"v");
    let said = pool.done("flush", &["--yes"]);
    assert_eq!(text(&said).lines().count(), 3);
    pool.refused("get", &["k"]);
}

#[test]
fn bench_is_handed_its_words() {
    let out = larder(&["bench", "load", "--help"], b"");
    match out.status.success() {
        true => assert!(text(&out.stdout).contains("Send requests to a running server")),
        // Not built, when this crate is tested alone.
        false => assert!(text(&out.stderr).starts_with("larder: larder-bench lies neither")),
    }
}
