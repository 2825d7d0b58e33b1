//! What watchers are told of commands.
//!
//! Everything here is off the way of a request while nobody observes: one look at [`Observers`], inlined, is all that is
//! on it. A look-up is told before it is made, since afterwards an item whose time was over is gone.
//!
//! What that one look costs, in instructions of a whole request as `larder-bench instructions` prints them, with it and
//! with `false` in its place: a lone get 1,183 and 1,180; 16 deep 566 and 568; a set 16 deep 828 and 829; a key of a get of
//! 100 396 and 394; a lone `mg` 1,243 and 1,236; a lone getk 1,242 both.
//!
//! [`Observers`]: crate::watch::Observers

use larder_protocol::text::{ErrorText, StoreVerb, Stream, Streams, reply};
use larder_store::{
    Deleted, Event, Events, ItemSeen, KeyHash, RelTime, Seen, Shard, StoreRequest, Stored,
};

use super::session::{State, Teller};
use super::{Pause, Session, Turn};
use crate::clock::Clock;
use crate::shared::Shared;
use crate::watch::{Entry, Journal, NoWatcher, Watchers};

impl Turn<'_> {
    /// Whether anybody wants to be told of commands.
    #[inline(always)]
    pub(super) fn observed(&self) -> bool {
        self.shared.globals.observers.any()
    }

    /// Makes the connection a watcher.
    pub(super) fn watch(
        &self,
        session: &mut Session,
        streams: Option<Streams>,
        noreply: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Pause> {
        let added = if !self.config.watch_enabled {
            Err(ErrorText::WatchNotAllowed)
        } else if !out.is_empty() {
            Err(ErrorText::WatchPipelined)
        } else if let Some(streams) = streams {
            match Watchers::add(self.shared, streams, self.journal) {
                Ok(watcher) => Ok(watcher),
                Err(NoWatcher::TooMany) => Err(ErrorText::TooManyWatchers),
                Err(NoWatcher::Busy) => return Err(Pause::Taken),
            }
        } else {
            Err(ErrorText::Error)
        };
        match added {
            Ok(watcher) => {
                out.extend_from_slice(reply::OK);
                session.state = State::Watching(Box::new(watcher));
                return Err(Pause::Watch);
            }
            Err(error) if !noreply => out.extend_from_slice(error.line()),
            Err(_) => {}
        }
        Ok(())
    }

    /// Tells watchers.
    pub(super) fn note(&self, entry: &Entry<'_>) {
        self.journal.note(self.shared, self.clock, entry);
    }

    /// Tells of a look-up that is about to be made.
    #[inline]
    pub(super) fn note_look(&self, shard: &Shard, hash: KeyHash, key: &[u8]) {
        if self.observed() {
            self.note_seen(key, shard.look(hash, key, self.now));
        }
    }

    /// What a command is about to come upon, if somebody is to be told.
    #[inline]
    pub(super) fn look_if_observed(
        &self,
        shard: &Shard,
        hash: KeyHash,
        key: &[u8],
    ) -> Option<Seen> {
        self.observed().then(|| shard.look(hash, key, self.now))
    }

    /// Tells of a look-up, and what it came upon.
    #[cold]
    pub(super) fn note_seen(&self, key: &[u8], seen: Seen) {
        let (status, class, size) = match seen {
            Seen::Nothing => ("not_found", 0, 0),
            Seen::Expired => ("expired", 0, 0),
            Seen::Item(item) => ("found", item.class, item.value_len),
        };
        let cfd = self.cfd.get();
        self.note(&Entry::Get {
            key,
            status,
            class,
            cfd,
            size,
        });
    }

    /// Tells of a store command: what had to make room, what was there before, what came of it.
    #[cold]
    pub(super) fn note_store(
        &self,
        shard: &mut Shard,
        hash: KeyHash,
        (verb, request, value_len): (StoreVerb, &StoreRequest<'_>, u32),
        (seen, stored): (Seen, Stored),
    ) {
        self.note_shard(shard);
        let key = request.key;
        self.note_seen(key, seen);
        let status = match stored {
            Stored::Stored(_) => "stored",
            Stored::NotStored => "not_stored",
            Stored::Exists => "exists",
            Stored::NotFound => "not_found",
            Stored::NoMemory => "no_memory",
        };
        // What was joined is told as a whole; what was not stored, or is over already, as it was offered.
        let item = match shard.look(hash, key, self.now) {
            Seen::Item(item) if matches!(stored, Stored::Stored(_)) => item,
            _ => ItemSeen {
                class: Shard::class_for(key.len(), request.flags, value_len),
                value_len,
                exptime: request.exptime,
            },
        };
        self.note_item(key, status, cmd(verb), item);
    }

    /// Tells of an item that was written, or was to be.
    fn note_item(&self, key: &[u8], status: &'static str, cmd: &'static str, item: ItemSeen) {
        let ItemSeen {
            class,
            value_len: size,
            exptime,
        } = item;
        // As in memcached a time that is over already comes out as a huge number.
        let ttl_s = match exptime {
            0 => 0,
            exptime => exptime.wrapping_sub(self.now),
        };
        let cfd = self.cfd.get();
        self.note(&Entry::Store {
            key,
            status,
            cmd,
            ttl_s,
            class,
            cfd,
            size,
        });
    }

    /// Tells of a number that was stored because there was none.
    #[cold]
    pub(super) fn note_created(&self, shard: &Shard, hash: KeyHash, key: &[u8]) {
        self.note_seen(key, Seen::Nothing);
        if let Seen::Item(item) = shard.look(hash, key, self.now) {
            self.note_item(key, "stored", "add", item);
        }
    }

    /// Tells of a value that was refused before any of it was kept.
    #[cold]
    pub(super) fn note_refused(
        &self,
        key: &[u8],
        status: &'static str,
        verb: StoreVerb,
        teller: Teller,
    ) {
        let cmd = match teller {
            Teller::Text { .. } => cmd(verb),
            // memcached's binary protocol does not say.
            Teller::Binary(_) => "null",
        };
        let (ttl_s, class, size, cfd) = (0, 0, 0, self.cfd.get());
        self.note(&Entry::Store {
            key,
            status,
            cmd,
            ttl_s,
            class,
            cfd,
            size,
        });
    }

    /// Tells of a delete: what was there before, what came of it, and what it is called, if it is to be told at all.
    #[cold]
    pub(super) fn note_removed(
        &self,
        key: &[u8],
        seen: Seen,
        deleted: Deleted,
        cmd: Option<&'static str>,
    ) {
        self.note_seen(key, seen);
        if let Seen::Item(item) = seen
            && deleted == Deleted::Deleted
            && let Some(cmd) = cmd
        {
            self.note(&Entry::Deleted {
                key,
                cmd,
                class: item.class,
                size: item.value_len,
            });
        }
    }

    /// Tells what a lent shard has done for itself.
    pub(super) fn note_shard(&self, shard: &mut Shard) {
        if let Some(events) = shard.take_events() {
            note_events(self.journal, self.shared, self.clock, events, self.now);
        }
    }
}

/// Tells what a shard has done for itself.
pub(crate) fn note_events(
    journal: &Journal<'_>,
    shared: &Shared,
    clock: &Clock,
    events: Events,
    now: RelTime,
) {
    for event in &events.noted {
        let entry = match event {
            Event::Evicted {
                key,
                fetched,
                exptime,
                idle_s,
                class,
                value_len,
            } => Entry::Eviction {
                key,
                fetched: *fetched,
                ttl_s: match *exptime {
                    0 => -1,
                    exptime => i64::from(exptime) - i64::from(now),
                },
                idle_s: *idle_s,
                class: *class,
                size: *value_len,
            },
            &Event::PageMoved { from, to } => Entry::SlabMove { from, to },
        };
        journal.note(shared, clock, &entry);
    }
    journal.leave_out(shared, Stream::Evictions, events.evictions_left_out);
}

/// What a store command is called in a line.
fn cmd(verb: StoreVerb) -> &'static str {
    match verb {
        StoreVerb::Set => "set",
        StoreVerb::Add => "add",
        StoreVerb::Replace => "replace",
        StoreVerb::Append => "append",
        StoreVerb::Prepend => "prepend",
        StoreVerb::Cas => "cas",
    }
}
