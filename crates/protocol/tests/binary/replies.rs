//! Every reply to the byte, and which of them quiet commands send.

use larder_protocol::binary::opcode::*;
use larder_protocol::binary::{Echo, ReplyStatus, not_stored, reply};
use larder_protocol::text::StoreVerb;
use proptest::prelude::*;

const STATUSES: [(ReplyStatus, u16, &str); 11] = [
    (ReplyStatus::Success, 0x00, ""),
    (ReplyStatus::NotFound, 0x01, "Not found"),
    (ReplyStatus::Exists, 0x02, "Data exists for key."),
    (ReplyStatus::TooLarge, 0x03, "Too large."),
    (ReplyStatus::InvalidArguments, 0x04, "Invalid arguments"),
    (ReplyStatus::NotStored, 0x05, "Not stored."),
    (
        ReplyStatus::NonNumeric,
        0x06,
        "Non-numeric server-side value for incr or decr",
    ),
    (ReplyStatus::AuthError, 0x20, "Auth failure."),
    (ReplyStatus::AuthContinue, 0x21, ""),
    (ReplyStatus::UnknownCommand, 0x81, "Unknown command"),
    (ReplyStatus::OutOfMemory, 0x82, "Out of memory"),
];

/// A reply as a client takes it apart.
#[derive(Debug, PartialEq, Eq, Default)]
struct Reply {
    opcode: u8,
    status: u16,
    extras: Vec<u8>,
    key: Vec<u8>,
    value: Vec<u8>,
    opaque: u32,
    cas: u64,
}

/// The replies of a stream; `None` if it is not made of whole ones.
fn take_apart(mut stream: &[u8]) -> Option<Vec<Reply>> {
    let mut replies = Vec::new();
    while !stream.is_empty() {
        let (head, rest) = stream.split_at_checked(24)?;
        let number = |at: usize, len: usize| {
            head[at..at + len]
                .iter()
                .fold(0, |n: u64, &byte| n << 8 | u64::from(byte))
        };
        let (body, rest) = rest.split_at_checked(usize::try_from(number(8, 4)).ok()?)?;
        let (extras, beside) = body.split_at_checked(usize::from(head[4]))?;
        let (key, value) = beside.split_at_checked(usize::try_from(number(2, 2)).ok()?)?;
        if head[0] != 0x81 || head[5] != 0 {
            return None;
        }
        replies.push(Reply {
            opcode: head[1],
            status: u16::try_from(number(6, 2)).ok()?,
            extras: extras.to_vec(),
            key: key.to_vec(),
            value: value.to_vec(),
            opaque: u32::try_from(number(12, 4)).ok()?,
            cas: number(16, 8),
        });
        stream = rest;
    }
    Some(replies)
}

fn echo(opcode: u8) -> Echo {
    let opaque = 0x0102_0304;
    Echo { opcode, opaque }
}

/// What `write` puts behind other replies.
fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<Reply> {
    let mut out = b"before".to_vec();
    write(&mut out);
    assert!(out.starts_with(b"before"));
    take_apart(&out[6..]).expect("whole replies")
}

#[track_caller]
fn check(opcode: u8, write: impl FnOnce(&mut Vec<u8>, Echo), expected: Reply) {
    let expected = Reply {
        opcode,
        opaque: 0x0102_0304,
        ..expected
    };
    assert_eq!(written(|out| write(out, echo(opcode))), [expected]);
}

#[test]
fn to_the_byte() {
    let mut out = Vec::new();
    reply::value_header(&mut out, echo(GETK), 0xaabb_ccdd, Some(b"key"), 5, 0x1122);
    out.extend_from_slice(b"value");
    assert_eq!(
        out,
        b"\x81\x0c\x00\x03\x04\x00\x00\x00\x00\x00\x00\x0c\x01\x02\x03\x04\
          \x00\x00\x00\x00\x00\x00\x11\x22\xaa\xbb\xcc\xddkeyvalue"
    );
    out.clear();
    reply::error(&mut out, echo(SETQ), ReplyStatus::TooLarge);
    assert_eq!(
        out,
        b"\x81\x11\x00\x00\x00\x00\x00\x03\x00\x00\x00\x0a\x01\x02\x03\x04\
          \x00\x00\x00\x00\x00\x00\x00\x00Too large."
    );
}

#[test]
fn fetches() {
    let hit = |key: &[u8]| Reply {
        extras: vec![0, 0, 0, 7],
        key: key.to_vec(),
        cas: u64::MAX,
        ..Reply::default()
    };
    for opcode in [GET, GETQ, GAT, GATQ] {
        let write = |out: &mut _, echo| reply::value_header(out, echo, 7, None, 0, u64::MAX);
        check(opcode, write, hit(b""));
    }
    for opcode in [GETK, GETKQ, GATK, GATKQ] {
        let key = [b'k'; 250];
        let write = |out: &mut _, echo| reply::value_header(out, echo, 7, Some(&key), 0, u64::MAX);
        check(opcode, write, hit(&key));
    }
    let write = |out: &mut _, echo| reply::touched(out, echo, 7, u64::MAX);
    check(TOUCH, write, hit(b""));
    let miss = || Reply {
        status: 1,
        ..Reply::default()
    };
    for opcode in [GET, GAT] {
        let expected = Reply {
            value: b"Not found".to_vec(),
            ..miss()
        };
        check(
            opcode,
            |out, echo| reply::get_miss(out, echo, None),
            expected,
        );
    }
    for opcode in [GETK, GATK] {
        let expected = Reply {
            key: b"key".to_vec(),
            ..miss()
        };
        let write = |out: &mut _, echo| reply::get_miss(out, echo, Some(b"key"));
        check(opcode, write, expected);
    }
    for opcode in [GETQ, GETKQ, GATQ, GATKQ] {
        for key in [None, Some(&b"key"[..])] {
            assert_eq!(written(|out| reply::get_miss(out, echo(opcode), key)), []);
        }
    }
}

#[test]
fn changes() {
    for (loud, quiet) in [
        (SET, SETQ),
        (ADD, ADDQ),
        (REPLACE, REPLACEQ),
        (APPEND, APPENDQ),
        (PREPEND, PREPENDQ),
        (DELETE, DELETEQ),
        (FLUSH, FLUSHQ),
        (QUIT, QUITQ),
        (INCREMENT, INCREMENTQ),
        (DECREMENT, DECREMENTQ),
    ] {
        let expected = Reply {
            cas: 12,
            ..Reply::default()
        };
        check(loud, |out, echo| reply::done(out, echo, 12), expected);
        assert_eq!(written(|out| reply::done(out, echo(quiet), 12)), []);
        let expected = Reply {
            value: vec![0, 0, 0, 0, 0, 0, 1, 2],
            cas: 12,
            ..Reply::default()
        };
        check(
            loud,
            |out, echo| reply::number(out, echo, 258, 12),
            expected,
        );
        assert_eq!(written(|out| reply::number(out, echo(quiet), 258, 12)), []);
    }
}

#[test]
fn errors() {
    for (status, code, text) in STATUSES {
        assert_eq!((status.code(), status.text()), (code, text));
        for opcode in [GET, SET, SETQ, INCREMENTQ, DELETEQ, 0xff] {
            if code != 0 {
                let expected = Reply {
                    status: code,
                    value: text.into(),
                    ..Reply::default()
                };
                check(
                    opcode,
                    |out, echo| reply::error(out, echo, status),
                    expected,
                );
            }
        }
    }
    assert_eq!(
        [
            StoreVerb::Set,
            StoreVerb::Add,
            StoreVerb::Replace,
            StoreVerb::Append,
            StoreVerb::Prepend
        ]
        .map(|verb| not_stored(verb).code()),
        [5, 2, 1, 5, 5]
    );
}

#[test]
fn what_is_hidden() {
    let fetches = [GETQ, GETKQ, GATQ, GATKQ];
    let changes = [
        SETQ, ADDQ, REPLACEQ, DELETEQ, INCREMENTQ, DECREMENTQ, QUITQ, FLUSHQ, APPENDQ, PREPENDQ,
    ];
    for opcode in 0..=u8::MAX {
        for (status, ..) in STATUSES {
            let expected = match status {
                ReplyStatus::Success => changes.contains(&opcode),
                ReplyStatus::NotFound => fetches.contains(&opcode),
                _ => false,
            };
            assert_eq!(
                echo(opcode).hides(status),
                expected,
                "{opcode:#x} {status:?}"
            );
        }
    }
}

#[test]
fn texts_and_rows() {
    let text = |status: u16, value: &str| Reply {
        status,
        value: value.into(),
        ..Reply::default()
    };
    let write =
        |out: &mut _, echo| reply::body(out, echo, ReplyStatus::Success, reply::AUTHENTICATED);
    check(SASL_AUTH, write, text(0, "Authenticated"));
    let write = |out: &mut _, echo| reply::body(out, echo, ReplyStatus::AuthContinue, b"more");
    check(SASL_AUTH, write, text(0x21, "more"));
    let row = Reply {
        key: b"rusage_user".to_vec(),
        ..text(0, "1.000020")
    };
    let value = format_args!("{}.{:06}", 1, 20).to_string();
    let write = |out: &mut _, echo| reply::stat(out, echo, "rusage_user", &value);
    check(STAT, write, row);
    let row = Reply {
        key: b"detailed".to_vec(),
        value: b"\xff\0".to_vec(),
        ..text(0, "")
    };
    let write = |out: &mut _, echo| reply::stat_bytes(out, echo, "detailed", b"\xff\0");
    check(STAT, write, row);
    check(STAT, reply::stat_end, text(0, ""));
    let name = "n".repeat(70_000);
    let row = Reply {
        key: name.as_bytes()[..65535].to_vec(),
        ..text(0, "4")
    };
    check(STAT, |out, echo| reply::stat(out, echo, &name, &4), row);
}

proptest! {
    #[test]
    fn a_hit_comes_back(
        opcode: u8,
        opaque: u32,
        flags: u32,
        cas: u64,
        key in proptest::option::of(proptest::collection::vec(any::<u8>(), 1..=250)),
        value in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut out = Vec::new();
        let echo = Echo { opcode, opaque };
        let value_len = u32::try_from(value.len()).unwrap();
        reply::value_header(&mut out, echo, flags, key.as_deref(), value_len, cas);
        out.extend_from_slice(&value);
        let expected = Reply {
            opcode,
            status: 0,
            extras: flags.to_be_bytes().to_vec(),
            key: key.unwrap_or_default(),
            value,
            opaque,
            cas,
        };
        prop_assert_eq!(take_apart(&out), Some(vec![expected]));
    }
}
