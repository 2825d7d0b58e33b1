//! TLS around TCP connections. Unix sockets need none.

use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::{ClientConfig, ConfigBuilder, RootCertStore, client::WantsClientCert};

use super::transport::{Connecting, Stream, Transport, connect_tcp, connect_unix};
use crate::node::Address;

/// How nodes prove who they are, and how this client does.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
}

/// Why there can be no TLS.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file is not there, or holds no certificates, or no key.
    #[error("{file}: {problem}")]
    File {
        /// The file.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The system has no certificates to judge others by.
    #[error("the system's certificates: {0}")]
    System(String),
    /// The certificate and the key cannot be used together.
    #[error("the certificate and the key: {0}")]
    Pair(String),
    /// No certificate can be for such a name.
    #[error("`{0}` is neither a host's name nor an address")]
    Name(String),
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// Nodes whose certificates the system trusts.
    ///
    /// # Errors
    /// The system has none to judge them by.
    pub fn system() -> Result<Self, TlsError> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (good, _) = roots.add_parsable_certificates(found.certs);
        if good == 0 {
            let problem = found.errors.first().map(ToString::to_string);
            return Err(TlsError::System(
                problem.unwrap_or_else(|| "there are none".to_owned()),
            ));
        }
        Ok(Self::of(begin(roots)?.with_no_client_auth()))
    }

    /// Nodes whose certificates one in this PEM file has signed.
    ///
    /// # Errors
    /// The file has none.
    pub fn signed_by(file: impl AsRef<Path>) -> Result<Self, TlsError> {
        Ok(Self::of(
            begin(roots(file.as_ref())?)?.with_no_client_auth(),
        ))
    }

    /// As [`Self::signed_by`], for nodes that want to see a certificate of the client's: its chain and its key, each in a
    /// PEM file.
    ///
    /// # Errors
    /// A file does not hold what it should.
    pub fn mutual(
        signed_by: impl AsRef<Path>,
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        let key = key.as_ref();
        let config = begin(roots(signed_by.as_ref())?)?.with_client_auth_cert(
            certificates(chain.as_ref())?,
            PrivateKeyDer::from_pem_file(key).map_err(|error| in_file(key, &error))?,
        );
        config
            .map(Self::of)
            .map_err(|error| TlsError::Pair(error.to_string()))
    }

    /// The name that every node's certificate must have, in place of the host that it is connected to by.
    ///
    /// # Errors
    /// It is no name.
    pub fn server_name(mut self, name: &str) -> Result<Self, TlsError> {
        let parsed = ServerName::try_from(name.to_owned());
        self.name = Some(parsed.map_err(|_| TlsError::Name(name.to_owned()))?);
        Ok(self)
    }

    fn of(config: ClientConfig) -> Self {
        Self {
            config: Arc::new(config),
            name: None,
        }
    }
}

fn begin(roots: RootCertStore) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, TlsError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Pair(error.to_string()))?;
    Ok(builder.with_root_certificates(roots))
}

fn roots(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots
            .add(certificate)
            .map_err(|error| in_file(file, &error))?;
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    let all: Vec<_> = all.map_err(|error| in_file(file, &error))?;
    match all.is_empty() {
        true => Err(in_file(file, &"no certificate is in it")),
        false => Ok(all),
    }
}

fn in_file(file: &Path, problem: &impl ToString) -> TlsError {
    TlsError::File {
        file: file.display().to_string(),
        problem: problem.to_string(),
    }
}

impl Transport for Tls {
    fn connect<'a>(&'a self, address: &'a Address) -> Connecting<'a> {
        Box::pin(async move {
            match address {
                Address::Unix(path) => connect_unix(path).await,
                Address::Tcp { host, port } => {
                    let name = match &self.name {
                        Some(name) => name.clone(),
                        None => ServerName::try_from(host.clone())
                            .map_err(|error| std::io::Error::other(error.to_string()))?,
                    };
                    let stream = connect_tcp(host, *port).await?;
                    let connector = TlsConnector::from(Arc::clone(&self.config));
                    Ok(Box::new(connector.connect(name, stream).await?) as Box<dyn Stream>)
                }
            }
        })
    }
}

impl Stream for TlsStream<TcpStream> {
    fn discard_unsent(&self) {
        self.get_ref().0.discard_unsent();
    }
}
