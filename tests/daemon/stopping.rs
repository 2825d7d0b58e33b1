//! Signals, the background, and the file with the process id.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getsid};

use crate::daemon::{Daemon, LIMIT, run};
use crate::support::{is_root, wait_until};

/// How long a stop may take, by promise.
const STOP: Duration = Duration::from_secs(5);

#[test]
fn signals_stop_it_with_exit_code_0() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR1] {
        let mut daemon = Daemon::start(&["-p", "-1", "-l", "127.0.0.1"]);
        let mut conn = daemon.connect();
        assert_eq!(conn.set("key", b"value"), "STORED");
        let began = Instant::now();
        daemon.signal(signal);
        let status = daemon.ended();
        assert_eq!(status.code(), Some(0), "{signal}: {status}");
        assert!(began.elapsed() < STOP, "{signal}");
        let log = daemon.log();
        assert!(
            log.ends_with(&format!(" larderd] stopped: {signal}\n")),
            "{log}"
        );
        let said = log.contains(" larderd] Gracefully stopping\n");
        assert_eq!(
            said,
            signal == Signal::SIGUSR1,
            "{signal}: {}",
            daemon.log()
        );
    }
}

#[test]
fn a_client_that_stops_it_is_told_of() {
    for (command, graceful) in [("shutdown", false), ("shutdown graceful", true)] {
        let mut daemon = Daemon::start(&["-p", "-1", "-A"]);
        daemon.connect().send(format!("{command}\r\n").as_bytes());
        assert!(daemon.ended().success());
        let log = daemon.log();
        let stopped = format!(" stopped: a client said {command}\n");
        assert!(log.ends_with(&stopped), "{log}");
        assert_eq!(log.contains("Gracefully stopping\n"), graceful, "{log}");
    }
}

#[test]
fn other_signals_do_not() {
    let daemon = Daemon::start(&["-p", "-1", "-v"]);
    let mut conn = daemon.connect();
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_log("SIGHUP");
    daemon.signal(Signal::SIGPIPE);
    assert_eq!(conn.set("key", b"value"), "STORED");
}

#[test]
fn the_pidfile_stays_without_background() {
    let mut daemon = Daemon::start(&["-p", "-1", "-P", "{}/pid"]);
    let path = daemon.folder.path().join("pid");
    wait_until(LIMIT, "the pidfile", || path.exists());
    assert_eq!(pid_in(&path), daemon.pid());
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.ended().success());
    assert!(path.exists());
}

#[test]
fn a_pidfile_of_a_running_process_is_warned_of() {
    let first = Daemon::start(&["-p", "-1", "-P", "{}/pid"]);
    let path = first.folder.path().join("pid");
    wait_until(LIMIT, "the pidfile", || path.exists());
    let second = Daemon::start(&["-p", "-1", "-P", path.to_str().expect("a plain name")]);
    second.wait_for_log(&format!(
        "names a process that is running ({})",
        first.pid()
    ));
}

#[test]
fn a_pidfile_that_cannot_be_written_is_told_before_the_terminal_is_left() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let missing = folder.path().join("no/such/folder/pid");
    let mut paths = vec![missing.to_str().expect("a plain name").to_owned()];
    if is_root() {
        // Its folder is root's, who has been given up by then.
        paths.push(folder.path().join("pid").display().to_string());
    }
    for path in paths {
        let args = ["-p", "-1", "-l", "127.0.0.1", "-P", &path];
        for first in [&["-d"][..], &["-d", "--check-config"]] {
            let outcome = run(&[first, &args[..]].concat());
            let said = outcome.output;
            assert_eq!(outcome.status.code(), Some(71), "{said}");
            let why = format!("larderd: -P {path}: cannot be written: ");
            assert!(said.contains(&why), "{said}");
            let as_whom = said.contains("as nobody, whom root has gone on as");
            assert_eq!(as_whom, said.contains("denied"), "{said}");
        }
        // Otherwise it serves nevertheless, as memcached does.
        Daemon::start(&args).wait_for_log(&format!("-P {path}: cannot be written: "));
    }
}

#[test]
fn a_pidfile_that_names_another_process_by_now_stays() {
    let daemon = Daemon::start(&["-d", "-p", "-1", "-P", "{}/pid", "-l", "127.0.0.1"]);
    let path = daemon.folder.path().join("pid");
    wait_until(LIMIT, "the pidfile", || path.exists());
    let background = Background(pid_in(&path));
    let second = Daemon::start(&["-p", "-1", "-P", path.to_str().expect("a plain name")]);
    wait_until(LIMIT, "the second's", || {
        path.exists() && pid_in(&path) == second.pid()
    });
    kill(background.0, Signal::SIGTERM).expect("started by this test");
    wait_until(LIMIT, "the end of the process", || background.ended());
    assert_eq!(pid_in(&path), second.pid());
}

#[test]
fn in_the_background() {
    let mut daemon = Daemon::start(&["-d", "-p", "-1", "-P", "{}/pid", "-l", "127.0.0.1"]);
    assert_eq!(daemon.ended().code(), Some(0));
    let path = daemon.folder.path().join("pid");
    wait_until(LIMIT, "the pidfile", || path.exists());
    let background = Background(pid_in(&path));
    assert_ne!(background.0, daemon.pid());
    assert_eq!(daemon.connect().set("key", b"value"), "STORED");

    assert_eq!(getsid(Some(background.0)), Ok(background.0));
    if let Ok(directory) = fs::read_link(format!("/proc/{}/cwd", background.0)) {
        assert_eq!(directory, Path::new("/"));
    }
    for stream in 0..3 {
        if let Ok(file) = fs::read_link(format!("/proc/{}/fd/{stream}", background.0)) {
            assert_eq!(file, Path::new("/dev/null"));
        }
    }
    kill(background.0, Signal::SIGTERM).expect("started by this test");
    wait_until(LIMIT, "the end of the process", || background.ended());
    assert!(!path.exists(), "the pidfile is removed at the end");
}

#[test]
fn what_prevents_a_start_in_the_background_is_told() {
    let holder = Daemon::start(&["-p", "-1", "-l", "127.0.0.1"]);
    let port = holder.ports()[0].replace("TCP INET: ", "");
    let mut daemon = Daemon::spawn(&["-d", "-p", &port, "-l", "127.0.0.1"], &[]);
    assert_eq!(daemon.ended().code(), Some(71));
    let log = daemon.log();
    let expected = format!("larderd: cannot start: cannot listen on 127.0.0.1:{port}: ");
    assert!(log.contains(&expected), "{log}");
    assert!(
        log.contains("another process listens there; end it, or"),
        "{log}"
    );
}

fn pid_in(path: &Path) -> Pid {
    let text = fs::read_to_string(path).expect("the pidfile");
    Pid::from_raw(text.trim().parse().expect("a process id"))
}

/// A process that went to the background, ended with the test.
struct Background(Pid);

impl Background {
    fn ended(&self) -> bool {
        // Its new parent may not have taken notice of its end.
        let state = fs::read_to_string(format!("/proc/{}/stat", self.0)).unwrap_or_default();
        kill(self.0, None) == Err(Errno::ESRCH) || state.contains(") Z ")
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if !self.ended() {
            let _ = kill(self.0, Signal::SIGKILL);
        }
    }
}
