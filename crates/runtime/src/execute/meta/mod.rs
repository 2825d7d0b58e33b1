//! The meta commands, one by one: `md`, `ma` and `me` here, `mg` in `get`, `ms` in `set`.
//!
//! They act on the same items as the classic commands, by the same calls where they ask for the same.

mod get;
mod set;

use larder_protocol::meta::reply::{self, Code, Debug, OF_KEY, OF_NUMBER, Shown};
use larder_protocol::meta::{Arith, Command, Flags, Request};
use larder_protocol::text::{ErrorText, fits_a_line};
use larder_store::{
    ArithRequest, Create, Deleted, ItemInfo, MetaArith, MetaDelete, MetaDeleted, RelTime, Seen,
};

pub(crate) use set::MetaFilling;

use super::text::{Used, used};
use super::value::PAGES_FOR_SMALL;
use super::{Pause, Session, Turn};
use crate::snapshot::Counter;

impl Turn<'_> {
    /// Carries out a meta command, of which the line is there.
    pub(super) fn meta(
        &self,
        session: &mut Session,
        command: &Command<'_>,
        line_len: usize,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Used {
        let done = match command {
            Command::Set(set) => return self.ms(session, set, line_len, input, out),
            Command::Get(request) => self.mg(session, request, out),
            Command::Delete(request) => self.md(request, out),
            Command::Arith(arith) => self.ma(arith, out),
            Command::Debug(request) => self.me(request, out),
        };
        used(line_len, done)
    }

    /// Removes an item, empties it, or marks it as stale.
    fn md(&self, request: &Request<'_>, out: &mut Vec<u8>) -> Result<(), Pause> {
        let mut room = None;
        let (key, flags) = (request.item_key(&mut room), &request.flags);
        let exptime = |sent| self.clock.exptime(sent, self.now);
        let touch = flags.ttl().map(exptime);
        let delete = MetaDelete {
            compare: flags.cas(),
            invalidate: flags.has(b'I'),
            empty: flags
                .has(b'x')
                .then(|| (flags.client_flags(), touch.unwrap_or_default())),
            touch,
            unique: flags.new_cas(),
        };
        let (hash, index) = self.place(key);
        let mut lent = self.shared.borrow(index).ok_or(Pause::Taken)?;
        self.shared
            .provide(index, &mut lent, PAGES_FOR_SMALL, 0, self.now);
        let seen = self.look_if_observed(&lent.shard, hash, key);
        let deleted = lent.shard.delete_meta(hash, key, &delete, self.moment());
        if let Some(seen) = seen {
            self.note_shard(&mut lent.shard);
            self.note_md(key, seen, deleted, delete.invalidate);
        }
        let code = match deleted {
            MetaDeleted::Done => Code::Done,
            MetaDeleted::NotFound => Code::NotFound,
            MetaDeleted::Exists => Code::Exists,
            MetaDeleted::NoMemory => {
                out.extend_from_slice(ErrorText::OutOfMemory.line());
                return Ok(());
            }
        };
        match deleted {
            MetaDeleted::Done if delete.invalidate => {}
            MetaDeleted::Done => self.count(Counter::DeleteHits, 1),
            // memcached counts one whose CAS unique is another among them.
            _ => self.count(Counter::DeleteMisses, 1),
        }
        if !(flags.has(b'q') && code.is_dull()) {
            reply::line(out, code, flags, OF_KEY, &Shown::of_request(request, key));
        }
        Ok(())
    }

    #[cold]
    fn note_md(&self, key: &[u8], seen: Seen, deleted: MetaDeleted, invalidate: bool) {
        let deleted = match deleted {
            MetaDeleted::Done => Deleted::Deleted,
            MetaDeleted::NotFound | MetaDeleted::NoMemory => Deleted::NotFound,
            MetaDeleted::Exists => Deleted::Exists,
        };
        self.note_removed(key, seen, deleted, (!invalidate).then_some("md"));
    }

    /// Counts up or down.
    fn ma(&self, arith: &Arith<'_>, out: &mut Vec<u8>) -> Result<(), Pause> {
        let Arith { request, incr } = arith;
        let mut room = None;
        let (key, flags) = (request.item_key(&mut room), &request.flags);
        let exptime = |sent| self.clock.exptime(sent, self.now);
        let initial = flags.initial();
        let (new_exptime, new_shown) = self.exptimes_of_new(flags);
        let wanted = ArithRequest {
            key,
            delta: flags.delta(),
            incr: *incr,
            unique: flags.cas().unwrap_or_default(),
            create: flags.has(b'N').then_some(Create {
                initial,
                exptime: new_exptime,
            }),
        };
        let with = MetaArith {
            touch: flags.ttl().map(exptime),
            unique: flags.new_cas(),
            binary_key: request.is_binary(),
        };
        let mut shown = Shown::of_request(request, key);
        let (result, exptimes) = self.count_on(&wanted, Some(&with))?;
        let is_old = flags.is_before(b't', b'T');
        let (number, unique, exptime) = match result {
            larder_store::Arith::Value(number, unique) => {
                let exptime = if is_old { exptimes.old } else { exptimes.new };
                (number, unique, exptime)
            }
            larder_store::Arith::Created(unique) => (initial, unique, new_shown),
            other => {
                refuse_ma(other, request, &shown, out);
                return Ok(());
            }
        };
        if flags.has(b'q') {
            return Ok(());
        }
        shown.ttl = self.ttl(exptime);
        shown.cas = unique;
        match flags.has(b'v') {
            true => reply::number(out, number, flags, &shown),
            false => reply::line(out, Code::Done, flags, OF_NUMBER, &shown),
        }
        Ok(())
    }

    /// Shows an item's metadata.
    fn me(&self, request: &Request<'_>, out: &mut Vec<u8>) -> Result<(), Pause> {
        let mut room = None;
        let key = request.item_key(&mut room);
        let (hash, index) = self.place(key);
        let lent = self.shared.borrow(index).ok_or(Pause::Taken)?;
        self.note_look(&lent.shard, hash, key);
        self.count(Counter::CmdMeta, 1);
        let Some(ItemInfo { key, facts }) = lent.shard.inspect(hash, key, self.now) else {
            let none = Shown::of_request(request, key);
            reply::line(out, Code::Miss, &request.flags, reply::NOTHING, &none);
            return Ok(());
        };
        let shown = Shown {
            key: key.into(),
            binary: facts.binary_key || is_unfit(request, key),
            value_len: facts.value_len,
            cas: facts.cas,
            client_flags: facts.flags,
            ttl: self.ttl(facts.exptime),
            fetched: facts.fetched,
            idle_s: self.now.saturating_sub(facts.accessed),
        };
        let (class, size) = (facts.class, facts.size);
        reply::debug(out, &Debug { shown, class, size });
        Ok(())
    }

    /// The exptime of an item that an `N` makes, and the one that `t` shows. Each flag takes effect at its place: before the
    /// first that sets it, it is never.
    pub(super) fn exptimes_of_new(&self, flags: &Flags<'_>) -> (RelTime, RelTime) {
        let exptime = |sent: Option<i32>| self.clock.exptime(sent.unwrap_or_default(), self.now);
        let (mut last, mut shown) = (0, 0);
        for word in flags.words() {
            match word[0] {
                b'N' => last = exptime(flags.vivify()),
                b'T' => last = exptime(flags.ttl()),
                b't' => shown = last,
                _ => {}
            }
        }
        (last, shown)
    }

    /// Seconds left of an exptime; none is for ever. As in memcached a time that is over already comes out as a huge
    /// number: an item can only be seen then by the command that made it so.
    #[inline(always)]
    fn ttl(&self, exptime: RelTime) -> Option<u32> {
        (exptime != 0).then(|| exptime.wrapping_sub(self.now))
    }
}

/// Whether an item's key, asked for as base64, could not stand on a line as it is. It is then shown as base64 even if
/// the item came by the binary protocol, which knows of no lines.
fn is_unfit(request: &Request<'_>, key: &[u8]) -> bool {
    request.is_binary() && !fits_a_line(key)
}

/// Answers an `ma` that came to no number.
fn refuse_ma(
    result: larder_store::Arith,
    request: &Request<'_>,
    shown: &Shown<'_>,
    out: &mut Vec<u8>,
) {
    let code = match result {
        larder_store::Arith::NonNumeric => {
            return out.extend_from_slice(ErrorText::NonNumeric.line());
        }
        larder_store::Arith::NoMemory => {
            return out.extend_from_slice(ErrorText::OutOfMemory.line());
        }
        larder_store::Arith::Exists => Code::Exists,
        _ => Code::NotFound,
    };
    reply::line(out, code, &request.flags, OF_KEY, shown);
}
