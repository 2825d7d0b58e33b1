//! Where a server listens, and sockets to it: TCP, TLS or a Unix socket, waited for or with a
//! loop.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mio::event::Source;
use mio::{Interest, Registry, Token};
use rustls::{ClientConnection, StreamOwned};

use crate::tls::{TlsClient, TlsSocket};

/// A server's address.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Endpoint {
    /// `host:port`
    Tcp(String),
    /// `host:port`, where TLS is spoken.
    Tls(String, TlsClient),
    /// A path, which has a slash in it.
    Unix(PathBuf),
}

impl FromStr for Endpoint {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.contains('/') {
            return Ok(Self::Unix(text.into()));
        }
        let (_, port) = text
            .rsplit_once(':')
            .context("a server is HOST:PORT, or the path of a Unix socket")?;
        port.parse::<u16>()
            .with_context(|| format!("{port:?} is not a port"))?;
        Ok(Self::Tcp(text.to_owned()))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) | Self::Tls(address, _) => f.write_str(address),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Endpoint {
    /// The same place, spoken to by TLS. Unix sockets stay as they are.
    pub(crate) fn over_tls(self, client: TlsClient) -> Self {
        match self {
            Self::Tcp(address) => Self::Tls(address, client),
            other => other,
        }
    }

    /// A socket whose calls wait.
    pub(crate) fn connect(&self) -> Result<BlockingSocket> {
        let socket = match self {
            Self::Tcp(address) => connect_tcp(address).map(BlockingSocket::Tcp),
            Self::Tls(address, client) => connect_tcp(address).and_then(|stream| {
                let host = address
                    .rsplit_once(':')
                    .map_or(&**address, |(host, _)| host);
                let connected = client.speak(host.trim_matches(['[', ']']), stream)?;
                Ok(BlockingSocket::Tls(Box::new(connected)))
            }),
            Self::Unix(path) => UnixStream::connect(path).map(BlockingSocket::Unix),
        };
        socket.with_context(|| format!("cannot connect to {self}"))
    }

    /// Connects and makes sure that somebody answers: it is not only the kernel that takes connections.
    pub(crate) fn greet(&self) -> Result<()> {
        let mut socket = self.connect()?;
        let patience = Some(Duration::from_secs(2));
        match &socket {
            BlockingSocket::Tcp(stream) => stream.set_read_timeout(patience)?,
            BlockingSocket::Tls(tls) => tls.sock.set_read_timeout(patience)?,
            BlockingSocket::Unix(stream) => stream.set_read_timeout(patience)?,
        }
        socket
            .write_all(b"version\r\n")
            .with_context(|| format!("cannot write to {self}"))?;
        let bytes = socket
            .read(&mut [0; 100])
            .with_context(|| format!("cannot read from {self}"))?;
        ensure!(bytes > 0, "{self} closes connections at once");
        Ok(())
    }

    /// A socket for a loop.
    pub(crate) fn connect_for_loop(&self) -> Result<LoopSocket> {
        Ok(match self.connect()? {
            BlockingSocket::Tcp(stream) => {
                stream.set_nonblocking(true)?;
                LoopSocket::Tcp(mio::net::TcpStream::from_std(stream))
            }
            BlockingSocket::Tls(tls) => LoopSocket::Tls(Box::new(TlsSocket::new(*tls)?)),
            BlockingSocket::Unix(stream) => {
                stream.set_nonblocking(true)?;
                LoopSocket::Unix(mio::net::UnixStream::from_std(stream))
            }
        })
    }
}

fn connect_tcp(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect(address) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A socket that is waited on.
#[derive(Debug)]
pub(crate) enum BlockingSocket {
    /// To `host:port`.
    Tcp(TcpStream),
    /// The same, over TLS.
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    /// To a path.
    Unix(UnixStream),
}

impl Read for BlockingSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for BlockingSocket {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(buffer),
            Self::Tls(tls) => tls.write(buffer),
            Self::Unix(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A socket that a loop watches.
#[derive(Debug)]
pub(crate) enum LoopSocket {
    /// To `host:port`.
    Tcp(mio::net::TcpStream),
    /// The same, over TLS.
    Tls(Box<TlsSocket>),
    /// To a path.
    Unix(mio::net::UnixStream),
}

impl Read for LoopSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for LoopSocket {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(buffer),
            Self::Tls(tls) => tls.write(buffer),
            Self::Unix(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl LoopSocket {
    fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Tcp(stream) => stream,
            Self::Tls(tls) => tls.stream(),
            Self::Unix(stream) => stream,
        }
    }

    /// Watches for both directions; mio tells of each change once.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.source()
            .register(registry, token, Interest::READABLE | Interest::WRITABLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_makes_a_path() {
        assert_eq!(
            "/run/m.sock".parse::<Endpoint>().unwrap(),
            Endpoint::Unix("/run/m.sock".into())
        );
        assert_eq!(
            "[::1]:11211".parse::<Endpoint>().unwrap(),
            Endpoint::Tcp("[::1]:11211".into())
        );
        for wrong in ["localhost", "localhost:http", "localhost:70000"] {
            assert!(
                wrong.parse::<Endpoint>().is_err(),
                "{wrong} should be refused"
            );
        }
    }
}
