//! A node as the configuration describes it: where to connect, what to call it, how much of the keys it takes.
//!
//! The name decides where keys live, the address only says where to connect. A node that moves to another machine keeps
//! its keys if it keeps its name; without a name of its own the address, as written, is its name. It is never resolved,
//! never lower-cased: `10.0.0.1` and `cache-1` are different nodes even when they are the same machine.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::limits::{NAME_LEN_MAX, PORT_DEFAULT, SOCKET_PATH_LEN_MAX, WEIGHT_MAX};

/// Where a node listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A host as written, an IPv6 address without its brackets, and a port.
    Tcp {
        /// A host name or an IP address.
        host: String,
        /// The TCP port.
        port: u16,
    },
    /// The absolute path of a Unix socket.
    Unix(String),
}

/// One node of a pool. Its text form is `host[:port][;weight=w][;name=n]`, an IPv6 address in brackets, or `/path` in
/// place of host and port.
///
/// ```
/// # use larder_client::{Address, NodeSpec};
/// let node: NodeSpec = "[::1]:11212;weight=3;name=b".parse()?;
/// assert_eq!(node.address(), &Address::Tcp { host: "::1".to_owned(), port: 11212 });
/// assert_eq!((node.weight(), node.label().as_str()), (3, "b"));
/// assert_eq!(node.to_string(), "[::1]:11212;weight=3;name=b");
/// # Ok::<(), larder_client::NodeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NodeSpec {
    name: Option<String>,
    address: Address,
    weight: u32,
}

/// Why a node's description was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NodeError {
    /// No host where one must stand, or a host of impossible characters or length.
    #[error(
        "`{0}` is no host: expected a host name, an IPv4 address, or an IPv6 address in brackets"
    )]
    Host(String),
    /// An IPv6 address without brackets, whose last part may be meant as a port or not.
    #[error("`{0}` has several colons: write an IPv6 address in brackets, as in `[::1]:11211`")]
    Brackets(String),
    /// A port that is no number from 1 to 65535.
    #[error("`{0}` is no port: expected a number from 1 to 65535")]
    Port(String),
    /// The path of a socket that is relative, too long, or has control characters.
    #[error(
        "`{0}` is no path of a socket: expected an absolute path of at most {SOCKET_PATH_LEN_MAX} bytes"
    )]
    Path(String),
    /// A weight that is no number from 1 to [`WEIGHT_MAX`].
    #[error("`{0}` is no weight: expected a whole number from 1 to {WEIGHT_MAX}")]
    Weight(String),
    /// A name that is empty, too long, or has blanks, control characters, a comma or a semicolon.
    #[error(
        "`{0}` is no name of a node: expected 1 to {NAME_LEN_MAX} bytes without blanks, commas and semicolons"
    )]
    Name(String),
    /// Something after a semicolon that is neither `weight=` nor `name=`.
    #[error("`{0}` is not known here: after the address come `;weight=` and `;name=` only")]
    Attribute(String),
    /// The same attribute twice.
    #[error("`{0}=` is given twice for one node")]
    Twice(&'static str),
}

impl NodeSpec {
    /// A node of weight 1 without a name of its own.
    ///
    /// # Errors
    /// Refuses a host, port or path that could not be one.
    pub fn new(address: Address) -> Result<Self, NodeError> {
        address.judge()?;
        Ok(Self {
            name: None,
            address,
            weight: 1,
        })
    }

    /// Gives the node a name, which then decides where keys live in place of the address.
    ///
    /// # Errors
    /// Refuses a name that is empty, too long, or has blanks, control characters, commas or semicolons.
    pub fn with_name(mut self, name: impl Into<String>) -> Result<Self, NodeError> {
        let name = name.into();
        let separates = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ',' | ';');
        if name.is_empty() || name.len() > NAME_LEN_MAX || name.contains(separates) {
            return Err(NodeError::Name(name));
        }
        self.name = Some(name);
        Ok(self)
    }

    /// Gives the node a weight: its share of the keys in proportion to the other nodes' weights.
    ///
    /// # Errors
    /// Refuses 0 and more than [`WEIGHT_MAX`].
    pub fn with_weight(mut self, weight: u32) -> Result<Self, NodeError> {
        if !(1..=WEIGHT_MAX).contains(&weight) {
            return Err(NodeError::Weight(weight.to_string()));
        }
        self.weight = weight;
        Ok(self)
    }

    /// The name that was given to the node, if one was.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Where the node listens.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The node's weight, 1 if none was given.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// What to call the node in messages, and what tells it from the others of a list: its name, else its address.
    #[must_use]
    pub fn label(&self) -> String {
        self.name
            .clone()
            .unwrap_or_else(|| self.address.to_string())
    }

    fn with_attribute(self, attribute: &str) -> Result<Self, NodeError> {
        match attribute.split_once('=') {
            Some(("name", name)) => self.with_name(name),
            Some(("weight", weight)) => match whole_number(weight) {
                Some(number) => self.with_weight(number),
                None => Err(NodeError::Weight(weight.to_owned())),
            },
            _ => Err(NodeError::Attribute(attribute.to_owned())),
        }
    }
}

impl FromStr for NodeSpec {
    type Err = NodeError;

    fn from_str(text: &str) -> Result<Self, NodeError> {
        let mut parts = text.split(';');
        let mut node = Self::new(parts.next().unwrap_or_default().parse()?)?;
        let mut seen = Vec::new();
        for attribute in parts {
            let known = ["name", "weight"]
                .into_iter()
                .find(|known| attribute.split('=').next() == Some(known));
            if let Some(known) = known {
                if seen.contains(&known) {
                    return Err(NodeError::Twice(known));
                }
                seen.push(known);
            }
            node = node.with_attribute(attribute)?;
        }
        Ok(node)
    }
}

impl fmt::Display for NodeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        if self.weight != 1 {
            write!(f, ";weight={}", self.weight)?;
        }
        match &self.name {
            Some(name) => write!(f, ";name={name}"),
            None => Ok(()),
        }
    }
}

impl Address {
    fn judge(&self) -> Result<(), NodeError> {
        match self {
            Self::Tcp { host, port } => {
                let impossible = |c: char| {
                    c.is_whitespace()
                        || c.is_control()
                        || matches!(c, ',' | ';' | '/' | '@' | '|' | '[' | ']')
                };
                if host.is_empty() || host.len() > NAME_LEN_MAX || host.contains(impossible) {
                    return Err(NodeError::Host(host.clone()));
                }
                if *port == 0 {
                    return Err(NodeError::Port("0".to_owned()));
                }
            }
            Self::Unix(path) => {
                let impossible = |c: char| c.is_control() || matches!(c, ',' | ';');
                let is_long = path.len() > SOCKET_PATH_LEN_MAX;
                if !path.starts_with('/') || is_long || path.contains(impossible) {
                    return Err(NodeError::Path(path.clone()));
                }
            }
        }
        Ok(())
    }
}

impl FromStr for Address {
    type Err = NodeError;

    fn from_str(text: &str) -> Result<Self, NodeError> {
        if text.starts_with('/') {
            return Ok(Self::Unix(text.to_owned()));
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest
                    .split_once(']')
                    .ok_or_else(|| NodeError::Host(text.to_owned()))?;
                match after.strip_prefix(':') {
                    Some(port) => (host, Some(port)),
                    None if after.is_empty() => (host, None),
                    None => return Err(NodeError::Host(text.to_owned())),
                }
            }
            None => match text.split_once(':') {
                Some((_, port)) if port.contains(':') => {
                    return Err(NodeError::Brackets(text.to_owned()));
                }
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let port = match port {
            Some(port) => whole_number(port).ok_or_else(|| NodeError::Port(port.to_owned()))?,
            None => PORT_DEFAULT,
        };
        Ok(Self::Tcp {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => f.write_str(path),
        }
    }
}

/// A number of nothing but digits: `u16::from_str` would take a plus sign as well.
fn whole_number<T: FromStr>(text: &str) -> Option<T> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, canonical: &str, label: &str) {
        let node: NodeSpec = text.parse().expect(text);
        assert_eq!(node.to_string(), canonical);
        assert_eq!(node.label(), label);
        assert_eq!(canonical.parse(), Ok(node), "the canonical form reads back");
    }

    #[test]
    fn every_form_reads_and_prints() {
        check("cache-1", "cache-1:11211", "cache-1:11211");
        check("Cache-1:11311", "Cache-1:11311", "Cache-1:11311");
        check("[::1]", "[::1]:11211", "[::1]:11211");
        check("[fe80::1%eth0]:1", "[fe80::1%eth0]:1", "[fe80::1%eth0]:1");
        check("/run/a b.sock;name=x", "/run/a b.sock;name=x", "x");
        check("h;name=n;weight=2", "h:11211;weight=2;name=n", "n");
        check("h;weight=1", "h:11211", "h:11211");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let wrong = |text: &str| text.parse::<NodeSpec>().expect_err(text).to_string();
        for (text, word) in [
            ("", "no host"),
            (":11211", "no host"),
            ("a b", "no host"),
            ("[::1", "no host"),
            ("[::1]11211", "no host"),
            ("::1", "brackets"),
            ("h:0", "no port"),
            ("h:65536", "no port"),
            ("h:+1", "no port"),
            ("h:", "no port"),
            ("h;weight=0", "no weight"),
            ("h;weight=65536", "no weight"),
            ("h;weight=1.5", "no weight"),
            ("h;name=", "no name"),
            ("h;name=a b", "no name"),
            ("h;zone=a", "not known here"),
            ("h;", "not known here"),
            ("h;weight=1;weight=2", "twice"),
            ("/run/\n", "no path"),
        ] {
            let said = wrong(text);
            assert!(said.contains(word), "{text}: {said}");
        }
        assert!(wrong(&format!("/{}", "p".repeat(SOCKET_PATH_LEN_MAX))).contains("no path"));
        assert!(wrong(&"h".repeat(NAME_LEN_MAX + 1)).contains("no host"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            if let Ok(node) = text.parse::<NodeSpec>() {
                proptest::prop_assert_eq!(node.to_string().parse(), Ok(node));
            }
        }
    }
}
