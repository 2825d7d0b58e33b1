//! However the input is cut into reads, the same replies come out of it, and nothing is looked at more often than needed.

use larder_protocol::client::{Expect, Reply, Step, decode};
use proptest::prelude::*;

use crate::replies::REPLIES;

/// What one feeding of a stream told: each reply, printed.
#[derive(Default)]
struct Reader {
    input: Vec<u8>,
    needed: usize,
    looks: usize,
    replies: Vec<String>,
}

impl Reader {
    fn feed(&mut self, bytes: &[u8], expect: Expect) {
        self.input.extend_from_slice(bytes);
        while !self.input.is_empty() && self.input.len() >= self.needed {
            self.looks += 1;
            match decode(&self.input, expect).expect("replies that fit") {
                Step::Incomplete { needed } => {
                    assert!(needed > self.input.len(), "more than there is");
                    self.needed = needed;
                }
                Step::Complete { len, reply } => {
                    self.replies.push(format!("{reply:?}"));
                    self.input.drain(..len);
                    self.needed = 0;
                }
            }
        }
    }
}

fn fed(stream: &[u8], expect: Expect, cuts: impl IntoIterator<Item = usize>) -> Vec<String> {
    let mut reader = Reader::default();
    let mut from = 0;
    for cut in cuts.into_iter().chain([stream.len()]) {
        reader.feed(&stream[from..cut], expect);
        from = cut;
    }
    assert_eq!(reader.input, b"", "{}", stream.escape_ascii());
    reader.replies
}

#[test]
fn each_reply_cut_at_every_byte() {
    for (expect, stream) in REPLIES {
        let expected = fed(stream, *expect, []);
        for cut in 0..=stream.len() {
            let replies = fed(stream, *expect, [cut]);
            assert_eq!(replies, expected, "{} cut at {cut}", stream.escape_ascii());
        }
        assert_eq!(fed(stream, *expect, 0..stream.len()), expected);
    }
}

#[test]
fn a_large_value_is_looked_at_twice() {
    let mut stream = b"VALUE big 0 1000000\r\n".to_vec();
    stream.resize(stream.len() + 1_000_000, b'\n');
    stream.extend_from_slice(b"\r\n");
    let mut reader = Reader::default();
    for read in stream.chunks(4096) {
        reader.feed(read, Expect::Values);
    }
    assert_eq!((reader.replies.len(), reader.looks), (1, 2));
}

const ALL: [Expect; 12] = [
    Expect::Values,
    Expect::ValuesWithCas,
    Expect::Store,
    Expect::Number,
    Expect::Delete,
    Expect::Touch,
    Expect::Ok,
    Expect::Version,
    Expect::Stats,
    Expect::Mn,
    Expect::Config,
    Expect::Meta,
];

proptest! {
    /// Any bytes are a reply, the beginning of one, or refused; and a reply stays what it is with more behind it.
    #[test]
    fn any_bytes(
        start in prop::sample::select(REPLIES),
        keep in 0_usize..80,
        noise in prop::collection::vec(any::<u8>(), 0..40),
        expect in prop::sample::select(&ALL[..]),
    ) {
        let mut bytes = start.1[..keep.min(start.1.len())].to_vec();
        bytes.extend_from_slice(&noise);
        match decode(&bytes, expect) {
            Ok(Step::Complete { len, reply }) => {
                prop_assert!(len <= bytes.len());
                prop_assert_eq!(decode(&bytes[..len], expect), Ok(Step::Complete { len, reply }));
                if let Reply::Value { value, .. } = reply {
                    prop_assert_eq!(&bytes[len - 2 - value.len()..len - 2], value);
                }
            }
            Ok(Step::Incomplete { needed }) => prop_assert!(needed > bytes.len()),
            Err(broken) => prop_assert!(!broken.to_string().is_empty()),
        }
    }
}
