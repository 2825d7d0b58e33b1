//! telnet, typed at as a person would, through a pipe: bare words, line by line, and the answers as they come.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Types these lines, each followed by what must come back before the next one is typed; then `quit`, at which telnet
/// must end.
pub(crate) fn talk(port: u16, lines: &[(&str, &str)]) {
    let mut telnet = Command::new("telnet")
        .args(["127.0.0.1", &port.to_string()])
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
    for (line, answer) in lines {
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
