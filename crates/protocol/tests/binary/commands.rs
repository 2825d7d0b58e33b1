//! Each opcode: what a frame of its shape asks for, and how every other shape is refused.

use larder_protocol::binary::opcode::*;
use larder_protocol::binary::{
    self, Arith, Command, Create, Get, HEAD_LEN_MAX, Refused, ReplyStatus, Request, Sasl, Status,
    Store,
};
use larder_protocol::limits::{BODY_LEN_MAX, KEY_MAX, SASL_DATA_MAX, SASL_MECHANISM_MAX};
use larder_protocol::text::{StatsCommand, StoreVerb};

use crate::frames::{Frame, good};

const BAD_SHAPE: Refused = Refused {
    status: ReplyStatus::InvalidArguments,
    close: true,
    swallow: 0,
};

const CONTRADICTION: Refused = Refused {
    status: ReplyStatus::UnknownCommand,
    close: true,
    swallow: 0,
};

fn request(bytes: &[u8]) -> Request<'_> {
    match binary::decode(bytes) {
        Status::Complete { request, .. } => request,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check(frame: &Frame, expected: Command<'_>) {
    let bytes = frame.bytes();
    let Status::Complete { head_len, request } = binary::decode(&bytes) else {
        panic!("a whole frame decodes: {frame:?}");
    };
    assert_eq!(request.command, expected, "{frame:?}");
    assert_eq!(request.echo.opcode, frame.opcode);
    assert_eq!(request.echo.opaque, frame.opaque);
    assert_eq!(head_len, bytes.len() - frame.value.len(), "{frame:?}");
}

#[track_caller]
fn refused(opcode: u8, extras: &[u8], key: &[u8], value: &[u8]) {
    check(
        &Frame::new(opcode, extras, key, value),
        Command::Refused(BAD_SHAPE),
    );
}

#[test]
fn fetches() {
    let time = 0x0102_0304;
    for (opcode, exptime, with_key) in [
        (GET, None, false),
        (GETQ, None, false),
        (GETK, None, true),
        (GETKQ, None, true),
        (GAT, Some(time), false),
        (GATQ, Some(time), false),
        (GATK, Some(time), true),
        (GATKQ, Some(time), true),
    ] {
        let extras = match exptime {
            Some(_) => &b"\x01\x02\x03\x04"[..],
            None => b"",
        };
        let key = b"k";
        let get = Get {
            key,
            exptime,
            with_key,
        };
        check(&Frame::new(opcode, extras, key, b""), Command::Get(get));
        refused(opcode, extras, b"", b"");
        refused(opcode, extras, key, b"v");
        refused(opcode, b"12345678", key, b"");
        refused(
            opcode,
            if extras.is_empty() { b"time" } else { b"" },
            key,
            b"",
        );
        refused(opcode, extras, &[b'k'; KEY_MAX + 1], b"");
    }
}

#[test]
fn touches() {
    let key = b"k";
    let exptime = u32::MAX;
    let frame = Frame::new(TOUCH, &[0xff; 4], key, b"");
    check(&frame, Command::Touch { key, exptime });
    refused(TOUCH, b"", key, b"");
    refused(TOUCH, b"123", key, b"");
    refused(TOUCH, b"time", b"", b"");
    refused(TOUCH, b"time", key, b"v");
}

#[test]
fn stores() {
    for (opcodes, verb) in [
        ([SET, SETQ], StoreVerb::Set),
        ([ADD, ADDQ], StoreVerb::Add),
        ([REPLACE, REPLACEQ], StoreVerb::Replace),
    ] {
        for opcode in opcodes {
            let extras = b"\x00\x00\x00\x07\xff\xff\xff\xfe";
            let mut frame = Frame::new(opcode, extras, b"k", b"value");
            frame.cas = u64::MAX;
            let store = Store {
                verb,
                key: b"k",
                flags: 7,
                exptime: u32::MAX - 1,
                value_len: 5,
                cas: u64::MAX,
            };
            check(&frame, Command::Store(store));
            refused(opcode, extras, b"", b"value");
            refused(opcode, b"", b"k", b"value");
            refused(opcode, b"1234567", b"k", b"value");
            refused(opcode, b"123456789", b"k", b"value");
        }
    }
    for (opcodes, verb) in [
        ([APPEND, APPENDQ], StoreVerb::Append),
        ([PREPEND, PREPENDQ], StoreVerb::Prepend),
    ] {
        for opcode in opcodes {
            let store = Store {
                verb,
                key: b"k",
                flags: 0,
                exptime: 0,
                value_len: 1,
                cas: 0,
            };
            check(&Frame::new(opcode, b"", b"k", b"v"), Command::Store(store));
            refused(opcode, b"", b"", b"v");
            refused(opcode, b"flagtime", b"k", b"v");
        }
    }
}

#[test]
fn arithmetic() {
    let extras = |exptime: u32| {
        let mut extras = 5u64.to_be_bytes().to_vec();
        extras.extend(10u64.to_be_bytes());
        extras.extend(exptime.to_be_bytes());
        extras
    };
    for (opcode, incr) in [
        (INCREMENT, true),
        (INCREMENTQ, true),
        (DECREMENT, false),
        (DECREMENTQ, false),
    ] {
        for exptime in [0, 60, u32::MAX - 1, u32::MAX] {
            let initial = 10;
            let create = match exptime {
                u32::MAX => None,
                exptime => Some(Create { initial, exptime }),
            };
            let mut frame = Frame::new(opcode, &extras(exptime), b"n", b"");
            frame.cas = 3;
            let arith = Arith {
                key: b"n",
                delta: 5,
                incr,
                create,
                cas: 3,
            };
            check(&frame, Command::Arith(arith));
        }
        refused(opcode, &extras(0), b"", b"");
        refused(opcode, &extras(0), b"n", b"v");
        refused(opcode, &extras(0)[..19], b"n", b"");
        refused(opcode, b"", b"n", b"");
    }
}

#[test]
fn deletes_and_flushes() {
    for opcode in [DELETE, DELETEQ] {
        let mut frame = Frame::new(opcode, b"", b"k", b"");
        frame.cas = 9;
        check(&frame, Command::Delete { key: b"k", cas: 9 });
        refused(opcode, b"", b"", b"");
        refused(opcode, b"time", b"k", b"");
        refused(opcode, b"", b"k", b"v");
    }
    for opcode in [FLUSH, FLUSHQ] {
        let exptime = 0;
        check(
            &Frame::new(opcode, b"", b"", b""),
            Command::Flush { exptime },
        );
        let exptime = 0x0102_0304;
        let frame = Frame::new(opcode, b"\x01\x02\x03\x04", b"", b"");
        check(&frame, Command::Flush { exptime });
        refused(opcode, b"123", b"", b"");
        refused(opcode, b"12345678", b"", b"");
        refused(opcode, b"time", b"k", b"");
        refused(opcode, b"time", b"", b"v");
        refused(opcode, b"", b"", b"time");
    }
}

#[test]
fn headers_alone() {
    for (opcode, command) in [
        (NOOP, Command::Noop),
        (VERSION, Command::Version),
        (QUIT, Command::Quit),
        (QUITQ, Command::Quit),
        (SASL_LIST_MECHS, Command::SaslListMechs),
    ] {
        check(&Frame::new(opcode, b"", b"", b""), command);
        refused(opcode, b"e", b"", b"");
        refused(opcode, b"", b"k", b"");
        refused(opcode, b"", b"", b"v");
    }
}

#[test]
fn stats() {
    for (key, stats) in [
        (&b""[..], StatsCommand::General),
        (b"reset", StatsCommand::Reset),
        (b"resetting", StatsCommand::Reset),
        (b"settings", StatsCommand::Settings),
        (b"settings now", StatsCommand::Settings),
        (b"detail on", StatsCommand::DetailOn),
        (b"detail off", StatsCommand::DetailOff),
        (b"detail dump", StatsCommand::DetailDump),
        (b"detail dumped", StatsCommand::DetailDump),
        (b"items", StatsCommand::Items),
        (b"slabs", StatsCommand::Slabs),
        (b"sizes", StatsCommand::Sizes),
        (b"larder", StatsCommand::Larder),
        (b"res", StatsCommand::Unknown),
        (b"itemsx", StatsCommand::Unknown),
        (b"detail", StatsCommand::Unknown),
        (b"detail  on", StatsCommand::Unknown),
        (b"conns", StatsCommand::Unknown),
        (b"cachedump 1 0", StatsCommand::Unknown),
    ] {
        check(&Frame::new(STAT, b"", key, b""), Command::Stat(stats));
    }
    refused(STAT, b"e", b"", b"");
    refused(STAT, b"", b"", b"v");
    refused(STAT, b"", b"reset", b"v");
}

#[test]
fn sasl() {
    for (opcode, step) in [(SASL_AUTH, false), (SASL_STEP, true)] {
        let sasl = Sasl {
            step,
            mechanism: b"PLAIN",
            data_len: 4,
        };
        let frame = Frame::new(opcode, b"", b"PLAIN", b"\0u\0p");
        check(&frame, Command::Sasl(sasl));
        assert_eq!(sasl.refused(), None);
        refused(opcode, b"", b"", b"");
        refused(opcode, b"e", b"PLAIN", b"\0u\0p");
    }
    let long = [b'M'; SASL_MECHANISM_MAX + 1];
    for (mechanism, data_len, status) in [
        (&long[1..], SASL_DATA_MAX, None),
        (&long[..], 7, Some(ReplyStatus::InvalidArguments)),
        (b"M", SASL_DATA_MAX + 1, Some(ReplyStatus::OutOfMemory)),
    ] {
        let sasl = Sasl {
            step: false,
            mechanism,
            data_len,
        };
        let expected = status.map(|status| Refused {
            status,
            close: false,
            swallow: data_len,
        });
        assert_eq!(sasl.refused(), expected);
    }
}

#[test]
fn without_sasl() {
    let expected = Refused {
        status: ReplyStatus::UnknownCommand,
        close: false,
        swallow: 7,
    };
    assert_eq!(Refused::without_sasl(7), expected);
}

#[test]
fn without_authentication() {
    let auth_error = Refused {
        status: ReplyStatus::AuthError,
        close: true,
        swallow: 0,
    };
    for frame in good() {
        let free = matches!(
            frame.opcode,
            VERSION | SASL_LIST_MECHS | SASL_AUTH | SASL_STEP
        );
        let expected = (!free).then_some(auth_error);
        assert_eq!(
            request(&frame.bytes()).unauthenticated(),
            expected,
            "{frame:?}"
        );
    }
    // Who may not ask is not told what was wrong; but a contradiction is one whoever asks.
    for (frame, expected) in [
        (Frame::new(GET, b"", b"", b"").bytes(), Some(auth_error)),
        (Frame::new(VERSION, b"", b"k", b"").bytes(), None),
        (Frame::new(GET, b"", b"key", b"").saying(2), None),
    ] {
        assert_eq!(request(&frame).unauthenticated(), expected);
    }
}

#[test]
fn unknown_opcodes_leave_the_stream_whole() {
    for opcode in [VERBOSITY, 0x1f, 0x25, 0x30, 0x3c, 0x80, 0xff] {
        for (extras, key, value) in [
            (&b""[..], &b""[..], &b""[..]),
            (b"", b"", b"value"),
            (b"extras", b"key", b"value"),
            (b"extras", b"key", b""),
        ] {
            let unknown = Refused {
                status: ReplyStatus::UnknownCommand,
                close: false,
                swallow: u32::try_from(value.len()).unwrap(),
            };
            check(
                &Frame::new(opcode, extras, key, value),
                Command::Refused(unknown),
            );
        }
        refused(opcode, b"", &[b'k'; KEY_MAX + 1], b"");
    }
}

#[test]
fn lengths_that_cannot_be() {
    // A body shorter than its parts goes before all else.
    for frame in good() {
        let head_len = frame.extras.len() + frame.key.len();
        if let Some(less) = head_len.checked_sub(1) {
            let bytes = frame.saying(u32::try_from(less).unwrap());
            let command = request(&bytes).command;
            assert_eq!(command, Command::Refused(CONTRADICTION), "{frame:?}");
        }
    }
    let long_key = Frame::new(GET, b"", &[b'k'; KEY_MAX + 1], b"");
    let command = Command::Refused(CONTRADICTION);
    assert_eq!(request(&long_key.saying(250)).command, command);
    // Then one that is too long.
    let set = Frame::new(SET, b"flagtime", b"k", b"");
    let bytes = set.saying(BODY_LEN_MAX);
    assert!(matches!(
        request(&bytes).command,
        Command::Store(Store { value_len, .. }) if value_len == BODY_LEN_MAX - 9
    ));
    for opcode in [SET, GET, NOOP, 0xff] {
        for body_len in [BODY_LEN_MAX + 1, u32::MAX] {
            let frame = Frame::new(opcode, b"flagtime", b"k", b"");
            let bytes = frame.saying(body_len);
            assert_eq!(request(&bytes).command, Command::Refused(BAD_SHAPE));
        }
    }
}

#[test]
fn what_is_needed() {
    assert_eq!(binary::decode(b""), Status::Incomplete { needed: 24 });
    let bytes = Frame::new(SET, b"flagtime", b"key", b"value").bytes();
    for len in 1..bytes.len() {
        let needed = if len < 24 { 24 } else { 35 };
        match binary::decode(&bytes[..len]) {
            Status::Incomplete { needed: told } => assert!(len < 35 && told == needed),
            status => assert!(len >= 35 && matches!(status, Status::Complete { .. })),
        }
    }
    let mut longest = Frame::new(GET, &[0; 255], &[b'k'; 65535], b"").bytes();
    longest.pop();
    let needed = HEAD_LEN_MAX;
    assert_eq!(longest.len(), needed - 1);
    assert_eq!(binary::decode(&longest), Status::Incomplete { needed });
}
