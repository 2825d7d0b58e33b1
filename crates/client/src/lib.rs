//! Many memcached nodes as one pool.
//!
//! *Job.* Say on which node a key lives, the way the clients of other languages say it, so that a mixed fleet shares
//! one pool: [`Ring`]. Ask that node, and keep asking the others when it is gone: [`Client`].
//!
//! *Owns* the node list ([`NodeSpec`]), how it is followed ([`Discovery`]), and the rules of distribution
//! ([`Distribution`]).
//!
//! *Never* moves a key because a node fails: only a changed node list changes the ring. Never gives one caller's reply
//! to another, never shows an error as a miss.
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
//!
//! Reading and writing:
//!
//! ```no_run
//! # async fn example() -> Result<(), larder_client::BuildError> {
//! use std::time::Duration;
//! use larder_client::{Client, Error, Ttl};
//!
//! let cache = Client::connect("memcache://10.0.0.1,10.0.0.2,10.0.0.3:11311;name=c?timeout_ms=100")?;
//! match cache.get("user:7").await {
//!     Ok(Some(value)) => println!("{:?}", value.data),
//!     Ok(None) => drop(cache.set("user:7", "Ada", Ttl::After(Duration::from_secs(300))).await),
//!     Err(Error::NodeDown { node, .. }) => println!("{node} is away; its keys stay its keys"),
//!     Err(error) => println!("{error}"),
//! }
//! for (key, result) in cache.get_many(["user:7", "user:8"]).await {
//!     println!("{key:?}: {result:?}"); // found, not there, or the error with its node
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Beyond the verbs
//!
//! - Reading through: [`Client::fetch`], whose ways are in [`Fetch`]; writing through: [`Client::write_through`].
//! - Sessions, with no update lost: [`SessionStore`]. Keys that are forgotten together: [`Client::namespace`]. A lock with
//!   an owner: [`Client::lock`].
//! - Values of the application's own types: `Client::json` and `Client::postcard`.
//! - Nodes that come and go: [`Discovery`], followed by [`Builder::follow`].
//! - Nodes that fail: [`Error`] says what a caller sees, [`Builder::gutter`] and [`Replicas`] what may stand in.
//! - Metrics: [`Observer`]. Everything else is told to `tracing`: each request is a span, each change of a node's state
//!   an event.
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | what it adds |
//! |---|---|
//! | `tls` | `Tls`: TLS by rustls |
//! | `etcd` | `Etcd`: nodes that are found in etcd |
//! | `json`, `postcard` | `Typed`: values of types that serde knows |
//! | `compression` | `Builder::compress_above`: large values as LZ4 blocks |
//! | `fake` | `Fake`: a pool in memory, for tests |
//! | `blocking` | `blocking::Client`, for programmes without async |

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

#[cfg(feature = "blocking")]
pub mod blocking;
mod budget;
mod client;
mod conn;
mod discovery;
mod dump;
mod error;
#[cfg(feature = "fake")]
mod fake;
mod gutter;
mod join;
pub mod limits;
mod live;
mod many;
mod node;
mod observe;
#[cfg(feature = "compression")]
mod pack;
mod patterns;
mod pool;
mod replicas;
mod ring;
mod settings;
mod ttl;
mod value;
mod wire;

pub use client::{BuildError, Builder, Client, NodeResult, NodeStatus};
#[cfg(feature = "tls")]
pub use conn::{Tls, TlsError};
#[cfg(feature = "etcd")]
pub use discovery::Etcd;
pub use discovery::{Discovery, DiscoveryError, Dns, ElastiCache, Identity, NodeList};
pub use dump::Dump;
pub use error::Error;
#[cfg(feature = "fake")]
pub use fake::{Fake, FakeFault};
/// What is wrong with a key.
pub use larder_protocol::client::KeyFault;
pub use live::NodeState;
pub use many::Many;
pub use node::{Address, NodeError, NodeSpec};
pub use observe::{CallOutcome, Observer};
#[cfg(any(feature = "json", feature = "postcard"))]
pub use patterns::Typed;
pub use patterns::{Fetch, FetchError, Lock, Namespace, Session, SessionStore, WriteError};
pub use replicas::Replicas;
pub use ring::{
    Distribution, DistributionError, HashError, KeyHash, KeyTag, KeyTagError, Preset, Ring,
    RingError, Routing,
};
pub use ttl::Ttl;
pub use value::{CasUnique, IntoBytes, StoreIf, Stored, Value};
