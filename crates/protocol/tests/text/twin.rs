//! The decoder against a twin that is written for nothing but to be obviously right: it makes a list of the words and
//! asks them one by one, with the standard library's own numbers.

use crate::lines::{LINES, keys};
use crate::meta;
use larder_protocol::limits::{
    KEY_MAX, MEMLIMIT_MAX_MB, MEMLIMIT_MIN_MB, SLAB_CLASS_COUNT_MAX, VALUE_LEN_MAX, VERBOSITY_MAX,
};
use larder_protocol::text::{
    self, Arith, Command, DumpFormat, ErrorText, Get, GetVerb, LruMode, LruTuning, Refused,
    StatsCommand, Status, Store, StoreVerb, Stream, Streams, TempTtl, Upkeep, Which,
};
use proptest::prelude::*;

/// The command of a line, with the keys if it is a get (and 0 for where they are).
fn twin(line: &[u8]) -> (Command<'_>, Vec<Vec<u8>>) {
    let bare = line.strip_suffix(b"\n").expect("a line ends");
    let bare = bare.strip_suffix(b"\r").unwrap_or(bare);
    let words: Vec<&[u8]> = bare
        .split(|&byte| byte == b' ')
        .filter(|word| !word.is_empty())
        .collect();
    let noreply = words.last() == Some(&&b"noreply"[..]);
    let refuse = |error| refused(error, noreply, 0);
    let bad = refused(ErrorText::BadFormat, false, 0);
    let unknown = match words.last() {
        Some(last) if words.len() > 1 && last.starts_with(b"HTTP/") => Command::Http,
        _ => refuse(ErrorText::Error),
    };
    if line.len() < 4 {
        return (bad, vec![]);
    }
    if bare.starts_with(b" ") || words.is_empty() {
        return (unknown, vec![]);
    }
    let args = &words[1..];
    let least = match words[0] {
        b"get" | b"gets" | b"delete" => 1,
        b"gat" | b"gats" | b"incr" | b"decr" | b"touch" => 2,
        b"set" | b"add" | b"replace" | b"append" | b"prepend" | b"cas" => 4,
        _ => 0,
    };
    if args.len() < least {
        return (bad, vec![]);
    }
    let long = |key: &[u8]| key.len() > KEY_MAX;
    let command = match words[0] {
        b"get" | b"gets" | b"gat" | b"gats" => return twin_get(words[0], args),
        b"set" => twin_store(StoreVerb::Set, args, noreply),
        b"add" => twin_store(StoreVerb::Add, args, noreply),
        b"replace" => twin_store(StoreVerb::Replace, args, noreply),
        b"append" => twin_store(StoreVerb::Append, args, noreply),
        b"prepend" => twin_store(StoreVerb::Prepend, args, noreply),
        b"cas" => twin_store(StoreVerb::Cas, args, noreply),
        b"incr" | b"decr" | b"touch" | b"delete" if long(args[0]) => refuse(ErrorText::BadFormat),
        b"incr" | b"decr" => match strict(args[1], 22, 0, u64::MAX.into()) {
            Some(delta) => Command::Arith(Arith {
                key: args[0],
                delta: delta as u64,
                incr: words[0] == b"incr",
                noreply,
            }),
            None => refuse(ErrorText::InvalidDelta),
        },
        b"touch" => match strict_i32(args[1]) {
            Some(exptime) => Command::Touch {
                key: args[0],
                exptime,
                noreply,
            },
            None => refuse(ErrorText::InvalidExptime),
        },
        b"delete" => Command::Delete {
            key: args[0],
            noreply,
        },
        word => twin_admin(word, args, noreply).unwrap_or(unknown),
    };
    (command, vec![])
}

fn refused<'a>(error: ErrorText, noreply: bool, swallow: u64) -> Command<'a> {
    Command::Refused(Refused {
        error,
        noreply,
        swallow,
    })
}

/// The commands that are about no key. `None` if it is none of them.
fn twin_admin<'a>(word: &[u8], args: &[&[u8]], noreply: bool) -> Option<Command<'a>> {
    let refuse = |error| refused(error, noreply, 0);
    Some(match word {
        b"flush_all" if args.len() == usize::from(noreply) => {
            Command::FlushAll { delay: 0, noreply }
        }
        b"flush_all" => match strict_i32(args[0]) {
            Some(delay) => Command::FlushAll { delay, noreply },
            None => refuse(ErrorText::InvalidFlushDelay),
        },
        b"verbosity" => match args.first().and_then(|level| strict_u32(level)) {
            Some(level) => Command::Verbosity {
                level: level.min(VERBOSITY_MAX),
                noreply,
            },
            None => refuse(ErrorText::BadFormat),
        },
        b"cache_memlimit" => match args.first().and_then(|megabytes| strict_u32(megabytes)) {
            None => refuse(ErrorText::Error),
            Some(megabytes) if megabytes < MEMLIMIT_MIN_MB => refuse(ErrorText::MemlimitTooSmall),
            Some(megabytes) if megabytes > MEMLIMIT_MAX_MB => {
                refuse(ErrorText::MemlimitNotMegabytes)
            }
            Some(megabytes) => Command::CacheMemlimit { megabytes, noreply },
        },
        b"shutdown" if args.is_empty() => Command::Shutdown {
            graceful: false,
            noreply,
        },
        b"shutdown" if args == [b"graceful"] => Command::Shutdown {
            graceful: true,
            noreply,
        },
        b"shutdown" => refuse(ErrorText::InvalidShutdownMode),
        b"watch" => Command::Watch {
            streams: twin_streams(args),
            noreply,
        },
        b"refresh_certs" => Command::RefreshCerts { noreply },
        b"version" => Command::Version,
        b"quit" => Command::Quit,
        b"mn" => Command::Mn,
        b"stats" => Command::Stats(twin_stats(args)),
        b"slabs" | b"lru" | b"lru_crawler" => {
            let count = args.len() - usize::from(noreply);
            match twin_upkeep(word, &args[..count]) {
                Ok(upkeep) => Command::Upkeep { upkeep, noreply },
                Err(error) => refuse(error),
            }
        }
        _ => return None,
    })
}

fn twin_get<'a>(verb: &[u8], args: &[&'a [u8]]) -> (Command<'a>, Vec<Vec<u8>>) {
    let refuse = |error| {
        (
            Command::Refused(Refused {
                error,
                noreply: false,
                swallow: 0,
            }),
            vec![],
        )
    };
    let (verb, exptime, keys) = match verb {
        b"get" => (GetVerb::Get, Some(0), args),
        b"gets" => (GetVerb::Gets, Some(0), args),
        b"gat" => (GetVerb::Gat, strict_i32(args[0]), &args[1..]),
        _ => (GetVerb::Gats, strict_i32(args[0]), &args[1..]),
    };
    let Some(exptime) = exptime else {
        return refuse(ErrorText::InvalidExptime);
    };
    if keys.iter().any(|key| key.len() > KEY_MAX) {
        return refuse(ErrorText::BadFormat);
    }
    (
        Command::Get(Get {
            verb,
            exptime,
            keys_at: 0,
        }),
        keys.iter().map(|key| key.to_vec()).collect(),
    )
}

fn twin_store<'a>(verb: StoreVerb, args: &[&'a [u8]], noreply: bool) -> Command<'a> {
    let Some(value_len) = strict_u32(args[3]).filter(|&len| len <= VALUE_LEN_MAX) else {
        return Command::Refused(Refused {
            error: ErrorText::BadFormat,
            noreply: false,
            swallow: 0,
        });
    };
    let cas = match verb {
        StoreVerb::Cas => args
            .get(4)
            .and_then(|cas| strict(cas, 22, 0, u64::MAX.into())),
        _ => Some(0),
    };
    let flags = c_integer(args[1]).filter(|flags| (0..=u64::MAX.into()).contains(flags));
    let exptime =
        c_integer(args[2]).filter(|exptime| (i64::MIN.into()..=i64::MAX.into()).contains(exptime));
    match (flags, exptime, cas) {
        (Some(flags), Some(exptime), Some(cas)) if args[0].len() <= KEY_MAX => {
            Command::Store(Store {
                verb,
                key: args[0],
                flags: flags as u32,
                exptime: exptime as i32,
                value_len,
                cas: cas as u64,
                noreply,
            })
        }
        _ => {
            let swallow = u64::from(value_len) + 2;
            Command::Refused(Refused {
                error: ErrorText::BadFormat,
                noreply,
                swallow,
            })
        }
    }
}

fn twin_streams(args: &[&[u8]]) -> Option<Streams> {
    let names = [
        ("fetchers", Some(Stream::Fetchers)),
        ("mutations", Some(Stream::Mutations)),
        ("evictions", Some(Stream::Evictions)),
        ("connevents", Some(Stream::Connevents)),
        ("deletions", Some(Stream::Deletions)),
        ("sysevents", Some(Stream::Sysevents)),
        ("rawcmds", None),
        ("proxyreqs", None),
        ("proxyevents", None),
        ("proxyuser", None),
    ];
    let mut streams = Streams::NONE;
    for arg in args {
        let stream = names
            .iter()
            .find(|(name, _)| name.as_bytes().starts_with(arg))?
            .1;
        streams = stream.map_or(streams, |stream| streams.and(Streams::of(stream)));
    }
    Some(if args.is_empty() {
        Streams::of(Stream::Fetchers)
    } else {
        streams
    })
}

fn twin_stats(args: &[&[u8]]) -> StatsCommand {
    // Five may be cut short.
    let mut args = args.to_vec();
    let shortened = ["reset", "detail", "settings", "cachedump", "conns"];
    if let Some(sub) = args.first_mut()
        && let Some(full) = shortened
            .iter()
            .find(|full| full.as_bytes().starts_with(sub))
    {
        *sub = full.as_bytes();
    }
    match args[..] {
        [] => StatsCommand::General,
        [b"settings", ..] => StatsCommand::Settings,
        [b"items", ..] => StatsCommand::Items,
        [b"slabs", ..] => StatsCommand::Slabs,
        [b"larder", ..] => StatsCommand::Larder,
        [b"conns", ..] => StatsCommand::Conns,
        [b"sizes", ..] => StatsCommand::Sizes,
        [b"reset", ..] => StatsCommand::Reset,
        [b"detail", b"on", ..] => StatsCommand::DetailOn,
        [b"detail", b"off", ..] => StatsCommand::DetailOff,
        [b"detail", b"dump", ..] => StatsCommand::DetailDump,
        [b"detail", ..] => StatsCommand::DetailUsage,
        [b"cachedump", class, limit, ..] => match (strict_u32(class), strict_u32(limit)) {
            (Some(SLAB_CLASS_COUNT_MAX..), Some(_)) => {
                StatsCommand::CachedumpBad(ErrorText::IllegalSlabId)
            }
            (Some(class), Some(limit)) => StatsCommand::Cachedump { class, limit },
            _ => StatsCommand::CachedumpBad(ErrorText::BadFormat),
        },
        [b"cachedump", ..] => StatsCommand::CachedumpBad(ErrorText::BadLine),
        _ => StatsCommand::Unknown,
    }
}

/// `slabs`, `lru` and `lru_crawler`, without their `noreply`.
fn twin_upkeep(verb: &[u8], args: &[&[u8]]) -> Result<Upkeep, ErrorText> {
    let subs = match verb {
        b"slabs" => "reassign automove",
        b"lru" => "tune mode temp_ttl",
        _ => "crawl metadump mgdump tocrawl sleep enable disable",
    };
    let (sub, args) = args.split_first().ok_or(ErrorText::Error)?;
    let sub = twin_full(sub, subs).ok_or(ErrorText::Error)?;
    let number = |at: usize| strict_u32(args[at]);
    let factor = |at| twin_factor(args, at);
    Ok(match (sub, args.len()) {
        ("reassign", 2) => Upkeep::Reassign(strict_i32(args[0]).zip(strict_i32(args[1]))),
        ("automove", 1..) => match twin_full(args[0], "ratio freeratio window") {
            Some("ratio") => Upkeep::AutomoveRatio(factor(1).ok_or(ErrorText::Error)?),
            Some("freeratio") => {
                factor(1).ok_or(ErrorText::Error)?;
                Upkeep::AutomoveFreeRatio
            }
            Some(_) if args.len() == 1 => return Err(ErrorText::Error),
            Some(_) => match number(1) {
                Some(window @ 3..=1800) => Upkeep::AutomoveWindow(window),
                Some(_) => return Err(ErrorText::AutomoveWindow),
                None => return Err(ErrorText::BadFormat),
            },
            None => match number(0) {
                Some(mode @ 0..=2) => Upkeep::Automove(mode),
                Some(_) => return Err(ErrorText::Error),
                None => return Err(ErrorText::BadFormat),
            },
        },
        ("tune", 4..) => return twin_tune(args),
        ("mode", _) => Upkeep::LruMode(
            match args
                .first()
                .and_then(|mode| twin_full(mode, "flat segmented"))
            {
                Some("flat") => Some(LruMode::Flat),
                Some(_) => Some(LruMode::Segmented),
                None => None,
            },
        ),
        ("temp_ttl", _) => Upkeep::LruTempTtl(match args.first().and_then(|ttl| strict_i32(ttl)) {
            Some(..=-1) => Some(TempTtl::Off),
            Some(ttl) => Some(TempTtl::Seconds(ttl as u32)),
            None => None,
        }),
        ("enable", 0) => Upkeep::CrawlerEnable,
        ("disable", 0) => Upkeep::CrawlerDisable,
        ("sleep", 1) => match number(0) {
            Some(micros @ 0..=1_000_000) => Upkeep::CrawlerSleep(micros),
            Some(_) => return Err(ErrorText::CrawlerSleep),
            None => return Err(ErrorText::BadFormat),
        },
        ("tocrawl", 1) => Upkeep::CrawlerToCrawl(number(0).ok_or(ErrorText::BadFormat)?),
        ("crawl", 1) => Upkeep::Crawl(twin_which(args[0])),
        ("metadump", 1) => Upkeep::Dump(DumpFormat::Meta, twin_which(args[0])),
        ("mgdump", 1) => Upkeep::Dump(DumpFormat::Mg, twin_which(args[0])),
        _ => return Err(ErrorText::Error),
    })
}

/// `lru tune`
fn twin_tune(args: &[&[u8]]) -> Result<Upkeep, ErrorText> {
    Ok(
        match (
            strict_u32(args[0]),
            strict_u32(args[1]),
            twin_factor(args, 2),
            twin_factor(args, 3),
        ) {
            (Some(hot), Some(warm), Some(_), Some(_)) if u64::from(hot) + u64::from(warm) > 80 => {
                return Err(ErrorText::LruPercents);
            }
            (Some(hot_pct), Some(warm_pct), Some(hot_factor), Some(warm_factor)) => {
                if hot_factor <= 0.0 || warm_factor <= 0.0 {
                    return Err(ErrorText::LruFactors);
                }
                Upkeep::LruTune(LruTuning {
                    hot_pct,
                    warm_pct,
                    hot_factor,
                    warm_factor,
                })
            }
            _ => return Err(ErrorText::Error),
        },
    )
}

fn twin_factor(args: &[&[u8]], at: usize) -> Option<f64> {
    let text = std::str::from_utf8(args.get(at)?).ok()?;
    text.parse().ok().filter(|factor: &f64| factor.is_finite())
}

/// The first of `all` that begins with `word`.
fn twin_full<'a>(word: &[u8], all: &'a str) -> Option<&'a str> {
    all.split(' ')
        .find(|full| full.as_bytes().starts_with(word))
}

fn twin_which(word: &[u8]) -> Which {
    let text = String::from_utf8_lossy(word);
    match &*text {
        "all" => Which::Classes(!1),
        "hash" => Which::Hash,
        list => list
            .split(',')
            .filter(|id| !id.is_empty())
            .try_fold(0, |classes, id| match strict_u32(id.as_bytes()) {
                Some(id @ 1..=63) => Some(classes | 1 << id),
                _ => None,
            })
            .map_or(Which::BadClass, Which::Classes),
    }
}

pub(crate) fn strict(word: &[u8], len_max: usize, min: i128, max: i128) -> Option<i128> {
    let word = std::str::from_utf8(word).ok()?;
    if word.len() > len_max || word.contains('+') || (word.contains('-') && min == 0) {
        return None;
    }
    word.parse()
        .ok()
        .filter(|number| (min..=max).contains(number))
}

pub(crate) fn strict_u32(word: &[u8]) -> Option<u32> {
    strict(word, 11, 0, u32::MAX.into())?.try_into().ok()
}

pub(crate) fn strict_i32(word: &[u8]) -> Option<i32> {
    strict(word, 11, i32::MIN.into(), i32::MAX.into())?
        .try_into()
        .ok()
}

fn c_integer(word: &[u8]) -> Option<i128> {
    let text: String = word.iter().map(|&byte| char::from(byte)).collect();
    let text = text.trim_start_matches([' ', '\t', '\x0b', '\x0c', '\r']);
    let text = text.split(['\0', ' ', '\t', '\x0b', '\x0c', '\r']).next()?;
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    // Too many digits for an i128 are too many for C's 64 bits as well.
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        None
    } else {
        text.parse().ok()
    }
}

/// Decodes `line` with and without bytes behind it and compares with the twin.
fn check(line: &[u8]) {
    if meta::is_meta(line) {
        return meta::check(line);
    }
    let (expected, expected_keys) = twin(line);
    for behind in [&b""[..], b"\n", b"get behind\r\n"] {
        let buf = [line, behind].concat();
        let Status::Complete { line_len, command } = text::decode(&buf, 0) else {
            panic!("{} is a line", line.escape_ascii());
        };
        assert_eq!(line_len, line.len(), "{}", line.escape_ascii());
        let (command, keys) = match command {
            Command::Get(get) => (
                Command::Get(Get { keys_at: 0, ..get }),
                keys(&buf, get.keys_at),
            ),
            command => (command, vec![]),
        };
        assert_eq!(command, expected, "{}", line.escape_ascii());
        assert_eq!(keys, expected_keys, "{}", line.escape_ascii());
    }
}

#[test]
fn lines_of_the_split_test() {
    for stream in LINES {
        for line in stream.split_inclusive(|&byte| byte == b'\n') {
            check(line);
        }
    }
}

#[test]
fn keys_at_the_limit() {
    for len in [KEY_MAX - 1, KEY_MAX, KEY_MAX + 1, 2 * KEY_MAX + 1] {
        let key = "k".repeat(len);
        for line in [
            format!("get {key}\r\n"),
            format!("gets a {key} b\r\n"),
            format!("get   {key}   \n"),
            format!("gat x {key}\r\n"),
            format!("gat 1 {}{key} b\r\n", "short ".repeat(100)),
            format!("set {key} 0 0 5 noreply\r\n"),
            format!("set {key} 0 0 x noreply\r\n"),
            format!("incr {key} 1\r\n"),
            format!("delete {key} noreply\r\n"),
            format!("touch {key} x\r\n"),
        ] {
            check(line.as_bytes());
        }
    }
}

/// A word that is something somewhere.
fn word() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(
        [
            "get gets gat gats set add replace append prepend cas incr decr delete touch flush_all version verbosity",
            "slabs reassign automove ratio freeratio window lru tune mode flat segmented temp_ttl lru_crawler crawl hash",
            "metadump mgdump tocrawl sleep enable disable all 1,2 0.5 1e9 nan 3 20 80 1000000 1000001 re s c m t",
            "quit mn cache_memlimit shutdown graceful stats detail on off dump cachedump items reset refresh_certs watch fetchers sysevents rawcmds f proxy",
            "noreply HTTP/1.0 0 1 64 -1 +1 -0 007 4294967295 4294967296 2147483645 2147483646 2147483648 -2147483648",
            "18446744073709551615 18446744073709551616 9223372036854775808 -9223372036854775808 1x 5\tz \t5 5\0 a\r \r",
            "00000000001 000000000001 0000000000000000000001 00000000000000000000001 123456789 1234567890 + -",
        ]
        .join(" ")
        .split(' ')
        .map(|word| word.as_bytes().to_vec())
        .collect::<Vec<_>>(),
    );
    let key = prop::collection::vec(
        prop::sample::select(&b"key:0123\x80\xff\x01\t\r\0"[..]),
        1..24,
    );
    let long = (245..260_usize).prop_map(|len| vec![b'k'; len]);
    prop_oneof![20 => known, 6 => key, 1 => long]
}

/// Words between runs of blanks, behind a verb more often than not.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let verb = prop::sample::select(
        &[
            "",
            "get ",
            "gats ",
            "set ",
            "set k ",
            "cas k 0 0 1 ",
            "set k 0 0 ",
            "incr k ",
            "touch k ",
            "stats ",
        ][..],
    );
    let words = prop::collection::vec((word(), 1..3_usize), 0..8);
    (verb, words, 0..3_usize, any::<bool>()).prop_map(|(verb, words, trailing, bare)| {
        let mut line = verb.as_bytes().to_vec();
        let mut blanks = 0;
        for (word, after) in words {
            line.extend(std::iter::repeat_n(b' ', blanks));
            line.extend(word);
            blanks = after;
        }
        line.extend(std::iter::repeat_n(b' ', trailing));
        line.extend_from_slice(if bare { b"\n" } else { b"\r\n" });
        line
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lines_of_words(line in line()) {
        check(&line);
    }

    #[test]
    fn lines_with_a_byte_changed(line in line(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut line = line;
        let at = at.index(line.len());
        if byte != b'\n' && at + 1 < line.len() {
            line[at] = byte;
            check(&line);
        }
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200), searched in 0..250_usize, at in any::<usize>()) {
        // Whatever it says, it says it without a panic, also to offsets that mean nothing.
        let _ = text::decode(&bytes, 0);
        let _ = text::decode(&bytes, searched);
        let _ = text::decode(&bytes, at);
        let _ = text::next_key(&bytes, at);
        let _ = keys(&bytes, searched);
        let mut line: Vec<u8> = bytes.into_iter().filter(|&byte| byte != b'\n').collect();
        line.push(b'\n');
        check(&line);
    }
}
