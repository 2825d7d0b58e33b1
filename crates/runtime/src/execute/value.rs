//! Data blocks on their way in.
//!
//! A block that has come in whole is stored where it lies. Of one that has not, small values gather in the connection's
//! buffer; large ones go into their shard slice by slice, straight out of the read buffer when a packet brings enough,
//! and become visible at once at their end.

use larder_protocol::binary::{ReplyStatus, not_stored, reply as frames};
use larder_protocol::text::{ErrorText, StoreVerb, reply};
use larder_store::{BORROW_COPY_MAX, Hint, StoreRequest, Stored, Value};

use super::session::{Filling, Reply, State, Teller};
use super::{Pause, Session, Spot, Turn};
use crate::limits::SLICE_BYTES;
use crate::shared::Lent;
use crate::snapshot::Counter;

/// Pages that a value in one chunk may need: one of its class, one by which the index grows.
pub(super) const PAGES_FOR_SMALL: usize = 2;

/// Pages that a slice may need beside its own bytes: for a 4 KiB piece, a tail, a head, the index.
const PAGES_BESIDE_SLICE: usize = 4;

/// Bytes from which a value may need more than one chunk.
const CHUNKED_FROM: usize = 3 * 1024;

/// What a slice of a large value came to.
enum Slice {
    /// It is in the shard.
    In,
    Taken,
    /// Other values on their way in take all that such may.
    Wait,
    NoMemory,
}

/// The store's word for a verb. `cas`, append and prepend have the number in it.
pub(super) fn store_verb(verb: StoreVerb, cas: u64) -> larder_store::StoreVerb {
    match verb {
        StoreVerb::Set => larder_store::StoreVerb::Set,
        StoreVerb::Add => larder_store::StoreVerb::Add,
        StoreVerb::Replace => larder_store::StoreVerb::Replace,
        StoreVerb::Append => larder_store::StoreVerb::Append(cas),
        StoreVerb::Prepend => larder_store::StoreVerb::Prepend(cas),
        StoreVerb::Cas => larder_store::StoreVerb::Cas(cas),
    }
}

impl Filling {
    fn request(&self) -> StoreRequest<'_> {
        StoreRequest {
            verb: store_verb(self.verb, self.cas),
            key: self.key(),
            flags: self.flags,
            exptime: self.exptime,
        }
    }

    /// Whether it takes the old value with it when it finds no memory: a `set` does, and an `ms` in every mode.
    fn replaces(&self) -> bool {
        self.verb == StoreVerb::Set || self.meta.is_some()
    }
}

impl Turn<'_> {
    /// Stores a text command's value of which the whole block, its end included, is there. `None` if the shard is taken.
    #[inline(always)]
    pub(super) fn store_block<const SELDOM: bool>(
        &self,
        verb: StoreVerb,
        request: &StoreRequest<'_>,
        spot: &Spot,
        block: &[u8],
    ) -> Option<&'static [u8]> {
        let (value, end) = block.split_at(block.len() - reply::CRLF.len());
        if end != reply::CRLF {
            self.detail_store(request.key);
            return Some(ErrorText::BadDataChunk.line());
        }
        let stored = match SELDOM {
            true => self.store_seldom(verb, request, spot, value)?,
            false => self.store_value(verb, request, spot, value)?,
        };
        Some(self.word_stored(verb, stored))
    }

    /// Stores a value that is there whole, and counts what came of it. Not while somebody observes. `None` if the shard is
    /// taken.
    #[inline(always)]
    fn store_value(
        &self,
        verb: StoreVerb,
        request: &StoreRequest<'_>,
        spot: &Spot,
        value: &[u8],
    ) -> Option<Stored> {
        let mut lent = self.shared.borrow(spot.shard)?;
        Some(self.store_into(&mut lent, verb, request, spot, value))
    }

    /// [`Self::store_value`] where it is not worth inlining, or while somebody observes.
    #[inline(never)]
    pub(super) fn store_seldom(
        &self,
        verb: StoreVerb,
        request: &StoreRequest<'_>,
        spot: &Spot,
        value: &[u8],
    ) -> Option<Stored> {
        let mut lent = self.shared.borrow(spot.shard)?;
        let seen = self.look_if_observed(&lent.shard, spot.hash, request.key);
        let stored = self.store_into(&mut lent, verb, request, spot, value);
        if let Some(seen) = seen {
            let offer = (verb, request, value.len() as u32);
            self.detail_store(request.key);
            self.note_store(&mut lent.shard, spot.hash, offer, (seen, stored));
        }
        Some(stored)
    }

    /// [`Self::store_value`] into its shard.
    #[inline(always)]
    fn store_into(
        &self,
        lent: &mut Lent,
        verb: StoreVerb,
        request: &StoreRequest<'_>,
        spot: &Spot,
        value: &[u8],
    ) -> Stored {
        let Spot { hash, shard, hint } = *spot;
        self.provide_for(value.len(), shard, lent);
        let value = Value::Bytes(value);
        let stored = lent.shard.store(hash, hint, request, value, self.moment());
        self.count_stored(verb, stored);
        stored
    }

    /// Sees to it that the shard has the pages that a value may need.
    #[inline(always)]
    pub(super) fn provide_for(&self, value_len: usize, shard: usize, lent: &mut Lent) {
        let pages = if value_len < CHUNKED_FROM {
            PAGES_FOR_SMALL
        } else {
            self.pages_for_slice()
        };
        self.shared.provide(shard, lent, pages, 0, self.now);
    }

    fn pages_for_slice(&self) -> usize {
        BORROW_COPY_MAX / self.shard_config.page_bytes + PAGES_BESIDE_SLICE
    }

    #[inline]
    pub(super) fn count_stored(&self, verb: StoreVerb, stored: Stored) {
        if verb == StoreVerb::Cas {
            match stored {
                Stored::Stored(_) => self.count(Counter::CasHits, 1),
                Stored::NotFound => self.count(Counter::CasMisses, 1),
                Stored::Exists => self.count(Counter::CasBadval, 1),
                _ => {}
            }
        }
    }

    /// Tells what came of a store command.
    pub(super) fn tell(&self, teller: Teller, verb: StoreVerb, stored: Stored, out: &mut Vec<u8>) {
        match teller {
            Teller::Text { noreply } => {
                let text = self.word_stored(verb, stored);
                if !noreply {
                    out.extend_from_slice(text);
                }
            }
            Teller::Binary(echo) => match stored {
                Stored::Stored(unique) => frames::done(out, echo, unique),
                other => frames::error(out, echo, status_of(verb, other)),
            },
        }
    }

    /// What the text protocol calls the outcome of a store command. Only there a lack of memory counts.
    #[inline]
    fn word_stored(&self, verb: StoreVerb, stored: Stored) -> &'static [u8] {
        match stored {
            Stored::Stored(_) => reply::STORED,
            Stored::NotStored => reply::NOT_STORED,
            Stored::Exists => reply::EXISTS,
            Stored::NotFound => reply::NOT_FOUND,
            // memcached words it so for the two that join.
            Stored::NoMemory if joins(verb) => reply::NOT_STORED,
            Stored::NoMemory => {
                self.count(Counter::StoreNoMemory, 1);
                ErrorText::OutOfMemoryStoring.line()
            }
        }
    }

    /// Takes in more of a data block.
    pub(super) fn fill(
        &self,
        session: &mut Session,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> (usize, Option<Pause>) {
        let State::Filling(filling) = &mut session.state else {
            return (0, None);
        };
        let (used, filled) = if filling.value_len as usize <= BORROW_COPY_MAX {
            self.fill_small(filling, input)
        } else {
            self.fill_large(filling, input)
        };
        let filled = match filled {
            Ok(filled) => filled,
            Err(pause) => return (used, Some(pause)),
        };
        let State::Filling(filling) = std::mem::replace(&mut session.state, State::Line) else {
            return (used, None);
        };
        let (teller, verb) = (filling.teller, filling.verb);
        if filling.meta.is_none() && !matches!(filled, Filled::Stored(..)) {
            self.detail_store(filling.key());
        }
        match filled {
            Filled::Stored(stored, len) => match &filling.meta {
                None => self.tell(teller, verb, stored, out),
                Some(meta) => meta.tell(filling.key(), (stored, len), out),
            },
            // Only text has an end that can be bad; a frame's shape is judged by its head.
            Filled::BadEnd => teller
                .refusal(ErrorText::BadDataChunk, ReplyStatus::InvalidArguments)
                .write(out),
            Filled::NoMemory { left } => {
                let joins = filling.meta.is_none() && joins(verb);
                let reply = no_memory(teller, joins);
                session.state = State::Swallowing { left, reply };
            }
        }
        (used, None)
    }

    fn fill_small(&self, filling: &mut Filling, input: &[u8]) -> (usize, Result<Filled, Pause>) {
        let value_len = filling.value_len as usize;
        let block_end = filling.teller.block_end();
        let block_len = value_len + block_end.len();
        let used = input.len().min(block_len - filling.block().len());
        filling.data.extend_from_slice(&input[..used]);
        if filling.block().len() < block_len {
            return (used, Err(Pause::Input));
        }
        let (value, end) = filling.block().split_at(value_len);
        if end != block_end {
            return (used, Ok(Filled::BadEnd));
        }
        let (request, spot) = (filling.request(), self.spot(filling.key()));
        let Some(meta) = &filling.meta else {
            let stored = self.store_seldom(filling.verb, &request, &spot, value);
            let filled = stored.map(|stored| Filled::Stored(stored, filling.value_len));
            return (used, filled.ok_or(Pause::Taken));
        };
        let Some(mut lent) = self.shared.borrow(spot.shard) else {
            return (used, Err(Pause::Taken));
        };
        self.provide_for(value_len, spot.shard, &mut lent);
        let (verb, value) = (filling.verb, Value::Bytes(value));
        let (stored, len) = self.store_meta(&mut lent, verb, &request, &spot, value, &meta.with);
        (used, Ok(Filled::Stored(stored, len)))
    }

    fn fill_large(&self, filling: &mut Filling, input: &[u8]) -> (usize, Result<Filled, Pause>) {
        let mut used = 0;
        loop {
            let missing = match &filling.pending {
                Some(pending) => pending.missing() as usize,
                None => filling.value_len as usize,
            };
            if missing == 0 {
                let (more, result) = self.finish_large(filling, &input[used..]);
                return (used + more, result);
            }
            let rest = &input[used..];
            let gathered = filling.block().len();
            let slice = if gathered == 0 && rest.len() >= SLICE_BYTES.min(missing) {
                let len = rest.len().min(missing).min(BORROW_COPY_MAX);
                let slice = self.put_slice(filling, Some(&rest[..len]));
                if matches!(slice, Slice::In) {
                    used += len;
                }
                slice
            } else {
                let wanted = SLICE_BYTES.min(missing) - gathered;
                let taken = rest.len().min(wanted);
                filling.data.extend_from_slice(&rest[..taken]);
                used += taken;
                if taken < wanted {
                    return (used, Err(Pause::Input));
                }
                self.put_slice(filling, None)
            };
            match slice {
                Slice::In => {}
                Slice::Taken => return (used, Err(Pause::Taken)),
                Slice::Wait => return (used, Err(Pause::Memory)),
                Slice::NoMemory => {
                    // All that is missing is still to be dropped, but for what had gathered.
                    let left = missing - filling.block().len() + filling.teller.block_end().len();
                    let left = left as u64;
                    return (used, Ok(Filled::NoMemory { left }));
                }
            }
        }
    }

    /// Puts a slice into the shard: the given one, or what has gathered.
    fn put_slice(&self, filling: &mut Filling, direct: Option<&[u8]>) -> Slice {
        let (hash, index) = self.place(filling.key());
        let Some(mut lent) = self.shared.borrow(index) else {
            return Slice::Taken;
        };
        let value_pages = filling.value_len as usize / self.shard_config.page_bytes + 1;
        self.shared.provide(
            index,
            &mut lent,
            self.pages_for_slice(),
            value_pages,
            self.now,
        );
        let mut pending = match filling.pending.take() {
            Some(pending) => pending,
            None if filling.replaces() => {
                let len = filling.value_len;
                lent.shard.begin_set(hash, filling.key(), len)
            }
            None => lent.shard.begin(filling.value_len),
        };
        let len = direct.map_or(filling.block().len(), <[u8]>::len);
        let room = self.shared.room(&lent.shard);
        if !lent.shard.may_append(&pending, len, room, self.now) {
            filling.pending = Some(pending);
            return Slice::Wait;
        }
        let slice = direct.unwrap_or_else(|| filling.block());
        if lent.shard.append(&mut pending, slice, self.now).is_err() {
            lent.shard.abandon(pending);
            if self.observed() {
                self.note_shard(&mut lent.shard);
                self.note_refused(filling.key(), "no_memory", filling.verb, filling.teller);
            }
            if filling.replaces() {
                self.note_look(&lent.shard, hash, filling.key());
                lent.shard.forget_outdated(hash, filling.key());
            }
            if let Teller::Text { .. } = filling.teller {
                self.count(Counter::StoreNoMemory, 1);
            }
            return Slice::NoMemory;
        }
        filling.pending = Some(pending);
        filling.data.truncate(filling.key_len);
        Slice::In
    }

    /// All of a large value is in its shard; its end is due, then it becomes an item.
    fn finish_large(&self, filling: &mut Filling, input: &[u8]) -> (usize, Result<Filled, Pause>) {
        let block_end = filling.teller.block_end();
        let used = input.len().min(block_end.len() - filling.block().len());
        filling.data.extend_from_slice(&input[..used]);
        if filling.block().len() < block_end.len() {
            return (used, Err(Pause::Input));
        }
        let (hash, index) = self.place(filling.key());
        let Some(mut lent) = self.shared.borrow(index) else {
            return (used, Err(Pause::Taken));
        };
        let Some(pending) = filling.pending.take() else {
            return (used, Ok(Filled::Stored(Stored::NoMemory, 0)));
        };
        if filling.block() != block_end {
            lent.shard.abandon(pending);
            return (used, Ok(Filled::BadEnd));
        }
        self.shared
            .provide(index, &mut lent, PAGES_FOR_SMALL, 0, self.now);
        let (request, value) = (filling.request(), Value::Arrived(pending));
        if let Some(meta) = &filling.meta {
            let (verb, spot) = (filling.verb, self.spot(filling.key()));
            let (stored, len) =
                self.store_meta(&mut lent, verb, &request, &spot, value, &meta.with);
            return (used, Ok(Filled::Stored(stored, len)));
        }
        let seen = self.look_if_observed(&lent.shard, hash, filling.key());
        let stored = lent
            .shard
            .store(hash, Hint::NONE, &request, value, self.moment());
        self.count_stored(filling.verb, stored);
        if let Some(seen) = seen {
            let offer = (filling.verb, &request, filling.value_len);
            self.detail_store(request.key);
            self.note_store(&mut lent.shard, hash, offer, (seen, stored));
        }
        (used, Ok(Filled::Stored(stored, filling.value_len)))
    }
}

/// The end of taking in a block.
enum Filled {
    /// It was offered to the store; the length of the whole value.
    Stored(Stored, u32),
    /// It does not end as blocks do.
    BadEnd,
    /// There is no memory for it; this much of it is still to be dropped.
    NoMemory { left: u64 },
}

fn joins(verb: StoreVerb) -> bool {
    matches!(verb, StoreVerb::Append | StoreVerb::Prepend)
}

/// What the binary protocol calls it.
fn status_of(verb: StoreVerb, stored: Stored) -> ReplyStatus {
    match stored {
        Stored::Stored(_) => ReplyStatus::Success,
        Stored::NotStored => not_stored(verb),
        Stored::Exists => ReplyStatus::Exists,
        Stored::NotFound => ReplyStatus::NotFound,
        Stored::NoMemory if joins(verb) => ReplyStatus::NotStored,
        Stored::NoMemory => ReplyStatus::OutOfMemory,
    }
}

/// The reply when memory was found missing before the whole block had come.
fn no_memory(teller: Teller, joins: bool) -> Reply {
    let error = if joins {
        ErrorText::OutOfMemory
    } else {
        ErrorText::OutOfMemoryStoring
    };
    teller.refusal(error, ReplyStatus::OutOfMemory)
}
