//! nutcracker (twemproxy) in front of the nodes.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use crate::pool::Pool;
use crate::server::PATIENCE;

pub(crate) struct Nutcracker {
    folder: TempDir,
    child: Child,
}

impl Nutcracker {
    /// One that spreads keys by this rule: a distribution and a hash.
    pub(crate) fn before(pool: &Pool, rule: &str) -> Self {
        let (distribution, hash) = rule.split_once(' ').expect("two words");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        let mut settings = format!(
            "pool:\n  listen: {}\n  hash: {hash}\n  distribution: {distribution}\n  timeout: {}\n  servers:\n",
            path.join("socket").display(),
            PATIENCE.as_millis()
        );
        for node in pool.words() {
            settings += &format!("    - {node}\n");
        }
        let file = path.join("nutcracker.yml");
        fs::write(&file, settings).expect("a configuration file");
        let (addr, port) = address_of_its_own();
        let child = Command::new("/usr/sbin/nutcracker")
            .arg("-c")
            .arg(&file)
            .arg("-p")
            .arg(path.join("pid"))
            .args(["-a", &addr.to_string(), "-s", &port.to_string()])
            .args(["-o", "/dev/stderr"])
            .stdin(Stdio::null())
            .stderr(File::create(path.join("log")).expect("a log file"))
            .spawn()
            .expect("nutcracker; scripts/test installs it");
        let mut nutcracker = Self { folder, child };
        let begun = Instant::now();
        while UnixStream::connect(nutcracker.socket()).is_err() {
            let ended = nutcracker.child.try_wait().expect("our own child");
            assert!(ended.is_none(), "nutcracker ended: {}", nutcracker.log());
            assert!(begun.elapsed() < PATIENCE, "{}", nutcracker.log());
            std::thread::yield_now();
        }
        nutcracker
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Nutcracker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// It must be given a port for its statistics: one that is free, on an address of this machine that no other process
/// uses and each call another, since the port may be taken in the meantime where all bind.
fn address_of_its_own() -> (Ipv4Addr, u16) {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let addr = Ipv4Addr::new(127, fastrand::u8(1..=254), high, low);
    let listener = TcpListener::bind((addr, 0)).expect("an address of this machine");
    (addr, listener.local_addr().expect("bound").port())
}
