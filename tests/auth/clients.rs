//! Clients that others made, each with its own way to say who it is: SASL PLAIN of the binary protocol, the text
//! protocol's handshake, and a person at telnet.

use crate::support::{ANN, auth_round, telnet};
use crate::users::{Guarded, LIMIT};

fn round(client: &str) {
    let guarded = Guarded::start(ANN, &["-S"]);
    auth_round(client, guarded.server.addr(), "", LIMIT);
    let mut conn = guarded.connect_as("ann", "a b:c");
    assert!(conn.stat("auth_errors") >= 1, "{client}");
    assert!(
        conn.stat("auth_cmds") > conn.stat("auth_errors"),
        "{client}"
    );
}

#[test]
fn pylibmc_by_sasl() {
    round("pylibmc");
}

#[test]
fn bmemcached_by_sasl() {
    round("bmemcached");
}

#[test]
fn emcache_by_the_handshake_of_the_text_protocol() {
    round("emcache");
}

#[test]
fn a_person_at_telnet() {
    let guarded = Guarded::start("ann:secret\n", &[]);
    telnet::talk(
        guarded.server.addr().port(),
        &[
            ("get greeting", "CLIENT_ERROR unauthenticated"),
            ("set auth 0 0 9", ""),
            ("ann wrong", "CLIENT_ERROR authentication failure"),
            ("set auth 0 0 10", ""),
            ("ann secret", "STORED"),
            ("set greeting 5 0 5", ""),
            ("hello", "STORED"),
            ("get greeting", "VALUE greeting 5 5\r\nhello\r\nEND"),
        ],
    );
}
