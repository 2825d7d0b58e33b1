//! A pool of real nodes for one test, and `larder` asked about it.

use std::fs;
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
        let nodes: Vec<(Child, PathBuf)> = programs
            .iter()
            .enumerate()
            .map(|(index, program)| {
                let port_file = folder.path().join(format!("port.{index}"));
                (spawn(program, options, &port_file), port_file)
            })
            .collect();
        let names = nodes.iter().map(|(_, port_file)| name(port_file)).collect();
        Self {
            nodes: nodes.into_iter().map(|(node, _)| node).collect(),
            names,
            _folder: folder,
        }
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
fn larderd() -> PathBuf {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_larder")).with_file_name("larderd");
    assert!(
        program.exists(),
        "cargo build --release --bin larderd comes first"
    );
    program
}

fn spawn(program: &PathBuf, options: &[&str], port_file: &PathBuf) -> Child {
    // memcached refuses to run as root, and takes the option from nobody else.
    let user: &[&str] = if is_root() { &["-u", "nobody"] } else { &[] };
    Command::new(program)
        .args(["-l", "127.0.0.1", "-p", "-1", "-m", "16"])
        .args(user)
        .args(options)
        .env("MEMCACHED_PORT_FILENAME", port_file)
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|e| panic!("{}: {e}; scripts/test installs it", program.display()))
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").expect("proc");
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    uid.and_then(|uid| uid.split_whitespace().next()) == Some("0")
}

/// The node's address, once it has told its port.
fn name(port_file: &PathBuf) -> String {
    let begun = Instant::now();
    loop {
        let told = fs::read_to_string(port_file).unwrap_or_default();
        let mut lines = told.lines();
        if let Some(port) = lines.find_map(|line| line.strip_prefix("TCP INET: ")) {
            return format!("127.0.0.1:{}", port.trim());
        }
        assert!(begun.elapsed() < PATIENCE, "the node tells its port");
        std::thread::yield_now();
    }
}
