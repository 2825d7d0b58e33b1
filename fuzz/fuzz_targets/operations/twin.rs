//! The obvious twin of a store: a map with memcached's semantics and a clock. Nothing is ever evicted from it.

use std::collections::BTreeMap;

use larder_runtime::harness::{SECOND_START, UNIX_START};

/// Above this an exptime is an absolute Unix time: 30 days.
const RELATIVE_MAX: i64 = 60 * 60 * 24 * 30;

/// A second that has passed already.
const PASSED: u32 = 1;

/// Most bytes of an item, as memcached reckons them (`-I`).
const ITEM_MAX: usize = 1 << 20;

/// An item of more bytes is kept in pieces, and is no number, whatever it begins with.
const IN_ONE_PIECE_MAX: usize = 4096;

#[derive(Clone, Debug, Default)]
pub struct Item {
    pub value: Vec<u8>,
    pub flags: u32,
    pub cas: u64,
    /// The second when its time is over; 0 is never.
    pub exptime: u32,
    /// The marks of the meta commands, which what is stored anew has not.
    pub won: bool,
    pub stale: bool,
    /// Whether it was made by a key in base64, and is to be shown so.
    pub base64: bool,
    /// Whether it was fetched since it was stored, and the second of the last fetch, else of the store.
    pub fetched: bool,
    pub accessed: u32,
}

impl Item {
    /// What was stored anew, joined to or has grown is nobody's yet.
    fn renew(&mut self, now: u32) {
        (self.won, self.stale) = (false, false);
        (self.fetched, self.accessed) = (false, now);
    }

    pub fn fetch(&mut self, now: u32) {
        (self.fetched, self.accessed) = (true, now);
    }

    /// Whether it is kept so: a header, flags if there are any, the key and the value.
    fn is_in_one_piece(&self, key: &[u8]) -> bool {
        let flags = if self.flags == 0 { 0 } else { 4 };
        24 + flags + key.len() + self.value.len() <= IN_ONE_PIECE_MAX
    }
}

/// A store command; those that join or compare have the CAS unique that the item must have, 0 being any of those that join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Set,
    Add,
    Replace,
    Append(u64),
    Prepend(u64),
    Cas(u64),
}

/// What came of a command that changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done; the item's CAS unique, 0 when it is gone.
    Done(u64),
    NotStored,
    Exists,
    NotFound,
    NonNumeric,
    /// The number, and the item's CAS unique.
    Number(u64, u64),
}

/// An incr or decr.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    pub delta: u64,
    pub incr: bool,
    pub cas: u64,
    /// The number to store if there is none, and until what second.
    pub initial: Option<(u64, u32)>,
}

#[derive(Clone)]
pub struct Twin {
    items: BTreeMap<Vec<u8>, Item>,
    pub now: u32,
    /// Whether there are CAS uniques; all are 0 otherwise.
    has_cas: bool,
    uniques: u64,
    /// How often all was lost, and when it will be.
    flushes: u64,
    flush_at: Option<u32>,
}

impl Twin {
    pub fn new(has_cas: bool) -> Self {
        Self {
            has_cas,
            items: BTreeMap::new(),
            now: SECOND_START,
            uniques: 0,
            flushes: 0,
            flush_at: None,
        }
    }

    /// Whether a value of so many bytes may be stored.
    pub fn fits(key: &[u8], flags: u32, value_len: usize) -> bool {
        let front = 48 + 8 + key.len() + 1 + if flags == 0 { 0 } else { 4 };
        front + value_len + 2 <= ITEM_MAX
    }

    /// The second that an exptime means if it is sent now.
    pub fn second(&self, exptime: i64) -> u32 {
        match exptime {
            0 => 0,
            ..0 => PASSED,
            1..=RELATIVE_MAX => self.now + exptime as u32,
            unix => match unix - UNIX_START + i64::from(SECOND_START) {
                ..=2 => PASSED,
                second => second as u32,
            },
        }
    }

    pub fn pass(&mut self, seconds: u32) {
        self.now += seconds;
        if self.flush_at.is_some_and(|at| at <= self.now) {
            self.lose_all();
        }
    }

    pub fn flushes(&self) -> u64 {
        self.flushes
    }

    /// The keys of all items whose time is not over, and whether they are to be shown as base64.
    pub fn keys(&self) -> Vec<(Vec<u8>, bool)> {
        let lives = |item: &Item| item.exptime == 0 || item.exptime > self.now;
        let live = self.items.iter().filter(|(_, item)| lives(item));
        live.map(|(key, item)| (key.clone(), item.base64)).collect()
    }

    /// Drops the items whose keys are not among these.
    pub fn keep(&mut self, mut is_kept: impl FnMut(&[u8]) -> bool) {
        self.items.retain(|key, _| is_kept(key));
    }

    pub fn get(&mut self, key: &[u8]) -> Option<&mut Item> {
        let now = self.now;
        let over = |item: &Item| item.exptime != 0 && item.exptime <= now;
        if self.items.get(key).is_some_and(over) {
            self.items.remove(key);
        }
        self.items.get_mut(key)
    }

    /// An item, be its time over or not.
    pub fn any(&mut self, key: &[u8]) -> Option<&mut Item> {
        self.items.get_mut(key)
    }

    /// Seconds that are left until a second, as the meta commands show them.
    pub fn ttl(&self, second: u32) -> String {
        match second {
            0 => "-1".to_owned(),
            second => second.wrapping_sub(self.now).to_string(),
        }
    }

    /// Looks for an item as a client does that wants it.
    pub fn fetch(&mut self, key: &[u8]) -> Option<Item> {
        let now = self.now;
        let item = self.get(key)?;
        item.fetch(now);
        Some(item.clone())
    }

    /// [`Self::fetch`] that gives the item another exptime.
    pub fn touch(&mut self, key: &[u8], exptime: u32) -> Option<Item> {
        self.fetch(key)?;
        let item = self.items.get_mut(key)?;
        item.exptime = exptime;
        Some(item.clone())
    }

    /// `flushes` is how often all had been lost when the value came: one that was on its way in then is lost with the rest.
    pub fn store(
        &mut self,
        verb: Verb,
        key: &[u8],
        (value, flags, exptime): (&[u8], u32, u32),
        flushes: u64,
    ) -> Outcome {
        let lost = flushes != self.flushes;
        let old = self.get(key).cloned();
        match (verb, &old) {
            // As in memcached, that it was found there is a use of the item.
            (Verb::Add, Some(_)) => {
                let now = self.now;
                self.items
                    .entry(key.to_vec())
                    .and_modify(|item| item.accessed = now);
                return Outcome::NotStored;
            }
            (Verb::Replace | Verb::Append(_) | Verb::Prepend(_), None) => {
                return Outcome::NotStored;
            }
            (Verb::Cas(_), None) => return Outcome::NotFound,
            // 0 is nobody's, also where all are 0.
            (Verb::Cas(cas), Some(old)) if cas != old.cas || cas == 0 => return Outcome::Exists,
            (Verb::Append(cas) | Verb::Prepend(cas), Some(old)) if cas != 0 && cas != old.cas => {
                return Outcome::Exists;
            }
            _ => {}
        }
        let item = match (verb, old) {
            (Verb::Append(_) | Verb::Prepend(_), Some(old)) => {
                if lost || !Self::fits(key, old.flags, old.value.len() + value.len()) {
                    return Outcome::NotStored;
                }
                let value = match verb {
                    Verb::Append(_) => [&old.value, value].concat(),
                    _ => [value, &old.value].concat(),
                };
                Item { value, ..old }
            }
            _ => Item {
                value: value.to_vec(),
                flags,
                exptime,
                ..Item::default()
            },
        };
        let cas = self.unique();
        if !lost {
            let mut item = Item { cas, ..item };
            item.renew(self.now);
            self.items.insert(key.to_vec(), item);
        }
        Outcome::Done(cas)
    }

    pub fn count(&mut self, key: &[u8], count: Count) -> Outcome {
        let Some(item) = self.get(key).cloned() else {
            let Some((initial, exptime)) = count.initial else {
                return Outcome::NotFound;
            };
            let value = initial.to_string().into_bytes();
            let stored = self.store(Verb::Set, key, (&value, 0, exptime), self.flushes);
            return match stored {
                Outcome::Done(cas) => Outcome::Number(initial, cas),
                other => other,
            };
        };
        if item.value.is_empty() {
            return Outcome::NonNumeric;
        }
        if count.cas != 0 && count.cas != item.cas {
            return Outcome::Exists;
        }
        let Some(old) = number(&item.value).filter(|_| item.is_in_one_piece(key)) else {
            return Outcome::NonNumeric;
        };
        let new = match count.incr {
            true => old.wrapping_add(count.delta),
            false => old.saturating_sub(count.delta),
        };
        let value = format!("{new:<width$}", width = item.value.len()).into_bytes();
        let cas = self.unique();
        let grows = value.len() > item.value.len();
        let mut item = Item { value, cas, ..item };
        match grows {
            true => item.renew(self.now),
            false => item.accessed = self.now,
        }
        self.items.insert(key.to_vec(), item);
        Outcome::Number(new, cas)
    }

    pub fn delete(&mut self, key: &[u8], cas: u64) -> Outcome {
        match self.get(key) {
            None => Outcome::NotFound,
            Some(item) if cas != 0 && cas != item.cas => Outcome::Exists,
            Some(_) => {
                self.items.remove(key);
                Outcome::Done(0)
            }
        }
    }

    /// All is lost, now or at a later second.
    pub fn flush(&mut self, second: u32) {
        if second > self.now {
            self.flush_at = Some(second);
        } else {
            self.unique();
            self.lose_all();
        }
    }

    fn lose_all(&mut self) {
        self.items.clear();
        self.flushes += 1;
        self.flush_at = None;
    }

    pub fn unique(&mut self) -> u64 {
        self.uniques += u64::from(self.has_cas);
        self.uniques
    }
}

/// The number that a value begins with, blanks around it, if it is one.
fn number(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    let word = text.split_ascii_whitespace().next()?;
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| word.parse().ok())?
}
