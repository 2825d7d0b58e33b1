//! Tools and clients that others made, over TLS: openssl, Python's ssl, pymemcache with and without a certificate of its
//! own; emcache and bmemcached, which say who they are besides.

use std::time::Duration;

use crate::authority::Authority;
use crate::support::{ANN, Tool, auth_round};

const LIMIT: Duration = Duration::from_secs(60);
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls");
const PYTHON: &str = "/usr/bin/python3";

/// What `openssl s_client` says when these lines are typed.
pub(crate) fn s_client(server: &str, ca: &str, options: &str, lines: &str) -> Tool {
    let command = format!(
        "printf '{lines}' | openssl s_client -connect {server} -CAfile {ca} -verify_return_error -ign_eof {options}"
    );
    Tool::run("sh", &["-c", &command], LIMIT)
}

#[test]
fn openssl_s_client() {
    let authority = Authority::new();
    let server = authority.server(&["-o", "ssl_session_cache"]);
    let ca = authority.path("ca.pem").display().to_string();
    let session = authority.path("session").display().to_string();
    for version in ["-tls1_2", "-tls1_3"] {
        let first = s_client(
            &server.name(),
            &ca,
            &format!("{version} -sess_out {session}"),
            r"set a 0 0 5\r\nhello\r\nget a\r\nquit\r\n",
        );
        assert!(first.status.success(), "{version}: {}", first.output);
        for words in [
            "STORED",
            "VALUE a 0 5",
            "hello",
            "Verification: OK",
            "New, ",
        ] {
            assert!(
                first.output.contains(words),
                "{version} {words}: {}",
                first.output
            );
        }
        let options = format!("{version} -sess_in {session}");
        let again = s_client(&server.name(), &ca, &options, r"get a\r\nquit\r\n");
        assert!(
            again.output.contains("Reused, "),
            "{version}: {}",
            again.output
        );
        assert!(
            again.output.contains("hello"),
            "{version}: {}",
            again.output
        );
    }
    let old = s_client(&server.name(), &ca, "-tls1_1", r"mn\r\nquit\r\n");
    assert!(
        !old.status.success() && !old.output.contains("MN"),
        "{}",
        old.output
    );
    let suite = "-tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305";
    let chosen = s_client(&server.name(), &ca, suite, r"mn\r\nquit\r\n");
    assert!(chosen.output.contains("MN"), "{}", chosen.output);
    let only = ["-o", "ssl_ciphers=ECDHE-ECDSA-AES256-GCM-SHA384"];
    let server = authority.server(&only);
    let refused = s_client(&server.name(), &ca, suite, r"mn\r\nquit\r\n");
    assert!(!refused.output.contains("MN"), "{}", refused.output);
}

#[test]
fn clients_that_say_over_tls_who_they_are() {
    let authority = Authority::new();
    authority.write("users", ANN);
    let users = authority.path("users").display().to_string();
    let ca = authority.path("ca.pem").display().to_string();
    for client in ["emcache", "bmemcached"] {
        let server = authority.server(&["-S", "-Y", &users]);
        auth_round(client, server.addr(), &ca, LIMIT);
    }
}

#[test]
fn python_clients_over_tls_and_with_certificates() {
    let authority = Authority::new();
    let client = authority.sign("a client");
    authority.write("client.pem", &format!("{}{}", client.chain, client.key));
    let path = |name: &str| authority.path(name).display().to_string();
    let (ca, own) = (path("ca.pem"), path("client.pem"));
    for (mode, certificate) in [("0", ""), ("2", own.as_str())] {
        let server = authority.server(&["-o", &format!("ssl_verify_mode={mode}")]);
        let port = server.addr().port().to_string();
        let args = ["-B", "tls_round.py", "127.0.0.1", &port, &ca, certificate];
        let said = Tool::check_in(FOLDER, PYTHON, &args, LIMIT);
        assert!(said.contains("whole round done"), "{said}");
    }
}
