//! Certificates as identities: who shows one that the users file names is let in by it, as that user.

use std::time::Duration;

use crate::authority::Authority;
use crate::client::{ONLY_13, TlsConn, config};
use crate::support::{Server, wait_until};

const DENIED: &str = "CLIENT_ERROR permission denied";
const OUTSIDE: &str = "CLIENT_ERROR unauthenticated";

/// A server with such a users file that asks clients for certificates.
fn server(authority: &Authority, users: &str) -> Server {
    authority.write("users", users);
    let path = authority.path("users").display().to_string();
    authority.server(&["-t", "1", "-Y", &path, "-o", "ssl_verify_mode=1"])
}

/// A connection with a certificate of this common name, or with none.
fn connect(authority: &Authority, server: &Server, name: Option<&str>) -> TlsConn {
    let own = name.map(|name| authority.sign(name));
    let config = config(authority, ONLY_13, own.as_ref());
    TlsConn::open_silent(server.addr(), &config)
}

#[test]
fn a_certificate_is_its_user_with_its_users_rights() {
    let authority = Authority::new();
    let users = "ann:x\n@ann read cert=Ann%20B. cert=ann.old\n@bob stats cert=bob\n";
    let server = server(&authority, users);
    for name in ["Ann B.", "ann.old"] {
        let mut ann = connect(&authority, &server, Some(name));
        assert_eq!(ann.ask("get key"), "END", "{name}");
        assert_eq!(ann.ask("set key 0 0 1\r\n1"), DENIED, "{name}");
    }
    let mut bob = connect(&authority, &server, Some("bob"));
    assert_eq!(bob.ask("get key"), DENIED);
    assert_eq!(bob.stat(" larder", "users"), "2");
    for stranger in [Some("Ann"), Some("bob.example"), None] {
        let mut conn = connect(&authority, &server, stranger);
        assert_eq!(conn.ask("get key"), OUTSIDE, "{stranger:?}");
        // A password is as good.
        assert_eq!(conn.ask("set auth 0 0 5\r\nann x"), "STORED");
        assert_eq!(conn.ask("get key"), "END");
    }
    assert_eq!(bob.stat(" larder users", "ann:cmd_denied"), "2");
}

#[test]
fn any_name_of_a_certificate_may_be_the_one() {
    let authority = Authority::new();
    let server = server(&authority, "@host get cert=localhost\n@ann set cert=ann\n");
    let mut host = connect(&authority, &server, Some("of no importance"));
    assert_eq!(host.ask("get key"), "END");
    // The subject's own goes before the others.
    let mut ann = connect(&authority, &server, Some("ann"));
    assert_eq!(ann.ask("get key"), DENIED);
}

#[test]
fn a_certificate_that_is_struck_off_lets_nobody_in_any_more() {
    let authority = Authority::new();
    let server = server(&authority, "ann:x\n@ann read,stats cert=ann\nbob:x\n");
    let mut ann = connect(&authority, &server, Some("ann"));
    let mut bob = connect(&authority, &server, None);
    assert_eq!(bob.ask("set auth 0 0 5\r\nbob x"), "STORED");
    assert_eq!(ann.ask("get key"), "END");
    authority.write("users", "ann:x\n@ann read,stats\nbob:x\n");
    wait_until(Duration::from_secs(60), "the file to be read", || {
        bob.stat(" larder", "users_reloads") == "1"
    });
    assert_eq!(ann.ask("get key"), OUTSIDE);
}
