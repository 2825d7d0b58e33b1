//! The units under packaging/: systemd's own judge of them, and larderd held to the system calls that they allow.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::daemon::{Daemon, LIMIT, PROGRAM, folder};
use crate::support::{Secrets, Tool, is_root};

/// How much systemd's judge may find exposed, in tenths: of 100, where a unit without any word has 96.
const EXPOSURE_MAX: &str = "15";

/// Where the units look for the program.
const INSTALLED: &str = "/usr/bin/larderd";

fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging")
}

fn unit(name: &str) -> String {
    fs::read_to_string(packaging().join(name)).expect("a unit")
}

/// The units with the program that was built, an instance among them, as arguments of systemd's tools.
fn units() -> (TempDir, Vec<String>) {
    let folder = folder();
    let table = [
        ("larderd.service", "larderd.service"),
        ("larderd@.service", "larderd@sessions.service"),
        ("larderd.socket", "larderd.socket"),
    ];
    let put = |(from, to): (&str, &str)| {
        let path = folder.path().join(to);
        fs::write(&path, unit(from).replace(INSTALLED, PROGRAM)).expect("a unit");
        path.display().to_string()
    };
    let paths = table.map(put).to_vec();
    (folder, paths)
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let (_folder, paths) = units();
    let mut args = vec!["verify", "--man=no"];
    args.extend(paths.iter().map(String::as_str));
    assert_eq!(Tool::check("systemd-analyze", &args, LIMIT), "");
}

#[test]
fn the_services_may_do_little() {
    let (_folder, paths) = units();
    for path in paths.iter().filter(|path| path.ends_with(".service")) {
        let threshold = format!("--threshold={EXPOSURE_MAX}");
        let args = ["security", "--no-pager", "--offline=true", &threshold, path];
        let judged = Tool::check("systemd-analyze", &args, LIMIT);
        assert!(judged.contains("Overall exposure level"), "{judged}");
    }
    let wanted = [
        "Type=notify",
        "CapabilityBoundingSet=",
        "AmbientCapabilities=",
        "NoNewPrivileges=yes",
        "PrivateTmp=yes",
        "MemoryDenyWriteExecute=yes",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
        "ProtectSystem=strict",
    ];
    let service = unit("larderd.service");
    for line in wanted {
        assert!(service.lines().any(|own| own == line), "{line}");
    }
}

#[test]
fn an_instance_is_the_service_with_names_of_its_own() {
    let section = |text: &str| {
        let start = text.find("[Service]").expect("a section");
        let lines = text[start..].lines().filter(|line| !line.starts_with('#'));
        lines.collect::<Vec<_>>().join("\n")
    };
    let one = unit("larderd@.service");
    // Neither the user nor the folder of its sockets is the other's: that one's end removes nothing of this one's.
    for name in ["User", "RuntimeDirectory"] {
        let own = format!("\n{name}=larderd-%i\n");
        assert!(one.contains(&own), "{name}");
    }
    let one = one.replace("larderd/%i.conf", "larderd/larderd.conf");
    let one = one.replace("=larderd-%i", "=larderd");
    assert_eq!(section(&one), section(&unit("larderd.service")));
}

/// The names that a line of SystemCallFilter= stands for, sets of sets included.
fn calls_of(set: &str, sets: &BTreeMap<String, Vec<String>>) -> BTreeSet<String> {
    let entries = sets.get(set).unwrap_or_else(|| panic!("no set {set}"));
    let calls = entries
        .iter()
        .flat_map(|entry| match entry.starts_with('@') {
            true => calls_of(entry, sets),
            false => BTreeSet::from([entry.clone()]),
        });
    calls.collect()
}

/// systemd's sets of system calls.
fn sets() -> BTreeMap<String, Vec<String>> {
    let text = Tool::check("systemd-analyze", &["syscall-filter", "--no-pager"], LIMIT);
    let (mut sets, mut name) = (BTreeMap::<String, Vec<String>>::new(), String::new());
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        match line.strip_prefix("    ") {
            None => name = line.trim().to_owned(),
            Some(comment) if comment.starts_with('#') => {}
            Some(entry) => sets.entry(name.clone()).or_default().push(entry.to_owned()),
        }
    }
    sets
}

#[test]
fn it_makes_no_system_call_that_the_units_forbid() {
    let secrets = Secrets::new();
    secrets.write("users", "ann:one\n");
    let users = secrets.path("users").display().to_string();
    let folder = folder();
    let trace = folder.path().join("trace").display().to_string();
    let strace = ["strace", "-f", "-qq", "-o", &trace];
    // As in the unit, it is nobody from the start.
    let nobody = [
        "--reuid=nobody",
        "--regid=nogroup",
        "--clear-groups",
        "--no-new-privs",
    ];
    let first = match is_root() {
        true => [&nobody[..], &strace].concat(),
        false => [&["--no-new-privs"], &strace[..]].concat(),
    };
    let args = ["-p", "-1", "-l", "127.0.0.1", "-t", "2", "-Y", &users];
    let mut daemon = Daemon::start_by("setpriv", &first, &args);
    let mut conn = daemon.connect();
    conn.send(b"set auth 0 0 7\r\nann one\r\n");
    assert_eq!(conn.line(), "STORED");
    assert_eq!(conn.set("key", &[b'v'; 500_000]), "STORED");
    let pid = Pid::from_raw(conn.stat("pid") as i32);
    kill(pid, Signal::SIGHUP).expect("started by this test");
    kill(pid, Signal::SIGTERM).expect("started by this test");
    assert!(daemon.ended().success());

    let sets = sets();
    let allowed = calls_of("@system-service", &sets);
    let allowed = &allowed - &calls_of("@privileged", &sets);
    let text = fs::read_to_string(&trace).expect("a trace");
    // "1234  openat(AT_FDCWD, ...": signals, ends and calls resumed begin otherwise.
    let call = |line: &str| {
        let (_, rest) = line.split_once(' ')?;
        let (name, _) = rest.trim_start().split_once('(')?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        name.chars().all(is_name).then(|| name.to_owned())
    };
    let made: BTreeSet<String> = text.lines().filter_map(call).collect();
    assert!(
        made.contains("epoll_wait") && made.contains("accept4"),
        "{made:?}"
    );
    let forbidden: Vec<_> = made.difference(&allowed).collect();
    assert!(forbidden.is_empty(), "{forbidden:?}");
}
