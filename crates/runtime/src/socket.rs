//! The one place that opens, reads and writes sockets, TCP and Unix alike.

use std::fs::{self, Permissions};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mio::event::Source;
use mio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use mio::{Interest, Registry, Token};
use rustls::ServerConfig;
use socket2::{Domain, Protocol, SockAddr, SockRef, Type};

use crate::config::Place;
use crate::passed::Passed;
use crate::tls::{ENCRYPT_BYTES, Fault, TlsSession};

/// A client's socket.
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<Tls>),
}

/// A TCP socket and the TLS that is spoken over it.
pub(crate) struct Tls {
    stream: TcpStream,
    session: TlsSession,
}

/// What came of a read.
pub(crate) enum Got {
    /// This many bytes, and whether there may be more. Of TLS there may be none: what came was for its own use.
    Bytes(usize, bool),
    /// Nothing for now; an event will tell of more.
    Nothing,
    /// The end: the other side has closed.
    End,
    /// The connection is broken.
    Broken(io::Error),
    /// TLS cannot go on.
    Faulty(Fault),
}

/// One read.
#[inline(always)]
fn read(stream: &mut impl Read, buf: &mut [u8]) -> Got {
    loop {
        return match stream.read(buf) {
            Ok(0) => Got::End,
            // A short read has emptied the socket: there is no need to be told so.
            Ok(n) => Got::Bytes(n, n == buf.len()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Got::Nothing,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Got::Broken(error),
        };
    }
}

/// One write. 0 if nothing can be written now; an event will tell when.
#[inline(always)]
fn write(stream: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
    loop {
        return match stream.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result,
        };
    }
}

impl Tls {
    /// One read, into the second half of `buf`; plain bytes are put into the first.
    #[inline(never)]
    fn read(&mut self, buf: &mut [u8]) -> Got {
        if self.session.has_ended() {
            return Got::End;
        }
        let (plain, records) = buf.split_at_mut(buf.len() / 2);
        let Some(unfinished) = self.session.put_unfinished(records) else {
            let in_handshake = self.session.is_handshaking();
            let what = "sent a message that is too long for TLS here".to_owned();
            return Got::Faulty(Fault { in_handshake, what });
        };
        let (len, more) = match read(&mut self.stream, &mut records[unfinished..]) {
            Got::Bytes(len, more) => (unfinished + len, more),
            other => return other,
        };
        let received = self.session.receive(&mut records[..len], plain);
        // What the handshake answers goes out at once. A broken socket is found out by the next read.
        let _ = self.pay();
        match received {
            Ok(len) => Got::Bytes(len, more || self.session.has_ended()),
            Err(fault) => Got::Faulty(fault),
        }
    }

    /// Writes what is owed, then encrypts and writes `bytes` as far as the socket takes them. What it was given of a
    /// record it owes; so all that is counted as written will be.
    #[inline(never)]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        while self.pay()? && written < bytes.len() {
            let piece = &bytes[written..bytes.len().min(written + ENCRYPT_BYTES)];
            if !self.session.encrypt(piece) {
                return Err(io::Error::other("TLS cannot encrypt any more"));
            }
            written += piece.len();
        }
        Ok(written)
    }

    /// Writes what is owed. True if nothing is left of it.
    fn pay(&mut self) -> io::Result<bool> {
        if !self.session.owed().is_empty() {
            let bytes = write(&mut self.stream, self.session.owed())?;
            self.session.sent(bytes);
        }
        Ok(self.session.owed().is_empty())
    }
}

impl Socket {
    /// One read.
    #[inline(always)]
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> Got {
        match self {
            Self::Tcp(stream) => read(stream, buf),
            Self::Unix(stream) => read(stream, buf),
            Self::Tls(tls) => tls.read(buf),
        }
    }

    /// The same socket, over which TLS is spoken from its first byte on. Unix sockets stay as they are.
    pub(crate) fn over_tls(self, config: &Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        match self {
            Self::Tcp(stream) => {
                let session = TlsSession::new(config)?;
                Ok(Self::Tls(Box::new(Tls { stream, session })))
            }
            other => Ok(other),
        }
    }

    /// Whether TLS owes the other side bytes that the socket has not taken.
    #[inline(always)]
    pub(crate) fn owes(&self) -> bool {
        match self {
            Self::Tls(tls) => !tls.session.owed().is_empty(),
            _ => false,
        }
    }

    /// Whether it is one that TLS is spoken over, and that is not done with its handshake.
    #[inline(always)]
    pub(crate) fn is_handshaking(&self) -> bool {
        match self {
            Self::Tls(tls) => tls.session.is_handshaking(),
            _ => false,
        }
    }

    /// Whether TLS is spoken over it.
    pub(crate) fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// The certificate that the other side has shown, in DER; an authority vouches for it.
    pub(crate) fn client_certificate(&self) -> Option<&[u8]> {
        match self {
            Self::Tls(tls) => tls.session.client_certificate(),
            _ => None,
        }
    }

    /// Whether a read wants the whole read buffer to itself.
    #[inline(always)]
    pub(crate) fn reads_alone(&self) -> bool {
        match self {
            Self::Tls(tls) => tls.session.unfinished_bytes() > 0 || tls.session.is_handshaking(),
            _ => false,
        }
    }

    /// Whether a record of TLS has come in part.
    pub(crate) fn has_unfinished_record(&self) -> bool {
        match self {
            Self::Tls(tls) => tls.session.unfinished_bytes() > 0,
            _ => false,
        }
    }

    /// Bytes of TLS's own buffers.
    pub(crate) fn buffer_bytes(&self) -> usize {
        match self {
            Self::Tls(tls) => tls.session.buffer_bytes(),
            _ => 0,
        }
    }

    /// Says, where TLS has words for it, that nothing more will come. One try.
    pub(crate) fn say_end(&mut self) {
        if let Self::Tls(tls) = self {
            tls.session.encrypt_end();
            // Whoever does not take it finds the end of the socket.
            let _ = tls.pay();
        }
    }

    /// One write, of TLS some if there is much. 0 if nothing can be written now; an event will tell when.
    #[inline]
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => write(stream, bytes),
            Self::Unix(stream) => write(stream, bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    /// The descriptor's number, for `stats conns`.
    pub(crate) fn fd(&self) -> i32 {
        match self {
            Self::Tcp(stream) => stream.as_raw_fd(),
            Self::Unix(stream) => stream.as_raw_fd(),
            Self::Tls(tls) => tls.stream.as_raw_fd(),
        }
    }
}

impl Source for Socket {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.register(registry, token, interests),
            Self::Unix(stream) => stream.register(registry, token, interests),
            Self::Tls(tls) => tls.stream.register(registry, token, interests),
        }
    }
    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.reregister(registry, token, interests),
            Self::Unix(stream) => stream.reregister(registry, token, interests),
            Self::Tls(tls) => tls.stream.reregister(registry, token, interests),
        }
    }
    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.deregister(registry),
            Self::Unix(stream) => stream.deregister(registry),
            Self::Tls(tls) => tls.stream.deregister(registry),
        }
    }
}

/// A listening socket. A Unix one leaves its file behind, as memcached does.
pub(crate) enum ListenSocket {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

/// A connection just accepted: its socket, the peer's address (none is a Unix socket's), the same as `stats conns` words it, and the address it came by.
pub(crate) struct Accepted {
    pub(crate) socket: Socket,
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) peer: String,
    pub(crate) local: String,
}

impl ListenSocket {
    /// Opens a socket to listen on.
    pub(crate) fn open(place: &Place, backlog: u32) -> io::Result<Self> {
        match place {
            Place::Tcp(addr) => {
                listen_tcp(*addr, backlog).map_err(|error| named(with_advice(error, *addr), addr))
            }
            Place::Unix { path, mask } => {
                listen_unix(path, *mask, backlog).map_err(|error| named(error, path.display()))
            }
            Place::Passed(passed) => {
                take_passed(passed).map_err(|error| named(error, "a socket that was passed on"))
            }
        }
    }

    /// The TCP address bound, with the port that the system chose.
    pub(crate) fn tcp_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }

    /// The address, as a person writes it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Tcp(listener) => listener
                .local_addr()
                .map_or_else(|_| "an unknown address".into(), |addr| addr.to_string()),
            Self::Unix(_, path) => path.display().to_string(),
        }
    }

    /// The descriptor and the address, as `stats conns` shows them.
    pub(crate) fn face(&self) -> (i32, String) {
        match self {
            Self::Tcp(listener) => (
                listener.as_raw_fd(),
                listener
                    .local_addr()
                    .map_or_else(|_| "tcp:".into(), tcp_name),
            ),
            Self::Unix(listener, path) => {
                (listener.as_raw_fd(), format!("unix:{}", path.display()))
            }
        }
    }

    /// Accepts one connection.
    pub(crate) fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, addr) = listener.accept()?;
                // A peer that is gone already is found out by the first read.
                let _ = stream.set_nodelay(true);
                let _ = SockRef::from(&stream).set_keepalive(true);
                let local = stream.local_addr().map_or_else(|_| "tcp:".into(), tcp_name);
                Ok(Accepted {
                    socket: Socket::Tcp(stream),
                    remote: Some(addr),
                    peer: tcp_name(addr),
                    local,
                })
            }
            Self::Unix(listener, path) => {
                let (stream, _) = listener.accept()?;
                let name = format!("unix:{}", path.display());
                Ok(Accepted {
                    socket: Socket::Unix(stream),
                    remote: None,
                    peer: name.clone(),
                    local: name,
                })
            }
        }
    }
}

impl Source for ListenSocket {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => listener.register(registry, token, interests),
            Self::Unix(listener, _) => listener.register(registry, token, interests),
        }
    }
    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => listener.reregister(registry, token, interests),
            Self::Unix(listener, _) => listener.reregister(registry, token, interests),
        }
    }
    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => listener.deregister(registry),
            Self::Unix(listener, _) => listener.deregister(registry),
        }
    }
}

fn named(error: io::Error, what: impl std::fmt::Display) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on {what}: {error}"))
}

/// The system's error at a TCP address, and what can be done about it.
fn with_advice(error: io::Error, addr: SocketAddr) -> io::Error {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there; end it, or take another port",
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address (`ip addr` shows its own)"
        }
        io::ErrorKind::PermissionDenied if addr.port() < 1024 => {
            let why = "ports below 1024 are root's, and it is not root: take another, or let systemd open it \
                       (larderd.socket)";
            return io::Error::new(error.kind(), why);
        }
        _ => return error,
    };
    io::Error::new(error.kind(), format!("{error}: {advice}"))
}

fn tcp_name(addr: SocketAddr) -> String {
    match addr {
        SocketAddr::V4(addr) => format!("tcp:{addr}"),
        SocketAddr::V6(addr) => format!("tcp6:{addr}"),
    }
}

fn listen_tcp(addr: SocketAddr, backlog: u32) -> io::Result<ListenSocket> {
    let socket = socket2::Socket::new(
        Domain::for_address(addr),
        Type::STREAM.nonblocking(),
        Some(Protocol::TCP),
    )?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    socket.listen(backlog.min(i32::MAX as u32) as i32)?;
    Ok(ListenSocket::Tcp(TcpListener::from_std(socket.into())))
}

fn listen_unix(path: &Path, mask: u32, backlog: u32) -> io::Result<ListenSocket> {
    remove_stale(path)?;
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    fs::set_permissions(path, Permissions::from_mode(mask))?;
    socket.listen(backlog.min(i32::MAX as u32) as i32)?;
    Ok(ListenSocket::Unix(
        UnixListener::from_std(socket.into()),
        path.to_owned(),
    ))
}

/// Its queue is as long as whoever opened it has made it.
fn take_passed(passed: &Passed) -> io::Result<ListenSocket> {
    let listens = match passed {
        Passed::Tcp(listener) => SockRef::from(listener).is_listener()?,
        Passed::Unix(listener) => SockRef::from(listener).is_listener()?,
    };
    if !listens {
        let why = "it is a connection: the unit of the socket needs Accept=no";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    match passed {
        Passed::Tcp(listener) => {
            listener.set_nonblocking(true)?;
            Ok(ListenSocket::Tcp(TcpListener::from_std(
                listener.try_clone()?,
            )))
        }
        Passed::Unix(listener) => {
            listener.set_nonblocking(true)?;
            let path = passed.unix_path().unwrap_or_default();
            let listener = UnixListener::from_std(listener.try_clone()?);
            Ok(ListenSocket::Unix(listener, path))
        }
    }
}

/// Removes a socket that an earlier process has left behind. One where somebody answers is kept, and so is a file of any
/// other kind, to which binding then fails.
fn remove_stale(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        return Ok(());
    }
    let caller = socket2::Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    match caller.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        // A full queue is somebody's, too.
        _ => Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "another process answers there; end it, or listen elsewhere",
        )),
    }
}

/// Whether an accept failed because the process or the system has no descriptor left.
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    // EMFILE and ENFILE: std has no ErrorKind for them.
    matches!(error.raw_os_error(), Some(24 | 23))
}
