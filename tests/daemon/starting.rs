//! What holds once it serves: where it listens, as whom, and what it says of its settings.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::available_parallelism;

use nix::sys::signal::Signal;

use crate::daemon::{Daemon, folder, run};
use crate::support::{is_root, wait_until};

#[test]
fn the_defaults_of_our_own_are_said() {
    let daemon = Daemon::start(&["-p", "-1"]);
    assert_eq!(daemon.ports().len(), 1, "{:?}", daemon.ports());
    daemon.wait_for_log("(without -l only this machine can connect)");
    assert_eq!(daemon.setting("inter"), "127.0.0.1");
    let cores = available_parallelism().expect("a number of cores");
    assert_eq!(daemon.setting("num_threads"), cores.to_string());
    assert_eq!(
        daemon
            .log()
            .contains(" as nobody (started by root without -u)"),
        is_root(),
        "{}",
        daemon.log()
    );
}

#[test]
fn root_is_given_up() {
    if !is_root() {
        eprintln!("not root: nothing to give up");
        return;
    }
    for args in [&["-p", "-1"][..], &["-p", "-1", "-u", "daemon"]] {
        let daemon = Daemon::start(args);
        let status =
            fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("a process");
        let field = |name: &str| {
            let line = status
                .lines()
                .find(|line| line.starts_with(name))
                .expect("a line");
            line.split_whitespace()
                .skip(1)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        for name in ["Uid:", "Gid:"] {
            let ids = field(name);
            assert!(
                ids.len() == 4 && ids.iter().all(|id| *id != "0" && *id == ids[0]),
                "{name} {ids:?}"
            );
        }
        assert_eq!(field("Groups:"), [""; 0]);
        assert_eq!(field("CapEff:"), ["0000000000000000"]);
    }
}

#[test]
fn several_addresses_have_a_line_each() {
    let daemon = Daemon::start(&["-p", "-1", "-l", "127.0.0.1,127.0.0.2"]);
    let ports = daemon.ports();
    assert!(
        ports.len() == 2 && ports.iter().all(|line| line.starts_with("TCP INET: ")),
        "{ports:?}"
    );
    assert_eq!(daemon.setting("inter"), "127.0.0.1,127.0.0.2");
    let numbers = daemon.port_numbers();
    daemon.wait_for_log(&format!(
        "listening on 127.0.0.1:{}, 127.0.0.2:{} as ",
        numbers[0], numbers[1]
    ));
}

#[test]
fn a_unix_socket_replaces_tcp() {
    let daemon = Daemon::spawn(&["-s", "{}/socket", "-a", "770"], &[]);
    let path = daemon.folder.path().join("socket");
    wait_until(crate::daemon::LIMIT, "the socket", || {
        fs::metadata(&path).is_ok_and(|file| file.permissions().mode() & 0o777 == 0o770)
    });
    assert!(
        fs::metadata(&path)
            .expect("the socket")
            .file_type()
            .is_socket()
    );
    assert!(!daemon.folder.path().join("ports").exists());
}

#[test]
fn a_unix_socket_is_replaced_only_where_nobody_answers() {
    let mut first = Daemon::spawn(&["-s", "{}/socket"], &[]);
    let path = first.folder.path().join("socket");
    let path = path.to_str().expect("a plain name");
    first.wait_for_log(&format!("listening on {path} as "));
    let refused = run(&["-s", path]);
    assert_eq!(refused.status.code(), Some(71), "{}", refused.output);
    let why = format!("cannot listen on {path}: another process answers there");
    assert!(refused.output.contains(&why), "{}", refused.output);
    assert!(UnixStream::connect(path).is_ok(), "the first still serves");

    first.signal(Signal::SIGKILL);
    first.ended();
    assert!(UnixStream::connect(path).is_err() && Path::new(path).exists());
    let second = Daemon::spawn(&["-s", path], &[]);
    second.wait_for_log(&format!("listening on {path} as "));
    assert!(UnixStream::connect(path).is_ok());
}

#[test]
fn the_command_line_wins_over_the_file() {
    let folder = folder();
    let path = folder.path().join("conf");
    let text =
        "# Debian's form and the long one\n-m 100\nmax-item-size 2m\n-p 1\n-o idle_timeout=300s\n";
    fs::write(&path, text).expect("a file");
    let path = path.to_str().expect("a plain name");
    let daemon = Daemon::start(&["-p", "-1", "-m", "200", "--config", path]);
    assert_eq!(daemon.setting("maxbytes"), (200 << 20).to_string());
    assert_eq!(daemon.setting("item_size_max"), (2 << 20).to_string());
    assert_eq!(daemon.setting("idle_timeout"), "300");
    assert_eq!(daemon.setting("tcpport"), "-1");
}

#[test]
fn udp_is_shown_and_said_not_to_be_served() {
    let daemon = Daemon::start(&["-p", "-1", "-U", "11211"]);
    assert_eq!(daemon.setting("udpport"), "11211");
    assert_eq!(
        daemon.log().matches("UDP is not served").count(),
        1,
        "{}",
        daemon.log()
    );
}

#[test]
fn options_without_effect_are_named() {
    let daemon = Daemon::start(&["-p", "-1", "-L", "-o", "lru_crawler_sleep=5,no_hashexpand"]);
    daemon.wait_for_log("accepted without effect: -L, lru_crawler_sleep, no_hashexpand");
    assert_eq!(daemon.setting("lru_crawler_sleep"), "5");
}

#[test]
fn plain_stats_has_as_many_rows_as_memcached() {
    let daemon = Daemon::start(&["-p", "-1"]);
    assert_eq!(daemon.connect().stats("").len(), 93);
    let daemon = Daemon::start(&["-p", "-1", "-o", "no_lru_crawler,no_lru_maintainer"]);
    assert_eq!(daemon.connect().stats("").len(), 84);
}

#[test]
fn how_much_is_logged() {
    let args = ["-p", "-1", "-l", "127.0.0.1", "-m", "80", "-t", "2"];
    let silent = Daemon::start(&args);
    let port = silent.port_numbers()[0];
    let line = format!("larderd] listening on 127.0.0.1:{port} as ");
    silent.wait_for_log(&line);
    silent.wait_for_log(", with 80m of memory and 2 workers\n");
    assert_eq!(silent.setting("verbosity"), "0");
    assert_eq!(silent.log().lines().count(), 1, "{}", silent.log());

    let talking = Daemon::start(&["-p", "-1", "-l", "127.0.0.1", "-vv"]);
    talking.wait_for_log("listening on 127.0.0.1:");
    assert_eq!(talking.setting("verbosity"), "2");
    assert_eq!(talking.connect().ask("verbosity 0"), "OK");
    assert_eq!(talking.setting("verbosity"), "0");

    let by_variable = Daemon::start_with(&args, &[("RUST_LOG", "larderd=debug")]);
    assert_eq!(by_variable.setting("verbosity"), "2");
    by_variable.wait_for_log("larderd] tcp:127.0.0.1:");
    by_variable.wait_for_log(": connected");
}

#[test]
fn the_limit_of_open_files_is_raised_to_what_connections_need() {
    let limited = |soft: &str| {
        let larderd = Daemon::start_by(
            "sh",
            &["-c", &format!("ulimit -Sn {soft}; exec \"$0\" \"$@\"")],
            &["-p", "-1"],
        );
        let limits =
            fs::read_to_string(format!("/proc/{}/limits", larderd.pid())).expect("a process");
        let line = limits
            .lines()
            .find(|line| line.starts_with("Max open files"))
            .expect("a line");
        line.split_whitespace()
            .nth(3)
            .and_then(|soft| soft.parse::<u64>().ok())
            .expect("a number")
    };
    assert!(limited("100") > 1024);
    // Enough is left alone: valgrind, for one, forbids more.
    assert_eq!(limited("2000"), 2000);
}
