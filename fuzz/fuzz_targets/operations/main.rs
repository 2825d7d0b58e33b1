//! Whole connections against the twin of a store: commands of all protocols, cut anywhere, on connections that take
//! turns, while time goes by and shards are taken now and then. Every reply is compared, and in the end every item.
//!
//! Some runs have too little memory. In them each command is sent whole, and before each the twin is told which items are
//! there still: it forgets those that were evicted, and nothing else may differ. A command that found no memory has done
//! nothing, but that its key's item may be gone; one item may go while a command's value comes.

#![no_main]

mod binary;
mod dice;
mod flags;
mod meta;
mod speech;
mod text;
mod twin;

use dice::Dice;
use larder_runtime::harness::{Client, Harness};
use libfuzzer_sys::fuzz_target;
use speech::{Moment, Speech};
use twin::Twin;

/// Enough for all keys with the longest values, for what is on its way in and for what is being read.
const MEMORY: u64 = 256 << 20;

/// Too little: a few of the longest values.
const LITTLE_MEMORY: u64 = 4 << 20;

/// How a command is answered for which there is no memory.
const OUT_OF_MEMORY: &[&[u8]] = &[
    b"SERVER_ERROR out of memory storing object\r\n",
    b"SERVER_ERROR out of memory\r\n",
];

/// Connections of each protocol.
const LINES: usize = 4;

/// A connection: what it has still to send, in which protocol.
struct Line {
    client: Client,
    binary: bool,
    speech: Speech,
}

/// A client that has asked for a value and does not read it yet, and what it should come to read.
struct Slow {
    client: Client,
    read: Vec<u8>,
    expected: Vec<u8>,
}

struct Run<'a> {
    dice: Dice<'a>,
    shards: usize,
    /// Whether memory is short.
    tight: bool,
    harness: Harness,
    twin: Twin,
    lines: Vec<Line>,
    slow: Vec<Slow>,
    watchers: Vec<Client>,
}

fuzz_target!(|data: &[u8]| {
    let mut run = Run::new(Dice::new(data));
    while !run.dice.is_empty() {
        run.step();
    }
    run.end();
});

impl<'a> Run<'a> {
    fn new(mut dice: Dice<'a>) -> Self {
        let shards = 1 + dice.below(3);
        let (memory, has_cas) = (dice.below(4), !dice.once_in(4));
        let tight = memory >= 2;
        (dice.loud, dice.chooses_cas) = (tight, has_cas);
        let bytes = if tight { LITTLE_MEMORY } else { MEMORY };
        let harness = Harness::with(shards, bytes, memory != 3, has_cas);
        let harness = harness.expect("a descriptor");
        let line = |number| Line {
            client: harness.connect(),
            binary: number % 2 == 1,
            speech: Speech::default(),
        };
        let lines = (0..LINES).map(line).collect();
        Self {
            dice,
            shards,
            tight,
            harness,
            twin: Twin::new(has_cas),
            lines,
            slow: Vec::new(),
            watchers: Vec::new(),
        }
    }

    fn step(&mut self) {
        match self.dice.below(32) {
            0..18 => {
                let line = &mut self.lines[self.dice.below(LINES)];
                match line.binary {
                    true => binary::command(&mut self.dice, &mut line.speech),
                    false if self.dice.once_in(2) => {
                        meta::command(&mut self.dice, &mut line.speech);
                    }
                    false => text::command(&mut self.dice, &mut line.speech),
                }
            }
            18..26 => self.send_some(),
            26 => self.pass(),
            27 => self.close(),
            28 => self.read_slowly(),
            29 => self.read_on(),
            30 => self.watch(),
            _ => self.upkeep(),
        }
    }

    /// Sends a part of what a connection has to say, or all of it.
    fn send_some(&mut self) {
        let number = self.dice.below(LINES);
        if self.tight {
            return self.send_one_by_one(number);
        }
        let len = self.lines[number].speech.bytes.len();
        let part = match self.dice.below(4) {
            0 => len,
            1 => self.dice.below(256),
            2 => len.saturating_sub(self.dice.below(256)),
            _ => self.dice.below(256) * len / 256,
        };
        self.send(number, part.min(len));
    }

    /// Sends so much of what a connection has to say, and compares what comes back.
    fn send(&mut self, number: usize, len: usize) {
        let beside = self.dice.below(2 * self.shards);
        let line = &mut self.lines[number];
        let (bytes, moments) = line.speech.take(len);
        let replies = match beside < self.shards {
            true => self.harness.feed_beside(&mut line.client, &bytes, beside),
            false => self.harness.feed(&mut line.client, &bytes),
        };
        let mut expected = Vec::new();
        for moment in moments {
            moment(&mut self.twin, &mut expected);
        }
        same(&replies, &expected, &bytes);
    }

    /// Sends all that a connection has to say, a moment at a time, where memory is short.
    fn send_one_by_one(&mut self, number: usize) {
        while !self.lines[number].speech.bytes.is_empty() {
            self.forget_evicted();
            let line = &mut self.lines[number];
            let (bytes, moments) = line.speech.take(line.speech.until_next());
            let replies = self.harness.feed(&mut line.client, &bytes);
            let failed = match line.binary {
                true => binary::is_out_of_memory(&replies),
                false => OUT_OF_MEMORY.contains(&&replies[..]),
            };
            if !failed {
                self.follow(&moments, &replies, &bytes);
            }
        }
    }

    /// The twin does what a command does, of which an item may have been evicted while its value came.
    fn follow(&mut self, moments: &[Moment], replies: &[u8], sent: &[u8]) {
        let after = |twin: &mut Twin| {
            let mut expected = Vec::new();
            for moment in moments {
                moment(twin, &mut expected);
            }
            expected
        };
        let before = self.twin.clone();
        let expected = after(&mut self.twin);
        if replies == expected {
            return;
        }
        // An append that finds no memory is answered as one that finds no item. Whether there is one the next dump says.
        if replies == b"NOT_STORED\r\n" || binary::is_not_stored(replies) {
            self.twin = before;
            return;
        }
        for (evicted, _) in before.keys() {
            let mut twin = before.clone();
            twin.keep(|key| key != evicted);
            if after(&mut twin) == replies {
                self.twin = twin;
                return;
            }
        }
        same(replies, &expected, sent);
    }

    /// The twin forgets what was evicted; whatever else there is it knows.
    fn forget_evicted(&mut self) {
        let mut client = self.harness.connect();
        let dump = self.dump(&mut client);
        let lines = |key: &[u8], base64| dump_line(key, base64);
        let is_there = |line: &[u8]| {
            dump.windows(line.len() + 1)
                .any(|place| place[0] == b'\n' && place[1..] == *line)
        };
        let gone: Vec<Vec<u8>> = self
            .twin
            .keys()
            .into_iter()
            .filter(|(key, base64)| !is_there(&lines(key, *base64)))
            .map(|(key, _)| key)
            .collect();
        self.twin.keep(|key| !gone.iter().any(|other| other == key));
        self.same_keys(&mut client);
        self.harness.close(client);
    }

    fn pass(&mut self) {
        let seconds = self.dice.below(4) as u32;
        self.harness.pass(seconds);
        self.twin.pass(seconds);
    }

    /// A connection ends, in the middle of whatever it is saying; another takes its place.
    fn close(&mut self) {
        let number = self.dice.below(LINES);
        let line = &mut self.lines[number];
        let old = std::mem::replace(&mut line.client, self.harness.connect());
        line.speech = Speech::default();
        self.harness.close(old);
    }

    /// A client asks for a value, and reads no more of it than it gets at once.
    fn read_slowly(&mut self) {
        if self.tight {
            return;
        }
        let key = self.dice.key();
        let mut client = self.harness.connect();
        let ask = [b"get ", key, b"\r\n"].concat();
        let (read, _) = self.harness.turn(&mut client, &ask);
        let mut expected = Vec::new();
        text::answer(&mut self.twin, key, false, None, &mut expected);
        expected.extend_from_slice(b"END\r\n");
        self.slow.push(Slow {
            client,
            read,
            expected,
        });
    }

    /// Somebody who reads slowly reads the rest, or goes away.
    fn read_on(&mut self) {
        if self.slow.is_empty() {
            return;
        }
        let number = self.dice.below(self.slow.len().min(256));
        let mut slow = self.slow.swap_remove(number);
        if !self.dice.once_in(4) {
            let rest = self.harness.feed(&mut slow.client, b"");
            slow.read.extend_from_slice(&rest);
            same(&slow.read, &slow.expected, b"a slow get");
        }
        self.harness.close(slow.client);
    }

    /// Somebody begins to watch, or all who do so stop.
    fn watch(&mut self) {
        if self.dice.once_in(3) {
            for watcher in self.watchers.drain(..) {
                self.harness.close(watcher);
            }
        } else if self.watchers.len() < 3 {
            let mut client = self.harness.connect();
            let all = b"watch fetchers mutations evictions deletions sysevents\r\n";
            let replies = self.harness.feed(&mut client, all);
            same(&replies, b"OK\r\n", all);
            self.watchers.push(client);
        }
    }

    /// Work that changes nothing that another client could see.
    fn upkeep(&mut self) {
        let mut client = self.harness.connect();
        let line = self.dice.pick(&[
            "lru_crawler crawl all",
            "stats",
            "stats sizes",
            "stats conns",
            "stats detail dump",
            "lru_crawler metadump all",
        ]);
        let replies = self
            .harness
            .feed(&mut client, format!("{line}\r\n").as_bytes());
        assert!(replies.ends_with(b"\r\n"), "{line}: {}", show(&replies));
        self.harness.close(client);
    }

    /// All has its end, and what is there is what should be.
    fn end(mut self) {
        for number in 0..LINES {
            if self.tight {
                self.send_one_by_one(number);
            } else {
                let len = self.lines[number].speech.bytes.len();
                self.send(number, len);
            }
        }
        while !self.slow.is_empty() {
            self.read_on();
        }
        self.harness.pass(0);
        if self.tight {
            self.forget_evicted();
        }
        let mut client = self.harness.connect();
        self.same_keys(&mut client);
        let (mut asked, mut expected) = (Vec::new(), Vec::new());
        for (key, _) in self.twin.keys() {
            if key.contains(&b' ') || key.contains(&b'\n') {
                let (asked, expected) = binary::get_of(&mut self.twin, &key);
                let mut client = self.harness.connect();
                same(&self.harness.feed(&mut client, &asked), &expected, &asked);
                self.harness.close(client);
                continue;
            }
            asked.extend_from_slice(&[b"gets ", &key[..], b"\r\n"].concat());
            text::answer(&mut self.twin, &key, true, None, &mut expected);
            expected.extend_from_slice(b"END\r\n");
        }
        let replies = self.harness.feed(&mut client, &asked);
        same(&replies, &expected, &asked);
        let others = self.lines.into_iter().map(|line| line.client);
        for client in others.chain(self.watchers).chain([client]) {
            self.harness.close(client);
        }
        assert_eq!(self.harness.check(), Ok(()));
    }

    /// A dump shows each key once.
    fn same_keys(&mut self, client: &mut Client) {
        let dump = self.dump(client);
        let mut expected = b"OK\r\nEN\r\n".to_vec();
        for (key, base64) in self.twin.keys() {
            expected.extend(dump_line(&key, base64));
        }
        same(&sorted(&dump), &sorted(&expected), b"a dump");
    }

    fn dump(&self, client: &mut Client) -> Vec<u8> {
        self.harness.feed(client, b"lru_crawler enable\r\n");
        self.harness.feed(client, b"lru_crawler mgdump hash\r\n")
    }
}

/// The keys that no line can hold: a dump shows them as base64 in any case.
const UNFIT: &[(&[u8], &[u8])] = &[
    (b"with a blank", b"mg d2l0aCBhIGJsYW5r b\r\n"),
    (b"two\nlines", b"mg dHdvCmxpbmVz b\r\n"),
];

/// How a dump shows a key.
fn dump_line(key: &[u8], base64: bool) -> Vec<u8> {
    if let Some((_, line)) = UNFIT.iter().find(|(unfit, _)| *unfit == key) {
        return line.to_vec();
    }
    let end: &[u8] = if base64 { b" b\r\n" } else { b"\r\n" };
    [b"mg ", flags::written(key, base64), end].concat()
}

/// The lines in order.
fn sorted(text: &[u8]) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
    lines.sort_unstable();
    lines.concat()
}

/// Fails when replies are not what is expected, and shows where they part.
#[track_caller]
fn same(replies: &[u8], expected: &[u8], sent: &[u8]) {
    let both = replies.iter().zip(expected);
    let at = both.take_while(|(one, other)| one == other).count();
    let around = |bytes: &[u8]| {
        let to = (at + 80).min(bytes.len());
        show(&bytes[at.saturating_sub(80)..to])
    };
    assert!(
        replies == expected,
        "to {}\nthe replies, {} bytes and {}, part at byte {at}:\n  {}\nand expected were\n  {}",
        show(&sent[..sent.len().min(400)]),
        replies.len(),
        expected.len(),
        around(replies),
        around(expected)
    );
}

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
