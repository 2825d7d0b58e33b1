//! Statistics that are lists: `stats detail dump`, `stats conns`. Each is whole and true to the byte, in both protocols;
//! and who asks for one and does not read it costs no more than any slow reader.

use std::time::Duration;

use crate::support::{Conn, Frame, Reply, Server, wait_until};

const STAT: u8 = 0x10;
const GET: u8 = 0x00;
const NOOP: u8 = 0x0a;

const DETAIL_DUMP: Frame<'_> = Frame {
    opcode: STAT,
    key: b"detail dump",
    extras: &[],
    value: &[],
    opaque: 7,
    cas: 0,
};

/// The text of the answer to `stats detail dump` by frames, put together, and in how many rows it came.
fn detail_by_frames(conn: &mut Conn) -> (Vec<u8>, usize) {
    conn.send(&DETAIL_DUMP.bytes());
    let (mut text, mut rows) = (Vec::new(), 0);
    loop {
        let reply = Reply::read(conn);
        assert_eq!((reply.opcode, reply.status, reply.opaque), (STAT, 0, 7));
        if reply.body().is_empty() {
            return (text, rows);
        }
        assert_eq!(reply.key, b"detailed");
        text.extend(reply.value);
        rows += 1;
    }
}

#[test]
fn prefixes_are_shown_as_they_are() {
    let server = Server::larderd(&["-t", "2"]);
    let mut text = server.connect();
    assert_eq!(text.ask("stats detail on"), "OK");
    let mut binary = server.connect();
    for key in [&b"\xff\xfe\x80:1"[..], b"\xc3:2", b"plain:3"] {
        let get = Frame {
            key,
            ..Frame::bare(GET)
        };
        binary.send(&get.bytes());
        assert_eq!(Reply::read(&mut binary).status, 1);
    }
    let (shown, rows) = detail_by_frames(&mut binary);
    let counts = b" get 1 hit 0 set 0 del 0\r\n";
    let expected = [
        b"PREFIX plain",
        &counts[..],
        b"PREFIX \xc3",
        counts,
        b"PREFIX \xff\xfe\x80",
        counts,
        b"END\r\n",
    ];
    assert_eq!(
        shown.escape_ascii().to_string(),
        expected.concat().escape_ascii().to_string()
    );
    assert_eq!(rows, 1, "a short list is one row");
    text.send(b"stats detail dump\r\n");
    assert_eq!(text.exactly(shown.len()), shown);
}

/// Counts so many prefixes of 249 bytes.
fn count_prefixes(server: &Server, count: usize) {
    let mut conn = server.connect();
    assert_eq!(conn.ask("stats detail on"), "OK");
    let numbers: Vec<usize> = (0..count).collect();
    for some in numbers.chunks(1000) {
        let gets: String = some.iter().map(|n| format!("get {n:0249}:\r\n")).collect();
        conn.send(gets.as_bytes());
        assert_eq!(conn.exactly(5 * some.len()), b"END\r\n".repeat(some.len()));
    }
}

/// Clients that ask again and again and read nothing.
const READERS: u64 = 4;

/// Bytes of buffers that such a client brings about: two steps of a list, a row of a frame, and what it has asked for.
const KEPT_MAX: u64 = (2 * 24 + 64 + 8) << 10;

/// Clients ask so and do not read; then each reads to the end.
fn ask_and_wait(server: &Server, request: &[u8], mut read: impl FnMut(&mut Conn)) {
    let mut looker = server.connect();
    let conns = looker.stat("curr_connections");
    let mut readers: Vec<Conn> = (0..READERS).map(|_| server.connect()).collect();
    // Connected is not accepted yet, and a list of connections has those that are.
    wait_until(Duration::from_secs(30), "all of them to be in", || {
        looker.stat("curr_connections") >= conns + READERS
    });
    for reader in &mut readers {
        reader.send(request);
    }
    wait_until(Duration::from_secs(30), "all of them to wait", || {
        looker.stat("read_buf_count") >= READERS
    });
    // Buffers are counted once a second: this time they stand as they are.
    let begin = looker.stat("uptime");
    wait_until(Duration::from_secs(30), "two seconds of uptime", || {
        looker.stat("uptime") >= begin + 2
    });
    assert_eq!(looker.stat("read_buf_count"), READERS);
    let kept = looker.stat_of("larder", "conn_buffer_bytes") / READERS;
    assert!(kept <= KEPT_MAX, "{kept} bytes for each that does not read");
    for reader in &mut readers {
        read(reader);
    }
}

#[test]
fn prefixes_that_nobody_reads() {
    let server = Server::larderd(&["-t", "1"]);
    let count = 10_000;
    count_prefixes(&server, count);
    // One list is 2.8 MB, of which the system's buffers may take all.
    let times = 10;
    let line_len = "PREFIX  get 1 hit 0 set 0 del 0\r\n".len() + 249;
    let list_len = count * line_len + "END\r\n".len();
    ask_and_wait(&server, &b"stats detail dump\r\n".repeat(times), |reader| {
        for _ in 0..times {
            assert!(reader.exactly(list_len).ends_with(b"\r\nEND\r\n"));
        }
    });
    let noop = Frame::bare(NOOP);
    let request = [DETAIL_DUMP.bytes().repeat(times), noop.bytes()].concat();
    ask_and_wait(&server, &request, |reader| {
        let (mut len, mut ends) = (0, 0);
        loop {
            let reply = Reply::read(reader);
            match (reply.opcode, &reply.key[..]) {
                (NOOP, _) => break,
                (STAT, b"detailed") => len += reply.value.len(),
                (STAT, b"") => ends += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((len, ends), (times * list_len, times));
    });
    let (text, rows) = detail_by_frames(&mut server.connect());
    assert_eq!(text.len(), list_len);
    assert!(rows > 1);
}

#[test]
fn connections_that_nobody_reads() {
    let server = Server::larderd(&["-t", "1", "-c", "4096"]);
    let idle: Vec<Conn> = (0..3000).map(|_| server.connect()).collect();
    let mut looker = server.connect();
    wait_until(Duration::from_secs(30), "all of them to be in", || {
        looker.stat("curr_connections") > 3000
    });
    let times = 40;
    ask_and_wait(&server, &b"stats conns\r\n".repeat(times), |reader| {
        for _ in 0..times {
            let text = String::from_utf8(reader.until(b"END\r\n")).expect("plain text");
            let fds = text
                .lines()
                .filter_map(|line| line.strip_prefix("STAT ")?.split_once(":state "));
            let fds: Vec<i32> = fds.map(|(fd, _)| fd.parse().expect("a number")).collect();
            // The listening socket, two that look, the readers, the idle.
            assert_eq!(fds.len(), 3 + READERS as usize + idle.len());
            assert!(fds.is_sorted());
        }
    });
}
