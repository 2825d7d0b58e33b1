//! How much of a connection's input and output is kept.

use crate::support::{Conn, Server, wait_until};
use crate::{LIMIT, wait_for_log};

#[test]
fn a_line_without_an_end_is_kept_as_far_as_it_may_be() {
    let server = Server::larderd(&["-o", "input_max=16k"]);
    let words = |count: usize| b" 123456789".repeat(count);
    let mut within = server.connect();
    within.send(&[b"get", &words(1500)[..]].concat());
    within.send(b"\r\n");
    assert_eq!(within.line(), "END");
    let mut beyond = server.connect();
    beyond.send(&[b"get", &words(1700)[..]].concat());
    assert_eq!(beyond.until_closed(), b"");
    wait_for_log(
        &server,
        "sent a line longer than any command, or than -o input_max; closed",
    );
    assert_eq!(within.stat_of("larder", "lines_too_long"), 1);
    // A value is no line.
    assert_eq!(within.set("key", &[b'v'; 100_000]), "STORED");
}

/// Clients that ask for far more than they read.
const READERS: u64 = 10;

/// Bytes of buffers that such a client brings about; and how often all had to wait.
fn kept_of_slow_readers(options: &[&str]) -> (u64, u64) {
    let server = Server::larderd(&[&["-t", "1", "-R", "1000"], options].concat());
    let mut looker = server.connect();
    assert_eq!(looker.set("key", &[b'v'; 10_000]), "STORED");
    let gets = 1000;
    let mut readers: Vec<Conn> = (0..READERS).map(|_| server.connect()).collect();
    for reader in &mut readers {
        reader.send(&b"get key\r\n".repeat(gets));
    }
    wait_until(LIMIT, "the replies to be kept", || {
        looker.stat("read_buf_count") == READERS
    });
    let kept = looker.stat_of("larder", "conn_buffer_bytes") / READERS;
    let pauses = looker.stat_of("larder", "output_pauses");
    for reader in &mut readers {
        for _ in 0..gets {
            let answer = reader.until(b"\r\nEND\r\n");
            assert_eq!(answer.len(), b"VALUE key 0 10000\r\n".len() + 10_000 + 7);
        }
    }
    (kept, pauses)
}

#[test]
fn replies_are_kept_as_far_as_they_may_be() {
    // One reply may lie on top, and the requests behind it are kept, too.
    let beside = 10_026 + 9_000;
    for (options, most) in [(&[][..], 128 << 10), (&["-o", "output_max=8k"], 8 << 10)] {
        let (kept, pauses) = kept_of_slow_readers(options);
        assert!(
            kept <= most + beside && pauses > 0,
            "{most}: {kept} {pauses}"
        );
    }
}

/// What has come of a value waits for the rest in a buffer of the connection's, and so do the flags of an `ms`.
#[test]
fn what_has_come_of_a_value_is_counted() {
    let server = Server::larderd(&["-t", "1"]);
    let mut looker = server.connect();
    let flags = format!("T60 {}", "O".repeat(30));
    for (line, least) in [
        ("set key 0 0 9000\r\n".to_owned(), 5_000),
        (format!("ms key 9000 {flags}\r\n"), 5_030),
    ] {
        let mut conn = server.connect();
        conn.send(line.as_bytes());
        conn.send(&[b'v'; 5_000]);
        wait_until(LIMIT, "the value's beginning to be counted", || {
            looker.stat_of("larder", "conn_buffer_bytes") >= least
        });
        conn.send(&[b'v'; 4_000]);
        conn.send(b"\r\n");
        conn.line();
        wait_until(LIMIT, "nothing to be counted", || {
            looker.stat_of("larder", "conn_buffer_bytes") == 0
        });
    }
}
