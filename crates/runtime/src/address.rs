//! Where connections come from, as far as that tells one client from another.

use std::net::{IpAddr, SocketAddr};

/// An address, of IPv6 the network of 64 bits that one site has to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address(IpAddr);

impl Address {
    /// Of a connection's other side; those by the Unix socket have none.
    pub(crate) fn of(remote: Option<SocketAddr>) -> Option<Self> {
        Some(Self(match remote?.ip().to_canonical() {
            IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() >> 64 << 64).into()),
            v4 => v4,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_of_ipv6_is_one_address() {
        let of = |text: &str| Address::of(Some(text.parse().expect("an address")));
        assert_eq!(of("[2001:db8::1]:1"), of("[2001:db8::ffff:2]:9"));
        assert_ne!(of("[2001:db8::1]:1"), of("[2001:db8:0:1::1]:1"));
        assert_eq!(of("[::ffff:10.0.0.1]:1"), of("10.0.0.1:2"));
        assert_eq!(Address::of(None), None);
    }
}
