//! `watch` at a Unix socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use crate::daemon::{Daemon, LIMIT};
use crate::support::wait_until;

/// A connection to the daemon's socket, as soon as there is one, to be read by lines.
fn connect(daemon: &Daemon) -> BufReader<UnixStream> {
    let path = daemon.folder.path().join("socket");
    let mut stream = None;
    wait_until(LIMIT, "larderd to listen", || {
        stream = UnixStream::connect(&path).ok();
        stream.is_some()
    });
    let stream = stream.expect("waited for");
    stream.set_read_timeout(Some(LIMIT)).expect("a time limit");
    BufReader::new(stream)
}

fn send(conn: &mut BufReader<UnixStream>, line: &str) {
    let sent = conn.get_mut().write_all(format!("{line}\r\n").as_bytes());
    sent.expect("larderd takes a line");
}

fn line(conn: &mut BufReader<UnixStream>) -> String {
    let mut line = String::new();
    conn.read_line(&mut line).expect("a line in time");
    line
}

#[test]
fn a_watcher_at_a_unix_socket() {
    let daemon = Daemon::spawn(&["-s", "{}/socket", "-t", "2"], &[]);
    let mut watcher = connect(&daemon);
    send(&mut watcher, "watch connevents mutations");
    assert_eq!(line(&mut watcher), "OK\r\n");
    let mut other = connect(&daemon);
    send(&mut other, "set a 0 60 1\r\nx");
    assert_eq!(line(&mut other), "STORED\r\n");
    let told = line(&mut watcher);
    assert!(
        told.contains(" type=conn_new rip=unix rport=0 transport=local cfd="),
        "{told}"
    );
    let told = line(&mut watcher);
    assert!(
        told.contains(" type=item_store key=a status=stored cmd=set ttl=60 clsid=1 cfd="),
        "{told}"
    );
    send(&mut other, "quit");
    let told = line(&mut watcher);
    assert!(
        told.contains(" type=conn_close rip=unix rport=0 transport=local reason=normal cfd="),
        "{told}"
    );
}
