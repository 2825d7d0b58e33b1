//! Monitoring that was made for memcached reads larderd as it is: collectd's memcached plugin and netdata's collector show
//! the same metrics of both after the same traffic, and those that count what clients did agree.

#[path = "../support/mod.rs"]
mod support;

mod collectd;
mod netdata;

use std::collections::BTreeMap;
use std::time::Duration;

use support::{Server, wait_until};

/// How often the traffic is sent: before the first look, and while the tool is looking.
const ROUNDS: u64 = 2;

/// How long a tool may take to show what it should.
const PATIENCE: Duration = Duration::from_secs(60);

/// The last value of every metric that a tool shows.
type Metrics = BTreeMap<String, f64>;

/// A tool that looks at a server once a second.
trait Monitor: Sized {
    /// The metric that counts get hits.
    const GET_HITS: &str;
    /// What differs by design or from run to run: sizes, bytes, times, the tool's own connections. Only that it is there and
    /// no less than zero is asked for.
    const UNLIKE: &[&str];

    /// Starts the tool, with a configuration of its own.
    fn watch(server: &Server) -> Self;

    /// What it shows now.
    fn metrics(&self) -> Metrics;

    /// How often it has told every metric.
    fn looks(&self) -> usize;
}

/// One of each command that a metric counts; leaves 5 hits. One at a time, since replies that wait hold items as well.
fn traffic(server: &Server) {
    let mut conn = server.connect();
    for line in [
        "set a 0 0 1\r\n1",
        "set b 0 0 1\r\nx",
        "get a b",
        "get a",
        "get none",
        "incr a 1",
        "incr none 1",
        "decr a 1",
        "decr none 1",
        "touch a 0",
        "touch none 0",
        "delete b",
        "delete none",
        "cas a 0 0 1 1\r\ny",
        "cas none 0 0 1 1\r\ny",
        "get a",
        "get a",
        "get none none none",
    ] {
        conn.send(format!("{line}\r\nmn\r\n").as_bytes());
        conn.until(b"MN\r\n");
    }
}

/// The same tool's look at both servers after the same traffic.
fn compare<M: Monitor>() {
    // memcached's background threads hold items now and then, and an incr of a held item makes a new one.
    let quiet = "no_lru_maintainer,no_lru_crawler";
    let servers = [
        Server::memcached(&["-m", "64", "-t", "2", "-o", quiet]),
        Server::larderd(&["-m", "64", "-t", "2"]),
    ];
    let [theirs, ours] = servers.map(|server| {
        let monitor = M::watch(&server);
        for round in 1..=ROUNDS {
            traffic(&server);
            let hits = (round * 5) as f64;
            let what = format!("{} to be {hits}", M::GET_HITS);
            wait_until(PATIENCE, &what, || {
                monitor.metrics().get(M::GET_HITS) == Some(&hits)
            });
        }
        // The hits may be told before the rest of the same look. And some metrics need two looks.
        let looks = monitor.looks() + 2;
        wait_until(PATIENCE, "two looks more", || monitor.looks() >= looks);
        monitor.metrics()
    });
    let names = |metrics: &Metrics| metrics.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&ours), names(&theirs), "the same metrics");
    assert!(theirs.len() > 20, "a monitor that sees little: {theirs:?}");
    let unlike = |name: &str| M::UNLIKE.iter().any(|part| name.contains(part));
    for (name, value) in &ours {
        // A share of nothing is no number.
        assert!(*value >= 0.0 || value.is_nan(), "{name} is {value}");
        let alike = unlike(name) || value.to_string() == theirs[name].to_string();
        assert!(
            alike,
            "{name}: {value}, and memcached's is {}",
            theirs[name]
        );
    }
    let moving = ours
        .iter()
        .filter(|(name, value)| !unlike(name) && **value > 0.0);
    assert!(moving.count() >= 10, "metrics that move: {ours:?}");
}

#[test]
fn collectd_shows_what_it_shows_of_memcached() {
    compare::<collectd::Collectd>();
}

#[test]
fn netdata_shows_what_it_shows_of_memcached() {
    compare::<netdata::Netdata>();
}
