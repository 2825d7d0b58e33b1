//! A client that reads all the time, through a socket that takes less at once than a turn brings.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::{MIB, one_at_a_time, rss, value, wait_until};

const GETS: usize = 5_000;
const VALUE_LEN: usize = 60_000;

/// A larderd at a Unix socket, ended when dropped.
struct UnixServer {
    child: Child,
    folder: TempDir,
}

impl UnixServer {
    fn start() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).expect("chmod");
        let child = Command::new(env!("CARGO_BIN_EXE_larderd"))
            .args(["-m", "64", "-t", "4", "-a", "777", "-s"])
            .arg(folder.path().join("socket"))
            .stderr(Stdio::null())
            .spawn()
            .expect("larderd starts");
        let server = Self { child, folder };
        wait_until(Duration::from_secs(10), "the socket", || {
            UnixStream::connect(server.folder.path().join("socket")).is_ok()
        });
        server
    }

    fn connect(&self) -> UnixStream {
        let path = self.folder.path().join("socket");
        let stream = UnixStream::connect(path).expect("larderd listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a timeout");
        stream
    }

    fn rss(&self) -> u64 {
        rss(self.child.id())
    }
}

impl Drop for UnixServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every reply comes once, whole and in order, and what waits to be sent stays within its bound, while another client
/// keeps the same shard busy.
#[test]
fn a_steady_reader_of_more_than_the_socket_takes() {
    let _turn = one_at_a_time();
    let server = UnixServer::start();
    let body = value("steady", VALUE_LEN);
    let mut conn = server.connect();
    let mut set = format!("set steady 0 0 {VALUE_LEN}\r\n").into_bytes();
    set.extend_from_slice(&body);
    set.extend_from_slice(b"\r\n");
    conn.write_all(&set).expect("a set is taken");
    let mut stored = [0; 8];
    conn.read_exact(&mut stored).expect("an answer");
    assert_eq!(&stored, b"STORED\r\n");

    let before = server.rss();
    let mut asking = conn.try_clone().expect("a second handle");
    let asker = thread::spawn(move || {
        let gets = "get steady\r\n".repeat(100);
        for _ in 0..GETS / 100 {
            asking.write_all(gets.as_bytes()).expect("gets are taken");
        }
    });
    let mut busy = server.connect();
    let rival = thread::spawn(move || {
        let mut replies = vec![0; 20 * (VALUE_LEN + 100)];
        let expected = 20 * (format!("VALUE steady 0 {VALUE_LEN}\r\n").len() + VALUE_LEN + 7);
        for _ in 0..GETS / 20 {
            let gets = "get steady\r\n".repeat(20);
            busy.write_all(gets.as_bytes()).expect("gets are taken");
            busy.read_exact(&mut replies[..expected]).expect("replies");
        }
    });
    let mut reply = format!("VALUE steady 0 {VALUE_LEN}\r\n").into_bytes();
    reply.extend_from_slice(&body);
    reply.extend_from_slice(b"\r\nEND\r\n");
    let mut read = vec![0; reply.len()];
    let mut most = 0;
    for number in 0..GETS {
        conn.read_exact(&mut read).expect("a reply");
        assert!(read == reply, "reply {number} is another's");
        if number % 500 == 0 {
            most = most.max(server.rss());
        }
    }
    asker.join().expect("the asking thread");
    rival.join().expect("the other client");
    let grown = most.saturating_sub(before);
    assert!(grown <= 8 * MIB, "{} KiB of replies waited", grown / 1024);
}
