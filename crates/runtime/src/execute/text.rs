//! The classic text commands, one by one; those that fetch are in `get`.

use larder_protocol::binary::ReplyStatus;
use larder_protocol::text::{
    self, Arith, Command, ErrorText, Frequent, Refused, Status, Store, frequent, reply,
};
use larder_store::{
    ArithRequest, BORROW_COPY_MAX, Deleted, Exptimes, MetaArith, RelTime, StoreRequest,
};

use super::session::{Filling, Keys, Reply, State, Teller, Wire};
use super::value::{PAGES_FOR_SMALL, store_verb};
use super::{CloseReason, Pause, Session, Spot, Turn};
use crate::daemon::Stop;
use crate::snapshot::Counter;

/// Input used, and why to stop if so.
pub(super) type Used = (usize, Option<Pause>);

/// Of a command of so many bytes, what it came to. When its shard is taken it stays in the input, to be decoded again.
#[inline(always)]
pub(super) fn used(len: usize, done: Result<(), Pause>) -> Used {
    match done {
        Ok(()) => (len, None),
        Err(Pause::Taken) => (0, Some(Pause::Taken)),
        Err(pause) => (len, Some(pause)),
    }
}

impl Turn<'_> {
    /// Decodes the line at the front of the input and carries it out.
    #[inline(always)]
    pub(super) fn line(
        &self,
        session: &mut Session,
        input: &[u8],
        out: &mut Vec<u8>,
        commands_left: &mut u32,
    ) -> Used {
        // One look for all the lines that are recognised together.
        if *commands_left > 0
            && !self.observed()
            && let Some(line) = frequent(input)
        {
            if line.end() < input.len() {
                return self.several(session, input, out, commands_left);
            }
            *commands_left -= 1;
            return match line {
                Frequent::Get { key, line_len } => {
                    self.lone_get(session, key, line_len, input, out)
                }
                Frequent::Set { set, line_len } => {
                    self.store(session, &set.store(), line_len, input, out)
                }
            };
        }
        if let Some(used) = self.mg_plain(input, out, commands_left) {
            return used;
        }
        self.any_line(session, input, out, commands_left)
    }

    /// [`Self::line`] for all that is not most frequent.
    #[inline(never)]
    pub(super) fn any_line(
        &self,
        session: &mut Session,
        input: &[u8],
        out: &mut Vec<u8>,
        commands_left: &mut u32,
    ) -> Used {
        let searched = match session.state {
            State::Begun(bytes) => bytes,
            _ => 0,
        };
        let (line_len, command) = match text::decode(input, searched) {
            Status::Complete { line_len, command } => (line_len, command),
            Status::Partial => {
                session.state = State::Begun(input.len());
                return (0, Some(Pause::Input));
            }
            Status::Overlong => return (0, Some(Pause::Close(CloseReason::LineTooLong))),
        };
        if let Err(pause) = self.take_command(commands_left) {
            return (0, Some(pause));
        }
        if searched > 0 {
            session.state = State::Line;
        }
        if session.wire == Wire::Gated
            && let Some(denied) = self.denied(session, &command, &input[..line_len])
        {
            self.refuse(session, denied, out);
            return (line_len, None);
        }
        match command {
            Command::Meta(meta) => self.meta(session, &meta, line_len, input, out),
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
            Command::Store(store) => {
                let spot = self.spot(store.key);
                self.store_at::<true>(session, &store, &spot, line_len, input, out)
            }
            other => used(line_len, self.other(session, other, out)),
        }
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
            Command::Get(_) | Command::Store(_) | Command::Meta(_) => Ok(()),
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
                let moved = self.shared.set_limit_bytes(u64::from(megabytes) << 20);
                let unable = ErrorText::MemlimitUnable.line();
                answer(noreply, if moved { reply::OK } else { unable })
            }
            Command::Shutdown { graceful, noreply } => {
                if !self.config.shutdown_enabled {
                    return answer(noreply, ErrorText::ShutdownNotEnabled.line());
                }
                self.shared
                    .set_stop(if graceful { Stop::Graceful } else { Stop::Now });
                Err(Pause::Close(CloseReason::Shutdown))
            }
            Command::Stats(stats) => {
                self.stats(session, stats, out);
                Ok(())
            }
            Command::Upkeep { upkeep, noreply } => self.upkeep(session, upkeep, noreply, out),
            Command::Watch { streams, noreply } => self.watch(session, streams, noreply, out),
            Command::RefreshCerts { noreply } => self.refresh_certs(session, noreply, out),
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
                reply: Reply::Text(reply),
            };
        }
    }

    /// Carries out a frequent store command, or begins to take in its data block.
    #[inline(never)]
    fn store(
        &self,
        session: &mut Session,
        store: &Store<'_>,
        line_len: usize,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Used {
        let ahead = session.ahead.take();
        let spot = ahead.unwrap_or_else(|| self.spot(store.key));
        self.store_at::<false>(session, store, &spot, line_len, input, out)
    }

    /// The same for any store command, where it is known where to look for the key. `SELDOM` leaves that uninlined which
    /// is not worth it, and is for commands that may be observed.
    #[inline(always)]
    pub(super) fn store_at<const SELDOM: bool>(
        &self,
        session: &mut Session,
        store: &Store<'_>,
        spot: &Spot,
        line_len: usize,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Used {
        let value_len = store.value_len as usize;
        let teller = Teller::Text {
            noreply: store.noreply,
        };
        if !self
            .shard_config
            .fits(store.key.len(), store.flags, store.value_len)
        {
            return used(
                line_len,
                self.too_large(session, store.verb, store.key, store.value_len, teller),
            );
        }
        let exptime = self.clock.exptime(store.exptime, self.now);
        let request = StoreRequest {
            verb: store_verb(store.verb, store.cas),
            key: store.key,
            flags: store.flags,
            exptime,
        };
        let block_end = line_len + value_len + 2;
        if value_len <= BORROW_COPY_MAX
            && let Some(block) = input.get(line_len..block_end)
        {
            return match self.store_block::<SELDOM>(store.verb, &request, spot, block) {
                Some(text) => {
                    self.count(Counter::CmdSet, 1);
                    if !store.noreply {
                        out.extend_from_slice(text);
                    }
                    (block_end, None)
                }
                None => (0, Some(Pause::Taken)),
            };
        }
        self.count(Counter::CmdSet, 1);
        let filling = Filling::new(store.verb, store.cas, &request, store.value_len, teller);
        session.state = State::Filling(Box::new(filling));
        (line_len, None)
    }

    /// Refuses a value above `-I`: its block is dropped, and a `set` takes the old value with it, so that nobody
    /// mistakes that for the new one.
    pub(super) fn too_large(
        &self,
        session: &mut Session,
        verb: text::StoreVerb,
        key: &[u8],
        value_len: u32,
        teller: Teller,
    ) -> Result<(), Pause> {
        let forgets = verb == text::StoreVerb::Set;
        self.refuse_large(session, (verb, forgets), key, value_len, teller)?;
        // memcached counts it by its prefix, and not as a set.
        self.detail_store(key);
        Ok(())
    }

    /// [`Self::too_large`] of what `stats detail` does not count; and whether the old value goes.
    pub(super) fn refuse_large(
        &self,
        session: &mut Session,
        (verb, forgets): (text::StoreVerb, bool),
        key: &[u8],
        value_len: u32,
        teller: Teller,
    ) -> Result<(), Pause> {
        let too_large = || self.note_refused(key, "too_large", verb, teller);
        if forgets {
            let (hash, index) = self.place(key);
            let mut lent = self.shared.borrow(index).ok_or(Pause::Taken)?;
            too_large();
            self.note_look(&lent.shard, hash, key);
            lent.shard.forget(hash, key, self.now);
        } else {
            too_large();
        }
        if let Teller::Text { .. } = teller {
            self.count(Counter::StoreTooLarge, 1);
        }
        session.state = State::Swallowing {
            left: u64::from(value_len) + teller.block_end().len() as u64,
            reply: teller.refusal(ErrorText::TooLarge, ReplyStatus::TooLarge),
        };
        Ok(())
    }

    /// Counts up or down, and counts that. `with` is what an `ma` asks for beside it.
    pub(super) fn count_on(
        &self,
        request: &ArithRequest<'_>,
        with: Option<&MetaArith>,
    ) -> Result<(larder_store::Arith, Exptimes), Pause> {
        let (hash, index) = self.place(request.key);
        let mut lent = self.shared.borrow(index).ok_or(Pause::Taken)?;
        self.shared
            .provide(index, &mut lent, PAGES_FOR_SMALL, 0, self.now);
        self.note_look(&lent.shard, hash, request.key);
        let (result, exptimes) = match with {
            Some(with) => {
                let moment = self.moment();
                lent.shard.arith_meta(hash, request, with, moment)
            }
            None => {
                let result = lent.shard.arith(hash, request, self.moment());
                (result, Exptimes::default())
            }
        };
        if self.observed() {
            self.note_shard(&mut lent.shard);
        }
        let (hits, misses) = match request.incr {
            true => (Counter::IncrHits, Counter::IncrMisses),
            false => (Counter::DecrHits, Counter::DecrMisses),
        };
        match result {
            larder_store::Arith::Value(..) => self.count(hits, 1),
            larder_store::Arith::NotFound => self.count(misses, 1),
            larder_store::Arith::Created(_) if self.observed() => {
                self.note_created(&lent.shard, hash, request.key);
            }
            _ => {}
        }
        Ok((result, exptimes))
    }

    fn arith(&self, arith: &Arith<'_>, out: &mut Vec<u8>) -> Result<(), Pause> {
        let request = ArithRequest {
            key: arith.key,
            delta: arith.delta,
            incr: arith.incr,
            unique: 0,
            create: None,
        };
        let text = match self.count_on(&request, None)?.0 {
            larder_store::Arith::Value(number, _) => {
                if !arith.noreply {
                    reply::number(out, number);
                }
                return Ok(());
            }
            larder_store::Arith::NonNumeric => ErrorText::NonNumeric.line(),
            larder_store::Arith::NoMemory => ErrorText::OutOfMemory.line(),
            _ => reply::NOT_FOUND,
        };
        if !arith.noreply {
            out.extend_from_slice(text);
        }
        Ok(())
    }

    /// Removes an item, and counts that. `cmd` is what watchers are told that it was; none is nothing.
    pub(super) fn remove(
        &self,
        key: &[u8],
        unique: u64,
        cmd: Option<&'static str>,
    ) -> Result<Deleted, Pause> {
        let (hash, index) = self.place(key);
        let mut lent = self.shared.borrow(index).ok_or(Pause::Taken)?;
        let seen = self.look_if_observed(&lent.shard, hash, key);
        let deleted = lent.shard.delete(hash, key, unique, self.now);
        match deleted {
            Deleted::Deleted => self.count(Counter::DeleteHits, 1),
            Deleted::NotFound => self.count(Counter::DeleteMisses, 1),
            Deleted::Exists => {}
        }
        if let Some(seen) = seen {
            self.detail_delete(key);
            self.note_removed(key, seen, deleted, cmd);
        }
        Ok(deleted)
    }

    fn delete(&self, key: &[u8], noreply: bool, out: &mut Vec<u8>) -> Result<(), Pause> {
        let text = match self.remove(key, 0, Some("delete"))? {
            Deleted::Deleted => reply::DELETED,
            _ => reply::NOT_FOUND,
        };
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
        let exptime = self.clock.exptime(exptime, self.now);
        let text = match self.touch_only(key, exptime)? {
            Some(_) => reply::TOUCHED,
            None => reply::NOT_FOUND,
        };
        if !noreply {
            out.extend_from_slice(text);
        }
        Ok(())
    }

    /// Gives an item a new exptime, and counts that. Its client flags and its CAS unique.
    pub(super) fn touch_only(
        &self,
        key: &[u8],
        exptime: RelTime,
    ) -> Result<Option<(u32, u64)>, Pause> {
        let (hash, index) = self.place(key);
        let mut lent = self.shared.borrow(index).ok_or(Pause::Taken)?;
        self.note_look(&lent.shard, hash, key);
        let found = lent
            .shard
            .touch(hash, key, exptime, self.now)
            .map(|found| (found.flags(), found.cas()));
        self.count(Counter::CmdTouch, 1);
        self.count(
            match found {
                Some(_) => Counter::TouchHits,
                None => Counter::TouchMisses,
            },
            1,
        );
        Ok(found)
    }

    fn flush_all(&self, delay: i32) -> &'static [u8] {
        let second = self.clock.exptime(delay.max(0), self.now);
        match self.flush(second) {
            true => reply::OK,
            false => ErrorText::FlushNotAllowed.line(),
        }
    }

    /// Empties the cache, now or at a later second. False if that is not allowed.
    pub(super) fn flush(&self, second: RelTime) -> bool {
        self.count(Counter::CmdFlush, 1);
        if !self.config.flush_enabled {
            return false;
        }
        if second <= self.now {
            self.shared.flush_now(self.now);
        } else {
            self.shared.flush_at(second);
        }
        true
    }
}
