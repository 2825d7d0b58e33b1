//! Commands and opcodes: whether a running larderd knows them.

use crate::names::{LINES, OPCODES, first_word};
use crate::report;
use crate::support::{Conn, Ended, Frame, Secrets, Server};
use crate::table::{Table, Verdict};

/// The binary protocol's status of an opcode that is unknown.
const UNKNOWN_COMMAND: [u8; 2] = [0x00, 0x81];

/// The answer's first line; empty when the server closes without one.
fn first_line(mut conn: Conn, send: &str) -> String {
    conn.send(format!("{send}\r\n").as_bytes());
    let (bytes, ended) = conn.try_until(b"\n");
    assert!(ended != Ended::Stalled, "no answer to {send}");
    String::from_utf8_lossy(&bytes).trim_end().to_owned()
}

/// A fault where a command is served and README denies it, or the other way round.
fn judge(verdict: Verdict, known: bool, what: &str, answer: &str) -> Option<String> {
    (verdict.is_served() != known)
        .then(|| format!("{what} is {verdict:?} in README and is answered {answer}"))
}

#[test]
fn lines_are_answered() {
    let table = Table::read();
    let server = Server::larderd(&["-t", "2"]);
    let mut faults = Vec::new();
    for (kind, lines) in LINES {
        for line in *lines {
            let send = match *kind {
                "text" => (*line).to_owned(),
                words => format!("{words} {line}"),
            };
            let answer = first_line(server.connect(), &send);
            let verdict = table.verdict(kind, first_word(line));
            faults.extend(judge(verdict, answer != "ERROR", &send, &answer));
        }
    }
    report(&faults);
}

#[test]
fn opcodes_are_answered() {
    let table = Table::read();
    let open = Server::larderd(&["-t", "2"]);
    let files = Secrets::new();
    files.write("users", "foo:bar\n");
    let users = files.path("users").display().to_string();
    let guarded = Server::larderd(&["-Y", &users, "-S"]);
    let mut faults = Vec::new();
    for (name, opcode, lens) in OPCODES {
        let mut conn = match name.starts_with("sasl_") {
            true => guarded.connect(),
            false => open.connect(),
        };
        // The noop behind it is what a quiet command is followed by.
        conn.send(&[frame(*opcode, *lens), frame(0x0a, [0, 0, 0])].concat());
        // quit and its quiet form end it without an answer to the noop.
        let mut answer = Vec::new();
        while answer.len() < 8 {
            let more = conn.some();
            if more.is_empty() {
                break;
            }
            answer.extend(more);
        }
        let unknown = answer.get(6..8) == Some(&UNKNOWN_COMMAND) && answer[1] == *opcode;
        let answer = format!("{answer:02x?}");
        faults.extend(judge(
            table.verdict("binary", name),
            !unknown,
            name,
            &answer,
        ));
    }
    report(&faults);
}

/// A request with so many bytes of extras, key and value.
fn frame(opcode: u8, [extras, key, value]: [u8; 3]) -> Vec<u8> {
    let bytes = |byte, count| vec![byte; usize::from(count)];
    Frame {
        extras: &bytes(0, extras),
        key: &bytes(b'1', key),
        value: &bytes(b'1', value),
        ..Frame::bare(opcode)
    }
    .bytes()
}
