//! Rows of statistics: the names and their order, and that those said to be idle are.

use crate::names::{STATISTICS, rows_of};
use crate::report;
use crate::support::Server;
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

#[test]
fn idle_rows_are_idle() {
    let table = Table::read();
    let server = larderd(&[]);
    let mut faults = Vec::new();
    for (command, _) in STATISTICS {
        for (name, value) in rows(&server, command) {
            let idle = table.verdict(&rows_of(command), &name) == Verdict::Idle;
            if idle && !["0", "none"].contains(&value.as_str()) {
                faults.push(format!("{command}: {name} is {value}"));
            }
        }
    }
    report(&faults);
}
