//! ElastiCache's auto discovery: any node of a cluster knows all of them, and answers `config get cluster`.
//!
//! The answer is a block of two lines: the cluster's version, a number that grows with every change, and the nodes,
//! `host|ip|port` with blanks between. Engines before 1.4.14 keep the same block in the key
//! `AmazonElastiCache:cluster`. Google's Memorystore has the same.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use larder_protocol::client::{self, Expect, Reply, Step, request};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::DiscoveryError;
use crate::conn::transport::{Sockets, Transport};
use crate::conn::{Credentials, greet};
use crate::limits::{ANSWER_TIMEOUT, CLUSTER_LEN_MAX, PERIOD_DEFAULT, PORT_DEFAULT};
use crate::node::{Address, NodeSpec};

/// The key in which old engines keep the description.
const OLD_KEY: &[u8] = b"AmazonElastiCache:cluster";

/// A cluster's configuration endpoint, or any node of it. A client that follows it ([`crate::Builder::follow`]) asks it
/// as it asks the nodes: by TLS, and with the user and the password, if it was told so.
#[derive(Clone, Debug)]
pub struct ElastiCache {
    endpoint: Address,
    period: Duration,
    identity: Identity,
}

/// What of `host|ip|port` the node is called on the ring, and where it is connected to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Identity {
    /// The host for both: what most clients do, and what TLS needs.
    #[default]
    Host,
    /// Called by the host, connected to by the address: AWS's libmemcached and PHP clients.
    HostAtIp,
    /// The address for both: AWS's Java client, pymemcache. A node that is replaced changes its keys.
    Ip,
}

impl ElastiCache {
    /// A cluster that is asked every [`PERIOD_DEFAULT`].
    #[must_use]
    pub fn new(endpoint: Address) -> Self {
        Self {
            endpoint,
            period: PERIOD_DEFAULT,
            identity: Identity::Host,
        }
    }

    /// Asks so often instead, give or take a tenth.
    #[must_use]
    pub fn every(mut self, period: Duration) -> Self {
        self.period = period;
        self
    }

    /// Calls nodes so, and connects to them so.
    #[must_use]
    pub fn identified_by(mut self, identity: Identity) -> Self {
        self.identity = identity;
        self
    }
}

/// How a cluster's nodes are reached, for its description as for its items.
pub(crate) struct Way {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) credentials: Option<Credentials>,
}

impl Default for Way {
    fn default() -> Self {
        Self {
            transport: Arc::new(Sockets),
            credentials: None,
        }
    }
}

/// A cluster that is being followed.
pub(super) struct Cluster {
    settings: ElastiCache,
    way: Way,
    /// The last description: its version and nodes.
    known: Option<(u64, Vec<NodeSpec>)>,
}

impl Cluster {
    pub(super) fn new(settings: ElastiCache, way: Way) -> Self {
        Self {
            settings,
            way,
            known: None,
        }
    }

    pub(super) fn period(&self) -> Duration {
        self.settings.period
    }

    /// Asks the endpoint, or else a node that it named before: the endpoint's own node may be the one that is gone.
    pub(super) async fn read(&mut self) -> Result<Vec<NodeSpec>, DiscoveryError> {
        let answer = match (self.ask(&self.settings.endpoint).await, &self.known) {
            (Err(error), Some((_, nodes))) => {
                tracing::debug!(%error, "another node of the cluster is asked");
                let another = &nodes[fastrand::usize(..nodes.len())];
                self.ask(another.address()).await.map_err(|_| error)?
            }
            (answer, _) => answer?,
        };
        let (version, nodes) = self.described(&answer)?;
        if let Some((known, _)) = &self.known
            && version < *known
        {
            let problem = format!(
                "version {version} of the cluster is older than {known}, which was seen before"
            );
            return Err(self.answered(problem));
        }
        self.known = Some((version, nodes.clone()));
        Ok(nodes)
    }

    /// The description that this node gives.
    async fn ask(&self, address: &Address) -> Result<Vec<u8>, DiscoveryError> {
        let asked = async {
            let connected = self.way.transport.connect(address).await;
            let mut stream = connected.map_err(|error| self.io(address, error))?;
            if let Some(credentials) = &self.way.credentials {
                let greeted = greet(&mut stream, Some(credentials), true).await;
                greeted.map_err(|fault| self.answered(format!("{address}: {}", fault.reason)))?;
            }
            self.converse(stream, address).await
        };
        let late = || self.io(address, std::io::ErrorKind::TimedOut.into());
        timeout(ANSWER_TIMEOUT, asked).await.map_err(|_| late())?
    }

    /// Asks by the command, then, if the node does not know it or knows nothing, by the key.
    async fn converse(
        &self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
        address: &Address,
    ) -> Result<Vec<u8>, DiscoveryError> {
        let mut command = Vec::new();
        request::config_get_cluster(&mut command);
        let mut old = Vec::new();
        request::get(&mut old, &[OLD_KEY]);
        for (request, expect) in [(command, Expect::Config), (old, Expect::Values)] {
            let sent = stream.write_all(&request).await;
            sent.map_err(|error| self.io(address, error))?;
            if let Some(description) = self.receive(&mut stream, address, expect).await? {
                return Ok(description);
            }
        }
        Err(self.answered(format!("{address} knows of no cluster")))
    }

    /// One whole answer: a description, or none.
    async fn receive(
        &self,
        stream: &mut (impl AsyncRead + Unpin),
        address: &Address,
        expect: Expect,
    ) -> Result<Option<Vec<u8>>, DiscoveryError> {
        let (mut input, mut description) = (Vec::new(), None);
        loop {
            let step = client::decode(&input, expect);
            let step = step.map_err(|broken| self.answered(format!("{address}: {broken}")))?;
            let (len, reply) = match step {
                Step::Incomplete { needed } if needed <= CLUSTER_LEN_MAX => {
                    let read = stream.read_buf(&mut input).await;
                    if read.map_err(|error| self.io(address, error))? == 0 {
                        let closed = std::io::ErrorKind::UnexpectedEof;
                        return Err(self.io(address, closed.into()));
                    }
                    continue;
                }
                Step::Incomplete { needed } => {
                    let problem = format!("{address}: a description of {needed} bytes is too long");
                    return Err(self.answered(problem));
                }
                Step::Complete { len, reply } => (len, reply),
            };
            match reply {
                Reply::Config(block) | Reply::Value { value: block, .. } => {
                    description = Some(block.to_vec());
                }
                Reply::End => return Ok(description),
                // A node without discovery does not know the command.
                Reply::Error(_) if expect == Expect::Config => return Ok(None),
                other => return Err(self.answered(format!("{address}: {other:?}"))),
            }
            input.drain(..len);
        }
    }

    /// The version and the nodes of a description.
    fn described(&self, block: &[u8]) -> Result<(u64, Vec<NodeSpec>), DiscoveryError> {
        let text = || String::from_utf8_lossy(block).into_owned();
        let unlike = || self.answered(format!("`{}` describes no cluster", text().escape_debug()));
        let block = std::str::from_utf8(block).map_err(|_| unlike())?;
        let lines = block
            .strip_suffix('\n')
            .and_then(|lines| lines.split_once('\n'));
        let (version, nodes) = lines.ok_or_else(unlike)?;
        let version = version.parse().map_err(|_| unlike())?;
        let nodes = nodes.split(' ').map(|node| {
            let node = self.node(node).ok_or_else(unlike)?;
            node.map_err(|error| DiscoveryError::Node {
                from: self.to_string(),
                error,
            })
        });
        Ok((version, nodes.collect::<Result<_, _>>()?))
    }

    /// The node of `host|ip|port`, if it has these three.
    fn node(&self, text: &str) -> Option<Result<NodeSpec, crate::NodeError>> {
        let mut parts = text.split('|');
        let (host, ip, port) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || host.is_empty() {
            return None;
        }
        let port = port.parse().ok()?;
        // The address is left empty while it is not known.
        let ip = if ip.is_empty() { host } else { ip };
        let at = |host: &str| {
            let host = host.to_owned();
            NodeSpec::new(Address::Tcp { host, port })
        };
        Some(match self.settings.identity {
            Identity::Host => at(host),
            Identity::Ip => at(ip),
            Identity::HostAtIp if port == PORT_DEFAULT => {
                at(ip).and_then(|node| node.with_name(host))
            }
            Identity::HostAtIp => at(ip).and_then(|node| node.with_name(format!("{host}:{port}"))),
        })
    }

    fn io(&self, address: &Address, error: std::io::Error) -> DiscoveryError {
        let from = format!("{self}: {address}");
        DiscoveryError::Io { from, error }
    }

    fn answered(&self, problem: String) -> DiscoveryError {
        let from = self.to_string();
        DiscoveryError::Answer { from, problem }
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the cluster of {}", self.settings.endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(identity: Identity) -> Cluster {
        let endpoint = "c.cfg:11211".parse().expect("an address");
        let settings = ElastiCache::new(endpoint).identified_by(identity);
        Cluster::new(settings, Way::default())
    }

    fn described(identity: Identity, block: &str) -> Result<(u64, Vec<String>), String> {
        let described = cluster(identity).described(block.as_bytes());
        let (version, nodes) = described.map_err(|error| error.to_string())?;
        Ok((version, nodes.iter().map(NodeSpec::to_string).collect()))
    }

    #[test]
    fn descriptions() {
        let block = "12\nnode-a|10.0.0.1|11211 node-b||11212\n";
        let is = |identity, nodes: [&str; 2]| {
            assert_eq!(
                described(identity, block),
                Ok((12, nodes.map(str::to_owned).into()))
            );
        };
        is(Identity::Host, ["node-a:11211", "node-b:11212"]);
        is(Identity::Ip, ["10.0.0.1:11211", "node-b:11212"]);
        is(
            Identity::HostAtIp,
            [
                "10.0.0.1:11211;name=node-a",
                "node-b:11212;name=node-b:11212",
            ],
        );
        let v6 = described(Identity::Ip, "1763890000123\na|fe80::1|1\n");
        assert_eq!(v6, Ok((1_763_890_000_123, vec!["[fe80::1]:1".to_owned()])));
    }

    #[test]
    fn what_is_no_description() {
        for block in [
            "",
            "\n",
            "12\n",
            "12\n\n",
            "x\na|b|1\n",
            "12\na|b|1",
            "12\na|b\n",
            "12\na|b|c\n",
            "12\n|b|1\n",
            "12\na|b|1|d\n",
            "12\na|b|1 \n",
            "12\na|b|1  c|d|2\n",
            "12\na|b|1\nc|d|2\n",
            "12\r\na|b|1\r\n",
        ] {
            let said = described(Identity::Host, block).expect_err(block);
            assert!(said.contains("describes no cluster"), "{block}: {said}");
        }
        let said = described(Identity::Host, "1\na|b|0\n").expect_err("no port");
        assert!(said.contains("no port"), "{said}");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_description_or_none(block in proptest::collection::vec(0u8..128, 0..60)) {
            let _ = cluster(Identity::HostAtIp).described(&block);
        }
    }
}
