//! Real clients as black boxes: each program makes its whole round against larderd and judges it by itself. At the end
//! of it the server is stopped, goes on, and is ended, so that the client's own timeouts and errors are seen as well.
//! A program that is missing fails its test with a sentence; `scripts/test` installs them all. With
//! `LARDERD_BIN=memcached` the rounds are made against Debian's memcached, and show what a client does in any case.

#[path = "../support/mod.rs"]
mod support;

mod http;
mod libmemcached;
mod nginx;
mod nutcracker;
mod pgmemcache;
mod php_sessions;
mod telnet;

use std::time::Duration;

use support::{Server, Tool, VENV_PYTHON};

/// Longest that one client may take for its round.
const ROUND_MAX: Duration = Duration::from_secs(120);
/// Where the rounds lie, and run.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");
/// Debian's own interpreter, for which its clients' packages are made, whatever else is on the path.
const PYTHON: &str = "/usr/bin/python3";

/// Runs a script of this folder against a server of its own.
fn round(interpreter: &[&str], script: &str) {
    let server = Server::larderd(&["-m", "64", "-t", "2"]);
    round_on(&server, interpreter, script, &[]);
}

/// Runs a script in this folder, with the server's host, port and process id behind it, and then what more it needs. The
/// server is the script's own to stop and to end.
fn round_on(server: &Server, interpreter: &[&str], script: &str, more: &[&str]) {
    let (port, pid) = (server.addr().port().to_string(), server.pid().to_string());
    let (program, options) = interpreter.split_first().expect("an interpreter");
    let args = [options, &[script, "127.0.0.1", &port, &pid], more].concat();
    let said = Tool::check_in(FOLDER, program, &args, ROUND_MAX);
    assert!(
        said.contains("whole round done"),
        "{script} ended early:\n{said}"
    );
}

/// Stops a server, lets it go on, or ends it: `stop`, `resume`, `end`.
fn tell(server: &Server, verb: &str) {
    let pid = server.pid().to_string();
    Tool::check_in(FOLDER, "./server", &[verb, &pid], ROUND_MAX);
}

fn python_round(script: &str) {
    // Without bytecode, which would lie beside the sources.
    round(&[VENV_PYTHON, "-B"], script);
}

#[test]
fn pymemcache_round() {
    python_round("pymemcache_round.py");
}

#[test]
fn pylibmc_round() {
    python_round("pylibmc_round.py");
}

#[test]
fn python_memcached_round() {
    python_round("python_memcached_round.py");
}

#[test]
fn aiomcache_round() {
    python_round("aiomcache_round.py");
}

#[test]
fn emcache_round() {
    python_round("emcache_round.py");
}

#[test]
fn meta_memcache_round() {
    python_round("meta_memcache_round.py");
}

#[test]
fn django_round() {
    python_round("django_round.py");
}

#[test]
fn php_memcached_round() {
    round(&["php"], "memcached_round.php");
}

#[test]
fn dalli_round() {
    round(&["/usr/bin/ruby"], "dalli_round.rb");
}

#[test]
fn cache_memcached_fast_round() {
    round(&["/usr/bin/perl"], "cache_memcached_fast_round.pl");
}

fn node_round(script: &str) {
    let node = [
        "env",
        concat!(
            "NODE_PATH=",
            env!("CARGO_MANIFEST_DIR"),
            "/target/clients/npm/node_modules"
        ),
        concat!(env!("CARGO_MANIFEST_DIR"), "/target/clients/node"),
    ];
    round(&node, script);
}

#[test]
fn npm_memcached_round() {
    node_round("memcached_round.js");
}

#[test]
fn memjs_round() {
    node_round("memjs_round.js");
}

#[test]
fn gomemcache_round() {
    // Debian's Go packages lie where Go looked for them before it had modules.
    let go = [
        "env",
        "GO111MODULE=off",
        "CGO_ENABLED=0",
        "GOPATH=/usr/share/gocode",
        concat!("GOCACHE=", env!("CARGO_MANIFEST_DIR"), "/target/clients/go"),
        "/usr/bin/go",
        "run",
    ];
    round(&go, "gomemcache_round.go");
}

#[test]
fn spymemcached_round() {
    let java = ["/usr/bin/java", "-cp", "/usr/share/java/spymemcached.jar"];
    round(&java, "SpymemcachedRound.java");
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
