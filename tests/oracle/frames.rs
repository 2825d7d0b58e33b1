//! The binary protocol: random frames of every opcode from a printed seed, delivered in random pieces, the replies and
//! memcached's counters compared; rows of statistics; and frames after which the connection is closed.
//!
//! Left out is incr or decr of a key that the same batch fetches: memcached writes the number elsewhere while a reply
//! still holds the item, and then does not pad it; of a key whose value may be longer than 4 KiB, which is no number here;
//! and numbers of 2^63 and more, as in `random`. Of what `version` answers only the header is compared.

use std::collections::HashMap;

use crate::pair::Pair;
use crate::random::{counters, cuts, run_streams};
use crate::support::{Conn, Ended, Frame, HEADER_LEN, Reply, Rng, Server, frame, show};

const STREAMS: u64 = 120;
const BATCHES: u64 = 12;

const KEYS: &[&str] = &["a", "b", "c", "n", "key:1"];
/// Keys that may have long values.
const LONG: &[&str] = &["m", "k\x01\t \n", "a-rather-longer-key"];
const EXPTIMES: &[u32] = &[
    0,
    0,
    0,
    100,
    2_592_000,
    2_592_001,
    0x7fff_ffff,
    u32::MAX - 1,
];
const NUMBERS: &[u64] = &[0, 1, 7, 99_999, 1_000_000_000_000];
const VALUES: &[&str] = &[
    "", "0", "9", "10", "12345", " 12", "12 x", "abc", "00012", "1.5",
];

const GETS: &[u8] = &[0x00, 0x09, 0x0c, 0x0d];
const GATS: &[u8] = &[0x1d, 0x1e, 0x23, 0x24, 0x1c];
const STORES: &[u8] = &[0x01, 0x01, 0x02, 0x03, 0x11, 0x12, 0x13];
const JOINS: &[u8] = &[0x0e, 0x0f, 0x19, 0x1a];
const ARITHS: &[u8] = &[0x05, 0x06, 0x15, 0x16];
const DELETES: &[u8] = &[0x04, 0x14];
/// With nothing but a header: noop, flush and its quiet form, version, SASL's list, and what is unknown.
const BARE: &[u8] = &[
    0x0a, 0x08, 0x18, VERSION, 0x20, 0x1b, 0x30, 0x3d, 0x7f, 0xff,
];
/// SASL's messages, which nobody asked for.
const SASL: &[u8] = &[0x21, 0x22];
/// Statistics of which every row is alike.
const STATS: &[&str] = &[
    "reset",
    "sizes",
    "detail on",
    "detail off",
    "foo",
    "detail",
    "detail x",
    "conns",
];

const NOOP: u8 = 0x0a;
const VERSION: u8 = 0x0b;
const STAT: u8 = 0x10;
const MARK: u32 = 0x6d61_726b;

/// Sends the pieces, and reads all that comes back before a mark's reply, or before the end.
fn exchange(conn: &mut Conn, pieces: &[&[u8]]) -> (Vec<u8>, Ended) {
    for piece in pieces {
        if !conn.try_send(piece) {
            break;
        }
    }
    let mark = Frame {
        opaque: MARK,
        ..Frame::bare(NOOP)
    };
    let mut reply = mark.bytes();
    reply[0] = 0x81;
    conn.try_send(&mark.bytes());
    let (replies, ended) = conn.try_until(&reply);
    (without_versions(&replies), ended)
}

/// Replies, those of `version` without their body.
fn without_versions(replies: &[u8]) -> Vec<u8> {
    let all = frames(replies);
    let rest = &replies[all.iter().map(|frame| frame.len()).sum()..];
    let shown = all.iter().map(|frame| match frame[1] {
        VERSION => &frame[..HEADER_LEN],
        _ => frame,
    });
    [&shown.collect::<Vec<_>>().concat(), rest].concat()
}

/// Makes the frames of one stream.
struct Maker {
    rng: Rng,
    /// The last CAS uniques seen in replies.
    uniques: Vec<u64>,
    /// Keys whose numbers the batch changes, and others.
    counted: &'static [&'static str],
    fetched: &'static [&'static str],
}

impl Maker {
    fn batch(&mut self) -> Vec<u8> {
        let at = self.rng.below(1 + KEYS.len() as u64) as usize;
        (self.counted, self.fetched) = KEYS.split_at(at);
        (0..1 + self.rng.below(30))
            .flat_map(|_| self.frame())
            .collect()
    }

    fn frame(&mut self) -> Vec<u8> {
        let opaque = self.rng.next() as u32;
        let cas = match self.rng.below(5) {
            0 if !self.uniques.is_empty() => *self.rng.pick(&self.uniques),
            1 => self.rng.below(5),
            _ => 0,
        };
        let long = self.rng.once_in(3);
        let key = self.rng.pick(if long { LONG } else { KEYS }).as_bytes();
        let exptime = self.rng.pick(EXPTIMES).to_be_bytes();
        let mut extras = Vec::new();
        let mut value = Vec::new();
        let mut frame = Frame {
            opaque,
            key,
            ..Frame::bare(NOOP)
        };
        match self.rng.below(100) {
            kind @ 0..25 => {
                let gats = kind < 10;
                frame.opcode = *self.rng.pick(if gats { GATS } else { GETS });
                frame.key = self.rng.pick(self.fetched_or_long(long)).as_bytes();
                extras.extend(exptime.iter().filter(|_| gats));
            }
            25..40 if !self.counted.is_empty() => {
                frame.opcode = *self.rng.pick(ARITHS);
                frame.key = self.rng.pick(self.counted).as_bytes();
                frame.cas = cas;
                extras.extend(self.rng.pick(NUMBERS).to_be_bytes());
                extras.extend(self.rng.pick(NUMBERS).to_be_bytes());
                extras.extend(if self.rng.once_in(3) {
                    [0xff; 4]
                } else {
                    exptime
                });
            }
            25..75 => {
                frame.opcode = *self.rng.pick(STORES);
                frame.cas = cas;
                extras.extend((self.rng.below(3) as u32 * 0x4000_0001).to_be_bytes());
                extras.extend(exptime);
                value = self.value(long);
            }
            75..84 => {
                frame.opcode = *self.rng.pick(JOINS);
                frame.cas = cas;
                value = self.value(long);
            }
            84..92 => {
                frame.opcode = *self.rng.pick(DELETES);
                frame.cas = cas;
            }
            92..94 => {
                frame.opcode = STAT;
                frame.key = self.rng.pick(STATS).as_bytes();
            }
            94 => {
                frame.opcode = *self.rng.pick(SASL);
                frame.key = b"PLAIN";
                value = b"\0foo\0bar".to_vec();
            }
            _ => {
                frame.opcode = *self.rng.pick(BARE);
                frame.key = &[];
            }
        }
        (frame.extras, frame.value) = (&extras, &value);
        frame.bytes()
    }

    /// Keys that may be fetched.
    fn fetched_or_long(&self, long: bool) -> &'static [&'static str] {
        if long || self.fetched.is_empty() {
            LONG
        } else {
            self.fetched
        }
    }

    fn value(&mut self, long: bool) -> Vec<u8> {
        match self.rng.below(12) {
            0..8 => self.rng.pick(VALUES).as_bytes().to_vec(),
            8 if long => {
                let len = self.rng.below(3_000) as usize;
                self.rng.bytes(len)
            }
            9 if long => {
                let len = 60_000 + self.rng.below(100_000) as usize;
                self.rng.bytes(len)
            }
            // Above -I.
            10 if self.rng.once_in(5) => vec![b'x'; 1_048_577],
            _ => Vec::new(),
        }
    }

    /// Remembers the CAS uniques in replies.
    fn learn(&mut self, replies: &[u8]) {
        for reply in frames(replies) {
            let unique = u64::from_be_bytes(reply[16..24].try_into().expect("eight bytes"));
            if unique != 0 {
                self.uniques.push(unique);
            }
        }
        let old = self.uniques.len().saturating_sub(8);
        self.uniques.drain(..old);
    }
}

/// The frames that replies are made of.
fn frames(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some(len) = bytes.get(8..12) {
        let len = HEADER_LEN + u32::from_be_bytes(len.try_into().expect("four bytes")) as usize;
        let Some((frame, rest)) = bytes.split_at_checked(len) else {
            break;
        };
        frames.push(frame);
        bytes = rest;
    }
    frames
}

pub(crate) fn random_streams() {
    run_streams("random_frames", STREAMS, stream);
}

fn stream(pair: &Pair, seed: u64) {
    pair.clear();
    let (mut memcached, mut ours) = pair.connect();
    let mut make = Maker {
        rng: Rng::new(seed),
        uniques: Vec::new(),
        counted: &[],
        fetched: KEYS,
    };
    for _ in 0..BATCHES {
        let batch = make.batch();
        let cuts = cuts(&mut make.rng, &batch, 6);
        let (theirs, our) = (exchange(&mut memcached, &cuts), exchange(&mut ours, &cuts));
        if theirs != our {
            let requests: HashMap<_, _> = frames(&batch)
                .into_iter()
                .map(|f| (&f[12..16], f))
                .collect();
            let (theirs, ours) = (frames(&theirs.0), frames(&our.0));
            let first = theirs
                .iter()
                .zip(&ours)
                .find(|(theirs, ours)| theirs != ours);
            let opaque = first.map(|(_, ours)| &ours[12..16]);
            panic!(
                "SEED={seed}: {} frames from memcached, {} from larderd; the first that differ: {:?}\n  for {:?}",
                theirs.len(),
                ours.len(),
                first.map(|(theirs, ours)| (head(theirs), head(ours))),
                opaque
                    .and_then(|opaque| requests.get(opaque))
                    .map(|request| head(request))
            );
        }
        make.learn(&our.0);
    }
    let (mut memcached, mut ours) = pair.connect();
    assert_eq!(
        counters(&mut memcached),
        counters(&mut ours),
        "counters of memcached and larderd after SEED={seed}"
    );
}

fn head(frame: &[u8]) -> String {
    show(&frame[..frame.len().min(100)])
}

/// Frames after which nothing can be read any more, each behind one that is good.
pub(crate) fn closing() {
    let pair = Pair::start();
    let extras = [0; 20];
    let long_key = [b'k'; 251];
    let mut contradiction = frame(0x01, 0, &extras[..8], b"key", b"");
    contradiction[8..12].copy_from_slice(&2_u32.to_be_bytes());
    let frames = [
        frame(0x00, 0, &[], b"", b""),
        frame(0x00, 0, &extras[..4], b"key", b""),
        frame(0x00, 0, &[], b"key", b"value"),
        frame(0x00, 0, &[], long_key, b""),
        frame(0x01, 0, &[], b"key", b"value"),
        frame(0x01, 0, &extras[..8], b"", b"value"),
        frame(0x11, 0, &extras[..8], long_key, b"value"),
        frame(0x0e, 0, &extras[..8], b"key", b"value"),
        frame(0x04, 0, &extras[..4], b"key", b""),
        frame(0x05, 0, &extras[..8], b"key", b""),
        frame(0x05, 0, &extras, b"key", b"1"),
        frame(0x07, 0, &[], b"", b""),
        frame(0x07, 0, &[], b"key", b""),
        frame(0x17, 0, &[], b"", b""),
        frame(0x08, 0, &extras[..8], b"", b""),
        frame(0x0a, 0, &[], b"key", b""),
        frame(0x0b, 0, &extras[..4], b"", b""),
        frame(0x1c, 0, &[], b"key", b""),
        frame(0x1d, 0, &extras[..8], b"key", b""),
        contradiction,
        b"get a-key-that-fills-a-header\r\n".to_vec(),
    ];
    for frame in frames {
        let (mut memcached, mut ours) = pair.connect();
        let [theirs, our] = [&mut memcached, &mut ours].map(|conn| {
            conn.send(&Frame::bare(NOOP).bytes());
            conn.exactly(HEADER_LEN);
            conn.send(&frame);
            let (replies, ended) = conn.try_until(b"nothing ends it but the end");
            (show(&replies), ended)
        });
        assert_eq!(theirs.1, Ended::Closed, "memcached, {}", head(&frame));
        assert_eq!(theirs, our, "{}", head(&frame));
    }
}

/// Groups of statistics, and rows of 1.6.18's that larderd has not: one that 1.6.45 has no more, and those of external
/// storage, with which Debian's is built.
const GROUPS: &[(&str, &[&str])] = &[
    ("", &["slab_reassign_evictions_nomem"]),
    (
        "settings",
        &[
            "ext_item_size",
            "ext_item_age",
            "ext_low_ttl",
            "ext_recache_rate",
            "ext_wbuf_size",
            "ext_compact_under",
            "ext_drop_under",
            "ext_max_sleep",
            "ext_max_frag",
            "slab_automove_freeratio",
            "ext_drop_unread",
        ],
    ),
];

/// The names of the rows that a `stat` frame is answered, in order.
fn rows(conn: &mut Conn, group: &str) -> Vec<String> {
    let ask = Frame {
        key: group.as_bytes(),
        ..Frame::bare(STAT)
    };
    conn.send(&ask.bytes());
    let mut names = Vec::new();
    loop {
        let reply = Reply::read(conn);
        assert_eq!((reply.opcode, reply.status), (STAT, 0), "{group}");
        if reply.body().is_empty() {
            return names;
        }
        names.push(String::from_utf8(reply.key).expect("plain text"));
    }
}

/// What memcached shows by frames larderd shows, too, in the same order.
pub(crate) fn statistics() {
    let pair = Pair::start();
    let (mut memcached, mut ours) = pair.connect();
    for (group, gone) in GROUPS {
        let theirs = rows(&mut memcached, group);
        let ours = rows(&mut ours, group);
        let both: Vec<&String> = theirs.iter().filter(|row| ours.contains(row)).collect();
        let missing: Vec<&String> = theirs.iter().filter(|row| !ours.contains(row)).collect();
        assert_eq!(missing, *gone, "{group}");
        let shown: Vec<&String> = ours.iter().filter(|row| theirs.contains(row)).collect();
        assert_eq!(shown, both, "{group}");
    }
}

/// A body that no frame can have. memcached 1.6.18 says nothing; 1.6.45 answers as to any wrong shape.
pub(crate) fn too_long() {
    let mut frame = Frame::bare(0x01).bytes();
    frame[4] = 8;
    frame[8..12].copy_from_slice(&(1 << 30 | 1_u32).to_be_bytes());
    let server = Server::larderd(&[]);
    let mut conn = server.connect();
    conn.send(&[&frame[..], &[0; 8]].concat());
    let reply = conn.until_closed();
    assert!(
        reply.starts_with(&[0x81, 0x01, 0, 0, 0, 0, 0, 4]),
        "{}",
        show(&reply)
    );
}
