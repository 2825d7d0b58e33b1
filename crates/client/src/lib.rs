//! Many memcached nodes as one pool.
//!
//! *Job.* Say on which node a key lives, the way the clients of other languages say it, so that a mixed fleet shares
//! one pool: [`Ring`].
//!
//! *Owns* the node list ([`NodeSpec`]), how it is followed ([`Discovery`]), and the rules of distribution
//! ([`Distribution`]).
//!
//! *Never* moves a key because a node fails: only a changed node list changes the ring.
//!
//! ```
//! use larder_client::{Distribution, NodeSpec, Ring};
//!
//! let nodes: Vec<NodeSpec> = ["10.0.0.1:11311", "10.0.0.2:11311;weight=2", "cache-c;name=c"]
//!     .iter()
//!     .map(|node| node.parse())
//!     .collect::<Result<_, _>>()?;
//! let ring = Ring::new(Distribution::Ketama, &nodes)?;
//! let index = ring.node_for(b"user:7:profile");
//! println!("{}", nodes[index]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

mod discovery;
pub mod limits;
mod node;
mod ring;

#[cfg(feature = "etcd")]
pub use discovery::Etcd;
pub use discovery::{Discovery, DiscoveryError, Dns, ElastiCache, Identity, NodeList};
pub use node::{Address, NodeError, NodeSpec};
pub use ring::{
    Distribution, DistributionError, HashError, KeyHash, KeyTag, KeyTagError, Preset, Ring,
    RingError, Routing,
};
