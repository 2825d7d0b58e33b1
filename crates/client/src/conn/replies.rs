//! Whose reply it is: the requests of one connection in their order, and the input that answers them.
//!
//! Bytes in, answers out, no I/O. A request keeps its place until its reply has come, whether or not anybody still
//! waits for it; so a caller that gave up leaves nothing behind for the next. What order alone cannot prove, the key or
//! the opaque in the reply does: one that is for another request ends the connection.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use larder_protocol::client::{Broken, Code, Reply, ReplyFlags, ServerError, Step, decode};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::Fault;
use crate::limits::VALUE_COPY_MAX;
use crate::live::Journal;
use crate::wire::{Answer, Dialect, Item, Kind};

/// One request that was sent, or will be: what its replies must be, and who waits for them.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) kind: Kind,
    pub(crate) dialect: Dialect,
    /// One a command, in the order sent. A command for the node as a whole has none.
    pub(crate) keys: Vec<Bytes>,
    /// The first command's opaque.
    pub(crate) opaque: u32,
    pub(crate) answers: Vec<Answer>,
    pub(crate) done: Option<oneshot::Sender<Result<Vec<Answer>, Fault>>>,
    /// Remembers the keys whose commands have no known end.
    pub(crate) journal: Arc<Journal>,
    /// Given back when the reply has come: a request whose caller left still occupies the node.
    pub(crate) permit: Option<OwnedSemaphorePermit>,
}

/// What a reply did to the request whose turn it is.
#[derive(Debug, PartialEq)]
enum Took {
    /// More replies are due.
    More,
    /// That was its last.
    All,
    /// That was its last, and the server's words leave the connection in doubt.
    AllAndClose,
}

impl Pending {
    /// Nobody waits any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.done.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// Ends the request without the replies that are missing. `was_sent` says that the server may have seen it; of one
    /// that it has not seen, nothing is in doubt.
    pub(crate) fn fail(mut self, fault: &Fault, was_sent: bool) {
        match was_sent {
            // Before the caller hears of it: his next call must find the keys in doubt.
            true => self.note_unfinished(),
            false => self.keys.clear(),
        }
        drop(self.permit.take());
        if let Some(done) = self.done.take() {
            let _ = done.send(Err(fault.clone().sent(was_sent)));
        }
    }

    fn note_unfinished(&mut self) {
        if self.kind.changes_value() {
            let unanswered = self.keys.drain(..).skip(self.answers.len());
            self.journal.note(unanswered);
        }
    }

    /// Drops a request that was never sent.
    pub(crate) fn discard(mut self) {
        self.keys.clear();
    }

    fn finish(mut self) {
        // Before the caller hears of it: his next call must find the place free.
        drop(self.permit.take());
        if let Some(done) = self.done.take() {
            // The caller may have left; then the reply ends here.
            let _ = done.send(Ok(std::mem::take(&mut self.answers)));
        }
        self.keys.clear();
    }

    /// How many answers make the request whole.
    fn answers_due(&self) -> usize {
        self.keys.len().max(1)
    }

    fn push(&mut self, answer: Answer) -> Took {
        self.answers.push(answer);
        match self.answers.len() >= self.answers_due() {
            true => Took::All,
            false => Took::More,
        }
    }

    fn take(&mut self, reply: Reply<'_>, value: Bytes) -> Result<Took, Broken> {
        Ok(match reply {
            Reply::Value {
                key, flags, cas, ..
            } => {
                self.skip_to(key)?;
                self.answers.push(Answer::Item(Item {
                    value,
                    flags,
                    cas: cas.unwrap_or_default(),
                    ..Item::default()
                }));
                Took::More
            }
            Reply::End => self.take_end(),
            Reply::Meta { code, flags, .. } => self.take_meta(code, flags, value)?,
            Reply::Stored | Reply::Deleted | Reply::Touched | Reply::Ok | Reply::Mn => {
                self.push(Answer::Done(None))
            }
            Reply::Reset => self.push(Answer::Rows(Vec::new())),
            Reply::NotStored => self.push(Answer::NotStored),
            Reply::Exists => self.push(Answer::Exists),
            Reply::NotFound => self.push(Answer::Missing),
            Reply::Number(number) => self.push(Answer::Number(number)),
            Reply::Version(text) | Reply::Config(text) => {
                self.push(Answer::Text(String::from_utf8_lossy(text).into_owned()))
            }
            Reply::Stat { name, value } => {
                let row = [name, value].map(|part| String::from_utf8_lossy(part).into_owned());
                let [name, value] = row;
                match self.answers.first_mut() {
                    Some(Answer::Rows(rows)) => rows.push((name, value)),
                    _ => self.answers = vec![Answer::Rows(vec![(name, value)])],
                }
                Took::More
            }
            Reply::Error(error) => self.take_error(error),
        })
    }

    /// Keys before this one were not there; a key that was not asked for is another request's.
    fn skip_to(&mut self, key: &[u8]) -> Result<(), Broken> {
        let asked = self.keys.get(self.answers.len()..).unwrap_or_default();
        let Some(missing) = asked.iter().position(|asked| asked == key) else {
            return Err(Broken::of_another(key));
        };
        self.answers
            .extend(std::iter::repeat_n(Answer::Missing, missing));
        Ok(())
    }

    fn take_end(&mut self) -> Took {
        match self.kind {
            Kind::Stats if self.answers.is_empty() => self.answers.push(Answer::Rows(Vec::new())),
            Kind::Stats => {}
            _ => self.answers.resize(self.keys.len(), Answer::Missing),
        }
        Took::All
    }

    fn take_meta(
        &mut self,
        code: Code,
        flags: ReplyFlags<'_>,
        value: Bytes,
    ) -> Result<Took, Broken> {
        let index = u32::try_from(self.answers.len()).unwrap_or(u32::MAX);
        if !flags.is_for(self.opaque.wrapping_add(index)) {
            return Err(Broken::of_another(flags.opaque.unwrap_or_default()));
        }
        let answer = match (self.kind, code) {
            (Kind::Get, Code::Va) => Answer::Item(Item {
                value,
                flags: flags.client_flags.unwrap_or_default(),
                cas: flags.cas.unwrap_or_default(),
                ttl_s: flags.ttl,
                won: flags.won,
                is_won_already: flags.is_won_already,
                is_stale: flags.is_stale,
            }),
            (Kind::Get | Kind::Touch, Code::En) => Answer::Missing,
            (Kind::Store, Code::Hd) => Answer::Done(flags.cas),
            (Kind::Touch | Kind::Delete, Code::Hd) => Answer::Done(None),
            (Kind::Store, Code::Ns) => Answer::NotStored,
            (Kind::Store | Kind::Delete, Code::Ex) => Answer::Exists,
            (Kind::Store | Kind::Delete | Kind::Arith, Code::Nf) => Answer::Missing,
            (Kind::Arith, Code::Va) => Answer::Number(decimal(&value)?),
            _ => return Err(Broken::of_another(format!("{code:?}").as_bytes())),
        };
        Ok(self.push(answer))
    }

    /// An error line answers one command, except to a get in the classic dialect, whose one line asked for all keys.
    fn take_error(&mut self, error: ServerError<'_>) -> Took {
        let (text, keeps) = describe(error);
        let is_whole = self.dialect == Dialect::Classic && self.kind == Kind::Get;
        if !keeps || is_whole {
            self.answers
                .resize(self.answers_due(), Answer::Refused(text));
            return if keeps { Took::All } else { Took::AllAndClose };
        }
        self.push(Answer::Refused(text))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // What was neither finished nor failed was lost with its task, at the end of a runtime.
        self.note_unfinished();
    }
}

/// What the server said, and whether the connection is as good after it as before. It is not when the server may have
/// read the request differently from how it was meant: then what follows could answer something else.
fn describe(error: ServerError<'_>) -> (String, bool) {
    let (word, text, keeps) = match error {
        ServerError::Unknown(text) => ("ERROR", text, false),
        ServerError::Server(text) => ("SERVER_ERROR", text, !text.ends_with(b"reading request")),
        ServerError::Client(text) => {
            let is_about_meaning = [
                &b"cannot increment or decrement non-numeric value"[..],
                b"flush_all not allowed",
            ];
            ("CLIENT_ERROR", text, is_about_meaning.contains(&text))
        }
    };
    let text = String::from_utf8_lossy(text);
    (format!("{word} {text}").trim_end().to_owned(), keeps)
}

fn decimal(value: &[u8]) -> Result<u64, Broken> {
    std::str::from_utf8(value)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| Broken::of_another(value))
}

/// All requests of a connection that wait for replies, and what has come in for them.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    queue: VecDeque<Pending>,
    pub(crate) input: BytesMut,
    /// Bytes that the input must have before looking at it again is of use.
    needed: usize,
}

impl Replies {
    pub(crate) fn push(&mut self, pending: Pending) {
        self.queue.push_back(pending);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many bytes are known to be missing.
    pub(crate) fn missing(&self) -> usize {
        self.needed.saturating_sub(self.input.len())
    }

    /// Answers all requests whose replies are whole.
    ///
    /// # Errors
    /// What came answers no request, or another one: the connection must be closed.
    pub(crate) fn take(&mut self) -> Result<(), Fault> {
        while !self.input.is_empty() && self.input.len() >= self.needed {
            let Some(front) = self.queue.front_mut() else {
                let broken = Broken::of_another(&self.input);
                return Err(Fault::broken(&broken));
            };
            let broken = |broken| Fault::broken(&broken);
            let step = decode(&self.input, front.kind.expect(front.dialect)).map_err(broken)?;
            let (len, reply) = match step {
                Step::Incomplete { needed } => {
                    self.needed = needed;
                    return Ok(());
                }
                Step::Complete { len, reply } => (len, reply),
            };
            let took = match block_len(&reply) {
                Some(value_len) if value_len > VALUE_COPY_MAX => {
                    // The value is cut out of the input uncopied, which needs the input to be whole bytes; what the
                    // line said is judged once more from there.
                    let frame = self.input.split_to(len).freeze();
                    self.needed = 0;
                    let expect = front.kind.expect(front.dialect);
                    let Step::Complete { reply, .. } = decode(&frame, expect).map_err(broken)?
                    else {
                        return Err(Fault::broken(&Broken::of_another(&frame)));
                    };
                    let value = frame.slice(len - 2 - value_len..len - 2);
                    front.take(reply, value).map_err(broken)?
                }
                value_len => {
                    let value_len = value_len.unwrap_or(0);
                    let value = match value_len {
                        0 => Bytes::new(),
                        _ => Bytes::copy_from_slice(&self.input[len - 2 - value_len..len - 2]),
                    };
                    let took = front.take(reply, value).map_err(broken)?;
                    self.input.advance(len);
                    self.needed = 0;
                    took
                }
            };
            if took == Took::More {
                continue;
            }
            let whole = self.queue.pop_front();
            let said = whole
                .as_ref()
                .and_then(|whole| whole.answers.last().cloned());
            whole.into_iter().for_each(Pending::finish);
            if took == Took::AllAndClose {
                return Err(Fault::closed(format!("closed after {said:?}")));
            }
        }
        Ok(())
    }

    /// Notes the keys of all writes that wait.
    pub(crate) fn note_unfinished(&mut self) {
        self.queue.iter_mut().for_each(Pending::note_unfinished);
    }

    /// Ends all requests that wait.
    pub(crate) fn fail(&mut self, fault: &Fault) {
        for pending in self.queue.drain(..) {
            pending.fail(fault, true);
        }
    }
}

fn block_len(reply: &Reply<'_>) -> Option<usize> {
    match reply {
        Reply::Value { value, .. } | Reply::Config(value) => Some(value.len()),
        Reply::Meta { value, .. } => value.map(<[u8]>::len),
        _ => None,
    }
}

#[cfg(test)]
mod twin;

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot::Receiver;

    type Answers = Receiver<Result<Vec<Answer>, Fault>>;

    struct Fixture {
        replies: Replies,
        journal: Arc<Journal>,
    }

    impl Fixture {
        fn new() -> Self {
            Self {
                replies: Replies::default(),
                journal: Arc::new(Journal::new(100, Arc::default())),
            }
        }

        fn ask(
            &mut self,
            dialect: Dialect,
            kind: Kind,
            keys: &[&'static str],
            opaque: u32,
        ) -> Answers {
            let (done, answers) = oneshot::channel();
            self.replies.push(Pending {
                kind,
                dialect,
                keys: keys
                    .iter()
                    .map(|key| Bytes::from_static(key.as_bytes()))
                    .collect(),
                opaque,
                answers: Vec::new(),
                done: Some(done),
                journal: Arc::clone(&self.journal),
                permit: None,
            });
            answers
        }

        fn feed(&mut self, bytes: &[u8]) -> Result<(), Fault> {
            self.replies.input.extend_from_slice(bytes);
            self.replies.take()
        }
    }

    fn item(value: &'static [u8], flags: u32, cas: u64) -> Answer {
        Answer::Item(Item {
            value: Bytes::from_static(value),
            flags,
            cas,
            ..Item::default()
        })
    }

    fn answers(mut receiver: Answers) -> Vec<Answer> {
        receiver.try_recv().expect("answered").expect("no fault")
    }

    #[test]
    fn in_order_whatever_the_cuts() {
        let stream = b"VALUE b 1 2 9\r\nxx\r\nVALUE b 1 2 9\r\nxx\r\nEND\r\nEND\r\nSTORED\r\n7\r\n";
        for cut in 0..stream.len() {
            let mut fixture = Fixture::new();
            let classic = Dialect::Classic;
            let many = fixture.ask(classic, Kind::Get, &["a", "b", "c", "b", "d"], 0);
            let none = fixture.ask(classic, Kind::Get, &["a"], 0);
            let store = fixture.ask(classic, Kind::Store, &["a"], 0);
            let count = fixture.ask(classic, Kind::Arith, &["a"], 0);
            fixture.feed(&stream[..cut]).expect("good");
            fixture.feed(&stream[cut..]).expect("good");
            let (hit, miss) = (item(b"xx", 1, 9), Answer::Missing);
            let expected = [&miss, &hit, &miss, &hit, &miss].map(Clone::clone);
            assert_eq!(answers(many), expected);
            assert_eq!(answers(none), [Answer::Missing]);
            assert_eq!(answers(store), [Answer::Done(None)]);
            assert_eq!(answers(count), [Answer::Number(7)]);
            assert!(fixture.replies.is_empty() && fixture.journal.is_empty());
        }
    }

    #[test]
    fn a_reply_that_nobody_waits_for_meets_nobody_else() {
        let mut fixture = Fixture::new();
        drop(fixture.ask(Dialect::Meta, Kind::Get, &["secret"], 1));
        let mine = fixture.ask(Dialect::Meta, Kind::Get, &["mine"], 2);
        fixture
            .feed(b"VA 6 f0 c1 O1\r\nsecret\r\nVA 4 f0 c2 O2\r\nmine\r\n")
            .expect("good");
        assert_eq!(answers(mine), [item(b"mine", 0, 2)]);
    }

    #[test]
    fn another_requests_reply_ends_the_connection() {
        for (dialect, kind, bytes) in [
            (Dialect::Meta, Kind::Get, &b"VA 1 f0 c1 O4\r\nx\r\n"[..]),
            (Dialect::Meta, Kind::Get, b"EN O6\r\n"),
            (Dialect::Meta, Kind::Get, b"EN\r\n"),
            (Dialect::Meta, Kind::Get, b"NS O5\r\n"),
            (Dialect::Meta, Kind::Store, b"HD c1 O50\r\n"),
            (Dialect::Classic, Kind::Get, b"VALUE other 0 1 1\r\nx\r\n"),
            (
                Dialect::Classic,
                Kind::Get,
                b"VALUE key 0 1 1\r\nx\r\nVALUE key 0 1 1\r\nx\r\n",
            ),
            (Dialect::Classic, Kind::Store, b"DELETED\r\n"),
            (Dialect::Classic, Kind::Store, b"ERROR\r\n"),
            (
                Dialect::Classic,
                Kind::Store,
                b"CLIENT_ERROR bad data chunk\r\n",
            ),
            (Dialect::Classic, Kind::Store, b"STORED\r\nSTORED\r\n"),
        ] {
            let mut fixture = Fixture::new();
            let _waits = fixture.ask(dialect, kind, &["key"], 5);
            assert!(fixture.feed(bytes).is_err(), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn the_servers_no_is_an_answer() {
        let mut fixture = Fixture::new();
        let large = fixture.ask(Dialect::Meta, Kind::Store, &["a", "b"], 1);
        let word = fixture.ask(Dialect::Classic, Kind::Arith, &["a"], 1);
        fixture
            .feed(b"SERVER_ERROR object too large for cache\r\nHD c1 O2\r\nCLIENT_ERROR cannot increment or decrement non-numeric value\r\n")
            .expect("the connection goes on");
        let [Answer::Refused(text), Answer::Done(Some(1))] = &answers(large)[..] else {
            panic!("one refused, one done");
        };
        assert_eq!(text, "SERVER_ERROR object too large for cache");
        assert!(matches!(answers(word)[..], [Answer::Refused(_)]));
    }

    #[test]
    fn keys_whose_writes_have_no_known_end_are_noted() {
        let mut fixture = Fixture::new();
        let done_in_part = fixture.ask(Dialect::Meta, Kind::Store, &["a", "b"], 1);
        drop(fixture.ask(Dialect::Meta, Kind::Delete, &["c"], 3));
        drop(fixture.ask(Dialect::Meta, Kind::Get, &["d"], 4));
        fixture.feed(b"HD c1 O1\r\n").expect("good");
        fixture.replies.fail(&Fault::soft("slow"));
        let noted = ["a", "b", "c", "d"].map(|key| fixture.journal.holds(key.as_bytes()));
        assert_eq!(noted, [false, true, true, false]);
        let mut done_in_part = done_in_part;
        let fault = done_in_part.try_recv().expect("told").expect_err("a fault");
        assert!(fault.was_sent);
    }
}
