//! memcached's handshake of the text protocol, compared with memcached's own.

use crate::support::{Conn, Secrets, Server, show};
use crate::users::{Guarded, say};

const USERS: &str = "foo:bar\nbaz:a:bc\n";

const IN: &[u8] = b"set a 0 0 7\r\nfoo bar\r\n";

/// What is sent to both, and how many lines are to be answered before more is sent: memcached drops the answer to a
/// failure if there is more behind it.
type Piece = (&'static [u8], usize);

const SCRIPTS: &[&[Piece]] = &[
    &[(IN, 1), (b"get a\r\nmn\r\n", 2)],
    &[(b"set a 0 0 7\r\nfoo bar\r\nget a\r\n", 2)],
    &[(b"set a 0 0 7 noreply\r\nfoo bar\r\n", 1), (b"mn\r\n", 1)],
    &[
        (b"set x y z 8\r\nbaz a:bc\r\n", 1),
        (b"set k 0 0 1\r\nv\r\n", 1),
    ],
    &[(b"set a 0 0 7\r\nfoo baz\r\n", 1), (IN, 1), (b"mn\r\n", 1)],
    &[(IN, 1), (b"set a 0 0 7\r\nfoo baz\r\nget a\r\n", 4)],
    &[(b"set a 0 0 5\r\nfoo b\r\n", 1)],
    &[(b"set a 0 0 8\r\nfoo bart\r\n", 1)],
    &[(b"set a 0 0 8\r\nfoo a:bc\r\n", 1)],
    &[(b"set a 0 0 7\r\neve bar\r\n", 1)],
    &[(b"set a 0 0 7\r\nfoobars\r\n", 1)],
    &[(b"set a 0 0 7\r\nfoo barXX", 1), (b"version\r\n", 1)],
    &[
        (b"version\r\n", 1),
        (b"get abc\r\n", 1),
        (b"mg abc v\r\n", 1),
    ],
    &[(b"add a 0 0 7\r\n", 1), (b"foo bar\r\n", 1)],
    &[(b"set a 0 0\r\n", 1)],
    &[(b"set a 0 0 x\r\n", 1)],
    &[
        (b"stats\r\n", 1),
        (b"flush_all\r\n", 1),
        (b"shutdown\r\n", 1),
        (b"watch fetchers\r\n", 1),
    ],
];

fn answers(server: &Server, pieces: &[Piece]) -> Vec<String> {
    let mut conn = server.connect();
    let mut said = Vec::new();
    for &(piece, lines) in pieces {
        conn.send(piece);
        said.extend((0..lines).map(|_| conn.line()));
    }
    said
}

#[test]
fn the_handshake_is_answered_as_by_memcached() {
    let files = Secrets::new();
    files.write("users", USERS);
    let path = files.path("users").display().to_string();
    let ours = Server::larderd(&["-Y", &path]);
    let theirs = Server::memcached(&["-Y", &path]);
    for pieces in SCRIPTS {
        let sent: Vec<String> = pieces.iter().map(|(bytes, _)| show(bytes)).collect();
        assert_eq!(answers(&ours, pieces), answers(&theirs, pieces), "{sent:?}");
    }
    let counts = |server: &Server| {
        let mut conn = server.connect();
        assert_eq!(say(&mut conn, "foo", "bar"), "STORED");
        (conn.stat("auth_cmds"), conn.stat("auth_errors"))
    };
    let (ours, theirs) = (counts(&ours), counts(&theirs));
    assert_eq!(ours, theirs);
    assert!(ours.1 > 2);
}

/// So does 1.6.45; 1.6.18 answers.
#[test]
fn a_line_too_short_to_be_meant_is_closed() {
    let guarded = Guarded::start(USERS, &[]);
    for line in ["get", "quit", ""] {
        let mut conn = guarded.connect();
        conn.send(format!("{line}\r\n").as_bytes());
        assert_eq!(conn.until_closed(), b"", "{line}");
    }
}

#[test]
fn a_handshake_cut_anywhere_is_the_same() {
    let guarded = Guarded::start(USERS, &["-t", "1"]);
    let bytes = b"set auth 0 0 7\r\nfoo bar\r\nset k 0 0 5\r\nhello\r\nget k\r\n";
    for cut in 1..bytes.len() {
        let mut conn = guarded.connect();
        conn.send(&bytes[..cut]);
        conn.send(&bytes[cut..]);
        let answer = conn.until(b"END\r\n");
        assert_eq!(
            show(&answer),
            show(b"STORED\r\nSTORED\r\nVALUE k 0 5\r\nhello\r\nEND\r\n"),
            "{cut}"
        );
    }
}

#[test]
fn what_comes_behind_a_handshake_is_served_however_much_it_is() {
    let guarded = Guarded::start(USERS, &[]);
    let mut conn = guarded.connect();
    let value = vec![b'v'; 300_000];
    let head = format!("set auth 0 0 7\r\nfoo bar\r\nset k 0 0 {}\r\n", value.len());
    conn.send(&[head.as_bytes(), &value, b"\r\n"].concat());
    assert_eq!(
        (conn.line(), conn.line()),
        ("STORED".into(), "STORED".into())
    );
    assert_eq!(conn.get("k"), Some(value));
}

#[test]
fn alone_it_means_the_text_protocol_only() {
    let guarded = Guarded::start(USERS, &[]);
    let mut conn = guarded.connect_as("foo", "bar");
    let settings = conn.stats("settings");
    let row = |name: &str| {
        let row = settings.iter().find(|(row, _)| row == name);
        row.map(|(_, value)| value.clone()).expect(name)
    };
    assert_eq!(row("binding_protocol"), "ascii");
    assert_eq!(row("auth_enabled_sasl"), "no");
    assert!(row("auth_enabled_ascii").ends_with("/users"));
    let mut conn: Conn = guarded.connect();
    conn.send(&[&[0x80, 0x0b][..], &[0; 22], b"\n"].concat());
    assert_eq!(conn.line(), "CLIENT_ERROR unauthenticated");
}
