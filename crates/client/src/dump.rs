//! What is on each node, item by item, as `lru_crawler metadump` tells it.
//!
//! It may be far longer than any reply, so it comes over a connection of its own, and is handed on as it comes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use crate::client::Client;
use crate::conn::transport::Stream;
use crate::error::Error;
use crate::limits::DUMP_LINE_LEN_MAX;
use crate::live::LiveNode;

/// The request for all items of a node, by its index, which shows each item that stays exactly once.
const BY_INDEX: &[u8] = b"lru_crawler metadump hash\r\n";

/// The same for servers that do not know that one: by slab class.
const BY_CLASS: &[u8] = b"lru_crawler metadump all\r\n";

/// The items of one node; asked for at the first [`Dump::next`].
pub struct Dump {
    node: Arc<LiveNode>,
    timeout: Duration,
    stream: Option<BufReader<Box<dyn Stream>>>,
    line: Vec<u8>,
    is_over: bool,
}

impl Client {
    /// The items of every node, to be read one node after another or side by side.
    #[must_use]
    pub fn dumps(&self) -> Vec<Dump> {
        let pool = self.pool();
        let dumps = pool.nodes.iter().map(|node| Dump {
            node: Arc::clone(node),
            timeout: self.settings().call_timeout,
            stream: None,
            line: Vec::new(),
            is_over: false,
        });
        dumps.collect()
    }
}

impl Dump {
    /// The node's name.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node.label
    }

    /// The next item: words such as `key=user%3A7`, `exp=` and `size=`, as memcached's protocol.txt has them for
    /// `lru_crawler metadump`. `None` after the last one. Each may take as long as a call.
    ///
    /// # Errors
    /// See [`Error`]; the dump is over then. memcached refuses it ([`Error::Server`], `BUSY`) while its crawler works.
    pub async fn next(&mut self) -> Result<Option<&[u8]>, Error> {
        if self.is_over {
            return Ok(None);
        }
        // Whatever happens in between, also that this call is dropped: only an item leaves the dump going on.
        self.is_over = true;
        // Whether it was asked by its index, and has not said yet that it can.
        let mut is_asked_by_index = self.stream.is_none();
        if is_asked_by_index {
            let greeted = self.node.greeted().await;
            let (stream, _) = greeted.map_err(|fault| self.lost(&fault.reason))?;
            self.stream = Some(BufReader::new(stream));
            self.ask(BY_INDEX).await?;
        }
        loop {
            self.read_line().await?;
            match self.line.trim_ascii_end() {
                b"END" => return Ok(None),
                // Newer servers say first that they will.
                b"OK" => {}
                text if text.starts_with(b"key=") => {
                    self.is_over = false;
                    return Ok(Some(self.line.trim_ascii_end()));
                }
                text if is_asked_by_index && text.starts_with(b"BADCLASS") => {
                    is_asked_by_index = false;
                    self.ask(BY_CLASS).await?;
                }
                other => {
                    return Err(Error::Server {
                        node: Arc::clone(&self.node.label),
                        text: other.escape_ascii().to_string().into(),
                    });
                }
            }
        }
    }

    async fn ask(&mut self, request: &'static [u8]) -> Result<(), Error> {
        let sent = async {
            if let Some(stream) = self.stream.as_mut() {
                stream.write_all(request).await?;
                stream.flush().await?;
            }
            Ok(())
        };
        let sent = timeout(self.timeout, sent).await;
        self.judge(sent)
    }

    async fn read_line(&mut self) -> Result<(), Error> {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        if let Some(stream) = self.stream.as_mut() {
            let mut bounded = stream.take(DUMP_LINE_LEN_MAX);
            let read = timeout(self.timeout, bounded.read_until(b'\n', &mut line)).await;
            self.judge(read)?;
        }
        if !line.ends_with(b"\n") {
            return Err(self.lost("the connection ended before the dump did, or no dump came"));
        }
        self.line = line;
        Ok(())
    }

    fn judge<T, E>(&self, outcome: Result<io::Result<T>, E>) -> Result<T, Error> {
        match outcome {
            Ok(done) => done.map_err(|error| self.lost(&format!("the connection ended: {error}"))),
            Err(_) => Err(Error::Timeout {
                node: Arc::clone(&self.node.label),
                after: self.timeout,
                maybe_applied: false,
            }),
        }
    }

    fn lost(&self, reason: &str) -> Error {
        Error::Lost {
            node: Arc::clone(&self.node.label),
            reason: reason.into(),
            maybe_applied: false,
        }
    }
}
