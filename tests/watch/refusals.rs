//! What is refused, and what becomes of a connection that watches.

use std::thread;
use std::time::Duration;

use crate::support::{Server, wait_until};
use crate::watcher::{Watcher, field};

const ARGS: &[&str] = &["-m", "64", "-t", "2"];

#[test]
fn refusals() {
    let server = Server::larderd(ARGS);
    let mut conn = server.connect();
    for unknown in ["watch foo", "watch fetchers foo", "watch fetchersx"] {
        assert_eq!(conn.ask(unknown), "ERROR");
    }
    conn.send(b"watch foo noreply\r\nget a\r\nwatch\r\nmn\r\n");
    assert_eq!(conn.line(), "END");
    let pipelined = "ERROR cannot pipeline other commands before watch";
    assert_eq!(conn.line(), pipelined);
    assert_eq!(conn.line(), "MN");
    conn.send(b"get a\r\nwatch foo\r\n");
    assert_eq!(conn.line(), "END");
    assert_eq!(conn.line(), pipelined);

    let watchers: Vec<Watcher> = (0..20).map(|_| Watcher::start(&server, "")).collect();
    let too_many = "WATCHER_TOO_MANY log watcher limit reached";
    assert_eq!(conn.ask("watch evictions"), too_many);
    assert_eq!(conn.stat("log_watchers"), 20);
    assert_eq!(conn.stat("curr_connections"), 21);
    let states = conn.stats("conns");
    let watching = states.iter().filter(|(_, state)| state == "conn_watch");
    assert_eq!(watching.count(), 20);
    drop(watchers);
    wait_until(Duration::from_secs(10), "watchers to leave", || {
        conn.stat("log_watchers") == 0
    });
    Watcher::start(&server, "");
}

#[test]
fn switched_off() {
    let server = Server::larderd(&["-m", "64", "-W"]);
    let mut conn = server.connect();
    let refused = "CLIENT_ERROR watch commands not allowed";
    assert_eq!(conn.ask("watch"), refused);
    assert_eq!(conn.ask("watch foo"), refused);
    assert_eq!(conn.ask("mn"), "MN");
}

/// The command in two pieces, cut at every byte.
#[test]
fn cut_at_every_byte() {
    // One worker, which sees that a watcher has left before it sees the next.
    let server = Server::larderd(&["-m", "64", "-t", "1"]);
    let mut other = server.connect();
    let command = b"watch fetchers  mutations \r\n";
    for at in 1..command.len() {
        let mut conn = server.connect();
        conn.send(&command[..at]);
        // Long enough for the server to have seen the piece before; when it has not, nothing is lost but a cut.
        thread::sleep(Duration::from_micros(50));
        conn.send(&command[at..]);
        assert_eq!(conn.line(), "OK", "cut at {at}");
        assert_eq!(other.get("nothing"), None);
        let line = String::from_utf8(conn.until(b"\n")).expect("plain text");
        assert_eq!(field(&line, "key"), "nothing", "cut at {at}");
    }
}

/// What a watcher sends is dropped, and it is not idle.
#[test]
fn a_watcher_only_watches() {
    let server = Server::larderd(&["-m", "64", "-t", "1", "-o", "idle_timeout=1"]);
    let mut conn = server.connect();
    conn.send(b"watch fetchers connevents\r\nset by-watcher 0 0 1\r\nx\r\n");
    assert_eq!(conn.line(), "OK");
    let mut watcher = Watcher { conn };
    watcher
        .conn
        .send(b"set by-watcher 0 0 1\r\nx\r\nget by-watcher\r\n");
    let _idle = server.connect();
    let lines = watcher.until("conn_close");
    assert!(
        lines.iter().all(|line| line.contains("type=conn_")),
        "{lines:?}"
    );
    assert_eq!(field(&lines[0], "transport"), "tcp");
    assert_eq!(field(&lines[0], "rip"), "127.0.0.1");
    let close = lines.last().expect("a close");
    assert_eq!(field(close, "reason"), "idle_timeout");
    assert_eq!(server.connect().get("by-watcher"), None);
    let line = watcher.until("by-watcher");
    assert!(line.last().is_some_and(|line| line.contains("item_get")));
}

/// When the last watcher has gone nothing is written any more.
#[test]
fn nobody_watches_any_more() {
    let server = Server::larderd(ARGS);
    let mut conn = server.connect();
    let mut watcher = Watcher::start(&server, "fetchers mutations evictions");
    assert_eq!(conn.set("a", b"x"), "STORED");
    watcher.until("item_store");
    let written = conn.stat("log_worker_written");
    assert_eq!(written, 2);
    assert_eq!(conn.stat("log_watcher_sent"), 2);
    drop(watcher);
    wait_until(Duration::from_secs(10), "the watcher to leave", || {
        conn.stat("log_watchers") == 0
    });
    assert_eq!(conn.set("a", b"x"), "STORED");
    assert_eq!(conn.stat("log_worker_written"), written);
    assert_eq!(conn.ask("stats reset"), "RESET");
    assert_eq!(conn.stat("log_worker_written"), 0);
}
