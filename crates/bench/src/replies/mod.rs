//! What must come back on one connection, and the check that it does.
//!
//! Bytes in, verdicts out: no sockets here. Requests are noted in the order they are sent; replies are taken off the
//! front of the input as they complete, each compared with the request it answers: the key, the length, every byte of
//! the value. A value that is wrong, an error line and a miss are told to the observer and the run goes on; a reply that
//! cannot belong to the request ends it, since nothing behind it can be trusted.

mod lone;

use std::collections::VecDeque;

use anyhow::{Result, bail};

use self::lone::Lone;
use crate::workload::{Data, value_matches};

pub(crate) use self::lone::Form;

/// How closely replies are looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Check {
    /// Key, length, every byte of the value.
    Full,
    /// Only that replies have the right shape and length: for a server that keeps nothing, as the floor.
    Shape,
}

/// The two kinds of request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verb {
    /// One get, of one key or many.
    Get,
    /// One set.
    Set,
}

/// Hears what the replies say.
pub(crate) trait Observer {
    /// A key that was asked for was there, or was not.
    fn key(&mut self, id: u64, hit: bool);
    /// A request was answered.
    fn request(&mut self, verb: Verb, sent_ns: u64);
    /// A reply was wrong; the sentence says how.
    fn fault(&mut self, sentence: String);
    /// The server answered with an error line.
    fn refused(&mut self, verb: Verb, sentence: String);
}

struct Pending {
    verb: Verb,
    sent_ns: u64,
    /// Keys of a get not yet answered.
    keys: usize,
    /// How a get is answered that is no classic one.
    form: Option<Form>,
}

/// The requests of one connection that wait for their replies.
#[derive(Default)]
pub(crate) struct Expected {
    requests: VecDeque<Pending>,
    /// The keys of those requests, in the order they were asked for.
    ids: VecDeque<u64>,
    /// Keys pushed for the get that is being written.
    keys_pushed: usize,
    /// Room for the line that ought to come next.
    line: Vec<u8>,
}

/// No line of a reply is longer: "VALUE", a key of 250 bytes and three numbers.
const LINE_MAX: usize = 512;

impl Expected {
    pub(crate) fn push_key(&mut self, id: u64) {
        self.ids.push_back(id);
        self.keys_pushed += 1;
    }

    /// A classic get of the keys pushed since the last.
    pub(crate) fn push_get(&mut self, sent_ns: u64) {
        self.push_fetch(sent_ns, None);
    }

    /// A get of the one key pushed since the last, in another protocol.
    pub(crate) fn push_lone_get(&mut self, sent_ns: u64, form: Form) {
        self.push_fetch(sent_ns, Some(form));
    }

    fn push_fetch(&mut self, sent_ns: u64, form: Option<Form>) {
        let keys = std::mem::take(&mut self.keys_pushed);
        self.requests.push_back(Pending {
            verb: Verb::Get,
            sent_ns,
            keys,
            form,
        });
    }

    pub(crate) fn push_set(&mut self, sent_ns: u64) {
        self.requests.push_back(Pending {
            verb: Verb::Set,
            sent_ns,
            keys: 0,
            form: None,
        });
    }

    /// How many requests wait.
    pub(crate) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Takes all complete replies off the front of `input` and says how many bytes they were.
    pub(crate) fn take(
        &mut self,
        data: &Data,
        check: Check,
        input: &[u8],
        observer: &mut impl Observer,
    ) -> Result<usize> {
        let mut taken = 0;
        while taken < input.len() {
            let step = match self.requests.front() {
                Some(Pending {
                    form: Some(form), ..
                }) => self.take_of_lone(*form, data, &input[taken..], observer)?,
                Some(Pending {
                    verb: Verb::Get, ..
                }) => self.take_of_get(data, check, &input[taken..], observer)?,
                Some(Pending {
                    verb: Verb::Set, ..
                }) => self.take_of_set(&input[taken..], observer)?,
                None => bail!(
                    "the server sent something nobody asked for: {}",
                    shown(&input[taken..])
                ),
            };
            match step {
                Some(bytes) => taken += bytes,
                None => break,
            }
        }
        Ok(taken)
    }

    /// One VALUE block, or the END of a get; `None` when it is not all there yet.
    fn take_of_get(
        &mut self,
        data: &Data,
        check: Check,
        input: &[u8],
        observer: &mut impl Observer,
    ) -> Result<Option<usize>> {
        if input.starts_with(b"END\r\n") {
            self.finish(observer);
            return Ok(Some(5));
        }
        if check == Check::Full
            && let Some(&id) = self.next_id()
        {
            let length = data.value_length(id);
            self.line.clear();
            data.write_value_line(id, length, &mut self.line);
            if input.starts_with(&self.line) {
                return self.take_value(check, self.line.len(), length, input, observer);
            }
        }
        let Some(line) = take_line(input)? else {
            return Ok(None);
        };
        let Some((key, length)) = value_line(line) else {
            return self.take_error(line, observer);
        };
        if check == Check::Full {
            self.skip_to(key, data, observer)?;
        }
        self.take_unexpected_value(data, check, line.len() + 2, key, length, input, observer)
    }

    /// The block of the next key, whose line was the expected one.
    fn take_value(
        &mut self,
        check: Check,
        line: usize,
        length: usize,
        input: &[u8],
        observer: &mut impl Observer,
    ) -> Result<Option<usize>> {
        let Some(value) = block(input, line, length)? else {
            return Ok(None);
        };
        if let Some(id) = self.pop_id() {
            if check == Check::Full && !value_matches(id, value) {
                observer.fault(wrong_bytes(id, length));
            }
            observer.key(id, true);
        }
        Ok(Some(line + length + 2))
    }

    /// The block of a key that came after missing ones, or whose length is not the one expected.
    #[expect(
        clippy::too_many_arguments,
        reason = "one step of the parser, called from one place"
    )]
    fn take_unexpected_value(
        &mut self,
        data: &Data,
        check: Check,
        line: usize,
        key: &[u8],
        length: usize,
        input: &[u8],
        observer: &mut impl Observer,
    ) -> Result<Option<usize>> {
        let Some(&id) = self.next_id() else {
            bail!(
                "a get is answered with more values than it has keys: {}",
                shown(key)
            )
        };
        let right = data.value_length(id);
        if length == right {
            return self.take_value(check, line, length, input, observer);
        }
        if input.len() < line + length + 2 {
            return Ok(None);
        }
        observer.fault(format!(
            "the value of {} has {length} bytes instead of {right}",
            shown(key)
        ));
        observer.key(id, true);
        self.pop_id();
        Ok(Some(line + length + 2))
    }

    /// Keys before `key` were not there.
    fn skip_to(&mut self, key: &[u8], data: &Data, observer: &mut impl Observer) -> Result<()> {
        while let Some(&id) = self.next_id() {
            self.line.clear();
            data.write_key(id, &mut self.line);
            if self.line == key {
                return Ok(());
            }
            observer.key(id, false);
            self.pop_id();
        }
        bail!(
            "a get is answered with the key {}, which it did not ask for",
            shown(key)
        );
    }

    /// The whole reply to a get of one key that is no classic one.
    fn take_of_lone(
        &mut self,
        form: Form,
        data: &Data,
        input: &[u8],
        observer: &mut impl Observer,
    ) -> Result<Option<usize>> {
        let Some((lone, taken)) = form.take(input)? else {
            return Ok(None);
        };
        let value = match lone {
            Lone::Hit(value) => value,
            // Whoever finishes it says that the key was not there.
            Lone::Miss => {
                self.finish(observer);
                return Ok(Some(taken));
            }
            Lone::Line(line) => return self.take_error(line, observer),
        };
        if let Some(id) = self.pop_id() {
            let right = data.value_length(id);
            if value.len() != right {
                observer.fault(format!(
                    "the value of item {id} has {} bytes instead of {right}",
                    value.len()
                ));
            } else if !value_matches(id, value) {
                observer.fault(wrong_bytes(id, right));
            }
            observer.key(id, true);
        }
        self.finish(observer);
        Ok(Some(taken))
    }

    fn take_of_set(&mut self, input: &[u8], observer: &mut impl Observer) -> Result<Option<usize>> {
        if input.starts_with(b"STORED\r\n") {
            self.finish(observer);
            return Ok(Some(8));
        }
        match take_line(input)? {
            Some(line) => self.take_error(line, observer),
            None => Ok(None),
        }
    }

    /// A line that is no answer to the request at the front, and takes its place.
    fn take_error(&mut self, line: &[u8], observer: &mut impl Observer) -> Result<Option<usize>> {
        let verb = self
            .requests
            .front()
            .map_or(Verb::Get, |request| request.verb);
        let named = match verb {
            Verb::Get => "a get",
            Verb::Set => "a set",
        };
        let sentence = format!("{named} is answered with {}", shown(line));
        let is_error = [&b"SERVER_ERROR"[..], b"CLIENT_ERROR", b"ERROR"]
            .iter()
            .any(|error| line.starts_with(error));
        let is_refusal = verb == Verb::Set && line == b"NOT_STORED";
        if !is_error && !is_refusal {
            bail!("{sentence}");
        }
        observer.refused(verb, sentence);
        self.finish(observer);
        Ok(Some(line.len() + 2))
    }

    fn next_id(&self) -> Option<&u64> {
        self.requests
            .front()
            .filter(|request| request.keys > 0)
            .and_then(|_| self.ids.front())
    }

    fn pop_id(&mut self) -> Option<u64> {
        let request = self.requests.front_mut()?;
        request.keys = request.keys.checked_sub(1)?;
        self.ids.pop_front()
    }

    /// The request at the front is answered; keys it still waited for are misses.
    fn finish(&mut self, observer: &mut impl Observer) {
        while let Some(id) = self.pop_id() {
            observer.key(id, false);
        }
        if let Some(request) = self.requests.pop_front() {
            observer.request(request.verb, request.sent_ns);
        }
    }
}

fn wrong_bytes(id: u64, length: usize) -> String {
    format!(
        "the value of item {id} has {length} bytes, as it should, but not the ones that were stored"
    )
}

/// The first line without its end, if it is there.
fn take_line(input: &[u8]) -> Result<Option<&[u8]>> {
    match memchr::memchr(b'\n', &input[..input.len().min(LINE_MAX)]) {
        Some(end) if end > 0 && input[end - 1] == b'\r' => Ok(Some(&input[..end - 1])),
        Some(end) => bail!(
            "a line of a reply ends without a carriage return: {}",
            shown(&input[..end])
        ),
        None if input.len() >= LINE_MAX => bail!(
            "a line of a reply does not end: {}",
            shown(&input[..LINE_MAX])
        ),
        None => Ok(None),
    }
}

/// The value of so many bytes at `at`, if it and its line end are there.
fn block(input: &[u8], at: usize, length: usize) -> Result<Option<&[u8]>> {
    let Some(block) = input.get(at..at + length + 2) else {
        return Ok(None);
    };
    let (value, end) = block.split_at(length);
    if end != b"\r\n" {
        bail!(
            "a value of {length} bytes is followed by {} instead of a line end",
            shown(end)
        );
    }
    Ok(Some(value))
}

/// Key and length of a `VALUE <key> <flags> <bytes>` line.
fn value_line(line: &[u8]) -> Option<(&[u8], usize)> {
    let mut words = line.strip_prefix(b"VALUE ")?.split(|&byte| byte == b' ');
    let (key, _flags, length) = (words.next()?, words.next()?, words.next()?);
    Some((key, std::str::from_utf8(length).ok()?.parse().ok()?))
}

/// The beginning of some bytes, fit for a sentence.
fn shown(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(60)];
    format!(
        "\"{}\"{}",
        start.escape_ascii(),
        if bytes.len() > 60 { "…" } else { "" }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{KeyNames, ValueSizes};

    #[derive(Default)]
    struct Heard {
        hits: Vec<u64>,
        misses: Vec<u64>,
        requests: usize,
        faults: Vec<String>,
    }

    impl Observer for Heard {
        fn key(&mut self, id: u64, hit: bool) {
            if hit {
                self.hits.push(id);
            } else {
                self.misses.push(id);
            }
        }
        fn request(&mut self, _: Verb, _: u64) {
            self.requests += 1;
        }
        fn fault(&mut self, sentence: String) {
            self.faults.push(sentence);
        }
        fn refused(&mut self, _: Verb, sentence: String) {
            self.faults.push(sentence);
        }
    }

    fn data() -> Data {
        Data {
            keys: KeyNames::Padded(4),
            sizes: ValueSizes::Fixed(9),
        }
    }

    fn value(id: u64) -> Vec<u8> {
        let mut set = Vec::new();
        data().write_set(id, &mut set);
        let mut out = Vec::new();
        data().write_value_line(id, 9, &mut out);
        out.extend_from_slice(&set[set.len() - 11..]);
        out
    }

    fn expected(gets: &[&[u64]]) -> Expected {
        let mut expected = Expected::default();
        for ids in gets {
            ids.iter().for_each(|&id| expected.push_key(id));
            expected.push_get(0);
        }
        expected
    }

    #[test]
    fn misses_between_hits_are_seen_however_the_bytes_arrive() {
        let input = [&value(2)[..], &value(4), b"END\r\nEND\r\nSTORED\r\n"].concat();
        for step in [1, 2, 7, input.len()] {
            let mut expected = expected(&[&[1, 2, 3, 4, 5], &[6]]);
            expected.push_set(0);
            let (mut heard, mut buffer) = (Heard::default(), Vec::new());
            for piece in input.chunks(step) {
                buffer.extend_from_slice(piece);
                let taken = expected
                    .take(&data(), Check::Full, &buffer, &mut heard)
                    .unwrap();
                buffer.drain(..taken);
            }
            assert!(buffer.is_empty() && expected.is_empty());
            assert_eq!(
                (heard.hits, heard.misses, heard.requests),
                (vec![2, 4], vec![1, 3, 5, 6], 3)
            );
            assert!(heard.faults.is_empty());
        }
    }

    #[test]
    fn wrong_bytes_and_lengths_and_errors_are_faults() {
        let mut wrong = value(1);
        wrong[20] ^= 1;
        let input = [
            &wrong[..],
            b"VALUE k002 0 3\r\nabc\r\nEND\r\nSERVER_ERROR out of memory\r\n",
        ]
        .concat();
        let (mut expected, mut heard) = (expected(&[&[1, 2], &[3]]), Heard::default());
        assert_eq!(
            expected
                .take(&data(), Check::Full, &input, &mut heard)
                .unwrap(),
            input.len()
        );
        assert_eq!(heard.faults.len(), 3);
        assert!(
            heard.faults[1].contains("3 bytes instead of 9"),
            "{}",
            heard.faults[1]
        );
    }

    #[test]
    fn meta_and_binary_replies_are_judged_as_well() {
        let mut set = Vec::new();
        data().write_set(1, &mut set);
        let block = &set[set.len() - 11..];
        let frame = |status: u8, body: &[u8]| {
            let mut frame = vec![
                0x81,
                0x0c,
                0,
                4,
                if status == 0 { 4 } else { 0 },
                0,
                0,
                status,
            ];
            frame.extend((body.len() as u32).to_be_bytes());
            frame.extend([0; 12]);
            [&frame, body].concat()
        };
        let hit = [b"\0\0\0\0k001", &block[..9]].concat();
        for (form, input) in [
            (
                Form::Meta,
                [b"VA 9 f0 t-1\r\n", block, b"EN\r\nVA 2\r\nab\r\n"].concat(),
            ),
            (
                Form::Frame,
                [
                    frame(0, &hit),
                    frame(1, b"k002"),
                    frame(0, b"\0\0\0\0k003ab"),
                ]
                .concat(),
            ),
        ] {
            for step in [1, 5, input.len()] {
                let (mut expected, mut heard) = (Expected::default(), Heard::default());
                for id in 1..4 {
                    expected.push_key(id);
                    expected.push_lone_get(0, form);
                }
                let mut buffer = Vec::new();
                for piece in input.chunks(step) {
                    buffer.extend_from_slice(piece);
                    let taken = expected
                        .take(&data(), Check::Full, &buffer, &mut heard)
                        .unwrap();
                    buffer.drain(..taken);
                }
                assert!(buffer.is_empty() && expected.is_empty());
                assert_eq!((heard.hits, heard.misses), (vec![1, 3], vec![2]));
                assert_eq!(heard.requests, 3);
                assert!(
                    matches!(&heard.faults[..], [one] if one.contains("2 bytes instead of 9")),
                    "{:?}",
                    heard.faults
                );
            }
        }
    }

    #[test]
    fn strange_replies_end_the_run() {
        for input in [
            "VALUE k007 0 9\r\n123456789\r\n",
            "HELLO\r\n",
            "END\n",
            "END\r\nmore",
        ] {
            let result = expected(&[&[1]]).take(
                &data(),
                Check::Full,
                input.as_bytes(),
                &mut Heard::default(),
            );
            assert!(result.is_err(), "{input:?} was taken");
        }
    }

    #[test]
    fn shape_takes_any_key_and_value_of_the_right_length() {
        let (mut expected, mut heard) = (expected(&[&[1, 2]]), Heard::default());
        let input = b"VALUE kkkk 0 9\r\n123456789\r\nVALUE kkkk 0 9\r\n123456789\r\nEND\r\n";
        assert_eq!(
            expected
                .take(&data(), Check::Shape, input, &mut heard)
                .unwrap(),
            input.len()
        );
        assert!(heard.faults.is_empty() && heard.hits.len() == 2);
    }
}
