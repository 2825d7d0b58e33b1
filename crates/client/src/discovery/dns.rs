//! The nodes that DNS has under a name, asked again and again.
//!
//! Clients that resolve once keep sending to addresses that are long gone. Addresses make poor names, though: a node that
//! comes back under another address is another node, and its keys are lost. `SRV` records name hosts, so with them a
//! node keeps its keys wherever it goes; its address is looked up whenever it is connected to.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::proto::rr::rdata::SRV;

use super::DiscoveryError;
use crate::limits::{ANSWER_TIMEOUT, PERIOD_DEFAULT};
use crate::node::{Address, NodeError, NodeSpec};

/// A name in DNS that stands for all the nodes.
#[derive(Clone, Debug)]
pub struct Dns {
    name: String,
    kind: Kind,
    period: Duration,
    name_servers: Vec<SocketAddr>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Addresses { port: u16 },
    Services,
}

impl Dns {
    /// Every IPv4 address of `host` is a node that listens on `port`; every IPv6 address, if DNS says that there is no
    /// other. That it fails to say so is a failure, and no other ring.
    #[must_use]
    pub fn addresses(host: impl Into<String>, port: u16) -> Self {
        Self::new(host.into(), Kind::Addresses { port })
    }

    /// Every `SRV` record of `name` is a node: host and port, and, where they differ, the weight. Of several priorities
    /// only the first counts, since a node of another is not meant to be used beside it.
    #[must_use]
    pub fn services(name: impl Into<String>) -> Self {
        Self::new(name.into(), Kind::Services)
    }

    fn new(name: String, kind: Kind) -> Self {
        Self {
            name,
            kind,
            period: PERIOD_DEFAULT,
            name_servers: Vec::new(),
        }
    }

    /// Asks so often instead of every [`PERIOD_DEFAULT`], give or take a tenth. How long a record may be kept does not
    /// matter: nothing is kept.
    #[must_use]
    pub fn every(mut self, period: Duration) -> Self {
        self.period = period;
        self
    }

    /// Asks this server, and any others that are given, in place of the system's.
    #[must_use]
    pub fn ask(mut self, name_server: SocketAddr) -> Self {
        self.name_servers.push(name_server);
        self
    }
}

/// A name that is being followed.
pub(super) struct Name {
    settings: Dns,
    resolver: TokioResolver,
    /// Asked when there is no IPv4 address.
    resolver_v6: TokioResolver,
}

impl Name {
    pub(super) fn new(settings: Dns) -> Result<Self, DiscoveryError> {
        let asking = |strategy| {
            let resolver = resolver(&settings.name_servers, strategy);
            resolver.map_err(|error| answered(&settings, &error))
        };
        Ok(Self {
            resolver: asking(LookupIpStrategy::Ipv4Only)?,
            resolver_v6: asking(LookupIpStrategy::Ipv6Only)?,
            settings,
        })
    }

    pub(super) fn period(&self) -> Duration {
        self.settings.period
    }

    /// The nodes as DNS has them now, in the order of their addresses: servers turn the order of records about.
    pub(super) async fn read(&self) -> Result<Vec<NodeSpec>, DiscoveryError> {
        let mut nodes = match self.settings.kind {
            Kind::Addresses { port } => self.addresses(port).await?,
            Kind::Services => self.services().await?,
        };
        nodes.sort_by_key(|node| node.address().to_string());
        nodes.dedup();
        Ok(nodes)
    }

    async fn addresses(&self, port: u16) -> Result<Vec<NodeSpec>, DiscoveryError> {
        let host = self.settings.name.as_str();
        let found = match self.resolver.lookup_ip(host).await {
            Err(error) if has_no_such(&error) => self.resolver_v6.lookup_ip(host).await,
            found => found,
        };
        let found = found.map_err(|error| answered(&self.settings, &error))?;
        let nodes = found.iter().map(|ip| {
            let host = ip.to_string();
            NodeSpec::new(Address::Tcp { host, port })
        });
        self.all(nodes)
    }

    async fn services(&self) -> Result<Vec<NodeSpec>, DiscoveryError> {
        let found = self.resolver.srv_lookup(self.settings.name.as_str()).await;
        let found = found.map_err(|error| answered(&self.settings, &error))?;
        let records = found
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::SRV(service) => Some(service),
                _ => None,
            });
        let mut services: Vec<&SRV> = records.collect();
        let first = services.iter().map(|service| service.priority).min();
        services.retain(|service| Some(service.priority) == first);
        let is_even = services
            .windows(2)
            .all(|two| two[0].weight == two[1].weight);
        let nodes = services.iter().map(|service| {
            let host = service.target.to_string();
            let host = host.strip_suffix('.').unwrap_or(&host).to_owned();
            let node = NodeSpec::new(Address::Tcp {
                host,
                port: service.port,
            })?;
            // 0 means a very small share, and 1 is the smallest there is.
            let weight = if is_even { 1 } else { service.weight.max(1) };
            node.with_weight(u32::from(weight))
        });
        self.all(nodes)
    }

    fn all(
        &self,
        nodes: impl Iterator<Item = Result<NodeSpec, NodeError>>,
    ) -> Result<Vec<NodeSpec>, DiscoveryError> {
        let nodes: Result<_, _> = nodes.collect();
        nodes.map_err(|error| DiscoveryError::Node {
            from: self.to_string(),
            error,
        })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

impl fmt::Display for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Addresses { .. } => "addresses",
            Kind::Services => "SRV records",
        };
        write!(f, "the {kind} of {}", self.name)
    }
}

/// Whether the name is there, and has no records of the kind that was asked for.
fn has_no_such(error: &NetError) -> bool {
    let NetError::Dns(DnsError::NoRecordsFound(nothing)) = error else {
        return false;
    };
    nothing.response_code == ResponseCode::NoError
}

fn resolver(
    name_servers: &[SocketAddr],
    strategy: LookupIpStrategy,
) -> Result<TokioResolver, NetError> {
    let mut builder = match name_servers {
        [] => TokioResolver::builder_tokio()?,
        _ => {
            let servers = name_servers.iter().map(|address| {
                let mut server = NameServerConfig::udp_and_tcp(address.ip());
                for connection in &mut server.connections {
                    connection.port = address.port();
                }
                server
            });
            let config = ResolverConfig::from_name_servers(servers.collect());
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    let options = builder.options_mut();
    options.cache_size = 0;
    options.ip_strategy = strategy;
    options.timeout = ANSWER_TIMEOUT / 2;
    builder.build()
}

fn answered(settings: &Dns, error: &NetError) -> DiscoveryError {
    DiscoveryError::Answer {
        from: settings.to_string(),
        problem: match error.is_no_records_found() {
            true => "there are none".to_owned(),
            false => error.to_string(),
        },
    }
}
