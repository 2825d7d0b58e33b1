//! The classic text commands, one by one.

use std::ops::Range;

use larder_protocol::text::{
    self, Arith, Command, ErrorText, Frequent, GetVerb, Refused, Status, Store, frequent, next_key,
    reply,
};
use larder_store::{BORROW_COPY_MAX, Found, KeyHash, Pin, Place, RelTime, Shard, Touch};

use super::session::{Filling, Keys, Sending, State};
use super::{CloseReason, Pause, Session, Turn};
use crate::daemon::Stop;
use crate::limits::OUTPUT_HIGH;
use crate::shared::PrefixCounts;
use crate::snapshot::Counter;

/// What came of looking for one key of a get.
enum Fetched {
    Hit,
    Miss,
    Taken,
    /// A large value: its header is written, the value follows from this shard.
    Large(Box<(usize, Pin)>),
}

/// Input used, and why to stop if so.
type Used = (usize, Option<Pause>);

impl Turn<'_> {
    /// Decodes the line at the front of the input and carries it out.
    #[inline]
    pub(super) fn line(
        &self,
        session: &mut Session,
        input: &[u8],
        out: &mut Vec<u8>,
        commands_left: &mut u32,
    ) -> Used {
        if *commands_left > 0
            && let Some(line) = frequent(input)
        {
            *commands_left -= 1;
            session.searched = 0;
            return match line {
                Frequent::Get { key, line_len } => {
                    self.lone_get(session, key, line_len, input, out)
                }
                Frequent::Set { store, line_len } => {
                    self.store(session, &store, line_len, input, out)
                }
            };
        }
        self.any_line(session, input, out, commands_left)
    }

    /// [`Self::line`] for all that is not most frequent.
    #[inline(never)]
    fn any_line(
        &self,
        session: &mut Session,
        input: &[u8],
        out: &mut Vec<u8>,
        commands_left: &mut u32,
    ) -> Used {
        let (line_len, command) = match text::decode(input, session.searched) {
            Status::Complete { line_len, command } => (line_len, command),
            Status::Partial => {
                session.searched = input.len();
                return (0, Some(Pause::Input));
            }
            Status::Overlong => return (0, Some(Pause::Close(CloseReason::LineTooLong))),
        };
        if *commands_left == 0 {
            self.count(Counter::ConnYields, 1);
            return (0, Some(Pause::Yield));
        }
        *commands_left -= 1;
        session.searched = 0;
        match command {
            Command::Get(get) => {
                let exptime = if get.verb.touches() {
                    self.clock.exptime(get.exptime, self.now)
                } else {
                    0
                };
                let keys = Keys {
                    verb: get.verb,
                    exptime,
                    left: line_len - get.keys_at,
                };
                let (used, pause) = self.keys(session, keys, &input[get.keys_at..], out);
                (get.keys_at + used, pause)
            }
            Command::Store(store) => self.store(session, &store, line_len, input, out),
            other => match self.other(session, other, out) {
                Ok(()) => (line_len, None),
                // The line stays in the input, to be decoded again.
                Err(Pause::Taken) => (0, Some(Pause::Taken)),
                Err(pause) => (line_len, Some(pause)),
            },
        }
    }

    /// A get of one key.
    #[inline(always)]
    fn lone_get(
        &self,
        session: &mut Session,
        key: Range<usize>,
        line_len: usize,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Used {
        let key_end = key.end;
        let hit = match self.fetch(GetVerb::Get, 0, &input[key], out) {
            Fetched::Hit => true,
            Fetched::Miss => false,
            Fetched::Taken => return (0, Some(Pause::Taken)),
            Fetched::Large(large) => {
                self.count_fetched(GetVerb::Get, 1, 0);
                let then = Keys {
                    verb: GetVerb::Get,
                    exptime: 0,
                    left: line_len - key_end,
                };
                session.state = sending(*large, then);
                return (key_end, None);
            }
        };
        self.count(Counter::CmdGet, 1);
        self.count(
            if hit {
                Counter::GetHits
            } else {
                Counter::GetMisses
            },
            1,
        );
        out.extend_from_slice(reply::END);
        (line_len, None)
    }

    /// Everything but gets and stores.
    fn other(
        &self,
        session: &mut Session,
        command: Command<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Pause> {
        let mut answer = |noreply: bool, text: &[u8]| {
            if !noreply {
                out.extend_from_slice(text);
            }
            Ok(())
        };
        match command {
            Command::Get(_) | Command::Store(_) => Ok(()),
            Command::Arith(arith) => self.arith(&arith, out),
            Command::Delete { key, noreply } => self.delete(key, noreply, out),
            Command::Touch {
                key,
                exptime,
                noreply,
            } => self.touch(key, exptime, noreply, out),
            Command::FlushAll { delay, noreply } => {
                let text = self.flush_all(delay);
                answer(noreply, text)
            }
            Command::Version => {
                reply::version(out, self.daemon.version());
                Ok(())
            }
            Command::Quit => Err(Pause::Close(CloseReason::Normal)),
            Command::Mn => answer(false, reply::MN),
            Command::Verbosity { level, noreply } => {
                self.daemon.set_verbosity(level);
                answer(noreply, reply::OK)
            }
            Command::CacheMemlimit { megabytes, noreply } => {
                self.shared.set_limit_bytes(u64::from(megabytes) << 20);
                answer(noreply, reply::OK)
            }
            Command::Shutdown { graceful, noreply } => {
                if !self.config.shutdown_enabled {
                    return answer(noreply, ErrorText::ShutdownNotEnabled.line());
                }
                self.shared
                    .set_stop(if graceful { Stop::Graceful } else { Stop::Now });
                Err(Pause::Close(CloseReason::Shutdown))
            }
            Command::Stats(stats) => self.stats(session, stats, out),
            Command::RefreshCerts { noreply } => answer(noreply, ErrorText::TlsNotEnabled.line()),
            Command::Http => Err(Pause::Close(CloseReason::Http)),
            Command::Refused(refused) => {
                self.refuse(session, refused, out);
                Ok(())
            }
        }
    }

    /// Answers a refused line, after its data block if it has one.
    fn refuse(&self, session: &mut Session, refused: Refused, out: &mut Vec<u8>) {
        if refused.error == ErrorText::InvalidFlushDelay {
            self.count(Counter::CmdFlush, 1);
        }
        // What is switched off is refused as such, whatever else was wrong with the line.
        let error = match refused.error {
            ErrorText::InvalidFlushDelay if !self.config.flush_enabled => {
                ErrorText::FlushNotAllowed
            }
            ErrorText::InvalidShutdownMode if !self.config.shutdown_enabled => {
                ErrorText::ShutdownNotEnabled
            }
            error => error,
        };
        let reply = if refused.noreply {
            &[][..]
        } else {
            error.line()
        };
        if refused.swallow == 0 {
            out.extend_from_slice(reply);
        } else {
            session.state = State::Swallowing {
                left: refused.swallow,
                reply,
            };
        }
    }

    /// Answers the keys that are left of a get, one by one.
    #[inline]
    pub(super) fn keys(
        &self,
        session: &mut Session,
        keys: Keys,
        line: &[u8],
        out: &mut Vec<u8>,
    ) -> Used {
        let (mut at, mut hits, mut misses) = (0, 0, 0);
        let mut used = (keys.left, None);
        let mut next_state = State::Line;
        while let Some((key, next)) = next_key(line, at) {
            match self.fetch(keys.verb, keys.exptime, &line[key], out) {
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
                    next_state = sending(*large, then);
                    used = (next, None);
                    break;
                }
            }
            at = next;
            if out.len() >= OUTPUT_HIGH {
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

    /// Looks for one key of a get and answers it. The heart of the product: one function, called for every key, so that
    /// all below it is inlined here and nowhere else.
    #[inline(never)]
    fn fetch(&self, verb: GetVerb, exptime: RelTime, key: &[u8], out: &mut Vec<u8>) -> Fetched {
        let (hash, index) = self.place(key);
        let Some(mut lent) = self.shared.borrow(index) else {
            return Fetched::Taken;
        };
        let answered = if verb.touches() {
            self.touch_and_answer(&mut lent.shard, hash, verb, exptime, key, out)
        } else {
            match lent
                .shard
                .get(hash, key, self.now, |found| self.answer(verb, found, out))
            {
                Some(Err(place)) => Some(self.answer_chunked(&lent.shard, place, verb, out)),
                Some(Ok(answered)) => Some(answered),
                None => None,
            }
        };
        if self.detail {
            let hits = u64::from(answered.is_some());
            self.count_detail(
                key,
                PrefixCounts {
                    gets: 1,
                    hits,
                    ..PrefixCounts::default()
                },
            );
        }
        match answered {
            None => Fetched::Miss,
            Some(None) => Fetched::Hit,
            Some(Some(large)) => match lent.shard.pin(large, self.now) {
                Some(pin) => Fetched::Large(Box::new((index, pin))),
                None => Fetched::Hit,
            },
        }
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
        let answer = |found: Found<'_>| self.answer(verb, found, out);
        shard.touch(hash, key, exptime, Touch::Fetch, self.now, answer)
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
        if len as usize > BORROW_COPY_MAX {
            return found.place();
        }
        found.copy_value(out);
        out.extend_from_slice(reply::CRLF);
        None
    }

    #[inline]
    fn count_fetched(&self, verb: GetVerb, hits: u64, misses: u64) {
        let [asked, hit, missed] = match verb.touches() {
            false => [Counter::CmdGet, Counter::GetHits, Counter::GetMisses],
            true => [Counter::CmdTouch, Counter::TouchHits, Counter::TouchMisses],
        };
        self.count(asked, hits + misses);
        self.count(hit, hits);
        self.count(missed, misses);
    }

    /// Counts a command for `stats detail`: by the part of the key before the first delimiter, if it has one.
    #[cold]
    pub(super) fn count_detail(&self, key: &[u8], counts: PrefixCounts) {
        if let Some(end) = key
            .iter()
            .position(|&byte| byte == self.config.prefix_delimiter)
        {
            self.shared.count_prefix(self.worker, &key[..end], counts);
        }
    }

    /// Carries out a store command, or begins to take in its data block.
    #[inline]
    fn store(
        &self,
        session: &mut Session,
        store: &Store<'_>,
        line_len: usize,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Used {
        let value_len = store.value_len as usize;
        if !self
            .shard_config
            .fits(store.key.len(), store.flags, store.value_len)
        {
            return match self.too_large(session, store) {
                Some(pause) => (0, Some(pause)),
                None => (line_len, None),
            };
        }
        let exptime = self.clock.exptime(store.exptime, self.now);
        let block_end = line_len + value_len + 2;
        if value_len <= BORROW_COPY_MAX
            && let Some(block) = input.get(line_len..block_end)
        {
            return match self.store_block(
                store.verb,
                store.key,
                store.flags,
                exptime,
                store.cas,
                block,
            ) {
                Some(text) => {
                    self.count_store(store.key);
                    if !store.noreply {
                        out.extend_from_slice(text);
                    }
                    (block_end, None)
                }
                None => (0, Some(Pause::Taken)),
            };
        }
        self.count_store(store.key);
        session.state = State::Filling(Box::new(Filling::new(store, exptime)));
        (line_len, None)
    }

    #[inline]
    fn count_store(&self, key: &[u8]) {
        self.count(Counter::CmdSet, 1);
        if self.detail {
            self.count_detail(
                key,
                PrefixCounts {
                    sets: 1,
                    ..PrefixCounts::default()
                },
            );
        }
    }

    /// Refuses a value above `-I`: its block is dropped, and a `set` takes the old value with it, so that nobody
    /// mistakes that for the new one.
    fn too_large(&self, session: &mut Session, store: &Store<'_>) -> Option<Pause> {
        if store.verb == text::StoreVerb::Set {
            let (hash, index) = self.place(store.key);
            let Some(mut lent) = self.shared.borrow(index) else {
                return Some(Pause::Taken);
            };
            lent.shard.forget(hash, store.key, self.now);
        }
        self.count_store(store.key);
        self.count(Counter::StoreTooLarge, 1);
        let reply = if store.noreply {
            &[][..]
        } else {
            ErrorText::TooLarge.line()
        };
        session.state = State::Swallowing {
            left: u64::from(store.value_len) + 2,
            reply,
        };
        None
    }

    fn arith(&self, arith: &Arith<'_>, out: &mut Vec<u8>) -> Result<(), Pause> {
        let (hash, index) = self.place(arith.key);
        let mut lent = self.shared.borrow(index).ok_or(Pause::Taken)?;
        self.shared.provide(index, &mut lent, 2, 0, self.now);
        let result = lent
            .shard
            .arith(hash, arith.key, arith.delta, arith.incr, self.moment());
        let (hits, misses) = match arith.incr {
            true => (Counter::IncrHits, Counter::IncrMisses),
            false => (Counter::DecrHits, Counter::DecrMisses),
        };
        let text = match result {
            larder_store::Arith::Value(number) => {
                self.count(hits, 1);
                if !arith.noreply {
                    reply::number(out, number);
                }
                return Ok(());
            }
            larder_store::Arith::NotFound => {
                self.count(misses, 1);
                reply::NOT_FOUND
            }
            larder_store::Arith::NonNumeric => ErrorText::NonNumeric.line(),
            larder_store::Arith::NoMemory => ErrorText::OutOfMemory.line(),
        };
        if !arith.noreply {
            out.extend_from_slice(text);
        }
        Ok(())
    }

    fn delete(&self, key: &[u8], noreply: bool, out: &mut Vec<u8>) -> Result<(), Pause> {
        let (hash, index) = self.place(key);
        let mut lent = self.shared.borrow(index).ok_or(Pause::Taken)?;
        let text = if lent.shard.delete(hash, key, self.now) {
            self.count(Counter::DeleteHits, 1);
            reply::DELETED
        } else {
            self.count(Counter::DeleteMisses, 1);
            reply::NOT_FOUND
        };
        if self.detail {
            self.count_detail(
                key,
                PrefixCounts {
                    deletes: 1,
                    ..PrefixCounts::default()
                },
            );
        }
        if !noreply {
            out.extend_from_slice(text);
        }
        Ok(())
    }

    fn touch(
        &self,
        key: &[u8],
        exptime: i32,
        noreply: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Pause> {
        let (hash, index) = self.place(key);
        let mut lent = self.shared.borrow(index).ok_or(Pause::Taken)?;
        let exptime = self.clock.exptime(exptime, self.now);
        let found = lent
            .shard
            .touch(hash, key, exptime, Touch::Only, self.now, |_| ())
            .is_some();
        self.count(Counter::CmdTouch, 1);
        self.count(
            if found {
                Counter::TouchHits
            } else {
                Counter::TouchMisses
            },
            1,
        );
        if !noreply {
            out.extend_from_slice(if found {
                reply::TOUCHED
            } else {
                reply::NOT_FOUND
            });
        }
        Ok(())
    }

    fn flush_all(&self, delay: i32) -> &'static [u8] {
        self.count(Counter::CmdFlush, 1);
        if !self.config.flush_enabled {
            return ErrorText::FlushNotAllowed.line();
        }
        let second: RelTime = if delay > 0 {
            self.clock.exptime(delay, self.now)
        } else {
            0
        };
        if second <= self.now {
            self.shared.flush_now();
        } else {
            self.shared.flush_at(second);
        }
        reply::OK
    }
}

/// Sending a large value, then the rest of its get.
#[cold]
fn sending((shard, pin): (usize, Pin), then: Keys) -> State {
    State::Sending(Box::new(Sending { shard, pin, then }))
}
