//! Whatever is sent by somebody who is not in: the replies are the same however it is cut into reads, and without the
//! password nobody learns of an item that is not for strangers, or changes it.

#![no_main]

use larder_protocol::limits::LINE_MAX;
use larder_runtime::UsersFile;
use larder_runtime::harness::{Client, ENTRY, Harness, PASSWORD};
use libfuzzer_sys::fuzz_target;

const MEMORY: u64 = 16 << 20;

/// Users files: strangers may do nothing, read some keys, or do nearly everything with them.
const FILES: [&[u8]; 3] = [
    b"ann:x\nbob:x\n@bob read\n",
    b"ann:x\n@default read,stats prefix=open:\n",
    b"ann:x\n@default read,write,watch,metadump,mgdump,cachedump,stats_detail prefix=open: prefix=k\n",
];

const SECRET: &[u8] = b"confidential";

/// Commands that are refused where replies to others are unsent: these depend on the reads.
const ALONE: [&[u8]; 2] = [b"watch", b"lru_crawler"];

fuzz_target!(|data: &[u8]| {
    // A line that is too long is closed at when its end has not come, and served when it has.
    let Some((&[read_len, file], stream)) =
        data.split_first_chunk().filter(|_| data.len() <= LINE_MAX)
    else {
        return;
    };
    let (read_len, file) = (usize::from(read_len).max(1), FILES[usize::from(file) % 3]);
    let has = |word: &[u8]| stream.windows(word.len()).any(|part| part == word);
    let harmless = !has(PASSWORD);
    let whole = replies(file, harmless, |harness, client| {
        harness.feed(client, stream)
    });
    let cut = replies(file, harmless, |harness, client| {
        let reads = stream.chunks(read_len);
        let replies = reads.map(|read| harness.feed(client, read));
        replies.collect::<Vec<_>>().concat()
    });
    if !ALONE.iter().any(|word| has(word)) {
        assert_eq!(
            cut.escape_ascii().to_string(),
            whole.escape_ascii().to_string()
        );
    }
});

/// What a new server with one item answers to one connection; `harmless` is one that must neither see nor change it.
fn replies(
    file: &[u8],
    harmless: bool,
    feed: impl FnOnce(&Harness, &mut Client) -> Vec<u8>,
) -> Vec<u8> {
    let admitted = UsersFile::read(file, |_| Ok(()))
        .expect("a good file")
        .admitted(|()| ENTRY);
    let mut harness = Harness::guarded(1, MEMORY, admitted).expect("a descriptor");
    let mut ann = harness.connect();
    let put = b"set a 0 0 9\r\nann right\r\nset secret 0 0 12\r\nconfidential\r\n";
    assert_eq!(harness.feed(&mut ann, put), b"STORED\r\nSTORED\r\n");
    let mut client = harness.connect();
    let replies = feed(&harness, &mut client);
    let shown = replies.windows(SECRET.len()).any(|part| part == SECRET);
    assert!(!(shown && harmless), "{}", replies.escape_ascii());
    if harmless {
        let got = harness.feed(&mut ann, b"get secret\r\n");
        assert_eq!(
            got.escape_ascii().to_string(),
            "VALUE secret 0 12\\r\\nconfidential\\r\\nEND\\r\\n"
        );
    }
    harness.pass(1);
    harness.close(client);
    harness.close(ann);
    assert_eq!(harness.check(), Ok(()));
    replies
}
