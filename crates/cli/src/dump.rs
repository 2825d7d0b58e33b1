//! `larder dump`: what is on every node, without its values.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};

use anyhow::Result;
use clap::Args;
use percent_encoding::percent_decode;

use crate::nodes::complete;
use crate::pool::AskedPoolArgs;

/// All items of a pool.
#[derive(Args)]
pub(crate) struct DumpArgs {
    #[command(flatten)]
    pool: AskedPoolArgs,

    /// Prints only the keys, byte by byte as they are, a key a line.
    #[arg(long)]
    keys: bool,
}

/// One node after another, so that the lines of each stay together. A node that fails keeps no other's back.
pub(crate) async fn run(args: &DumpArgs) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut results = Vec::new();
    for mut dump in args.pool.client().await?.dumps() {
        let result = loop {
            match dump.next().await {
                Ok(Some(item)) if args.keys => out.write_all(&key(item))?,
                Ok(Some(item)) => out.write_all(item)?,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
            out.write_all(b"\n")?;
        };
        results.push((dump.node().to_owned(), result));
    }
    out.flush()?;
    complete(&results)
}

/// The key of an item.
fn key(item: &[u8]) -> Cow<'_, [u8]> {
    let rest = item.strip_prefix(b"key=").unwrap_or(item);
    let end = rest.iter().position(|byte| *byte == b' ');
    decoded(&rest[..end.unwrap_or(rest.len())])
}

/// Undoes `%` and two hexadecimal digits.
fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    percent_decode(text).into()
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn keys_are_decoded() {
        assert_eq!(&decoded(b"user%3A7")[..], b"user:7");
        assert_eq!(&decoded(b"%FF%00%25")[..], b"\xff\x00%");
        assert_eq!(&decoded(b"a%4")[..], b"a%4");
        assert_eq!(&decoded(b"%zz")[..], b"%zz");
    }
}
