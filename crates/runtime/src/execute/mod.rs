//! Where protocol and store meet: commands are carried out, replies encoded.
//!
//! [`Turn::run`] takes a connection's input and goes on from its [`Session`] until it needs something: more input, a
//! shard that is taken, room for output. It reads no socket and never waits. The rest of the folder are its arms:
//! `text`, `meta` and `binary` (one command each), `ahead` (several at once), `get` (those that fetch), `value` (data
//! blocks on their way in), `stats`, `list` (those that are lists), `detail` (what is counted by prefix), `upkeep`
//! (`slabs`, `lru`, `lru_crawler`), `dump`, `awaited` (what the daemon is asked about), `observe` (what others are told of
//! them), `gated` (who is not in), `guard` (who may not do everything).

mod ahead;
mod allowed;
mod awaited;
mod binary;
mod detail;
mod dump;
mod gated;
mod get;
mod guard;
mod list;
mod meta;
mod observe;
mod session;
mod stats;
mod text;
mod upkeep;
mod value;

use std::cell::Cell;

use larder_protocol::binary::REQUEST_MAGIC;
use larder_protocol::text::reply::CRLF;
use larder_store::{Hint, KeyHash, KeyHasher, Moment, RelTime, ShardConfig};

pub(crate) use ahead::CONNS_TOGETHER;
pub(crate) use observe::note_events;
use session::{After, Sending, State, Wire};
pub(crate) use session::{CloseReason, Holding, Pause, Session, Unfinished};
pub(crate) use stats::{FRESH, LISTENING, PARSING};

use crate::clerk::Clerk;
use crate::clock::Clock;
use crate::config::{Config, Protocol};
use crate::daemon::Daemon;
use crate::limits::OUTPUT_MIN;
use crate::shared::{Shared, WorkerCounters};
use crate::snapshot::Counter;
use crate::watch::Journal;

/// The first byte of a record of a TLS handshake.
const TLS_HANDSHAKE: u8 = 22;

/// The callers of the store into which its search for an item is written, each by a number of its own; see
/// [`larder_store::Shard::get`].
mod site {
    pub(super) const LONE_GET: u8 = 1;
    pub(super) const KEYS: u8 = 2;
    pub(super) const SEVERAL: u8 = 3;
    pub(super) const GET_AHEAD: u8 = 4;
    pub(super) const FRAME: u8 = 5;
    pub(super) const PLAIN_MG: u8 = 6;
}

/// What commands are carried out with, for one turn of a worker's loop.
pub(crate) struct Turn<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) config: &'a Config,
    pub(crate) daemon: &'a dyn Daemon,
    pub(crate) shard_config: &'a ShardConfig,
    pub(crate) hasher: &'a KeyHasher,
    pub(crate) clock: &'a Clock,
    pub(crate) clerk: &'a Clerk,
    pub(crate) counters: &'a WorkerCounters,
    pub(crate) journal: &'a Journal<'a>,
    pub(crate) worker: usize,
    pub(crate) now: RelTime,
    /// The descriptor of the connection whose input is worked on, for watchers.
    pub(crate) cfd: Cell<i32>,
}

/// Where to look for a key.
#[derive(Clone, Copy)]
pub(crate) struct Spot {
    hash: KeyHash,
    shard: usize,
    hint: Hint,
}

impl<'a> Turn<'a> {
    /// Carries out what `input` holds, from where `session` stands, and appends the replies to `out`. Returns how much
    /// of the input is done with, and why it stopped.
    pub(crate) fn run(
        &self,
        session: &mut Session,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> (usize, Pause) {
        self.cfd.set(session.cfd);
        if session.wire == Wire::Undecided {
            match decide(session.protocol, input) {
                Ok(wire) => session.speaks(wire),
                Err(pause) => return (0, pause),
            }
        }
        let mut at = 0;
        let mut commands_left = self.config.requests_per_turn;
        loop {
            if self.has_enough(out) {
                return (at, Pause::Output);
            }
            let rest = &input[at..];
            let (used, pause) = match session.state {
                State::Line if rest.is_empty() => (0, Some(Pause::Input)),
                State::Line => match session.wire_now() {
                    Wire::Text => self.line(session, rest, out, &mut commands_left),
                    Wire::Binary => self.frame(session, rest, out, &mut commands_left),
                    _ => self.guarded_line(session, rest, out, &mut commands_left),
                },
                _ => self.go_on(session, rest, out, &mut commands_left),
            };
            at += used;
            if let Some(pause) = pause {
                return (at, pause);
            }
        }
    }

    /// Whether so many replies wait to be sent that whatever brings more waits, too.
    #[inline(always)]
    fn has_enough(&self, out: &[u8]) -> bool {
        out.len() >= OUTPUT_MIN && self.is_at_the_most(out)
    }

    #[cold]
    #[inline(never)]
    fn is_at_the_most(&self, out: &[u8]) -> bool {
        out.len() >= self.config.client_limits.output_max
    }

    /// Goes on with what the session is in the middle of, and takes note of how far that is.
    #[inline(never)]
    fn go_on(
        &self,
        session: &mut Session,
        input: &[u8],
        out: &mut Vec<u8>,
        commands_left: &mut u32,
    ) -> (usize, Option<Pause>) {
        let step = self.step(session, input, out, commands_left);
        session.note_block(step.0, self.now);
        step
    }

    /// One step of [`Self::go_on`].
    fn step(
        &self,
        session: &mut Session,
        input: &[u8],
        out: &mut Vec<u8>,
        commands_left: &mut u32,
    ) -> (usize, Option<Pause>) {
        match &mut session.state {
            State::Line => (0, None),
            State::Begun(_) => match session.wire_now() {
                Wire::Text => self.any_line(session, input, out, commands_left),
                _ => self.guarded_line(session, input, out, commands_left),
            },
            State::Keys(keys) => {
                let keys = *keys;
                self.keys(session, keys, input, out)
            }
            State::Filling(_) => self.fill(session, input, out),
            State::Sending(_) => (0, self.send(session, out)),
            State::Swallowing { left, reply } => {
                let dropped = (*left).min(input.len() as u64);
                *left -= dropped;
                if *left > 0 {
                    return (dropped as usize, Some(Pause::Input));
                }
                reply.write(out);
                session.state = State::Line;
                (dropped as usize, None)
            }
            State::Gathering(_) => (0, self.gather(session, out)),
            State::Listing(_) => (0, self.list_on(session, out)),
            State::Dumping(_) => (0, self.dump_on(session, out)),
            State::Asking(_) => (0, self.ask(session, out)),
            State::Awaiting(_) => (0, self.take_answer(session, out)),
            State::Watching(_) => (input.len(), Some(Pause::Input)),
        }
    }

    /// Sends the next slice of a large value.
    fn send(&self, session: &mut Session, out: &mut Vec<u8>) -> Option<Pause> {
        let State::Sending(sending) = &mut session.state else {
            return None;
        };
        let Some(mut lent) = self.shared.borrow(sending.shard) else {
            return Some(Pause::Taken);
        };
        let slice = larder_store::BORROW_COPY_MAX;
        if lent
            .shard
            .read(&mut sending.pin, out, slice, self.now)
            .is_err()
        {
            return Some(Pause::Close(CloseReason::PinRevoked));
        }
        if sending.pin.remaining() == 0 {
            let state = std::mem::replace(&mut session.state, State::Line);
            if let State::Sending(sent) = state {
                let Sending { pin, then, .. } = *sent;
                lent.shard.unpin(pin);
                match then {
                    After::Frame => {}
                    After::Line => out.extend_from_slice(CRLF),
                    After::Keys(keys) => {
                        out.extend_from_slice(CRLF);
                        session.state = State::Keys(keys);
                    }
                }
            }
        }
        None
    }

    /// Counts a command of the connection's share in this turn; none may follow when that is used up.
    #[inline(always)]
    fn take_command(&self, commands_left: &mut u32) -> Result<(), Pause> {
        if *commands_left == 0 {
            self.count(Counter::ConnYields, 1);
            return Err(Pause::Yield);
        }
        *commands_left -= 1;
        Ok(())
    }

    #[inline]
    fn count(&self, counter: Counter, n: u64) {
        self.counters.add(counter, n);
    }

    #[inline]
    fn moment(&self) -> Moment<'a> {
        Moment {
            now: self.now,
            uniques: &*self.shared.uniques,
        }
    }

    /// A key's hash, and the shard it lives in.
    #[inline]
    fn place(&self, key: &[u8]) -> (KeyHash, usize) {
        let hash = self.hasher.hash(key);
        (hash, hash.shard(self.shared.shards()))
    }

    /// [`Self::place`] as a spot that nobody has looked at.
    #[inline]
    fn spot(&self, key: &[u8]) -> Spot {
        let (hash, shard) = self.place(key);
        let hint = Hint::NONE;
        Spot { hash, shard, hint }
    }
}

/// What is spoken by whom the first bytes are from, where `protocol` is offered.
#[cold]
fn decide(protocol: Protocol, input: &[u8]) -> Result<Wire, Pause> {
    // A record of a TLS handshake, of any version: no protocol of ours begins like it.
    match input {
        [] | [TLS_HANDSHAKE] | [TLS_HANDSHAKE, 3] => return Err(Pause::Input),
        [TLS_HANDSHAKE, 3, 0..=4, ..] => return Err(Pause::Close(CloseReason::TlsOnPlain)),
        _ => {}
    }
    Ok(match protocol {
        Protocol::Text => Wire::Text,
        Protocol::Binary => Wire::Binary,
        Protocol::Negotiated if input[0] == REQUEST_MAGIC => Wire::Binary,
        Protocol::Negotiated => Wire::Text,
    })
}
