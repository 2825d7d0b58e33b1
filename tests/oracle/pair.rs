//! memcached and larderd side by side, and one exchange with either.

use std::fmt;
use std::thread;
use std::time::Duration;

use crate::support::{Conn, Ended, Server, show};

/// Sent after every exchange. Neither command changes anything, and no script draws these two replies in a row,
/// so that they mark where the replies to the script have ended.
const MARK_SEND: &[u8] = b"cache_memlimit 1\r\nverbosity x\r\n";
const MARK_REPLY: &[u8] =
    b"MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\nCLIENT_ERROR bad command line format\r\n";

/// Both servers, started alike.
pub(crate) struct Pair {
    memcached: Server,
    larderd: Server,
    /// Whether they may be flushed.
    flushes: bool,
}

/// What ends an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The replies to the mark, which is sent after the pieces.
    Mark,
    /// The server closes; nothing is sent after the pieces.
    Close,
}

/// Most seconds between what two servers tell of one time; less than between any two times that commands name.
const SECONDS_APART_MAX: u32 = 9;

/// What a server sent back. Two answers are the same if they differ in nothing but a few seconds of a meta command's `t`
/// or `l`: each server's clock ticks when it likes, and on a busy machine one of them may have been kept waiting.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The bytes of the replies.
    pub(crate) bytes: Vec<u8>,
    /// `Found` when it answered everything.
    pub(crate) ended: Ended,
}

impl PartialEq for Answer {
    fn eq(&self, other: &Self) -> bool {
        let words = |answer: &Self| {
            let words = answer.bytes.split(|byte| matches!(byte, b' ' | b'\r'));
            words.map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        let alike = || {
            let (ours, theirs) = (words(self), words(other));
            let mut pairs = ours.iter().zip(&theirs);
            ours.len() == theirs.len()
                && pairs.all(|(ours, theirs)| ours == theirs || nearly_at_once(ours, theirs))
        };
        self.ended == other.ended && (self.bytes == other.bytes || alike())
    }
}

/// Whether both are return flags of meta commands that tell nearly the same time.
fn nearly_at_once(one: &[u8], other: &[u8]) -> bool {
    let seconds = |word: &[u8]| {
        let (letter, token) = word.split_first()?;
        let number: u32 = std::str::from_utf8(token).ok()?.parse().ok()?;
        matches!(letter, b't' | b'l').then_some((*letter, number))
    };
    match (seconds(one), seconds(other)) {
        (Some((one, early)), Some((other, late))) => {
            one == other && early.abs_diff(late) <= SECONDS_APART_MAX
        }
        _ => false,
    }
}

impl Pair {
    /// Starts both.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts both without flushes, dumps, watchers and CAS uniques.
    pub(crate) fn restricted() -> Self {
        let pair = Self::start_with(&["-F", "-X", "-W", "-C"]);
        Self {
            flushes: false,
            ..pair
        }
    }

    fn start_with(options: &[&str]) -> Self {
        let args = [&["-m", "64", "-t", "2"], options].concat();
        // Its background threads hold items now and then, and an incr of a held item is not padded.
        let quiet = [&args[..], &["-o", "no_lru_maintainer,no_lru_crawler"]].concat();
        Self {
            memcached: Server::memcached(&quiet),
            larderd: Server::larderd(&args),
            flushes: true,
        }
    }

    /// Sends the pieces to larderd, on a connection of their own.
    pub(crate) fn larderd(&self, pieces: &[&[u8]], end: End) -> Answer {
        exchange(&mut self.larderd.connect(), pieces, end)
    }

    /// Sends the pieces to memcached, on a connection of their own.
    pub(crate) fn memcached(&self, pieces: &[&[u8]], end: End) -> Answer {
        exchange(&mut self.memcached.connect(), pieces, end)
    }

    /// Empties both, if that is allowed.
    pub(crate) fn clear(&self) {
        if !self.flushes {
            return;
        }
        for server in [&self.memcached, &self.larderd] {
            assert_eq!(server.connect().ask("flush_all"), "OK");
        }
    }

    /// A connection to each: memcached's, then ours.
    pub(crate) fn connect(&self) -> (Conn, Conn) {
        (self.memcached.connect(), self.larderd.connect())
    }
}

/// Sends the pieces one after another, and reads all that comes back for them.
pub(crate) fn exchange(conn: &mut Conn, pieces: &[&[u8]], end: End) -> Answer {
    for (i, piece) in pieces.iter().enumerate() {
        if i > 0 {
            // Long enough for the server to have seen the piece before; when it has not, nothing is lost but a cut.
            thread::sleep(Duration::from_micros(50));
        }
        if !conn.try_send(piece) {
            break;
        }
    }
    if end == End::Mark {
        conn.try_send(MARK_SEND);
    }
    let (mut bytes, ended) = conn.try_until(MARK_REPLY);
    if ended == Ended::Found {
        bytes.truncate(bytes.len() - MARK_REPLY.len());
    }
    Answer { bytes, ended }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = match self.ended {
            Ended::Found => "",
            Ended::Closed => ", then closes",
            Ended::Stalled => ", then nothing more",
        };
        write!(f, "{}{end}", show(&self.bytes))
    }
}
