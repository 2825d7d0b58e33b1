//! Whole connections, whatever is sent on them: the replies are the same however a stream is cut into reads and whichever
//! shards are taken meanwhile, and what is left is in good order.

#![no_main]

use larder_protocol::limits::LINE_MAX;
use larder_runtime::harness::{Client, Harness};
use libfuzzer_sys::fuzz_target;

const SHARDS: usize = 2;
const MEMORY: u64 = 16 << 20;

/// Commands that are refused where replies to others are unsent: these depend on the reads.
const ALONE: [&[u8]; 2] = [b"watch", b"lru_crawler"];

fuzz_target!(|data: &[u8]| {
    // A line that is too long is closed at when its end has not come, and served when it has.
    let Some((&read_len, stream)) = data.split_first().filter(|_| data.len() <= LINE_MAX) else {
        return;
    };
    let read_len = usize::from(read_len).max(1);
    let whole = replies(stream, |harness, client| harness.feed(client, stream));
    let cut = replies(stream, |harness, client| {
        let reads = stream.chunks(read_len).enumerate();
        let replies = reads.map(|(at, read)| harness.feed_beside(client, read, at % SHARDS));
        replies.collect::<Vec<_>>().concat()
    });
    let depends = |word: &&[u8]| stream.windows(word.len()).any(|part| part == *word);
    if !ALONE.iter().any(depends) {
        assert_eq!(
            cut.escape_ascii().to_string(),
            whole.escape_ascii().to_string()
        );
    }
});

/// What a new server answers on one connection.
fn replies(stream: &[u8], feed: impl FnOnce(&Harness, &mut Client) -> Vec<u8>) -> Vec<u8> {
    let mut harness = Harness::new(SHARDS, MEMORY).expect("a descriptor");
    let mut client = harness.connect();
    let replies = feed(&harness, &mut client);
    harness.pass(1);
    harness.close(client);
    assert_eq!(harness.check(), Ok(()), "after {}", stream.escape_ascii());
    replies
}
