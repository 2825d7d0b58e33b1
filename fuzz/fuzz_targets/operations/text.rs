//! The classic text commands: what is sent, what the twin does, what it is answered.

use crate::dice::Dice;
use crate::speech::{Arrived, Speech, Store};
use crate::twin::{Count, Outcome, Twin, Verb};

/// Exptimes, as they are sent.
const EXPTIMES: &[i64] = &[
    0,
    0,
    0,
    1,
    2,
    5,
    60,
    -1,
    2_592_000,
    2_592_001,
    1_700_000_003,
    2_147_483_647,
];

/// Lines that change nothing, and their answers.
const OTHERS: &[(&str, &str)] = &[
    ("mn", "MN"),
    ("version", "VERSION 1.6.45"),
    ("verbosity 1", "OK"),
    ("stats detail on", "OK"),
    ("stats detail off", "OK"),
    ("foo", "ERROR"),
    ("get", "CLIENT_ERROR bad command line format"),
    ("incr a x", "CLIENT_ERROR invalid numeric delta argument"),
    ("touch a x", "CLIENT_ERROR invalid exptime argument"),
    ("set a 0 0 x", "CLIENT_ERROR bad command line format"),
    ("set a 0 0 -1", "CLIENT_ERROR bad command line format"),
    (
        "set a -1 0 3\r\nabc",
        "CLIENT_ERROR bad command line format",
    ),
    (
        "cas a 0 0 3 x\r\nabc",
        "CLIENT_ERROR bad command line format",
    ),
    ("stats reset", "RESET"),
    ("stats sizes_", "ERROR"),
];

/// Says one command.
pub fn command(dice: &mut Dice<'_>, speech: &mut Speech) {
    match dice.below(16) {
        0..6 => store(dice, speech),
        6..10 => get(dice, speech),
        10..12 => count(dice, speech),
        12 => {
            let (key, quiet) = (dice.key(), noreply(dice));
            let line = [b"delete ", key, quiet, b"\r\n"].concat();
            speech.command(&line, move |twin, replies| {
                let word = match twin.delete(key, 0) {
                    Outcome::Done(_) => "DELETED",
                    _ => "NOT_FOUND",
                };
                tell(quiet, word, replies);
            });
        }
        13 => {
            let (key, exptime, quiet) = (dice.key(), dice.pick(EXPTIMES), noreply(dice));
            let line = [
                b"touch ",
                key,
                format!(" {exptime}").as_bytes(),
                quiet,
                b"\r\n",
            ]
            .concat();
            speech.command(&line, move |twin, replies| {
                let word = match twin.touch(key, twin.second(exptime)) {
                    Some(_) => "TOUCHED",
                    None => "NOT_FOUND",
                };
                tell(quiet, word, replies);
            });
        }
        14 => {
            let (delay, quiet) = (dice.pick(&[0, 0, 1, 3, 100, -1]), noreply(dice));
            let line = [format!("flush_all {delay}").as_bytes(), quiet, b"\r\n"].concat();
            speech.command(&line, move |twin, replies| {
                let second = twin.second(delay.max(0));
                twin.flush(second);
                tell(quiet, "OK", replies);
            });
        }
        _ => {
            let (line, reply) = dice.pick(OTHERS);
            speech.command(format!("{line}\r\n").as_bytes(), move |_, replies| {
                tell(b"", reply, replies);
            });
        }
    }
}

/// Either nothing, or what asks for no reply.
fn noreply(dice: &mut Dice<'_>) -> &'static [u8] {
    if dice.once_in(4) && !dice.loud {
        b" noreply"
    } else {
        b""
    }
}

fn tell(quiet: &[u8], word: &str, replies: &mut Vec<u8>) {
    if quiet.is_empty() {
        replies.extend_from_slice(word.as_bytes());
        replies.extend_from_slice(b"\r\n");
    }
}

fn store(dice: &mut Dice<'_>, speech: &mut Speech) {
    let (name, verb) = match dice.below(10) {
        0..5 => ("set", Verb::Set),
        5 => ("add", Verb::Add),
        6 => ("replace", Verb::Replace),
        7 => ("append", Verb::Append(0)),
        8 => ("prepend", Verb::Prepend(0)),
        _ => ("cas", Verb::Cas(dice.cas())),
    };
    let (key, flags, exptime) = (dice.key(), dice.flags(), dice.pick(EXPTIMES));
    let (value, quiet) = (dice.value(), noreply(dice));
    let facts = format!(" {flags} {exptime} {}", value.len());
    let unique = match verb {
        Verb::Cas(cas) => format!(" {cas}"),
        _ => String::new(),
    };
    let parts: [&[u8]; 7] = [
        name.as_bytes(),
        b" ",
        key,
        facts.as_bytes(),
        unique.as_bytes(),
        quiet,
        b"\r\n",
    ];
    let store = Store {
        key,
        flags,
        exptimes: [exptime, 0],
        value,
        head: parts.concat(),
        forgets: verb == Verb::Set,
        end: if dice.once_in(16) { b"\n\n" } else { b"\r\n" },
        right_end: b"\r\n",
    };
    speech.store(store, move |twin, arrived, replies| {
        let word = match arrived {
            Arrived::Whole {
                value,
                seconds: [second, _],
                flushes,
            } => match twin.store(verb, key, (value, flags, second), flushes) {
                Outcome::Done(_) => "STORED",
                Outcome::Exists => "EXISTS",
                Outcome::NotFound => "NOT_FOUND",
                _ => "NOT_STORED",
            },
            Arrived::TooLarge => "SERVER_ERROR object too large for cache",
            Arrived::BadEnd => "CLIENT_ERROR bad data chunk",
        };
        tell(quiet, word, replies);
    });
}

fn get(dice: &mut Dice<'_>, speech: &mut Speech) {
    let (name, exptime) = match dice.below(8) {
        0..4 => ("get", None),
        4..6 => ("gets", None),
        6 => ("gat", Some(dice.pick(EXPTIMES))),
        _ => ("gats", Some(dice.pick(EXPTIMES))),
    };
    // Who sends 2,048 bytes of a line without its end is closed, unless it is a get or gets.
    let most = if exptime.is_some() { 7 } else { 40 };
    let count = dice.pick(&[1, 1, 1, 1, 2, 3, 5, most]);
    let keys: Vec<&[u8]> = (0..count).map(|_| dice.key()).collect();
    let mut line = name.to_owned().into_bytes();
    if let Some(exptime) = exptime {
        line.extend_from_slice(format!(" {exptime}").as_bytes());
    }
    for key in &keys {
        line.extend_from_slice(b" ");
        line.extend_from_slice(key);
    }
    line.extend_from_slice(b"\r\n");
    speech.command(&line, move |twin, replies| {
        for key in &keys {
            answer(twin, key, name.ends_with('s'), exptime, replies);
        }
        replies.extend_from_slice(b"END\r\n");
    });
}

/// One key of a get.
pub fn answer(
    twin: &mut Twin,
    key: &[u8],
    with_cas: bool,
    exptime: Option<i64>,
    replies: &mut Vec<u8>,
) {
    let found = match exptime {
        Some(exptime) => twin.touch(key, twin.second(exptime)),
        None => twin.fetch(key),
    };
    let Some(item) = found else {
        return;
    };
    replies.extend_from_slice(b"VALUE ");
    replies.extend_from_slice(key);
    replies.extend_from_slice(format!(" {} {}", item.flags, item.value.len()).as_bytes());
    if with_cas {
        replies.extend_from_slice(format!(" {}", item.cas).as_bytes());
    }
    replies.extend_from_slice(b"\r\n");
    replies.extend_from_slice(&item.value);
    replies.extend_from_slice(b"\r\n");
}

fn count(dice: &mut Dice<'_>, speech: &mut Speech) {
    let (incr, key, delta, quiet) = (dice.once_in(2), dice.key(), dice.delta(), noreply(dice));
    let name: &[u8] = if incr { b"incr " } else { b"decr " };
    let line = [name, key, format!(" {delta}").as_bytes(), quiet, b"\r\n"].concat();
    let count = Count {
        delta,
        incr,
        cas: 0,
        initial: None,
    };
    speech.command(&line, move |twin, replies| {
        let text = match twin.count(key, count) {
            Outcome::Number(number, _) => number.to_string(),
            Outcome::NotFound => "NOT_FOUND".to_owned(),
            _ => "CLIENT_ERROR cannot increment or decrement non-numeric value".to_owned(),
        };
        tell(quiet, &text, replies);
    });
}
