//! One line of a watch: what it tells, word by word as memcached has it.

use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;

use larder_protocol::text::{Stream, uri_encode};

/// What a line tells, but for when.
pub(crate) enum Entry<'a> {
    /// An item was looked for.
    Get {
        key: &'a [u8],
        status: &'static str,
        class: u8,
        cfd: i32,
        size: u32,
    },
    /// An item was stored, or was not.
    Store {
        key: &'a [u8],
        status: &'static str,
        cmd: &'static str,
        ttl_s: u32,
        class: u8,
        cfd: i32,
        size: u32,
    },
    /// A live item had to make room.
    Eviction {
        key: &'a [u8],
        fetched: bool,
        /// -1 is for ever.
        ttl_s: i64,
        idle_s: u32,
        class: u8,
        size: u32,
    },
    /// An item was deleted by a client.
    Deleted {
        key: &'a [u8],
        cmd: &'static str,
        class: u8,
        size: u32,
    },
    /// A connection was taken in.
    ConnNew { remote: Remote, cfd: i32 },
    /// A connection is closed.
    ConnClose {
        remote: Remote,
        reason: &'static str,
        cfd: i32,
    },
    /// A TLS connection did not come about, or broke.
    ConnTlsErr { cfd: i32, msg: &'a str },
    /// A page went from one slab class to another.
    SlabMove { from: u8, to: u8 },
}

/// The other side of a connection; `None` is a Unix socket's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Remote(pub(crate) Option<SocketAddr>);

impl Entry<'_> {
    /// The stream that the line belongs to.
    pub(crate) fn stream(&self) -> Stream {
        match self {
            Self::Get { .. } => Stream::Fetchers,
            Self::Store { .. } => Stream::Mutations,
            Self::Eviction { .. } => Stream::Evictions,
            Self::Deleted { .. } => Stream::Deletions,
            Self::ConnNew { .. } | Self::ConnClose { .. } | Self::ConnTlsErr { .. } => {
                Stream::Connevents
            }
            Self::SlabMove { .. } => Stream::Sysevents,
        }
    }
}

impl Display for Entry<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Get {
                key,
                status,
                class,
                cfd,
                size,
            } => {
                let key = Uri(key);
                write!(
                    f,
                    "type=item_get key={key} status={status} clsid={class} cfd={cfd} size={size}"
                )
            }
            Self::Store {
                key,
                status,
                cmd,
                ttl_s,
                class,
                cfd,
                size,
            } => {
                let key = Uri(key);
                write!(f, "type=item_store key={key} status={status} cmd={cmd} ")?;
                write!(f, "ttl={ttl_s} clsid={class} cfd={cfd} size={size}")
            }
            Self::Eviction {
                key,
                fetched,
                ttl_s,
                idle_s,
                class,
                size,
            } => {
                let (key, fetch) = (Uri(key), if fetched { "yes" } else { "no" });
                write!(f, "type=eviction key={key} fetch={fetch} ttl={ttl_s} ")?;
                write!(f, "la={idle_s} clsid={class} size={size}")
            }
            Self::Deleted {
                key,
                cmd,
                class,
                size,
            } => {
                let key = Uri(key);
                write!(
                    f,
                    "type=deleted key={key} cmd={cmd} clsid={class} size={size}"
                )
            }
            Self::ConnNew { remote, cfd } => write!(f, "type=conn_new {remote} cfd={cfd}"),
            Self::ConnClose {
                remote,
                reason,
                cfd,
            } => write!(f, "type=conn_close {remote} reason={reason} cfd={cfd}"),
            Self::ConnTlsErr { cfd, msg } => write!(f, "type=conntlserr fd={cfd} msg={msg}"),
            Self::SlabMove { from, to } => {
                write!(f, "type=slab_move src={from} dst={to} state=ok")
            }
        }
    }
}

impl Display for Remote {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(addr) => write!(f, "rip={} rport={} transport=tcp", addr.ip(), addr.port()),
            None => f.write_str("rip=unix rport=0 transport=local"),
        }
    }
}

/// A key as it stands in a URI: a line stays a line, and its words stay words, whatever the key.
struct Uri<'a>(&'a [u8]);

impl Display for Uri<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(self.0.len());
        uri_encode(&mut text, self.0);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(entry: &Entry<'_>, stream: Stream, line: &str) {
        assert_eq!(entry.to_string(), line);
        assert_eq!(entry.stream(), stream);
    }

    #[test]
    fn items() {
        let (class, cfd, size) = (5, 16, 100);
        check(
            &Entry::Get {
                key: b"a",
                status: "not_found",
                class: 0,
                cfd,
                size: 0,
            },
            Stream::Fetchers,
            "type=item_get key=a status=not_found clsid=0 cfd=16 size=0",
        );
        check(
            &Entry::Store {
                key: b"a",
                status: "stored",
                cmd: "set",
                ttl_s: 60,
                class,
                cfd,
                size,
            },
            Stream::Mutations,
            "type=item_store key=a status=stored cmd=set ttl=60 clsid=5 cfd=16 size=100",
        );
        check(
            &Entry::Eviction {
                key: b"a",
                fetched: true,
                ttl_s: -1,
                idle_s: 3,
                class,
                size,
            },
            Stream::Evictions,
            "type=eviction key=a fetch=yes ttl=-1 la=3 clsid=5 size=100",
        );
        check(
            &Entry::Deleted {
                key: b"a",
                cmd: "delete",
                class,
                size,
            },
            Stream::Deletions,
            "type=deleted key=a cmd=delete clsid=5 size=100",
        );
        check(
            &Entry::SlabMove { from: 3, to: 5 },
            Stream::Sysevents,
            "type=slab_move src=3 dst=5 state=ok",
        );
    }

    #[test]
    fn connections() {
        let remote = Remote("127.0.0.1:4711".parse().ok());
        check(
            &Entry::ConnNew { remote, cfd: 16 },
            Stream::Connevents,
            "type=conn_new rip=127.0.0.1 rport=4711 transport=tcp cfd=16",
        );
        let remote = Remote("[::1]:4711".parse().ok());
        check(
            &Entry::ConnClose {
                remote,
                reason: "idle_timeout",
                cfd: 16,
            },
            Stream::Connevents,
            "type=conn_close rip=::1 rport=4711 transport=tcp reason=idle_timeout cfd=16",
        );
        check(
            &Entry::ConnNew {
                remote: Remote(None),
                cfd: 16,
            },
            Stream::Connevents,
            "type=conn_new rip=unix rport=0 transport=local cfd=16",
        );
    }

    #[test]
    fn keys_are_encoded() {
        assert_eq!(
            Uri(b"a\x00\n \x7f\xff/~").to_string(),
            "a%00%0A%20%7F%FF%2F~"
        );
    }
}
