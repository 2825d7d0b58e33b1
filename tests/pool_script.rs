//! `scripts/pool`: as many nodes as asked for, where it says, until Ctrl-C.

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use support::{Conn, wait_until};

/// For whatever takes no time when nobody else wants the machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn start(args: &[&str]) -> Child {
    // Whoever runs the tests in the background has Ctrl-C ignored, and would hand that on.
    Command::new("env")
        .args(["--default-signal=INT", "scripts/pool"])
        .args(args)
        .env("LARDERD", env!("CARGO_BIN_EXE_larderd"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the script runs")
}

fn interrupt(pid: u32) {
    let pid = pid.to_string();
    let status = Command::new("kill").args(["-INT", &pid]).status();
    assert!(status.expect("kill runs").success());
}

#[test]
fn nodes_serve_until_they_are_interrupted() {
    let mut pool = start(&["3", "-m", "8"]);
    let mut lines = BufReader::new(pool.stdout.take().expect("a pipe")).lines();
    let mut line = || lines.next().expect("a line").expect("readable");
    let (url, file) = (line(), line());
    let listed = url.strip_prefix("memcache://").expect("a URL").to_owned();
    let nodes: Vec<SocketAddr> = listed
        .split(',')
        .map(|node| node.parse().expect("an address"))
        .collect();
    assert_eq!(nodes.len(), 3);

    let path = file.strip_prefix("file:").expect("a file").to_owned();
    let text = fs::read_to_string(&path).expect("the list");
    assert_eq!(text.trim_end().replace('\n', ","), listed);

    for (index, node) in nodes.iter().enumerate() {
        let mut conn = Conn::open(*node);
        let value = index.to_string();
        assert_eq!(conn.set("where", value.as_bytes()), "STORED");
    }
    // They are three, not one.
    for (index, node) in nodes.iter().enumerate() {
        let found = Conn::open(*node).get("where");
        assert_eq!(found, Some(index.to_string().into_bytes()));
    }

    interrupt(pool.id());
    assert!(pool.wait().expect("it ends").success());
    for node in nodes {
        assert!(TcpStream::connect(node).is_err(), "{node} has ended");
    }
    assert!(!Path::new(&path).exists(), "the folder is gone");
}

#[test]
fn a_pool_without_nodes_ends() {
    let mut pool = start(&["1"]);
    let mut lines = BufReader::new(pool.stdout.take().expect("a pipe")).lines();
    let processes = lines
        .find_map(|line| Some(line.ok()?.strip_prefix("Processes: ")?.to_owned()))
        .expect("the processes");
    let (pid, _) = processes.split_once('.').expect("one process");
    interrupt(pid.parse().expect("a process"));
    wait_until(PATIENCE, "the script to end", || {
        pool.try_wait().expect("our own child").is_some()
    });
    let out = pool.wait_with_output().expect("it ended");
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&out.stderr).contains("no node is left"));
}

#[test]
fn what_is_wrong_is_said() {
    for (args, code, word) in [
        (&[][..], 2, "usage"),
        (&["0"], 2, "usage"),
        (&["three"], 2, "usage"),
        (&["2", "--no-such-option"], 1, "no-such-option"),
    ] {
        let out = start(args).wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(word), "{args:?}: {said}");
    }
}
