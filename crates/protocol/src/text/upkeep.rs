//! `slabs`, `lru` and `lru_crawler`: what the line asks for, and how it is judged.
//!
//! As in memcached a sub-command may be cut short; of several that begin so, the first in the order below is meant.
//! Which of them may be used at all (`-X`, a crawler that is switched off) goes before most faults of the line, and only
//! the runtime knows it: so those faults are part of what is decoded.

use super::command::{Command, Refused};
use super::parse::{noreply, refused};
use super::reply::ErrorText;
use super::words::Words;
use crate::limits::{AUTOMOVE_WINDOW, CRAWLER_SLEEP_MAX_US, LRU_PCT_MAX, SLAB_CLASS_COUNT_MAX};

/// What `slabs`, `lru` and `lru_crawler` ask for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Upkeep {
    /// `slabs reassign <source> <target>`: class ids, -1 for any source; `None` if they are no numbers.
    Reassign(Option<(i32, i32)>),
    /// `slabs automove <mode>`, 0 to 2.
    Automove(u32),
    /// `slabs automove ratio <factor>`
    AutomoveRatio(f64),
    /// `slabs automove freeratio <factor>`: of memcached's external storage.
    AutomoveFreeRatio,
    /// `slabs automove window <seconds>`, within [`AUTOMOVE_WINDOW`].
    AutomoveWindow(u32),
    /// `lru tune <hot> <warm> <hot factor> <warm factor>`
    LruTune(LruTuning),
    /// `lru mode flat` or `segmented`; `None` for another word.
    LruMode(Option<LruMode>),
    /// `lru temp_ttl <seconds>`; `None` if that is no number.
    LruTempTtl(Option<TempTtl>),
    /// `lru_crawler enable`
    CrawlerEnable,
    /// `lru_crawler disable`
    CrawlerDisable,
    /// `lru_crawler sleep <microseconds>`, at most [`CRAWLER_SLEEP_MAX_US`].
    CrawlerSleep(u32),
    /// `lru_crawler tocrawl <items>`
    CrawlerToCrawl(u32),
    /// `lru_crawler crawl <which>`
    Crawl(Which),
    /// `lru_crawler metadump <which>` and `mgdump`
    Dump(DumpFormat, Which),
}

/// Shares and ages of the LRU's segments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LruTuning {
    /// Percent of a class's memory for hot items.
    pub hot_pct: u32,
    /// The same for warm ones; together at most [`LRU_PCT_MAX`].
    pub warm_pct: u32,
    /// How old hot items may be, as a part of the cold ones' age; greater than 0.
    pub hot_factor: f64,
    /// The same for warm ones.
    pub warm_factor: f64,
}

/// Whether the LRU has segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LruMode {
    /// One list.
    Flat,
    /// Hot, warm and cold.
    Segmented,
}

/// What `lru temp_ttl` sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TempTtl {
    /// No segment for items that live shortly.
    Off,
    /// One for items that live at most so many seconds.
    Seconds(u32),
}

/// How a dump words an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DumpFormat {
    /// `metadump`: all that is known of it.
    Meta,
    /// `mgdump`: a command that fetches it.
    Mg,
}

/// What a crawl or a dump goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Slab classes, by bits: that of class 1 is 1 << 1. `all` has them all.
    Classes(u64),
    /// `hash`: everything, in the order of the index.
    Hash,
    /// No such class.
    BadClass,
}

/// Of a sub-command's word, the first that begins with it.
fn full<'a>(word: &[u8], all: &[&'a str]) -> Option<&'a str> {
    let begins = |full: &&str| full.as_bytes().starts_with(word);
    all.iter().copied().find(begins)
}

/// A judged line and its `noreply`, which is no argument of it.
type Judged = Result<Upkeep, ErrorText>;

fn command(judged: Judged, noreply: bool) -> Result<Command<'static>, Refused> {
    match judged {
        Ok(upkeep) => Ok(Command::Upkeep { upkeep, noreply }),
        Err(error) => Err(refused(error, noreply)),
    }
}

/// The words behind the verb, which ends at `at`; a `noreply` at the end is none of them.
fn arguments(line: &[u8], at: usize) -> (Words<'_>, bool) {
    let silent = noreply(line);
    let end = match silent {
        true => line.trim_ascii_end().len() - b"noreply".len(),
        false => line.len(),
    };
    (Words::new(&line[..end.max(at)], at), silent)
}

/// `slabs <sub-command> …`; `at` is where the verb ends, here and below.
pub(super) fn slabs(line: &[u8], at: usize) -> Result<Command<'_>, Refused> {
    let (mut words, noreply) = arguments(line, at);
    let judged = match words
        .word()
        .and_then(|word| full(word, &["reassign", "automove"]))
    {
        Some("reassign") => reassign(words),
        Some(_) => automove(words),
        None => Err(ErrorText::Error),
    };
    command(judged, noreply)
}

fn reassign(mut words: Words<'_>) -> Judged {
    let (Some(source), Some(target), true) = (words.number(), words.number(), words.is_empty())
    else {
        return Err(ErrorText::Error);
    };
    Ok(Upkeep::Reassign(source.i32().zip(target.i32())))
}

fn automove(mut words: Words<'_>) -> Judged {
    let mut ahead = words;
    let word = ahead.word().ok_or(ErrorText::Error)?;
    match full(word, &["ratio", "freeratio", "window"]) {
        Some("window") => {
            let window = ahead.number().ok_or(ErrorText::Error)?.u32();
            let window = window.ok_or(ErrorText::BadFormat)?;
            if !AUTOMOVE_WINDOW.contains(&window) {
                return Err(ErrorText::AutomoveWindow);
            }
            Ok(Upkeep::AutomoveWindow(window))
        }
        Some(ratio) => {
            let factor = ahead.word().and_then(decimal).ok_or(ErrorText::Error)?;
            Ok(match ratio {
                "ratio" => Upkeep::AutomoveRatio(factor),
                _ => Upkeep::AutomoveFreeRatio,
            })
        }
        None => match words.number().and_then(|mode| mode.u32()) {
            Some(mode @ 0..=2) => Ok(Upkeep::Automove(mode)),
            Some(_) => Err(ErrorText::Error),
            None => Err(ErrorText::BadFormat),
        },
    }
}

/// `lru <sub-command> …`
pub(super) fn lru(line: &[u8], at: usize) -> Result<Command<'_>, Refused> {
    let (mut words, noreply) = arguments(line, at);
    let sub = words
        .word()
        .and_then(|word| full(word, &["tune", "mode", "temp_ttl"]));
    let judged = match sub {
        Some("tune") => tune(words),
        Some("mode") => {
            let mode = words
                .word()
                .and_then(|word| full(word, &["flat", "segmented"]));
            Ok(Upkeep::LruMode(mode.map(|mode| match mode {
                "flat" => LruMode::Flat,
                _ => LruMode::Segmented,
            })))
        }
        Some(_) => {
            let seconds = words.number().and_then(|seconds| seconds.i32());
            let ttl = |seconds| u32::try_from(seconds).map_or(TempTtl::Off, TempTtl::Seconds);
            Ok(Upkeep::LruTempTtl(seconds.map(ttl)))
        }
        None => Err(ErrorText::Error),
    };
    command(judged, noreply)
}

fn tune(mut words: Words<'_>) -> Judged {
    let mut pct = || words.number().and_then(|pct| pct.u32());
    let (hot_pct, warm_pct) = pct().zip(pct()).ok_or(ErrorText::Error)?;
    let mut factor = || words.word().and_then(decimal);
    let (hot_factor, warm_factor) = factor().zip(factor()).ok_or(ErrorText::Error)?;
    if hot_pct.saturating_add(warm_pct) > LRU_PCT_MAX {
        return Err(ErrorText::LruPercents);
    }
    if hot_factor <= 0.0 || warm_factor <= 0.0 {
        return Err(ErrorText::LruFactors);
    }
    Ok(Upkeep::LruTune(LruTuning {
        hot_pct,
        warm_pct,
        hot_factor,
        warm_factor,
    }))
}

/// `lru_crawler <sub-command> …`
pub(super) fn lru_crawler(line: &[u8], at: usize) -> Result<Command<'_>, Refused> {
    const SUBS: [&str; 7] = [
        "crawl", "metadump", "mgdump", "tocrawl", "sleep", "enable", "disable",
    ];
    let (mut words, noreply) = arguments(line, at);
    let sub = words.word().and_then(|word| full(word, &SUBS));
    let judged = match sub {
        Some(sub @ ("enable" | "disable")) => match (sub, words.is_empty()) {
            ("enable", true) => Ok(Upkeep::CrawlerEnable),
            (_, true) => Ok(Upkeep::CrawlerDisable),
            (_, false) => Err(ErrorText::Error),
        },
        Some(sub @ ("tocrawl" | "sleep")) => crawler_number(sub, words),
        Some(sub) => which(words).map(|which| match sub {
            "crawl" => Upkeep::Crawl(which),
            "metadump" => Upkeep::Dump(DumpFormat::Meta, which),
            _ => Upkeep::Dump(DumpFormat::Mg, which),
        }),
        None => Err(ErrorText::Error),
    };
    command(judged, noreply)
}

fn crawler_number(sub: &str, mut words: Words<'_>) -> Judged {
    let (Some(number), true) = (words.number(), words.is_empty()) else {
        return Err(ErrorText::Error);
    };
    let number = number.u32().ok_or(ErrorText::BadFormat)?;
    match sub {
        "tocrawl" => Ok(Upkeep::CrawlerToCrawl(number)),
        _ if number > CRAWLER_SLEEP_MAX_US => Err(ErrorText::CrawlerSleep),
        _ => Ok(Upkeep::CrawlerSleep(number)),
    }
}

/// `all`, `hash`, or class ids with commas between them.
fn which(mut words: Words<'_>) -> Result<Which, ErrorText> {
    let (Some(word), true) = (words.word(), words.is_empty()) else {
        return Err(ErrorText::Error);
    };
    match word {
        b"all" => return Ok(Which::Classes(!1)),
        b"hash" => return Ok(Which::Hash),
        _ => {}
    }
    let ids = word.split(|&byte| byte == b',').filter(|id| !id.is_empty());
    let mut classes = 0;
    for id in ids {
        let id = Words::new(id, 0).number().and_then(|id| id.u32());
        match id {
            Some(id @ 1..SLAB_CLASS_COUNT_MAX) => classes |= 1 << id,
            _ => return Ok(Which::BadClass),
        }
    }
    Ok(Which::Classes(classes))
}

/// A decimal fraction.
fn decimal(word: &[u8]) -> Option<f64> {
    let number: f64 = std::str::from_utf8(word).ok()?.parse().ok()?;
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Judged) {
        for (end, silent) in [("", false), ("  ", false), (" noreply", true)] {
            let line = format!("{line}{end}");
            let verb = line.find(' ').unwrap_or(line.len());
            let decoded = match &line[..verb] {
                "slabs" => slabs(line.as_bytes(), verb),
                "lru" => lru(line.as_bytes(), verb),
                _ => lru_crawler(line.as_bytes(), verb),
            };
            assert_eq!(decoded, command(expected, silent), "{line}");
        }
    }

    #[test]
    fn slabs_lines() {
        check("slabs", Err(ErrorText::Error));
        check("slabs foo", Err(ErrorText::Error));
        check("slabs reassign", Err(ErrorText::Error));
        check("slabs reassign 1", Err(ErrorText::Error));
        check("slabs reassign 1 2 3", Err(ErrorText::Error));
        check("slabs reassign -1 2", Ok(Upkeep::Reassign(Some((-1, 2)))));
        check("slabs r 1 2", Ok(Upkeep::Reassign(Some((1, 2)))));
        check("slabs reassign x 2", Ok(Upkeep::Reassign(None)));
        check("slabs automove", Err(ErrorText::Error));
        check("slabs automove 2", Ok(Upkeep::Automove(2)));
        check("slabs automove 1 2", Ok(Upkeep::Automove(1)));
        check("slabs automove 3", Err(ErrorText::Error));
        check("slabs automove -1", Err(ErrorText::BadFormat));
        check("slabs automove x", Err(ErrorText::BadFormat));
        check("slabs automove ratio", Err(ErrorText::Error));
        check("slabs automove ratio x", Err(ErrorText::Error));
        check("slabs automove ratio nan", Err(ErrorText::Error));
        check("slabs automove ratio 0.7", Ok(Upkeep::AutomoveRatio(0.7)));
        check(
            "slabs automove freeratio 0.1",
            Ok(Upkeep::AutomoveFreeRatio),
        );
        check("slabs automove window", Err(ErrorText::Error));
        check("slabs automove window x", Err(ErrorText::BadFormat));
        check("slabs automove window 2", Err(ErrorText::AutomoveWindow));
        check("slabs automove window 3", Ok(Upkeep::AutomoveWindow(3)));
        check("slabs automove window 1801", Err(ErrorText::AutomoveWindow));
    }

    #[test]
    fn lru_lines() {
        let tuning = LruTuning {
            hot_pct: 10,
            warm_pct: 20,
            hot_factor: 0.1,
            warm_factor: 1.5,
        };
        check("lru", Err(ErrorText::Error));
        check("lru tune 10 20 0.1", Err(ErrorText::Error));
        check("lru tune 10 20 0.1 1.5", Ok(Upkeep::LruTune(tuning)));
        check("lru t 10 20 0.1 1.5 9", Ok(Upkeep::LruTune(tuning)));
        check("lru tune 50 31 0.1 1.5", Err(ErrorText::LruPercents));
        check("lru tune 4294967295 1 1 1", Err(ErrorText::LruPercents));
        check("lru tune 10 20 0 1.5", Err(ErrorText::LruFactors));
        check("lru tune 10 20 x 1.5", Err(ErrorText::Error));
        check("lru mode", Ok(Upkeep::LruMode(None)));
        check("lru mode f", Ok(Upkeep::LruMode(Some(LruMode::Flat))));
        check("lru mode foo", Ok(Upkeep::LruMode(None)));
        check("lru temp_ttl", Ok(Upkeep::LruTempTtl(None)));
        check("lru te -1", Ok(Upkeep::LruTempTtl(Some(TempTtl::Off))));
        check(
            "lru temp_ttl 0",
            Ok(Upkeep::LruTempTtl(Some(TempTtl::Seconds(0)))),
        );
    }

    #[test]
    fn lru_crawler_lines() {
        let all = Which::Classes(!1);
        check("lru_crawler", Err(ErrorText::Error));
        check("lru_crawler enable", Ok(Upkeep::CrawlerEnable));
        check("lru_crawler enable x", Err(ErrorText::Error));
        check("lru_crawler d", Ok(Upkeep::CrawlerDisable));
        check("lru_crawler sleep", Err(ErrorText::Error));
        check("lru_crawler sleep x", Err(ErrorText::BadFormat));
        check(
            "lru_crawler sleep 1000000",
            Ok(Upkeep::CrawlerSleep(1_000_000)),
        );
        check("lru_crawler sleep 1000001", Err(ErrorText::CrawlerSleep));
        check("lru_crawler tocrawl 5 6", Err(ErrorText::Error));
        check("lru_crawler tocrawl 5", Ok(Upkeep::CrawlerToCrawl(5)));
        check("lru_crawler crawl", Err(ErrorText::Error));
        check("lru_crawler crawl all", Ok(Upkeep::Crawl(all)));
        check("lru_crawler crawl hash", Ok(Upkeep::Crawl(Which::Hash)));
        let some = Which::Classes(1 << 1 | 1 << 63);
        check("lru_crawler crawl 1,63,", Ok(Upkeep::Crawl(some)));
        for bad in ["0", "64", "x", "1,x", "all,1", "-1"] {
            let line = format!("lru_crawler crawl {bad}");
            check(&line, Ok(Upkeep::Crawl(Which::BadClass)));
        }
        check("lru_crawler m all", Ok(Upkeep::Dump(DumpFormat::Meta, all)));
        check(
            "lru_crawler mgdump hash",
            Ok(Upkeep::Dump(DumpFormat::Mg, Which::Hash)),
        );
        check("lru_crawler metadump 1 2", Err(ErrorText::Error));
    }
}
