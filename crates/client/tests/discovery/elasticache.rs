//! ElastiCache's auto discovery, from a server that answers as its nodes do, byte by byte.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder_client::{Address, Discovery, ElastiCache};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::{becomes, labels};

const PERIOD: Duration = Duration::from_millis(20);

/// What a node answers to each of the two requests.
#[derive(Clone, Default)]
struct Answers {
    config: String,
    key: String,
}

struct Node {
    address: Address,
    answers: Arc<Mutex<Answers>>,
}

impl Node {
    async fn start(config: &str, key: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let answers = Arc::new(Mutex::new(Answers::default()));
        let node = Self {
            address: format!("127.0.0.1:{port}").parse().expect("an address"),
            answers: Arc::clone(&answers),
        };
        node.answer(config, key);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&answers)));
            }
        });
        node
    }

    fn answer(&self, config: &str, key: &str) {
        *self.answers.lock().expect("answers") = Answers {
            config: config.to_owned(),
            key: key.to_owned(),
        };
    }

    fn discovery(&self) -> Discovery {
        Discovery::ElastiCache(ElastiCache::new(self.address.clone()).every(PERIOD))
    }
}

/// Answers until the client goes, each byte on its own.
async fn serve(stream: TcpStream, answers: Arc<Mutex<Answers>>) {
    stream.set_nodelay(true).expect("an option");
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|len| len > 0) {
        let now = answers.lock().expect("answers").clone();
        let answer = match line.as_str() {
            "config get cluster\r\n" => now.config,
            "get AmazonElastiCache:cluster\r\n" => now.key,
            other => panic!("not asked for: {other}"),
        };
        for byte in answer.as_bytes() {
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
        line.clear();
    }
}

fn config(block: &str) -> String {
    format!("CONFIG cluster 0 {}\r\n{block}\r\nEND\r\n", block.len())
}

#[tokio::test]
async fn a_cluster_is_followed() {
    let node = Node::start(&config("1\na|10.0.0.1|11211 b||11212\n"), "END\r\n").await;
    let mut lists = node.discovery().follow().await.expect("a list");
    assert_eq!(labels(&lists.borrow()), ["a:11211", "b:11212"]);

    node.answer(&config("3\na|10.0.0.1|11211\n"), "");
    becomes(&mut lists, &["a:11211"]).await;

    // An answer older than one that was seen, one that is broken, and none at all leave the list as it is.
    node.answer(&config("2\nb|10.0.0.2|11211\n"), "");
    node.answer(
        "CONFIG cluster 0 30\r\n4\nb|10.0.0.2|11211\n\r\nEND\r\n",
        "",
    );
    node.answer("ERROR\r\n", "END\r\n");
    node.answer(&config("4\na|10.0.0.1|11211 c|10.0.0.3|11211\n"), "");
    becomes(&mut lists, &["a:11211", "c:11211"]).await;
}

#[tokio::test]
async fn old_engines_keep_it_in_a_key() {
    let block = "7\na|10.0.0.1|11211\n";
    let key = format!(
        "VALUE AmazonElastiCache:cluster 0 {}\r\n{block}\r\nEND\r\n",
        block.len()
    );
    for config in ["ERROR\r\n", "END\r\n"] {
        let node = Node::start(config, &key).await;
        let lists = node.discovery().follow().await.expect("a list");
        assert_eq!(labels(&lists.borrow()), ["a:11211"]);
    }
}

/// The endpoint's own node may be the one that is gone: another that it named is asked.
#[tokio::test]
async fn another_node_is_asked_when_the_endpoint_fails() {
    let other = Node::start("", "").await;
    let Address::Tcp { port, .. } = other.address else {
        panic!("a port");
    };
    let endpoint = Node::start(&config(&format!("1\n127.0.0.1||{port}\n")), "").await;
    let mut lists = endpoint.discovery().follow().await.expect("a list");
    other.answer(&config("2\nnew|10.0.0.1|11211\n"), "");
    endpoint.answer("garbage\r\n", "");
    becomes(&mut lists, &["new:11211"]).await;
}

#[tokio::test]
async fn what_cannot_be_followed_is_said() {
    for (config, key, expected) in [
        ("ERROR\r\n", "END\r\n", "knows of no cluster"),
        ("END\r\n", "END\r\n", "knows of no cluster"),
        ("VALUE x 0 1\r\n", "", "expected CONFIG cluster or END"),
        (
            "CONFIG cluster 0 5\r\n1\na|b|1\n\r\nEND\r\n",
            "",
            "CR LF after a block of the length said",
        ),
        ("CONFIG cluster 0 9999999\r\n", "", "too long"),
        (
            "CONFIG cluster 0 3\r\n1\n\n\r\nEND\r\n",
            "",
            "describes no cluster",
        ),
        (
            "CONFIG cluster 0 14\r\n1\na|b|1 a|b|1\n\r\nEND\r\n",
            "",
            "`a:1` is listed twice",
        ),
    ] {
        let node = Node::start(config, key).await;
        let said = node
            .discovery()
            .follow()
            .await
            .expect_err(config)
            .to_string();
        assert!(said.contains(expected), "{config}: {said}");
        assert!(said.starts_with("the cluster of 127.0.0.1:"), "{said}");
    }
}
