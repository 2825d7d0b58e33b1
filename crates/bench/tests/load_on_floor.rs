//! The load generator against the floor: both ends of a run, for a moment.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output};
use std::thread;
use std::time::Duration;

const BENCH: &str = env!("CARGO_BIN_EXE_larder-bench");

/// A floor on a free port, killed at the end.
struct Floor {
    child: Child,
    port: String,
}

impl Floor {
    fn start(value_length: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port()
            .to_string();
        let child = Command::new(BENCH)
            .args([
                "floor",
                "--port",
                &port,
                "--threads",
                "2",
                "--value-length",
                value_length,
            ])
            .spawn()
            .unwrap();
        let floor = Self { child, port };
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", floor.port.parse().unwrap())).is_ok() {
                return floor;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("the floor does not listen");
    }

    fn load(&self, args: &[&str]) -> Output {
        let server = format!("127.0.0.1:{}", self.port);
        Command::new(BENCH)
            .args(["load", "--server", &server, "--conns", "4"])
            .args(args)
            .output()
            .unwrap()
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn assert_fine(output: &Output) {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}{err}");
    assert!(
        out.contains(" 0 misses, 0 refused, 0 wrong replies."),
        "{out}{err}"
    );
}

#[test]
fn a_closed_loop_of_all_kinds_is_answered() {
    let floor = Floor::start("64");
    let args = [
        "--shape-only",
        "--mix",
        "1:3",
        "--depth",
        "16",
        "--keys-per-get",
        "3",
        "--threads",
        "2",
        "--progress",
    ];
    let output = floor.load(&[&args[..], &["--seconds", "1.2"]].concat());
    assert_fine(&output);
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("requests/s"),
        "there is no progress line"
    );
}

#[test]
fn an_open_loop_sends_what_is_due() {
    let output = Floor::start("64").load(&[
        "--shape-only",
        "--rate",
        "2000",
        "--seconds",
        "1",
        "--depth",
        "4",
    ]);
    assert_fine(&output);
}

#[test]
fn wrong_replies_are_a_failure() {
    let floor = Floor::start("63");
    for args in [
        &["--requests", "100", "--shape-only"][..],
        &["--requests", "100"],
    ] {
        let output = floor.load(args);
        assert_eq!(output.status.code(), Some(1));
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(err.starts_with("larder-bench: "), "{err}");
    }
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let output = Command::new(BENCH)
        .args(["load", "--server", "127.0.0.1:1"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("cannot connect to 127.0.0.1:1"), "{err}");
}
