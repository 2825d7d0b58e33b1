//! Names in DNS, asked of a real server: dnsmasq.

use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use larder_client::{Discovery, DiscoveryError, Dns, NodeList};
use tokio::sync::watch;

use super::{PATIENCE, address, becomes, labels};

const PERIOD: Duration = Duration::from_millis(20);

/// A name server with some records, until it is dropped.
struct NameServer(Child);

impl NameServer {
    fn start(address: SocketAddr, records: &[&str]) -> Self {
        let child = Command::new("/usr/sbin/dnsmasq")
            .args([
                "--keep-in-foreground",
                "--conf-file=/dev/null",
                "--no-resolv",
                "--no-hosts",
            ])
            .args([
                "--pid-file=",
                "--user=root",
                "--bind-interfaces",
                "--local=/pool.test/",
            ])
            .arg(format!("--listen-address={}", address.ip()))
            .arg(format!("--port={}", address.port()))
            .args(records)
            .stderr(Stdio::null())
            .spawn();
        Self(child.expect("dnsmasq, of Debian's package dnsmasq-base"))
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.0.kill().expect("it was running");
        self.0.wait().expect("it ended");
    }
}

/// Follows as soon as the server answers.
async fn follow(dns: &Dns) -> watch::Receiver<NodeList> {
    let begin = Instant::now();
    loop {
        match Discovery::Dns(dns.clone()).follow().await {
            Ok(lists) => return lists,
            Err(error) => assert!(begin.elapsed() < PATIENCE, "{error}"),
        }
    }
}

#[tokio::test]
async fn services_are_followed_and_outages_survived() {
    let address = address();
    let dns = Dns::services("_memcache._tcp.pool.test.")
        .ask(address)
        .every(PERIOD);
    let refused = Discovery::Dns(dns.clone())
        .follow()
        .await
        .expect_err("nobody is there yet");
    let said = refused.to_string();
    assert!(
        said.starts_with("the SRV records of _memcache._tcp.pool.test.: "),
        "{said}"
    );

    let record = |rest: &str| format!("--srv-host=_memcache._tcp.pool.test,{rest}");
    let two = [
        record("b.pool.test,11311,0,50"),
        record("a.pool.test,11211,0,50"),
    ];
    let server = NameServer::start(address, &two.each_ref().map(String::as_str));
    let mut lists = follow(&dns).await;
    let listed = |lists: &watch::Receiver<NodeList>| {
        let list = lists.borrow();
        list.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    // Equal weights are no weights.
    assert_eq!(listed(&lists), ["a.pool.test:11211", "b.pool.test:11311"]);

    // Without a server, and with one that knows of nothing, the list stands.
    drop(server);
    let server = NameServer::start(address, &[]);
    let begin = Instant::now();
    let nothing = loop {
        assert!(
            begin.elapsed() < PATIENCE,
            "the server answers that it knows of nothing"
        );
        match Discovery::Dns(dns.clone()).follow().await {
            Err(DiscoveryError::Answer { problem, .. }) if problem == "there are none" => {
                break problem;
            }
            other => assert!(other.is_err(), "there is nothing to follow"),
        }
    };
    assert!(!lists.has_changed().expect("followed"), "{nothing}");
    assert_eq!(
        labels(&lists.borrow()),
        ["a.pool.test:11211", "b.pool.test:11311"]
    );
    drop(server);

    let weighted = [
        record("a.pool.test,11211,1,10"),
        record("c.pool.test,11211,1,0"),
        record("spare.pool.test,11211,2,10"),
    ];
    let _server = NameServer::start(address, &weighted.each_ref().map(String::as_str));
    becomes(&mut lists, &["a.pool.test:11211", "c.pool.test:11211"]).await;
    assert_eq!(
        listed(&lists),
        ["a.pool.test:11211;weight=10", "c.pool.test:11211"]
    );
}

#[tokio::test]
async fn addresses_are_followed() {
    let address = address();
    let dns = Dns::addresses("pool.test.", 11311)
        .ask(address)
        .every(PERIOD);
    let server = NameServer::start(
        address,
        &[
            "--host-record=pool.test,10.0.0.2",
            "--host-record=pool.test,10.0.0.10,fe80::1",
        ],
    );
    let mut lists = follow(&dns).await;
    assert_eq!(
        labels(&lists.borrow()),
        ["10.0.0.10:11311", "10.0.0.2:11311"]
    );
    drop(server);
    let _server = NameServer::start(address, &["--host-record=pool.test,fe80::1"]);
    becomes(&mut lists, &["[fe80::1]:11311"]).await;
}

/// A server that fails to answer for IPv4 addresses, and has IPv6 ones: those are no reason to change the ring.
#[tokio::test]
async fn a_failure_is_not_taken_for_no_address() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("bound");
    thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((len, from)) = socket.recv_from(&mut query) {
            let reply = answer(&query[..len]);
            socket.send_to(&reply, from).expect("sent");
        }
    });
    let dns = Dns::addresses("pool.test.", 11311).ask(address);
    let error = Discovery::Dns(dns).follow().await.expect_err("no list");
    assert!(error.to_string().contains("Server Failure"), "{error}");
}

/// SERVFAIL to a question for A records, and `fe80::1` to one for AAAA (RFC 1035, 4.1).
fn answer(query: &[u8]) -> Vec<u8> {
    let question = 12..12 + "\x04pool\x04test\0".len() + 4;
    let is_aaaa = query[question.end - 3] == 28;
    let flags = if is_aaaa { [0x81, 0x80] } else { [0x81, 0x82] };
    let counts = [0, 1, 0, u8::from(is_aaaa), 0, 0, 0, 0];
    let mut reply = [&query[..2], &flags, &counts, &query[question]].concat();
    if is_aaaa {
        reply.extend([0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 60, 0, 16]);
        reply.extend(
            "fe80::1"
                .parse::<std::net::Ipv6Addr>()
                .expect("an address")
                .octets(),
        );
    }
    reply
}
