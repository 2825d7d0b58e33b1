//! Real clients as black boxes: each program makes its whole round against larderd and judges it by itself.
//! A program that is missing fails its test with a sentence; `scripts/test` installs them all.

#[path = "../support/mod.rs"]
mod support;

mod libmemcached;
mod telnet;

use std::time::Duration;

use support::{Server, Tool};

/// Longest that one client may take for its round.
const ROUND_MAX: Duration = Duration::from_secs(120);
/// Debian's own interpreter, for which the clients' packages are made, whatever else is on the path.
const PYTHON: &str = "/usr/bin/python3";

/// Runs a program of this folder with the server's host and port behind it.
fn round(interpreter: &str, program: &str) {
    let server = Server::larderd(&["-m", "64", "-t", "2"]);
    let path = format!("{}/tests/clients/{program}", env!("CARGO_MANIFEST_DIR"));
    let port = server.addr().port().to_string();
    let said = Tool::check(interpreter, &[&path, "127.0.0.1", &port], ROUND_MAX);
    assert!(
        said.contains("whole round done"),
        "{program} ended early:\n{said}"
    );
}

#[test]
fn pymemcache_round() {
    round(PYTHON, "pymemcache_round.py");
}

#[test]
fn pylibmc_round() {
    round(PYTHON, "pylibmc_round.py");
}

#[test]
fn php_memcached_round() {
    round("php", "memcached_round.php");
}

/// pymemcache's own integration tests, as its package brings them. The three that want a TLS server are left out.
#[test]
fn pymemcache_integration_tests() {
    // One of its tests ends with a flush that it does not wait for, on a connection that it leaves open; the next one
    // sets and gets on another. Two workers may take the two connections in either order, and one time in sixty do;
    // one worker takes them as they came.
    let server = Server::larderd(&["-t", "1"]);
    let port = format!("--port={}", server.addr().port());
    // Named by its path, so that pytest finds the options' definitions beside it.
    let tests = "/usr/lib/python3/dist-packages/pymemcache/test/test_integration.py";
    let mut args = vec![
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-c",
        "/dev/null",
    ];
    args.extend(["-k", "not tls", "--server=127.0.0.1", &port, tests]);
    let said = Tool::check(PYTHON, &args, ROUND_MAX);
    assert!(
        said.contains("46 passed"),
        "not all of pymemcache's tests ran:\n{said}"
    );
}
