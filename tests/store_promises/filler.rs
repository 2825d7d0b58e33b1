//! Fills a server as fast as a pipeline goes, and reads back what is left of it.

use crate::support::{Conn, MIB, value};

/// Bytes sent before their replies are read.
const BATCH_BYTES: usize = 256 * 1024;

/// Beyond `-m`: the promise's constant.
pub(crate) const CONSTANT: u64 = 16 * MIB;
/// What the few connections of these tests may hold in their own buffers.
pub(crate) const CONN_BUFFERS: u64 = 4 * MIB;

/// One connection that stores many values, every one of which must be STORED.
pub(crate) struct Filler {
    conn: Conn,
    batch: Vec<u8>,
    unanswered: usize,
}

impl Filler {
    /// A filler on this connection.
    pub(crate) fn new(conn: Conn) -> Self {
        Self {
            conn,
            batch: Vec::new(),
            unanswered: 0,
        }
    }

    /// Stores the key's own value of this length.
    pub(crate) fn set(&mut self, key: &str, len: usize, exptime: u32) {
        self.batch
            .extend(format!("set {key} 0 {exptime} {len}\r\n").bytes());
        self.batch.extend(value(key, len));
        self.batch.extend(b"\r\n");
        self.unanswered += 1;
        if self.batch.len() >= BATCH_BYTES {
            self.flush();
        }
    }

    /// Sends what is waiting and reads every reply.
    pub(crate) fn flush(&mut self) {
        self.conn.send(&self.batch);
        self.batch.clear();
        let replies = self.conn.exactly(self.unanswered * b"STORED\r\n".len());
        let expected = b"STORED\r\n".repeat(self.unanswered);
        if replies != expected {
            panic!("a write failed: {}", first_other_line(&replies));
        }
        self.unanswered = 0;
    }

    /// Reads the keys back: the bytes of values still there, each of them checked.
    pub(crate) fn live_bytes(&mut self, keys: impl Iterator<Item = String>, len: usize) -> u64 {
        self.flush();
        let keys: Vec<String> = keys.collect();
        let mut found = 0;
        for some in keys.chunks((BATCH_BYTES / (len + 50)).clamp(1, 100)) {
            self.conn
                .send(format!("get {}\r\n", some.join(" ")).as_bytes());
            while let Some((head, got)) = self.conn.value_of_reply() {
                let key = head.split(' ').nth(1).expect("a key");
                assert!(got == value(key, len), "the value of {key} is another's");
                found += got.len() as u64;
            }
        }
        found
    }

    /// The connection, once all is answered.
    pub(crate) fn conn(&mut self) -> &mut Conn {
        self.flush();
        &mut self.conn
    }
}

fn first_other_line(replies: &[u8]) -> String {
    let text = String::from_utf8_lossy(replies).into_owned();
    text.lines()
        .find(|line| *line != "STORED")
        .unwrap_or("a line too few")
        .to_owned()
}
