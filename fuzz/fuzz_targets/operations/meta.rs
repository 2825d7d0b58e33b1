//! The meta commands: what is sent, what the twin does, what it is answered.

use crate::dice::Dice;
use crate::flags::{Flags, Name};
use crate::speech::{Arrived, Speech, Store};
use crate::twin::{Count, Item, Outcome, Twin, Verb};

/// Lines that change nothing, and their answers.
const OTHERS: &[(&str, &str)] = &[
    ("mn", "MN"),
    ("mg", "CLIENT_ERROR bad command line format"),
    ("mg a v v", "CLIENT_ERROR duplicate flag"),
    ("mg a 9", "CLIENT_ERROR invalid flag"),
    ("mg a! b", "CLIENT_ERROR error decoding key"),
    ("mg a Tx", "CLIENT_ERROR bad token in command line format"),
    ("ms a", "CLIENT_ERROR bad command line format"),
    (
        "ms a 2 Mx\r\nhi",
        "CLIENT_ERROR invalid mode for ms M token",
    ),
    ("ms a 2 z\r\nhi", "CLIENT_ERROR invalid flag"),
    ("md a I I", "CLIENT_ERROR duplicate flag"),
    (
        "md a O01234567890123456789012345678901",
        "CLIENT_ERROR opaque token too long",
    ),
    ("ma a Mx", "CLIENT_ERROR invalid mode for ma M token"),
    ("ma a Dx", "CLIENT_ERROR invalid or duplicate flag"),
];

/// What an `mg` has found, or made.
struct Hit<'a> {
    name: (&'a [u8], bool),
    /// As it was before.
    item: &'a Item,
    exptime: u32,
    with_value: bool,
    tail: &'a str,
}

/// Says one command.
pub fn command(dice: &mut Dice<'_>, speech: &mut Speech) {
    match dice.below(16) {
        0..6 => mg(dice, speech),
        6..11 => ms(dice, speech),
        11..13 => md(dice, speech),
        13..15 => ma(dice, speech),
        _ => {
            let (line, reply) = dice.pick(OTHERS);
            speech.command(format!("{line}\r\n").as_bytes(), move |_, replies| {
                replies.extend_from_slice(format!("{reply}\r\n").as_bytes());
            });
        }
    }
}

/// Flags that show nothing but the key and the opaque.
fn nothing(_: u8) -> Option<String> {
    None
}

fn mg(dice: &mut Dice<'_>, speech: &mut Speech) {
    let (name, flags) = Flags::some(dice, b"vkOqscfthluTNREC", b"");
    let line = flags.line(b"mg ", &name, b"");
    speech.command(&line, move |twin, replies| {
        if twin.get(name.key).is_some() {
            return hit(twin, &name, &flags, replies);
        }
        if flags.has(b'N') {
            return make(twin, &name, &flags, replies);
        }
        if !flags.has(b'q') {
            flags.reply("EN", name.shown(), nothing, "", replies);
        }
    });
}

/// Finds an item, which may be won.
fn hit(twin: &mut Twin, name: &Name, flags: &Flags, replies: &mut Vec<u8>) {
    let old = twin.any(name.key).expect("it was found").clone();
    let exptimes = flags.exptimes(twin, old.exptime, false);
    let now = twin.now;
    let late = exptimes
        .recache
        .is_some_and(|(exptime, before)| exptime != 0 && exptime < before);
    let wins = !old.won && (old.stale || late);
    let tail = match (old.won, old.stale, wins) {
        (true, true, _) => " Z X",
        (true, false, _) => " Z",
        (false, true, _) => " X W",
        (false, false, true) => " W",
        (false, false, false) => "",
    };
    let item = twin.any(name.key).expect("it was found");
    item.won |= wins;
    item.exptime = exptimes.last;
    if !flags.has(b'u') {
        item.fetch(now);
    }
    let shown = Hit {
        name: (name.key, old.base64),
        item: &old,
        exptime: exptimes.shown,
        // Who has this very version is spared the value.
        with_value: flags.has(b'v') && flags.token(b'C') != Some(old.cas),
        tail,
    };
    shown.tell(twin, flags, replies);
}

/// Makes an empty item, which is won by who asked.
fn make(twin: &mut Twin, name: &Name, flags: &Flags, replies: &mut Vec<u8>) {
    let exptimes = flags.exptimes(twin, 0, true);
    let (what, now) = ((&b""[..], 0, exptimes.last), twin.now);
    // A number is taken, whether one was chosen or not.
    twin.store(Verb::Set, name.key, what, twin.flushes());
    let item = twin.any(name.key).expect("it was stored");
    (item.won, item.base64) = (true, name.base64);
    item.cas = flags.chosen().unwrap_or(item.cas);
    let new = item.clone();
    if !flags.has(b'u') {
        item.fetch(now);
    }
    let shown = Hit {
        name: name.shown(),
        item: &new,
        exptime: exptimes.shown,
        with_value: flags.has(b'v'),
        tail: " W",
    };
    shown.tell(twin, flags, replies);
}

impl Hit<'_> {
    fn tell(&self, twin: &Twin, flags: &Flags, replies: &mut Vec<u8>) {
        let item = self.item;
        let show = |letter| match letter {
            b's' => Some(item.value.len().to_string()),
            b'c' => Some(item.cas.to_string()),
            b'f' => Some(item.flags.to_string()),
            b't' => Some(twin.ttl(self.exptime)),
            b'h' => Some(u8::from(item.fetched).to_string()),
            b'l' => Some((twin.now - item.accessed).to_string()),
            _ => None,
        };
        if !self.with_value {
            return flags.reply("HD", self.name, show, self.tail, replies);
        }
        let code = format!("VA {}", item.value.len());
        flags.reply(&code, self.name, show, self.tail, replies);
        replies.extend_from_slice(&item.value);
        replies.extend_from_slice(b"\r\n");
    }
}

fn ms(dice: &mut Dice<'_>, speech: &mut Speech) {
    let value = dice.value();
    let (name, flags) = Flags::some(dice, b"TFCIEMNkOscq", b"EAPRS");
    let store = Store {
        key: name.key,
        flags: flags.token(b'F').unwrap_or(0),
        exptimes: [b'T', b'N'].map(|letter| flags.token(letter).unwrap_or(0)),
        head: flags.line(b"ms ", &name, format!(" {}", value.len()).as_bytes()),
        value,
        forgets: true,
        end: if dice.once_in(16) { b"\n\n" } else { b"\r\n" },
        right_end: b"\r\n",
    };
    speech.store(store, move |twin, arrived, replies| match arrived {
        Arrived::Whole {
            value,
            seconds,
            flushes,
        } => {
            let (outcome, len) = set(twin, &name, &flags, (value, seconds), flushes);
            tell(&name, &flags, outcome, len, replies);
        }
        Arrived::TooLarge => {
            replies.extend_from_slice(b"SERVER_ERROR object too large for cache\r\n");
        }
        Arrived::BadEnd => replies.extend_from_slice(b"CLIENT_ERROR bad data chunk\r\n"),
    });
}

/// What an `ms` comes to, and the length that it tells.
fn set(
    twin: &mut Twin,
    name: &Name,
    flags: &Flags,
    (value, [second, second_if_new]): (&[u8], [u32; 2]),
    flushes: u64,
) -> (Outcome, usize) {
    let key = name.key;
    let compare: Option<u64> = flags.token(b'C');
    let any = compare.unwrap_or(0);
    let mut verb = match (flags.token(b'M').unwrap_or('S'), compare) {
        ('S' | 'R', Some(cas)) => Verb::Cas(cas),
        ('R', None) => Verb::Replace,
        ('E', _) => Verb::Add,
        ('A', _) => Verb::Append(any),
        ('P', _) => Verb::Prepend(any),
        _ => Verb::Set,
    };
    let mut until = second;
    let (mut won, mut stale) = (false, false);
    match (verb, twin.get(key)) {
        (Verb::Append(_) | Verb::Prepend(_), None) if flags.has(b'N') => {
            (verb, until) = (Verb::Set, second_if_new);
        }
        (Verb::Cas(cas), Some(item)) if flags.has(b'I') && cas != 0 && cas < item.cas => {
            (verb, until) = (Verb::Set, item.exptime);
            (won, stale) = (item.won, true);
        }
        _ => {}
    }
    let client_flags = flags.token(b'F').unwrap_or(0);
    let outcome = twin.store(verb, key, (value, client_flags, until), flushes);
    let Outcome::Done(cas) = outcome else {
        return (outcome, value.len());
    };
    // What a flush has taken has no item any more; one under its key is another's.
    if flushes != twin.flushes() {
        return (outcome, value.len());
    }
    let item = twin.any(key).expect("it was stored");
    (item.won, item.stale) = (won, stale);
    item.base64 |= name.base64;
    item.cas = flags.chosen().unwrap_or(cas);
    (Outcome::Done(item.cas), item.value.len())
}

fn tell(name: &Name, flags: &Flags, outcome: Outcome, len: usize, replies: &mut Vec<u8>) {
    let (code, cas) = match outcome {
        Outcome::Done(cas) => ("HD", cas),
        Outcome::Exists => ("EX", 0),
        Outcome::NotFound => ("NF", 0),
        _ => ("NS", 0),
    };
    if flags.has(b'q') && code == "HD" {
        return;
    }
    let show = |letter| match letter {
        b's' => Some(len.to_string()),
        b'c' => Some(cas.to_string()),
        _ => None,
    };
    flags.reply(code, name.shown(), show, "", replies);
}

fn md(dice: &mut Dice<'_>, speech: &mut Speech) {
    let (name, flags) = Flags::some(dice, b"ICTxFEqkO", b"");
    let line = flags.line(b"md ", &name, b"");
    speech.command(&line, move |twin, replies| {
        let code = match twin.get(name.key) {
            None => "NF",
            Some(item) if flags.token(b'C').is_some_and(|cas: u64| cas != item.cas) => "EX",
            Some(item) => {
                let old = item.clone();
                make_less(twin, name.key, &old, &flags);
                "HD"
            }
        };
        if !(flags.has(b'q') && code == "HD") {
            flags.reply(code, name.shown(), nothing, "", replies);
        }
    });
}

/// Deletes an item, empties it, or marks it as stale.
fn make_less(twin: &mut Twin, key: &[u8], old: &Item, flags: &Flags) {
    let (empties, marks) = (flags.has(b'x'), flags.has(b'I'));
    if !empties && !marks {
        twin.delete(key, 0);
        return;
    }
    let touch = flags.second(b'T', twin);
    if empties {
        let what = (&b""[..], flags.token(b'F').unwrap_or(0), touch.unwrap_or(0));
        twin.store(Verb::Set, key, what, twin.flushes());
    }
    let cas = match (flags.chosen(), marks) {
        (Some(chosen), _) => chosen,
        (None, true) => twin.unique(),
        (None, false) => old.cas,
    };
    let item = twin.any(key).expect("it was there");
    (item.won, item.stale, item.base64) = (false, marks, old.base64);
    item.cas = cas;
    item.exptime = touch.unwrap_or(item.exptime);
}

fn ma(dice: &mut Dice<'_>, speech: &mut Speech) {
    let (name, flags) = Flags::some(dice, b"NJDTMCEqtckvO", b"I+D-");
    let line = flags.line(b"ma ", &name, b"");
    speech.command(&line, move |twin, replies| {
        let old = twin.get(name.key).map(|item| item.exptime);
        let exptimes = flags.exptimes(twin, old.unwrap_or(0), old.is_none());
        let initial = flags.token(b'J').unwrap_or(0);
        let count = Count {
            delta: flags.token(b'D').unwrap_or(1),
            incr: matches!(flags.token(b'M').unwrap_or('I'), 'I' | '+'),
            cas: flags.token(b'C').unwrap_or(0),
            initial: flags.has(b'N').then_some((initial, exptimes.last)),
        };
        let made = twin.get(name.key).is_none();
        let (number, cas) = match twin.count(name.key, count) {
            Outcome::Number(number, cas) => (number, cas),
            Outcome::NonNumeric => {
                let text = b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";
                return replies.extend_from_slice(text);
            }
            Outcome::Exists => return flags.reply("EX", name.shown(), nothing, "", replies),
            _ => return flags.reply("NF", name.shown(), nothing, "", replies),
        };
        let item = twin.any(name.key).expect("it was counted");
        item.cas = flags.chosen().unwrap_or(cas);
        item.exptime = exptimes.last;
        item.base64 |= made && name.base64;
        let cas = item.cas;
        if flags.has(b'q') {
            return;
        }
        let show = |letter| match letter {
            b't' => Some(twin.ttl(exptimes.shown)),
            b'c' => Some(cas.to_string()),
            _ => None,
        };
        let number = number.to_string();
        if !flags.has(b'v') {
            return flags.reply("HD", name.shown(), show, "", replies);
        }
        let code = format!("VA {}", number.len());
        flags.reply(&code, name.shown(), show, "", replies);
        replies.extend_from_slice(number.as_bytes());
        replies.extend_from_slice(b"\r\n");
    });
}
