//! `larder` as a person at a shell meets it.

mod access;
mod items;
mod nodes;
mod pool;
mod ring;
mod top;

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Runs it to its end.
fn larder(args: &[&str], stdin: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_larder"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("larder runs");
    let mut pipe = child.stdin.take().expect("a pipe");
    // A command line that is refused closes the pipe before the keys are read.
    let _ = pipe.write_all(stdin);
    drop(pipe);
    child.wait_with_output().expect("larder ends")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}
