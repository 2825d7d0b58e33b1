//! A raw client: sends bytes, reads replies exactly, and never waits longer than its limit.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// Longest that one read or write may stand still before the test fails.
const STALL_MAX: Duration = Duration::from_secs(20);

/// How a read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// What was waited for came.
    Found,
    /// The server closed the connection.
    Closed,
    /// Nothing came for the whole time limit.
    Stalled,
}

/// One connection. What was read and not yet taken waits in `unread`.
pub(crate) struct Conn {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Conn {
    /// Connects, without Nagle's delay, so that each `send` is a packet of its own.
    pub(crate) fn open(addr: SocketAddr) -> Self {
        let stream =
            TcpStream::connect_timeout(&addr, STALL_MAX).expect("the server accepts a connection");
        stream.set_nodelay(true).expect("nodelay");
        let mut conn = Self {
            stream,
            unread: Vec::new(),
        };
        conn.set_limit(STALL_MAX);
        conn
    }

    /// Changes how long a read or write may stand still.
    pub(crate) fn set_limit(&mut self, limit: Duration) {
        self.stream
            .set_read_timeout(Some(limit))
            .expect("a time limit");
        self.stream
            .set_write_timeout(Some(limit))
            .expect("a time limit");
    }

    /// Sends all bytes, or fails the test.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        if let Err(e) = self.stream.write_all(bytes) {
            panic!("sending {} failed: {e}", show(bytes));
        }
    }

    /// Sends all bytes; false when the server closed first or takes no more.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Tells the server that nothing more will come.
    pub(crate) fn finish_sending(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Reads until `end` has come, and gives everything up to and including it, and how it ended.
    pub(crate) fn try_until(&mut self, end: &[u8]) -> (Vec<u8>, Ended) {
        let mut searched = 0;
        loop {
            if let Some(at) = find(&self.unread[searched..], end) {
                let rest = self.unread.split_off(searched + at + end.len());
                return (std::mem::replace(&mut self.unread, rest), Ended::Found);
            }
            searched = self.unread.len().saturating_sub(end.len() - 1);
            let ended = self.fill();
            if ended != Ended::Found {
                return (std::mem::take(&mut self.unread), ended);
            }
        }
    }

    /// Reads until `end` has come; anything else fails the test.
    pub(crate) fn until(&mut self, end: &[u8]) -> Vec<u8> {
        let (bytes, ended) = self.try_until(end);
        assert!(
            ended == Ended::Found,
            "waiting for {}, {ended:?} after {}",
            show(end),
            show(&bytes)
        );
        bytes
    }

    /// Reads exactly `len` bytes.
    pub(crate) fn exactly(&mut self, len: usize) -> Vec<u8> {
        while self.unread.len() < len {
            let ended = self.fill();
            assert!(
                ended == Ended::Found,
                "{ended:?} after {} of {len} bytes",
                self.unread.len()
            );
        }
        let rest = self.unread.split_off(len);
        std::mem::replace(&mut self.unread, rest)
    }

    /// One line, without its end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = self.until(b"\r\n");
        line.truncate(line.len() - 2);
        String::from_utf8_lossy(&line).into_owned()
    }

    /// Sends a command of one line and reads a reply of one line.
    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes());
        self.line()
    }

    /// Whatever comes next, at most 64 KiB; empty at the end.
    pub(crate) fn some(&mut self) -> Vec<u8> {
        if self.unread.is_empty() {
            self.fill();
        }
        std::mem::take(&mut self.unread)
    }

    /// Reads until the server closes; fails the test when it does not.
    pub(crate) fn until_closed(&mut self) -> Vec<u8> {
        loop {
            match self.fill() {
                Ended::Found => {}
                Ended::Closed => return std::mem::take(&mut self.unread),
                Ended::Stalled => {
                    panic!("the server should have closed after {}", show(&self.unread))
                }
            }
        }
    }

    fn fill(&mut self) -> Ended {
        let mut chunk = [0; 64 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => Ended::Closed,
            Ok(n) => {
                self.unread.extend_from_slice(&chunk[..n]);
                Ended::Found
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Ended::Stalled
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => Ended::Found,
            Err(_) => Ended::Closed,
        }
    }

    /// `set` of a value; the reply's line.
    pub(crate) fn set(&mut self, key: &str, value: &[u8]) -> String {
        let mut bytes = format!("set {key} 0 0 {}\r\n", value.len()).into_bytes();
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
        self.send(&bytes);
        self.line()
    }

    /// `get` of one key.
    pub(crate) fn get(&mut self, key: &str) -> Option<Vec<u8>> {
        self.send(format!("get {key}\r\n").as_bytes());
        let found = self.value_of_reply().map(|(_, value)| value);
        if found.is_some() {
            assert_eq!(self.line(), "END", "after the value of {key}");
        }
        found
    }

    /// `gets` of one key: its CAS unique and value.
    pub(crate) fn gets(&mut self, key: &str) -> Option<(u64, Vec<u8>)> {
        self.send(format!("gets {key}\r\n").as_bytes());
        let (head, value) = self.value_of_reply()?;
        assert_eq!(self.line(), "END", "after the value of {key}");
        let cas = head
            .rsplit(' ')
            .next()
            .and_then(|n| n.parse().ok())
            .expect("a CAS unique");
        Some((cas, value))
    }

    /// One VALUE of a reply, with its head line; None at END.
    pub(crate) fn value_of_reply(&mut self) -> Option<(String, Vec<u8>)> {
        let head = self.line();
        if head == "END" {
            return None;
        }
        let words: Vec<&str> = head.split(' ').collect();
        assert!(
            words.len() >= 4 && words[0] == "VALUE",
            "in place of a value: {head}"
        );
        let len: usize = words[3].parse().expect("a length");
        let mut value = self.exactly(len + 2);
        assert!(
            value.ends_with(b"\r\n"),
            "the value of {} ends with its line end",
            words[1]
        );
        value.truncate(len);
        Some((head, value))
    }

    /// The rows of `stats` or of one of its groups.
    pub(crate) fn stats(&mut self, group: &str) -> Vec<(String, String)> {
        self.send(format!("{}\r\n", format!("stats {group}").trim_end()).as_bytes());
        let text = String::from_utf8_lossy(&self.until(b"END\r\n")).into_owned();
        text.lines()
            .filter_map(|line| line.strip_prefix("STAT ")?.split_once(' '))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// One number of plain `stats`.
    pub(crate) fn stat(&mut self, name: &str) -> u64 {
        self.stat_of("", name)
    }

    /// One number of a group of stats.
    pub(crate) fn stat_of(&mut self, group: &str, name: &str) -> u64 {
        let rows = self.stats(group);
        let row = rows
            .iter()
            .find(|(n, _)| n == name)
            .unwrap_or_else(|| panic!("no STAT {name}"));
        row.1
            .parse()
            .unwrap_or_else(|_| panic!("STAT {name} is {}", row.1))
    }
}

/// Bytes as a reader wants them in a failure: escaped, and the middle of long ones left out.
pub(crate) fn show(bytes: &[u8]) -> String {
    let text = bytes.escape_ascii().to_string();
    if text.len() <= 4000 {
        return format!("\"{text}\"");
    }
    format!(
        "\"{}\" … {} bytes … \"{}\"",
        &text[..2000],
        bytes.len(),
        &text[text.len() - 1000..]
    )
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    if hay.len() < needle.len() {
        return None;
    }
    let last = *needle.last()?;
    let first_end = needle.len() - 1;
    (first_end..hay.len())
        .find(|&i| hay[i] == last && hay[..=i].ends_with(needle))
        .map(|i| i - first_end)
}
