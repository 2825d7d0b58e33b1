//! One connection's TLS: records in, plain bytes out, and the other way round.
//!
//! rustls is used without its buffers: an idle connection owns its keys and nothing else. Records are decrypted out of the
//! worker's read buffer, whose first half takes the plain bytes; only an unfinished record is kept here. What is to be
//! sent is encrypted at once, and kept only as far as the socket does not take it.

use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};

/// The first byte of a record of a handshake, with which every client begins.
const HANDSHAKE_RECORD: u8 = 22;

/// Bytes of plain text in one record.
const RECORD_BYTES: usize = 16 * 1024;

/// What a record is longer than its plain text at most (RFC 8446, section 5.2).
const RECORD_OVERHEAD: usize = 256 + 5;

/// Plain bytes that are encrypted before they are written: several records for one write.
pub(crate) const ENCRYPT_BYTES: usize = 4 * RECORD_BYTES;

/// Why a TLS connection cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// It had not come into being yet.
    pub(crate) in_handshake: bool,
    /// What happened, to follow the client's address in the log.
    pub(crate) what: String,
}

/// The server's side of one TLS connection.
pub(crate) struct TlsSession {
    tls: UnbufferedServerConnection,
    /// Records, or messages of the handshake, of which the end has not come. rustls remembers places in it, so it must be
    /// shown it at every call.
    unfinished: Vec<u8>,
    /// Records that the socket has not taken.
    owed: Vec<u8>,
    /// The client has said that nothing more will come.
    ended: bool,
    /// Something has come.
    begun: bool,
    /// It cannot go on: rustls is asked no more.
    broken: bool,
}

impl TlsSession {
    /// Of a client from whom nothing has come yet.
    pub(crate) fn new(config: &Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        Ok(Self {
            tls: UnbufferedServerConnection::new(Arc::clone(config))?,
            unfinished: Vec::new(),
            owed: Vec::new(),
            ended: false,
            begun: false,
            broken: false,
        })
    }

    /// Whether the handshake is not done.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }

    /// The certificate that the client has shown, in DER.
    pub(crate) fn client_certificate(&self) -> Option<&[u8]> {
        let first = self.tls.peer_certificates()?.first()?;
        Some(first.as_ref())
    }

    /// Whether the client has said that nothing more will come.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Copies what is unfinished to the front of `room` and says how much that is. `None` if it leaves no room.
    pub(crate) fn put_unfinished(&self, room: &mut [u8]) -> Option<usize> {
        let len = self.unfinished.len();
        if len >= room.len() {
            return None;
        }
        room[..len].copy_from_slice(&self.unfinished);
        Some(len)
    }

    /// Bytes of unfinished records, which leave less of a read buffer.
    pub(crate) fn unfinished_bytes(&self) -> usize {
        self.unfinished.len()
    }

    /// Decrypts `records`, which begin with what was unfinished, to the front of `plain`, which must be as long. Returns
    /// how many plain bytes there are; what is to be answered is owed.
    pub(crate) fn receive(&mut self, records: &mut [u8], plain: &mut [u8]) -> Result<usize, Fault> {
        self.unfinished = Vec::new();
        if !self.begun {
            match records.first() {
                None => return Ok(0),
                Some(&HANDSHAKE_RECORD) => self.begun = true,
                Some(_) => {
                    return Err(Fault {
                        in_handshake: true,
                        what: "speaks in plain text; this port is for TLS".to_owned(),
                    });
                }
            }
        }
        let (mut done, mut len) = (0, 0);
        loop {
            let UnbufferedStatus { discard, state } =
                self.tls.process_tls_records(&mut records[done..]);
            done += discard;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(Ok(record)) = traffic.next_record() {
                        done += record.discard;
                        let payload = record.payload;
                        plain[len..len + payload.len()].copy_from_slice(payload);
                        len += payload.len();
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    append(&mut self.owed, |to| match data.encode(to) {
                        Ok(len) => Ok(len),
                        Err(EncodeError::InsufficientSize(wanted)) => Err(wanted.required_size),
                        Err(EncodeError::AlreadyEncoded) => Ok(0),
                    });
                }
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.ended = true,
                // Early data is not offered. The rest wait for the client.
                Ok(_) => break,
                Err(error) => return Err(self.fault(&error, &mut records[done..])),
            }
        }
        if done < records.len() && !self.ended {
            self.unfinished = records[done..].to_vec();
        }
        Ok(len)
    }

    /// Owes the alert that tells the client why it ends. `records` are those that were not done with.
    #[cold]
    fn fault(&mut self, error: &rustls::Error, records: &mut [u8]) -> Fault {
        let in_handshake = self.tls.is_handshaking();
        self.broken = true;
        let mut done = 0;
        while let UnbufferedStatus {
            discard,
            state: Ok(ConnectionState::EncodeTlsData(mut data)),
        } = self.tls.process_tls_records(&mut records[done..])
        {
            done += discard;
            append(&mut self.owed, |to| match data.encode(to) {
                Ok(len) => Ok(len),
                Err(EncodeError::InsufficientSize(wanted)) => Err(wanted.required_size),
                Err(EncodeError::AlreadyEncoded) => Ok(0),
            });
        }
        let what = match in_handshake {
            true => format!("no TLS connection came about: {error}"),
            false => format!("the TLS connection broke: {error}"),
        };
        Fault { in_handshake, what }
    }

    /// Encrypts plain bytes, at most [`ENCRYPT_BYTES`]; they are owed then. False if the handshake is not done or the
    /// connection's keys are used up.
    pub(crate) fn encrypt(&mut self, plain: &[u8]) -> bool {
        if self.broken {
            return false;
        }
        let UnbufferedStatus {
            state: Ok(ConnectionState::WriteTraffic(mut traffic)),
            ..
        } = self.tls.process_tls_records(&mut self.unfinished)
        else {
            return false;
        };
        let records = plain.len().div_ceil(RECORD_BYTES);
        self.owed
            .reserve_exact(plain.len() + records * RECORD_OVERHEAD);
        append(&mut self.owed, |to| match traffic.encrypt(plain, to) {
            Ok(len) => Ok(len),
            Err(EncryptError::InsufficientSize(wanted)) => Err(wanted.required_size),
            Err(EncryptError::EncryptExhausted) => Ok(0),
        })
    }

    /// Owes the client the word that nothing more will come.
    pub(crate) fn encrypt_end(&mut self) {
        if self.broken {
            return;
        }
        if let UnbufferedStatus {
            state: Ok(ConnectionState::WriteTraffic(mut traffic)),
            ..
        } = self.tls.process_tls_records(&mut self.unfinished)
        {
            append(&mut self.owed, |to| match traffic.queue_close_notify(to) {
                Ok(len) => Ok(len),
                Err(EncryptError::InsufficientSize(wanted)) => Err(wanted.required_size),
                Err(EncryptError::EncryptExhausted) => Ok(0),
            });
        }
    }

    /// Records that are to be sent.
    pub(crate) fn owed(&self) -> &[u8] {
        &self.owed
    }

    /// Takes note that so many of their bytes are sent.
    pub(crate) fn sent(&mut self, bytes: usize) {
        if bytes == self.owed.len() {
            self.owed = Vec::new();
        } else {
            self.owed.drain(..bytes);
        }
    }

    /// Bytes of the buffers that it owns.
    pub(crate) fn buffer_bytes(&self) -> usize {
        self.unfinished.capacity() + self.owed.capacity()
    }
}

/// Appends what `write` puts into the room that it is given; it asks for more room by saying how much it needs. False if
/// it wrote nothing.
fn append(to: &mut Vec<u8>, mut write: impl FnMut(&mut [u8]) -> Result<usize, usize>) -> bool {
    let before = to.len();
    let mut room = to.capacity() - before;
    loop {
        to.resize(before + room, 0);
        match write(&mut to[before..]) {
            Ok(len) => {
                to.truncate(before + len);
                return len > 0;
            }
            Err(needed) if needed > room => room = needed,
            Err(_) => {
                to.truncate(before);
                return false;
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::crypto::ring;
    use rustls::pki_types::{PrivateKeyDer, ServerName};
    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    use super::*;

    /// Both sides' configurations; the server's certificate is its own authority.
    fn configs() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["server".to_owned()]).expect("a certificate");
        let provider = Arc::new(ring::default_provider());
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .expect("a pair");
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).expect("an authority");
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        (Arc::new(server), Arc::new(client))
    }

    fn client(config: &Arc<ClientConfig>) -> ClientConnection {
        let name = ServerName::try_from("server").expect("a name");
        ClientConnection::new(Arc::clone(config), name).expect("a client")
    }

    fn sent_by(client: &mut ClientConnection) -> Vec<u8> {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).expect("memory takes it");
        }
        bytes
    }

    /// Gives the session some bytes as a worker does, in a buffer of its own size.
    fn give(session: &mut TlsSession, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut records = vec![0; session.unfinished_bytes() + bytes.len()];
        let kept = session.unfinished_bytes();
        if kept < records.len() {
            session.put_unfinished(&mut records);
        }
        records[kept..].copy_from_slice(bytes);
        let mut plain = vec![0; records.len()];
        let len = session.receive(&mut records, &mut plain)?;
        plain.truncate(len);
        Ok(plain)
    }

    /// What the session owes, taken.
    fn owed(session: &mut TlsSession) -> Vec<u8> {
        let owed = session.owed().to_vec();
        session.sent(owed.len());
        owed
    }

    /// A handshake's message in records of these sizes: complete records, of which each brings a part.
    fn in_records(records: &[u8], sizes: &[usize]) -> Vec<u8> {
        let (head, mut message) = records.split_at(5);
        let mut out = Vec::new();
        let mut sizes = sizes.iter().copied().cycle();
        while !message.is_empty() {
            let size = sizes.next().unwrap_or(1).clamp(1, message.len());
            let (now, later) = message.split_at(size);
            out.extend_from_slice(&head[..3]);
            out.extend_from_slice(&(size as u16).to_be_bytes());
            out.extend_from_slice(now);
            message = later;
        }
        out
    }

    #[test]
    fn an_end_in_the_middle_of_a_message_is_an_end() {
        let (config, clients) = configs();
        let hello = in_records(&sent_by(&mut client(&clients)), &[7]);
        for cut in 0..hello.len() {
            let mut session = TlsSession::new(&config).expect("a session");
            assert_eq!(give(&mut session, &hello[..cut]), Ok(Vec::new()));
            assert!(!session.encrypt(b"too early"));
            session.encrypt_end();
            assert_eq!(session.owed(), b"");
        }
    }

    #[test]
    fn plain_bytes_go_both_ways_however_records_are_cut() {
        let (config, clients) = configs();
        for piece in [7, 100, 5000, 40_000] {
            let mut session = TlsSession::new(&config).expect("a session");
            let mut client = client(&clients);
            let mut came = Vec::new();
            let text = b"some text ".repeat(4000);
            std::io::Write::write_all(&mut client.writer(), &text).expect("kept");
            while came.len() < text.len() {
                for bytes in sent_by(&mut client).chunks(piece) {
                    came.extend(give(&mut session, bytes).expect("good records"));
                }
                let answer = owed(&mut session);
                client.read_tls(&mut answer.as_slice()).expect("read");
                client.process_new_packets().expect("good records");
            }
            assert!(came == text && !session.is_handshaking());
            assert!(session.encrypt(b"an answer"));
            session.encrypt_end();
            client
                .read_tls(&mut owed(&mut session).as_slice())
                .expect("read");
            client.process_new_packets().expect("good records");
            let mut answer = Vec::new();
            std::io::Read::read_to_end(&mut client.reader(), &mut answer).expect("a clean end");
            assert_eq!(answer, b"an answer");
            assert_eq!(session.buffer_bytes(), 0);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        /// Whatever a stranger sends in the place of a handshake, he is refused or waited for.
        #[test]
        fn spoilt_handshakes_do_no_harm(
            sizes in vec(1usize..200, 1..6),
            cuts in vec(1usize..120, 1..8),
            spoilt in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            tail in vec(any::<u8>(), 0..60),
        ) {
            let (config, clients) = configs();
            let mut bytes = in_records(&sent_by(&mut client(&clients)), &sizes);
            for (at, byte) in spoilt {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.extend(tail);
            let mut session = TlsSession::new(&config).expect("a session");
            let mut rest = bytes.as_slice();
            for cut in cuts.into_iter().cycle() {
                let (now, later) = rest.split_at(cut.min(rest.len()));
                rest = later;
                let faulty = give(&mut session, now).is_err();
                prop_assert!(!session.encrypt(b"too early"));
                if faulty || rest.is_empty() {
                    break;
                }
            }
            session.encrypt_end();
        }
    }
}
