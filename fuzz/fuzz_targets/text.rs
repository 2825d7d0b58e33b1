//! The text protocol's decoder, meta commands included: however a stream is cut into reads the same comes out of it, and
//! the two most frequent lines are what they would be if they were read like all others.

#![no_main]

use larder_protocol::limits::LINE_MAX;
use larder_protocol::text::{Command, Frequent, GetVerb, Status, decode, frequent};
use libfuzzer_sys::fuzz_target;

#[path = "../../crates/protocol/tests/text/lines.rs"]
#[allow(dead_code)]
mod lines;

fuzz_target!(|data: &[u8]| {
    // A line that is too long is closed at when its end has not come, and served when it has.
    let Some((&read_len, stream)) = data.split_first().filter(|_| data.len() <= LINE_MAX) else {
        return;
    };
    let mut whole = lines::Reader::default();
    whole.feed(stream);
    let mut cut = lines::Reader::default();
    for read in stream.chunks(usize::from(read_len).max(1)) {
        cut.feed(read);
    }
    assert_eq!(cut.events, whole.events);
    recognised(stream);
});

/// What is recognised without reading it word by word.
fn recognised(stream: &[u8]) {
    let Some(line) = frequent(stream) else {
        return;
    };
    let Status::Complete { line_len, command } = decode(stream, 0) else {
        panic!("a frequent line is whole");
    };
    match (line, command) {
        (Frequent::Get { key, line_len: len }, Command::Get(get)) => {
            assert_eq!((len, get.verb), (line_len, GetVerb::Get));
            assert_eq!(lines::keys(stream, get.keys_at), [&stream[key]]);
        }
        (Frequent::Set { set, line_len: len }, Command::Store(store)) => {
            assert_eq!((len, set.store()), (line_len, store));
        }
        (_, command) => panic!("recognised as another command than {command:?}"),
    }
}
