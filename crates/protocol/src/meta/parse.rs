//! From a line to a meta command. `at` is where the command's name ends, as in the text protocol's own parser.

use super::command::{Arith, Command, Request, Set};
use super::flags::{BadFlags, Flags};
use crate::limits::{BLOCK_END_LEN, KEY_MAX, META_WORDS_MAX, VALUE_LEN_MAX};
use crate::text::words::Words;
use crate::text::{ErrorText, Refused, StoreVerb};

/// Most flags behind the name and the key.
const FLAGS_MAX: usize = META_WORDS_MAX - 2;

/// Too few words, or none where one is due.
const BAD_FORMAT: Refused = Refused::plain(ErrorText::BadFormat);

/// `mg <key> <flag>*`
pub(crate) fn get(line: &[u8], at: usize) -> Result<Command<'_>, Refused> {
    request(line, at).map(Command::Get)
}

/// `md <key> <flag>*`
pub(crate) fn delete(line: &[u8], at: usize) -> Result<Command<'_>, Refused> {
    request(line, at).map(Command::Delete)
}

/// `me <key> <flag>*`
pub(crate) fn debug(line: &[u8], at: usize) -> Result<Command<'_>, Refused> {
    request(line, at).map(Command::Debug)
}

fn request(line: &[u8], at: usize) -> Result<Request<'_>, Refused> {
    let request = read(line, at).map_err(|bad| Refused::plain(bad.text()))?;
    request.flags.check_opaque().map_err(Refused::plain)?;
    Ok(request)
}

/// `<name> <key> <flag>*`
fn read(line: &[u8], at: usize) -> Result<Request<'_>, BadFlags> {
    let mut words = Words::new(line, at);
    let key = words.word().ok_or(BadFlags::NoFlags)?;
    if key.len() > KEY_MAX {
        return Err(BadFlags::Known(ErrorText::BadFormat));
    }
    let flags = Flags::read(line, words.at(), FLAGS_MAX, key)?;
    Ok(Request { key, flags })
}

/// `ms <key> <bytes> <flag>*`
///
/// From the length on, whatever is wrong is told behind the data block; but for words that are no flags at all.
pub(crate) fn set(line: &[u8], at: usize) -> Result<Command<'_>, Refused> {
    let mut words = Words::new(line, at);
    let key = words.word().ok_or(BAD_FORMAT)?;
    let value_len = words.number().and_then(|number| number.u32());
    let value_len = value_len
        .filter(|&len| len <= VALUE_LEN_MAX)
        .ok_or(BAD_FORMAT)?;
    let swallowing = |error| Refused {
        error,
        noreply: false,
        swallow: u64::from(value_len) + BLOCK_END_LEN,
    };
    if key.len() > KEY_MAX {
        return Err(swallowing(ErrorText::BadFormat));
    }
    let flags = Flags::read(line, words.at(), FLAGS_MAX - 1, key);
    let flags = flags.map_err(|bad| match bad {
        BadFlags::NoFlags => BAD_FORMAT,
        bad => swallowing(bad.text()),
    })?;
    let verb = match (flags.has(b'M'), flags.mode()) {
        (false, _) | (_, b'S') => StoreVerb::Set,
        (_, b'E') => StoreVerb::Add,
        (_, b'R') => StoreVerb::Replace,
        (_, b'A') => StoreVerb::Append,
        (_, b'P') => StoreVerb::Prepend,
        _ => return Err(swallowing(ErrorText::InvalidSetMode)),
    };
    flags.check_opaque().map_err(swallowing)?;
    Ok(Command::Set(Set {
        request: Request { key, flags },
        verb,
        value_len,
    }))
}

/// `ma <key> <flag>*`. It has one text for nearly all that can be wrong.
pub(crate) fn arith(line: &[u8], at: usize) -> Result<Command<'_>, Refused> {
    let request = read(line, at).map_err(|bad| match bad {
        BadFlags::Known(_) => Refused::plain(ErrorText::InvalidOrDuplicateFlag),
        bad => Refused::plain(bad.text()),
    })?;
    let incr = match (request.flags.has(b'M'), request.flags.mode()) {
        (false, _) | (_, b'I' | b'+') => true,
        (_, b'D' | b'-') => false,
        _ => return Err(Refused::plain(ErrorText::InvalidArithMode)),
    };
    request.flags.check_opaque().map_err(Refused::plain)?;
    Ok(Command::Arith(Arith { request, incr }))
}

impl BadFlags {
    fn text(self) -> ErrorText {
        match self {
            Self::NoFlags => ErrorText::BadFormat,
            Self::Known(text) => text,
        }
    }
}
