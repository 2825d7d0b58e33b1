//! A process seen from outside: its memory, its CPU time, and tools run to their end within a time limit.

use std::fs;
use std::io::Read;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Resident bytes of a process.
pub(crate) fn rss(pid: u32) -> u64 {
    status_field(pid, "VmRSS:") * 1024
}

/// Whether this test runs as root.
pub(crate) fn is_root() -> bool {
    status_field(std::process::id(), "Uid:") == 0
}

/// The first number of a line of `/proc/<pid>/status`.
fn status_field(pid: u32, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let line = text
        .lines()
        .find(|line| line.starts_with(name))
        .expect("a line the kernel always writes");
    line.split_whitespace()
        .nth(1)
        .expect("a number")
        .parse()
        .expect("a number")
}

/// User and system time of a process in clock ticks (fields 14 and 15 of `/proc/<pid>/stat`).
pub(crate) fn cpu_ticks(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a running process");
    let (_, after_name) = text.rsplit_once(')').expect("the name in brackets");
    after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().expect("a number"))
        .sum()
}

/// Looks again every few milliseconds until `done`, and fails the test when it takes longer than `limit`.
pub(crate) fn wait_until(limit: Duration, what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !done() {
        assert!(Instant::now() < end, "waited {limit:?} for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Lets the tests of one binary that take much memory or time run one after another.
pub(crate) fn one_at_a_time() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A command line tool and what came of it.
pub(crate) struct Tool {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// Its stdout and stderr, one after the other.
    pub(crate) output: String,
}

impl Tool {
    /// Runs a tool to its end. A tool that is missing or does not end in time fails the test with a sentence.
    pub(crate) fn run(program: &str, args: &[&str], limit: Duration) -> Self {
        Self::run_in(".", program, args, limit)
    }

    /// The same in another folder than the tests' own.
    pub(crate) fn run_in(folder: &str, program: &str, args: &[&str], limit: Duration) -> Self {
        let mut child = Command::new(program)
            .args(args)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{program} cannot be run ({e}); scripts/test installs it"));
        let out = drain(child.stdout.take().expect("piped"));
        let err = drain(child.stderr.take().expect("piped"));
        let end = Instant::now() + limit;
        let status = loop {
            if let Some(status) = child.try_wait().expect("our own child") {
                break status;
            }
            if Instant::now() > end {
                let _ = child.kill();
                let _ = child.wait();
                panic!("{program} {args:?} did not end within {limit:?}");
            }
            thread::sleep(Duration::from_millis(5));
        };
        let output = out.join().expect("reader") + &err.join().expect("reader");
        Self { status, output }
    }

    /// The same, and fails the test when the tool did not end well.
    pub(crate) fn check(program: &str, args: &[&str], limit: Duration) -> String {
        Self::check_in(".", program, args, limit)
    }

    /// The same in another folder than the tests' own.
    pub(crate) fn check_in(folder: &str, program: &str, args: &[&str], limit: Duration) -> String {
        let tool = Self::run_in(folder, program, args, limit);
        assert!(
            tool.status.success(),
            "{program} {args:?} ended with {}:\n{}",
            tool.status,
            tool.output
        );
        tool.output
    }
}

fn drain(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
