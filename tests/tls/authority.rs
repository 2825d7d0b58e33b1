//! Certificates that the tests make for themselves, in a folder that the server may read whoever it has become.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::support::{Secrets, Server};

/// An authority, and the folder of what it has signed.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    files: Secrets,
}

/// A certificate and its key, in PEM.
pub(crate) struct Pair {
    pub(crate) chain: String,
    pub(crate) key: String,
}

impl Pair {
    pub(crate) fn certificates(&self) -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(self.chain.as_bytes())
            .collect::<Result<_, _>>()
            .expect("our own PEM")
    }

    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("our own PEM")
    }
}

impl Authority {
    /// A new one, with a server's pair and its own certificate as files.
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "an authority of the tests'");
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        let authority = Self {
            issuer: Issuer::new(params, key),
            certificate,
            files: Secrets::new(),
        };
        authority.write("ca.pem", &authority.certificate);
        authority.install(&authority.sign("a server"));
        authority
    }

    /// A pair that it vouches for, good for localhost and its first four addresses.
    pub(crate) fn sign(&self, name: &str) -> Pair {
        let key = KeyPair::generate().expect("a key");
        let names = (1..=4).map(|host| format!("127.0.0.{host}"));
        let names: Vec<String> = names.chain(["localhost".to_owned()]).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params
            .distinguished_name
            .push(DnType::CommonName, name.to_owned());
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Pair {
            chain: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// Makes a pair the server's.
    pub(crate) fn install(&self, pair: &Pair) {
        self.write("cert.pem", &pair.chain);
        self.write("key.pem", &pair.key);
    }

    /// Puts a file into the place of another, in one step.
    pub(crate) fn write(&self, name: &str, text: &str) {
        self.files.write(name, text);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.files.path(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.files.folder()
    }

    /// Its own certificate, for clients.
    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).expect("our own PEM")
    }

    /// A larderd with TLS on its first port, and options of the test's own.
    pub(crate) fn server(&self, more: &[&str]) -> Server {
        let files = self.options();
        let mut args = vec!["-Z", "-o", &files];
        args.extend(more);
        Server::larderd(&args)
    }

    /// What `-o` names the files by.
    pub(crate) fn options(&self) -> String {
        let name = |name: &str| self.path(name).display().to_string();
        format!(
            "ssl_chain_cert={},ssl_key={},ssl_ca_cert={}",
            name("cert.pem"),
            name("key.pem"),
            name("ca.pem")
        )
    }
}
