//! Starts larderd, or Debian's memcached, on a port of the system's choosing, and ends it when dropped.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::conn::Conn;
use super::process::{self, wait_until};

/// A running server that belongs to one test.
pub(crate) struct Server {
    child: Child,
    addr: SocketAddr,
    folder: TempDir,
}

impl Server {
    /// Starts the larderd that cargo built for this test run. `LARDERD_BIN` names another program, for work on
    /// the tests themselves.
    pub(crate) fn larderd(args: &[&str]) -> Self {
        match std::env::var("LARDERD_BIN") {
            Ok(program) => Self::start(&program, &as_nobody(), args),
            Err(_) => Self::start(env!("CARGO_BIN_EXE_larderd"), &[], args),
        }
    }

    /// Starts Debian's memcached, the oracle.
    pub(crate) fn memcached(args: &[&str]) -> Self {
        Self::start("memcached", &as_nobody(), args)
    }

    fn start(program: &str, first: &[&str], args: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        // The server may have become nobody before it writes the file with its port.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("chmod");
        let port_file = folder.path().join("port");
        let log = fs::File::create(folder.path().join("log")).expect("a log file");
        let child = Command::new(program)
            .args(first)
            .args(["-p", "-1", "-l", "127.0.0.1"])
            .args(args)
            .env("MEMCACHED_PORT_FILENAME", &port_file)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("one more handle on the log"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|e| {
                panic!("{program} does not start ({e}); scripts/test installs what the tests need")
            });
        let unbound = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self {
            child,
            addr: unbound,
            folder,
        };
        server.learn_port(program, &port_file);
        server
    }

    fn learn_port(&mut self, program: &str, port_file: &PathBuf) {
        let mut port = None;
        wait_until(
            Duration::from_secs(10),
            &format!("{program} to write its port file"),
            || {
                if let Ok(Some(status)) = self.child.try_wait() {
                    panic!("{program} ended at once ({status}):\n{}", self.log());
                }
                let text = fs::read_to_string(port_file).unwrap_or_default();
                port = text
                    .lines()
                    .find_map(|line| line.strip_prefix("TCP INET: ")?.trim().parse().ok());
                port.is_some()
            },
        );
        self.addr.set_port(port.expect("waited for"));
    }

    /// Its ports, in the order of `-l`, the first of which is its own 127.0.0.1.
    pub(crate) fn ports(&self) -> Vec<u16> {
        let text = fs::read_to_string(self.folder.path().join("port")).expect("the port file");
        text.lines()
            .filter_map(|line| line.rsplit(' ').next()?.trim().parse().ok())
            .collect()
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `127.0.0.1:port`, as command lines want it.
    pub(crate) fn name(&self) -> String {
        self.addr.to_string()
    }

    /// A new connection to it.
    pub(crate) fn connect(&self) -> Conn {
        Conn::open(self.addr)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident bytes of its process.
    pub(crate) fn rss(&self) -> u64 {
        process::rss(self.pid())
    }

    /// Clock ticks of CPU that it has used, user and system.
    pub(crate) fn cpu_ticks(&self) -> u64 {
        process::cpu_ticks(self.pid())
    }

    /// What it wrote to stdout and stderr.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.path().join("log")).unwrap_or_default())
            .into_owned()
    }

    /// Fails the test when the process has ended or no longer serves a new connection.
    pub(crate) fn assert_serves(&mut self, after: &str) {
        if let Some(status) = self.child.try_wait().expect("our own child") {
            panic!("the server ended ({status}) after {after}:\n{}", self.log());
        }
        let mut conn = self.connect();
        conn.send(b"set still-here 0 0 2\r\nok\r\n");
        assert_eq!(
            conn.line(),
            "STORED",
            "a new connection's set after {after}"
        );
        assert_eq!(
            conn.get("still-here").as_deref(),
            Some(&b"ok"[..]),
            "a new connection's get after {after}"
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let tail = log.len().saturating_sub(2000);
            eprintln!(
                "last words of process {}:\n{}",
                self.pid(),
                log.get(tail..).unwrap_or(&log)
            );
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// memcached refuses to run as root unless it is told to become somebody else.
fn as_nobody() -> Vec<&'static str> {
    if process::is_root() {
        vec!["-u", "nobody"]
    } else {
        Vec::new()
    }
}
