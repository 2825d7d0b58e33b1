//! Replies against an obvious twin: whatever is asked, whoever leaves, and however the stream is cut, each who stays gets
//! what was meant for him.

use proptest::prelude::*;

use super::*;

/// One request of a connection, and what the server does about it.
#[derive(Clone, Debug)]
struct Asked {
    kind: Kind,
    keys: Vec<u8>,
    /// By key: what it finds, or how it ends.
    outcomes: [u8; 4],
    value_len: usize,
    is_abandoned: bool,
}

fn any_request() -> impl Strategy<Value = Asked> {
    let kinds = [
        Kind::Get,
        Kind::Store,
        Kind::Delete,
        Kind::Arith,
        Kind::Touch,
    ];
    (
        prop::sample::select(kinds.to_vec()),
        prop::collection::vec(0u8..4, 1..6),
        prop::array::uniform4(0u8..4),
        prop_oneof![0usize..40, 4090usize..4100, 4000usize..20_000],
        any::<bool>(),
    )
        .prop_map(|(kind, keys, outcomes, value_len, is_abandoned)| Asked {
            kind,
            keys,
            outcomes,
            value_len,
            is_abandoned,
        })
}

fn key(number: u8) -> String {
    format!("key:{number}")
}

impl Asked {
    /// Bytes that look like replies.
    fn value(&self, number: u8) -> Bytes {
        let text = format!("{}\r\nEND\r\nHD O1\r\n", key(number));
        text.bytes().cycle().take(self.value_len).collect()
    }

    fn item(&self, number: u8) -> Answer {
        Answer::Item(Item {
            value: self.value(number),
            flags: u32::from(number),
            cas: 70 + u64::from(number),
            ..Item::default()
        })
    }

    /// What is to come back for each key.
    fn answers(&self, dialect: Dialect) -> Vec<Answer> {
        let answer = |number: &u8| match (self.kind, self.outcomes[usize::from(*number)]) {
            (_, 0) => Answer::Missing,
            (Kind::Get, _) => self.item(*number),
            (Kind::Arith, outcome) => Answer::Number(outcome.into()),
            (Kind::Store, 1) => Answer::NotStored,
            (Kind::Store, 2) => Answer::Exists,
            (Kind::Store, _) if dialect == Dialect::Meta => Answer::Done(Some(9)),
            _ => Answer::Done(None),
        };
        self.keys.iter().map(answer).collect()
    }

    /// What the server sends.
    fn replies(&self, dialect: Dialect, opaque: u32, out: &mut Vec<u8>) {
        for (number, opaque) in self.keys.iter().zip(opaque..) {
            match dialect {
                Dialect::Meta => self.meta_reply(*number, opaque, out),
                Dialect::Classic => self.classic_reply(*number, out),
            }
        }
        if (dialect, self.kind) == (Dialect::Classic, Kind::Get) {
            out.extend_from_slice(b"END\r\n");
        }
    }

    fn meta_reply(&self, number: u8, opaque: u32, out: &mut Vec<u8>) {
        let outcome = self.outcomes[usize::from(number)];
        let line = match (self.kind, outcome) {
            (Kind::Get | Kind::Touch, 0) => "EN".to_owned(),
            (_, 0) => "NF".to_owned(),
            (Kind::Get, _) => {
                let (len, cas) = (self.value_len, 70 + u64::from(number));
                format!("VA {len} f{number} c{cas}")
            }
            (Kind::Arith, _) => "VA 1".to_owned(),
            (Kind::Store, 1) => "NS".to_owned(),
            (Kind::Store, 2) => "EX".to_owned(),
            (Kind::Store, _) => "HD c9".to_owned(),
            _ => "HD".to_owned(),
        };
        out.extend_from_slice(format!("{line} O{opaque}\r\n").as_bytes());
        match (self.kind, outcome) {
            (_, 0) => {}
            (Kind::Get, _) => out.extend_from_slice(&[&self.value(number)[..], b"\r\n"].concat()),
            (Kind::Arith, _) => out.extend_from_slice(format!("{outcome}\r\n").as_bytes()),
            _ => {}
        }
    }

    fn classic_reply(&self, number: u8, out: &mut Vec<u8>) {
        let outcome = self.outcomes[usize::from(number)];
        let line = match (self.kind, outcome) {
            (Kind::Get, 0) => return,
            (Kind::Get, _) => {
                let (key, len, cas) = (key(number), self.value_len, 70 + u64::from(number));
                let line = format!("VALUE {key} {number} {len} {cas}\r\n");
                out.extend_from_slice(&[line.as_bytes(), &self.value(number), b"\r\n"].concat());
                return;
            }
            (_, 0) => "NOT_FOUND".to_owned(),
            (Kind::Arith, _) => outcome.to_string(),
            (Kind::Store, 1) => "NOT_STORED".to_owned(),
            (Kind::Store, 2) => "EXISTS".to_owned(),
            (Kind::Store, _) => "STORED".to_owned(),
            (Kind::Delete, _) => "DELETED".to_owned(),
            _ => "TOUCHED".to_owned(),
        };
        out.extend_from_slice(format!("{line}\r\n").as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn each_who_stays_gets_what_was_meant_for_him(
        is_meta in any::<bool>(),
        requests in prop::collection::vec(any_request(), 1..20),
        first_opaque in any::<u32>(),
        cuts in prop::collection::vec(1usize..3000, 1..30),
    ) {
        let dialect = if is_meta { Dialect::Meta } else { Dialect::Classic };
        let journal = Arc::new(Journal::new(100, Arc::default()));
        let (mut replies, mut stream, mut waiting) = (Replies::default(), Vec::new(), Vec::new());
        let mut opaque = first_opaque >> 1;
        for asked in &requests {
            asked.replies(dialect, opaque, &mut stream);
            let (done, answers) = oneshot::channel();
            replies.push(Pending {
                kind: asked.kind,
                dialect,
                keys: asked.keys.iter().map(|number| key(*number).into()).collect(),
                opaque,
                answers: Vec::new(),
                done: Some(done),
                journal: Arc::clone(&journal),
                permit: None,
            });
            opaque += u32::try_from(asked.keys.len()).expect("a few");
            if !asked.is_abandoned {
                waiting.push((answers, asked.answers(dialect)));
            }
        }
        let mut rest = &stream[..];
        for len in cuts.iter().cycle() {
            let (now, later) = rest.split_at((*len).min(rest.len()));
            replies.input.extend_from_slice(now);
            prop_assert_eq!(replies.take(), Ok(()));
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert!(replies.is_empty() && replies.input.is_empty() && journal.is_empty());
        for (mut answers, expected) in waiting {
            prop_assert_eq!(answers.try_recv().expect("told"), Ok(expected));
        }
    }
}
