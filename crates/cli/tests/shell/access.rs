//! Nodes that want to know who asks, and nodes that must prove who they are.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Command, Output};

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::pool::{MEMCACHED, Pool, is_root, larderd, open_folder};
use super::text;

/// Its number on every Debian.
const NOBODY: u32 = 65534;

/// The path of a new file in the folder.
fn file(folder: &TempDir, name: &str, content: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, content).expect("written");
    path.to_str().expect("text").to_owned()
}

/// larderd wants nobody else to be able to read a secret, and memcached reads it when it has become nobody.
fn owned_by_the_node(secret: &str) {
    fs::set_permissions(secret, Permissions::from_mode(0o600)).expect("chmod");
    if is_root() {
        chown(secret, Some(NOBODY), Some(NOBODY)).expect("chown");
    }
}

fn both() -> [PathBuf; 2] {
    [larderd(), MEMCACHED.into()]
}

/// What may be done with a pool, given the right options.
fn every_command_works(pool: &Pool, options: &[&str]) {
    let done = |command: &str, args: &[&str]| {
        let said = pool.done(command, &[options, args].concat());
        text(&said).to_owned()
    };
    done("set", &["k", "v"]);
    assert_eq!(done("get", &["k"]), "v");
    assert_eq!(done("ping", &[]).lines().count(), 2);
    assert!(done("stats", &[]).contains("curr_items"));
    assert_eq!(pool.dump(&[options, &["--keys"]].concat()), "k\n");
    done("flush", &["--yes"]);
}

fn refused(pool: &Pool, options: &[&str]) -> String {
    pool.refused("get", &[options, &["k"]].concat())
}

fn with_variable(pool: &Pool, password: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_larder"))
        .args(["ping", &pool.option(), "--timeout=30s", "--user=ada"])
        .env("LARDER_PASSWORD", password)
        .output()
        .expect("larder runs")
}

#[test]
fn a_user_and_a_password() {
    let folder = open_folder();
    let users = file(&folder, "users", "ada:love:lace\n");
    let right = file(&folder, "right", "love:lace\n");
    let wrong = file(&folder, "wrong", "lovelace");
    let empty = file(&folder, "empty", "");
    owned_by_the_node(&users);
    let pool = Pool::of(folder, &both(), &["-Y", &users]);
    every_command_works(&pool, &["--user=ada", "--password-file", &right]);
    let of = |file: &str| refused(&pool, &["--user=ada", "--password-file", file]);
    let said = of(&wrong);
    assert!(said.starts_with("larder: 127.0.0.1:"), "{said}");
    assert!(
        said.contains("must stand in the node's users file"),
        "{said}"
    );
    assert!(of(&empty).contains("no password is in it"));
    let said = refused(&pool, &[]);
    assert!(said.contains("it asks for a user and a password"), "{said}");
    let nowhere = refused(&pool, &["--user=ada"]);
    assert!(nowhere.contains("needs --password-file"), "{nowhere}");
    assert_eq!(with_variable(&pool, "love:lace").status.code(), Some(0));
    assert_eq!(with_variable(&pool, "lovelace").status.code(), Some(1));
}

#[test]
fn certificates_and_a_password() {
    let folder = open_folder();
    let users = file(&folder, "users", "ada:love:lace\n");
    let right = file(&folder, "right", "love:lace\n");
    let names = ["127.0.0.1".to_owned(), "cache.example".to_owned()];
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(names).expect("names");
    let signed = params.self_signed(&key).expect("a certificate").pem();
    // It is its own authority, for the nodes and for us.
    let (cert, key) = (
        file(&folder, "cert.pem", &signed),
        file(&folder, "key.pem", &key.serialize_pem()),
    );
    owned_by_the_node(&key);
    owned_by_the_node(&users);
    let files = format!("ssl_chain_cert={cert},ssl_key={key},ssl_ca_cert={cert},ssl_verify_mode=2");
    let pool = Pool::of(folder, &both(), &["-Z", "-o", &files, "-Y", &users]);
    let user = ["--user=ada", "--password-file", &right];
    let tls = ["--tls-ca", &cert, "--tls-cert", &cert, "--tls-key", &key];
    let ours = [&user[..], &tls].concat();
    every_command_works(&pool, &ours);
    every_command_works(&pool, &[&ours[..], &["--tls-name=cache.example"]].concat());
    let other = refused(&pool, &[&ours[..], &["--tls-name=other.example"]].concat());
    assert!(other.contains("certificate"), "{other}");
    let strange = refused(&pool, &["--tls"]);
    assert!(strange.contains("certificate"), "{strange}");
    let keyless = refused(&pool, &["--tls-ca", &key]);
    assert!(keyless.contains("no certificate is in it"), "{keyless}");
    let unknown = refused(&pool, &tls);
    assert!(unknown.contains("it asks for a user"), "{unknown}");
    let nothing = refused(&pool, &["--tls-name=cache.example"]);
    assert!(nothing.contains("needs --tls or --tls-ca"), "{nothing}");
}
