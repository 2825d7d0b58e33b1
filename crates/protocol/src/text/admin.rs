//! The commands that name no key: rare, short, and judged word by word.

use super::command::{Command, Refused, StatsCommand};
use super::parse::{last_word, noreply, refused};
use super::reply::ErrorText;
use super::watch::Streams;
use super::words::Words;
use crate::limits::{MEMLIMIT_MAX_MB, MEMLIMIT_MIN_MB, SLAB_CLASS_COUNT_MAX, VERBOSITY_MAX};

/// A command nobody knows. `noreply` is heeded even here, and a browser is shown the door.
#[cold]
pub(super) fn unknown(line: &[u8]) -> Result<Command<'_>, Refused> {
    let mut words = Words::new(line, 0);
    let alone = words.word().is_none() || words.is_empty();
    if !alone && last_word(line).starts_with(b"HTTP/") {
        return Ok(Command::Http);
    }
    Err(refused(ErrorText::Error, noreply(line)))
}

/// `stats [<sub-command> [<argument>*]]`; `at` is where the verb ends, here and below.
pub(super) fn stats(line: &[u8], at: usize) -> StatsCommand {
    let mut words = Words::new(line, at);
    let Some(sub) = words.word() else {
        return StatsCommand::General;
    };
    match sub {
        b"items" => StatsCommand::Items,
        b"slabs" => StatsCommand::Slabs,
        b"larder" => match words.word() {
            Some(b"users") => StatsCommand::LarderUsers,
            _ => StatsCommand::Larder,
        },
        b"sizes" => StatsCommand::Sizes,
        sub if b"reset".starts_with(sub) => StatsCommand::Reset,
        sub if b"detail".starts_with(sub) => match words.word() {
            Some(b"on") => StatsCommand::DetailOn,
            Some(b"off") => StatsCommand::DetailOff,
            Some(b"dump") => StatsCommand::DetailDump,
            _ => StatsCommand::DetailUsage,
        },
        sub if b"settings".starts_with(sub) => StatsCommand::Settings,
        sub if b"cachedump".starts_with(sub) => {
            cachedump(words).unwrap_or_else(StatsCommand::CachedumpBad)
        }
        sub if b"conns".starts_with(sub) => StatsCommand::Conns,
        _ => StatsCommand::Unknown,
    }
}

/// `<class> <limit>`
fn cachedump(mut words: Words<'_>) -> Result<StatsCommand, ErrorText> {
    let (Some(class), Some(limit)) = (words.number(), words.number()) else {
        return Err(ErrorText::BadLine);
    };
    let (Some(class), Some(limit)) = (class.u32(), limit.u32()) else {
        return Err(ErrorText::BadFormat);
    };
    if class >= SLAB_CLASS_COUNT_MAX {
        return Err(ErrorText::IllegalSlabId);
    }
    Ok(StatsCommand::Cachedump { class, limit })
}

/// `flush_all [delay] [noreply]`. A `noreply` that is the only argument is no delay.
pub(super) fn flush_all(line: &[u8], at: usize) -> Result<Command<'_>, Refused> {
    let noreply = noreply(line);
    let mut words = Words::new(line, at);
    let delay = match words.number() {
        None => Some(0),
        Some(_) if noreply && words.is_empty() => Some(0),
        Some(number) => number.i32(),
    };
    let delay = delay.ok_or(refused(ErrorText::InvalidFlushDelay, noreply))?;
    Ok(Command::FlushAll { delay, noreply })
}

/// `verbosity <level> [noreply]`
pub(super) fn verbosity(line: &[u8], at: usize) -> Result<Command<'_>, Refused> {
    let noreply = noreply(line);
    let level = Words::new(line, at).number().and_then(|level| level.u32());
    let level = level
        .ok_or(refused(ErrorText::BadFormat, noreply))?
        .min(VERBOSITY_MAX);
    Ok(Command::Verbosity { level, noreply })
}

/// `cache_memlimit <megabytes> [noreply]`
pub(super) fn cache_memlimit(line: &[u8], at: usize) -> Result<Command<'_>, Refused> {
    let noreply = noreply(line);
    let error = match Words::new(line, at)
        .number()
        .and_then(|megabytes| megabytes.u32())
    {
        Some(megabytes @ MEMLIMIT_MIN_MB..=MEMLIMIT_MAX_MB) => {
            return Ok(Command::CacheMemlimit { megabytes, noreply });
        }
        Some(..MEMLIMIT_MIN_MB) => ErrorText::MemlimitTooSmall,
        Some(_) => ErrorText::MemlimitNotMegabytes,
        None => ErrorText::Error,
    };
    Err(refused(error, noreply))
}

/// `watch [<stream>*]`. A `noreply` names no stream, so all that it hides is a refusal.
pub(super) fn watch(line: &[u8], at: usize) -> Command<'_> {
    let mut words = Words::new(line, at);
    let mut streams = words.is_empty().then_some(Streams::DEFAULT);
    while let Some(word) = words.word() {
        match Streams::named(word) {
            Some(more) => streams = Some(streams.unwrap_or_default().and(more)),
            None => {
                streams = None;
                break;
            }
        }
    }
    let noreply = noreply(line);
    Command::Watch { streams, noreply }
}

/// `shutdown [graceful]`, with nothing behind it: too grave to guess.
pub(super) fn shutdown(line: &[u8], at: usize) -> Result<Command<'_>, Refused> {
    let noreply = noreply(line);
    let mut words = Words::new(line, at);
    match (words.word(), words.is_empty()) {
        (None, _) => Ok(Command::Shutdown {
            graceful: false,
            noreply,
        }),
        (Some(b"graceful"), true) => Ok(Command::Shutdown {
            graceful: true,
            noreply,
        }),
        _ => Err(refused(ErrorText::InvalidShutdownMode, noreply)),
    }
}
