//! Requests that have begun and do not end; and clients that say nothing.

use crate::support::{Conn, Server, value};
use crate::wait_for_log;

/// Lets more than a second pass on the server's clock: as long as it takes to close somebody who does not go on.
fn let_a_second_pass(server: &Server) {
    let mut stalled = server.connect();
    stalled.send(b"get a");
    assert_eq!(stalled.until_closed(), b"");
}

#[test]
fn a_request_that_has_begun_has_its_time() {
    let server = Server::larderd(&["-t", "1", "-o", "request_timeout=1s"]);
    let mut silent = server.connect();
    let frame = [&[0x80, 1, 0, 1, 8][..], &[0; 3]].concat();
    let begun: [&[u8]; 6] = [
        b"get a",
        b"set a 0 0 100\r\nabc",
        b"set a 0 0 300000\r\nabc",
        b"set a 0 0 99999999\r\nabc",
        b"ms a 100\r\nabc",
        &frame,
    ];
    let mut conns: Vec<Conn> = begun
        .map(|bytes| (server.connect(), bytes))
        .map(|(mut conn, bytes)| {
            conn.send(bytes);
            conn
        })
        .into();
    for conn in &mut conns {
        assert_eq!(conn.until_closed(), b"");
    }
    wait_for_log(&server, "has not finished it in time (-o request_timeout)");
    // Whoever has begun nothing may wait as long as he likes.
    assert_eq!(silent.ask("mn"), "MN");
    assert_eq!(silent.stat_of("larder", "request_timeouts"), 6);
}

#[test]
fn a_slow_upload_ends_and_a_trickle_does_not() {
    let server = Server::larderd(&["-o", "request_timeout=1s"]);
    let value = value("slow", 40_000);
    let mut slow = server.connect();
    let mut trickle = server.connect();
    slow.send(b"set slow 0 0 40000\r\n");
    trickle.send(b"set trickle 0 0 40000\r\n");
    for piece in value.chunks(10_000) {
        slow.send(piece);
        trickle.try_send(b"x");
        let_a_second_pass(&server);
    }
    slow.send(b"\r\n");
    assert_eq!(slow.line(), "STORED");
    assert_eq!(slow.get("slow"), Some(value));
    assert_eq!(trickle.until_closed(), b"");
}

#[test]
fn who_is_kept_waiting_is_not_late() {
    let server = Server::larderd(&["-t", "1", "-m", "64", "-o", "request_timeout=1s"]);
    let mut reader = server.connect();
    let value = value("key", 500_000);
    assert_eq!(reader.set("key", &value), "STORED");
    // More than sockets hold, and a command that is cut; what is behind the first answers is read by nobody as yet.
    let gets = 40;
    reader.send(&[&b"get key\r\n".repeat(gets)[..], b"get"].concat());
    for _ in 0..3 {
        let_a_second_pass(&server);
    }
    for _ in 0..gets {
        assert_eq!(
            reader.value_of_reply().map(|(_, value)| value.len()),
            Some(value.len())
        );
        assert_eq!(reader.line(), "END");
    }
    reader.send(b" none\r\n");
    assert_eq!(reader.line(), "END");
}

#[test]
fn who_says_nothing_is_idle_only_where_that_is_asked_for() {
    let server = Server::larderd(&["-v", "-o", "idle_timeout=1s"]);
    assert_eq!(server.connect().until_closed(), b"");
    wait_for_log(&server, "has sent nothing for too long (-o idle_timeout)");
    assert_eq!(server.connect().stat("idle_kicks"), 1);
}
