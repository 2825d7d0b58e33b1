//! What the tests of the text protocol share: streams of commands, and a client of `decode` that takes them in pieces.

use larder_protocol::meta;
use larder_protocol::text::{self, Command, GetVerb, Status};

/// What came out of a stream, in the order it came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A get line, its keys read.
    Get {
        verb: GetVerb,
        exptime: i32,
        keys: Vec<Vec<u8>>,
    },
    /// Any other command.
    Line(String),
    /// A data block, or a refused one that was dropped.
    Block(Vec<u8>),
    /// The connection is to be closed.
    Closed,
}

/// Reads a stream as a connection does: what is complete is taken off the front, the rest waits for more.
#[derive(Default)]
pub(crate) struct Reader {
    buf: Vec<u8>,
    searched: usize,
    block_len: usize,
    closed: bool,
    pub(crate) events: Vec<Event>,
}

impl Reader {
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
        while !self.closed && self.step() {}
    }

    /// Whether anything was taken off.
    fn step(&mut self) -> bool {
        if self.block_len > 0 {
            if self.buf.len() < self.block_len {
                return false;
            }
            let block = self.buf.drain(..self.block_len).collect();
            self.events.push(Event::Block(block));
            self.block_len = 0;
            return true;
        }
        let (event, line_len, block_len) = match text::decode(&self.buf, self.searched) {
            Status::Partial => {
                self.searched = self.buf.len();
                return false;
            }
            Status::Overlong => (Event::Closed, 0, 0),
            Status::Complete { line_len, command } => {
                let block_len = match command {
                    Command::Store(store) => u64::from(store.value_len) + 2,
                    Command::Meta(meta::Command::Set(set)) => u64::from(set.value_len) + 2,
                    Command::Refused(refused) => refused.swallow,
                    _ => 0,
                };
                (event(&self.buf, command), line_len, block_len)
            }
        };
        self.closed = matches!(event, Event::Closed);
        self.events.push(event);
        self.buf.drain(..line_len);
        self.searched = 0;
        self.block_len = usize::try_from(block_len).expect("a block's length fits");
        !self.closed
    }
}

fn event(buf: &[u8], command: Command<'_>) -> Event {
    match command {
        Command::Get(get) => Event::Get {
            verb: get.verb,
            exptime: get.exptime,
            keys: keys(buf, get.keys_at),
        },
        Command::Quit | Command::Http => Event::Closed,
        command => Event::Line(format!("{command:?}")),
    }
}

/// All keys of the get line at the front of `buf`.
pub(crate) fn keys(buf: &[u8], mut at: usize) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    while let Some((key, next)) = text::next_key(buf, at) {
        assert!(next >= key.end && key.start < key.end, "each call goes on");
        keys.push(buf[key].to_vec());
        at = next;
    }
    keys
}

/// Lines that between them reach every command, every error and every edge of a line.
pub(crate) const LINES: &[&[u8]] = &[
    b"get a\r\n",
    b"get a\n",
    b"get  a  b  \r\n",
    b"gets a b c\r\n",
    b"gat 0 a\r\n",
    b"gats -1 a b\r\n",
    b"get noreply\r\n",
    b"get a\tb \0 \x01\x1f\r\n",
    b"get a\rb\r \r\r\n",
    b"get / HTTP/1.1\r\n",
    b"get key:00001234 key:00001235\r\n",
    b"get \xff\xfe\x80 \xa1\xa0\r\n",
    b"get\r\n",
    b"get \r\n",
    b"gets    \n",
    b"gat\r\n",
    b"gat 1\r\n",
    b"gat x\r\n",
    b"gat x a\r\n",
    b"gat +1 a\r\n",
    b"gat 2147483648 a\r\n",
    b"get\ta\r\n",
    b" get a\r\n",
    b"GET a\r\n",
    b"gett a\r\n",
    b"set k 0 0 1\r\nx\r\n",
    b"set k 0 0 0\r\n\r\n",
    b"set k 0 0 4 noreply\r\n\r\n\r\n\r\n",
    b"add k +1 -1 003\nabc\r\n",
    b"replace k 4294967296 2147483648 2 foo bar\r\nab\r\n",
    b"append k 5\tz 0 1\r\nx\r\n",
    b"prepend  k  0  0  1  noreply  \r\nx\r\n",
    b"cas k 0 0 1 18446744073709551615\r\nx\r\n",
    b"cas k 1 2 1 3 noreply\r\nx\r\n",
    b"set k -1 0 1\r\nx\r\n",
    b"set k 0 x 1 noreply\r\nx\r\n",
    b"set k 0 9223372036854775808 1\r\nx\r\n",
    b"cas k 0 0 1\r\nx\r\n",
    b"cas k 0 0 1 x\r\nx\r\n",
    b"cas k 0 0 1 noreply\r\nx\r\n",
    b"set\r\n",
    b"set k\r\n",
    b"set k 0 0\r\n",
    b"set k 0 0 noreply\r\n",
    b"set k 0 0 -1 noreply\r\n",
    b"set k 0 0 2147483646 noreply\r\n",
    b"set k 0 0 1x\r\n",
    b"set k 0 0 +1\r\n",
    b"incr k 1\r\n",
    b"decr k 18446744073709551615 noreply\r\n",
    b"incr k 18446744073709551616\r\n",
    b"incr k\r\n",
    b"incr k noreply\r\n",
    b"decr k -1 noreply\r\n",
    b"incr k 1 2 3\r\n",
    b"delete k\r\n",
    b"delete k 0\r\n",
    b"delete k noreply\r\n",
    b"delete noreply\r\n",
    b"delete\r\n",
    b"delete k NOREPLY\r\n",
    b"delete k xnoreply\r\n",
    b"delete k noreply x\r\n",
    b"delete k noreply\r\r\n",
    b"touch k 0\r\n",
    b"touch k -1 noreply\r\n",
    b"touch k x\r\n",
    b"touch k x noreply\r\n",
    b"touch k\r\n",
    b"flush_all\r\n",
    b"flush_all 10\r\n",
    b"flush_all noreply\r\n",
    b"flush_all -1 noreply\r\n",
    b"flush_all x\r\n",
    b"flush_all noreply noreply\r\n",
    b"verbosity\r\n",
    b"verbosity 1\r\n",
    b"verbosity 9 noreply\r\n",
    b"verbosity x\r\n",
    b"cache_memlimit 64\r\n",
    b"cache_memlimit 7\r\n",
    b"cache_memlimit 1000000001 noreply\r\n",
    b"cache_memlimit\r\n",
    b"cache_memlimit x\r\n",
    b"shutdown\r\n",
    b"shutdown graceful\r\n",
    b"shutdown gr\r\n",
    b"shutdown graceful now\r\n",
    b"version\r\n",
    b"version 1 2\n",
    b"mn\r\n",
    b"mn x\r\n",
    b"refresh_certs\r\n",
    b"watch\r\n",
    b"watch fetchers\r\n",
    b"watch evictions mutations  connevents \n",
    b"watch fetchers foo\r\n",
    b"watch noreply\r\n",
    b"watching\r\n",
    b"refresh_certs noreply\r\n",
    b"stats\r\n",
    b"stats noreply\r\n",
    b"stats  settings\r\n",
    b"stats items\r\n",
    b"stats slabs\r\n",
    b"stats larder\r\n",
    b"stats conns\r\n",
    b"stats sizes\r\n",
    b"stats reset noreply\r\n",
    b"stats s\r\n",
    b"stats detail on\r\n",
    b"stats detail off\r\n",
    b"stats detail dump\r\n",
    b"stats detail\r\n",
    b"stats detail x\r\n",
    b"slabs reassign 1 2\r\n",
    b"slabs automove window 30 noreply\r\n",
    b"lru tune 10 20 0.1 1.5\r\n",
    b"lru mode flat noreply\r\n",
    b"lru temp_ttl -1\r\n",
    b"lru_crawler crawl 1,2,3\r\n",
    b"lru_crawler metadump hash\r\n",
    b"lru_crawler mgdump all\r\n",
    b"stats cachedump 1 0\r\n",
    b"stats cachedump 1\r\n",
    b"stats cachedump 1 x\r\n",
    b"stats cachedump 64 1\r\n",
    b"\n",
    b"\r\n",
    b"x\r\n",
    b"mn\n",
    b" \n",
    b"ab\n",
    b"    \r\n",
    b"foo\r\n",
    b"foo noreply\r\n",
    b"noreply\r\n",
    b"slabs reassign 1 2\r\n",
    b"HTTP/1.1\r\n",
    b"mg k v\r\n",
];
