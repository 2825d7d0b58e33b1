//! A client that speaks TLS by rustls.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion, RootCertStore, StreamOwned,
    SupportedProtocolVersion,
};

use crate::authority::{Authority, Pair};

/// Longest that one read or write may stand still.
const STALL_MAX: Duration = Duration::from_secs(20);

pub(crate) const ONLY_12: &[&SupportedProtocolVersion] = &[&TLS12];
pub(crate) const ONLY_13: &[&SupportedProtocolVersion] = &[&TLS13];

/// How to connect; who uses it twice comes back to the session of the first time, if the server lets him.
pub(crate) fn config(
    authority: &Authority,
    versions: &[&'static SupportedProtocolVersion],
    own: Option<&Pair>,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate()).expect("a certificate");
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots);
    Arc::new(match own {
        None => builder.with_no_client_auth(),
        Some(pair) => builder
            .with_client_auth_cert(pair.certificates(), pair.private_key())
            .expect("our own pair"),
    })
}

/// One connection.
pub(crate) struct TlsConn {
    stream: StreamOwned<ClientConnection, TcpStream>,
}

impl TlsConn {
    /// Connects, and says `mn` to be sure that it has come in: in TLS 1.3 the server may refuse after the client's end of
    /// the handshake.
    pub(crate) fn try_open(addr: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let mut conn = Self::try_open_silent(addr, config)?;
        conn.stream.write_all(b"mn\r\n")?;
        let mut answer = [0; 4];
        conn.stream.read_exact(&mut answer)?;
        assert_eq!(&answer, b"MN\r\n");
        Ok(conn)
    }

    fn try_open_silent(addr: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let tcp = TcpStream::connect_timeout(&addr, STALL_MAX)?;
        tcp.set_read_timeout(Some(STALL_MAX))?;
        tcp.set_write_timeout(Some(STALL_MAX))?;
        tcp.set_nodelay(true)?;
        let name = addr.ip().into();
        let tls = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        Ok(Self {
            stream: StreamOwned::new(tls, tcp),
        })
    }

    /// Connects and says nothing.
    pub(crate) fn open_silent(addr: SocketAddr, config: &Arc<ClientConfig>) -> Self {
        Self::try_open_silent(addr, config).expect("a connection")
    }

    pub(crate) fn open(addr: SocketAddr, config: &Arc<ClientConfig>) -> Self {
        Self::try_open(addr, config).expect("a TLS connection")
    }

    pub(crate) fn version(&self) -> Option<ProtocolVersion> {
        self.stream.conn.protocol_version()
    }

    pub(crate) fn resumed(&self) -> bool {
        self.stream.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// The certificate that the server has shown.
    pub(crate) fn server_certificate(&self) -> Vec<u8> {
        self.stream.conn.peer_certificates().expect("a certificate")[0].to_vec()
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("sent");
    }

    /// Sends bytes that are no records, or not whole ones.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.sock.write_all(bytes).expect("sent");
    }

    pub(crate) fn exactly(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.stream.read_exact(&mut bytes).expect("an answer");
        bytes
    }

    /// One line, without its end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.extend(self.exactly(1));
        }
        line.truncate(line.len() - 2);
        String::from_utf8(line).expect("text")
    }

    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes());
        self.line()
    }

    /// One row of `stats`, or of one of its groups.
    pub(crate) fn stat(&mut self, group: &str, name: &str) -> String {
        self.send(format!("stats{group}\r\n").as_bytes());
        let mut value = None;
        loop {
            let line = self.line();
            if line == "END" {
                return value.unwrap_or_else(|| panic!("no row {name}"));
            }
            if let Some(text) = line.strip_prefix(&format!("STAT {name} ")) {
                value = Some(text.to_owned());
            }
        }
    }

    pub(crate) fn set(&mut self, key: &str, value: &[u8]) {
        self.send(
            &[
                format!("set {key} 0 0 {}\r\n", value.len()).as_bytes(),
                value,
                b"\r\n",
            ]
            .concat(),
        );
        assert_eq!(self.line(), "STORED");
    }

    pub(crate) fn get(&mut self, key: &str, len: usize) -> Vec<u8> {
        assert_eq!(
            self.ask(&format!("get {key}")),
            format!("VALUE {key} 0 {len}")
        );
        let value = self.exactly(len);
        assert_eq!(self.exactly(7), b"\r\nEND\r\n");
        value
    }

    /// Reads to the end, which must be TLS's own; false if the connection just ended.
    pub(crate) fn ends_clean(&mut self) -> bool {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).is_ok()
    }
}
