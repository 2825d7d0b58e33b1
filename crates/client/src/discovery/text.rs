//! Sources of node lists as one word, for command lines and settings.

use std::str::FromStr;

#[cfg(feature = "etcd")]
use super::Etcd;
use super::{Discovery, DiscoveryError, Dns, ElastiCache};
use crate::node::{Address, NodeError, NodeSpec};

/// What stands before the colon, and what behind it.
const FORMS: &str = "file:PATH, dns:HOST[:PORT], srv:NAME, elasticache:HOST[:PORT], \
     etcd:URL[,URL…]/PREFIX or static:NODE[,NODE…]";

/// Reads `file:PATH`, `dns:HOST[:PORT]` (every address of the host), `srv:NAME`, `elasticache:HOST[:PORT]`,
/// `etcd:URL[,URL…]/PREFIX` (with the feature of that name; the slash belongs to the prefix) and `static:NODE[,NODE…]`.
///
/// ```
/// # use larder_client::Discovery;
/// let source: Discovery = "dns:cache.internal:11311".parse()?;
/// assert!(matches!(source, Discovery::Dns(_)));
/// # Ok::<(), larder_client::DiscoveryError>(())
/// ```
impl FromStr for Discovery {
    type Err = DiscoveryError;

    fn from_str(text: &str) -> Result<Self, DiscoveryError> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        let wrong = |error: NodeError| DiscoveryError::Node {
            from: text.to_owned(),
            error,
        };
        if rest.is_empty() {
            return Err(unknown(text));
        }
        Ok(match kind {
            "file" => Self::File(rest.into()),
            "dns" => match rest.parse().map_err(wrong)? {
                Address::Tcp { host, port } => Self::Dns(Dns::addresses(host, port)),
                Address::Unix(_) => return Err(unknown(text)),
            },
            "srv" => Self::Dns(Dns::services(rest)),
            "elasticache" => Self::ElastiCache(ElastiCache::new(rest.parse().map_err(wrong)?)),
            #[cfg(feature = "etcd")]
            "etcd" => Self::Etcd(etcd(rest).ok_or_else(|| unknown(text))?),
            #[cfg(not(feature = "etcd"))]
            "etcd" => {
                return Err(DiscoveryError::Answer {
                    from: text.to_owned(),
                    problem: "larder-client was built without its feature `etcd`".to_owned(),
                });
            }
            "static" => {
                let nodes = rest.split(',').map(str::parse);
                let nodes: Result<Vec<NodeSpec>, _> = nodes.collect();
                Self::Static(nodes.map_err(wrong)?)
            }
            _ => return Err(unknown(text)),
        })
    }
}

/// The endpoints, of which the last has the prefix behind its host.
#[cfg(feature = "etcd")]
fn etcd(text: &str) -> Option<Etcd> {
    let (others, last) = match text.rsplit_once(",http") {
        Some((others, _)) => (Some(others), &text[others.len() + 1..]),
        None => (None, text),
    };
    let host = last.find("://")? + "://".len();
    let slash = host + last[host..].find('/')?;
    let (endpoint, prefix) = last.split_at(slash);
    let endpoints = others.into_iter().flat_map(|others| others.split(','));
    Some(endpoints.fold(Etcd::new(endpoint, prefix), Etcd::or))
}

fn unknown(text: &str) -> DiscoveryError {
    DiscoveryError::Answer {
        from: text.to_owned(),
        problem: format!("no source of nodes: expected {FORMS}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let source: Discovery = text.parse().expect(text);
        let shown = format!("{source:?}");
        assert!(shown.contains(expected), "{text}: {shown}");
    }

    #[test]
    fn every_form_is_read() {
        check("file:/etc/pool", r#"File("/etc/pool")"#);
        check("dns:h:1", r#"name: "h", kind: Addresses { port: 1 }"#);
        check("dns:h", "port: 11211");
        check("srv:_memcache._tcp.h", "Services");
        check("elasticache:c.cfg", r#"Tcp { host: "c.cfg", port: 11211 }"#);
        check("static:a,b;name=c", r#"Some("c")"#);
    }

    #[cfg(feature = "etcd")]
    #[test]
    fn etcds_are_read() {
        let one = r#"endpoints: ["http://a:2379"], prefix: "/pool/""#;
        check("etcd:http://a:2379/pool/", one);
        let two = r#"endpoints: ["https://b", "http://a:2379"], prefix: "/p,q/""#;
        check("etcd:http://a:2379,https://b/p,q/", two);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, word) in [
            ("", "expected file:"),
            ("/etc/pool", "expected file:"),
            ("file:", "expected file:"),
            ("dns:/run/x", "expected file:"),
            ("dns:h:x", "no port"),
            ("elasticache:::1", "brackets"),
            ("static:a,", "no host"),
            ("etcd:a:2379/pool/", "expected file:"),
            ("etcd:http://a:2379", "expected file:"),
        ] {
            let said = text.parse::<Discovery>().expect_err(text).to_string();
            assert!(said.contains(word), "{text}: {said}");
        }
    }
}
