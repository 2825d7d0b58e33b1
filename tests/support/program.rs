//! A program that runs beside a test, in a folder of its own, and ends with it.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::process::wait_until;

/// Longest that a program may take to be ready.
const START_MAX: Duration = Duration::from_secs(60);

/// A running program, its folder, and what it says.
pub(crate) struct Program {
    name: String,
    child: Child,
    folder: TempDir,
}

impl Program {
    /// Starts it. The folder is its own: it holds what the program was given, and takes its stdout and stderr in `log`.
    pub(crate) fn start(folder: TempDir, command: &mut Command) -> Self {
        let log = File::create(folder.path().join("log")).expect("a log file");
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("one more handle on the log"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|e| panic!("{name} cannot be run ({e}); scripts/test installs it"));
        Self {
            name,
            child,
            folder,
        }
    }

    /// Waits until it is ready, and fails the test when it ends before that, or takes too long.
    pub(crate) fn wait_until(&mut self, mut ready: impl FnMut() -> bool) {
        wait_until(START_MAX, &format!("{} to be ready", self.name), || {
            if let Some(status) = self.child.try_wait().expect("our own child") {
                panic!("{} ended at once ({status})", self.name);
            }
            ready()
        });
    }

    /// Asks it to end by a signal, and waits until it has.
    pub(crate) fn end(&mut self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id() as i32);
        kill(pid, signal).expect("our own child");
        let _ = self.child.wait();
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to stdout and stderr.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what {} said:\n{}", self.name, self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
