//! A larderd started with just the options of one test, and its own folder for files.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::support::{Conn, Tool, wait_until};

/// Longest that a start or a stop may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// The larderd that was built.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_larderd");

/// Runs larderd to its end: for options with which it does not serve.
pub(crate) fn run(args: &[&str]) -> Tool {
    Tool::run(PROGRAM, args, LIMIT)
}

/// A folder that the daemon may write to, whoever it has become.
pub(crate) fn folder() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("chmod");
    folder
}

/// A larderd that serves, started by the test's own options.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) folder: TempDir,
}

impl Daemon {
    /// Starts it and waits until it has told its ports. `{}` in an option is the folder.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_with(args, &[])
    }

    /// The same, with variables of the environment.
    pub(crate) fn start_with(args: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::spawn(args, variables).when_it_listens()
    }

    /// The same, with the standard error somewhere else than in the log's file.
    pub(crate) fn start_with_stderr(args: &[&str], stderr: Stdio) -> Self {
        Self::launch_to(quiet(PROGRAM), args, &[], Some(stderr)).when_it_listens()
    }

    /// Lets another program start it, which is given its path and options after its own.
    pub(crate) fn start_by(program: &str, first: &[&str], args: &[&str]) -> Self {
        let mut command = quiet(program);
        command.args(first).arg(PROGRAM);
        Self::start_by_command(command, args)
    }

    /// Lets a command start it, whose arguments end where the options begin, and whose input and output are its own.
    pub(crate) fn start_by_command(command: Command, args: &[&str]) -> Self {
        Self::spawn_command(command, args).when_it_listens()
    }

    /// The same, and waits for nothing.
    pub(crate) fn spawn_command(command: Command, args: &[&str]) -> Self {
        Self::launch_to(command, args, &[], None)
    }

    fn when_it_listens(self) -> Self {
        wait_until(LIMIT, "the file with the ports", || {
            self.port_file().exists()
        });
        self
    }

    /// Starts it and waits for nothing.
    pub(crate) fn spawn(args: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::launch_to(quiet(PROGRAM), args, variables, None)
    }

    fn launch_to(
        mut command: Command,
        args: &[&str],
        variables: &[(&str, &str)],
        stderr: Option<Stdio>,
    ) -> Self {
        let folder = folder();
        let path = folder.path().to_str().expect("a plain name").to_owned();
        let log = fs::File::create(folder.path().join("log")).expect("a log file");
        let child = command
            .args(args.iter().map(|arg| arg.replace("{}", &path)))
            .env_remove("RUST_LOG")
            .env("MEMCACHED_PORT_FILENAME", folder.path().join("ports"))
            .envs(variables.iter().copied())
            .stderr(stderr.unwrap_or_else(|| log.into()))
            .spawn()
            .expect("larderd was built");
        Self { child, folder }
    }

    fn port_file(&self) -> PathBuf {
        self.folder.path().join("ports")
    }

    /// The lines of the file with the ports.
    pub(crate) fn ports(&self) -> Vec<String> {
        let text = fs::read_to_string(self.port_file()).expect("the file with the ports");
        text.lines().map(str::to_owned).collect()
    }

    /// Its ports, in the order of `-l`.
    pub(crate) fn port_numbers(&self) -> Vec<u16> {
        let ports = self.ports().into_iter();
        let number = |line: String| line.rsplit(' ').next().and_then(|port| port.parse().ok());
        ports.map(|line| number(line).expect("a port")).collect()
    }

    /// Connects to its first port on 127.0.0.1.
    pub(crate) fn connect(&self) -> Conn {
        Conn::open(SocketAddr::from(([127, 0, 0, 1], self.port_numbers()[0])))
    }

    /// One row of `stats settings`.
    pub(crate) fn setting(&self, name: &str) -> String {
        let rows = self.connect().stats("settings");
        let row = rows.into_iter().find(|(row, _)| row == name);
        row.unwrap_or_else(|| panic!("no row {name}")).1
    }

    /// What it wrote to the standard error.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).expect("the log")
    }

    /// Waits for a line in the log.
    pub(crate) fn wait_for_log(&self, words: &str) {
        wait_until(LIMIT, words, || self.log().contains(words));
    }

    /// The process that was started; with `-d`, the one that ends at once.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("our own child");
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until(LIMIT, "the end of the process", || {
            status = self.child.try_wait().expect("our own child");
            status.is_some()
        });
        status.expect("waited for")
    }
}

/// A command without input and output.
fn quiet(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("larderd's log:\n{}", self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
