//! The decoder against a twin that is written for nothing but to be obviously right: a table of what each opcode may
//! have, asked one question after the other, and numbers put together byte by byte.

use larder_protocol::binary::opcode::*;
use larder_protocol::binary::{
    self, Arith, Command, Create, Get, Refused, ReplyStatus, Sasl, Status, Store,
};
use larder_protocol::text::{StatsCommand, StoreVerb};
use proptest::prelude::*;

use crate::frames::{Frame, Reader, good};

/// Opcodes; how long their extras may be; whether there is a key (`None`: as one likes); whether there may be a value.
type Row = (&'static [u8], &'static [usize], Option<bool>, bool);

const SHAPES: &[Row] = &[
    (
        &[0x00, 0x09, 0x0c, 0x0d, 0x04, 0x14],
        &[0],
        Some(true),
        false,
    ),
    (
        &[0x01, 0x02, 0x03, 0x11, 0x12, 0x13],
        &[8],
        Some(true),
        true,
    ),
    (
        &[0x0e, 0x0f, 0x19, 0x1a, 0x21, 0x22],
        &[0],
        Some(true),
        true,
    ),
    (&[0x05, 0x06, 0x15, 0x16], &[20], Some(true), false),
    (&[0x1c, 0x1d, 0x1e, 0x23, 0x24], &[4], Some(true), false),
    (&[0x08, 0x18], &[0, 4], Some(false), false),
    (&[0x07, 0x17, 0x0a, 0x0b, 0x20], &[0], Some(false), false),
    (&[0x10], &[0], None, false),
];

/// Bytes of the head if it is whole, and what it asks for.
fn twin(buf: &[u8]) -> Option<(usize, Command<'_>)> {
    if buf.len() < 24 {
        return None;
    }
    let opcode = buf[1];
    let key_len = number(&buf[2..4]) as usize;
    let extras_len = usize::from(buf[4]);
    let body_len = number(&buf[8..12]) as usize;
    let cas = number(&buf[16..24]);
    let head_len = 24 + extras_len + key_len;
    if buf.len() < head_len {
        return None;
    }
    let extras = &buf[24..24 + extras_len];
    let key = &buf[24 + extras_len..head_len];
    let refuse = |status, close, swallow: usize| {
        let refused = Refused {
            status,
            close,
            swallow: u32::try_from(swallow).unwrap(),
        };
        Some((head_len, Command::Refused(refused)))
    };
    if extras_len + key_len > body_len {
        return refuse(ReplyStatus::UnknownCommand, true, 0);
    }
    if key_len > 250 || body_len > 1024 * 1024 * 1024 {
        return refuse(ReplyStatus::InvalidArguments, true, 0);
    }
    let value_len = body_len - extras_len - key_len;
    let Some((_, lens, with_key, with_value)) = SHAPES
        .iter()
        .find(|(opcodes, ..)| opcodes.contains(&opcode))
    else {
        return refuse(ReplyStatus::UnknownCommand, false, value_len);
    };
    if !lens.contains(&extras_len)
        || with_key.is_some_and(|wanted| wanted == key.is_empty())
        || (value_len > 0 && !with_value)
    {
        return refuse(ReplyStatus::InvalidArguments, true, 0);
    }
    let value_len = u32::try_from(value_len).unwrap();
    Some((head_len, good_shape(opcode, extras, key, value_len, cas)))
}

/// The command of a frame whose parts are as they should be.
fn good_shape<'a>(
    opcode: u8,
    extras: &'a [u8],
    key: &'a [u8],
    value_len: u32,
    cas: u64,
) -> Command<'a> {
    let small = |from: usize, to: usize| u32::try_from(number(&extras[from..to])).unwrap();
    let store = |verb| {
        let plain = extras.is_empty();
        Command::Store(Store {
            verb,
            key,
            flags: if plain { 0 } else { small(0, 4) },
            exptime: if plain { 0 } else { small(4, 8) },
            value_len,
            cas,
        })
    };
    let exptime = (extras.len() == 4).then(|| small(0, 4));
    match opcode {
        0x00 | 0x09 | 0x0c | 0x0d | 0x1d | 0x1e | 0x23 | 0x24 => Command::Get(Get {
            key,
            exptime,
            with_key: [0x0c, 0x0d, 0x23, 0x24].contains(&opcode),
        }),
        0x01 | 0x11 => store(StoreVerb::Set),
        0x02 | 0x12 => store(StoreVerb::Add),
        0x03 | 0x13 => store(StoreVerb::Replace),
        0x0e | 0x19 => store(StoreVerb::Append),
        0x0f | 0x1a => store(StoreVerb::Prepend),
        0x04 | 0x14 => Command::Delete { key, cas },
        0x05 | 0x06 | 0x15 | 0x16 => Command::Arith(Arith {
            key,
            delta: number(&extras[..8]),
            incr: opcode & 1 == 1,
            create: (extras[16..] != [0xff; 4]).then(|| Create {
                initial: number(&extras[8..16]),
                exptime: small(16, 20),
            }),
            cas,
        }),
        0x1c => Command::Touch {
            key,
            exptime: small(0, 4),
        },
        0x08 | 0x18 => Command::Flush {
            exptime: exptime.unwrap_or(0),
        },
        0x07 | 0x17 => Command::Quit,
        0x0a => Command::Noop,
        0x0b => Command::Version,
        0x10 => Command::Stat(twin_stats(key)),
        0x20 => Command::SaslListMechs,
        _ => Command::Sasl(Sasl {
            step: opcode == 0x22,
            mechanism: key,
            data_len: value_len,
        }),
    }
}

fn twin_stats(key: &[u8]) -> StatsCommand {
    let whole = [
        ("", StatsCommand::General),
        ("items", StatsCommand::Items),
        ("slabs", StatsCommand::Slabs),
        ("sizes", StatsCommand::Sizes),
        ("larder", StatsCommand::Larder),
    ];
    let begins = [
        ("reset", StatsCommand::Reset),
        ("settings", StatsCommand::Settings),
        ("detail on", StatsCommand::DetailOn),
        ("detail off", StatsCommand::DetailOff),
        ("detail dump", StatsCommand::DetailDump),
    ];
    let whole = whole.iter().find(|(word, _)| key == word.as_bytes());
    let begins = begins
        .iter()
        .find(|(word, _)| key.starts_with(word.as_bytes()));
    whole.or(begins).map_or(StatsCommand::Unknown, |row| row.1)
}

/// The number that the bytes are, the first byte counting most.
fn number(bytes: &[u8]) -> u64 {
    let mut n = 0;
    for &byte in bytes {
        n = n * 256 + u64::from(byte);
    }
    n
}

fn check(buf: &[u8]) -> Result<(), TestCaseError> {
    match binary::decode(buf) {
        Status::BadMagic => prop_assert!(buf[0] != 0x80),
        Status::Incomplete { needed } => {
            prop_assert!(buf.first().is_none_or(|&magic| magic == 0x80));
            prop_assert!(needed > buf.len());
            prop_assert_eq!(twin(buf), None);
        }
        Status::Complete { head_len, request } => {
            prop_assert_eq!(buf[0], 0x80);
            prop_assert_eq!(Some((head_len, request.command)), twin(buf));
            prop_assert_eq!(request.echo.opcode, buf[1]);
            prop_assert_eq!(u64::from(request.echo.opaque), number(&buf[12..16]));
        }
    }
    Ok(())
}

/// Frames of every opcode whose parts are mostly, but not always, those of some command.
fn any_frame() -> impl Strategy<Value = Frame> {
    let opcode = prop_oneof![4 => 0..=GATKQ, 1 => any::<u8>()];
    let extras_len = prop_oneof![
        6 => proptest::sample::select(vec![0usize, 4, 8, 20]),
        1 => 0..=255usize
    ];
    let extras = extras_len
        .prop_flat_map(|len| proptest::collection::vec(prop_oneof![Just(0xff), any::<u8>()], len));
    let key = prop_oneof![
        2 => Just(vec![]),
        6 => proptest::collection::vec(any::<u8>(), 1..20),
        1 => proptest::collection::vec(any::<u8>(), 248..253),
        2 => "(reset|settings|detail on|detail off|detail dump|items|slabs|sizes)[x ]?"
            .prop_map(String::into_bytes),
    ];
    let value = prop_oneof![
        1 => Just(vec![]),
        1 => proptest::collection::vec(any::<u8>(), 1..20)
    ];
    (opcode, extras, key, value, any::<u32>(), any::<u64>()).prop_map(
        |(opcode, extras, key, value, opaque, cas)| Frame {
            opcode,
            extras,
            key,
            value,
            opaque,
            cas,
        },
    )
}

#[test]
fn good_frames() {
    for frame in good() {
        check(&frame.bytes()).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn frames(frame in any_frame()) {
        check(&frame.bytes())?;
    }

    #[test]
    fn frames_that_lie(frame in any_frame(), body_len in any::<u32>(), off in -3i64..=3) {
        let near = i64::from(frame.body_len()) + off;
        for body_len in [body_len, u32::try_from(near.max(0)).unwrap()] {
            check(&frame.saying(body_len))?;
        }
    }

    #[test]
    fn headers(mut buf in proptest::collection::vec(any::<u8>(), 0..400), small in any::<bool>()) {
        for (byte, fixed) in buf.iter_mut().zip([0x80]) {
            *byte = fixed;
        }
        if small && buf.len() > 12 {
            (buf[2], buf[8], buf[9], buf[10]) = (0, 0, 0, 0);
        }
        check(&buf)?;
    }

    #[test]
    fn bytes(buf in proptest::collection::vec(any::<u8>(), 0..100)) {
        check(&buf)?;
    }

    /// Streams of any frames, cut anywhere: the same comes out as from all at once, and nothing panics.
    #[test]
    fn streams(
        frames in proptest::collection::vec(any_frame(), 0..6),
        tail in proptest::collection::vec(any::<u8>(), 0..30),
        read_len in 1usize..60,
    ) {
        let mut stream: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        stream.extend(tail);
        let (mut whole, mut cut) = (Reader::default(), Reader::default());
        whole.feed(&stream);
        for read in stream.chunks(read_len) {
            cut.feed(read);
        }
        prop_assert_eq!(whole.events, cut.events);
    }
}
