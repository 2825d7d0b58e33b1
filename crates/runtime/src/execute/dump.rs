//! Dumps: `stats cachedump`, `lru_crawler metadump` and `mgdump`.
//!
//! A dump goes in steps: one borrow of a shard, in which a bounded number of items is looked at and their keys copied; the
//! lines are made when the shard is lent no more. A turn has but a few steps, and the next one comes only when the client
//! has taken what they brought. So a dump of any length runs beside the traffic, and holds no more than one turn's lines.
//! The connection serves no other command meanwhile; what is sent behind the dump is served after it.

use std::ops::Range;

use larder_protocol::text::{
    DumpFormat, DumpedItem, ErrorText, Which, metadump_line, mgdump_line, reply,
};
use larder_store::{ItemInfo, ListAt, RelTime, WalkAt};

use super::session::{Dumping, State};
use super::{Pause, Session, Turn};
use crate::limits::{CACHEDUMP_BYTES_MAX, DUMP_BYTES_PER_TURN, DUMP_STEPS_PER_TURN};

/// How far a dump has come in its shard.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DumpAt {
    /// Along the index: each item once.
    Index(WalkAt),
    /// Over the pages of some slab classes.
    Pages { classes: u64, at: ListAt },
}

/// How a dump words its items, and where it ends before the last.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DumpAs {
    Lines(DumpFormat),
    Cachedump { items_left: u32, bytes_left: usize },
}

/// What a line says of an item, but for its key.
struct Facts {
    key: Range<usize>,
    binary_key: bool,
    value_len: u32,
    exptime: RelTime,
    accessed: RelTime,
    cas: u64,
    flags: u32,
    fetched: bool,
    class: u8,
    size: u64,
}

/// What one step has found.
#[derive(Default)]
struct Found {
    keys: Vec<u8>,
    items: Vec<Facts>,
}

impl Found {
    fn add(&mut self, item: &ItemInfo<'_>) {
        let begin = self.keys.len();
        self.keys.extend_from_slice(item.key);
        self.items.push(Facts {
            key: begin..self.keys.len(),
            binary_key: item.binary_key,
            value_len: item.value_len,
            exptime: item.exptime,
            accessed: item.accessed,
            cas: item.cas,
            flags: item.flags,
            fetched: item.fetched,
            class: item.class,
            size: item.size,
        });
    }
}

impl Turn<'_> {
    /// Begins a `metadump` or `mgdump`, or says why not. One that is not to be answered is not begun.
    pub(super) fn dump(
        &self,
        session: &mut Session,
        format: DumpFormat,
        which: Which,
        noreply: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Pause> {
        let (not_allowed, pipelined) = match format {
            DumpFormat::Meta => (ErrorText::MetadumpNotAllowed, ErrorText::MetadumpPipelined),
            DumpFormat::Mg => (ErrorText::MgdumpNotAllowed, ErrorText::MgdumpPipelined),
        };
        let at = match which {
            Which::Hash => Some(DumpAt::Index(WalkAt::default())),
            Which::Classes(classes) => Some(DumpAt::pages(classes)),
            Which::BadClass => None,
        };
        let text = match at {
            _ if !self.crawler_is_on()? => ErrorText::CrawlerDisabled.line(),
            _ if !self.config.dump_enabled => not_allowed.line(),
            _ if !out.is_empty() => pipelined.line(),
            None => reply::CRAWL_BADCLASS,
            Some(at) if !noreply => {
                session.state = dumping(at, DumpAs::Lines(format));
                reply::OK
            }
            Some(_) => &[],
        };
        if !noreply {
            out.extend_from_slice(text);
        }
        Ok(())
    }

    /// Goes on with a dump: a few steps.
    pub(super) fn dump_on(&self, session: &mut Session, out: &mut Vec<u8>) -> Option<Pause> {
        let State::Dumping(dumping) = &mut session.state else {
            return None;
        };
        for _ in 0..DUMP_STEPS_PER_TURN {
            if dumping.shard == self.shared.shards() || dumping.what.is_full() {
                out.extend_from_slice(match dumping.what {
                    DumpAs::Lines(DumpFormat::Mg) => reply::EN,
                    _ => reply::END,
                });
                session.state = State::Line;
                return None;
            }
            match self.find_more(dumping) {
                Ok(found) => self.word(&mut dumping.what, &found, out),
                Err(pause) => return Some(pause),
            }
            if out.len() >= DUMP_BYTES_PER_TURN {
                break;
            }
        }
        Some(Pause::Output)
    }

    /// One step: one borrow.
    fn find_more(&self, dumping: &mut Dumping) -> Result<Found, Pause> {
        let mut found = Found::default();
        let lent = self.shared.borrow(dumping.shard).ok_or(Pause::Taken)?;
        let each = |item: ItemInfo<'_>| found.add(&item);
        let next = match dumping.at {
            DumpAt::Index(at) => lent.shard.walk(at, self.now, each).map(DumpAt::Index),
            DumpAt::Pages { classes, at } => {
                let next = lent.shard.list_items(classes, at, self.now, each);
                next.map(|at| DumpAt::Pages { classes, at })
            }
        };
        match next {
            Some(at) => dumping.at = at,
            None => {
                dumping.shard += 1;
                dumping.at = dumping.at.start();
            }
        }
        Ok(found)
    }

    /// Words what a step has found.
    fn word(&self, what: &mut DumpAs, found: &Found, out: &mut Vec<u8>) {
        for item in &found.items {
            let key = &found.keys[item.key.clone()];
            match what {
                DumpAs::Lines(DumpFormat::Mg) => mgdump_line(out, key, item.binary_key),
                DumpAs::Lines(DumpFormat::Meta) => {
                    let line = DumpedItem {
                        key,
                        expires: (item.exptime != 0).then(|| self.clock.unix(item.exptime)),
                        accessed: self.clock.unix(item.accessed),
                        cas: item.cas,
                        fetched: item.fetched,
                        class: item.class,
                        size: item.size,
                        flags: item.flags,
                    };
                    metadump_line(out, &line);
                }
                // Its lines have no way to say that a key is base64.
                DumpAs::Cachedump { .. } if item.binary_key => {}
                DumpAs::Cachedump {
                    items_left,
                    bytes_left,
                } => {
                    let expires = match item.exptime {
                        0 => 0,
                        exptime => self.clock.unix(exptime),
                    };
                    let facts = format!(" [{} b; {expires} s]\r\n", item.value_len);
                    let len = b"ITEM ".len() + key.len() + facts.len();
                    if *items_left == 0 || len > *bytes_left {
                        *bytes_left = 0;
                        return;
                    }
                    (*items_left, *bytes_left) = (*items_left - 1, *bytes_left - len);
                    for part in [&b"ITEM "[..], key, facts.as_bytes()] {
                        out.extend_from_slice(part);
                    }
                }
            }
        }
    }
}

impl DumpAt {
    fn pages(classes: u64) -> Self {
        let at = ListAt::default();
        Self::Pages { classes, at }
    }

    /// The same at the beginning of a shard.
    fn start(self) -> Self {
        match self {
            Self::Index(_) => Self::Index(WalkAt::default()),
            Self::Pages { classes, .. } => Self::pages(classes),
        }
    }
}

impl DumpAs {
    /// Whether nothing more may be shown.
    fn is_full(self) -> bool {
        match self {
            Self::Lines(_) => false,
            Self::Cachedump {
                items_left,
                bytes_left,
            } => items_left == 0 || bytes_left == 0,
        }
    }
}

/// A `stats cachedump` at its beginning; a limit of 0 is none.
pub(super) fn cachedump(class: u32, limit: u32) -> State {
    let items_left = if limit == 0 { u32::MAX } else { limit };
    let bytes_left = CACHEDUMP_BYTES_MAX;
    let what = DumpAs::Cachedump {
        items_left,
        bytes_left,
    };
    dumping(DumpAt::pages(1 << class), what)
}

fn dumping(at: DumpAt, what: DumpAs) -> State {
    let shard = 0;
    State::Dumping(Box::new(Dumping { at, what, shard }))
}
