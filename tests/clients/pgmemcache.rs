//! PostgreSQL with pgmemcache, on a cluster of its own: a script in SQL makes its round, triggers among it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::support::{Program, Server, Tool, is_root};
use crate::{FOLDER, ROUND_MAX, tell};

/// Debian puts PostgreSQL's programs where they are not found by their names.
const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";

/// PostgreSQL does not run as root: then it is somebody else, without a process in between.
fn as_nobody(program: &str) -> Vec<String> {
    let mut words = Vec::new();
    if is_root() {
        let words_of_setpriv = [
            "setpriv",
            "--reuid=nobody",
            "--regid=nogroup",
            "--clear-groups",
        ];
        words.extend(words_of_setpriv.map(str::to_owned));
    }
    words.push(format!("{PROGRAMS}/{program}"));
    words
}

/// A cluster in a folder of its own, reached by a socket in it.
struct Postgres(Program);

impl Postgres {
    fn before(server: &Server) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path();
        fs::set_permissions(path, Permissions::from_mode(0o777)).expect("chmod");
        let cluster = path.join("cluster").to_str().expect("text").to_owned();
        make_cluster(&cluster);
        let words = as_nobody("postgres");
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(["-D", &cluster]);
        let settings = [
            "listen_addresses=".to_owned(),
            format!("unix_socket_directories={}", path.display()),
            "shared_preload_libraries=pgmemcache".to_owned(),
            format!("pgmemcache.default_servers={}", server.name()),
            "fsync=off".to_owned(),
        ];
        for setting in &settings {
            command.args(["-c", setting]);
        }
        let mut program = Program::start(folder, &mut command);
        let pidfile = Path::new(&cluster).join("postmaster.pid");
        program.wait_until(|| {
            fs::read_to_string(&pidfile).is_ok_and(|text| text.trim_end().ends_with("ready"))
        });
        Self(program)
    }

    /// Runs psql; how it ended and what it said.
    fn psql(&self, args: &[&str]) -> Tool {
        let host = self.0.folder().to_str().expect("text");
        let mut all = vec!["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"];
        all.extend(["-h", host, "-U", "larder", "-d", "postgres"]);
        all.extend(args);
        Tool::run_in(FOLDER, "/usr/bin/psql", &all, ROUND_MAX)
    }

    /// What a query gives, or says.
    fn query(&self, text: &str) -> String {
        self.psql(&["-c", text]).output.trim().to_owned()
    }
}

impl Drop for Postgres {
    /// A cluster that is ended by force leaves its shared memory behind.
    fn drop(&mut self) {
        self.0.end(Signal::SIGINT);
    }
}

fn make_cluster(path: &str) {
    let words = as_nobody("initdb");
    let mut args: Vec<&str> = words[1..].iter().map(String::as_str).collect();
    args.extend(["-D", path, "-U", "larder", "-A", "trust", "--locale=C"]);
    args.extend(["-E", "UTF8", "--no-sync", "--no-instructions"]);
    Tool::check_in("/", &words[0], &args, ROUND_MAX);
}

#[test]
fn pgmemcache_round() {
    let server = Server::larderd(&["-m", "64", "-t", "2"]);
    let postgres = Postgres::before(&server);
    let said = postgres.psql(&["-f", "pgmemcache_round.sql"]).output;
    assert!(said.contains("whole round done"), "{said}");
    let mut conn = server.connect();
    assert_eq!(conn.get("page:8").as_deref(), Some(&b"second 8"[..]));

    tell(&server, "stop");
    let impatient =
        "SET pgmemcache.default_behavior = 'POLL_TIMEOUT:200'; SELECT memcache_get('kept')";
    let said = postgres.query(impatient);
    assert!(said.contains("A TIMEOUT OCCURRED"), "{said}");
    tell(&server, "resume");
    assert_eq!(postgres.query("SELECT memcache_get('kept')"), "x");
    tell(&server, "end");
    let said = postgres.query("SELECT memcache_get('kept')");
    assert!(said.contains("CONNECTION FAILURE"), "{said}");
    // The table does not depend on the cache.
    assert_eq!(postgres.query("SELECT count(*) FROM page"), "199");
}
