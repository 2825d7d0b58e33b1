//! telnet, typed at as a person would, through a pipe: bare words, line by line, and the answers as they come.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::support::Server;

/// What is typed, and what must come back before the next line is typed.
const TALK: &[(&str, &str)] = &[
    ("version", "VERSION 1.6."),
    ("set greeting 5 0 5", ""),
    ("hello", "STORED"),
    ("get greeting", "VALUE greeting 5 5\r\nhello\r\nEND"),
    ("set n 0 0 2", ""),
    ("41", "STORED"),
    ("incr n 1", "42"),
    ("gets n missing", "VALUE n 0 2"),
    ("append greeting 0 0 1", ""),
    ("!", "STORED"),
    ("get greeting", "hello!"),
    ("touch greeting 100", "TOUCHED"),
    ("delete greeting", "DELETED"),
    ("get greeting", "END"),
    ("what is this", "ERROR"),
    ("stats", "STAT pid"),
    ("flush_all", "OK"),
];

#[test]
fn telnet_talks() {
    let server = Server::larderd(&[]);
    let mut telnet = Command::new("telnet")
        .args(["127.0.0.1", &server.addr().port().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("telnet cannot be run; scripts/test installs it");
    let mut typed = telnet.stdin.take().expect("piped");
    let mut shown = telnet.stdout.take().expect("piped");
    let (send, answers) = mpsc::channel();
    thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(n @ 1..) = shown.read(&mut chunk) {
            let _ = send.send(String::from_utf8_lossy(&chunk[..n]).into_owned());
        }
    });

    let mut screen = String::new();
    let mut wait_for = |what: &str| {
        // telnet may show line ends in either form.
        while !screen
            .replace("\r\n", "\n")
            .contains(&what.replace("\r\n", "\n"))
        {
            match answers.recv_timeout(Duration::from_secs(20)) {
                Ok(more) => screen += &more,
                Err(_) => panic!("telnet never showed {what:?}, only {screen:?}"),
            }
        }
        screen.clear();
    };
    wait_for("Connected to");
    for (line, answer) in TALK {
        typed
            .write_all(format!("{line}\n").as_bytes())
            .expect("telnet reads what is typed");
        if !answer.is_empty() {
            wait_for(answer);
        }
    }
    typed
        .write_all(b"quit\n")
        .expect("telnet reads what is typed");
    let status = telnet.wait().expect("our own child");
    drop(typed);
    assert!(
        status.code().is_some(),
        "telnet ends when the server closes after quit"
    );
}
