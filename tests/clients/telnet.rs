//! A person at telnet.

use crate::support::{Server, telnet};

/// What is typed, and what must come back before the next line is typed.
const TALK: &[(&str, &str)] = &[
    ("version", "VERSION 1.6."),
    ("set greeting 5 0 5", ""),
    ("hello", "STORED"),
    ("get greeting", "VALUE greeting 5 5\r\nhello\r\nEND"),
    ("set n 0 0 2", ""),
    ("41", "STORED"),
    ("incr n 1", "42"),
    ("gets n missing", "VALUE n 0 2"),
    ("append greeting 0 0 1", ""),
    ("!", "STORED"),
    ("get greeting", "hello!"),
    ("touch greeting 100", "TOUCHED"),
    ("delete greeting", "DELETED"),
    ("get greeting", "END"),
    ("what is this", "ERROR"),
    ("stats", "STAT pid"),
    ("flush_all", "OK"),
];

#[test]
fn telnet_talks() {
    let server = Server::larderd(&[]);
    telnet::talk(server.addr().port(), TALK);
}
