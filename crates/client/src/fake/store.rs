//! What a node in memory holds, and what meta commands do to it. Its clock is an argument of nobody: it is told to go on.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use larder_protocol::meta::reply::{self, Code, Contest, OF_KEY, OF_SET, Shown};
use larder_protocol::meta::{Arith, Request, Set};
use larder_protocol::text::StoreVerb;

/// The longest relative exptime (protocol.txt, "Expiration times").
const RELATIVE_MAX_S: i32 = 60 * 60 * 24 * 30;

/// Items by key. The clock begins at the system's time and then stands still, so that Unix times mean what they say.
#[derive(Debug)]
pub(super) struct Store {
    items: HashMap<Bytes, Item>,
    now: Duration,
    cas: u64,
}

#[derive(Clone, Debug, Default)]
struct Item {
    value: Bytes,
    flags: u32,
    cas: u64,
    /// Since the Unix epoch; never if there is none.
    expires_at: Option<Duration>,
    /// Somebody has won to bring a new value.
    is_won: bool,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            items: HashMap::new(),
            now: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
            cas: 0,
        }
    }
}

impl Store {
    pub(super) fn advance(&mut self, time: Duration) {
        self.now += time;
    }

    pub(super) fn flush(&mut self) {
        self.items.clear();
    }

    pub(super) fn get(&mut self, get: &Request<'_>, out: &mut Vec<u8>) {
        let flags = &get.flags;
        let mut contest = Contest::default();
        if self.find(get.key).is_none() {
            let Some(exptime) = flags.vivify() else {
                return reply::line(
                    out,
                    Code::Miss,
                    flags,
                    OF_KEY,
                    &Shown::of_request(get, get.key),
                );
            };
            let place = Item {
                expires_at: self.expires_at(exptime),
                is_won: true,
                ..Item::default()
            };
            self.put(get.key, place);
            contest.won = true;
        }
        let touched = flags.ttl().map(|exptime| self.expires_at(exptime));
        let now = self.now;
        let Some(item) = self.items.get_mut(get.key) else {
            return;
        };
        let left = item.expires_at.map(|at| at.saturating_sub(now).as_secs());
        if !contest.won {
            let is_due = flags.recache().zip(left);
            let is_due = is_due
                .is_some_and(|(below, left)| u64::try_from(below).is_ok_and(|below| left < below));
            contest.lost = item.is_won;
            contest.won = is_due && !item.is_won;
            item.is_won |= contest.won;
        }
        let shown = Shown {
            ttl: left.map(|left| u32::try_from(left).unwrap_or(u32::MAX)),
            ..shown(get, item)
        };
        let wants_value = flags.has(b'v');
        reply::hit(out, wants_value, flags, &shown, contest);
        if wants_value {
            out.extend_from_slice(&item.value);
            out.extend_from_slice(b"\r\n");
        }
        if let Some(touched) = touched {
            item.expires_at = touched;
        }
    }

    pub(super) fn set(&mut self, set: &Set<'_>, value: &[u8], out: &mut Vec<u8>) {
        let request = &set.request;
        let flags = &request.flags;
        let before = self.find(request.key).cloned();
        let refused = match (&before, flags.cas(), set.verb) {
            (None, Some(_), _) => Some(Code::NotFound),
            (Some(item), Some(cas), _) if item.cas != cas => Some(Code::Exists),
            (Some(_), _, StoreVerb::Add) => Some(Code::NotStored),
            (None, _, StoreVerb::Replace | StoreVerb::Append | StoreVerb::Prepend) => {
                Some(Code::NotStored)
            }
            _ => None,
        };
        if let Some(code) = refused {
            let shown = Shown::of_request(request, request.key);
            return reply::line(out, code, flags, OF_KEY, &shown);
        }
        let item = match (before, set.verb) {
            (Some(before), StoreVerb::Append) => Item {
                value: [&before.value, value].concat().into(),
                ..before
            },
            (Some(before), StoreVerb::Prepend) => Item {
                value: [value, &before.value].concat().into(),
                ..before
            },
            _ => Item {
                value: Bytes::copy_from_slice(value),
                flags: flags.client_flags(),
                expires_at: self.expires_at(flags.ttl().unwrap_or_default()),
                ..Item::default()
            },
        };
        let item = self.put(request.key, item);
        reply::line(out, Code::Done, flags, OF_SET, &shown(request, item));
    }

    pub(super) fn delete(&mut self, delete: &Request<'_>, out: &mut Vec<u8>) {
        let cas = self.find(delete.key).map(|item| item.cas);
        let code = match (cas, delete.flags.cas()) {
            (None, _) => Code::NotFound,
            (Some(has), Some(wanted)) if has != wanted => Code::Exists,
            _ => {
                self.items.remove(delete.key);
                Code::Done
            }
        };
        let shown = Shown::of_request(delete, delete.key);
        reply::line(out, code, &delete.flags, OF_KEY, &shown);
    }

    pub(super) fn count(&mut self, arith: &Arith<'_>, out: &mut Vec<u8>) {
        let request = &arith.request;
        let flags = &request.flags;
        let (item, number) = match (self.find(request.key).cloned(), flags.has(b'N')) {
            (None, false) => {
                let shown = Shown::of_request(request, request.key);
                return reply::line(out, Code::NotFound, flags, OF_KEY, &shown);
            }
            (None, true) => {
                let expires_at = self.expires_at(flags.vivify().unwrap_or_default());
                let item = Item {
                    expires_at,
                    ..Item::default()
                };
                (item, flags.initial())
            }
            (Some(item), _) => {
                let number = std::str::from_utf8(&item.value).ok();
                let Some(number) = number.and_then(|text| text.trim_end().parse::<u64>().ok())
                else {
                    let text = b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";
                    return out.extend_from_slice(text);
                };
                let number = match arith.incr {
                    true => number.wrapping_add(flags.delta()),
                    false => number.saturating_sub(flags.delta()),
                };
                (item, number)
            }
        };
        let value = number.to_string().into();
        let item = self.put(request.key, Item { value, ..item });
        reply::number(out, number, flags, &shown(request, item));
    }

    /// The item, if its time is not over.
    fn find(&mut self, key: &[u8]) -> Option<&Item> {
        let is_over = self
            .items
            .get(key)?
            .expires_at
            .is_some_and(|at| at <= self.now);
        if is_over {
            self.items.remove(key);
        }
        self.items.get(key)
    }

    /// Stores an item under a new version.
    fn put(&mut self, key: &[u8], item: Item) -> &Item {
        self.cas += 1;
        let item = Item {
            cas: self.cas,
            ..item
        };
        let place = self.items.entry(Bytes::copy_from_slice(key));
        place.insert_entry(item).into_mut()
    }

    fn expires_at(&self, exptime: i32) -> Option<Duration> {
        let seconds = Duration::from_secs(exptime.unsigned_abs().into());
        match exptime {
            0 => None,
            ..0 => Some(Duration::ZERO),
            1..=RELATIVE_MAX_S => Some(self.now + seconds),
            _ => Some(seconds),
        }
    }
}

fn shown<'a>(request: &Request<'a>, item: &Item) -> Shown<'a> {
    Shown {
        value_len: u32::try_from(item.value.len()).unwrap_or(u32::MAX),
        cas: item.cas,
        client_flags: item.flags,
        ..Shown::of_request(request, request.key)
    }
}
