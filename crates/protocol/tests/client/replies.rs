//! What memcached 1.6.18 answers, byte for byte as it came, and what must be refused.

use larder_protocol::client::{Code, Expect, Reply, ReplyFlags, ServerError, Step, decode};

/// Replies as memcached sent them, and what was asked.
pub(crate) const REPLIES: &[(Expect, &[u8])] = &[
    (Expect::Mn, b"MN\r\n"),
    (Expect::Meta, b"EN O1\r\n"),
    (Expect::Meta, b"EN knosuch O1\r\n"),
    (Expect::Meta, b"EN kYQ== b O1\r\n"),
    (Expect::Meta, b"HD c1 O2\r\n"),
    (Expect::Meta, b"HD\r\n"),
    (Expect::Meta, b"VA 3 s3 c1 f7 t-1 ka O3 h0 l0\r\nabc\r\n"),
    (Expect::Meta, b"VA 5 c4 O6 X W\r\nabcxx\r\n"),
    (Expect::Meta, b"VA 5 c4 O6 Z X\r\nabcxx\r\n"),
    (Expect::Meta, b"VA 0 c5 t30 O7 W\r\n\r\n"),
    (Expect::Meta, b"VA 1 O8 c6 t-1\r\n5\r\n"),
    (Expect::Meta, b"NS O4\r\n"),
    (Expect::Meta, b"NF O4 kzz\r\n"),
    (Expect::Meta, b"EX O4 c0\r\n"),
    (
        Expect::Meta,
        b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n",
    ),
    (Expect::Values, b"VALUE viv 0 0\r\n\r\nEND\r\n"),
    (
        Expect::ValuesWithCas,
        b"VALUE n 0 1 9\r\n1\r\nVALUE viv 0 0 5\r\n\r\nEND\r\n",
    ),
    (Expect::Values, b"VALUE a 7 4\r\n\r\n\r\n\r\nEND\r\n"),
    (
        Expect::Values,
        b"SERVER_ERROR out of memory writing get response\r\n",
    ),
    (Expect::Store, b"STORED\r\n"),
    (Expect::Store, b"NOT_STORED\r\n"),
    (Expect::Store, b"EXISTS\r\n"),
    (Expect::Store, b"NOT_FOUND\r\n"),
    (
        Expect::Store,
        b"SERVER_ERROR object too large for cache\r\n",
    ),
    (Expect::Number, b"18446744073709551615\r\n"),
    (Expect::Number, b"NOT_FOUND\r\n"),
    (Expect::Delete, b"DELETED\r\n"),
    (Expect::Touch, b"TOUCHED\r\n"),
    (Expect::Ok, b"OK\r\n"),
    (Expect::Version, b"VERSION 1.6.18\r\n"),
    (
        Expect::Stats,
        b"STAT pid 1\r\nSTAT ssl_ca_cert \r\nSTAT libevent 2.1.12 stable\r\nEND\r\n",
    ),
    (Expect::Stats, b"RESET\r\n"),
    (Expect::Stats, b"ERROR\r\n"),
    (
        Expect::Config,
        b"CONFIG cluster 0 47\r\n12\nnode-a|10.0.0.1|11211 node-b|10.0.0.2|11211\n\r\nEND\r\n",
    ),
];

/// Takes the one reply that `buf` is.
#[track_caller]
fn whole(expect: Expect, buf: &[u8]) -> Reply<'_> {
    match decode(buf, expect).expect("a reply") {
        Step::Complete { len, reply } if len == buf.len() => reply,
        other => panic!("{}: {other:?}", buf.escape_ascii()),
    }
}

#[test]
fn what_they_say() {
    assert_eq!(
        whole(Expect::Meta, b"VA 3 s3 c1 f7 t-1 ka O3 h0 l9\r\nabc\r\n"),
        Reply::Meta {
            code: Code::Va,
            flags: ReplyFlags {
                opaque: Some(b"3"),
                key: Some(b"a"),
                cas: Some(1),
                client_flags: Some(7),
                value_len: Some(3),
                ttl: Some(-1),
                was_fetched: Some(false),
                last_access_s: Some(9),
                ..ReplyFlags::default()
            },
            value: Some(b"abc"),
        }
    );
    assert_eq!(
        whole(Expect::ValuesWithCas, b"VALUE viv 1 2 5\r\n\r\n\r\n"),
        Reply::Value {
            key: b"viv",
            flags: 1,
            cas: Some(5),
            value: b"\r\n",
        }
    );
    assert_eq!(
        whole(Expect::Stats, b"STAT libevent 2.1.12 stable\r\n"),
        Reply::Stat {
            name: b"libevent",
            value: b"2.1.12 stable"
        }
    );
    assert_eq!(
        whole(Expect::Store, b"ERROR Too many open connections\r\n"),
        Reply::Error(ServerError::Unknown(b"Too many open connections"))
    );
    assert_eq!(
        whole(Expect::Ok, b"SERVER_ERROR: shutdown not enabled\r\n"),
        Reply::Error(ServerError::Server(b"shutdown not enabled"))
    );
}

#[test]
fn an_opaque_is_compared_whole() {
    let flags = |opaque| ReplyFlags {
        opaque,
        ..ReplyFlags::default()
    };
    assert!(flags(Some(&b"12"[..])).is_for(12));
    for other in [Some(&b"1"[..]), Some(b"120"), Some(b"x12"), Some(b""), None] {
        assert!(!flags(other).is_for(12), "{other:?}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    for (expect, bytes) in [
        (Expect::Store, &b"HD\r\n"[..]),
        (Expect::Store, b"DELETED\r\n"),
        (Expect::Store, b"STORED\n"),
        (Expect::Store, b"STORED \r\n"),
        (Expect::Store, b"stored\r\n"),
        (Expect::Store, b"ERRORS\r\n"),
        (Expect::Store, b"\r\n"),
        (Expect::Delete, b"END\r\n"),
        (Expect::Touch, b"DELETED\r\n"),
        (Expect::Ok, b"OK 1\r\n"),
        (Expect::Mn, b"EN\r\n"),
        (Expect::Number, b"\r\n"),
        (Expect::Number, b"-1\r\n"),
        (Expect::Number, b"1 \r\n"),
        (Expect::Number, b"18446744073709551616\r\n"),
        (Expect::Version, b"1.6.18\r\n"),
        (Expect::Stats, b"STAT\r\n"),
        (Expect::Stats, b"STAT  1\r\n"),
        (Expect::Values, b"STORED\r\n"),
        (Expect::Values, b"VALUE a 0 1 5\r\nx\r\n"),
        (Expect::Values, b"VALUE a 0\r\n"),
        (Expect::Values, b"VALUE a  0 1\r\nx\r\n"),
        (Expect::Values, b"VALUE a 0 -1\r\n"),
        (Expect::Values, b"VALUE a 4294967296 1\r\nx\r\n"),
        (Expect::Values, b"VALUE a 0 2147483646\r\n"),
        (Expect::Values, b"VALUE a 0 1\r\nxy\r\n"),
        (Expect::Values, b"VALUE a 0 2\r\nx\r\n\r"),
        (Expect::ValuesWithCas, b"VALUE a 0 1\r\nx\r\n"),
        (Expect::Meta, b"HD c1 c1\r\n"),
        (Expect::Meta, b"HD  c1\r\n"),
        (Expect::Meta, b"HD !\r\n"),
        (Expect::Meta, b"HD c\r\n"),
        (Expect::Meta, b"HD t-2\r\n"),
        (Expect::Meta, b"HD h2\r\n"),
        (Expect::Meta, b"HD Wx\r\n"),
        (Expect::Meta, b"HD W W\r\n"),
        (Expect::Meta, b"VA\r\n"),
        (Expect::Meta, b"VA c1\r\n"),
        (Expect::Meta, b"STORED\r\n"),
        (Expect::Config, b"CONFIG cluster 0\r\n"),
    ] {
        assert!(decode(bytes, expect).is_err(), "{}", bytes.escape_ascii());
    }
    let endless = vec![b'x'; larder_protocol::limits::REPLY_LINE_MAX];
    assert!(decode(&endless, Expect::Version).is_err());
    assert!(matches!(
        decode(&endless[1..], Expect::Version),
        Ok(Step::Incomplete { .. })
    ));
}
