//! `ms`: what is stored under which conditions, and the reply, which may come only when the data block has.

use larder_protocol::meta::reply::{self, Code, OF_SET, Shown};
use larder_protocol::meta::{Flags, Request, Set};
use larder_protocol::text::reply::CRLF;
use larder_protocol::text::{ErrorText, StoreVerb};
use larder_store::{BORROW_COPY_MAX, MetaStore, StoreRequest, Stored, Value};

use super::super::session::{Filling, State, Teller};
use super::super::text::{Used, used};
use super::super::value::store_verb;
use super::super::{Pause, Session, Spot, Turn};
use crate::shared::Lent;
use crate::snapshot::Counter;

/// How errors of an `ms` are told: always.
const TELLER: Teller = Teller::Text { noreply: false };

/// The rest of an `ms` whose data block has not come in whole.
pub(crate) struct MetaFilling {
    pub(crate) with: MetaStore,
    /// The flags, and the text that they were read from.
    flags: Flags<'static>,
    text: Vec<u8>,
}

impl MetaFilling {
    /// Bytes of its buffers.
    pub(crate) fn buffer_bytes(&self) -> usize {
        self.text.capacity()
    }

    /// Tells what came of it. `key` is the item's.
    pub(crate) fn tell(&self, key: &[u8], outcome: (Stored, u32), out: &mut Vec<u8>) {
        let flags = self.flags.moved_to(&self.text);
        tell(&Request { key, flags }, key, outcome, out);
    }
}

impl Turn<'_> {
    /// Carries out an `ms`, or begins to take in its data block.
    pub(super) fn ms(
        &self,
        session: &mut Session,
        set: &Set<'_>,
        line_len: usize,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Used {
        let Set {
            request, value_len, ..
        } = set;
        let mut room = None;
        let (key, flags) = (request.item_key(&mut room), &request.flags);
        let (verb, cas) = match (set.verb, flags.cas()) {
            (StoreVerb::Set | StoreVerb::Replace, Some(cas)) => (StoreVerb::Cas, cas),
            (verb, cas) => (verb, cas.unwrap_or_default()),
        };
        if !self
            .shard_config
            .fits(key.len(), flags.client_flags(), *value_len)
        {
            // In every mode the old value goes, not only when it was to be replaced.
            let refused = self.refuse_large(session, (verb, true), key, *value_len, TELLER);
            return used(line_len, refused);
        }
        let exptime = |sent| self.clock.exptime(sent, self.now);
        let store = StoreRequest {
            verb: store_verb(verb, cas),
            key,
            flags: flags.client_flags(),
            exptime: flags.ttl().map(exptime).unwrap_or_default(),
        };
        let with = MetaStore {
            invalidate: flags.has(b'I'),
            unique: flags.new_cas(),
            vivify: flags.vivify().map(exptime),
            binary_key: request.is_binary(),
        };
        let block_end = line_len + *value_len as usize + CRLF.len();
        if *value_len as usize <= BORROW_COPY_MAX
            && let Some(block) = input.get(line_len..block_end)
        {
            return match self.store_meta_block(verb, &store, block, &with) {
                Err(pause) => (0, Some(pause)),
                Ok(outcome) => {
                    self.count(Counter::CmdSet, 1);
                    match outcome {
                        Some(outcome) => tell(request, key, outcome, out),
                        None => out.extend_from_slice(ErrorText::BadDataChunk.line()),
                    }
                    (block_end, None)
                }
            };
        }
        self.count(Counter::CmdSet, 1);
        let mut filling = Filling::new(verb, cas, &store, *value_len, TELLER);
        filling.meta = Some(Box::new(MetaFilling {
            with,
            flags: flags.moved_to(&[]),
            text: flags.text().to_vec(),
        }));
        session.state = State::Filling(Box::new(filling));
        (line_len, None)
    }

    /// Stores a value of which the whole block, its end included, is there. `None` if that is no end.
    fn store_meta_block(
        &self,
        verb: StoreVerb,
        store: &StoreRequest<'_>,
        block: &[u8],
        with: &MetaStore,
    ) -> Result<Option<(Stored, u32)>, Pause> {
        let (value, end) = block.split_at(block.len() - CRLF.len());
        if end != CRLF {
            return Ok(None);
        }
        let spot = self.spot(store.key);
        let mut lent = self.shared.borrow(spot.shard).ok_or(Pause::Taken)?;
        self.provide_for(value.len(), spot.shard, &mut lent);
        let value = Value::Bytes(value);
        Ok(Some(
            self.store_meta(&mut lent, verb, store, &spot, value, with),
        ))
    }

    /// Stores an `ms`'s value that has come in whole, into its shard, and counts what came of it.
    pub(in super::super) fn store_meta(
        &self,
        lent: &mut Lent,
        verb: StoreVerb,
        store: &StoreRequest<'_>,
        spot: &Spot,
        value: Value<'_>,
        with: &MetaStore,
    ) -> (Stored, u32) {
        let hash = spot.hash;
        let seen = self.look_if_observed(&lent.shard, hash, store.key);
        let outcome = lent
            .shard
            .store_meta(hash, store, value, with, self.moment());
        let (stored, len) = outcome;
        self.count_stored(verb, stored);
        if stored == Stored::NoMemory {
            self.count(Counter::StoreNoMemory, 1);
        }
        if let Some(seen) = seen {
            self.note_store(&mut lent.shard, hash, (verb, store, len), (seen, stored));
        }
        outcome
    }
}

/// Tells what came of an `ms`. `key` is the item's, decoded.
fn tell(request: &Request<'_>, key: &[u8], (stored, len): (Stored, u32), out: &mut Vec<u8>) {
    let mut shown = Shown::of_request(request, key);
    shown.value_len = len;
    let code = match stored {
        Stored::Stored(unique) => {
            shown.cas = unique;
            Code::Done
        }
        Stored::NotStored => Code::NotStored,
        Stored::Exists => Code::Exists,
        Stored::NotFound => Code::NotFound,
        Stored::NoMemory => {
            return out.extend_from_slice(ErrorText::OutOfMemoryStoring.line());
        }
    };
    if !(request.flags.has(b'q') && code.is_dull()) {
        reply::line(out, code, &request.flags, OF_SET, &shown);
    }
}
