//! Starting a server from its command, waiting until it takes connections, and ending it.
//!
//! A server that dies, at its start or later, is an error that quotes the last thing it said.

use std::collections::HashMap;
use std::fs::{self, File, Permissions};
use std::net::TcpListener;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{orphans, proc};
use crate::cores;
use crate::endpoint::Endpoint;
use crate::replies::Check;
use crate::tls::{TlsClient, make_certificate};

/// A server that can be started: its name in tables, and its command with placeholders.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spec {
    pub(crate) name: String,
    /// The command's words; `{port}`, `{socket}`, `{memory}`, `{threads}`, `{cert}`, `{key}` and `{users}` are filled in
    /// at each start.
    pub(crate) words: Vec<String>,
    /// How closely its replies can be looked at.
    pub(crate) check: Check,
    /// What stands in the file `{users}`.
    pub(crate) users: Option<String>,
}

impl Spec {
    pub(crate) fn new(name: &str, command: &str) -> Result<Self> {
        let words = shlex::split(command)
            .with_context(|| format!("the command of {name} has an unclosed quote"))?;
        if words.is_empty() {
            bail!("the command of {name} is empty");
        }
        if !["{port}", "{socket}"]
            .iter()
            .any(|place| command.contains(place))
        {
            bail!(
                "the command of {name} says neither {{port}} nor {{socket}}, so there is no way to reach it"
            );
        }
        Ok(Self {
            name: name.to_owned(),
            words,
            check: Check::Full,
            users: None,
        })
    }

    /// The floor: this program in another role.
    pub(crate) fn floor(key_length: usize, value_length: usize) -> Result<Self> {
        let own = std::env::current_exe().context("cannot tell where larder-bench is")?;
        let own = own
            .to_str()
            .context("the path of larder-bench is not UTF-8")?;
        let (key_length, value_length) = (key_length.to_string(), value_length.to_string());
        let words = [
            own,
            "floor",
            "-p",
            "{port}",
            "-t",
            "{threads}",
            "--key-length",
            &key_length,
        ];
        let words = [&words[..], &["--value-length", &value_length]].concat();
        let words = words.into_iter().map(str::to_owned).collect();
        Ok(Self {
            name: "floor".to_owned(),
            words,
            check: Check::Shape,
            users: None,
        })
    }

    /// The same larderd with a users file.
    pub(crate) fn with_users(&self, text: &str) -> Self {
        let mut spec = self.clone();
        spec.words.extend(["-Y", "{users}"].map(str::to_owned));
        spec.users = Some(text.to_owned());
        spec
    }

    fn listening(&self) -> Listening {
        let has = |place| self.words.iter().any(|word| word.contains(place));
        match (has("{socket}"), has("{cert}")) {
            (true, _) => Listening::Unix,
            (false, true) => Listening::Tls,
            (false, false) => Listening::Tcp,
        }
    }
}

/// On what kind of socket a command makes its server listen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Listening {
    /// Its command has a `{port}`.
    Tcp,
    /// The same, and a `{cert}` and a `{key}`: TLS is spoken there.
    Tls,
    /// Its command has a `{socket}`.
    Unix,
}

/// How a server is started this time.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) memory_mb: u64,
    pub(crate) threads: usize,
    pub(crate) core: Option<usize>,
    pub(crate) wrapper: Option<Wrapper>,
    /// Both limits of open files, for valgrind, under which the hard one cannot be changed.
    pub(crate) files: Option<u64>,
    /// How long it may take until it listens, or until it has ended.
    pub(crate) patience: Duration,
}

/// A program that the server is started in, to be counted.
#[derive(Clone, Debug)]
pub(crate) struct Wrapper {
    /// Words before the command. `{output}` is a file that `stop` reads; it is there beforehand and anyone may write to
    /// it, since valgrind opens it again after the server has changed its user.
    pub(crate) words: Vec<String>,
    /// What stands at the end of that file: the wrapper may be at it after the server has ended.
    pub(crate) end: &'static str,
}

impl Launch {
    pub(crate) fn plain(memory_mb: u64, threads: usize) -> Self {
        Self {
            memory_mb,
            threads,
            core: None,
            wrapper: None,
            files: None,
            patience: Duration::from_secs(15),
        }
    }
}

/// A running server; dropping it kills it.
pub(crate) struct Server {
    name: String,
    child: Child,
    endpoint: Endpoint,
    dir: TempDir,
    /// What ends the output of its wrapper, if it has one.
    output_end: Option<&'static str>,
    patience: Duration,
}

impl Server {
    /// Starts it and waits until it takes a connection.
    pub(crate) fn start(spec: &Spec, launch: &Launch) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("larder-bench-")
            .tempdir()
            .context("cannot make a folder")?;
        // The server may go on as another user, and has to make its socket and callgrind's file here.
        fs::set_permissions(dir.path(), Permissions::from_mode(0o777))?;
        let socket = dir.path().join(SOCKET);
        let alone = alone();
        let port = free_port()?;
        let tcp = Endpoint::Tcp(format!("127.0.0.1:{port}"));
        let endpoint = match spec.listening() {
            Listening::Tcp => tcp,
            Listening::Tls => {
                make_certificate(dir.path())?;
                tcp.over_tls(TlsClient::trusting(&dir.path().join("cert.pem"))?)
            }
            Listening::Unix => Endpoint::Unix(socket.clone()),
        };
        let output = dir.path().join(OUTPUT);
        File::create(&output)
            .and_then(|file| file.set_permissions(Permissions::from_mode(0o666)))?;
        if let Some(users) = &spec.users {
            fs::write(dir.path().join(USERS), users)?;
            fs::set_permissions(dir.path().join(USERS), Permissions::from_mode(0o600))?;
        }
        let words = words_of(spec, launch, port, dir.path());
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command.stderr(File::create(stderr_path(&dir)).context("cannot make a file")?);
        let child = spawn_on(command, launch.core)
            .with_context(|| format!("cannot start {} ({})", spec.name, words[0]))?;
        drop(alone);
        let mut server = Self {
            name: spec.name.clone(),
            child,
            endpoint,
            dir,
            output_end: launch.wrapper.as_ref().map(|wrapper| wrapper.end),
            patience: launch.patience,
        };
        orphans::started(server.pid());
        server.wait_until_listening()?;
        Ok(server)
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        proc::cpu_time(self.child.id())
    }

    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        proc::resident_bytes(self.child.id())
    }

    /// An error when it has ended by itself; otherwise `error`, of which that may have been the cause.
    pub(crate) fn explain(&mut self, error: anyhow::Error) -> anyhow::Error {
        // What the client notices first is a closed connection; the process is gone a moment later.
        thread::sleep(Duration::from_millis(50));
        match self.check_alive() {
            Ok(()) => error.context(format!("the run against {} failed", self.name)),
            Err(died) => died,
        }
    }

    fn check_alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => {
                orphans::ended(self.pid());
                Err(self.died(status))
            }
        }
    }

    fn died(&self, status: ExitStatus) -> anyhow::Error {
        let said = fs::read_to_string(stderr_path(&self.dir)).unwrap_or_default();
        let last: Vec<&str> = said.lines().rev().take(5).collect();
        let last = last.into_iter().rev().collect::<Vec<_>>().join(" / ");
        let said = if last.is_empty() {
            "said nothing".to_owned()
        } else {
            format!("said: {last}")
        };
        anyhow!("{} ended by itself ({status}) and {said}", self.name)
    }

    fn wait_until_listening(&mut self) -> Result<()> {
        let deadline = Instant::now() + self.patience;
        loop {
            self.check_alive()?;
            match self.endpoint.greet() {
                Ok(()) => return self.check_alive(),
                Err(error) if Instant::now() > deadline => {
                    return Err(error.context(format!(
                        "{} did not listen within {} s",
                        self.name,
                        self.patience.as_secs()
                    )));
                }
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Asks it to end, waits until it has, and returns what its wrapper wrote. An error if it does not end, or has
    /// ended already.
    pub(crate) fn stop(mut self) -> Result<String> {
        self.check_alive()?;
        kill_process(self.pid(), Signal::TERM)
            .with_context(|| format!("cannot end {}", self.name))?;
        let deadline = Instant::now() + self.patience;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                bail!(
                    "{} did not end within {} s of being asked to",
                    self.name,
                    self.patience.as_secs()
                );
            }
            thread::sleep(Duration::from_millis(5));
        }
        orphans::ended(self.pid());
        self.output(deadline)
    }

    /// What the wrapper wrote, once it has written all of it.
    fn output(&self, deadline: Instant) -> Result<String> {
        let Some(end) = self.output_end else {
            return Ok(String::new());
        };
        loop {
            let output = fs::read_to_string(self.dir.path().join(OUTPUT))
                .context("cannot read what a wrapper wrote")?;
            if output.contains(end) {
                return Ok(output);
            }
            if Instant::now() > deadline {
                bail!("what counts {} has not written its figures", self.name);
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // Both can only fail when it is gone.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        orphans::ended(self.pid());
    }
}

/// The wrapper's file in a server's folder.
const OUTPUT: &str = "output";

/// Its users file there.
const USERS: &str = "users";

/// Its Unix socket there.
const SOCKET: &str = "socket";

fn stderr_path(dir: &TempDir) -> PathBuf {
    dir.path().join("stderr")
}

/// One start at a time: a process that another thread starts while a port is being tried would inherit the socket that
/// listens on it, and take connections in the server's name until it has become another program.
fn alone() -> MutexGuard<'static, ()> {
    static STARTING: Mutex<()> = Mutex::new(());
    STARTING
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A port nobody listens on now; whoever takes it before the server does makes the server fail loudly. It lies below
/// the range from which Linux gives ports to clients: a client that tries again and again to reach a port within that
/// range, where nobody listens yet, is at last given that very port, and has connected to itself.
fn free_port() -> Result<u16> {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    for _ in 0..PORTS.len() {
        let step = TRIED.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start
            + (std::process::id().wrapping_mul(97).wrapping_add(step) % PORTS.len() as u32) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port from {} to {} is free", PORTS.start, PORTS.end - 1)
}

/// Where servers are put.
const PORTS: Range<u16> = 15_000..32_000;

/// The words to be executed, all places filled in.
fn words_of(spec: &Spec, launch: &Launch, port: u16, dir: &Path) -> Vec<String> {
    let file = |name: &str| dir.join(name).display().to_string();
    let places: HashMap<&str, String> = HashMap::from([
        ("{port}", port.to_string()),
        ("{socket}", file(SOCKET)),
        ("{cert}", file("cert.pem")),
        ("{key}", file("key.pem")),
        ("{memory}", launch.memory_mb.to_string()),
        ("{threads}", launch.threads.to_string()),
        ("{users}", file(USERS)),
        ("{output}", file(OUTPUT)),
    ]);
    let mut words = Vec::new();
    if let Some(files) = launch.files {
        let limited = format!("ulimit -n {files} && exec \"$@\"");
        words.extend(["sh", "-c", &limited, "sh"].map(str::to_owned));
    }
    let wrapper = launch.wrapper.iter().flat_map(|wrapper| &wrapper.words);
    words.extend(wrapper.chain(&spec.words).map(|word| {
        places.iter().fold(word.clone(), |word, (place, value)| {
            word.replace(place, value)
        })
    }));
    words
}

/// A process inherits the core of the thread that starts it, so that none of its own threads ever ran elsewhere.
fn spawn_on(mut command: Command, core: Option<usize>) -> Result<Child> {
    let Some(core) = core else {
        return Ok(command.spawn()?);
    };
    let starter = thread::spawn(move || {
        cores::stay_on(core)?;
        Ok(command.spawn()?)
    });
    starter
        .join()
        .map_err(|_| anyhow!("the thread that starts servers panicked"))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_in_and_quotes_respected() {
        let spec = Spec::new("m", "memcached -p {port} -m {memory} -t {threads} -o 'a b'").unwrap();
        let wrapper = Wrapper {
            words: vec!["valgrind".into(), "--out={output}".into()],
            end: "",
        };
        let launch = Launch {
            wrapper: Some(wrapper),
            ..Launch::plain(64, 2)
        };
        let words = words_of(&spec, &launch, 4711, Path::new("/d"));
        assert_eq!(
            words,
            [
                "valgrind",
                "--out=/d/output",
                "memcached",
                "-p",
                "4711",
                "-m",
                "64",
                "-t",
                "2",
                "-o",
                "a b"
            ]
        );
        assert_eq!(spec.listening(), Listening::Tcp);
        for wrong in ["", "memcached", "memcached -p '{port}"] {
            assert!(
                Spec::new("m", wrong).is_err(),
                "{wrong:?} should be refused"
            );
        }
    }

    #[test]
    fn a_server_that_dies_is_quoted() {
        let spec = Spec::new("grump", "sh -c 'echo no {port} today >&2; exit 3'").unwrap();
        let error = Server::start(&spec, &Launch::plain(64, 1))
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains("grump ended by itself") && error.contains("today"),
            "{error}"
        );
    }
}
