//! The binary protocol's commands, one by one.
//!
//! They act on the same items by the same calls as the text protocol's; only what is asked and how it is answered differs.

use larder_protocol::binary::{
    self, Arith, Command, Echo, Get, Refused, ReplyStatus, Request, Status, Store, reply,
};
use larder_protocol::text::{GetVerb, StoreVerb};
use larder_store::{ArithRequest, BORROW_COPY_MAX, Create, Deleted, Found, Place, StoreRequest};

use super::session::{After, Filling, Reply, State, Teller, Wire};
use super::text::{Used, used};
use super::value::store_verb;
use super::{CloseReason, Pause, Session, Spot, Turn, site};
use crate::shared::PrefixCounts;
use crate::snapshot::Counter;

impl Turn<'_> {
    /// Decodes the frame at the front of the input and carries it out, if its client may do that.
    pub(super) fn frame(
        &self,
        session: &mut Session,
        input: &[u8],
        out: &mut Vec<u8>,
        commands_left: &mut u32,
    ) -> Used {
        let (head_len, request) = match binary::decode(input) {
            Status::Complete { head_len, request } => (head_len, request),
            Status::Incomplete { .. } => return (0, Some(Pause::Input)),
            Status::BadMagic => return (0, Some(Pause::Close(CloseReason::BadFrame))),
        };
        if let Err(pause) = self.take_command(commands_left) {
            return (0, Some(pause));
        }
        if session.wire == Wire::Gated
            && let Some(used) = self.stop_frame(session, input, out)
        {
            return used;
        }
        self.carry_out(session, request, head_len, input, out)
    }

    /// Carries out a frame whose head has so many bytes at the front of the input.
    #[inline(always)]
    fn carry_out(
        &self,
        session: &mut Session,
        Request { echo, command }: Request<'_>,
        head_len: usize,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Used {
        let done = match command {
            Command::Get(get) => self.get_frame(session, echo, &get, out),
            Command::Store(store) => {
                let value = &input[head_len..];
                return match self.store_frame(session, echo, &store, value, out) {
                    Ok(used) => (head_len + used, None),
                    Err(pause) => (0, Some(pause)),
                };
            }
            Command::Sasl(sasl) if session.offers_sasl() => {
                return self.sasl(session, echo, &sasl, head_len, input, out);
            }
            Command::SaslListMechs if session.offers_sasl() => {
                reply::body(out, echo, ReplyStatus::Success, binary::PLAIN);
                Ok(())
            }
            Command::Sasl(sasl) => {
                let refused = Refused::without_sasl(sasl.data_len);
                refuse(session, echo, refused, out)
            }
            Command::SaslListMechs => refuse(session, echo, Refused::without_sasl(0), out),
            Command::Touch { key, exptime } => self.touch_frame(echo, key, exptime, out),
            Command::Arith(arith) => self.arith_frame(echo, &arith, out),
            Command::Delete { key, cas } => self.delete_frame(echo, key, cas, out),
            Command::Flush { exptime } => {
                match self.flush(self.clock.unsigned_exptime(exptime, self.now)) {
                    true => reply::done(out, echo, 0),
                    false => reply::error(out, echo, ReplyStatus::AuthError),
                }
                Ok(())
            }
            Command::Noop => {
                reply::done(out, echo, 0);
                Ok(())
            }
            Command::Version => {
                let version = self.daemon.version().as_bytes();
                reply::body(out, echo, ReplyStatus::Success, version);
                Ok(())
            }
            Command::Stat(stats) => {
                self.binary_stats(session, echo, stats, out);
                Ok(())
            }
            Command::Quit => {
                reply::done(out, echo, 0);
                Err(Pause::Close(CloseReason::Normal))
            }
            Command::Refused(refused) => refuse(session, echo, refused, out),
        };
        used(head_len, done)
    }

    /// get, gat, and those that repeat the key.
    #[inline]
    fn get_frame(
        &self,
        session: &mut Session,
        echo: Echo,
        get: &Get<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Pause> {
        let Spot { hash, shard, hint } = self.spot(get.key);
        let mut lent = self.shared.borrow(shard).ok_or(Pause::Taken)?;
        self.note_look(&lent.shard, hash, get.key);
        let key = get.with_key.then_some(get.key);
        // Whether there was something, and if its value is still to be sent, where it is.
        let answered = match get.exptime {
            None => match lent
                .shard
                .get::<{ site::FRAME }>(hash, hint, get.key, self.now)
            {
                Some(Ok(found)) => Some(answer(echo, key, found, out)),
                Some(Err(place)) => Some(answer_seldom(echo, key, lent.shard.at(place), out)),
                None => None,
            },
            Some(exptime) => {
                let exptime = self.clock.unsigned_exptime(exptime, self.now);
                lent.shard
                    .touch(hash, get.key, exptime, self.now)
                    .map(|found| answer_seldom(echo, key, found, out))
            }
        };
        let hits = u64::from(answered.is_some());
        let verb = match get.exptime {
            None => GetVerb::Get,
            Some(_) => GetVerb::Gat,
        };
        self.count_fetched(verb, hits, 1 - hits);
        if self.observed() {
            let gets = PrefixCounts {
                gets: 1,
                hits,
                ..PrefixCounts::default()
            };
            self.count_detail(get.key, gets);
        }
        match answered {
            None => reply::get_miss(out, echo, key),
            Some(None) => {}
            Some(Some(large)) => {
                self.send_large(session, shard, &mut lent, large, After::Frame);
            }
        }
        Ok(())
    }

    /// set, add, replace, append, prepend; with a CAS unique, the first three are compare-and-swap. Returns how much of the
    /// value was there.
    fn store_frame(
        &self,
        session: &mut Session,
        echo: Echo,
        store: &Store<'_>,
        rest: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<usize, Pause> {
        let (config, teller) = (self.shard_config, Teller::Binary(echo));
        if !config.fits(store.key.len(), store.flags, store.value_len) {
            self.too_large(session, store.verb, store.key, store.value_len, teller)?;
            return Ok(0);
        }
        let verb = match store.verb {
            StoreVerb::Set | StoreVerb::Add | StoreVerb::Replace if store.cas != 0 => {
                StoreVerb::Cas
            }
            verb => verb,
        };
        let exptime = self.clock.unsigned_exptime(store.exptime, self.now);
        let request = StoreRequest {
            verb: store_verb(verb, store.cas),
            key: store.key,
            flags: store.flags,
            exptime,
        };
        let value_len = store.value_len as usize;
        if value_len <= BORROW_COPY_MAX
            && let Some(value) = rest.get(..value_len)
        {
            let spot = self.spot(store.key);
            let stored = self.store_seldom(verb, &request, &spot, value);
            let stored = stored.ok_or(Pause::Taken)?;
            self.count(Counter::CmdSet, 1);
            self.tell(teller, verb, stored, out);
            return Ok(value_len);
        }
        self.count(Counter::CmdSet, 1);
        let filling = Filling::new(verb, store.cas, &request, store.value_len, teller);
        session.state = State::Filling(Box::new(filling));
        Ok(0)
    }

    #[inline(never)]
    fn touch_frame(
        &self,
        echo: Echo,
        key: &[u8],
        exptime: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), Pause> {
        let exptime = self.clock.unsigned_exptime(exptime, self.now);
        match self.touch_only(key, exptime)? {
            Some((flags, cas)) => reply::touched(out, echo, flags, cas),
            None => reply::error(out, echo, ReplyStatus::NotFound),
        }
        Ok(())
    }

    #[inline(never)]
    fn delete_frame(
        &self,
        echo: Echo,
        key: &[u8],
        cas: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), Pause> {
        match self.remove(key, cas, None)? {
            Deleted::Deleted => reply::done(out, echo, 0),
            Deleted::NotFound => reply::error(out, echo, ReplyStatus::NotFound),
            Deleted::Exists => reply::error(out, echo, ReplyStatus::Exists),
        }
        Ok(())
    }

    #[inline(never)]
    fn arith_frame(&self, echo: Echo, arith: &Arith<'_>, out: &mut Vec<u8>) -> Result<(), Pause> {
        let create = arith.create.map(|create| Create {
            initial: create.initial,
            exptime: self.clock.unsigned_exptime(create.exptime, self.now),
        });
        let request = ArithRequest {
            key: arith.key,
            delta: arith.delta,
            incr: arith.incr,
            unique: arith.cas,
            create,
        };
        let status = match self.count_on(&request, None)?.0 {
            larder_store::Arith::Value(number, unique) => {
                reply::number(out, echo, number, unique);
                return Ok(());
            }
            larder_store::Arith::Created(unique) => {
                let initial = create.map_or(0, |create| create.initial);
                reply::number(out, echo, initial, unique);
                return Ok(());
            }
            larder_store::Arith::NotFound => ReplyStatus::NotFound,
            larder_store::Arith::Exists => ReplyStatus::Exists,
            larder_store::Arith::NonNumeric => ReplyStatus::NonNumeric,
            larder_store::Arith::NoMemory => ReplyStatus::OutOfMemory,
        };
        reply::error(out, echo, status);
        Ok(())
    }
}

/// Answers a frame that is refused: at once, or behind its value.
pub(super) fn refuse(
    session: &mut Session,
    echo: Echo,
    refused: Refused,
    out: &mut Vec<u8>,
) -> Result<(), Pause> {
    if refused.swallow > 0 {
        session.state = State::Swallowing {
            left: u64::from(refused.swallow),
            reply: Reply::Binary(echo, refused.status),
        };
        return Ok(());
    }
    reply::error(out, echo, refused.status);
    match refused.close {
        true => Err(Pause::Close(CloseReason::BadFrame)),
        false => Ok(()),
    }
}

/// [`answer`] where it is not worth inlining.
#[inline(never)]
fn answer_seldom(
    echo: Echo,
    key: Option<&[u8]>,
    found: Found<'_>,
    out: &mut Vec<u8>,
) -> Option<Place> {
    answer(echo, key, found, out)
}

/// Writes what was found; of a large value the header only, and says where it is.
#[inline(always)]
fn answer(echo: Echo, key: Option<&[u8]>, found: Found<'_>, out: &mut Vec<u8>) -> Option<Place> {
    let len = found.value_len();
    reply::value_header(out, echo, found.flags(), key, len, found.cas());
    let large = found.large();
    if large.is_none() {
        found.copy_value(out);
    }
    large
}
