//! `larder-bench floor`: a server that keeps nothing.
//!
//! It finds where each request ends and answers it with a fixed reply of the length a cache full of equal items would
//! send: what the kernel and a lean loop cost without a cache. One wait per turn, and per connection one read and one
//! write. It knows `get <key>*` and `set` without noreply, which is what the load generator sends, and shares no code
//! with the daemon.

mod serve;
mod split;

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result};

use self::split::Replies;

/// Options of `floor`
#[derive(clap::Args, Debug)]
pub(crate) struct FloorArgs {
    /// TCP port
    #[arg(long, short, default_value_t = 11211)]
    port: u16,
    /// Address to listen on
    #[arg(long, short, default_value = "127.0.0.1")]
    listen: IpAddr,
    /// Threads, each with its own loop; connections are dealt to them in turn
    #[arg(long, short, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: u32,
    /// Bytes of the value in every reply to a get
    #[arg(long, default_value_t = 64)]
    value_length: usize,
    /// Bytes of the key in every reply to a get
    #[arg(long, default_value_t = 16)]
    key_length: usize,
}

/// Serves until it is killed.
pub(crate) fn run(args: &FloorArgs) -> Result<()> {
    let address = SocketAddr::new(args.listen, args.port);
    let listener = std::net::TcpListener::bind(address)
        .with_context(|| format!("cannot listen on {address}"))?;
    serve::serve(
        listener,
        args.threads as usize,
        &Replies::new(args.key_length, args.value_length),
    )
}
