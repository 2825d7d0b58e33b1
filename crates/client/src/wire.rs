//! What is asked of a node, in both dialects, and what comes back in neither.
//!
//! A request is one or more commands of one kind. Which dialect a node speaks is found out when connecting; above this
//! file nobody knows.

use bytes::Bytes;
use larder_protocol::client::{Expect, meta, request};
use larder_protocol::text::{Store, StoreVerb};

/// Which commands a server understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `get`, `set` and their family: memcached up to 1.5.
    Classic,
    /// `mg`, `ms`, `md`, `ma` besides: each reply, a miss's too, carries the opaque of its request.
    Meta,
}

/// One command on one key.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) key: Bytes,
    pub(crate) verb: Verb,
}

/// What to do with a key. Commands of one request differ only in keys and values.
#[derive(Clone, Debug)]
pub(crate) enum Verb {
    Get(Fetching),
    Store(Storing),
    /// Only meta servers know `cas`; others delete in any case.
    Delete {
        cas: Option<u64>,
    },
    Arith(Counting),
    Touch {
        exptime: i32,
    },
}

/// What else a get does. Only meta servers know more than `touch`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fetching {
    pub(crate) touch: Option<i32>,
    pub(crate) wants_ttl: bool,
    pub(crate) vivify: Option<i32>,
    pub(crate) recache: Option<i32>,
}

/// How to store what.
#[derive(Clone, Debug)]
pub(crate) struct Storing {
    pub(crate) mode: meta::Mode,
    pub(crate) value: Bytes,
    pub(crate) flags: u32,
    pub(crate) exptime: i32,
    /// Only with [`meta::Mode::Set`].
    pub(crate) cas: Option<u64>,
}

/// By how much, and from where on if there is nothing yet. Only meta servers know `initial`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counting {
    pub(crate) delta: u64,
    pub(crate) is_decr: bool,
    pub(crate) initial: Option<(u64, i32)>,
}

/// A command that is for the node as a whole.
#[derive(Clone, Debug)]
pub(crate) enum Admin {
    Flush,
    Version,
    Stats(String),
}

/// What a reply must be judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Get,
    Store,
    Delete,
    Arith,
    Touch,
    Ok,
    Version,
    Stats,
}

/// What came back for one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Item(Item),
    /// A get found nothing; a delete, a touch, a replace or a count found nothing to work on.
    Missing,
    /// Done; with the new CAS unique where the server tells it.
    Done(Option<u64>),
    NotStored,
    Exists,
    Number(u64),
    Text(String),
    Rows(Vec<(String, String)>),
    /// The server said no, and the connection is as good as before.
    Refused(String),
}

/// An item as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) value: Bytes,
    pub(crate) flags: u32,
    pub(crate) cas: u64,
    /// Seconds left, −1 for ever, if it was asked for and the server tells it.
    pub(crate) ttl_s: Option<i32>,
    /// This client is the one to bring a new value.
    pub(crate) won: bool,
    /// Another one is bringing it.
    pub(crate) is_won_already: bool,
    pub(crate) is_stale: bool,
}

impl Item {
    /// Client flags of an item that says "there is nothing under this key": the letters NONE.
    pub(crate) const NOTHING: u32 = 0x4e4f_4e45;

    /// Whether it says that there is nothing, which was remembered so that nobody looks again.
    pub(crate) fn is_nothing(&self) -> bool {
        self.value.is_empty() && self.flags == Self::NOTHING
    }

    /// Whether it only keeps the place of a value that somebody is loading.
    pub(crate) fn is_placeholder(&self) -> bool {
        self.value.is_empty() && self.flags == 0 && (self.won || self.is_won_already)
    }
}

impl Verb {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Get(_) => Kind::Get,
            Self::Store(_) => Kind::Store,
            Self::Delete { .. } => Kind::Delete,
            Self::Arith(_) => Kind::Arith,
            Self::Touch { .. } => Kind::Touch,
        }
    }

    /// For the eyes of people.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Get(_) => "get",
            Self::Store(_) => "set",
            Self::Delete { .. } => "delete",
            Self::Arith(_) => "incr",
            Self::Touch { .. } => "touch",
        }
    }
}

impl Kind {
    /// Whether a command whose end is unknown may leave a value behind that is not the one last acknowledged.
    pub(crate) fn changes_value(self) -> bool {
        matches!(self, Self::Store | Self::Delete | Self::Arith | Self::Ok)
    }

    pub(crate) fn expect(self, dialect: Dialect) -> Expect {
        match (self, dialect) {
            (Self::Ok, _) => Expect::Ok,
            (Self::Version, _) => Expect::Version,
            (Self::Stats, _) => Expect::Stats,
            (_, Dialect::Meta) => Expect::Meta,
            (Self::Get, Dialect::Classic) => Expect::ValuesWithCas,
            (Self::Store, Dialect::Classic) => Expect::Store,
            (Self::Delete, Dialect::Classic) => Expect::Delete,
            (Self::Arith, Dialect::Classic) => Expect::Number,
            (Self::Touch, Dialect::Classic) => Expect::Touch,
        }
    }
}

impl Admin {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Flush => Kind::Ok,
            Self::Version => Kind::Version,
            Self::Stats(_) => Kind::Stats,
        }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Flush => request::flush_all(out),
            Self::Version => request::version(out),
            Self::Stats(group) => request::stats(out, group),
        }
    }
}

/// Writes all commands of one request. The opaques count up from `opaque`, one a command.
pub(crate) fn encode(out: &mut Vec<u8>, dialect: Dialect, commands: &[Command], opaque: u32) {
    match dialect {
        Dialect::Meta => {
            for (command, opaque) in commands.iter().zip(opaque..) {
                encode_meta(out, command, opaque);
            }
        }
        Dialect::Classic => encode_classic(out, commands),
    }
}

fn encode_meta(out: &mut Vec<u8>, command: &Command, opaque: u32) {
    let key = &command.key[..];
    match &command.verb {
        Verb::Get(fetching) => meta::Get {
            key,
            opaque,
            ttl: fetching.wants_ttl,
            touch: fetching.touch,
            vivify: fetching.vivify,
            recache: fetching.recache,
            ..meta::Get::default()
        }
        .encode(out),
        Verb::Touch { exptime } => meta::Get {
            key,
            opaque,
            no_value: true,
            touch: Some(*exptime),
            ..meta::Get::default()
        }
        .encode(out),
        Verb::Delete { cas } => meta::Delete {
            key,
            opaque,
            cas: *cas,
            stale_for: None,
        }
        .encode(out),
        Verb::Arith(counting) => meta::Arith {
            key,
            opaque,
            delta: counting.delta,
            is_decr: counting.is_decr,
            initial: counting.initial,
        }
        .encode(out),
        Verb::Store(storing) => {
            meta::Set {
                key,
                opaque,
                value_len: storing.value.len(),
                mode: storing.mode,
                flags: storing.flags,
                exptime: storing.exptime,
                cas: storing.cas,
                invalidate: false,
            }
            .encode_line(out);
            block(out, &storing.value);
        }
    }
}

fn encode_classic(out: &mut Vec<u8>, commands: &[Command]) {
    // All keys of a get go on one line: old servers answer each line by a system call of its own.
    if let Some(Command {
        verb: Verb::Get(fetching),
        ..
    }) = commands.first()
    {
        let keys: Vec<&[u8]> = commands.iter().map(|command| &command.key[..]).collect();
        return match fetching.touch {
            Some(exptime) => request::gats(out, exptime, &keys),
            None => request::gets(out, &keys),
        };
    }
    for Command { key, verb } in commands {
        match verb {
            Verb::Get(_) => {}
            Verb::Touch { exptime } => request::touch(out, key, *exptime),
            Verb::Delete { .. } => request::delete(out, key),
            Verb::Arith(counting) if counting.is_decr => request::decr(out, key, counting.delta),
            Verb::Arith(counting) => request::incr(out, key, counting.delta),
            Verb::Store(storing) => {
                request::store_line(
                    out,
                    Store {
                        verb: match (storing.mode, storing.cas) {
                            (_, Some(_)) => StoreVerb::Cas,
                            (meta::Mode::Set, None) => StoreVerb::Set,
                            (meta::Mode::Add, None) => StoreVerb::Add,
                            (meta::Mode::Replace, None) => StoreVerb::Replace,
                            (meta::Mode::Append, None) => StoreVerb::Append,
                            (meta::Mode::Prepend, None) => StoreVerb::Prepend,
                        },
                        key,
                        flags: storing.flags,
                        exptime: storing.exptime,
                        // Longer values were refused before.
                        value_len: u32::try_from(storing.value.len()).unwrap_or(u32::MAX),
                        cas: storing.cas.unwrap_or_default(),
                        noreply: false,
                    },
                );
                block(out, &storing.value);
            }
        }
    }
}

fn block(out: &mut Vec<u8>, value: &[u8]) {
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}
