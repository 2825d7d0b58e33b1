//! Data blocks on their way in.
//!
//! A block that has come in whole is stored where it lies. Of one that has not, small values gather in the connection's
//! buffer; large ones go into their shard slice by slice, straight out of the read buffer when a packet brings enough,
//! and become visible at once at their end.

use larder_protocol::text::{ErrorText, StoreVerb, reply};
use larder_store::{BORROW_COPY_MAX, Hint, Shard, StoreRequest, Stored, Value};

use super::session::{Filling, State};
use super::{Pause, Session, Spot, Turn};
use crate::limits::SLICE_BYTES;
use crate::snapshot::Counter;

/// The end of a data block.
const BLOCK_END: &[u8] = reply::CRLF;

/// Pages that a value in one chunk may need: one of its class, one by which the index grows.
const PAGES_FOR_SMALL: usize = 2;

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

/// The store's word for a verb; `cas` has its number in it.
pub(super) fn store_verb(verb: StoreVerb, cas: u64) -> larder_store::StoreVerb {
    match verb {
        StoreVerb::Set => larder_store::StoreVerb::Set,
        StoreVerb::Add => larder_store::StoreVerb::Add,
        StoreVerb::Replace => larder_store::StoreVerb::Replace,
        StoreVerb::Append => larder_store::StoreVerb::Append,
        StoreVerb::Prepend => larder_store::StoreVerb::Prepend,
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
}

impl Turn<'_> {
    /// Stores a value of which the whole block, its end included, is there. `None` if the shard is taken.
    #[inline(always)]
    pub(super) fn store_block(
        &self,
        verb: StoreVerb,
        request: &StoreRequest<'_>,
        spot: &Spot,
        block: &[u8],
    ) -> Option<&'static [u8]> {
        let (value, end) = block.split_at(block.len() - BLOCK_END.len());
        if end != BLOCK_END {
            return Some(ErrorText::BadDataChunk.line());
        }
        let Spot { hash, shard, hint } = *spot;
        let mut lent = self.shared.borrow(shard)?;
        let pages = if value.len() < CHUNKED_FROM {
            PAGES_FOR_SMALL
        } else {
            self.pages_for_slice()
        };
        self.shared.provide(shard, &mut lent, pages, 0, self.now);
        let value = Value::Bytes(value);
        let stored = lent.shard.store(hash, hint, request, value, self.moment());
        Some(self.answer_store(verb, stored))
    }

    fn pages_for_slice(&self) -> usize {
        BORROW_COPY_MAX / self.shard_config.page_bytes + PAGES_BESIDE_SLICE
    }

    /// Counts what came of a store command, and words it.
    #[inline]
    fn answer_store(&self, verb: StoreVerb, stored: Stored) -> &'static [u8] {
        if verb == StoreVerb::Cas {
            match stored {
                Stored::Stored(_) => self.count(Counter::CasHits, 1),
                Stored::NotFound => self.count(Counter::CasMisses, 1),
                Stored::Exists => self.count(Counter::CasBadval, 1),
                _ => {}
            }
        }
        match stored {
            Stored::Stored(_) => reply::STORED,
            Stored::NotStored => reply::NOT_STORED,
            Stored::Exists => reply::EXISTS,
            Stored::NotFound => reply::NOT_FOUND,
            // memcached words it so for the two that join.
            Stored::NoMemory if matches!(verb, StoreVerb::Append | StoreVerb::Prepend) => {
                reply::NOT_STORED
            }
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
        let (used, answer) = if filling.value_len as usize <= BORROW_COPY_MAX {
            self.fill_small(filling, input)
        } else {
            self.fill_large(filling, input)
        };
        let noreply = filling.noreply;
        match answer {
            Ok(Filled::Stored(text)) => {
                session.state = State::Line;
                if !noreply {
                    out.extend_from_slice(text);
                }
                (used, None)
            }
            Ok(Filled::Refused { left, error }) => {
                let reply = if noreply { &[][..] } else { error.line() };
                session.state = State::Swallowing { left, reply };
                (used, None)
            }
            Err(pause) => (used, Some(pause)),
        }
    }

    fn fill_small(&self, filling: &mut Filling, input: &[u8]) -> (usize, Result<Filled, Pause>) {
        let block_len = filling.value_len as usize + BLOCK_END.len();
        let used = input.len().min(block_len - filling.block().len());
        filling.data.extend_from_slice(&input[..used]);
        if filling.block().len() < block_len {
            return (used, Err(Pause::Input));
        }
        let (request, spot) = (filling.request(), self.spot(filling.key()));
        let text = self.store_block(filling.verb, &request, &spot, filling.block());
        (used, text.map(Filled::Stored).ok_or(Pause::Taken))
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
                Slice::NoMemory => return (used, Ok(refuse_rest(filling, missing))),
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
            self.forget_old(&mut lent.shard, filling, hash);
            self.count(Counter::StoreNoMemory, 1);
            return Slice::NoMemory;
        }
        filling.pending = Some(pending);
        filling.data.truncate(filling.key_len);
        Slice::In
    }

    /// A `set` that found no memory takes the old value with it.
    fn forget_old(&self, shard: &mut Shard, filling: &Filling, hash: larder_store::KeyHash) {
        if filling.verb == StoreVerb::Set {
            shard.forget(hash, filling.key(), self.now);
        }
    }

    /// All of a large value is in its shard; its end is due, then it becomes an item.
    fn finish_large(&self, filling: &mut Filling, input: &[u8]) -> (usize, Result<Filled, Pause>) {
        let used = input.len().min(BLOCK_END.len() - filling.block().len());
        filling.data.extend_from_slice(&input[..used]);
        if filling.block().len() < BLOCK_END.len() {
            return (used, Err(Pause::Input));
        }
        let (hash, index) = self.place(filling.key());
        let Some(mut lent) = self.shared.borrow(index) else {
            return (used, Err(Pause::Taken));
        };
        let Some(pending) = filling.pending.take() else {
            return (
                used,
                Ok(Filled::Stored(ErrorText::OutOfMemoryStoring.line())),
            );
        };
        if filling.block() != BLOCK_END {
            lent.shard.abandon(pending);
            return (used, Ok(Filled::Stored(ErrorText::BadDataChunk.line())));
        }
        self.shared
            .provide(index, &mut lent, PAGES_FOR_SMALL, 0, self.now);
        let (request, value) = (filling.request(), Value::Arrived(pending));
        let stored = lent
            .shard
            .store(hash, Hint::NONE, &request, value, self.moment());
        (
            used,
            Ok(Filled::Stored(self.answer_store(filling.verb, stored))),
        )
    }
}

/// The end of taking in a block.
enum Filled {
    /// It is dealt with, and this is the answer.
    Stored(&'static [u8]),
    /// There is no memory for it; this much of it is still to be dropped.
    Refused { left: u64, error: ErrorText },
}

/// What is left of a block that found no memory: all that is missing, but for what had gathered.
fn refuse_rest(filling: &Filling, missing: usize) -> Filled {
    let left = missing - filling.block().len() + BLOCK_END.len();
    let joins = matches!(filling.verb, StoreVerb::Append | StoreVerb::Prepend);
    let error = if joins {
        ErrorText::OutOfMemory
    } else {
        ErrorText::OutOfMemoryStoring
    };
    Filled::Refused {
        left: left as u64,
        error,
    }
}
