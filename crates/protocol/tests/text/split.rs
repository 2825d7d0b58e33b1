//! However a stream is cut into reads, the same commands come out of it.

use crate::lines::{Event, LINES, Reader};

fn whole(stream: &[u8]) -> Vec<Event> {
    let mut reader = Reader::default();
    reader.feed(stream);
    reader.events
}

/// Cuts `stream` in two at every place, and feeds it byte by byte.
#[track_caller]
pub(crate) fn check(stream: &[u8]) {
    let expected = whole(stream);
    for cut in 0..=stream.len() {
        let mut reader = Reader::default();
        reader.feed(&stream[..cut]);
        reader.feed(&stream[cut..]);
        assert_eq!(
            reader.events,
            expected,
            "{} cut at {cut}",
            stream.escape_ascii()
        );
    }
    let mut reader = Reader::default();
    for byte in stream {
        reader.feed(std::slice::from_ref(byte));
    }
    assert_eq!(
        reader.events,
        expected,
        "{} byte by byte",
        stream.escape_ascii()
    );
}

#[test]
fn each_line() {
    for line in LINES {
        check(line);
    }
}

#[test]
fn each_pair_of_lines() {
    for (one, other) in LINES.iter().zip(LINES.iter().skip(1)) {
        check(&[*one, *other].concat());
    }
}

#[test]
fn all_lines_in_one_stream() {
    let stream = LINES.concat();
    let expected = whole(&stream);
    assert!(
        expected.len() >= LINES.len(),
        "each line is an event at least"
    );
    for len in [1, 2, 3, 7, 8, 9, 64, 1000] {
        let mut reader = Reader::default();
        for read in stream.chunks(len) {
            reader.feed(read);
        }
        assert_eq!(reader.events, expected, "in reads of {len}");
    }
}

#[test]
fn what_closes_a_connection_ends_the_stream() {
    for line in [
        &b"quit\r\nget a\r\n"[..],
        b"quit now\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        check(line);
        assert_eq!(whole(line), [Event::Closed]);
    }
}

#[test]
fn a_get_of_many_keys() {
    let mut line = b"get".to_vec();
    let expected: Vec<_> = (0..100_000)
        .map(|i| format!("key:{i:08}").into_bytes())
        .collect();
    for key in &expected {
        line.push(b' ');
        line.extend_from_slice(key);
    }
    line.extend_from_slice(b"\r\n");
    let mut reader = Reader::default();
    for read in line.chunks(16 << 10) {
        reader.feed(read);
    }
    let [Event::Get { keys, .. }] = &reader.events[..] else {
        panic!("one get, not {} events", reader.events.len());
    };
    assert!(*keys == expected);
}
