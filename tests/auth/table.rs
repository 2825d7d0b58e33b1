//! Every command of every protocol, as each kind of user, against `rights.txt`.

use std::collections::{BTreeMap, BTreeSet};

use crate::binary;
use crate::names;
use crate::support::{Conn, Ended, frame};
use crate::users::Guarded;

const TABLE: &str = include_str!("rights.txt");

/// The users of the table, whose password is `x`; those who have not said who they are come of two servers.
const USERS: &str = "free:x\nread:x\nwrite:x\nstats:x\nadmin:x\nsingle:x\nprefix:x\n\
    @read read\n@write write\n@stats stats\n@admin admin\n@single gat\n\
    @prefix read,write prefix=app:\n";

/// The kinds of users, in the order of the table's columns.
const KINDS: [&str; 9] = [
    "none", "default", "free", "read", "write", "stats", "admin", "single", "prefix",
];

/// Lines with which a client is told that it is not in.
const OUTSIDE: [&str; 2] = [
    "CLIENT_ERROR unauthenticated",
    "CLIENT_ERROR bad authentication token format",
];

const AUTH_ERROR: u16 = 0x20;
const DENIED: u16 = 0x24;
const SASL_AUTH: u8 = 0x21;
const NOOP: u8 = 0x0a;

/// A row: the marks of each kind of user, and the command.
struct Row {
    protocol: &'static str,
    marks: Vec<&'static str>,
    command: &'static str,
}

fn rows() -> impl Iterator<Item = Row> {
    let lines = TABLE.lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| {
        // Marks stand two blanks apart, and the command three behind the last.
        let (marks, command) = line.rsplit_once("   ").expect("marks and a command");
        let mut words = marks.split_whitespace();
        let protocol = words.next().expect("a protocol");
        let marks: Vec<&str> = words.collect();
        assert_eq!(marks.len(), KINDS.len(), "{line}");
        Row {
            protocol,
            marks,
            command,
        }
    })
}

/// The servers: to one of them strangers may do nothing, to the other something.
struct Servers {
    closed: Guarded,
    open: Guarded,
}

impl Servers {
    fn start() -> Self {
        let open = format!("{USERS}@default read\n");
        Self {
            closed: Guarded::start(USERS, &["-S", "-t", "1"]),
            open: Guarded::start(&open, &["-S", "-t", "1"]),
        }
    }

    /// A connection that has said nothing, to the server for that kind of user.
    fn connect(&self, kind: &str) -> Conn {
        match kind {
            "default" => self.open.connect(),
            _ => self.closed.connect(),
        }
    }

    /// Of a kind of user, over the text protocol.
    fn text(&self, kind: &str) -> Conn {
        match kind {
            "none" | "default" => self.connect(kind),
            user => self.closed.connect_as(user, "x"),
        }
    }

    /// The same over the binary protocol.
    fn binary(&self, kind: &str) -> Conn {
        let mut conn = self.connect(kind);
        if !matches!(kind, "none" | "default") {
            let message = format!("\0{kind}\0x");
            let answer = binary::ask(&mut conn, SASL_AUTH, b"PLAIN", message.as_bytes());
            assert_eq!(answer.0, 0, "{kind}");
        }
        conn
    }
}

/// What becomes of a line.
fn judge_line(mut conn: Conn, command: &str) -> &'static str {
    let line = command.replace("\\r\\n", "\r\n");
    conn.send(format!("{line}\r\nmn\r\n").as_bytes());
    let (answer, ended) = conn.try_until(b"\r\n");
    match String::from_utf8_lossy(&answer).trim_end() {
        // A stranger's line that is short is closed at, and whoever is in is only for `quit`; both say nothing.
        "" if ended == Ended::Closed && command == "quit" => "+",
        "" if ended == Ended::Closed => "x",
        "CLIENT_ERROR permission denied" => {
            assert_eq!(conn.line(), "MN", "{command}");
            "-"
        }
        answer if OUTSIDE.contains(&answer) => "x",
        _ => "+",
    }
}

/// What becomes of a frame.
fn judge_frame(mut conn: Conn, command: &str) -> &'static str {
    let (name, key) = command.split_once(' ').unwrap_or((command, ""));
    let known = names::OPCODES.iter().find(|(known, ..)| *known == name);
    let &(_, opcode, [extras, _, value]) = known.expect(command);
    let request = match name {
        "sasl_auth" => frame(opcode, 0, b"", b"PLAIN", b""),
        "sasl_step" => [
            frame(SASL_AUTH, 0, b"", b"PLAIN", b""),
            frame(opcode, 0, b"", b"PLAIN", b"\0free\0x"),
        ]
        .concat(),
        _ => frame(
            opcode,
            0,
            &vec![0; extras.into()],
            key.as_bytes(),
            &b"1"[..value.into()],
        ),
    };
    conn.send(&[request, frame(NOOP, 0, b"", b"", b"")].concat());
    if name == "quitq" {
        // Only an error is answered.
        return if conn.until_closed().is_empty() {
            "+"
        } else {
            "x"
        };
    }
    match binary::reply(&mut conn) {
        (AUTH_ERROR, _) => {
            assert_eq!(conn.until_closed(), b"", "{command}");
            "x"
        }
        (DENIED, body) => {
            assert_eq!(body, b"Permission denied", "{command}");
            assert_eq!(binary::reply(&mut conn).0, 0, "{command}");
            "-"
        }
        _ => "+",
    }
}

#[test]
fn each_command_of_each_protocol_as_each_kind_of_user() {
    let servers = Servers::start();
    let mut faults = Vec::new();
    let mut denied = BTreeMap::new();
    for row in rows() {
        for (kind, expected) in KINDS.iter().zip(&row.marks) {
            let found = match row.protocol {
                "text" => judge_line(servers.text(kind), row.command),
                _ => judge_frame(servers.binary(kind), row.command),
            };
            match found {
                "-" => *denied.entry(*kind).or_default() += 1,
                "+" if row.command.ends_with(" reset") => denied.clear(),
                _ => {}
            }
            if found != *expected {
                faults.push(format!(
                    "{} {}: {found} for {kind}, and the table has {expected}",
                    row.protocol, row.command
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let mut all = servers.closed.connect_as("free", "x");
    denied.remove("default");
    for (kind, count) in &denied {
        let counted = all.stat_of("larder users", &format!("{kind}:cmd_denied"));
        assert_eq!(counted, *count, "{kind}");
    }
    assert!(denied.len() > 4, "{denied:?}");
    let sum: u64 = denied.values().sum();
    assert_eq!(all.stat_of("larder", "cmd_denied"), sum);
}

/// Nothing that memcached has, and nothing that we have beside it, is left out of the table.
#[test]
fn the_table_has_every_command() {
    let rows: Vec<Row> = rows().collect();
    let has = |protocol: &str, begin: &str| {
        let command = |row: &Row| format!("{} ", row.command).starts_with(&format!("{begin} "));
        rows.iter()
            .any(|row| row.protocol == protocol && command(row))
    };
    let mut missing = BTreeSet::new();
    for (kind, lines) in names::LINES {
        for name in lines.iter().map(|line| names::first_word(line)) {
            let begin = match *kind {
                "text" => name.to_owned(),
                kind => format!("{kind} {name}"),
            };
            if !has("text", &begin) {
                missing.insert(begin);
            }
        }
    }
    for (name, ..) in names::OPCODES {
        if !has("binary", name) {
            missing.insert((*name).to_owned());
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}
