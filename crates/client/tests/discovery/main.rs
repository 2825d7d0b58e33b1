//! Lists of nodes that change while they are followed, from real sources.

mod dns;
mod elasticache;
#[cfg(feature = "etcd")]
mod etcd;
mod file;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, UdpSocket};
use std::time::Duration;

use larder_client::NodeList;
use tokio::sync::watch;

/// How long anything may take before the test fails; what is waited for comes much sooner.
const PATIENCE: Duration = Duration::from_secs(60);

/// The labels of the present list.
fn labels(list: &NodeList) -> Vec<String> {
    list.iter().map(|node| node.label()).collect()
}

/// Waits until the list has these labels.
async fn becomes(lists: &mut watch::Receiver<NodeList>, expected: &[&str]) {
    let reached = lists.wait_for(|list| labels(list) == expected);
    let reached = tokio::time::timeout(PATIENCE, reached).await;
    reached
        .unwrap_or_else(|_| panic!("the list becomes {expected:?}"))
        .expect("it is followed");
}

/// An address of this machine's own network that only this test process uses, and a port that is free there.
fn address() -> SocketAddr {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let ip = Ipv4Addr::new(127, 53, high, low);
    loop {
        let tcp = TcpListener::bind(SocketAddrV4::new(ip, 0)).expect("a port");
        let address = tcp.local_addr().expect("an address");
        if UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}
