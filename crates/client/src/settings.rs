//! What a client was told about how to work, shared by all its nodes.

use std::sync::Arc;
use std::time::Duration;

use crate::budget::Budget;
use crate::conn::Credentials;
use crate::conn::transport::Transport;
use crate::limits::JOURNAL_KEYS_MAX;
use crate::live::Patience;
use crate::observe::Observer;

/// Shared by the nodes of one client.
pub(crate) struct Settings {
    pub(crate) connect_timeout: Duration,
    /// For a whole call on one node, connecting included.
    pub(crate) call_timeout: Duration,
    pub(crate) in_flight_max: usize,
    pub(crate) conns_per_node: usize,
    pub(crate) patience: Patience,
    /// How long a node that answers again is left alone, to carry out what stood in its sockets.
    pub(crate) settle: Duration,
    pub(crate) journal_keys_max: usize,
    pub(crate) credentials: Option<Credentials>,
    /// Whether no server is asked for meta commands.
    pub(crate) is_classic: bool,
    /// Longer values are packed.
    #[cfg(feature = "compression")]
    pub(crate) pack_above: Option<usize>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) retries: Budget,
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

impl Settings {
    pub(crate) fn new(transport: Arc<dyn Transport>) -> Self {
        Self {
            connect_timeout: Duration::from_millis(200),
            call_timeout: Duration::from_millis(300),
            in_flight_max: 4096,
            conns_per_node: 1,
            patience: Patience::default(),
            settle: Duration::from_secs(1),
            journal_keys_max: JOURNAL_KEYS_MAX,
            credentials: None,
            is_classic: false,
            #[cfg(feature = "compression")]
            pack_above: None,
            transport,
            retries: Budget::default(),
            observer: None,
        }
    }
}
