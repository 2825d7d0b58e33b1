//! `larder dump`: what is on every node, without its values, by `lru_crawler metadump`.
//!
//! It may be long, so it comes over a connection of its own, and goes out as it comes.

use std::io::{self, BufWriter, Write};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use larder_client::{Address, NodeSpec};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::pool::AskedPoolArgs;

/// Longest line in bytes: every byte of the longest key takes three, and the rest of a line a few hundred.
const LINE_MAX: u64 = 4096;

/// All items of a pool.
#[derive(Args)]
pub(crate) struct DumpArgs {
    #[command(flatten)]
    pool: AskedPoolArgs,

    /// Prints only the keys, byte by byte as they are, a key a line.
    #[arg(long)]
    keys: bool,
}

/// One after another, so that the lines of one node stay together.
pub(crate) async fn run(args: &DumpArgs) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for node in args.pool.pool.nodes().await?.iter() {
        let dumped = dump(node, args, &mut out).await;
        dumped.with_context(|| node.label())?;
    }
    Ok(out.flush()?)
}

async fn dump(node: &NodeSpec, args: &DumpArgs, out: &mut impl Write) -> Result<()> {
    let limit = args.pool.timeout();
    match node.address() {
        Address::Tcp { host, port } => {
            let stream = in_time(limit, TcpStream::connect((host.as_str(), *port))).await?;
            lines(stream, limit, args.keys, out).await
        }
        Address::Unix(path) => {
            let stream = in_time(limit, UnixStream::connect(path)).await?;
            lines(stream, limit, args.keys, out).await
        }
    }
}

async fn in_time<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> Result<T> {
    let done = timeout(limit, work).await;
    Ok(done.with_context(|| format!("no answer within {} ms", limit.as_millis()))??)
}

/// Copies the lines of one node, up to its `END`.
async fn lines(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    limit: Duration,
    keys_only: bool,
    out: &mut impl Write,
) -> Result<()> {
    let request = b"lru_crawler metadump all\r\n";
    in_time(limit, stream.write_all(request)).await?;
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = (&mut stream).take(LINE_MAX);
        in_time(limit, bounded.read_until(b'\n', &mut line)).await?;
        if !line.ends_with(b"\n") {
            bail!(
                "the node closed the connection before the end, or sent something else than items"
            );
        }
        let text = line.trim_ascii_end();
        let Some(rest) = text.strip_prefix(b"key=") else {
            match text {
                b"END" => return Ok(()),
                // Newer ones say first that they will.
                b"OK" => continue,
                other => bail!("it answered {}", other.escape_ascii()),
            }
        };
        if keys_only {
            let end = rest.iter().position(|byte| *byte == b' ');
            out.write_all(&decoded(&rest[..end.unwrap_or(rest.len())]))?;
        } else {
            out.write_all(text)?;
        }
        out.write_all(b"\n")?;
    }
}

/// Undoes `%` and two hexadecimal digits.
fn decoded(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind
            .get(..2)
            .and_then(|two| std::str::from_utf8(two).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped.filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn keys_are_decoded() {
        assert_eq!(decoded(b"user%3A7"), b"user:7");
        assert_eq!(decoded(b"%FF%00%25"), b"\xff\x00%");
        assert_eq!(decoded(b"a%4"), b"a%4");
        assert_eq!(decoded(b"%zz"), b"%zz");
    }
}
