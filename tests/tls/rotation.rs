//! Certificates are replaced while connections are open: asked for, by a signal, and by themselves; bad ones are not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::authority::{Authority, Pair};
use crate::client::{ONLY_13, TlsConn, config};
use crate::support::{Server, wait_until};

const LIMIT: Duration = Duration::from_secs(20);

fn shows(server: &Server, authority: &Authority, pair: &Pair) -> bool {
    let conn = TlsConn::open(server.addr(), &config(authority, ONLY_13, None));
    conn.server_certificate() == pair.certificates()[0].to_vec()
}

#[test]
fn by_command_by_signal_and_by_themselves() {
    let authority = Authority::new();
    let server = authority.server(&["-v"]);
    let mut open = TlsConn::open(server.addr(), &config(&authority, ONLY_13, None));
    let first = open.server_certificate();

    let second = authority.sign("the second");
    authority.install(&second);
    assert_eq!(open.ask("refresh_certs"), "OK");
    assert!(shows(&server, &authority, &second));
    assert_ne!(first, second.certificates()[0].to_vec());

    let third = authority.sign("the third");
    authority.install(&third);
    kill(Pid::from_raw(server.pid() as i32), Signal::SIGHUP).expect("a signal");
    wait_until(LIMIT, "the third pair", || {
        shows(&server, &authority, &third)
    });

    let fourth = authority.sign("the fourth");
    authority.install(&fourth);
    wait_until(LIMIT, "the fourth pair", || {
        shows(&server, &authority, &fourth)
    });
    // Who was there before is not disturbed.
    open.set("key", b"value");
    assert_eq!(open.get("key", 5), b"value");
    let reloads = open.stat(" larder", "cert_reloads");
    assert!(reloads.parse::<u64>().expect("a number") >= 3, "{reloads}");
}

#[test]
fn bad_pairs_leave_the_old_in_force() {
    let authority = Authority::new();
    let old = authority.sign("the old");
    authority.install(&old);
    let server = authority.server(&[]);
    let mut conn = TlsConn::open(server.addr(), &config(&authority, ONLY_13, None));
    let other = authority.sign("another");
    let spoil: [(&str, &str, &str); 3] = [
        ("key.pem", &other.key, "Error validating the certificate: "),
        (
            "cert.pem",
            "nothing",
            "Error loading the certificate chain: ",
        ),
        ("ca.pem", "", "Error loading the CA certificate: "),
    ];
    for (file, text, words) in spoil {
        authority.install(&old);
        authority.write(file, text);
        let answer = conn.ask("refresh_certs");
        assert!(answer.starts_with(words), "{answer}");
        assert!(answer.contains(authority.folder().to_str().expect("a plain name")));
        assert!(shows(&server, &authority, &old), "{file}");
        wait_until(LIMIT, "the log", || {
            server
                .log()
                .contains(&format!("certificates stay as they were: {words}"))
        });
    }
    let refused = conn.stat(" larder", "cert_reloads_refused");
    assert!(refused.parse::<u64>().expect("a number") >= 3, "{refused}");
}

#[test]
fn without_tls_there_is_nothing_to_refresh() {
    let server = Server::larderd(&[]);
    assert!(
        server
            .connect()
            .ask("refresh_certs")
            .contains("TLS not enabled")
    );
}

#[test]
fn under_load_no_request_fails() {
    let authority = Authority::new();
    let server = authority.server(&["-t", "2"]);
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        for worker in 0..2 {
            let (authority, server, ended) = (&authority, &server, &ended);
            scope.spawn(move || {
                let config = config(authority, ONLY_13, None);
                let (key, value) = (format!("key-{worker}"), vec![b'v'; 3000]);
                while !ended.load(Ordering::Relaxed) {
                    let mut conn = TlsConn::open(server.addr(), &config);
                    for _ in 0..20 {
                        conn.set(&key, &value);
                        assert_eq!(conn.get(&key, value.len()), value);
                    }
                }
            });
        }
        // Who was there before the first and is after the last.
        let mut steady = TlsConn::open(server.addr(), &config(&authority, ONLY_13, None));
        for number in 0..20 {
            let pair = authority.sign(&format!("number {number}"));
            authority.install(&pair);
            if number % 2 == 0 {
                assert_eq!(steady.ask("refresh_certs"), "OK");
                assert!(shows(&server, &authority, &pair), "number {number}");
            } else {
                wait_until(LIMIT, "the files to be read anew", || {
                    steady.set("steady", b"value");
                    steady.get("steady", 5) == b"value" && shows(&server, &authority, &pair)
                });
            }
        }
        ended.store(true, Ordering::Relaxed);
    });
}
