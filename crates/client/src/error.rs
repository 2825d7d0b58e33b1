//! What can go wrong with a call, in few words: a miss is none of it.

use std::sync::Arc;
use std::time::Duration;

use larder_protocol::client::KeyFault;
use thiserror::Error;

use crate::limits::VALUE_LEN_MAX;

/// Why a call, or one key of a call, failed. A miss is not an error, and an error is never shown as a miss.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The key could end the command or begin another, or no server would take it. Nothing was sent.
    #[error("the key \"{}\" cannot be used: {fault}", .key.escape_ascii())]
    BadKey {
        /// The key.
        key: Vec<u8>,
        /// What is wrong with it.
        fault: KeyFault,
    },
    /// The value is longer than any server takes. Nothing was sent.
    #[error(
        "a value of {len} bytes cannot be stored: {VALUE_LEN_MAX} are the most that memcached can be told to take"
    )]
    TooLarge {
        /// The value's length in bytes.
        len: usize,
    },
    /// The node did not answer in time. The connection was closed, so that no late reply can meet another request.
    #[error("{node} did not answer within {} ms{}", .after.as_millis(), may_be_applied(*.maybe_applied))]
    Timeout {
        /// The node's name.
        node: Arc<str>,
        /// How long was waited.
        after: Duration,
        /// Whether the node may have carried out, or may yet carry out, what was asked. Never for a get.
        maybe_applied: bool,
    },
    /// The connection could not be made, or ended before the reply.
    #[error("{node}: {reason}{}", may_be_applied(*.maybe_applied))]
    Lost {
        /// The node's name.
        node: Arc<str>,
        /// What happened.
        reason: Arc<str>,
        /// As in [`Error::Timeout`].
        maybe_applied: bool,
    },
    /// The node failed before, and has not been proved well again since. Nothing was sent.
    #[error("{node} is down: {reason}; it is being probed")]
    NodeDown {
        /// The node's name.
        node: Arc<str>,
        /// What took it down.
        reason: Arc<str>,
    },
    /// An earlier write to this key has no known end; until the key was deleted on the node, a value read there could be
    /// older than one acknowledged since. Nothing was sent.
    #[error(
        "{node}: an earlier write to this key has no known end, and the key is being deleted there first"
    )]
    InDoubt {
        /// The node's name.
        node: Arc<str>,
    },
    /// As many requests wait for this node as may. Nothing was sent. The key of a delete is remembered all the same, and
    /// deleted before its node serves it again; of another write the old value stays.
    #[error("{node} has {in_flight} requests to answer already")]
    Busy {
        /// The node's name.
        node: Arc<str>,
        /// How many requests wait.
        in_flight: usize,
    },
    /// The node refused what was asked, in its own words.
    #[error("{node} answered: {text}")]
    Server {
        /// The node's name.
        node: Arc<str>,
        /// The error line.
        text: Arc<str>,
    },
    /// A value could not be turned into bytes or back.
    #[error("the value could not be {0}")]
    Codec(Arc<str>),
}

fn may_be_applied(maybe: bool) -> &'static str {
    if maybe {
        "; it may have been carried out all the same"
    } else {
        ""
    }
}

impl Error {
    /// The node that the error came from, if it came from one.
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        match self {
            Self::Timeout { node, .. }
            | Self::Lost { node, .. }
            | Self::NodeDown { node, .. }
            | Self::InDoubt { node }
            | Self::Busy { node, .. }
            | Self::Server { node, .. } => Some(node),
            Self::BadKey { .. } | Self::TooLarge { .. } | Self::Codec(_) => None,
        }
    }

    /// Whether what was asked may have been carried out, or may yet be.
    #[must_use]
    pub fn maybe_applied(&self) -> bool {
        matches!(
            self,
            Self::Timeout {
                maybe_applied: true,
                ..
            } | Self::Lost {
                maybe_applied: true,
                ..
            }
        )
    }

    /// Whether the node is away for this key, so that the gutter, if there is one, stands in for it.
    pub(crate) fn is_away(&self) -> bool {
        matches!(self, Self::NodeDown { .. } | Self::InDoubt { .. })
    }
}
