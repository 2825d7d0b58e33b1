//! What goes over TLS: values of every size, pipelines, readers that are slow; and what an idle connection takes.

use crate::authority::Authority;
use crate::client::{ONLY_12, ONLY_13, TlsConn, config};
use crate::support::{MIB, value, wait_until};

#[test]
fn values_of_every_size_come_back() {
    let authority = Authority::new();
    let server = authority.server(&["-m", "64", "-I", "4m", "-t", "2"]);
    for versions in [ONLY_12, ONLY_13] {
        let mut conn = TlsConn::open(server.addr(), &config(&authority, versions, None));
        for len in [
            0,
            1,
            100,
            4000,
            16_383,
            16_384,
            16_385,
            65_536,
            300_000,
            3 * MIB as usize,
        ] {
            let value = value("key", len);
            conn.set("key", &value);
            assert_eq!(conn.get("key", len), value, "{len} bytes");
        }
    }
}

#[test]
fn binary_frames_go_over_it_as_well() {
    let authority = Authority::new();
    let server = authority.server(&[]);
    let config = config(&authority, ONLY_13, None);
    // Whoever opens has spoken text; a connection of its own speaks binary from the first byte.
    let mut conn = TlsConn::open_silent(server.addr(), &config);
    conn.send(b"\x80\x0a\0\0\0\0\0\0\0\0\0\0mark\0\0\0\0\0\0\0\0");
    let answer = conn.exactly(24);
    assert_eq!(&answer[..2], b"\x81\x0a");
    assert_eq!(&answer[12..16], b"mark");
}

#[test]
fn a_reader_that_is_slow_gets_all_of_a_long_pipeline() {
    let authority = Authority::new();
    let server = authority.server(&["-t", "1"]);
    for versions in [ONLY_12, ONLY_13] {
        let mut conn = TlsConn::open(server.addr(), &config(&authority, versions, None));
        let value = value("key", 10_000);
        conn.set("key", &value);
        // Far more than sockets hold, asked for before anything is read.
        let requests = 3000;
        conn.send(b"get key\r\n".repeat(requests).as_slice());
        let expected = [b"VALUE key 0 10000\r\n", value.as_slice(), b"\r\nEND\r\n"].concat();
        for number in 0..requests {
            assert_eq!(conn.exactly(expected.len()), expected, "answer {number}");
        }
    }
}

#[test]
fn lines_cut_into_records_of_a_byte_are_whole() {
    let authority = Authority::new();
    let server = authority.server(&["-t", "1"]);
    let mut conn = TlsConn::open(server.addr(), &config(&authority, ONLY_13, None));
    for byte in b"set key 0 0 5\r\nvalue\r\n" {
        conn.send(&[*byte]);
    }
    assert_eq!(conn.line(), "STORED");
    assert_eq!(conn.get("key", 5), b"value");
}

#[test]
fn a_record_that_has_begun_has_its_time() {
    let authority = Authority::new();
    let server = authority.server(&["-t", "1", "-o", "request_timeout=1s"]);
    let config = config(&authority, ONLY_13, None);
    let (mut silent, mut stalled) = (
        TlsConn::open(server.addr(), &config),
        TlsConn::open(server.addr(), &config),
    );
    // The head of a record of a kilobyte, and a part of it.
    stalled.send_raw(&[23, 3, 3, 4, 0, 1, 2, 3]);
    stalled.ends_clean();
    assert_eq!(silent.stat(" larder", "request_timeouts"), "1");
}

#[test]
fn an_idle_connection_takes_less_than_24_kilobytes() {
    const CONNS: u64 = 400;
    let authority = Authority::new();
    let server = authority.server(&["-t", "2"]);
    for versions in [ONLY_12, ONLY_13] {
        let config = config(&authority, versions, None);
        // What the first ones have made once and for all is not theirs.
        let first: Vec<TlsConn> = (0..50)
            .map(|_| TlsConn::open(server.addr(), &config))
            .collect();
        let before = server.rss();
        let conns: Vec<TlsConn> = (0..CONNS)
            .map(|_| TlsConn::open(server.addr(), &config))
            .collect();
        let each = (server.rss() - before) / CONNS;
        assert!(each < 24 * 1024, "{each} bytes");
        drop((first, conns));
        let mut last = TlsConn::open(server.addr(), &config);
        wait_until(
            std::time::Duration::from_secs(20),
            "the others' ends",
            || {
                last.stat("", "curr_connections")
                    .parse::<u64>()
                    .expect("a number")
                    < 10
            },
        );
    }
}
