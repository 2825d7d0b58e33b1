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
use larder_store::{ItemFacts, ItemInfo, ListAt, WalkAt};

use super::guard::{dump_act, rights_of};
use super::session::{Dumping, State};
use super::{Pause, Session, Turn};
use crate::gate::{Act, Rights};
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
    Cachedump(Allowance),
}

/// How much a `stats cachedump` may still show.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    items: u32,
    bytes: usize,
}

/// What one step has found: the keys, one behind the other, and of each item where its own lies.
#[derive(Default)]
struct Found {
    keys: Vec<u8>,
    items: Vec<(Range<usize>, ItemFacts)>,
}

impl Found {
    fn add(&mut self, item: &ItemInfo<'_>) {
        let begin = self.keys.len();
        self.keys.extend_from_slice(item.key);
        self.items.push((begin..self.keys.len(), item.facts));
    }

    fn items(&self) -> impl Iterator<Item = (&[u8], &ItemFacts)> {
        let items = self.items.iter();
        items.map(|(key, facts)| (&self.keys[key.clone()], facts))
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
            Which::Hash => Ok(DumpAt::Index(WalkAt::default())),
            Which::Classes(0) => Err(reply::NOTSTARTED),
            Which::Classes(classes) => Ok(DumpAt::pages(classes)),
            Which::BadClass => Err(reply::CRAWL_BADCLASS),
        };
        let text = match at {
            _ if !self.crawler_is_on()? => ErrorText::CrawlerDisabled.line(),
            _ if !self.config.dump_enabled => not_allowed.line(),
            _ if !out.is_empty() => pipelined.line(),
            Err(text) => text,
            Ok(at) if !noreply => {
                session.state = dumping(at, DumpAs::Lines(format));
                reply::OK
            }
            Ok(_) => &[],
        };
        if !noreply {
            out.extend_from_slice(text);
        }
        Ok(())
    }

    /// Goes on with a dump: a few steps.
    pub(super) fn dump_on(&self, session: &mut Session, out: &mut Vec<u8>) -> Option<Pause> {
        let State::Dumping(dumping) = &session.state else {
            return None;
        };
        let act = dumping.what.act();
        if session.is_cut_short(act, None, out) {
            return None;
        }
        let rights = rights_of(&session.pass);
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
            let found = match self.find_more(dumping, rights) {
                Ok(found) => found,
                Err(pause) => return Some(pause),
            };
            match dumping.what {
                DumpAs::Lines(format) => self.lines(format, &found, out),
                DumpAs::Cachedump(may) => {
                    dumping.what = DumpAs::Cachedump(self.cachedump_lines(may, &found, out));
                }
            }
            if out.len() >= DUMP_BYTES_PER_TURN {
                break;
            }
        }
        Some(Pause::Output)
    }

    /// One step: one borrow. Of what is there, that which whoever asks may know of.
    fn find_more(&self, dumping: &mut Dumping, rights: Option<&Rights>) -> Result<Found, Pause> {
        let mut found = Found::default();
        let lent = self.shared.borrow(dumping.shard).ok_or(Pause::Taken)?;
        let each = |item: ItemInfo<'_>| {
            if rights.is_none_or(|rights| rights.may_read(item.key)) {
                found.add(&item);
            }
        };
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

    /// Words what a step has found, a line for each item.
    fn lines(&self, format: DumpFormat, found: &Found, out: &mut Vec<u8>) {
        for (key, facts) in found.items() {
            match format {
                DumpFormat::Mg => mgdump_line(out, key, facts.binary_key),
                DumpFormat::Meta => {
                    let line = DumpedItem {
                        key,
                        expires: (facts.exptime != 0).then(|| self.clock.unix(facts.exptime)),
                        accessed: self.clock.unix(facts.accessed),
                        cas: facts.cas,
                        fetched: facts.fetched,
                        class: facts.class,
                        size: facts.size,
                        flags: facts.flags,
                    };
                    metadump_line(out, &line);
                }
            }
        }
    }

    /// [`Self::lines`] of a `stats cachedump`, as many as it may show; what it may show after them. Its lines have no way to
    /// say that a key is base64, and leave those out.
    fn cachedump_lines(&self, may: Allowance, found: &Found, out: &mut Vec<u8>) -> Allowance {
        let mut left = may;
        for (key, facts) in found.items().filter(|(_, facts)| !facts.binary_key) {
            let expires = match facts.exptime {
                0 => 0,
                exptime => self.clock.unix(exptime),
            };
            let rest = format!(" [{} b; {expires} s]\r\n", facts.value_len);
            let len = b"ITEM ".len() + key.len() + rest.len();
            if left.items == 0 || len > left.bytes {
                return Allowance { bytes: 0, ..left };
            }
            left.items -= 1;
            left.bytes -= len;
            for part in [&b"ITEM "[..], key, rest.as_bytes()] {
                out.extend_from_slice(part);
            }
        }
        left
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
    /// What whoever asks must be allowed to do, as long as it goes on.
    fn act(self) -> Act {
        match self {
            Self::Lines(format) => dump_act(format),
            Self::Cachedump { .. } => Act::Cachedump,
        }
    }

    /// Whether nothing more may be shown.
    fn is_full(self) -> bool {
        match self {
            Self::Lines(_) => false,
            Self::Cachedump(left) => left.items == 0 || left.bytes == 0,
        }
    }
}

/// A `stats cachedump` at its beginning; a limit of 0 is none.
pub(super) fn cachedump(class: u32, limit: u32) -> State {
    let all = Allowance {
        items: if limit == 0 { u32::MAX } else { limit },
        bytes: CACHEDUMP_BYTES_MAX,
    };
    dumping(DumpAt::pages(1 << class), DumpAs::Cachedump(all))
}

fn dumping(at: DumpAt, what: DumpAs) -> State {
    let shard = 0;
    State::Dumping(Box::new(Dumping { at, what, shard }))
}
