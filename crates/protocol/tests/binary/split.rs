//! However a stream is cut into reads, the same requests come out of it.

use larder_protocol::binary::opcode::*;

use crate::frames::{Event, Frame, Reader, good};

fn whole(stream: &[u8]) -> Vec<Event> {
    let mut reader = Reader::default();
    reader.feed(stream);
    reader.events
}

/// Cuts `stream` in two at every place, and feeds it byte by byte.
#[track_caller]
fn check(stream: &[u8]) {
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
    assert_eq!(reader.events, expected, "{}", stream.escape_ascii());
}

#[test]
fn each_frame() {
    for frame in good() {
        check(&frame.bytes());
    }
}

#[test]
fn each_pair_of_frames() {
    let frames = good();
    for (one, other) in frames.iter().zip(frames.iter().skip(1)) {
        check(&[one.bytes(), other.bytes()].concat());
    }
}

#[test]
fn all_frames_in_one_stream() {
    let stream: Vec<u8> = good().iter().flat_map(Frame::bytes).collect();
    let expected = whole(&stream);
    let heads = |event: &&Event| matches!(event, Event::Head(_));
    assert_eq!(expected.iter().filter(heads).count(), good().len());
    for len in [1, 2, 3, 7, 23, 24, 25, 1000] {
        let mut reader = Reader::default();
        for read in stream.chunks(len) {
            reader.feed(read);
        }
        assert_eq!(reader.events, expected, "in reads of {len}");
    }
}

#[test]
fn what_closes_a_connection_ends_the_stream() {
    let noop = Frame::new(NOOP, b"", b"", b"").bytes();
    let closing = [
        Frame::new(QUIT, b"", b"", b"").bytes(),
        Frame::new(QUITQ, b"", b"", b"").bytes(),
        Frame::new(GET, b"", b"", b"").bytes(),
        Frame::new(GET, b"", &[b'k'; 251], b"").bytes(),
        Frame::new(GET, b"", b"key", b"").saying(2),
        b"get key\r\n".to_vec(),
        b"\x81".to_vec(),
    ];
    for front in closing {
        let stream = [&front[..], &noop].concat();
        check(&stream);
        let events = whole(&stream);
        assert_eq!(events.last(), Some(&Event::Closed));
        assert!(events.len() <= 2, "{events:?}");
    }
}
