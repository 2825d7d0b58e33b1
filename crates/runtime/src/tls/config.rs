//! Certificates, keys and the rules of TLS, read from files as a whole: either all of it is good and goes into force for
//! new connections, or none of it.

use std::fmt;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{
    NoServerSessionStorage, ServerSessionMemoryCache, StoresServerSessions, WebPkiClientVerifier,
};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CipherSuite, RootCertStore, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::shared::Number;

/// Sessions that are remembered for clients that come back, in each of the three ways to ask for a certificate.
const SESSIONS_MAX: usize = 20_000;

/// OpenSSL's names of the suites of TLS 1.2 that there are. Those of TLS 1.3 are always offered.
const SUITES: &[(&str, CipherSuite)] = &[
    (
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "ECDHE-RSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "ECDHE-RSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "ECDHE-RSA-CHACHA20-POLY1305",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
];

/// Whether clients are asked for certificates of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCert {
    /// They are not (`btls:`, ssl_verify_mode 0).
    #[default]
    No,
    /// They may show one, which must be good then (ssl_verify_mode 1).
    Asked,
    /// They must show a good one (`mtls:`, ssl_verify_mode 2 and 3).
    Required,
}

/// What is to be read, and which versions and suites are spoken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// The server's certificate and what leads from it to its authority, PEM (ssl_chain_cert).
    pub chain: PathBuf,
    /// The private key (ssl_key); may be the same file.
    pub key: PathBuf,
    /// The key is DER in place of PEM (ssl_keyformat 2).
    pub key_is_der: bool,
    /// The authorities of clients' certificates, PEM (ssl_ca_cert).
    pub ca: Option<PathBuf>,
    /// OpenSSL's names of the suites of TLS 1.2 to offer, with colons between them (ssl_ciphers).
    pub ciphers: Option<String>,
    /// TLS 1.3 only (ssl_min_version 3).
    pub only_tls13: bool,
    /// Clients may come back without a whole handshake (ssl_session_cache).
    pub session_cache: bool,
}

/// Why files make no TLS: a sentence in memcached's words, with the file's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsError(String);

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Certificates in force: a configuration for each way to ask clients for theirs. They share no sessions: who comes back
/// has passed the same check before.
pub struct TlsConfigs {
    no: Arc<ServerConfig>,
    /// Both only where there is an authority to check clients' certificates by.
    asked: Option<Arc<ServerConfig>>,
    required: Option<Arc<ServerConfig>>,
}

impl fmt::Debug for TlsConfigs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfigs").finish_non_exhaustive()
    }
}

impl TlsConfigs {
    /// The configuration for one way to ask. `None` if clients are to be asked and nothing says whom to believe.
    pub(crate) fn for_clients(&self, cert: ClientCert) -> Option<&Arc<ServerConfig>> {
        match cert {
            ClientCert::No => Some(&self.no),
            ClientCert::Asked => self.asked.as_ref(),
            ClientCert::Required => self.required.as_ref(),
        }
    }
}

/// Reads the files, as often as they change.
pub struct TlsLoader {
    options: TlsOptions,
    new_sessions: Arc<Number>,
}

impl TlsLoader {
    /// Reads nothing yet.
    pub fn new(options: TlsOptions) -> Self {
        Self {
            options,
            new_sessions: Arc::default(),
        }
    }

    /// The files that it reads.
    pub fn paths(&self) -> Vec<&Path> {
        let TlsOptions { chain, key, ca, .. } = &self.options;
        let ca = ca.as_deref();
        [chain.as_path(), key.as_path()]
            .into_iter()
            .chain(ca)
            .collect()
    }

    /// Words why the key's file will not do.
    fn bad_key(&self, why: &str) -> TlsError {
        TlsError(format!(
            "Error loading the key: {} : {why}",
            self.options.key.display()
        ))
    }

    /// Sessions remembered since the start (ssl_new_sessions).
    pub fn new_sessions(&self) -> u64 {
        self.new_sessions.get()
    }

    /// Reads all files and puts together what they say. The key's is judged by `judge_key` when it is open, before it is
    /// read.
    ///
    /// # Errors
    /// A sentence that names the file at fault: it cannot be read, was judged to be bad, holds no such thing, or
    /// certificate and key belong to different pairs.
    pub fn load(
        &self,
        judge_key: impl Fn(&File) -> Result<(), String>,
    ) -> Result<TlsConfigs, TlsError> {
        let options = &self.options;
        let provider = Arc::new(self.provider()?);
        let pair = Arc::new(self.pair(&provider, judge_key)?);
        let authorities = options
            .ca
            .as_deref()
            .map(|path| authorities(path).map(Arc::new))
            .transpose()?;
        let config = |cert| self.config(&provider, &pair, authorities.clone(), cert);
        Ok(TlsConfigs {
            no: config(ClientCert::No)?,
            asked: authorities
                .is_some()
                .then(|| config(ClientCert::Asked))
                .transpose()?,
            required: authorities
                .is_some()
                .then(|| config(ClientCert::Required))
                .transpose()?,
        })
    }

    fn provider(&self) -> Result<CryptoProvider, TlsError> {
        let mut provider = ring::default_provider();
        if let Some(list) = &self.options.ciphers {
            let named = |suite: &SupportedCipherSuite| {
                list.split([':', ',', ' ']).any(|name| {
                    SUITES
                        .iter()
                        .any(|(known, id)| *known == name && *id == suite.suite())
                })
            };
            let is_new = |suite: &SupportedCipherSuite| suite.version() == &TLS13;
            if !provider.cipher_suites.iter().any(named) {
                let known: Vec<&str> = SUITES.iter().map(|(name, _)| *name).collect();
                return Err(TlsError(format!(
                    "Error setting the provided cipher(s): {list}: none of these is known; those of TLS 1.2 are {}",
                    known.join(":")
                )));
            }
            provider
                .cipher_suites
                .retain(|suite| is_new(suite) || named(suite));
        }
        Ok(provider)
    }

    /// The server's certificate with its key.
    fn pair(
        &self,
        provider: &CryptoProvider,
        judge_key: impl Fn(&File) -> Result<(), String>,
    ) -> Result<CertifiedKey, TlsError> {
        let TlsOptions {
            chain: chain_path,
            key: key_path,
            ..
        } = &self.options;
        let chain = certificates(chain_path).map_err(|why| {
            TlsError(format!(
                "Error loading the certificate chain: {} : {why}",
                chain_path.display()
            ))
        })?;
        let key = self.key(judge_key).map_err(|why| self.bad_key(&why))?;
        CertifiedKey::from_der(chain, key, provider).map_err(|error| {
            TlsError(format!(
                "Error validating the certificate: {} with {} : {error}",
                chain_path.display(),
                key_path.display()
            ))
        })
    }

    fn key(
        &self,
        judge: impl Fn(&File) -> Result<(), String>,
    ) -> Result<PrivateKeyDer<'static>, String> {
        let mut file = File::open(&self.options.key).map_err(|error| error.to_string())?;
        judge(&file)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)
            .map_err(|error| error.to_string())?;
        if self.options.key_is_der {
            return PrivateKeyDer::try_from(bytes).map_err(str::to_owned);
        }
        PrivateKeyDer::from_pem_slice(&bytes)
            .map_err(|error| format!("holds no private key in PEM ({error})"))
    }

    fn config(
        &self,
        provider: &Arc<CryptoProvider>,
        pair: &Arc<CertifiedKey>,
        authorities: Option<Arc<RootCertStore>>,
        cert: ClientCert,
    ) -> Result<Arc<ServerConfig>, TlsError> {
        let failed = |error: &dyn fmt::Display| TlsError(format!("TLS cannot be set up: {error}"));
        let versions: &[&SupportedProtocolVersion] = match self.options.only_tls13 {
            true => &[&TLS13],
            false => &[&TLS13, &TLS12],
        };
        let verifier = match (authorities, cert) {
            (None, _) | (_, ClientCert::No) => WebPkiClientVerifier::no_client_auth(),
            (Some(roots), _) => {
                let builder =
                    WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider));
                let builder = match cert {
                    ClientCert::Asked => builder.allow_unauthenticated(),
                    _ => builder,
                };
                builder.build().map_err(|error| failed(&error))?
            }
        };
        let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
            .with_protocol_versions(versions)
            .map_err(|error| failed(&error))?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(pair))));
        match self.options.session_cache {
            true => {
                config.session_storage = Arc::new(CountedSessions {
                    sessions: ServerSessionMemoryCache::new(SESSIONS_MAX),
                    count: Arc::clone(&self.new_sessions),
                });
                config.send_tls13_tickets = 1;
            }
            false => {
                config.session_storage = Arc::new(NoServerSessionStorage {});
                config.send_tls13_tickets = 0;
            }
        }
        Ok(Arc::new(config))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let all: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("is no PEM ({error})"))?;
    match all.is_empty() {
        true => Err("holds no certificate in PEM".to_owned()),
        false => Ok(all),
    }
}

fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let named = |why: &dyn fmt::Display| {
        TlsError(format!(
            "Error loading the CA certificate: {} : {why}",
            path.display()
        ))
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path).map_err(|why| named(&why))? {
        roots.add(certificate).map_err(|error| named(&error))?;
    }
    Ok(roots)
}

/// Sessions remembered, and how many have been.
#[derive(Debug)]
struct CountedSessions {
    sessions: Arc<ServerSessionMemoryCache>,
    count: Arc<Number>,
}

impl StoresServerSessions for CountedSessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.count.add(1);
        self.sessions.put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.sessions.get(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.sessions.take(key)
    }

    fn can_cache(&self) -> bool {
        self.sessions.can_cache()
    }
}
