//! Debian's PostgreSQL on a cluster of its own, reached by a socket in a temporary folder.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use crate::server::{PATIENCE, is_root};

/// Debian puts PostgreSQL's programs where they are not found by their names.
const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";

pub(crate) struct Postgres {
    folder: TempDir,
    child: Child,
}

impl Postgres {
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path();
        fs::set_permissions(path, Permissions::from_mode(0o777)).expect("chmod");
        let cluster = path.join("cluster");
        make_cluster(&cluster);
        let log = File::create(path.join("log")).expect("a log file");
        let child = program("postgres")
            .arg("-D")
            .arg(&cluster)
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c"])
            .arg(format!("unix_socket_directories={}", path.display()))
            .stderr(log)
            .spawn()
            .expect("PostgreSQL; scripts/test installs it");
        let mut postgres = Self { folder, child };
        postgres.wait_until_ready(&cluster.join("postmaster.pid"));
        postgres
    }

    fn wait_until_ready(&mut self, file: &Path) {
        let begun = Instant::now();
        while !fs::read_to_string(file).is_ok_and(|text| text.trim_end().ends_with("ready")) {
            let ended = self.child.try_wait().expect("our own child");
            assert!(ended.is_none(), "PostgreSQL ended at once: {}", self.log());
            let is_late = begun.elapsed() > PATIENCE;
            assert!(!is_late, "PostgreSQL is not ready: {}", self.log());
            std::thread::yield_now();
        }
    }

    /// What a client is told of it.
    pub(crate) fn connection(&self) -> String {
        let folder = self.folder.path().display();
        format!("host={folder} user=larder dbname=postgres")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Postgres {
    /// A cluster that is ended by force leaves its shared memory behind.
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        let told = Command::new("kill").args(["-INT", &pid]).status();
        if !told.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

fn make_cluster(path: &Path) {
    let made = program("initdb")
        .arg("-D")
        .arg(path)
        .args(["-U", "larder", "-A", "trust", "--locale=C", "-E", "UTF8"])
        .args(["--no-sync", "--no-instructions"])
        .output()
        .expect("PostgreSQL's initdb; scripts/test installs it");
    assert!(made.status.success(), "{made:?}");
}

/// PostgreSQL does not run as root: then it is somebody else, without a process in between.
fn program(name: &str) -> Command {
    let path = format!("{PROGRAMS}/{name}");
    let mut command = match is_root() {
        true => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", &path]);
            command
        }
        false => Command::new(path),
    };
    command
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}
