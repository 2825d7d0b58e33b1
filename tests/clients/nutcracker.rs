//! nutcracker (twemproxy) in front of three larderds: each key goes to one of them, and a round is made through it.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixStream;
use std::process::Command;

use tempfile::TempDir;

use crate::support::{Program, Server};
use crate::{VENV_PYTHON, round_on};

/// Three pools of the same servers: one that waits long for a server, one that hardly waits, and one that leaves out a
/// server after an error. A pool listens on a file, since nutcracker does not tell which port the system has chosen.
const POOLS: &[(&str, &[&str])] = &[
    ("patient", &["timeout: 60000"]),
    ("impatient", &["timeout: 200"]),
    (
        "ejecting",
        &[
            "timeout: 60000",
            "auto_eject_hosts: true",
            "server_failure_limit: 1",
            "server_retry_timeout: 600000",
        ],
    ),
];

fn configuration(folder: &str, servers: &[Server]) -> String {
    let mut text = String::new();
    for (name, more) in POOLS {
        text += &format!("{name}:\n  listen: {folder}/{name}\n");
        text += "  hash: md5\n  distribution: ketama\n";
        for line in *more {
            text += &format!("  {line}\n");
        }
        text += "  servers:\n";
        // The ring is one of these names, so that the keys are shared the same way whatever the ports are.
        for (server, name) in servers.iter().zip(["one", "two", "three"]) {
            text += &format!("    - {}:1 {name}\n", server.name());
        }
    }
    text
}

/// It must be given a port for its statistics: one that is free, on an address of this machine that belongs to nobody
/// else, since another process may take the port in the meantime where all bind.
fn address_of_its_own() -> (Ipv4Addr, u16) {
    let [_, a, b, c] = std::process::id().to_be_bytes();
    let addr = Ipv4Addr::new(127, 1 | a, b, c);
    let listener = TcpListener::bind((addr, 0)).expect("an address of this machine");
    (addr, listener.local_addr().expect("bound").port())
}

fn nutcracker(servers: &[Server]) -> Program {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().to_str().expect("text").to_owned();
    let file = format!("{path}/nutcracker.yml");
    fs::write(&file, configuration(&path, servers)).expect("a configuration file");
    let (addr, port) = address_of_its_own();
    let mut command = Command::new("/usr/sbin/nutcracker");
    command
        .args(["-c", &file, "-o", "/dev/stderr", "-p"])
        .arg(format!("{path}/pid"))
        .args(["-a", &addr.to_string(), "-s", &port.to_string()]);
    let mut program = Program::start(folder, &mut command);
    let sockets = POOLS
        .iter()
        .map(|(name, _)| program.folder().join(name))
        .collect::<Vec<_>>();
    program.wait_until(|| sockets.iter().all(|path| UnixStream::connect(path).is_ok()));
    program
}

#[test]
fn nutcracker_round() {
    let servers = [(); 3].map(|()| Server::larderd(&["-m", "64", "-t", "2"]));
    let nutcracker = nutcracker(&servers);
    let folder = nutcracker.folder().to_str().expect("text");
    let others = servers[1..]
        .iter()
        .map(|server| server.addr().port().to_string());
    let others: Vec<String> = others.collect();
    let more = [folder, &others[0], &others[1]];
    round_on(
        &servers[0],
        &[VENV_PYTHON, "-B"],
        "nutcracker_round.py",
        &more,
    );
}
