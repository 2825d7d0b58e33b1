//! From a line to a command: which command it is, and the commands that name keys. `admin` has the rest.

use memchr::memrchr;

use super::admin;
use super::command::{Arith, Command, Get, GetVerb, Refused, Store, StoreVerb};
use super::reply::ErrorText;
use super::upkeep;
use super::words::{Words, word_end};
use crate::limits::{BLOCK_END_LEN, KEY_MAX, VALUE_LEN_MAX};
use crate::meta;

/// The command of a line given without its end.
///
/// Commands are known by their whole first word. A line that begins with a blank has an empty one, and no command has
/// that.
#[inline(never)]
pub(super) fn command(line: &[u8]) -> Result<Command<'_>, Refused> {
    let at = word_end(line, 0);
    match &line[..at] {
        b"get" => get(line, at, GetVerb::Get).map(Command::Get),
        b"gets" => get(line, at, GetVerb::Gets).map(Command::Get),
        b"gat" => get(line, at, GetVerb::Gat).map(Command::Get),
        b"gats" => get(line, at, GetVerb::Gats).map(Command::Get),
        b"set" => store(line, at, StoreVerb::Set).map(Command::Store),
        b"add" => store(line, at, StoreVerb::Add).map(Command::Store),
        b"replace" => store(line, at, StoreVerb::Replace).map(Command::Store),
        b"append" => store(line, at, StoreVerb::Append).map(Command::Store),
        b"prepend" => store(line, at, StoreVerb::Prepend).map(Command::Store),
        b"cas" => store(line, at, StoreVerb::Cas).map(Command::Store),
        b"incr" => arith(line, at, true).map(Command::Arith),
        b"decr" => arith(line, at, false).map(Command::Arith),
        b"delete" => delete(line, at),
        b"touch" => touch(line, at),
        b"mg" => meta::get(line, at).map(Command::Meta),
        b"ms" => meta::set(line, at).map(Command::Meta),
        b"md" => meta::delete(line, at).map(Command::Meta),
        b"ma" => meta::arith(line, at).map(Command::Meta),
        b"me" => meta::debug(line, at).map(Command::Meta),
        b"mn" => Ok(Command::Mn),
        b"quit" => Ok(Command::Quit),
        b"version" => Ok(Command::Version),
        b"stats" => Ok(Command::Stats(admin::stats(line, at))),
        b"flush_all" => admin::flush_all(line, at),
        b"verbosity" => admin::verbosity(line, at),
        b"cache_memlimit" => admin::cache_memlimit(line, at),
        b"shutdown" => admin::shutdown(line, at),
        b"slabs" => upkeep::slabs(line, at),
        b"lru" => upkeep::lru(line, at),
        b"lru_crawler" => upkeep::lru_crawler(line, at),
        b"watch" => Ok(admin::watch(line, at)),
        b"refresh_certs" => Ok(Command::RefreshCerts {
            noreply: noreply(line),
        }),
        _ => admin::unknown(line),
    }
}

/// `get <key>*`, `gat <exptime> <key>*`; `at` is where the verb ends, here and below. `noreply` is a key here.
#[inline(always)]
pub(super) fn get(line: &[u8], at: usize, verb: GetVerb) -> Result<Get, Refused> {
    let mut words = Words::new(line, at);
    let exptime = if verb.touches() {
        Some(words.number().ok_or(TOO_FEW)?)
    } else {
        None
    };
    let keys_at = words.peek().ok_or(TOO_FEW)?;
    let exptime = match exptime {
        Some(exptime) => exptime
            .i32()
            .ok_or(Refused::plain(ErrorText::InvalidExptime))?,
        None => 0,
    };
    // One over-long key anywhere fails the whole request, before anything is fetched.
    let keys = &line[keys_at..];
    if keys.len() > KEY_MAX && has_overlong_key(keys) {
        return Err(Refused::plain(ErrorText::BadFormat));
    }
    Ok(Get {
        verb,
        exptime,
        keys_at,
    })
}

/// Whether some run of more than [`KEY_MAX`] bytes has no blank. Such a run fills a window of that size, so the search
/// looks back from a window's end for its last blank and lets the next window begin behind it: of many short keys it
/// reads but a few.
#[cold]
fn has_overlong_key(mut keys: &[u8]) -> bool {
    while let Some(window) = keys.get(..=KEY_MAX) {
        let Some(blank) = memrchr(b' ', window) else {
            return true;
        };
        keys = &keys[blank + 1..];
    }
    false
}

/// `<verb> <key> <flags> <exptime> <bytes> [noreply]`; `cas` has its number before the `noreply`.
///
/// Until the length is known there is neither a block to swallow nor a `noreply` to heed. From then on both hold.
fn store(line: &[u8], at: usize, verb: StoreVerb) -> Result<Store<'_>, Refused> {
    let mut words = Words::new(line, at);
    let key = words.word().ok_or(TOO_FEW)?;
    let flags = words.number().ok_or(TOO_FEW)?;
    let exptime = words.number().ok_or(TOO_FEW)?;
    let value_len = words.number().ok_or(TOO_FEW)?.u32();
    let value_len = value_len
        .filter(|&len| len <= VALUE_LEN_MAX)
        .ok_or(Refused::plain(ErrorText::BadFormat))?;
    let cas = match verb {
        StoreVerb::Cas => words.number().and_then(|number| number.u64()),
        _ => Some(0),
    };
    let noreply = noreply(line);
    match (flags.c_flags(), exptime.c_exptime(), cas) {
        (Some(flags), Some(exptime), Some(cas)) if key.len() <= KEY_MAX => Ok(Store {
            verb,
            key,
            flags,
            exptime,
            value_len,
            cas,
            noreply,
        }),
        _ => {
            let swallow = u64::from(value_len) + BLOCK_END_LEN;
            Err(Refused {
                error: ErrorText::BadFormat,
                noreply,
                swallow,
            })
        }
    }
}

/// `incr <key> <delta> [noreply]` and `decr`.
fn arith(line: &[u8], at: usize, incr: bool) -> Result<Arith<'_>, Refused> {
    let mut words = Words::new(line, at);
    let key = words.word().ok_or(TOO_FEW)?;
    let delta = words.number().ok_or(TOO_FEW)?;
    let noreply = noreply(line);
    let key = checked(key, noreply)?;
    let delta = delta
        .u64()
        .ok_or(refused(ErrorText::InvalidDelta, noreply))?;
    Ok(Arith {
        key,
        delta,
        incr,
        noreply,
    })
}

/// `delete <key> [noreply]`.
fn delete(line: &[u8], at: usize) -> Result<Command<'_>, Refused> {
    let key = Words::new(line, at).word().ok_or(TOO_FEW)?;
    let noreply = noreply(line);
    Ok(Command::Delete {
        key: checked(key, noreply)?,
        noreply,
    })
}

/// `touch <key> <exptime> [noreply]`.
fn touch(line: &[u8], at: usize) -> Result<Command<'_>, Refused> {
    let mut words = Words::new(line, at);
    let key = words.word().ok_or(TOO_FEW)?;
    let exptime = words.number().ok_or(TOO_FEW)?;
    let noreply = noreply(line);
    let key = checked(key, noreply)?;
    let exptime = exptime
        .i32()
        .ok_or(refused(ErrorText::InvalidExptime, noreply))?;
    Ok(Command::Touch {
        key,
        exptime,
        noreply,
    })
}

/// Fewer words than the command needs: answered in any case, since `noreply` is looked for among the others.
const TOO_FEW: Refused = Refused::plain(ErrorText::BadFormat);

/// A key that is not too long.
#[inline(always)]
fn checked(key: &[u8], noreply: bool) -> Result<&[u8], Refused> {
    if key.len() <= KEY_MAX {
        Ok(key)
    } else {
        Err(refused(ErrorText::BadFormat, noreply))
    }
}

/// A refusal that heeds `noreply`.
pub(super) fn refused(error: ErrorText, noreply: bool) -> Refused {
    Refused {
        error,
        noreply,
        swallow: 0,
    }
}

/// Whether the last word of the line is `noreply`. As in memcached it may be a word that was meant for something else:
/// `delete noreply` deletes that key and says nothing.
#[inline(always)]
pub(super) fn noreply(line: &[u8]) -> bool {
    // Nearly every line ends otherwise.
    matches!(line.last(), Some(b'y' | b' ')) && last_word(line) == b"noreply"
}

/// The last word of a line; empty when there is none.
#[inline(never)]
pub(super) fn last_word(line: &[u8]) -> &[u8] {
    let len = line
        .iter()
        .rposition(|&byte| byte != b' ')
        .map_or(0, |last| last + 1);
    let start = memrchr(b' ', &line[..len]).map_or(0, |blank| blank + 1);
    &line[start..len]
}
