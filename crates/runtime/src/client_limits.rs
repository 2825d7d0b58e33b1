//! What clients may take: time and buffers each of them, connections all those of one address. The daemon's options move
//! these bounds; what no option moves is in `limits`.

use larder_protocol::limits::GET_LINE_MAX;

use crate::limits::OUTPUT_HIGH;

/// What one client, or all connections of an address or a user, may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientLimits {
    /// Seconds that a request may take to come in, 0 is no limit; it has a second more for each
    /// [`SLOWEST_REQUEST`](crate::limits::SLOWEST_REQUEST) bytes of it that have come.
    pub request_timeout_s: u32,
    /// Bytes of an unfinished command line that are kept; at most the protocol's own bound.
    pub input_max: usize,
    /// Bytes of replies that may wait to be sent before the connection's next command waits. One reply more of up to
    /// 64 KiB may lie on top.
    pub output_max: usize,
    /// Most connections at once from one address, of IPv6 from one network of 64 bits; 0 is no limit. Unix sockets have
    /// no address.
    pub conns_per_address: usize,
    /// Most connections at once that are in as one user; 0 is no limit.
    pub conns_per_user: usize,
    /// How many of the last connections under `-c` only users with the right `admin` are let in by; half of `-c` at most,
    /// and of no meaning without users.
    pub admin_conns: usize,
}

impl ClientLimits {
    /// How many of so many connections are kept for admins.
    pub(crate) fn kept(&self, conn_limit: usize) -> usize {
        self.admin_conns.min(conn_limit / 2)
    }
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            request_timeout_s: 60,
            input_max: GET_LINE_MAX,
            output_max: OUTPUT_HIGH,
            conns_per_address: 0,
            conns_per_user: 0,
            admin_conns: 3,
        }
    }
}
