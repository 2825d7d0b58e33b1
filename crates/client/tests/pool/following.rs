//! A list of nodes that changes under a working client.

use std::fs;
use std::time::{Duration, Instant};

use larder_client::{Client, Discovery, NodeSpec, Ttl};
use tokio::sync::watch;

use crate::server::{Kind, PATIENCE, Server};

async fn follow(discovery: Discovery) -> Client {
    let builder = Client::builder()
        .timeout(Duration::from_secs(10))
        .connect_timeout(Duration::from_secs(10));
    builder.follow(discovery).await.expect("a first list")
}

/// Each of two nodes holds every key, under its own value: a call that saw half of each list would see both values.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_sees_one_list() {
    let servers = [(); 2].map(|()| Server::start(Kind::Larderd, &[]));
    let lists = servers.each_ref().map(|server| vec![server.node()]);
    let keys: Vec<String> = (0..200).map(|n| format!("key:{n}")).collect();
    for (name, list) in ["first", "second"].into_iter().zip(&lists) {
        let client = follow(Discovery::Static(list.clone())).await;
        let items = keys.iter().map(|key| (key, name));
        client
            .set_many(items, Ttl::Never)
            .await
            .all()
            .expect("stored");
    }
    let (sender, receiver) = watch::channel(lists[0].clone());
    let client = follow(Discovery::Channel(receiver)).await;
    let mut seen = [0, 0];
    for round in 0..400 {
        // The change comes in the middle of the call or not; which, is up to the two threads.
        let asked = tokio::spawn({
            let (client, keys) = (client.clone(), keys.clone());
            async move { client.get_many(keys).await.all() }
        });
        sender
            .send(lists[round % 2].clone())
            .expect("it is followed");
        let found = asked.await.expect("no panic").expect("no error");
        let mut values = found
            .into_iter()
            .map(|(_, value)| value.expect("stored").data);
        let first = values.next().expect("some keys");
        assert!(values.all(|value| value == first));
        seen[usize::from(first == "second")] += 1;
    }
    assert!(seen[0] > 0 && seen[1] > 0, "both lists were used: {seen:?}");
    drop(client);
    // With the last clone the following ends.
    sender.closed().await;
}

#[tokio::test]
async fn a_file_of_nodes_is_followed() {
    let servers = [(); 2].map(|()| Server::start(Kind::Larderd, &[]));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pool");
    let write = |nodes: &[NodeSpec]| {
        let lines: String = nodes.iter().map(|node| format!("{node}\n")).collect();
        let new = folder.path().join("pool.new");
        fs::write(&new, lines).expect("written");
        fs::rename(&new, &path).expect("renamed");
    };
    write(&[servers[0].node()]);
    let client = follow(Discovery::File(path.clone())).await;
    client.set("k", "v", Ttl::Never).await.expect("stored");
    write(&[servers[1].node()]);
    let begun = Instant::now();
    while client.get("k").await.expect("an answer").is_some() {
        assert!(begun.elapsed() < PATIENCE, "the other node is asked");
    }
    assert_eq!(client.nodes(), [servers[1].node()]);
}
