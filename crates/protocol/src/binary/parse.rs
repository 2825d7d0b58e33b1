//! From a frame's head to a command: whether its shape is that of its opcode, and what its extras say.

use super::command::{Arith, Command, Create, Get, Refused, Sasl, Store};
use super::header::Header;
use super::opcode::*;
use super::status::ReplyStatus;
use crate::limits::{BODY_LEN_MAX, KEY_MAX};
use crate::text::{StatsCommand, StoreVerb};

/// The exptime of `increment` and `decrement` by which nothing is created.
const DO_NOT_CREATE: u32 = u32::MAX;

/// The shape is not the opcode's: where the next frame would begin is anybody's guess.
const BAD_SHAPE: Refused = Refused::closing(ReplyStatus::InvalidArguments);

/// The command of a head.
#[inline]
pub(super) fn command<'a>(
    header: &Header,
    extras: &'a [u8],
    key: &'a [u8],
) -> Result<Command<'a>, Refused> {
    let value_len = header.value_len().ok_or(Refused::CONTRADICTION)?;
    if key.len() > KEY_MAX || header.body_len > BODY_LEN_MAX {
        return Err(BAD_SHAPE);
    }
    let shape = Shape {
        extras,
        key,
        value_len,
    };
    match header.echo.opcode {
        GET | GETQ => shape.get(false).map(Command::Get),
        GETK | GETKQ => shape.get(true).map(Command::Get),
        GAT | GATQ => shape.gat(false).map(Command::Get),
        GATK | GATKQ => shape.gat(true).map(Command::Get),
        SET | SETQ => shape.store(StoreVerb::Set, header.cas),
        ADD | ADDQ => shape.store(StoreVerb::Add, header.cas),
        REPLACE | REPLACEQ => shape.store(StoreVerb::Replace, header.cas),
        APPEND | APPENDQ => shape.join(StoreVerb::Append, header.cas),
        PREPEND | PREPENDQ => shape.join(StoreVerb::Prepend, header.cas),
        TOUCH => shape.gat(false).map(|get| Command::Touch {
            key: get.key,
            exptime: get.exptime.unwrap_or(0),
        }),
        INCREMENT | INCREMENTQ => shape.arith(true, header.cas),
        DECREMENT | DECREMENTQ => shape.arith(false, header.cas),
        DELETE | DELETEQ => {
            shape.without_extras()?;
            let key = shape.lone_key()?;
            let cas = header.cas;
            Ok(Command::Delete { key, cas })
        }
        NOOP => shape.bare(Command::Noop),
        other => rare(other, &shape),
    }
}

/// The commands that no client sends often.
#[cold]
fn rare<'a>(opcode: u8, shape: &Shape<'a>) -> Result<Command<'a>, Refused> {
    match opcode {
        FLUSH | FLUSHQ => shape.flush(),
        VERSION => shape.bare(Command::Version),
        QUIT | QUITQ => shape.bare(Command::Quit),
        STAT => {
            shape.without_extras()?;
            shape.without_value()?;
            Ok(Command::Stat(stats(shape.key)))
        }
        SASL_LIST_MECHS => shape.bare(Command::SaslListMechs),
        SASL_AUTH | SASL_STEP => {
            shape.without_extras()?;
            Ok(Command::Sasl(Sasl {
                step: opcode == SASL_STEP,
                mechanism: shape.key()?,
                data_len: shape.value_len,
            }))
        }
        // Extras and key are done with, of whatever shape; so the next frame is found.
        _ => Err(Refused::dropping(
            ReplyStatus::UnknownCommand,
            shape.value_len,
        )),
    }
}

/// The parts of a frame, each asked for by the commands that have it.
struct Shape<'a> {
    extras: &'a [u8],
    key: &'a [u8],
    value_len: u32,
}

impl<'a> Shape<'a> {
    #[inline]
    fn key(&self) -> Result<&'a [u8], Refused> {
        match self.key {
            [] => Err(BAD_SHAPE),
            key => Ok(key),
        }
    }

    /// A key, and no value.
    #[inline]
    fn lone_key(&self) -> Result<&'a [u8], Refused> {
        self.without_value()?;
        self.key()
    }

    #[inline]
    fn without_value(&self) -> Result<(), Refused> {
        match self.value_len {
            0 => Ok(()),
            _ => Err(BAD_SHAPE),
        }
    }

    #[inline]
    fn without_extras(&self) -> Result<(), Refused> {
        self.extras::<0>().map(|_| ())
    }

    /// The extras, if they are just as long.
    #[inline]
    fn extras<const LEN: usize>(&self) -> Result<[u8; LEN], Refused> {
        self.extras.try_into().or(Err(BAD_SHAPE))
    }

    /// A command that is nothing but a header.
    #[inline]
    fn bare(&self, command: Command<'a>) -> Result<Command<'a>, Refused> {
        match (self.extras, self.key, self.value_len) {
            ([], [], 0) => Ok(command),
            _ => Err(BAD_SHAPE),
        }
    }

    #[inline]
    fn get(&self, with_key: bool) -> Result<Get<'a>, Refused> {
        self.without_extras()?;
        Ok(Get {
            key: self.lone_key()?,
            exptime: None,
            with_key,
        })
    }

    /// `exptime`
    fn gat(&self, with_key: bool) -> Result<Get<'a>, Refused> {
        let exptime = u32::from_be_bytes(self.extras()?);
        Ok(Get {
            key: self.lone_key()?,
            exptime: Some(exptime),
            with_key,
        })
    }

    /// `flags exptime`
    #[inline]
    fn store(&self, verb: StoreVerb, cas: u64) -> Result<Command<'a>, Refused> {
        let [f0, f1, f2, f3, exptime @ ..] = self.extras::<8>()?;
        Ok(Command::Store(Store {
            verb,
            key: self.key()?,
            flags: u32::from_be_bytes([f0, f1, f2, f3]),
            exptime: u32::from_be_bytes(exptime),
            value_len: self.value_len,
            cas,
        }))
    }

    /// `append` and `prepend`.
    fn join(&self, verb: StoreVerb, cas: u64) -> Result<Command<'a>, Refused> {
        self.without_extras()?;
        Ok(Command::Store(Store {
            verb,
            key: self.key()?,
            flags: 0,
            exptime: 0,
            value_len: self.value_len,
            cas,
        }))
    }

    /// `delta initial exptime`
    fn arith(&self, incr: bool, cas: u64) -> Result<Command<'a>, Refused> {
        let extras = self.extras::<20>()?;
        let [
            d0,
            d1,
            d2,
            d3,
            d4,
            d5,
            d6,
            d7,
            i0,
            i1,
            i2,
            i3,
            i4,
            i5,
            i6,
            i7,
            exptime @ ..,
        ] = extras;
        let initial = u64::from_be_bytes([i0, i1, i2, i3, i4, i5, i6, i7]);
        let exptime = u32::from_be_bytes(exptime);
        Ok(Command::Arith(Arith {
            key: self.lone_key()?,
            delta: u64::from_be_bytes([d0, d1, d2, d3, d4, d5, d6, d7]),
            incr,
            create: (exptime != DO_NOT_CREATE).then_some(Create { initial, exptime }),
            cas,
        }))
    }

    /// Nothing, or `exptime`.
    fn flush(&self) -> Result<Command<'a>, Refused> {
        let exptime = match self.extras {
            [] => 0,
            _ => u32::from_be_bytes(self.extras()?),
        };
        match (self.key, self.value_len) {
            ([], 0) => Ok(Command::Flush { exptime }),
            _ => Err(BAD_SHAPE),
        }
    }
}

/// Which statistics a key names. As in memcached `reset`, `settings` and `detail` are known by how the key begins,
/// the others by all of it; what more the text protocol has is not here.
fn stats(key: &[u8]) -> StatsCommand {
    match key {
        [] => StatsCommand::General,
        b"items" => StatsCommand::Items,
        b"slabs" => StatsCommand::Slabs,
        b"sizes" => StatsCommand::Sizes,
        b"larder" => StatsCommand::Larder,
        b"larder users" => StatsCommand::LarderUsers,
        key if key.starts_with(b"reset") => StatsCommand::Reset,
        key if key.starts_with(b"settings") => StatsCommand::Settings,
        key if key.starts_with(b"detail dump") => StatsCommand::DetailDump,
        key if key.starts_with(b"detail on") => StatsCommand::DetailOn,
        key if key.starts_with(b"detail off") => StatsCommand::DetailOff,
        _ => StatsCommand::Unknown,
    }
}
