//! A standard error that nobody reads, and words that are the same there and in `stats`.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::daemon::Daemon;

/// What Linux lets a pipe hold, by `pipe(7)`.
const PIPE_BYTES: usize = 64 * 1024;

#[test]
fn serving_and_stopping_do_not_wait_for_who_reads_the_log() {
    let (mut reader, mut writer) = std::io::pipe().expect("a pipe");
    let stderr = writer.try_clone().expect("one more handle").into();
    let mut daemon =
        Daemon::start_with_stderr(&["-p", "-1", "-l", "127.0.0.1", "-vv", "-t", "2"], stderr);
    // All that it has said so far is read, so that what fills the pipe fits exactly.
    let mut said = String::new();
    while !(said.contains("listening on") && said.ends_with('\n')) {
        let mut byte = [0];
        reader.read_exact(&mut byte).expect("more of the log");
        said.push(byte[0].into());
    }
    writer.write_all(&[b'.'; PIPE_BYTES]).expect("room");
    // Connecting, closing and misbehaving each are a line.
    for number in 0..20 {
        let mut conn = daemon.connect();
        assert_eq!(conn.set("key", b"value"), "STORED", "connection {number}");
        if number % 2 == 0 {
            conn.send(b"GET / HTTP/1.1\r\n\r\n");
        }
    }
    let began = Instant::now();
    daemon.signal(Signal::SIGUSR1);
    assert!(daemon.ended().success());
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_connection_over_the_limit_is_rejected_in_the_log_as_in_stats() {
    let daemon = Daemon::start(&["-p", "-1", "-l", "127.0.0.1", "-c", "1"]);
    let mut first = daemon.connect();
    assert_eq!(first.set("key", b"value"), "STORED");
    assert_eq!(daemon.connect().line(), "ERROR Too many open connections");
    daemon.wait_for_log(": rejected, 1 connections are open (-c 1)");
    assert_eq!(first.stat("rejected_connections"), 1);
    assert_eq!(first.stat_of("larder", "rule_kicks"), 0);
}
