//! The first words on a connection: who we are, and what the server speaks.
//!
//! Both are sent in one write. Their answers prove besides that a memcached server is at the other end: a connection on
//! which anything else comes back is of no use.

use bytes::{Buf, BytesMut};
use larder_protocol::client::{
    Code, Expect, Reply, ReplyFlags, ServerError, Step, decode, meta, request,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Fault;
use super::transport::Stream;
use crate::wire::Dialect;

/// A user and a password for servers that ask for them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({}, …)", self.user)
    }
}

/// Asked for with `mg`, to see whether the server knows that command. Nobody stores it.
const PROBE_KEY: &[u8] = b"larder:hello";
const PROBE_OPAQUE: u32 = 1_481_616;

/// Says who we are, and finds out which dialect the server speaks; `is_classic` says that it is not to be asked for
/// meta commands.
pub(crate) async fn greet(
    stream: &mut Box<dyn Stream>,
    credentials: Option<&Credentials>,
    is_classic: bool,
) -> Result<Dialect, Fault> {
    let mut out = Vec::new();
    if let Some(Credentials { user, password }) = credentials {
        request::authenticate(&mut out, user, password);
    }
    match is_classic {
        true => request::version(&mut out),
        false => meta::Get {
            key: PROBE_KEY,
            opaque: PROBE_OPAQUE,
            no_value: true,
            ..meta::Get::default()
        }
        .encode(&mut out),
    }
    let io = |error: std::io::Error| Fault::hard(format!("the connection ended: {error}"));
    stream.write_all(&out).await.map_err(io)?;
    stream.flush().await.map_err(io)?;
    let mut input = BytesMut::new();
    if credentials.is_some() {
        let verdict = read(stream, &mut input, Expect::Store, |reply| match reply {
            Reply::Stored => Ok(()),
            other => Err(refusal(other, credentials)),
        });
        verdict.await?;
    }
    let expect = match is_classic {
        true => Expect::Version,
        false => Expect::Meta,
    };
    read(stream, &mut input, expect, |reply| match reply {
        Reply::Version(_) => Ok(Dialect::Classic),
        Reply::Meta {
            code: Code::En | Code::Hd,
            flags,
            ..
        } if flags.is_for(PROBE_OPAQUE) => Ok(Dialect::Meta),
        // The first releases of 1.6 say nothing but EN to a miss. Where replies cannot be told apart, meta commands are
        // of no use.
        Reply::Meta {
            code: Code::En,
            flags: ReplyFlags { opaque: None, .. },
            ..
        } => Ok(Dialect::Classic),
        // larderd knows the command, and the key is none that we may name.
        Reply::Error(ServerError::Client(b"permission denied")) => Ok(Dialect::Meta),
        Reply::Error(ServerError::Unknown(b"")) => Ok(Dialect::Classic),
        other => Err(refusal(other, credentials)),
    })
    .await
}

/// Why the server does not let us in, and what can be done about it.
fn refusal(reply: Reply<'_>, credentials: Option<&Credentials>) -> Fault {
    let Reply::Error(
        ServerError::Unknown(text) | ServerError::Client(text) | ServerError::Server(text),
    ) = reply
    else {
        return Fault::hard("not a memcached server: it answers what was not asked");
    };
    let what = match (text, credentials) {
        // memcached forgets the first of these words when a command follows the credentials, and then says the second.
        (
            b"authentication failure" | b"unauthenticated" | b"bad authentication token format",
            Some(_),
        ) => "the user and password were refused; they must stand in the node's users file (-Y)",
        (b"unauthenticated", None) => {
            "it asks for a user and a password; give those of a line in its users file (-Y)"
        }
        _ => "the server takes no commands from us",
    };
    Fault::hard(format!("{what}: {}", text.escape_ascii()))
}

/// Reads one reply and judges it.
async fn read<T>(
    stream: &mut Box<dyn Stream>,
    input: &mut BytesMut,
    expect: Expect,
    judge: impl Fn(Reply<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    loop {
        match decode(input, expect).map_err(|broken| Fault::broken(&broken))? {
            Step::Complete { len, reply } => {
                let verdict = judge(reply)?;
                input.advance(len);
                return Ok(verdict);
            }
            Step::Incomplete { .. } => {
                let read = stream.read_buf(input).await;
                match read {
                    Ok(0) => return Err(Fault::hard("the server closed the connection")),
                    Ok(_) => {}
                    Err(error) => {
                        return Err(Fault::hard(format!("the connection ended: {error}")));
                    }
                }
            }
        }
    }
}
