//! Where bytes come from and go to: TCP and Unix sockets.

use std::future::Future;
use std::io;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::node::Address;

/// A connected stream.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    /// Makes sure that dropping the stream discards what the other side has not received. A write whose caller was told
    /// that it failed must not arrive minutes later, when the network is back.
    fn discard_unsent(&self);
}

/// A connection that is being made.
pub(crate) type Connecting<'a> =
    Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send + 'a>>;

/// Makes connections.
pub(crate) trait Transport: Send + Sync {
    /// Connects to a node.
    fn connect<'a>(&'a self, address: &'a Address) -> Connecting<'a>;
}

/// Sockets.
pub(crate) struct Sockets;

impl Transport for Sockets {
    fn connect<'a>(&'a self, address: &'a Address) -> Connecting<'a> {
        Box::pin(async move {
            match address {
                Address::Unix(path) => connect_unix(path).await,
                Address::Tcp { host, port } => {
                    let stream = connect_tcp(host, *port).await?;
                    Ok(Box::new(stream) as Box<dyn Stream>)
                }
            }
        })
    }
}

pub(super) async fn connect_unix(path: &str) -> io::Result<Box<dyn Stream>> {
    Ok(Box::new(UnixStream::connect(path).await?))
}

pub(super) async fn connect_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Stream for TcpStream {
    fn discard_unsent(&self) {
        // A socket that refuses the option is gone already.
        let _ = self.set_zero_linger();
    }
}

impl Stream for UnixStream {
    /// The kernel hands a Unix socket's bytes over at once; none wait on this side.
    fn discard_unsent(&self) {}
}
