//! The options that say which nodes make the pool, how keys find theirs, and how long to wait for them.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use larder_client::{
    Builder, Client, Discovery, Distribution, KeyTag, NodeList, NodeSpec, Preset, Routing,
};

use crate::access::AccessArgs;
use crate::time;

/// Under which help shows these options. Each says it: one that is said for all goes on to the command's own.
const HEADING: &str = "The pool";

/// Which nodes, and where keys live on them.
#[derive(Args)]
pub(crate) struct PoolArgs {
    #[command(flatten)]
    source: SourceArgs,

    /// The rule by which keys are spread, under the name of a client that keeps to it; some take a hash behind a colon. `larder ring --help` lists them.
    #[arg(long = "dist", value_name = "NAME", default_value_t, help_heading = HEADING)]
    distribution: Distribution,

    /// Only what stands between these two bytes of a key decides, as in `{}`; the whole key where there is nothing.
    #[arg(long, value_name = "BYTES", help_heading = HEADING)]
    tag: Option<KeyTag>,

    /// A prefix that does not count in deciding where a key lives.
    #[arg(long, value_name = "PREFIX", help_heading = HEADING)]
    unhashed_prefix: Option<String>,
}

/// Where the list of nodes comes from.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct SourceArgs {
    /// A node: `host[:port][;weight=w][;name=n]` or `/socket`. Once for each, in the order that counts.
    #[arg(long = "node", value_name = "NODE", help_heading = HEADING)]
    nodes: Vec<NodeSpec>,

    /// Where nodes are found: `file:PATH` (a node a line), `dns:HOST[:PORT]` (all addresses of the host), `srv:NAME`,
    /// `elasticache:HOST[:PORT]`, `etcd:URL[,URL…]/PREFIX`, or `static:NODE[,NODE…]`.
    #[arg(long = "pool", value_name = "SOURCE", help_heading = HEADING)]
    source: Option<String>,
}

/// A pool that is asked.
#[derive(Args)]
pub(crate) struct AskedPoolArgs {
    #[command(flatten)]
    pool: PoolArgs,

    /// The longest that one node is waited for.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time::duration, help_heading = HEADING)]
    timeout: Duration,

    #[command(flatten)]
    access: AccessArgs,
}

/// The names that `--dist` takes, as a text for the end of a help page.
pub(crate) fn distributions() -> String {
    let name = |preset: &Preset| match preset.hashes {
        [] => format!("  {}", preset.name),
        hashes => {
            let hashes: Vec<String> = hashes.iter().map(ToString::to_string).collect();
            format!("  {}[:{}]", preset.name, hashes.join("|"))
        }
    };
    let names: Vec<String> = Distribution::PRESETS.iter().map(name).collect();
    format!("Names for --dist:\n{}", names.join("\n"))
}

impl PoolArgs {
    /// How keys find their node.
    pub(crate) fn routing(&self) -> Routing {
        let mut routing = Routing::new(self.distribution);
        if let Some(tag) = &self.tag {
            routing = routing.with_tag(tag.clone());
        }
        match &self.unhashed_prefix {
            Some(prefix) => routing.with_unhashed_prefix(prefix.as_str()),
            None => routing,
        }
    }

    /// Where the nodes come from.
    fn discovery(&self) -> Result<Discovery> {
        Ok(match &self.source.source {
            Some(source) => source.parse()?,
            None => Discovery::Static(self.source.nodes.clone()),
        })
    }

    /// The nodes as they are now.
    pub(crate) async fn nodes(&self) -> Result<NodeList> {
        let lists = self.discovery()?.follow().await?;
        let nodes = NodeList::clone(&lists.borrow());
        Ok(nodes)
    }
}

impl AskedPoolArgs {
    /// A client of the pool, which goes on with other nodes when the list changes.
    pub(crate) async fn client(&self) -> Result<Client> {
        let builder = Builder::new()
            .routing(self.pool.routing())
            .timeout(self.timeout)
            .connect_timeout(self.timeout);
        let builder = self.access.apply(builder)?;
        Ok(builder.follow(self.pool.discovery()?).await?)
    }
}
