//! Which servers a subcommand measures: ours, and peers given by their commands.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, bail};

use super::launch::{Listening, Spec};
use crate::replies::Check;

/// The options about servers that every comparing subcommand has.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Ours {
    /// larderd's executable [default: the one beside larder-bench]
    #[arg(long, value_name = "PATH", conflicts_with = "no_larderd")]
    larderd: Option<PathBuf>,
    /// Measure the peers only
    #[arg(long)]
    no_larderd: bool,
    /// Another server: its name and its command, in which {port} or {socket}, {memory} (MB) and {threads} are filled
    /// in; one that has {cert} and {key} is spoken to by TLS. May be given several times
    #[arg(long, value_name = "NAME=COMMAND")]
    peer: Vec<Peer>,
}

/// `name=command`
#[derive(Clone, Debug)]
pub(crate) struct Peer(Spec);

impl FromStr for Peer {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, command) = text
            .split_once('=')
            .context("a peer is written NAME=COMMAND")?;
        Ok(Self(Spec::new(name, command)?))
    }
}

impl Ours {
    /// larderd, unless it is not wanted.
    pub(crate) fn larderd(&self, listening: Listening) -> Result<Option<Spec>> {
        if self.no_larderd {
            return Ok(None);
        }
        let path = match &self.larderd {
            Some(path) => path.clone(),
            None => std::env::current_exe()
                .context("cannot tell where larder-bench is")?
                .with_file_name("larderd"),
        };
        if !path.is_file() {
            bail!(
                "there is no larderd at {}; build it, say where it is with --larderd, or use --no-larderd",
                path.display()
            );
        }
        let files = "ssl_chain_cert={cert},ssl_key={key},allow_world_readable_secrets";
        let place = match listening {
            Listening::Tcp => ["-p", "{port}", "-l", "127.0.0.1"].as_slice(),
            Listening::Tls => &["-p", "{port}", "-l", "127.0.0.1", "-Z", "-o", files],
            Listening::Unix => ["-s", "{socket}"].as_slice(),
        };
        let path = path.to_str().context("the path of larderd is not UTF-8")?;
        let words = [&[path], place, &["-m", "{memory}", "-t", "{threads}"]].concat();
        let words = words.into_iter().map(str::to_owned).collect();
        Ok(Some(Spec {
            name: "larderd".to_owned(),
            words,
            check: Check::Full,
            users: None,
        }))
    }

    pub(crate) fn peers(&self) -> Vec<Spec> {
        self.peer.iter().map(|peer| peer.0.clone()).collect()
    }

    /// larderd, the peers and perhaps the floor; an error when that is nobody.
    pub(crate) fn all(&self, listening: Listening, floor: Option<Spec>) -> Result<Vec<Spec>> {
        let mut specs: Vec<Spec> = self.larderd(listening)?.into_iter().collect();
        specs.extend(self.peers());
        specs.extend(floor);
        if specs.is_empty() {
            bail!("there is nothing to measure: --no-larderd needs at least one --peer");
        }
        Ok(specs)
    }
}
