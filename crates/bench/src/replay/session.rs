//! One connection that replays accesses in their order, a window at a time.

use std::io::{Read, Write};

use anyhow::{Context, Result, bail};

use crate::endpoint::{BlockingSocket, Endpoint};
use crate::replies::{Check, Expected, Observer, Verb};
use crate::workload::Data;

/// A client in the middle of a replay.
pub(super) struct Session<'a> {
    socket: BlockingSocket,
    data: &'a Data,
    window: usize,
    expected: Expected,
    out: Vec<u8>,
    buffer: Vec<u8>,
    /// Read and not yet taken.
    input: Vec<u8>,
    heard: Heard,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Counts {
    pub(super) misses: u64,
    pub(super) refused: u64,
}

#[derive(Default)]
struct Heard {
    counts: Counts,
    /// Ids that were not there, and have not been set yet.
    missing: Vec<u64>,
    fault: Option<String>,
}

impl Observer for Heard {
    fn key(&mut self, id: u64, hit: bool) {
        if !hit {
            self.missing.push(id);
            self.counts.misses += 1;
        }
    }

    fn request(&mut self, _verb: Verb, _sent_ns: u64) {}

    fn fault(&mut self, sentence: String) {
        self.fault.get_or_insert(sentence);
    }

    /// A server may refuse to store; that will show in its misses.
    fn refused(&mut self, verb: Verb, sentence: String) {
        match verb {
            Verb::Set => self.counts.refused += 1,
            Verb::Get => self.fault(sentence),
        }
    }
}

impl<'a> Session<'a> {
    pub(super) fn open(endpoint: &Endpoint, data: &'a Data, window: usize) -> Result<Self> {
        Ok(Self {
            socket: endpoint.connect()?,
            data,
            window,
            expected: Expected::default(),
            out: Vec::new(),
            buffer: vec![0; 256 * 1024],
            input: Vec::new(),
            heard: Heard::default(),
        })
    }

    /// Gets each id, and sets those that were not there.
    pub(super) fn replay(&mut self, ids: &[u64]) -> Result<()> {
        let mut rest = ids;
        while !rest.is_empty() {
            let (window, behind) = rest.split_at(window_length(rest, self.window));
            self.push_sets();
            for &id in window {
                self.out.extend_from_slice(b"get ");
                self.data.write_key(id, &mut self.out);
                self.out.extend_from_slice(b"\r\n");
                self.expected.push_key(id);
                self.expected.push_get(0);
            }
            self.exchange()?;
            rest = behind;
        }
        self.push_sets();
        self.exchange()
    }

    /// What was counted, unless something was wrong.
    pub(super) fn counts(self) -> Result<Counts> {
        match self.heard.fault {
            Some(fault) => bail!("{fault}"),
            None => Ok(self.heard.counts),
        }
    }

    fn push_sets(&mut self) {
        for id in self.heard.missing.drain(..) {
            self.data.write_set(id, &mut self.out);
            self.expected.push_set(0);
        }
    }

    /// Writes all that is to be written and reads all that must come back. The gets are a kilobyte or so and stand
    /// behind the sets, so a server that waits for us to read never keeps us from writing.
    fn exchange(&mut self) -> Result<()> {
        self.socket
            .write_all(&self.out)
            .context("cannot write to the server")?;
        self.out.clear();
        while !self.expected.is_empty() {
            let bytes = self
                .socket
                .read(&mut self.buffer)
                .context("cannot read from the server")?;
            if bytes == 0 {
                bail!("the server closed the connection");
            }
            self.input.extend_from_slice(&self.buffer[..bytes]);
            let taken = self
                .expected
                .take(self.data, Check::Full, &self.input, &mut self.heard)?;
            self.input.drain(..taken);
        }
        Ok(())
    }
}

/// How many ids from the first on can be asked for before any of them is set: up to `most`, and to the first that
/// comes again.
fn window_length(ids: &[u64], most: usize) -> usize {
    let most = most.min(ids.len());
    (1..most)
        .find(|&index| ids[..index].contains(&ids[index]))
        .unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::window_length;

    #[test]
    fn a_window_ends_before_a_repeated_id() {
        assert_eq!(window_length(&[1, 2, 3, 2, 4], 16), 3);
        assert_eq!(window_length(&[1, 1], 16), 1);
        assert_eq!(window_length(&[1, 2, 3], 2), 2);
        assert_eq!(window_length(&[1, 2, 3], 1), 1);
        assert_eq!(window_length(&[1], 16), 1);
    }
}
