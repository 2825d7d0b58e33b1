//! Random command streams: thousands of commands from a printed seed, delivered in random pieces, compared reply by
//! reply, and memcached's counters at the end.
//!
//! Left out is what 1.6.18 answers differently from 1.6.45 (`scripts/differences.txt` judges that), and incr or decr of
//! a key that the same batch has read: memcached writes the number elsewhere while a reply still holds the item, and
//! then does not pad it; of a value of more than 4 KiB that begins with a number, which is none here. Also numbers of 2^63 and more: 1.6.18 looks for a minus sign in whatever memory lies behind them.

use std::collections::{HashMap, HashSet};

use crate::pair::{Answer, End, Pair, exchange};
use crate::support::{Conn, Rng, show};

/// Values from here on may come to more than 4 KiB when joined: incr and decr are kept off them.
const COUNTED_MAX: usize = 100;

/// Streams of one run, and the batches of a stream.
const STREAMS: u64 = 150;
const BATCHES: u64 = 12;
/// Counters that must agree after every stream.
const COUNTERS: &[&str] = &[
    "cmd_get",
    "cmd_set",
    "cmd_flush",
    "cmd_touch",
    "get_hits",
    "get_misses",
    "delete_misses",
    "delete_hits",
    "incr_misses",
    "incr_hits",
    "decr_misses",
    "decr_hits",
    "cas_misses",
    "cas_hits",
    "cas_badval",
    "touch_hits",
    "touch_misses",
    "store_too_large",
    "store_no_memory",
];
const KEYS: &[&str] = &[
    "a",
    "b",
    "c",
    "n",
    "m",
    "key:1",
    "key:2",
    "k\x01\t",
    "a-rather-longer-key-than-the-others-are",
];
const EXPTIMES: &[&str] = &[
    "0",
    "0",
    "0",
    "0",
    "100",
    "2000000",
    "-1",
    "2592001",
    "2147483647",
];
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "7",
    "10",
    "100",
    "99999",
    "1000000000000000",
    "abc",
    "-1",
    "1x",
    "007",
];
const STORED_NUMBERS: &[&str] = &[
    "0",
    "9",
    "10",
    "12345",
    "1000000000000000",
    " 12",
    "12 x",
    "abc",
    "-5",
    "00012",
    "",
];
const UNKNOWN: &[&str] = &[
    "foobar",
    "foo bar",
    "gett a",
    "GET a",
    "stats foobar",
    "cache_memlimit 2000000000",
    "verbosity 0",
    "mn",
    "touch a 1x",
    "incr n 1x",
    "decr n 18446744073709551616",
    "gat 1x a",
    "flush_all 1x",
    "flush_all 0 noreply",
    "stats detail",
];

/// Runs all streams of a seed; `SEED=` plays one stream again.
pub(crate) fn run() {
    run_streams("random_streams", STREAMS, stream);
}

/// Runs so many streams from a seed that is printed, or the one that `SEED` names.
pub(crate) fn run_streams(test: &str, streams: u64, stream: fn(&Pair, u64)) {
    let replay = std::env::var_os("SEED").is_some();
    let base = Rng::seed(test);
    let pair = Pair::start();
    for i in 0..if replay { 1 } else { streams } {
        stream(&pair, base.wrapping_add(i));
    }
}

/// The batch in one to `most` pieces.
pub(crate) fn cuts<'a>(rng: &mut Rng, batch: &'a [u8], most: u64) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = (0..rng.below(most))
        .map(|_| rng.below(batch.len() as u64 + 1) as usize)
        .collect();
    at.extend([0, batch.len()]);
    at.sort_unstable();
    at.windows(2)
        .map(|ends| &batch[ends[0]..ends[1]])
        .filter(|piece| !piece.is_empty())
        .collect()
}

/// Makes the commands of one stream, and learns from the replies to them.
pub(crate) trait Make {
    /// A pipeline of some commands.
    fn batch(&mut self) -> Vec<u8> {
        self.begin_batch();
        let mut out = Vec::new();
        for _ in 0..1 + self.rng().below(30) {
            self.command(&mut out);
        }
        out
    }
    /// Forgets what holds within one batch only.
    fn begin_batch(&mut self);
    fn command(&mut self, out: &mut Vec<u8>);
    fn learn(&mut self, replies: &[u8]);
    fn rng(&mut self) -> &mut Rng;
}

fn stream(pair: &Pair, seed: u64) {
    let mut make = Maker {
        rng: Rng::new(seed),
        cas: HashMap::new(),
        read: HashSet::new(),
        long: HashSet::new(),
    };
    compare_lines(pair, seed, BATCHES, &mut make);
}

/// Plays one stream of lines to both servers: the same replies to each batch, and the same counters at the end.
pub(crate) fn compare_lines(pair: &Pair, seed: u64, batches: u64, make: &mut impl Make) {
    pair.clear();
    let (mut memcached, mut ours) = pair.connect();
    for _ in 0..batches {
        let batch = make.batch();
        let cuts = cuts(make.rng(), &batch, 8);
        let theirs = exchange(&mut memcached, &cuts, End::Mark);
        let our = exchange(&mut ours, &cuts, End::Mark);
        let same = our
            .bytes
            .iter()
            .zip(&theirs.bytes)
            .take_while(|(ours, theirs)| ours == theirs)
            .count();
        let around = |answer: &Answer| {
            show(&answer.bytes[same.saturating_sub(60)..(same + 60).min(answer.bytes.len())])
        };
        assert!(
            theirs == our,
            "SEED={seed}, the replies to\n  {}\n  part at byte {same}: memcached ({:?}) {}\n  and larderd ({:?}) {}",
            show(&batch),
            theirs.ended,
            around(&theirs),
            our.ended,
            around(&our)
        );
        make.learn(&theirs.bytes);
    }
    assert_eq!(
        counters(&mut memcached),
        counters(&mut ours),
        "counters of memcached and larderd after SEED={seed}"
    );
}

/// The counters as a server has them now.
pub(crate) fn counters(conn: &mut Conn) -> Vec<(String, String)> {
    conn.stats("")
        .into_iter()
        .filter(|(name, _)| COUNTERS.contains(&name.as_str()))
        .collect()
}

struct Maker {
    rng: Rng,
    /// The last CAS unique seen of a key.
    cas: HashMap<String, String>,
    /// Keys read by this batch.
    read: HashSet<&'static str>,
    /// Keys whose value may be longer than [`COUNTED_MAX`].
    long: HashSet<&'static str>,
}

impl Make for Maker {
    fn begin_batch(&mut self) {
        self.read.clear();
    }

    fn command(&mut self, out: &mut Vec<u8>) {
        match self.rng.below(100) {
            0..40 => self.store(out),
            40..62 => self.retrieve(out),
            62..80 => self.arithmetic(out),
            80..87 => self.key_command(out, "delete"),
            87..93 => self.key_command(out, "touch"),
            93..95 => out.extend(b"flush_all\r\n"),
            _ => out.extend(format!("{}\r\n", self.rng.pick(UNKNOWN)).bytes()),
        }
    }

    /// Remembers the CAS uniques in a reply. Values may hold anything, so a wrong one may be learned: it is as good as any.
    fn learn(&mut self, replies: &[u8]) {
        for line in String::from_utf8_lossy(replies).split("\r\n") {
            let words: Vec<&str> = line.split(' ').collect();
            if let ["VALUE", key, _, _, cas] = words[..]
                && !cas.is_empty()
                && cas.bytes().all(|b| b.is_ascii_digit())
            {
                self.cas.insert(key.to_owned(), cas.to_owned());
            }
        }
    }

    fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }
}

impl Maker {
    fn store(&mut self, out: &mut Vec<u8>) {
        let verb = *self.rng.pick(&[
            "set", "set", "set", "add", "replace", "append", "prepend", "cas",
        ]);
        let key = *self.rng.pick(KEYS);
        let flags = *self.rng.pick(&["0", "0", "1", "65535", "4294967295", "+3"]);
        // Only the store commands take a plus sign.
        let plus = if self.rng.once_in(10) { "+" } else { "" };
        let exptime = self.rng.pick(EXPTIMES);
        let exptime = if exptime.starts_with('-') {
            (*exptime).to_owned()
        } else {
            format!("{plus}{exptime}")
        };
        let data = self.data();
        if data.len() > COUNTED_MAX {
            self.long.insert(key);
        }
        let end = if self.rng.once_in(25) {
            b"oops!\r\n".as_slice()
        } else {
            b"\r\n"
        };
        let mut line = format!("{verb} {key} {flags} {exptime} {}", data.len());
        if verb == "cas" {
            line += &format!(" {}", self.cas_unique(key));
        }
        line += self.noreply();
        out.extend([line.as_bytes(), b"\r\n", &data, end].concat());
    }

    fn data(&mut self) -> Vec<u8> {
        match self.rng.below(10) {
            0..4 => self.rng.pick(STORED_NUMBERS).as_bytes().to_vec(),
            4..8 => {
                let len = self.rng.below(60) as usize;
                self.rng.bytes(len)
            }
            8 => {
                let len = self.rng.below(3_000) as usize;
                self.rng.bytes(len)
            }
            _ if self.rng.once_in(20) => {
                // Around what one borrow copies, and around `-I`, of which keys and flags take some.
                let len = *self.rng.pick(&[65_536, 1_048_400]) + self.rng.below(200) as usize;
                vec![b'x'; len]
            }
            _ => {
                let len = self.rng.below(40_000) as usize;
                self.rng.bytes(len)
            }
        }
    }

    fn cas_unique(&mut self, key: &str) -> String {
        match self.cas.get(key) {
            Some(known) if !self.rng.once_in(4) => known.clone(),
            _ => self.rng.below(5).to_string(),
        }
    }

    fn retrieve(&mut self, out: &mut Vec<u8>) {
        let verb = *self
            .rng
            .pick(&["get", "get", "gets", "gets", "gat", "gats"]);
        let mut line = verb.to_owned();
        if verb.starts_with("gat") {
            line += &format!(" {}", self.rng.pick(EXPTIMES));
        }
        // Of more than 24 words memcached looks for the rest of the keys anew.
        let most = if self.rng.once_in(8) { 60 } else { 4 };
        for _ in 0..1 + self.rng.below(most) {
            let key = *self.rng.pick(KEYS);
            self.read.insert(key);
            line += &format!(" {key}");
        }
        out.extend(format!("{line}\r\n").bytes());
    }

    fn arithmetic(&mut self, out: &mut Vec<u8>) {
        let key = *self.rng.pick(KEYS);
        if self.read.contains(key) || self.long.contains(key) {
            return;
        }
        let verb = *self.rng.pick(&["incr", "decr"]);
        let line = format!(
            "{verb} {key} {}{}\r\n",
            self.rng.pick(NUMBERS),
            self.noreply()
        );
        out.extend(line.bytes());
    }

    fn key_command(&mut self, out: &mut Vec<u8>, verb: &str) {
        let key = *self.rng.pick(KEYS);
        let argument = if verb == "touch" {
            format!(" {}", self.rng.pick(EXPTIMES))
        } else {
            String::new()
        };
        out.extend(format!("{verb} {key}{argument}{}\r\n", self.noreply()).bytes());
    }

    fn noreply(&mut self) -> &'static str {
        if self.rng.once_in(5) { " noreply" } else { "" }
    }
}
