//! systemd's two protocols, spoken as systemd speaks them: it hears by a datagram socket how far the service is, and
//! passes on sockets that it has opened.

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, io};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::daemon::{Daemon, LIMIT, PROGRAM, folder};
use crate::support::{Conn, Secrets, Tool, wait_until};

/// The service manager's end of `NOTIFY_SOCKET`.
struct Manager {
    socket: UnixDatagram,
    folder: TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = folder();
        let socket = UnixDatagram::bind(folder.path().join("notify")).expect("a socket");
        socket.set_read_timeout(Some(LIMIT)).expect("a limit");
        let manager = Self { socket, folder };
        // As systemd's, it is written to by whomever the service runs as.
        let anybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(manager.path(), anybody).expect("chmod");
        manager
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("notify")
    }

    /// Starts larderd as a service of this manager.
    fn start(&self, args: &[&str]) -> Daemon {
        let path = self.path();
        let path = path.to_str().expect("a plain name");
        Daemon::spawn(args, &[("NOTIFY_SOCKET", path)])
    }

    /// What it is told next.
    fn hears(&self) -> String {
        let mut message = [0; 4096];
        let len = self.socket.recv(&mut message).expect("to be told");
        String::from_utf8(message[..len].to_vec()).expect("text")
    }
}

#[test]
fn a_service_manager_is_told_how_far_the_service_is() {
    let secrets = Secrets::new();
    secrets.write("users", "ann:one\n");
    let users = secrets.path("users");
    // With files to be read anew, and without.
    for args in [&["-Y", users.to_str().expect("a plain name")][..], &[]] {
        let manager = Manager::new();
        let mut daemon = manager.start(&[&["-p", "-1", "-l", "127.0.0.1"], args].concat());
        let ready = manager.hears();
        let port = daemon.port_numbers()[0];
        let expected = format!("READY=1\nSTATUS=listening on 127.0.0.1:{port}\n");
        assert_eq!(ready, expected);
        assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());

        daemon.signal(Signal::SIGHUP);
        let reloading = manager.hears();
        let at = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
        let at = at.and_then(|at| at.trim_end().parse::<u64>().ok());
        assert!(at.is_some_and(|micros| micros > 0), "{reloading}");
        assert_eq!(manager.hears(), "READY=1\n");

        daemon.signal(Signal::SIGTERM);
        assert_eq!(manager.hears(), "STOPPING=1\n");
        assert!(daemon.ended().success());
    }
}

#[test]
fn a_service_manager_is_told_that_a_client_stops_the_service() {
    for line in ["shutdown\r\n", "shutdown graceful\r\n"] {
        let manager = Manager::new();
        let mut daemon = manager.start(&["-A", "-p", "-1", "-l", "127.0.0.1"]);
        assert!(manager.hears().starts_with("READY=1\n"));
        daemon.connect().send(line.as_bytes());
        assert_eq!(manager.hears(), "STOPPING=1\n");
        assert!(daemon.ended().success());
    }
}

#[test]
fn a_service_manager_keeps_the_process_in_front() {
    let manager = Manager::new();
    let daemon = manager.start(&["-d", "-p", "-1", "-l", "127.0.0.1"]);
    assert!(manager.hears().starts_with("READY=1\n"));
    daemon.wait_for_log("-d has no effect: a service manager waits for this process");
    let pid = daemon.connect().stat("pid");
    assert_eq!(pid, daemon.pid().as_raw() as u64);
}

/// Lets a shell start larderd with these sockets, as systemd does: from descriptor 3 on, with its own process id in
/// LISTEN_PID.
fn command_with_sockets(first: OwnedFd, second: OwnedFd) -> Command {
    let script = "exec 3<&0 4<&1 0</dev/null 1>/dev/null; \
                  export LISTEN_PID=$$ LISTEN_FDS=2; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, PROGRAM]);
    command
        .stdin(Stdio::from(first))
        .stdout(Stdio::from(second));
    command
}

/// A TCP and a Unix socket that listen.
fn two_sockets(folder: &TempDir) -> (TcpListener, UnixListener) {
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
    let unix = UnixListener::bind(folder.path().join("socket")).expect("a socket");
    let anybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(folder.path().join("socket"), anybody).expect("chmod");
    (tcp, unix)
}

/// Asks for the version by a Unix socket.
fn version_at(path: &Path) -> io::Result<String> {
    use std::io::{BufRead, BufReader, Write};
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(b"version\r\n")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line)
}

#[test]
fn sockets_that_are_passed_on_stand_in_for_options() {
    let folder = folder();
    let (tcp, unix) = two_sockets(&folder);
    let (addr, path) = (
        tcp.local_addr().expect("bound"),
        folder.path().join("socket"),
    );
    let command = command_with_sockets(tcp.into(), unix.into());
    let daemon = Daemon::start_by_command(command, &["-p", "1", "-l", "192.0.2.1"]);
    daemon.wait_for_log("-l, -p and -s have no effect: the sockets are passed");
    daemon.wait_for_log(&format!("listening on {addr}, {} as ", path.display()));
    assert!(!daemon.log().contains("without -l"), "{}", daemon.log());
    assert_eq!(daemon.port_numbers(), [addr.port()]);
    assert_eq!(Conn::open(addr).set("key", b"value"), "STORED");
    assert_eq!(version_at(&path).expect("served"), "VERSION 1.6.45\r\n");
    assert_eq!(daemon.setting("inter"), addr.to_string());
    assert_eq!(
        daemon
            .connect()
            .stats("conns")
            .iter()
            .filter(|(_, value)| value == "conn_listening")
            .count(),
        2
    );
}

/// A port that was to be for those with a certificate is not opened to everybody.
#[test]
fn options_that_say_more_than_where_to_listen_are_not_dropped() {
    let folder = folder();
    let (tcp, unix) = two_sockets(&folder);
    let mut command = command_with_sockets(tcp.into(), unix.into());
    let output = command.args(["-l", "mtls:127.0.0.1"]).output();
    let output = output.expect("a shell");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains("-l mtls:127.0.0.1: a socket"), "{said}");
    assert!(said.contains("-o ssl_verify_mode=2"), "{said}");
}

#[test]
fn tls_is_spoken_over_tcp_sockets_that_are_passed_on() {
    let (secrets, folder) = (Secrets::new(), folder());
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a pair");
    secrets.write("cert", pair.cert.pem());
    secrets.write("key", pair.signing_key.serialize_pem());
    let name = |name: &str| secrets.path(name).display().to_string();
    let files = format!("ssl_chain_cert={},ssl_key={}", name("cert"), name("key"));

    let (tcp, unix) = two_sockets(&folder);
    let (addr, path) = (
        tcp.local_addr().expect("bound"),
        folder.path().join("socket"),
    );
    let command = command_with_sockets(tcp.into(), unix.into());
    let _daemon = Daemon::start_by_command(command, &["-Z", "-o", &files]);
    let connect = addr.to_string();
    let args = [
        "s_client",
        "-brief",
        "-connect",
        &connect,
        "-CAfile",
        &name("cert"),
    ];
    let shown = Tool::check("openssl", &args, LIMIT);
    assert!(
        shown.contains("TLSv1.3") && shown.contains("Verification: OK"),
        "{shown}"
    );
    assert_eq!(version_at(&path).expect("served"), "VERSION 1.6.45\r\n");
}

#[test]
fn what_cannot_be_served_is_refused() {
    let folder = folder();
    let (tcp, unix) = two_sockets(&folder);
    let connection = TcpStream::connect(tcp.local_addr().expect("bound")).expect("a connection");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let other = UnixListener::bind(folder.path().join("other")).expect("a socket");
    let again = |listener: &UnixListener| listener.try_clone().expect("one more handle").into();
    let table: [(OwnedFd, OwnedFd, &[&str], i32, &str); 3] = [
        (
            again(&unix),
            udp.into(),
            &[],
            71,
            "LISTEN_FDS: socket 2 of 2 is neither",
        ),
        (
            again(&unix),
            connection.into(),
            &[],
            71,
            "it is a connection: the unit",
        ),
        (
            again(&unix),
            again(&other),
            &["-Z", "-o", "ssl_chain_cert=/x,ssl_key=/x"],
            64,
            "the sockets passed on by LISTEN_FDS are Unix sockets",
        ),
    ];
    for (first, second, args, code, why) in table {
        let mut command = command_with_sockets(first, second);
        let output = command.args(args).output().expect("sh");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{why}: {said}");
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn systemds_own_program_passes_sockets_on() {
    let folder = folder();
    let path = folder.path().join("socket");
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr: SocketAddr = free.local_addr().expect("bound");
    drop(free);
    let mut command = Command::new("systemd-socket-activate");
    let (unix, tcp) = (path.display().to_string(), addr.to_string());
    command.args(["-l", &unix, "-l", &tcp, PROGRAM, "-u", "root"]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let daemon = Daemon::spawn_command(command, &["-t", "1"]);
    wait_until(LIMIT, "the socket", || path.exists());
    // It is started by its first client, who is served.
    assert_eq!(version_at(&path).expect("served"), "VERSION 1.6.45\r\n");
    assert_eq!(Conn::open(addr).set("key", b"value"), "STORED");
    daemon.wait_for_log(&format!("listening on {unix}, {tcp} as "));
}
