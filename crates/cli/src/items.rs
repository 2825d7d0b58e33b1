//! `larder get`, `set`, `delete`, `incr`, `decr` and `touch`: one item, where its key lives.

use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::ffi::OsStrExt;

use anyhow::{Context, Result, bail};
use clap::Args;
use larder_client::{StoreIf, Stored, Ttl};

use std::ffi::OsString;

use crate::pool::AskedPoolArgs;
use crate::time;

/// One item of a pool.
#[derive(Args)]
pub(crate) struct KeyArgs {
    #[command(flatten)]
    pool: AskedPoolArgs,

    /// The key.
    key: OsString,
}

impl KeyArgs {
    fn key(&self) -> &[u8] {
        self.key.as_bytes()
    }

    /// What is said when there is nothing under the key.
    fn missing(&self) -> anyhow::Error {
        anyhow::anyhow!("there is no item {}", self.key().escape_ascii())
    }
}

/// An item to store.
#[derive(Args)]
pub(crate) struct SetArgs {
    #[command(flatten)]
    key: KeyArgs,

    /// The value. Without it, all of stdin.
    value: Option<OsString>,

    /// How long the item lives, as in 30s, 5m, 12h or 7d.
    #[arg(long, value_name = "TIME", default_value = "never", value_parser = time::ttl)]
    ttl: Ttl,

    /// The client flags. Clients of other languages keep in them what kind of value it is; 0 are bytes.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    flags: u32,

    /// Only if there is no such item.
    #[arg(long, conflicts_with = "replace")]
    add: bool,

    /// Only if there is such an item.
    #[arg(long)]
    replace: bool,
}

/// A number to count up or down.
#[derive(Args)]
pub(crate) struct CountArgs {
    #[command(flatten)]
    key: KeyArgs,

    /// By how much.
    #[arg(default_value_t = 1)]
    by: u64,

    /// What a new item holds if there is none; without this, none is made.
    #[arg(long, value_name = "NUMBER")]
    initial: Option<u64>,

    /// How long a new item lives, as in 30s, 5m, 12h or 7d.
    #[arg(long, value_name = "TIME", default_value = "never", value_parser = time::ttl)]
    ttl: Ttl,
}

/// An item and how long it is to live from now.
#[derive(Args)]
pub(crate) struct TouchArgs {
    #[command(flatten)]
    key: KeyArgs,

    /// How long, as in 30s, 5m, 12h or 7d, or `never` for without end.
    #[arg(value_parser = time::ttl)]
    ttl: Ttl,
}

/// Prints the value, byte by byte as it is; with a newline behind it only where a person looks.
pub(crate) async fn get(args: &KeyArgs) -> Result<()> {
    let client = args.pool.client().await?;
    let value = client.get(args.key()).await?;
    let value = value.ok_or_else(|| args.missing())?;
    let mut out = io::stdout().lock();
    out.write_all(&value.data)?;
    if out.is_terminal() {
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

/// Stores a value.
pub(crate) async fn set(args: &SetArgs) -> Result<()> {
    let value = match &args.value {
        Some(value) => value.as_bytes().to_vec(),
        None => {
            let mut value = Vec::new();
            let read = io::stdin().lock().read_to_end(&mut value);
            read.context("reading the value from stdin")?;
            value
        }
    };
    let client = args.key.pool.client().await?;
    let (key, ttl) = (args.key.key(), args.ttl);
    let condition = match (args.add, args.replace) {
        (true, _) => StoreIf::Absent,
        (_, true) => StoreIf::Present,
        _ => StoreIf::Always,
    };
    let stored = client.store(key, value, args.flags, ttl, condition).await?;
    match stored {
        Stored::Stored => Ok(()),
        _ if args.add => bail!("there is an item {} already", key.escape_ascii()),
        _ => Err(args.key.missing()),
    }
}

/// Deletes an item.
pub(crate) async fn delete(args: &KeyArgs) -> Result<()> {
    let client = args.pool.client().await?;
    match client.delete(args.key()).await? {
        true => Ok(()),
        false => Err(args.missing()),
    }
}

/// Counts up or down, and prints the new number.
pub(crate) async fn count(args: &CountArgs, is_decr: bool) -> Result<()> {
    let client = args.key.pool.client().await?;
    let (key, by, ttl) = (args.key.key(), args.by, args.ttl);
    let number = match (args.initial, is_decr) {
        (None, false) => client.incr(key, by).await?,
        (None, true) => client.decr(key, by).await?,
        (Some(initial), false) => Some(client.incr_or(key, by, initial, ttl).await?),
        (Some(initial), true) => Some(client.decr_or(key, by, initial, ttl).await?),
    };
    let number = number.ok_or_else(|| args.key.missing())?;
    Ok(writeln!(io::stdout(), "{number}")?)
}

/// Gives an item another time to live.
pub(crate) async fn touch(args: &TouchArgs) -> Result<()> {
    let client = args.key.pool.client().await?;
    match client.touch(args.key.key(), args.ttl).await? {
        true => Ok(()),
        false => Err(args.key.missing()),
    }
}
