//! Servers of our own for one test: on free ports of the loopback, and with ways to hurt them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use larder_client::NodeSpec;
use tempfile::TempDir;

/// Longest that anything may take before the test fails; what is waited for comes much sooner.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Which server to start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Debian's memcached.
    Memcached,
    /// The larderd that cargo built with this test.
    Larderd,
}

pub(crate) const BOTH: [Kind; 2] = [Kind::Memcached, Kind::Larderd];

impl Kind {
    pub(crate) fn program(self) -> PathBuf {
        match self {
            Self::Memcached => "memcached".into(),
            Self::Larderd => {
                let test = std::env::current_exe().expect("the path of this test");
                let beside = test.parent().and_then(|deps| deps.parent());
                let program = beside.expect("target's folder").join("larderd");
                assert!(
                    program.exists(),
                    "cargo build --release --bin larderd comes first"
                );
                program
            }
        }
    }
}

/// A running server; ended when dropped.
pub(crate) struct Server {
    kind: Kind,
    args: Vec<String>,
    child: Child,
    pub(crate) port: u16,
    folder: TempDir,
}

impl Server {
    pub(crate) fn start(kind: Kind, args: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        // The server may have become nobody before it writes the file with its port.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("chmod");
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        let child = spawn(kind, &folder, "-1", &args);
        let mut server = Self {
            kind,
            args,
            child,
            port: 0,
            folder,
        };
        server.port = server.learn_port();
        server
    }

    /// One that listens on a Unix socket alone.
    pub(crate) fn start_on_socket(kind: Kind, path: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let args: Vec<String> = ["-s", path, "-a", "0777"].map(str::to_owned).into();
        let child = spawn(kind, &folder, "-1", &args);
        let server = Self {
            kind,
            args,
            child,
            port: 0,
            folder,
        };
        let begun = Instant::now();
        while std::os::unix::net::UnixStream::connect(path).is_err() {
            assert!(begun.elapsed() < PATIENCE, "{kind:?} listens on its socket");
            thread::yield_now();
        }
        server
    }

    /// What the client is told of it.
    pub(crate) fn node(&self) -> NodeSpec {
        format!("127.0.0.1:{}", self.port).parse().expect("a node")
    }

    fn port_file(&self) -> PathBuf {
        self.folder.path().join("port")
    }

    fn learn_port(&mut self) -> u16 {
        let begun = Instant::now();
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("{:?} ended at once: {status}", self.kind);
            }
            let text = fs::read_to_string(self.port_file()).unwrap_or_default();
            let port = text
                .lines()
                .find_map(|line| line.strip_prefix("TCP INET: ")?.trim().parse().ok());
            if let Some(port) = port {
                return port;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{:?} writes its port",
                self.kind
            );
            thread::yield_now();
        }
    }

    /// Ends it as a crash would: what it had is gone.
    pub(crate) fn crash(&mut self) {
        self.child.kill().expect("our own child");
        self.child.wait().expect("our own child");
    }

    /// Starts it anew on the same port, empty.
    pub(crate) fn restart(&mut self) {
        self.crash();
        let _ = fs::remove_file(self.port_file());
        self.child = spawn(self.kind, &self.folder, &self.port.to_string(), &self.args);
        let port = self.learn_port();
        assert_eq!(port, self.port);
    }

    /// Stops it in the middle of whatever it does. When this returns no thread of it runs any more: a signal is
    /// taken by one thread after another, and on a busy machine one of them may answer meanwhile.
    pub(crate) fn pause(&self) {
        self.signal("STOP");
        let end = Instant::now() + PATIENCE;
        while !self.stopped() {
            assert!(Instant::now() < end, "it does not stop");
            thread::yield_now();
        }
    }

    /// Whether every thread of it is stopped, by the state that the kernel shows.
    fn stopped(&self) -> bool {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("its threads");
        tasks.flatten().all(|task| {
            let stat = fs::read_to_string(task.path().join("stat")).expect("a thread's state");
            let (_, state) = stat.rsplit_once(") ").expect("a name in brackets");
            state.starts_with('T')
        })
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status();
        assert!(status.expect("kill runs").success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(kind: Kind, folder: &TempDir, port: &str, args: &[String]) -> Child {
    let log = fs::File::create(folder.path().join("log")).expect("a log file");
    let mut command = Command::new(kind.program());
    if is_root() {
        // memcached refuses to run as root unless it is told to become somebody else.
        command.args(["-u", "nobody"]);
    }
    if !args.iter().any(|arg| arg == "-s") {
        command.args(["-p", port, "-l", "127.0.0.1"]);
    }
    command
        .args(args)
        .env("MEMCACHED_PORT_FILENAME", folder.path().join("port"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|e| panic!("{kind:?} does not start ({e}); scripts/test installs it"))
}

pub(crate) fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").expect("proc");
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    uid.and_then(|uid| uid.split_whitespace().next()) == Some("0")
}
