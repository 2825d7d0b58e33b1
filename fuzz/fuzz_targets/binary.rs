//! The binary protocol's decoder: however a stream is cut into reads, the same comes out of it.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/protocol/tests/binary/frames.rs"]
#[allow(dead_code)]
mod frames;

fuzz_target!(|data: &[u8]| {
    let Some((&read_len, stream)) = data.split_first() else {
        return;
    };
    let mut whole = frames::Reader::default();
    whole.feed(stream);
    let mut cut = frames::Reader::default();
    for read in stream.chunks(usize::from(read_len).max(1)) {
        cut.feed(read);
    }
    assert_eq!(cut.events, whole.events);
});
