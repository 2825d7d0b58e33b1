//! get, gets, gat, gats: one key after the other, each answered where it is found.

use std::ops::Range;

use larder_protocol::text::{GetVerb, next_key, reply};
use larder_store::{Found, KeyHash, Pin, Place, RelTime, Shard};

use super::session::{After, Keys, Sending, State};
use super::text::Used;
use super::{Pause, Session, Spot, Turn, site};
use crate::limits::KEY_BYTES_PER_TURN;
use crate::shared::{Lent, PrefixCounts};
use crate::snapshot::Counter;

/// What came of looking for one key of a get.
enum Fetched {
    Hit,
    Miss,
    Taken,
    /// A large value: its header is written, the value follows from this shard.
    Large(Box<(usize, Pin)>),
}

impl Turn<'_> {
    /// A get of one key.
    #[inline(never)]
    pub(super) fn lone_get(
        &self,
        session: &mut Session,
        key: Range<usize>,
        line_len: usize,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Used {
        if let Some(spot) = session.ahead.take() {
            return self.get_ahead(session, &spot, key, line_len, input, out);
        }
        let spot = self.spot(&input[key.clone()]);
        self.get_one::<{ site::LONE_GET }>(session, &spot, key, line_len, input, out)
    }

    /// [`Self::lone_get`] of an item that was asked for ahead. By itself, since within the
    /// other it made that some 6 instructions longer, of which it has few to spare.
    #[inline(never)]
    fn get_ahead(
        &self,
        session: &mut Session,
        spot: &Spot,
        key: Range<usize>,
        line_len: usize,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Used {
        self.get_one::<{ site::GET_AHEAD }>(session, spot, key, line_len, input, out)
    }

    /// [`Self::lone_get`] where it is known where to look for the key.
    #[inline(always)]
    pub(super) fn get_one<const SITE: u8>(
        &self,
        session: &mut Session,
        spot: &Spot,
        key: Range<usize>,
        line_len: usize,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Used {
        let key_end = key.end;
        let hit = match self.fetch::<SITE>(GetVerb::Get, 0, spot, &input[key], out) {
            Fetched::Hit => 1,
            Fetched::Miss => 0,
            Fetched::Taken => return (0, Some(Pause::Taken)),
            Fetched::Large(large) => {
                self.count_fetched(GetVerb::Get, 1, 0);
                let then = Keys {
                    verb: GetVerb::Get,
                    exptime: 0,
                    left: line_len - key_end,
                };
                session.state = sending(*large, After::Keys(then));
                return (key_end, None);
            }
        };
        self.count_fetched(GetVerb::Get, hit, 1 - hit);
        out.extend_from_slice(reply::END);
        (line_len, None)
    }

    /// Answers the keys that are left of a get, one by one.
    pub(super) fn keys(
        &self,
        session: &mut Session,
        keys: Keys,
        line: &[u8],
        out: &mut Vec<u8>,
    ) -> Used {
        if self.observed() {
            return self.each_key(session, keys, line, out, Self::fetch_observed);
        }
        self.each_key(session, keys, line, out, Self::fetch::<{ site::KEYS }>)
    }

    /// [`Self::keys`], each with `fetch`.
    #[inline(always)]
    fn each_key(
        &self,
        session: &mut Session,
        keys: Keys,
        line: &[u8],
        out: &mut Vec<u8>,
        fetch: impl Fn(&Self, GetVerb, RelTime, &Spot, &[u8], &mut Vec<u8>) -> Fetched,
    ) -> Used {
        let (mut at, mut hits, mut misses) = (0, 0, 0);
        let mut used = (keys.left, None);
        let mut next_state = State::Line;
        while let Some((key, next)) = next_key(line, at) {
            let key = &line[key];
            let spot = self.spot(key);
            match fetch(self, keys.verb, keys.exptime, &spot, key, out) {
                Fetched::Hit => hits += 1,
                Fetched::Miss => misses += 1,
                Fetched::Taken => {
                    next_state = State::Keys(Keys {
                        left: keys.left - at,
                        ..keys
                    });
                    used = (at, Some(Pause::Taken));
                    break;
                }
                Fetched::Large(large) => {
                    hits += 1;
                    let then = Keys {
                        left: keys.left - next,
                        ..keys
                    };
                    next_state = sending(*large, After::Keys(then));
                    used = (next, None);
                    break;
                }
            }
            at = next;
            if self.has_enough(out) || at >= KEY_BYTES_PER_TURN {
                next_state = State::Keys(Keys {
                    left: keys.left - at,
                    ..keys
                });
                used = (at, Some(Pause::Output));
                break;
            }
        }
        self.count_fetched(keys.verb, hits, misses);
        if matches!(next_state, State::Line) {
            out.extend_from_slice(reply::END);
        }
        if !matches!((&session.state, &next_state), (State::Line, State::Line)) {
            session.state = next_state;
        }
        used
    }

    /// Looks for one key of a get and answers it. The heart of the product, written with all below it into its two
    /// callers. `SITE` is which of them: it makes two functions of each that is called on the way, or the compiler would
    /// call some of them for having them twice, at 40 to 100 instructions more per key.
    #[inline(always)]
    fn fetch<const SITE: u8>(
        &self,
        verb: GetVerb,
        exptime: RelTime,
        spot: &Spot,
        key: &[u8],
        out: &mut Vec<u8>,
    ) -> Fetched {
        let Spot { hash, shard, hint } = *spot;
        let Some(mut lent) = self.shared.borrow(shard) else {
            return Fetched::Taken;
        };
        let answered = if verb.touches() {
            self.touch_and_answer(&mut lent.shard, hash, verb, exptime, key, out)
        } else {
            match lent.shard.get::<SITE>(hash, hint, key, self.now) {
                Some(Ok(found)) => Some(self.answer(verb, found, out)),
                Some(Err(place)) => Some(self.answer_chunked(&lent.shard, place, verb, out)),
                None => None,
            }
        };
        self.fetched(shard, &mut lent, answered)
    }

    /// [`Self::fetch`] while somebody observes. It has nothing of the other inlined, or the compiler would inline less of
    /// that.
    #[cold]
    #[inline(never)]
    fn fetch_observed(
        &self,
        verb: GetVerb,
        exptime: RelTime,
        spot: &Spot,
        key: &[u8],
        out: &mut Vec<u8>,
    ) -> Fetched {
        let Spot { hash, shard, .. } = *spot;
        let Some(mut lent) = self.shared.borrow(shard) else {
            return Fetched::Taken;
        };
        self.note_look(&lent.shard, hash, key);
        let answered = if verb.touches() {
            self.touch_and_answer(&mut lent.shard, hash, verb, exptime, key, out)
        } else {
            let found = lent.shard.fetch(hash, key, self.now);
            found.map(|found| self.answer_seldom(verb, found, out))
        };
        let counts = PrefixCounts {
            gets: 1,
            hits: u64::from(answered.is_some()),
            ..PrefixCounts::default()
        };
        self.count_detail(key, counts);
        self.fetched(shard, &mut lent, answered)
    }

    /// What came of a look-up that was answered so; what is large is pinned.
    #[inline(always)]
    fn fetched(&self, shard: usize, lent: &mut Lent, answered: Option<Option<Place>>) -> Fetched {
        match answered {
            None => Fetched::Miss,
            Some(None) => Fetched::Hit,
            Some(Some(large)) => {
                let pin = lent.shard.pin(large, self.now);
                Fetched::Large(Box::new((shard, pin)))
            }
        }
    }

    /// Goes on with a large value, of which what comes before it is written.
    #[cold]
    pub(super) fn send_large(
        &self,
        session: &mut Session,
        shard: usize,
        lent: &mut Lent,
        large: Place,
        then: After,
    ) {
        session.state = sending((shard, lent.shard.pin(large, self.now)), then);
    }

    #[cold]
    fn answer_chunked(
        &self,
        shard: &Shard,
        place: Place,
        verb: GetVerb,
        out: &mut Vec<u8>,
    ) -> Option<Place> {
        self.answer(verb, shard.at(place), out)
    }

    /// [`Self::answer`] where it is not worth inlining.
    #[inline(never)]
    fn answer_seldom(&self, verb: GetVerb, found: Found<'_>, out: &mut Vec<u8>) -> Option<Place> {
        self.answer(verb, found, out)
    }

    /// [`Self::fetch`] for gat and gats.
    #[inline(never)]
    fn touch_and_answer(
        &self,
        shard: &mut Shard,
        hash: KeyHash,
        verb: GetVerb,
        exptime: RelTime,
        key: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<Option<Place>> {
        let found = shard.touch(hash, key, exptime, self.now)?;
        Some(self.answer_seldom(verb, found, out))
    }

    /// Writes what was found; of a large value the header only, and says where it is.
    #[inline(always)]
    fn answer(&self, verb: GetVerb, found: Found<'_>, out: &mut Vec<u8>) -> Option<Place> {
        let len = found.value_len();
        let key = reply::Key {
            bytes: found.key(),
            block: found.key_block(),
        };
        reply::value_header(
            out,
            key,
            found.flags(),
            len,
            verb.wants_cas().then(|| found.cas()),
        );
        let large = found.large();
        if large.is_none() {
            found.copy_value(out);
            out.extend_from_slice(reply::CRLF);
        }
        large
    }

    #[inline]
    pub(super) fn count_fetched(&self, verb: GetVerb, hits: u64, misses: u64) {
        let [asked, hit, missed] = match verb.touches() {
            false => [Counter::CmdGet, Counter::GetHits, Counter::GetMisses],
            true => [Counter::CmdTouch, Counter::TouchHits, Counter::TouchMisses],
        };
        self.count(asked, hits + misses);
        self.count(hit, hits);
        self.count(missed, misses);
    }
}

/// Sending a large value, then the rest of its reply.
#[cold]
fn sending((shard, pin): (usize, Pin), then: After) -> State {
    State::Sending(Box::new(Sending { shard, pin, then }))
}
