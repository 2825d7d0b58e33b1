//! A pool of real nodes for one test, and `larder` asked about it.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{larder, text};

/// Longest that anything may take before the test fails; what is waited for comes much sooner.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Debian's.
pub(crate) const MEMCACHED: &str = "memcached";

/// Nodes on free ports of the loopback, one of them Debian's memcached.
pub(crate) struct Pool {
    nodes: Vec<Child>,
    pub(crate) names: Vec<String>,
    _folder: TempDir,
}

impl Pool {
    pub(crate) fn start() -> Self {
        Self::of(
            open_folder(),
            &[larderd(), larderd(), MEMCACHED.into()],
            &[],
        )
    }

    /// Nodes of these programs with these options. What the options speak of may lie in the folder.
    pub(crate) fn of(folder: TempDir, programs: &[PathBuf], options: &[&str]) -> Self {
        let path = folder.path().to_owned();
        let file = |name: &str, index: usize| path.join(format!("{name}.{index}"));
        let nodes = programs.iter().enumerate().map(|(index, program)| {
            let log = File::create(file("log", index)).expect("a log file");
            spawn(program, options, &file("port", index), log)
        });
        let mut pool = Self {
            nodes: nodes.collect(),
            names: Vec::new(),
            _folder: folder,
        };
        for (index, node) in pool.nodes.iter_mut().enumerate() {
            let name = name(node, &file("port", index), &file("log", index));
            pool.names.push(name);
        }
        pool
    }

    /// The option that names all nodes.
    pub(crate) fn option(&self) -> String {
        format!("--pool=static:{}", self.names.join(","))
    }

    /// Runs a command on this pool.
    pub(crate) fn run(&self, command: &str, args: &[&str], stdin: &[u8]) -> Output {
        larder(
            &[&[command, &self.option(), "--timeout=30s"], args].concat(),
            stdin,
        )
    }

    /// Runs a command that must be done, and gives what it printed.
    pub(crate) fn done(&self, command: &str, args: &[&str]) -> Vec<u8> {
        let out = self.run(command, args, b"");
        assert_eq!(text(&out.stderr), "", "{command} {args:?}");
        assert!(out.status.success());
        out.stdout
    }

    /// Runs a command that cannot be done, and gives what it said.
    pub(crate) fn refused(&self, command: &str, args: &[&str]) -> String {
        let out = self.run(command, args, b"");
        assert_eq!(out.status.code(), Some(1), "{command} {args:?}");
        text(&out.stderr).to_owned()
    }

    /// What `larder dump` prints. memcached refuses while its crawler is about something else.
    pub(crate) fn dump(&self, args: &[&str]) -> String {
        let begun = Instant::now();
        loop {
            let out = self.run("dump", args, b"");
            if out.status.success() {
                return text(&out.stdout).to_owned();
            }
            let said = text(&out.stderr);
            assert!(
                said.contains("BUSY") && begun.elapsed() < PATIENCE,
                "{said}"
            );
        }
    }

    /// Ends a node as a crash would.
    pub(crate) fn crash(&mut self, index: usize) {
        self.nodes[index].kill().expect("our own child");
        self.nodes[index].wait().expect("our own child");
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            // It may have ended already.
            let _ = node.kill();
            let _ = node.wait();
        }
    }
}

/// A folder that nodes may use after they became nobody, as those of root do.
pub(crate) fn open_folder() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("chmod");
    folder
}

/// The larderd that cargo built for this run of the tests.
pub(crate) fn larderd() -> PathBuf {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_larder")).with_file_name("larderd");
    assert!(
        program.exists(),
        "cargo build --release --bin larderd comes first"
    );
    program
}

fn spawn(program: &PathBuf, options: &[&str], port_file: &PathBuf, log: File) -> Child {
    // memcached refuses to run as root, and takes the option from nobody else.
    let user: &[&str] = if is_root() { &["-u", "nobody"] } else { &[] };
    Command::new(program)
        .args(["-l", "127.0.0.1", "-p", "-1", "-m", "16"])
        .args(user)
        .args(options)
        .env("MEMCACHED_PORT_FILENAME", port_file)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|e| panic!("{}: {e}; scripts/test installs it", program.display()))
}

pub(crate) fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").expect("proc");
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    uid.and_then(|uid| uid.split_whitespace().next()) == Some("0")
}

/// The node's address, once it has told its port.
fn name(node: &mut Child, port_file: &PathBuf, log: &PathBuf) -> String {
    let begun = Instant::now();
    loop {
        let said = || fs::read_to_string(log).unwrap_or_default();
        if let Ok(Some(status)) = node.try_wait() {
            panic!("a node ended at once: {status}, {}", said());
        }
        let told = fs::read_to_string(port_file).unwrap_or_default();
        let mut lines = told.lines();
        if let Some(port) = lines.find_map(|line| line.strip_prefix("TCP INET: ")) {
            return format!("127.0.0.1:{}", port.trim());
        }
        let is_late = begun.elapsed() > PATIENCE;
        assert!(!is_late, "a node does not tell its port: {}", said());
        std::thread::yield_now();
    }
}
