//! The binary protocol: what is sent, what the twin does, what it is answered.

use crate::dice::Dice;
use crate::speech::{Arrived, Speech, Store};
use crate::twin::{Count, Outcome, Twin, Verb};

/// Exptimes, as they are sent.
const EXPTIMES: &[u32] = &[
    0,
    0,
    0,
    1,
    2,
    5,
    60,
    2_592_000,
    2_592_001,
    1_700_000_003,
    u32::MAX - 1,
];

/// The exptime of an incr that creates nothing.
const NO_INITIAL: u32 = u32::MAX;

/// Statuses, with the texts of those that are errors.
const DONE: (u16, &str) = (0, "");
const NOT_FOUND: (u16, &str) = (1, "Not found");
const EXISTS: (u16, &str) = (2, "Data exists for key.");
const TOO_LARGE: (u16, &str) = (3, "Too large.");
const NOT_STORED: (u16, &str) = (5, "Not stored.");
const NON_NUMERIC: (u16, &str) = (6, "Non-numeric server-side value for incr or decr");
const UNKNOWN: (u16, &str) = (0x81, "Unknown command");

/// The status of a command for which there was no memory.
const OUT_OF_MEMORY: [u8; 2] = [0, 0x82];

/// A command's head, by which its reply is known.
#[derive(Clone, Copy)]
struct Head {
    opcode: u8,
    opaque: u32,
    /// Whether a success says nothing; or, of a fetch, a miss.
    quiet: bool,
}

/// Says one command.
pub fn command(dice: &mut Dice<'_>, speech: &mut Speech) {
    let opaque = u32::from(dice.byte());
    let head = |opcode, quiet| Head {
        opcode,
        opaque,
        quiet,
    };
    match dice.below(16) {
        0..5 => store(dice, speech, opaque),
        5..10 => get(dice, speech, opaque),
        10..12 => count(dice, speech, opaque),
        12 => {
            let (quiet, key, cas) = (dice.once_in(2), dice.frame_key(), some_cas(dice));
            let head = head(if quiet { 0x14 } else { 0x04 }, quiet);
            speech.command(&frame(head, &[], key, 0, cas), move |twin, replies| {
                let outcome = twin.delete(key, cas);
                head.tell(status(outcome, NOT_FOUND), 0, replies);
            });
        }
        13 => {
            let (key, exptime, head) = (dice.frame_key(), dice.pick(EXPTIMES), head(0x1c, false));
            let bytes = frame(head, &exptime.to_be_bytes(), key, 0, 0);
            speech.command(&bytes, move |twin, replies| {
                match twin.touch(key, twin.second(i64::from(exptime))) {
                    Some(item) => {
                        let flags = item.flags.to_be_bytes();
                        head.reply(DONE.0, (&flags, b"", b""), item.cas, replies);
                    }
                    None => head.tell(NOT_FOUND, 0, replies),
                }
            });
        }
        14 => {
            let (quiet, delay) = (dice.once_in(2), dice.pick(&[None, Some(0), Some(2_u32)]));
            let head = head(if quiet { 0x18 } else { 0x08 }, quiet);
            let extras = delay.map(u32::to_be_bytes);
            let extras = extras.as_ref().map_or(&[][..], |delay| delay);
            speech.command(&frame(head, extras, b"", 0, 0), move |twin, replies| {
                let second = twin.second(i64::from(delay.unwrap_or(0)));
                twin.flush(second);
                head.tell(DONE, 0, replies);
            });
        }
        _ => {
            let head = head(dice.pick(&[0x0a, 0x1b, 0x3d]), false);
            speech.command(&frame(head, &[], b"", 0, 0), move |_, replies| {
                head.tell(if head.opcode == 0x0a { DONE } else { UNKNOWN }, 0, replies);
            });
        }
    }
}

/// A get of a key that no line can have, and what it is answered.
pub fn get_of(twin: &mut Twin, key: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let head = Head {
        opcode: 0x00,
        opaque: 0,
        quiet: false,
    };
    let mut reply = Vec::new();
    match twin.fetch(key) {
        Some(item) => {
            let flags = item.flags.to_be_bytes();
            head.reply(DONE.0, (&flags, b"", &item.value), item.cas, &mut reply);
        }
        None => head.tell(NOT_FOUND, 0, &mut reply),
    }
    (frame(head, &[], key, 0, 0), reply)
}

/// Whether a reply says that there was no memory for a command.
pub fn is_out_of_memory(reply: &[u8]) -> bool {
    reply.len() > 24 && reply[0] == 0x81 && reply[6..8] == OUT_OF_MEMORY
}

/// Whether a reply says that a store command did nothing.
pub fn is_not_stored(reply: &[u8]) -> bool {
    reply.len() > 24 && reply[0] == 0x81 && reply[6..8] == NOT_STORED.0.to_be_bytes()
}

/// A CAS unique, now and then.
fn some_cas(dice: &mut Dice<'_>) -> u64 {
    if dice.once_in(3) { dice.cas() } else { 0 }
}

/// A frame but for its value, which has so many bytes.
fn frame(head: Head, extras: &[u8], key: &[u8], value_len: usize, cas: u64) -> Vec<u8> {
    let mut bytes = vec![0x80, head.opcode];
    head.rest(&mut bytes, 0, (extras, key, value_len), cas);
    bytes
}

impl Head {
    /// A header from its third byte on, extras and key.
    fn rest(
        self,
        bytes: &mut Vec<u8>,
        status: u16,
        (extras, key, value_len): (&[u8], &[u8], usize),
        cas: u64,
    ) {
        bytes.extend_from_slice(&(key.len() as u16).to_be_bytes());
        bytes.extend_from_slice(&[extras.len() as u8, 0]);
        bytes.extend_from_slice(&status.to_be_bytes());
        let body_len = extras.len() + key.len() + value_len;
        bytes.extend_from_slice(&(body_len as u32).to_be_bytes());
        bytes.extend_from_slice(&self.opaque.to_be_bytes());
        bytes.extend_from_slice(&cas.to_be_bytes());
        bytes.extend_from_slice(extras);
        bytes.extend_from_slice(key);
    }

    /// A reply of any kind.
    fn reply(
        self,
        status: u16,
        (extras, key, value): (&[u8], &[u8], &[u8]),
        cas: u64,
        replies: &mut Vec<u8>,
    ) {
        replies.extend_from_slice(&[0x81, self.opcode]);
        self.rest(replies, status, (extras, key, value.len()), cas);
        replies.extend_from_slice(value);
    }

    /// A reply of which only the status counts.
    fn tell(self, (status, text): (u16, &str), cas: u64, replies: &mut Vec<u8>) {
        if !self.quiet || status != DONE.0 {
            self.reply(status, (b"", b"", text.as_bytes()), cas, replies);
        }
    }
}

/// The status of an outcome; `not_stored` is what the command calls that.
fn status(outcome: Outcome, not_stored: (u16, &'static str)) -> (u16, &'static str) {
    match outcome {
        Outcome::Done(_) | Outcome::Number(..) => DONE,
        Outcome::NotStored => not_stored,
        Outcome::Exists => EXISTS,
        Outcome::NotFound => NOT_FOUND,
        Outcome::NonNumeric => NON_NUMERIC,
    }
}

fn store(dice: &mut Dice<'_>, speech: &mut Speech, opaque: u32) {
    let (which, quiet, cas) = (dice.below(7), dice.once_in(3), some_cas(dice));
    let (opcode, quiet_opcode, plain, not_stored) = match which {
        0..3 => (0x01, 0x11, Verb::Set, NOT_STORED),
        3 => (0x02, 0x12, Verb::Add, EXISTS),
        4 => (0x03, 0x13, Verb::Replace, NOT_FOUND),
        5 => (0x0e, 0x19, Verb::Append(cas), NOT_STORED),
        _ => (0x0f, 0x1a, Verb::Prepend(cas), NOT_STORED),
    };
    let joins = matches!(plain, Verb::Append(_) | Verb::Prepend(_));
    let verb = match plain {
        Verb::Set | Verb::Add | Verb::Replace if cas != 0 => Verb::Cas(cas),
        plain => plain,
    };
    let (key, value) = (dice.frame_key(), dice.value());
    let (flags, exptime) = match joins {
        true => (0, 0),
        false => (dice.flags(), dice.pick(EXPTIMES)),
    };
    let extras = [flags.to_be_bytes(), exptime.to_be_bytes()].concat();
    let extras = if joins { &[] } else { &extras[..] };
    let opcode = if quiet { quiet_opcode } else { opcode };
    let head = Head {
        opcode,
        opaque,
        quiet,
    };
    let store = Store {
        key,
        flags,
        exptimes: [i64::from(exptime), 0],
        head: frame(head, extras, key, value.len(), cas),
        value,
        forgets: plain == Verb::Set,
        end: b"",
        right_end: b"",
    };
    speech.store(store, move |twin, arrived, replies| {
        let Arrived::Whole {
            value,
            seconds: [second, _],
            flushes,
        } = arrived
        else {
            return head.tell(TOO_LARGE, 0, replies);
        };
        let outcome = twin.store(verb, key, (value, flags, second), flushes);
        let unique = match outcome {
            Outcome::Done(cas) => cas,
            _ => 0,
        };
        head.tell(status(outcome, not_stored), unique, replies);
    });
}

fn get(dice: &mut Dice<'_>, speech: &mut Speech, opaque: u32) {
    let (key, quiet) = (dice.frame_key(), dice.once_in(2));
    let (touches, with_key) = (dice.once_in(3), dice.once_in(2));
    let opcode = match (touches, with_key) {
        (false, false) => 0x00,
        (false, true) => 0x0c,
        (true, false) => 0x1d,
        (true, true) => 0x23,
    };
    let quiet_opcode = match (touches, with_key) {
        (false, false) => 0x09,
        (false, true) => 0x0d,
        (true, false) => 0x1e,
        (true, true) => 0x24,
    };
    let opcode = if quiet { quiet_opcode } else { opcode };
    let head = Head {
        opcode,
        opaque,
        quiet,
    };
    let exptime = touches.then(|| dice.pick(EXPTIMES));
    let extras = exptime.map(u32::to_be_bytes);
    let extras = extras.as_ref().map_or(&[][..], |exptime| exptime);
    speech.command(&frame(head, extras, key, 0, 0), move |twin, replies| {
        let found = match exptime {
            Some(exptime) => twin.touch(key, twin.second(i64::from(exptime))),
            None => twin.fetch(key),
        };
        let repeated = if with_key { key } else { b"" };
        match found {
            Some(item) => {
                let flags = item.flags.to_be_bytes();
                head.reply(DONE.0, (&flags, repeated, &item.value), item.cas, replies);
            }
            None if quiet => {}
            None if with_key => head.reply(NOT_FOUND.0, (b"", key, b""), 0, replies),
            None => head.tell(NOT_FOUND, 0, replies),
        }
    });
}

fn count(dice: &mut Dice<'_>, speech: &mut Speech, opaque: u32) {
    let (incr, quiet, key) = (dice.once_in(2), dice.once_in(3), dice.frame_key());
    let (delta, initial, cas) = (dice.delta(), dice.delta(), some_cas(dice));
    let exptime = if dice.once_in(2) {
        NO_INITIAL
    } else {
        dice.pick(EXPTIMES)
    };
    let opcode = if incr { 0x05 } else { 0x06 } + if quiet { 0x10 } else { 0 };
    let head = Head {
        opcode,
        opaque,
        quiet,
    };
    let extras = [
        &delta.to_be_bytes()[..],
        &initial.to_be_bytes(),
        &exptime.to_be_bytes(),
    ];
    speech.command(
        &frame(head, &extras.concat(), key, 0, cas),
        move |twin, replies| {
            let until = twin.second(i64::from(exptime));
            let count = Count {
                delta,
                incr,
                cas,
                initial: (exptime != NO_INITIAL).then_some((initial, until)),
            };
            match twin.count(key, count) {
                Outcome::Number(_, _) if quiet => {}
                Outcome::Number(number, cas) => {
                    head.reply(DONE.0, (b"", b"", &number.to_be_bytes()), cas, replies);
                }
                other => head.tell(status(other, NOT_FOUND), 0, replies),
            }
        },
    );
}
