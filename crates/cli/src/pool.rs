//! The options that say which nodes make the pool and how keys find theirs.

use clap::Args;
use larder_client::{Distribution, KeyTag, NodeSpec, Preset, Routing};

/// Which nodes, and where keys live on them.
#[derive(Args)]
pub(crate) struct PoolArgs {
    /// A node: `host[:port][;weight=w][;name=n]` or `/socket`. Once for each, in the order that counts.
    #[arg(long = "node", value_name = "NODE", required = true)]
    pub(crate) nodes: Vec<NodeSpec>,

    /// The rule by which keys are spread, under the name of a client that keeps to it; some take a hash behind a colon.
    #[arg(long = "dist", value_name = "NAME", default_value_t)]
    distribution: Distribution,

    /// Only what stands between these two bytes of a key decides, as in `{}`; the whole key where there is nothing.
    #[arg(long, value_name = "BYTES")]
    tag: Option<KeyTag>,

    /// A prefix that does not count in deciding where a key lives.
    #[arg(long, value_name = "PREFIX")]
    unhashed_prefix: Option<String>,
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
}
