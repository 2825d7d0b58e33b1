//! Where a connection stands in its protocol: between lines, or in the middle of something that could not be done at
//! once. Every state can be left and come back to, so nothing here ever waits.

use std::sync::Arc;

use larder_protocol::binary::reply as frames;
use larder_protocol::binary::{Echo, ReplyStatus};
use larder_protocol::text::{ErrorText, GetVerb, StoreVerb, reply};
use larder_store::{Pending, Pin, RelTime, StoreRequest, StoreStats};

use super::Spot;
use super::dump::{DumpAs, DumpAt};
use super::gated::no_place;
use super::guard::rights_of;
use super::list::Listing;
use super::meta::MetaFilling;
use super::upkeep::Ask;
use crate::clerk;
use crate::config::{Config, Protocol};
use crate::daemon::StatsGroup;
use crate::gate::{Act, Pass, Rights};
use crate::limits::SLOWEST_REQUEST;
use crate::shared::Shared;
use crate::tls;
use crate::watch::{Drained, Feed, Watcher, Watchers, key_in};

/// Why a connection's turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    /// More input is needed.
    Input,
    /// More input is needed, and there is much already that cannot be done without it.
    LongInput,
    /// It has had its `-R` commands in a row.
    Yield,
    /// The shard it needs is taken: to be set aside.
    Taken,
    /// Other values on their way in leave no room for more of this one: to be tried again a little later.
    Memory,
    /// The daemon has not answered yet.
    Answer,
    /// It is a watcher from now on.
    Watch,
    /// Enough output is waiting to be sent, or a long get has had its share.
    Output,
    /// The connection is to be closed, once its output is sent.
    Close(CloseReason),
}

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// `quit`, or the other side closed.
    Normal,
    /// A line longer than any command.
    LineTooLong,
    /// Its long line had no end, and the memory of such lines had come to its bound.
    LongInputs,
    /// An HTTP request, from a browser or a scanner.
    Http,
    /// A binary frame with the wrong first byte, or of the wrong shape: where the next one begins is anybody's guess.
    BadFrame,
    /// The value it was reading had to give way to a write.
    PinRevoked,
    /// `shutdown`.
    Shutdown,
    /// TLS cannot go on, or never began; it is logged.
    Faulty,
    /// It took too long to come in, or too many others are about to.
    NotIn,
    /// It sent something else than who it is.
    Unauthenticated,
    /// It watched, and may no longer.
    Denied,
    /// TLS was spoken where it is not.
    TlsOnPlain,
    /// The socket is broken.
    Lost,
    /// Idle for too long.
    Idle,
    /// A request that had begun took too long to come in.
    SlowRequest,
    /// Its user has as many connections as it may.
    UserFull,
    /// It is no admin, and came when only their places were left.
    ForAdmins,
}

/// What a connection is in the middle of.
pub(crate) enum State {
    /// Nothing: a command line comes next.
    Line,
    /// A line of which so many bytes have come, and no end: they are not to be searched again, or a long line in small
    /// packets would be searched in full with each of them.
    Begun(usize),
    /// A get: `left` bytes of its line, keys and line end, are still in the input.
    Keys(Keys),
    /// A data block is on its way in.
    Filling(Box<Filling>),
    /// A large value is on its way out.
    Sending(Box<Sending>),
    /// A refused data block is being dropped; the reply follows it.
    Swallowing { left: u64, reply: Reply },
    /// Statistics are being gathered from the shards.
    Gathering(Box<Gathering>),
    /// Statistics that are a list are on their way.
    Listing(Box<Listing>),
    /// Items are being listed.
    Dumping(Box<Dumping>),
    /// The shards are being asked for something.
    Asking(Box<Asking>),
    /// The daemon has been asked something.
    Awaiting(Box<Awaiting>),
    /// Nothing any more: it watches, and what it sends is dropped.
    Watching(Box<Watcher>),
}

/// The protocol that a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// Nothing has been read yet: the first byte tells.
    Undecided,
    Text,
    Binary,
    /// What its pass says, if it is let in at all.
    Gated,
}

/// A reply that is sent later.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply {
    Text(&'static [u8]),
    Binary(Echo, ReplyStatus),
}

impl Reply {
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => out.extend_from_slice(text),
            Self::Binary(echo, status) => frames::error(out, echo, status),
        }
    }
}

/// To whom the outcome of a store command is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Teller {
    Text { noreply: bool },
    Binary(Echo),
}

impl Teller {
    /// What ends a data block.
    pub(crate) fn block_end(self) -> &'static [u8] {
        match self {
            Self::Text { .. } => reply::CRLF,
            Self::Binary(_) => &[],
        }
    }

    /// How it is told that nothing was stored, in the words of its protocol.
    pub(crate) fn refusal(self, error: ErrorText, status: ReplyStatus) -> Reply {
        match self {
            Self::Text { noreply: true } => Reply::Text(&[]),
            Self::Text { noreply: false } => Reply::Text(error.line()),
            Self::Binary(echo) => Reply::Binary(echo, status),
        }
    }
}

/// A get that is not finished.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys {
    pub(crate) verb: GetVerb,
    pub(crate) exptime: RelTime,
    pub(crate) left: usize,
}

/// A store command whose data block has not come in whole.
pub(crate) struct Filling {
    pub(crate) verb: StoreVerb,
    pub(crate) flags: u32,
    pub(crate) exptime: RelTime,
    pub(crate) value_len: u32,
    pub(crate) cas: u64,
    pub(crate) teller: Teller,
    pub(crate) key_len: usize,
    /// The key, then what has come of the block and is not in a shard yet.
    pub(crate) data: Vec<u8>,
    /// A large value's part that is in its shard.
    pub(crate) pending: Option<Pending>,
    /// What is more to an `ms`.
    pub(crate) meta: Option<Box<MetaFilling>>,
}

impl Filling {
    /// Of a request, `verb` and `cas` as the protocol has them, of whose block nothing has come yet.
    pub(crate) fn new(
        verb: StoreVerb,
        cas: u64,
        request: &StoreRequest<'_>,
        value_len: u32,
        teller: Teller,
    ) -> Self {
        Self {
            verb,
            flags: request.flags,
            exptime: request.exptime,
            value_len,
            cas,
            teller,
            key_len: request.key.len(),
            data: request.key.to_vec(),
            pending: None,
            meta: None,
        }
    }

    pub(crate) fn key(&self) -> &[u8] {
        &self.data[..self.key_len]
    }

    /// Bytes of its buffers.
    fn buffer_bytes(&self) -> usize {
        let meta = self.meta.as_ref().map_or(0, |meta| meta.buffer_bytes());
        self.data.capacity() + meta
    }

    /// What has come of the block and is not in a shard yet.
    pub(crate) fn block(&self) -> &[u8] {
        &self.data[self.key_len..]
    }
}

/// A large value that is being read out of its shard.
pub(crate) struct Sending {
    pub(crate) shard: usize,
    pub(crate) pin: Pin,
    pub(crate) then: After,
}

/// What follows a large value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum After {
    /// Nothing: a frame ends with its value.
    Frame,
    /// The line end of a meta get's.
    Line,
    /// A line end, and the rest of a classic get.
    Keys(Keys),
}

/// Statistics that are being gathered.
pub(crate) struct Gathering {
    /// What is to be shown of them; nothing if the counters are to be set back.
    pub(crate) group: Option<StatsGroup>,
    pub(crate) next_shard: usize,
    pub(crate) sum: StoreStats,
    /// Of a binary command, what its rows repeat.
    pub(crate) echo: Option<Echo>,
}

/// A dump on its way.
pub(crate) struct Dumping {
    pub(crate) at: DumpAt,
    pub(crate) what: DumpAs,
    pub(crate) shard: usize,
}

/// Something that every shard is asked for.
pub(crate) struct Asking {
    pub(crate) ask: Ask,
    pub(crate) next_shard: usize,
    pub(crate) noreply: bool,
}

/// A question that the daemon has not answered yet.
pub(crate) struct Awaiting {
    pub(crate) asking: clerk::Asking,
    pub(crate) teller: Teller,
}

/// A connection's side of the protocol; its sockets and buffers are elsewhere.
pub(crate) struct Session {
    pub(crate) state: State,
    pub(crate) wire: Wire,
    /// What its endpoint offers.
    pub(crate) protocol: Protocol,
    /// The connection's descriptor, by which watchers are told of it.
    pub(crate) cfd: i32,
    /// Who it is, where that is asked.
    pub(crate) pass: Option<Box<Pass>>,
    /// Where to look for the key of the next line, if that was found out ahead.
    pub(crate) ahead: Option<Spot>,
    /// The data block that is on its way in.
    pub(crate) block: Option<Unfinished>,
}

/// A part of a request of which the end has not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unfinished {
    /// Since when; later by each second for which the client was kept waiting.
    pub(crate) since: RelTime,
    /// Bytes of it that have come.
    pub(crate) came: usize,
}

impl Unfinished {
    /// Whether it has had its time.
    pub(crate) fn is_late(self, timeout_s: u32, now: RelTime) -> bool {
        let more = self.came / SLOWEST_REQUEST;
        (now.saturating_sub(self.since) as usize) > (timeout_s as usize).saturating_add(more)
    }
}

impl Session {
    pub(crate) fn new(protocol: Protocol, cfd: i32, pass: Option<Box<Pass>>) -> Self {
        Self {
            state: State::Line,
            wire: Wire::Undecided,
            protocol,
            cfd,
            pass,
            ahead: None,
            block: None,
        }
    }

    /// Takes note that so many bytes were done with of what the session is in the middle of.
    pub(crate) fn note_block(&mut self, bytes: usize, now: RelTime) {
        self.block = match self.state {
            State::Filling(_) | State::Swallowing { .. } => {
                let before = self.block.unwrap_or(Unfinished {
                    since: now,
                    came: 0,
                });
                let came = before.came + bytes;
                Some(Unfinished { came, ..before })
            }
            _ => None,
        };
    }

    /// From the first byte on it is known which protocol it speaks.
    pub(crate) fn speaks(&mut self, wire: Wire) {
        self.wire = match &mut self.pass {
            None => wire,
            Some(pass) => {
                pass.binary = wire == Wire::Binary;
                Wire::Gated
            }
        };
    }

    /// Lets it in by the certificate (DER) that it has shown, if that is somebody's; or says why there is no place for it.
    pub(crate) fn show_certificate(
        &mut self,
        certificate: &[u8],
        shared: &Shared,
        config: &Config,
    ) -> Option<CloseReason> {
        let pass = self.pass.as_mut()?;
        let names = tls::names_in(certificate);
        let limits = &config.client_limits;
        pass.see_room(shared.only_admins(limits, config.conn_limit));
        no_place(pass.let_in_by_cert(names.iter().map(AsRef::as_ref), limits))
    }

    /// What it speaks; [`Wire::Gated`] for text of whoever is not in, or may not do everything. Looked at anew for each
    /// command, so that whoever is taken off the list is out with his next one. Frames are looked at one by one in any case.
    #[inline(always)]
    pub(crate) fn wire_now(&mut self) -> Wire {
        match self.wire {
            Wire::Gated => self.wire_by_pass(),
            wire => wire,
        }
    }

    #[inline(never)]
    fn wire_by_pass(&mut self) -> Wire {
        let Some(pass) = &mut self.pass else {
            return Wire::Gated;
        };
        match (pass.binary, pass.is_in() && pass.rights().is_none()) {
            (true, _) => Wire::Binary,
            (false, true) => Wire::Text,
            (false, false) => Wire::Gated,
        }
    }

    /// Whether it may say by SASL who it is.
    pub(crate) fn offers_sasl(&self) -> bool {
        self.pass.as_ref().is_some_and(|pass| pass.gate.sasl())
    }

    /// Whether it is not let in, and would have to be.
    pub(crate) fn is_outside(&mut self) -> bool {
        self.pass.as_mut().is_some_and(|pass| !pass.is_in())
    }

    /// Whether a line begins with the next byte of input.
    pub(crate) fn is_between_lines(&self) -> bool {
        matches!(self.state, State::Line)
    }

    /// Bytes of the buffers that it holds for what it is in the middle of.
    pub(crate) fn buffer_bytes(&self) -> usize {
        match &self.state {
            State::Filling(filling) => filling.buffer_bytes(),
            State::Listing(listing) => listing.buffer_bytes(),
            _ => 0,
        }
    }

    /// Takes in the lines that have come for a watcher and that it may see, as far as `out` has room for them.
    pub(crate) fn take_lines(&mut self, out: &mut Vec<u8>, bytes_max: usize) -> Drained {
        let may = self.may(Act::Watch);
        let State::Watching(watcher) = &mut self.state else {
            return Drained::default();
        };
        let rights = rights_of(&self.pass);
        let may_see = |rights: &Rights, line: &[u8]| {
            key_in(line).is_none_or(|key| rights.may_read_encoded(key))
        };
        watcher.drain(out, bytes_max, |line| {
            may && rights.is_none_or(|rights| may_see(rights, line))
        })
    }

    /// Whether it is a watcher.
    pub(crate) fn watches(&self) -> bool {
        matches!(self.state, State::Watching(_))
    }

    /// What the session holds and must be given back when the connection ends.
    pub(crate) fn into_holding(self, shard_of: impl Fn(&[u8]) -> usize) -> Option<Holding> {
        match self.state {
            State::Filling(filling) => {
                let shard = shard_of(filling.key());
                filling
                    .pending
                    .map(|pending| Holding::Value { shard, pending })
            }
            State::Sending(sending) => Some(Holding::Pin {
                shard: sending.shard,
                pin: sending.pin,
            }),
            State::Watching(watcher) => Some(Holding::Watch(Arc::clone(watcher.feed()))),
            _ => None,
        }
    }
}

/// Something that a closed connection still holds.
pub(crate) enum Holding {
    Watch(Arc<Feed>),
    Value { shard: usize, pending: Pending },
    Pin { shard: usize, pin: Pin },
}

impl Holding {
    /// Gives it back; or returns it, if what it is held in is taken.
    pub(crate) fn give_back(self, shared: &Shared) -> Option<Self> {
        match self {
            Self::Value { shard, pending } => match shared.borrow(shard) {
                Some(mut lent) => lent.shard.abandon(pending),
                None => return Some(Self::Value { shard, pending }),
            },
            Self::Pin { shard, pin } => match shared.borrow(shard) {
                Some(mut lent) => lent.shard.unpin(pin),
                None => return Some(Self::Pin { shard, pin }),
            },
            Self::Watch(feed) => {
                if !Watchers::remove(shared, &feed) {
                    return Some(Self::Watch(feed));
                }
            }
        }
        None
    }
}
