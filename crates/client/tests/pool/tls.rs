//! TLS to servers whose certificate was made for this test.

use std::fs;
use std::path::PathBuf;

use larder_client::{Builder, Client, Discovery, ElastiCache, Error, Tls, TlsError, Ttl};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::secured::{open_folder, secret};
use crate::server::{BOTH, Kind, PATIENCE, Server};

/// The files of one authority, and of a certificate that it signed.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Self {
        let folder = open_folder();
        let write = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).expect("written");
        };
        let mut authority = CertificateParams::default();
        // Another name than rcgen gives to every certificate, or OpenSSL takes the leaf for its own issuer.
        let name = &mut authority.distinguished_name;
        name.push(DnType::CommonName, "An authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = authority.self_signed(&key).expect("signed");
        write("ca.pem", &certificate.pem());
        let authority = Issuer::new(authority, key);
        let names = ["127.0.0.1".to_owned(), "cache.example".to_owned()];
        let leaf = CertificateParams::new(names).expect("names");
        let key = KeyPair::generate().expect("a key");
        let certificate = leaf.signed_by(&key, &authority).expect("signed");
        write("chain.pem", &certificate.pem());
        secret(folder.path(), "key.pem", &key.serialize_pem());
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self, kind: Kind, verify: &str, more: &[&str]) -> Server {
        let path = |name| self.path(name).to_str().expect("a path").to_owned();
        let (chain, key, ca) = (path("chain.pem"), path("key.pem"), path("ca.pem"));
        let files = format!("ssl_chain_cert={chain},ssl_key={key},ssl_ca_cert={ca}{verify}");
        Server::start(kind, &[&["-Z", "-o", &files], more].concat())
    }
}

async fn round_trip(server: &Server, tls: Tls) -> Result<(), Error> {
    round_trip_of(builder(server, tls)).await
}

fn builder(server: &Server, tls: Tls) -> Builder {
    let builder = Client::builder().nodes([server.node()]).tls(tls);
    builder.timeout(PATIENCE).connect_timeout(PATIENCE)
}

async fn round_trip_of(builder: Builder) -> Result<(), Error> {
    let client = builder.build().expect("a client");
    let value = vec![b'x'; 300_000];
    client.set("k", &value, Ttl::Never).await?;
    let found = client.get("k").await?.expect("just stored");
    assert!(found.data == value);
    Ok(())
}

#[tokio::test]
async fn only_whom_the_authority_signed() {
    for kind in BOTH {
        let files = Files::new();
        let server = files.start(kind, "", &[]);
        let tls = || Tls::signed_by(files.path("ca.pem")).expect("a certificate");
        round_trip(&server, tls()).await.expect("trusted");
        let named = |name: &str| tls().server_name(name).expect("a name");
        let known = round_trip(&server, named("cache.example")).await;
        known.expect("one of the certificate's names");
        let error = round_trip(&server, named("other.example")).await;
        let error = error.expect_err("another's name").to_string();
        assert!(error.contains("certificate"), "{error}");
        let others = Files::new();
        let tls = Tls::signed_by(others.path("ca.pem")).expect("a certificate");
        let error = round_trip(&server, tls).await.expect_err("another's");
        assert!(error.to_string().contains("certificate"), "{error}");
    }
}

#[tokio::test]
async fn a_certificate_of_the_clients_own() {
    for kind in BOTH {
        let files = Files::new();
        let server = files.start(kind, ",ssl_verify_mode=2", &[]);
        let [ca, chain, key] = ["ca.pem", "chain.pem", "key.pem"].map(|name| files.path(name));
        let tls = Tls::mutual(&ca, &chain, &key).expect("a pair");
        round_trip(&server, tls).await.expect("both are trusted");
        let tls = Tls::signed_by(&ca).expect("a certificate");
        assert!(round_trip(&server, tls).await.is_err(), "it shows none");
    }
}

#[tokio::test]
async fn a_password_within_tls() {
    for kind in BOTH {
        let files = Files::new();
        let users = secret(files.folder.path(), "users", "ada:love:lace\n");
        let server = files.start(kind, "", &["-Y", users.to_str().expect("a path")]);
        let with = |password| {
            let tls = Tls::signed_by(files.path("ca.pem")).expect("a certificate");
            round_trip_of(builder(&server, tls).credentials("ada", password))
        };
        with("love:lace").await.expect("it stands in the file");
        let error = with("lovelace").await.expect_err("refused").to_string();
        assert!(error.contains("must stand in the node's users"), "{error}");
    }
}

#[tokio::test]
async fn by_a_url() {
    let files = Files::new();
    let users = secret(files.folder.path(), "users", "ada:love:lace\n");
    let server = files.start(Kind::Larderd, "", &["-Y", users.to_str().expect("a path")]);
    let url = |authority: &str| {
        let authority = files.path(authority).display().to_string();
        let authority = authority.replace('/', "%2f");
        format!(
            "memcache://ada:love:lace@{}?tls_ca={authority}",
            server.node()
        )
    };
    let patient = |builder: Builder| builder.timeout(PATIENCE).connect_timeout(PATIENCE);
    let builder = Client::builder().url(&url("ca.pem")).expect("a URL");
    round_trip_of(patient(builder)).await.expect("trusted");
    let system = format!("memcache://ada:love:lace@{}?tls", server.node());
    let builder = Client::builder().url(&system).expect("a URL");
    let error = round_trip_of(patient(builder))
        .await
        .expect_err("not known");
    assert!(error.to_string().contains("certificate"), "{error}");
    let error = Client::connect(&url("no.pem")).expect_err("no file");
    assert!(error.to_string().contains("no.pem"), "{error}");
}

/// Any node of a cluster knows them all, and is asked as it is asked for items. Both servers keep the description as old
/// engines do, in an item.
#[tokio::test]
async fn a_cluster_is_found_by_tls() {
    for kind in BOTH {
        let files = Files::new();
        let users = secret(files.folder.path(), "users", "ada:love:lace\n");
        let server = files.start(kind, "", &["-Y", users.to_str().expect("a path")]);
        let builder = || {
            let tls = Tls::signed_by(files.path("ca.pem")).expect("a certificate");
            builder(&server, tls).credentials("ada", "love:lace")
        };
        let block = format!("1\n127.0.0.1||{}\n", server.port);
        let client = builder().build().expect("a client");
        let described = client.set("AmazonElastiCache:cluster", block, Ttl::Never);
        described.await.expect("set");
        let endpoint = ElastiCache::new(server.node().address().clone());
        let followed = builder().follow(Discovery::ElastiCache(endpoint)).await;
        let followed = followed.expect("a list");
        assert_eq!(followed.nodes(), [server.node()]);
        let found = followed.get("AmazonElastiCache:cluster").await;
        assert!(found.expect("an answer").is_some());
    }
}

#[test]
fn files_that_are_none() {
    let files = Files::new();
    let (ca, key) = (files.path("ca.pem"), files.path("key.pem"));
    for error in [
        Tls::signed_by("/nowhere").expect_err("no file"),
        Tls::signed_by(&key).expect_err("no certificate"),
        Tls::mutual(&ca, &key, &key).expect_err("no certificate"),
        Tls::mutual(&ca, &ca, &ca).expect_err("no key"),
    ] {
        assert!(matches!(error, TlsError::File { .. }), "{error}");
    }
    let tls = Tls::signed_by(&ca).expect("a certificate");
    assert!(matches!(tls.server_name("a b"), Err(TlsError::Name(_))));
}
