//! TLS 1.3 on the load's side: a certificate for each server that is started, and sockets that speak it.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::TLS13;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// How long a handshake may stand still.
const HANDSHAKE_STALL: Duration = Duration::from_secs(10);

/// How servers are spoken to by TLS.
#[derive(Clone, Debug)]
pub(crate) struct TlsClient(Arc<ClientConfig>);

impl PartialEq for TlsClient {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl TlsClient {
    /// One that believes servers whose certificates this file (PEM) vouches for.
    pub(crate) fn trusting(path: &Path) -> Result<Self> {
        let named = || format!("cannot take certificates from {}", path.display());
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(path).with_context(named)? {
            roots.add(certificate.with_context(named)?)?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    /// Shakes hands over a socket whose calls wait.
    pub(crate) fn speak(
        &self,
        host: &str,
        mut stream: TcpStream,
    ) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let mut tls = ClientConnection::new(Arc::clone(&self.0), name).map_err(io::Error::other)?;
        stream.set_read_timeout(Some(HANDSHAKE_STALL))?;
        while tls.is_handshaking() {
            tls.complete_io(&mut stream)?;
        }
        stream.set_read_timeout(None)?;
        Ok(StreamOwned::new(tls, stream))
    }
}

/// Makes a certificate for a server on this machine, which vouches for itself: `cert.pem` and `key.pem` in a folder.
/// Whoever the server has become may read them.
pub(crate) fn make_certificate(folder: &Path) -> Result<()> {
    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).context("cannot make a certificate")?;
    let files = [
        ("cert.pem", made.cert.pem()),
        ("key.pem", made.signing_key.serialize_pem()),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        fs::write(&path, text).context("cannot write a certificate")?;
        fs::set_permissions(&path, Permissions::from_mode(0o644))?;
    }
    Ok(())
}

/// A socket that a loop watches, and the TLS over it.
#[derive(Debug)]
pub(crate) struct TlsSocket {
    tls: ClientConnection,
    stream: mio::net::TcpStream,
}

impl TlsSocket {
    /// Of a connection that has shaken hands; its socket's calls do not wait any more.
    pub(crate) fn new(connected: StreamOwned<ClientConnection, TcpStream>) -> io::Result<Self> {
        let (tls, stream) = connected.into_parts();
        stream.set_nonblocking(true)?;
        Ok(Self {
            tls,
            stream: mio::net::TcpStream::from_std(stream),
        })
    }

    pub(crate) fn stream(&mut self) -> &mut mio::net::TcpStream {
        &mut self.stream
    }

    /// Sends records as far as the socket takes them; the rest goes with the next call.
    fn pay(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.stream) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => {
                    result?;
                }
            }
        }
        Ok(())
    }
}

impl Read for TlsSocket {
    /// As a plain socket's: bytes that leave room in the buffer have drained it.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.pay()?;
        let mut len = 0;
        while len < buffer.len() {
            match self.tls.reader().read(&mut buffer[len..]) {
                Ok(0) => break,
                Ok(bytes) => {
                    len += bytes;
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            match self.tls.read_tls(&mut self.stream) {
                Ok(0) => break,
                Ok(_) => {
                    self.tls.process_new_packets().map_err(io::Error::other)?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock && len > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(len)
    }
}

impl Write for TlsSocket {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.pay()?;
        let bytes = self.tls.writer().write(buffer)?;
        self.pay()?;
        match bytes {
            0 if !buffer.is_empty() => Err(ErrorKind::WouldBlock.into()),
            bytes => Ok(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pay()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use rustls::pki_types::PrivateKeyDer;
    use rustls::{ServerConfig, ServerConnection};

    use super::*;
    use crate::endpoint::Endpoint;

    /// Sends back what comes over one connection.
    fn echo(listener: &TcpListener, folder: &Path) -> io::Result<()> {
        let chain = CertificateDer::from_pem_file(folder.join("cert.pem")).expect("our own");
        let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).expect("our own");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13])
            .expect("a version")
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .expect("a pair");
        let tls = ServerConnection::new(Arc::new(config)).expect("a session");
        let mut stream = StreamOwned::new(tls, listener.accept()?.0);
        let mut buffer = [0; 10_000];
        loop {
            match stream.read(&mut buffer)? {
                0 => return Ok(()),
                bytes => stream.write_all(&buffer[..bytes])?,
            }
        }
    }

    #[test]
    fn a_read_that_leaves_room_has_drained_the_socket() {
        let folder = tempfile::tempdir().unwrap();
        make_certificate(folder.path()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let client = TlsClient::trusting(&folder.path().join("cert.pem")).unwrap();
        thread::scope(|scope| {
            // The client ends it without a word.
            scope.spawn(|| echo(&listener, folder.path()).unwrap_err());
            let endpoint = Endpoint::Tcp(address).over_tls(client);
            let mut socket = endpoint.connect_for_loop().unwrap();
            let text: Vec<u8> = (0..1_000_000u32).flat_map(u32::to_le_bytes).collect();
            let (mut sent, mut came) = (0, Vec::new());
            let mut buffer = vec![0; 100_000];
            while came.len() < text.len() {
                match socket.write(&text[sent..]) {
                    Ok(bytes) => sent += bytes,
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
                match socket.read(&mut buffer) {
                    Ok(bytes) => {
                        assert!(bytes > 0);
                        came.extend_from_slice(&buffer[..bytes]);
                    }
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
            }
            assert!(came == text);
        });
    }
}
