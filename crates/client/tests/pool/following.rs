//! A list of nodes that changes under a working client.

use std::fs;
use std::time::{Duration, Instant};

use larder_client::{Client, Discovery, NodeSpec, Ttl};
use tokio::sync::watch;

use crate::server::{BOTH, Kind, PATIENCE, Server};
use crate::verbs::read;

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

/// What a node kept of a key that was deleted while it did not answer is not read when it comes back to the list.
#[tokio::test]
async fn a_node_that_leaves_in_doubt_comes_back_in_doubt() {
    for name in ["a", "b"] {
        let servers = [(); 2].map(|()| Server::start(Kind::Larderd, &[]));
        let first = named(&servers[0], "a");
        let builder = Client::builder().nodes([first]).connect_timeout(PATIENCE);
        let client = builder.timeout(Duration::from_secs(1)).build();
        let client = client.expect("a client");
        while client.set("k", "old", Ttl::Never).await.is_err() {}
        servers[0].pause();
        assert!(client.delete("k").await.is_err(), "it does not answer");
        client.set_nodes(&[servers[1].node()]).expect("a list");
        servers[0].resume();
        client
            .set_nodes(&[named(&servers[0], name)])
            .expect("it is back");
        let found = read(&client, "k").await;
        assert_eq!(found, None, "deleted before it was served");
    }
}

/// What was written while other nodes owned the keys is not undone by a list that comes back, whether nodes left it or
/// came to it, and whether or not all such keys could be remembered.
#[tokio::test]
async fn a_list_that_comes_back_brings_no_old_value() {
    for kind in BOTH {
        let servers = [(); 3].map(|()| Server::start(kind, &[]));
        let of = |indices: &[usize]| -> Vec<NodeSpec> {
            indices.iter().map(|index| servers[*index].node()).collect()
        };
        for journal_keys_max in [100_000, 10] {
            for (first, then) in [(&[0, 1][..], &[1][..]), (&[0, 1], &[0, 1, 2])] {
                let client = Client::builder()
                    .nodes(of(first))
                    .timeout(PATIENCE)
                    .connect_timeout(PATIENCE)
                    .settle(Duration::from_millis(1))
                    .probe_waits(Duration::from_millis(1), Duration::from_millis(1))
                    .journal_keys_max(journal_keys_max)
                    .build()
                    .expect("a client");
                let keys: Vec<String> = (0..300).map(|n| format!("key:{n}")).collect();
                let old = keys.iter().map(|key| (key, "old"));
                client.set_many(old, Ttl::Never).await.all().expect("set");
                client.set_nodes(&of(then)).expect("a list");
                let new = keys[..100].iter().map(|key| (key, "new"));
                client.set_many(new, Ttl::Never).await.all().expect("set");
                for key in &keys[100..200] {
                    client.delete(key).await.expect("deleted");
                }
                client.set_nodes(&of(first)).expect("a list");
                for (index, key) in keys.iter().enumerate() {
                    let found = read(&client, key).await;
                    match index {
                        ..100 => assert_ne!(found.as_deref(), Some(&b"old"[..]), "{key}"),
                        100..200 => assert_eq!(found, None, "{key}"),
                        _ => {}
                    }
                }
            }
        }
    }
}

/// Keys that nobody wrote meanwhile are found again, and a weight that changed is told.
#[tokio::test]
async fn what_did_not_change_is_still_there() {
    let servers = [(); 2].map(|()| Server::start(Kind::Larderd, &[]));
    let both = servers.each_ref().map(Server::node);
    let client = follow(Discovery::Static(both.to_vec())).await;
    let keys: Vec<String> = (0..100).map(|n| format!("key:{n}")).collect();
    let items = keys.iter().map(|key| (key, "v"));
    client.set_many(items, Ttl::Never).await.all().expect("set");
    client.set_nodes(&both[1..]).expect("a list");
    client.set("other", "v", Ttl::Never).await.expect("set");
    client.set_nodes(&both).expect("a list");
    let found = client.get_many(&keys).await;
    assert_eq!(found.found().count(), 100);
    let heavier = both
        .clone()
        .map(|node| node.with_weight(2).expect("a weight"));
    client.set_nodes(&heavier).expect("a list");
    assert_eq!(client.nodes(), heavier);
}

fn named(server: &Server, name: &str) -> NodeSpec {
    let node = format!("{};name={name}", server.node());
    node.parse().expect("a node")
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
