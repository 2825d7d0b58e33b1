//! The three nodes that all members share.

use larder_client::{Client, NodeSpec, Routing};

use crate::Items;
use crate::server::{Kind, PATIENCE, Server};

pub(crate) struct Pool {
    _servers: [Server; 3],
    nodes: Vec<NodeSpec>,
}

impl Pool {
    pub(crate) fn start(weights: [u32; 3]) -> Self {
        let servers = weights.map(|_| Server::start(Kind::Larderd, &[]));
        let nodes = servers.iter().zip(weights);
        let nodes = nodes.map(|(server, weight)| server.node().with_weight(weight));
        let nodes: Result<_, _> = nodes.collect();
        Self {
            nodes: nodes.expect("good weights"),
            _servers: servers,
        }
    }

    /// This crate's client, on the ring of this name.
    pub(crate) fn client(&self, distribution: &str) -> Client {
        let distribution = distribution.parse().expect("a preset");
        Client::builder()
            .nodes(self.nodes.clone())
            .routing(Routing::new(distribution))
            .timeout(PATIENCE)
            .connect_timeout(PATIENCE)
            .build()
            .expect("a client")
    }

    /// Host, port and weight of each node.
    pub(crate) fn words(&self) -> Vec<String> {
        let words = self.nodes.iter();
        words
            .map(|node| format!("{}:{}", node.address(), node.weight()))
            .collect()
    }

    /// Nobody put anything where this client would not look: each node holds as many of the items as should be there.
    pub(crate) async fn judge(&self, larder: &Client, items: &Items) {
        let mut held = Vec::new();
        for (node, rows) in larder.stats("").await {
            let rows = rows.expect(&node);
            let row = rows.into_iter().find(|(name, _)| name == "curr_items");
            let number = row.expect("a row").1.parse().expect("a number");
            held.push((node, number));
        }
        let expected = held.iter().map(|(node, _)| {
            let lives_there = |(key, _): &&(String, String)| larder.node_for(key) == *node;
            (node.clone(), items.iter().filter(lives_there).count())
        });
        let expected: Vec<(String, usize)> = expected.collect();
        assert_eq!(held, expected, "{}", items[0].1);
    }
}
