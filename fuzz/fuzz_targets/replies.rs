//! The client's decoder of replies: whatever a server sends, it is a reply, the beginning of one, or broken; the same
//! however it is cut into reads; and nothing is said to be needed that is not.

#![no_main]

use larder_protocol::client::{Expect, Step, decode};
use libfuzzer_sys::fuzz_target;

const EXPECTS: [Expect; 12] = [
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

fuzz_target!(|data: &[u8]| {
    let Some((&[expect, read_len], stream)) = data.split_first_chunk() else {
        return;
    };
    let expect = EXPECTS[usize::from(expect) % EXPECTS.len()];
    let whole = replies(stream, stream.len().max(1), expect);
    let cut = replies(stream, usize::from(read_len).max(1), expect);
    assert_eq!(cut, whole);
});

/// The replies of a stream that comes in reads of this length, each printed; and at its end what broke it, if anything.
fn replies(stream: &[u8], read_len: usize, expect: Expect) -> Vec<String> {
    let (mut input, mut needed, mut replies) = (Vec::new(), 0, Vec::new());
    for read in stream.chunks(read_len) {
        input.extend_from_slice(read);
        while !input.is_empty() && input.len() >= needed {
            match decode(&input, expect) {
                Ok(Step::Incomplete { needed: more }) => {
                    assert!(more > input.len(), "more than there is");
                    needed = more;
                }
                Ok(Step::Complete { len, reply }) => {
                    replies.push(format!("{reply:?}"));
                    input.drain(..len);
                    needed = 0;
                }
                Err(_) => {
                    replies.push("broken".to_owned());
                    return replies;
                }
            }
        }
    }
    replies
}
