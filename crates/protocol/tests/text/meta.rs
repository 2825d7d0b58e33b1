//! The meta commands' decoder against a twin that makes a list of the words and asks them one by one; and each of their
//! vectors cut into reads at every byte.

use crate::split;
use crate::twin::{strict, strict_i32, strict_u32};
use larder_protocol::limits::{KEY_MAX, META_WORDS_MAX, OPAQUE_MAX, VALUE_LEN_MAX};
use larder_protocol::meta::{self, Command, Flags, Request};
use larder_protocol::text::{self, ErrorText, Refused, Status, StoreVerb};
use proptest::prelude::*;

/// Streams of one command each that between them reach every command, every flag and every error.
const STREAMS: &[&[u8]] = &[
    b"mg k v f t\r\n",
    b"mg k s h l t c f k v q\r\n",
    b"mg k\r\n",
    b"mg k\n",
    b"mg  k  v  \r\n",
    b"mg k s v t f c k q h l u Oabc\r\n",
    b"mg k N100 R50 T-1 C7 E8 t\r\n",
    b"mg k D2 J3 F4 I L5 M6 P7 x b\r\n",
    b"mg Zm9v b v\r\n",
    b"mg Zm9 b v\r\n",
    b"mg\r\n",
    b"mg \r\n",
    b"mg k z\r\n",
    b"mg k v v\r\n",
    b"mg k 1\r\n",
    b"mg k !\r\n",
    b"mg k v {\r\n",
    b"mg k T\r\n",
    b"mg k T1x N2\r\n",
    b"mg k F4294967296\r\n",
    b"mg k Dx Jx\r\n",
    b"mg k O1234567890123456789012345678901\r\n",
    b"mg k O12345678901234567890123456789012\r\n",
    b"mg k b c f h l q s t u v x C1 D1 E1 F1 I J1 L M\r\n",
    b"mg k b c f h l q s t u v x C1 D1 E1 F1 I J1 L M P\r\n",
    b"mg\tk v\r\n",
    b"MG k v\r\n",
    b"ms k 3\r\nabc\r\n",
    b"ms k 0 T0\r\n\r\n",
    b"ms k 4 F5 T100 MA N7 q I b\r\n\r\n\r\n\r\n",
    b"ms Zm9v 1 MSx C18446744073709551615 b k\nx\r\n",
    b"ms k 2 z\r\nab\r\n",
    b"ms k 2 M\r\nab\r\n",
    b"ms k 2 !\r\nmn\r\n",
    b"ms k 2 T1 T1\r\nab\r\n",
    b"ms k\r\n",
    b"ms k x\r\n",
    b"ms k -1\r\n",
    b"ms k 2147483646\r\n",
    b"ms\r\n",
    b"md k\r\n",
    b"md k q C5 I T30 x E3 k O\r\n",
    b"md k T\r\n",
    b"ma k\r\n",
    b"ma k MD D5 N0 J10 v t c k q\r\n",
    b"ma k M+\r\n",
    b"ma k M-x\r\n",
    b"ma k Mx\r\n",
    b"ma k D\r\n",
    b"ma k ~\r\n",
    b"me k\r\n",
    b"me Zm9v b\r\n",
    b"me k q q\r\n",
    b"me\r\n",
];

/// Whether the first word names a meta command that has a key.
pub(crate) fn is_meta(line: &[u8]) -> bool {
    line.len() >= 4 && matches!(words(line)[0], b"mg" | b"ms" | b"md" | b"ma" | b"me")
}

/// The words of a line; the first is empty if the line begins with a blank.
fn words(line: &[u8]) -> Vec<&[u8]> {
    let bare = line.strip_suffix(b"\n").expect("a line ends");
    let bare = bare.strip_suffix(b"\r").unwrap_or(bare);
    let mut words: Vec<&[u8]> = bare.split(|&byte| byte == b' ').collect();
    let first = words.remove(0);
    words.retain(|word| !word.is_empty());
    words.insert(0, first);
    words
}

/// All that can be read from a command.
#[derive(Debug, Default, PartialEq)]
struct Read {
    name: Vec<u8>,
    key: Vec<u8>,
    item_key: Vec<u8>,
    /// Of an ms: the mode and the length.
    set: Option<(StoreVerb, u32)>,
    /// Of an ma.
    incr: Option<bool>,
    flags: Vec<Vec<u8>>,
    ttl: Option<i32>,
    vivify: Option<i32>,
    recache: Option<i32>,
    cas: Option<u64>,
    new_cas: Option<u64>,
    client_flags: u32,
    initial: u64,
    delta: u64,
}

/// What a decoded command says.
fn read(command: &Command<'_>) -> Read {
    let (name, request, set, incr) = match command {
        Command::Get(request) => (b"mg", request, None, None),
        Command::Set(set) => (b"ms", &set.request, Some((set.verb, set.value_len)), None),
        Command::Delete(request) => (b"md", request, None, None),
        Command::Arith(arith) => (b"ma", &arith.request, None, Some(arith.incr)),
        Command::Debug(request) => (b"me", request, None, None),
    };
    let flags = &request.flags;
    for word in flags.words() {
        assert!(flags.has(word[0]), "a flag that was given");
    }
    order_is_known(flags);
    Read {
        name: name.to_vec(),
        key: request.key.to_vec(),
        item_key: request.item_key(&mut None).to_vec(),
        set,
        incr,
        flags: flags.words().map(<[u8]>::to_vec).collect(),
        ttl: flags.ttl(),
        vivify: flags.vivify(),
        recache: flags.recache(),
        cas: flags.cas(),
        new_cas: flags.new_cas(),
        client_flags: flags.client_flags(),
        initial: flags.initial(),
        delta: flags.delta(),
    }
}

fn order_is_known(flags: &Flags<'_>) {
    let place = |letter| flags.words().position(|word| word[0] == letter);
    for (one, other) in [(b't', b'T'), (b'T', b't'), (b'R', b'T')] {
        let before = match (place(one), place(other)) {
            (Some(one), Some(other)) => one < other,
            (one, _) => one.is_some(),
        };
        assert_eq!(flags.is_before(one, other), before);
    }
}

/// What the line means, or why it is refused.
fn twin(line: &[u8]) -> Result<Read, Refused> {
    let words = words(line);
    let (name, is_set, is_arith) = (words[0], words[0] == b"ms", words[0] == b"ma");
    let mut swallow = 0;
    let refuse = |error, swallow| {
        let noreply = false;
        Err(Refused {
            error,
            noreply,
            swallow,
        })
    };
    let of_flags = |error| {
        if is_arith {
            ErrorText::InvalidOrDuplicateFlag
        } else {
            error
        }
    };
    let Some(&key) = words.get(1) else {
        return refuse(ErrorText::BadFormat, 0);
    };
    let mut read = Read {
        name: name.to_vec(),
        key: key.to_vec(),
        delta: 1,
        ..Read::default()
    };
    if is_set {
        let len = words.get(2).and_then(|len| strict_u32(len));
        let Some(len) = len.filter(|&len| len <= VALUE_LEN_MAX) else {
            return refuse(ErrorText::BadFormat, 0);
        };
        swallow = u64::from(len) + 2;
        read.set = Some((StoreVerb::Set, len));
    }
    if key.len() > KEY_MAX {
        return refuse(of_flags(ErrorText::BadFormat), swallow);
    }
    let flags = &words[if is_set { 3 } else { 2 }..];
    if flags
        .iter()
        .any(|flag| !matches!(flag[0], b'0'..=b'9' | 65..=122))
    {
        return refuse(ErrorText::BadFormat, 0);
    }
    if words.len() > META_WORDS_MAX {
        return refuse(of_flags(ErrorText::TooManyFlags), swallow);
    }
    read.item_key = key.to_vec();
    read.flags = flags.iter().map(|flag| flag.to_vec()).collect();
    if let Err(error) = take_all(&mut read, flags) {
        return refuse(of_flags(error), swallow);
    }
    if let Err(error) = take_mode(&mut read) {
        return refuse(error, swallow);
    }
    if flags
        .iter()
        .any(|flag| flag[0] == b'O' && flag.len() > OPAQUE_MAX + 1)
    {
        return refuse(ErrorText::OpaqueTooLong, swallow);
    }
    Ok(read)
}

/// Takes all flags. One that is wrong ends it; of wrong tokens the last is told, but `F` has no words of its own.
fn take_all(read: &mut Read, flags: &[&[u8]]) -> Result<(), ErrorText> {
    let mut last_error = None;
    for (at, flag) in flags.iter().enumerate() {
        if !b"bcfhklqstuvxCDEFIJLMNOPRT".contains(&flag[0]) {
            return Err(ErrorText::InvalidFlag);
        }
        if flags[..at].iter().any(|before| before[0] == flag[0]) {
            return Err(ErrorText::DuplicateFlag);
        }
        if let Err(error) = take(read, flag)
            && (flag[0] != b'F' || last_error.is_none())
        {
            last_error = Some(error);
        }
    }
    last_error.map_or(Ok(()), Err)
}

/// Takes the mode, which matters to two commands.
fn take_mode(read: &mut Read) -> Result<(), ErrorText> {
    let mode = read.flags.iter().find(|flag| flag[0] == b'M');
    let mode = mode.map(|flag| flag.get(1));
    if let Some((verb, _)) = &mut read.set {
        *verb = match mode {
            None | Some(Some(b'S')) => StoreVerb::Set,
            Some(Some(b'E')) => StoreVerb::Add,
            Some(Some(b'R')) => StoreVerb::Replace,
            Some(Some(b'A')) => StoreVerb::Append,
            Some(Some(b'P')) => StoreVerb::Prepend,
            Some(_) => return Err(ErrorText::InvalidSetMode),
        };
    }
    if read.name == b"ma" {
        read.incr = Some(match mode {
            None | Some(Some(b'I' | b'+')) => true,
            Some(Some(b'D' | b'-')) => false,
            Some(_) => return Err(ErrorText::InvalidArithMode),
        });
    }
    Ok(())
}

/// Takes one flag.
fn take(read: &mut Read, flag: &[u8]) -> Result<(), ErrorText> {
    let (letter, token) = (flag[0], &flag[1..]);
    let number = || strict(token, 22, 0, u64::MAX.into()).map(|number| number as u64);
    let bad = ErrorText::BadToken;
    match letter {
        b'b' => read.item_key = unbase64(&read.key).ok_or(ErrorText::BadBase64)?,
        b'T' => read.ttl = Some(strict_i32(token).ok_or(bad)?),
        b'N' => read.vivify = Some(strict_i32(token).ok_or(bad)?),
        b'R' => read.recache = Some(strict_i32(token).ok_or(bad)?),
        b'C' => read.cas = Some(number().ok_or(bad)?),
        b'E' => read.new_cas = Some(number().ok_or(bad)?).filter(|&unique| unique != 0),
        b'F' => read.client_flags = strict_u32(token).ok_or(ErrorText::BadFormat)?,
        b'J' => read.initial = number().ok_or(ErrorText::InvalidInitialValue)?,
        b'D' => read.delta = number().ok_or(ErrorText::InvalidDeltaValue)?,
        _ => {}
    }
    Ok(())
}

fn unbase64(text: &[u8]) -> Option<Vec<u8>> {
    let alphabet: Vec<u8> = [
        b'A'..=b'Z',
        b'a'..=b'z',
        b'0'..=b'9',
        b'+'..=b'+',
        b'/'..=b'/',
    ]
    .into_iter()
    .flatten()
    .collect();
    let value = |character| match character {
        b'=' => Some(0),
        _ => alphabet.iter().position(|&letter| letter == character),
    };
    let text: Vec<u8> = text
        .iter()
        .copied()
        .filter(|&byte| value(byte).is_some())
        .collect();
    let mut bytes = Vec::new();
    if text.is_empty() || !text.len().is_multiple_of(4) {
        return None;
    }
    for group in text.chunks(4) {
        let number = group
            .iter()
            .fold(0, |number, &byte| number * 64 + value(byte).unwrap_or(0));
        bytes.extend([(number >> 16) as u8, (number >> 8) as u8, number as u8]);
        match group.iter().filter(|&&byte| byte == b'=').count() {
            0 => {}
            padding @ 1..=2 => {
                bytes.truncate(bytes.len() - padding);
                break;
            }
            _ => return None,
        }
    }
    Some(bytes)
}

/// Decodes `line` with and without bytes behind it and compares with the twin.
#[track_caller]
pub(crate) fn check(line: &[u8]) {
    let expected = twin(line);
    for behind in [&b""[..], b"\n", b"mg behind v\r\n", b" v\r\n            "] {
        let buf = [line, behind].concat();
        let Status::Complete { line_len, command } = text::decode(&buf, 0) else {
            panic!("{} is a line", line.escape_ascii());
        };
        assert_eq!(line_len, line.len(), "{}", line.escape_ascii());
        let found = match &command {
            text::Command::Meta(command) => Ok(read(command)),
            text::Command::Refused(refused) => Err(*refused),
            other => panic!("{} is {other:?}", line.escape_ascii()),
        };
        assert_eq!(found, expected, "{}", line.escape_ascii());
        recognised(&buf, &command);
    }
}

/// What is recognised without a search for the line's end is what the line says.
fn recognised(buf: &[u8], command: &text::Command<'_>) {
    if let Some((get, len)) = meta::plain_get(buf) {
        let text::Command::Meta(Command::Get(Request { key, flags })) = command else {
            panic!("{} is {command:?}", buf.escape_ascii());
        };
        assert_eq!(get.key, *key);
        let letters = get.letters().map(|letter| vec![letter]);
        assert!(letters.eq(flags.words().map(<[u8]>::to_vec)));
        assert!((b'A'..=b'z').all(|letter| get.has(letter) == flags.has(letter)));
        assert_eq!(
            buf[..len].iter().position(|&byte| byte == b'\n'),
            Some(len - 1)
        );
    } else {
        // The most frequent ones are, if they are ended as they should be.
        let plain = [
            &b"mg k v\r\n"[..],
            b"mg k v f t\r\n",
            b"mg k s h l t c f k v q\r\n",
        ];
        let plain = plain.iter().any(|line| buf.starts_with(line));
        assert!(!plain, "{}", buf.escape_ascii());
    }
}

#[test]
fn each_stream_cut_at_every_byte() {
    for stream in STREAMS {
        split::check(stream);
    }
    for pair in STREAMS.windows(2) {
        split::check(&pair.concat());
    }
}

#[test]
fn lines_of_the_streams() {
    for stream in STREAMS {
        let line = stream.split_inclusive(|&byte| byte == b'\n').next();
        let line = line.expect("a stream has a line");
        if is_meta(line) {
            check(line);
        }
    }
}

#[test]
fn keys_and_opaques_at_their_limits() {
    for len in [KEY_MAX - 2, KEY_MAX, KEY_MAX + 1, KEY_MAX + 2] {
        let key = "A".repeat(len);
        for (name, rest) in [
            ("mg", ""),
            ("mg", " b v"),
            ("ms", " 2 b"),
            ("ms", " 2 !"),
            ("ma", ""),
            ("me", " b"),
        ] {
            check(format!("{name} {key}{rest}\r\n").as_bytes());
        }
    }
    for len in OPAQUE_MAX - 1..OPAQUE_MAX + 3 {
        for line in ["mg k", "ms k 2", "ma k z", "ma k"] {
            check(format!("{line} O{}\r\n", "o".repeat(len)).as_bytes());
        }
    }
}

#[test]
fn flags_at_their_limit() {
    let flags: Vec<String> = "bcfhklqstuvxILP".chars().map(String::from).collect();
    let flags = [
        flags,
        ["C1", "D1", "E1", "F1", "J1", "N1", "R1"]
            .map(String::from)
            .to_vec(),
    ]
    .concat();
    for count in META_WORDS_MAX - 5..=META_WORDS_MAX + 2 {
        let flags = flags[..count.min(flags.len())].join(" ");
        for start in ["mg Zm9v", "ms Zm9v 2", "md Zm9v", "ma Zm9v", "me Zm9v"] {
            for last in ["", " z", " v", " !"] {
                check(format!("{start} {flags}{last}\r\n").as_bytes());
            }
        }
    }
}

/// A flag, or nearly one.
fn flag() -> impl Strategy<Value = Vec<u8>> {
    let known = "b c f h k l q s t u v x I M T0 T-1 T2147483647 T2147483648 T N30 N R-1 R30 R00000000001 R000000000001 C5 C0 \
        C18446744073709551615 C18446744073709551616 C E0 E7 E-1 F0 F4294967295 F4294967296 F-1 J0 J1x D5 D Dx O Oabc \
        Oooooooooooooooooooooooooooooooo Ooooooooooooooooooooooooooooooooo MS ME MA MP MR MI MD M+ M- Mset Ms L5 P6 \
        z A 0 9x ! ~ { _ tt vx q\r \r \u{1}";
    let known: Vec<Vec<u8>> = known
        .split(' ')
        .map(|word| word.as_bytes().to_vec())
        .collect();
    let any = prop::collection::vec(
        prop::sample::select(&b"bkvTNRCEFJDMO0159-+!\x80\t"[..]),
        1..4,
    );
    prop_oneof![30 => prop::sample::select(known), 1 => any]
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "k", "Zm9v", "Zm9vYg==", "Zg=", "====", "A===", "Z!m9v", "-_-_", "\u{1}\t", "Zg==Zm9v",
    ];
    let known = prop::sample::select(known.to_vec()).prop_map(|key| key.as_bytes().to_vec());
    prop_oneof![20 => known, 1 => (245..260_usize).prop_map(|len| vec![b'A'; len])]
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let name = prop::sample::select(&["mg", "ms", "md", "ma", "me"][..]);
    let len =
        prop::sample::select(&["0", "2", "003", "x", "-1", "2147483645", "2147483646", "v"][..]);
    let flags = prop_oneof![9 => prop::collection::vec(flag(), 0..7), 1 => prop::collection::vec(flag(), 15..22)];
    let end = prop::sample::select(&["\r\n", "\n", "  \r\n", " \n"][..]);
    (name, key(), len, flags, 1..3_usize, end).prop_map(|(name, key, len, flags, blanks, end)| {
        let mut words = vec![name.as_bytes().to_vec(), key];
        if name == "ms" {
            words.push(len.as_bytes().to_vec());
        }
        words.extend(flags);
        let mut line = words.join(&b" ".repeat(blanks)[..]);
        line.extend_from_slice(end.as_bytes());
        line
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lines_of_flags(line in line()) {
        check(&line);
    }

    #[test]
    fn lines_with_a_byte_changed(line in line(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut line = line;
        let at = at.index(line.len());
        if byte != b'\n' && at + 1 < line.len() {
            line[at] = byte;
            if is_meta(&line) {
                check(&line);
            }
        }
    }
}
