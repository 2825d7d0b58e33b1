//! What the client's side writes, the server's side reads, and the other way round.

use larder_protocol::client::{Expect, Reply, Step, decode, meta, request};
use larder_protocol::text::{self, Arith, Command, Get, GetVerb, StatsCommand, Status, Store};
use larder_protocol::text::{StoreVerb, reply};
use proptest::prelude::*;

fn keys() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![0x21_u8..0x7f, 0x80_u8..=0xff], 1..=250)
}

fn stores() -> impl Strategy<Value = StoreVerb> {
    prop::sample::select(
        &[
            StoreVerb::Set,
            StoreVerb::Add,
            StoreVerb::Replace,
            StoreVerb::Append,
            StoreVerb::Prepend,
            StoreVerb::Cas,
        ][..],
    )
}

/// The one command that was written, read back by the server's side.
#[track_caller]
fn read(out: &[u8]) -> Command<'_> {
    match text::decode(out, 0) {
        Status::Complete { line_len, command } if line_len == out.len() => command,
        other => panic!("{}: {other:?}", out.escape_ascii()),
    }
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

#[test]
fn plain_commands() {
    let line = |write: fn(&mut Vec<u8>)| written(write);
    assert_eq!(read(&line(request::version)), Command::Version);
    assert_eq!(read(&line(meta::noop)), Command::Mn);
    assert_eq!(
        read(&line(request::flush_all)),
        Command::FlushAll {
            delay: 0,
            noreply: false
        }
    );
    assert_eq!(
        read(&written(|out| request::stats(out, ""))),
        Command::Stats(StatsCommand::General)
    );
    assert_eq!(
        read(&written(|out| request::stats(out, "slabs"))),
        Command::Stats(StatsCommand::Slabs)
    );
    assert_eq!(
        written(|out| request::authenticate(out, "user", "pass word")),
        b"set larder:auth 0 -1 14\r\nuser pass word\r\n"
    );
    assert_eq!(line(request::config_get_cluster), b"config get cluster\r\n");
}

#[track_caller]
fn check_written(write: impl FnOnce(&mut Vec<u8>), expected: &str) {
    assert_eq!(written(write).escape_ascii().to_string(), expected);
}

const KEY: &[u8] = b"k";

#[test]
fn meta_get() {
    let get = meta::Get {
        key: KEY,
        opaque: 7,
        ..meta::Get::default()
    };
    check_written(|out| get.encode(out), r"mg k v f c O7\r\n");
    let get = meta::Get {
        no_value: true,
        ttl: true,
        touch: Some(0),
        vivify: Some(30),
        recache: Some(5),
        ..get
    };
    check_written(|out| get.encode(out), r"mg k f c t T0 N30 R5 O7\r\n");
}

#[test]
fn meta_set() {
    let set = meta::Set {
        key: KEY,
        value_len: 3,
        ..meta::Set::default()
    };
    check_written(|out| set.encode_line(out), r"ms k 3 c O0\r\n");
    let set = meta::Set {
        key: KEY,
        opaque: u32::MAX,
        value_len: 0,
        mode: meta::Mode::Add,
        flags: 9,
        exptime: -1,
        cas: Some(u64::MAX),
        invalidate: true,
    };
    check_written(
        |out| set.encode_line(out),
        r"ms k 0 ME F9 T-1 C18446744073709551615 I c O4294967295\r\n",
    );
}

#[test]
fn meta_delete_and_arith() {
    let delete = meta::Delete {
        key: KEY,
        opaque: 1,
        cas: Some(5),
        stale_for: Some(30),
    };
    check_written(|out| delete.encode(out), r"md k C5 I T30 O1\r\n");
    let arith = meta::Arith {
        key: KEY,
        opaque: 1,
        delta: 2,
        is_decr: true,
        initial: Some((5, 60)),
    };
    check_written(|out| arith.encode(out), r"ma k MD D2 N60 J5 v O1\r\n");
}

proptest! {
    #[test]
    fn the_server_reads_what_the_client_writes(
        key in keys(),
        verb in stores(),
        (flags, exptime, delta, cas) in any::<(u32, i32, u64, u64)>(),
        value_len in 0_u32..=larder_protocol::limits::VALUE_LEN_MAX,
        noreply in any::<bool>(),
    ) {
        let key = &key[..];
        let cas = if verb == StoreVerb::Cas { cas } else { 0 };
        let store = Store { verb, key, flags, exptime, value_len, cas, noreply };
        let out = written(|out| request::store_line(out, store));
        prop_assert_eq!(read(&out), Command::Store(store));
        for incr in [true, false] {
            let out = written(|out| match incr {
                true => request::incr(out, key, delta),
                false => request::decr(out, key, delta),
            });
            let arith = Arith { key, delta, incr, noreply: false };
            prop_assert_eq!(read(&out), Command::Arith(arith));
        }
        let out = written(|out| request::delete(out, key));
        prop_assert_eq!(read(&out), Command::Delete { key, noreply: false });
        let out = written(|out| request::touch(out, key, exptime));
        prop_assert_eq!(read(&out), Command::Touch { key, exptime, noreply: false });
    }

    #[test]
    fn the_server_reads_every_key_of_a_get(
        keys in prop::collection::vec(keys(), 1..20),
        verb in prop::sample::select(&[GetVerb::Get, GetVerb::Gets, GetVerb::Gat, GetVerb::Gats][..]),
        exptime in any::<i32>(),
    ) {
        let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let out = written(|out| match verb {
            GetVerb::Get => request::get(out, &keys),
            GetVerb::Gets => request::gets(out, &keys),
            GetVerb::Gat => request::gat(out, exptime, &keys),
            GetVerb::Gats => request::gats(out, exptime, &keys),
        });
        let Command::Get(Get { verb: read_verb, exptime: read_exptime, keys_at }) = read(&out) else {
            panic!("a get");
        };
        prop_assert_eq!(read_verb, verb);
        prop_assert_eq!(read_exptime, if verb.touches() { exptime } else { 0 });
        let mut at = keys_at;
        let mut found = Vec::new();
        while let Some((key, next)) = text::next_key(&out, at) {
            found.push(&out[key]);
            at = next;
        }
        prop_assert_eq!(found, keys);
    }

    #[test]
    fn the_client_reads_what_the_server_writes(
        key in keys(),
        flags in any::<u32>(),
        cas in any::<Option<u64>>(),
        value in prop::collection::vec(any::<u8>(), 0..100),
        number in any::<u64>(),
    ) {
        let mut out = Vec::new();
        let value_len = u32::try_from(value.len()).expect("short");
        reply::value_header(&mut out, key[..].into(), flags, value_len, cas);
        out.extend_from_slice(&value);
        out.extend_from_slice(reply::CRLF);
        let expect = if cas.is_some() { Expect::ValuesWithCas } else { Expect::Values };
        let expected = Reply::Value { key: &key, flags, cas, value: &value };
        prop_assert_eq!(decode(&out, expect), Ok(Step::Complete { len: out.len(), reply: expected }));

        let out = written(|out| reply::number(out, number));
        let expected = Step::Complete { len: out.len(), reply: Reply::Number(number) };
        prop_assert_eq!(decode(&out, Expect::Number), Ok(expected));
    }
}
