//! SASL PLAIN of the binary protocol.

use crate::support::{Conn, Reply, frame};
use crate::users::{Guarded, say};

const USERS: &str = "foo:bar\n";

const NOOP: u8 = 0x0a;
const VERSION: u8 = 0x0b;
const LIST: u8 = 0x20;
const AUTH: u8 = 0x21;
const STEP: u8 = 0x22;

const OK: u16 = 0;
const INVALID: u16 = 4;
const AUTH_ERROR: u16 = 0x20;
const CONTINUE: u16 = 0x21;

/// A reply's status and its body.
pub(crate) fn reply(conn: &mut Conn) -> (u16, Vec<u8>) {
    let reply = Reply::read(conn);
    (reply.status, reply.body())
}

pub(crate) fn ask(conn: &mut Conn, opcode: u8, key: &[u8], value: &[u8]) -> (u16, String) {
    conn.send(&frame(opcode, 0, b"", key, value));
    let (status, body) = reply(conn);
    (status, body.escape_ascii().to_string())
}

#[test]
fn plain_in_one_message_and_in_two() {
    let guarded = Guarded::start(USERS, &["-S"]);
    let mut one = guarded.connect();
    assert_eq!(ask(&mut one, LIST, b"", b""), (OK, "PLAIN".into()));
    assert_eq!(ask(&mut one, VERSION, b"", b""), (OK, "1.6.45".into()));
    let authenticated = (OK, "Authenticated".to_owned());
    assert_eq!(ask(&mut one, AUTH, b"PLAIN", b"\0foo\0bar"), authenticated);
    assert_eq!(ask(&mut one, NOOP, b"", b"").0, OK);
    let mut two = guarded.connect();
    assert_eq!(ask(&mut two, AUTH, b"PLAIN", b"").0, CONTINUE);
    assert_eq!(
        ask(&mut two, STEP, b"PLAIN", b"foo\0foo\0bar"),
        authenticated
    );
    assert_eq!(ask(&mut two, NOOP, b"", b"").0, OK);
    let mut text = guarded.connect_as("foo", "bar");
    assert_eq!((text.stat("auth_cmds"), text.stat("auth_errors")), (3, 0));
}

#[test]
fn what_is_wrong_is_answered_and_the_connection_stays() {
    let guarded = Guarded::start(USERS, &["-S"]);
    let mut conn = guarded.connect();
    let failure = (AUTH_ERROR, "Auth failure.".to_owned());
    for (opcode, mechanism, data) in [
        (AUTH, &b"PLAIN"[..], &b"\0foo\0baz"[..]),
        (AUTH, b"PLAIN", b"\0eve\0bar"),
        (AUTH, b"PLAIN", b"foo bar"),
        (AUTH, b"PLAIN", b"eve\0foo\0bar"),
        (STEP, b"PLAIN", b"\0foo\0bar"),
        (AUTH, b"CRAM-MD5", b""),
    ] {
        let said = data.escape_ascii();
        assert_eq!(ask(&mut conn, opcode, mechanism, data), failure, "{said}");
    }
    assert_eq!(ask(&mut conn, AUTH, &[b'x'; 33], b"data").0, INVALID);
    assert_eq!(ask(&mut conn, AUTH, b"PLAIN", b"\0foo\0bar").0, OK);
    let mut text = guarded.connect_as("foo", "bar");
    assert_eq!((text.stat("auth_cmds"), text.stat("auth_errors")), (8, 6));
}

#[test]
fn anything_else_is_refused_and_closed() {
    let guarded = Guarded::start(USERS, &["-S"]);
    for opcode in (0..=255).filter(|opcode| ![VERSION, LIST, AUTH, STEP].contains(opcode)) {
        let mut conn = guarded.connect();
        assert_eq!(
            ask(&mut conn, opcode, b"", b"").0,
            AUTH_ERROR,
            "{opcode:#x}"
        );
        assert_eq!(conn.until_closed(), b"", "{opcode:#x}");
    }
    guarded.wait_for_log("has not said who it is, and sends something else; closed");
}

#[test]
fn all_three_protocols_are_served_from_one_file() {
    let guarded = Guarded::start(USERS, &["-S"]);
    let mut text = guarded.connect_as("foo", "bar");
    assert_eq!(text.set("k", b"value"), "STORED");
    text.send(b"mg k v\r\n");
    assert_eq!((text.line(), text.line()), ("VA 5".into(), "value".into()));
    let mut binary = guarded.connect();
    assert_eq!(ask(&mut binary, AUTH, b"PLAIN", b"\0foo\0bar").0, OK);
    assert_eq!(ask(&mut binary, 0, b"k", b"").1, r"\x00\x00\x00\x00value");
    let mut stranger = guarded.connect();
    assert_eq!(
        say(&mut stranger, "foo", "baz"),
        "CLIENT_ERROR authentication failure"
    );
    let settings = text.stats("settings");
    assert!(settings.contains(&("auth_enabled_sasl".into(), "yes".into())));
    assert!(settings.contains(&("binding_protocol".into(), "auto-negotiate".into())));
}
