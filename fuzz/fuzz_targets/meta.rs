//! The meta commands' decoder: each input is lines that begin as one of them does. However they are cut into reads the
//! same comes out, and what is recognised in one pass is what it would be if it were read like all others.

#![no_main]

use larder_protocol::limits::LINE_MAX;
use larder_protocol::meta::{self, plain_get};
use larder_protocol::text::{Command, Status, decode};
use libfuzzer_sys::fuzz_target;

#[path = "../../crates/protocol/tests/text/lines.rs"]
#[allow(dead_code)]
mod lines;

const NAMES: [&[u8]; 6] = [b"mg ", b"ms ", b"md ", b"ma ", b"me ", b"mg k"];

fuzz_target!(|data: &[u8]| {
    let Some((&[name, read_len], rest)) = data.split_first_chunk() else {
        return;
    };
    let stream = [NAMES[usize::from(name) % NAMES.len()], rest].concat();
    // A line that is too long is closed at when its end has not come, and served when it has.
    if stream.len() > LINE_MAX {
        return;
    }
    let mut whole = lines::Reader::default();
    whole.feed(&stream);
    let mut cut = lines::Reader::default();
    for read in stream.chunks(usize::from(read_len).max(1)) {
        cut.feed(read);
    }
    assert_eq!(cut.events, whole.events);
    recognised(&stream);
});

/// What is recognised in one pass, if anything.
fn recognised(stream: &[u8]) {
    let Some((get, len)) = plain_get(stream) else {
        return;
    };
    let Status::Complete { line_len, command } = decode(stream, 0) else {
        panic!("a plain line is whole");
    };
    let Command::Meta(meta::Command::Get(request)) = command else {
        panic!("recognised as another command than {command:?}");
    };
    assert_eq!((get.key, len), (request.key, line_len));
    let flags: Vec<&[u8]> = request.flags.words().collect();
    let letters: Vec<u8> = get.letters().collect();
    assert_eq!(letters.chunks(1).collect::<Vec<_>>(), flags);
    assert_eq!(get.is_bare(), letters == b"v");
    for letter in b'A'..=b'z' {
        if letter.is_ascii_alphabetic() {
            assert_eq!(get.has(letter), request.flags.has(letter));
        }
    }
}
