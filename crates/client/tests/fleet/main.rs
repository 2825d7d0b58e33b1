//! A mixed fleet on one pool: php-memcached, pylibmc, npm memcached, nutcracker (twemproxy) and this crate's client write
//! through the same three nodes, each with the settings that put it on the common ring, and each reads what all wrote.
//!
//! The programs lie beside this file. Each is told `write` or `read`, a file with a key and its value on each line, and
//! the nodes.

mod nutcracker;
#[path = "../pool/server.rs"]
#[allow(dead_code, reason = "ways to hurt a server are for the other tests")]
mod server;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use larder_client::{Client, NodeSpec, Ttl};
use tempfile::TempDir;

use nutcracker::Nutcracker;
use server::{Kind, PATIENCE, Server};

/// What each member writes.
const KEYS: usize = 1000;

/// Where the members' programs lie, and run.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fleet");
/// Where `scripts/clients` puts what Debian does not package.
const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/clients");

#[derive(Clone, Copy, Debug, PartialEq)]
enum Member {
    Php,
    Pylibmc,
    Npm,
    Nutcracker,
    Larder,
}

const FLEET: [Member; 5] = [
    Member::Php,
    Member::Pylibmc,
    Member::Npm,
    Member::Nutcracker,
    Member::Larder,
];

impl Member {
    /// What it writes: plain keys, long ones, and odd ones. All are ASCII, since php-memcached takes no others in the
    /// text protocol.
    fn items(self) -> Vec<(String, String)> {
        let item = |n: usize| {
            let key = match n % 4 {
                0 => format!("{self:?}:{n}"),
                1 => format!("{self:?}:user:{n}:profile"),
                2 => format!("{self:?}:{n}:{{tag}}%20&~/#"),
                _ => format!("{self:?}:{n}:{}", "long".repeat(50)),
            };
            (key, format!("written by {self:?}, item {n}, grün"))
        };
        (0..KEYS).map(item).collect()
    }
}

/// The nodes, and what stands in front of them.
struct Pool {
    servers: Vec<Server>,
    nodes: Vec<NodeSpec>,
    nutcracker: Nutcracker,
    larder: Client,
    folder: TempDir,
}

impl Pool {
    fn start(weights: [u32; 3]) -> Self {
        let servers = weights.map(|_| Server::start(Kind::Larderd, &[]));
        let nodes: Vec<NodeSpec> = servers
            .iter()
            .zip(weights)
            .map(|(server, weight)| format!("{};weight={weight}", server.node()).parse())
            .collect::<Result<_, _>>()
            .expect("nodes");
        let larder = Client::builder()
            .nodes(nodes.clone())
            .timeout(PATIENCE)
            .connect_timeout(PATIENCE)
            .build()
            .expect("a client");
        let folder = tempfile::tempdir().expect("a folder");
        Self {
            nutcracker: Nutcracker::before(&nodes),
            servers: servers.into(),
            nodes,
            larder,
            folder,
        }
    }

    async fn write(&self, member: Member) {
        let items = member.items();
        if member == Member::Larder {
            let stored = self.larder.set_many(items, Ttl::Never).await;
            stored.all().expect("all are stored");
        } else {
            self.run(member, "write", &items);
        }
    }

    async fn read(&self, member: Member, items: &[(String, String)]) {
        if member == Member::Larder {
            let found = self.larder.get_many(items.iter().map(|(key, _)| key)).await;
            let found = found.all().expect("no error");
            for ((key, value), (asked, found)) in items.iter().zip(found) {
                assert_eq!(asked, key);
                assert_eq!(found.expect(key).data, value, "{key}");
            }
        } else {
            self.run(member, "read", items);
        }
    }

    /// Has a member's program do something with these items, and fails with what it said.
    fn run(&self, member: Member, verb: &str, items: &[(String, String)]) {
        let file = self.folder.path().join("items");
        let lines: String = items
            .iter()
            .map(|(key, value)| format!("{key}\t{value}\n"))
            .collect();
        fs::write(&file, lines).expect("written");
        let mut command = match member {
            Member::Php => program("php", "fleet.php"),
            Member::Pylibmc => program("/usr/bin/python3", "fleet_pylibmc.py"),
            Member::Npm => program(&format!("{CLIENTS}/node"), "fleet.js"),
            Member::Nutcracker => program("/usr/bin/python3", "fleet_nutcracker.py"),
            Member::Larder => unreachable!("it is here"),
        };
        command.arg(verb).arg(&file);
        match member {
            Member::Nutcracker => command.arg(self.nutcracker.socket()),
            _ => command.args(self.nodes.iter().map(|node| words(node).join(":"))),
        };
        let done = command.output();
        let done = done.unwrap_or_else(|e| panic!("{member:?} ({e}); scripts/test installs it"));
        let said = String::from_utf8_lossy(&done.stdout);
        let is_whole = said.trim_end() == format!("{verb} {}", items.len());
        assert!(done.status.success() && is_whole, "{member:?}: {done:?}");
    }

    /// How many items each node holds.
    async fn holdings(&self) -> Vec<usize> {
        let mut holdings = Vec::new();
        for (node, stats) in self.larder.stats("").await {
            let stats = stats.expect(&node);
            let row = stats.into_iter().find(|(name, _)| name == "curr_items");
            holdings.push(row.expect("a row").1.parse().expect("a number"));
        }
        holdings
    }
}

fn program(interpreter: &str, script: &str) -> Command {
    assert!(Path::new(FOLDER).join(script).exists(), "{script}");
    let mut command = Command::new(interpreter);
    command
        .arg(script)
        .current_dir(FOLDER)
        .env("NODE_PATH", format!("{CLIENTS}/npm/node_modules"))
        // Bytecode would lie beside the sources.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null());
    command
}

/// A node's host, port and weight.
fn words(node: &NodeSpec) -> [String; 2] {
    [node.address().to_string(), node.weight().to_string()]
}

async fn each_reads_what_all_wrote(weights: [u32; 3]) {
    let pool = Pool::start(weights);
    for member in FLEET {
        pool.write(member).await;
    }
    let items: Vec<(String, String)> = FLEET.into_iter().flat_map(Member::items).collect();
    // Nobody put anything where this client would not look.
    let mut expected = vec![0; pool.servers.len()];
    for (key, _) in &items {
        let name = pool.larder.node_for(key);
        let node = pool.nodes.iter().position(|node| node.label() == name);
        expected[node.expect("a node of the pool")] += 1;
    }
    assert_eq!(pool.holdings().await, expected);
    for member in FLEET {
        pool.read(member, &items).await;
    }
}

#[tokio::test]
async fn on_the_common_ring() {
    each_reads_what_all_wrote([1, 1, 1]).await;
}

/// With these weights each client's arithmetic comes to the same number of points.
#[tokio::test]
async fn on_the_common_ring_with_weights() {
    each_reads_what_all_wrote([1, 2, 1]).await;
}
