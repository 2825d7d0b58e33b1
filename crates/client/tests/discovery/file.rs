//! The list in a file, in all the ways in which files are replaced; and lists of the application's own.

use std::fs;
use std::os::unix::fs::symlink;

use larder_client::{Discovery, NodeSpec};
use tokio::sync::watch;

use super::{becomes, labels};

#[tokio::test]
async fn a_file_is_followed_however_it_is_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("nodes");
    fs::write(&path, "# two\na\n\n  b:1;weight=2 \n").expect("written");
    let mut lists = Discovery::File(path.clone())
        .follow()
        .await
        .expect("a list");
    assert_eq!(labels(&lists.borrow()), ["a:11211", "b:1"]);

    fs::write(&path, "a\nb:1\nc;name=c\n").expect("written");
    becomes(&mut lists, &["a:11211", "b:1", "c"]).await;

    let other = folder.path().join("nodes.new");
    fs::write(&other, "d\n").expect("written");
    fs::rename(&other, &path).expect("renamed");
    becomes(&mut lists, &["d:11211"]).await;

    // What cannot be used is passed over: the last list stands until the next good one.
    for bad in ["", "# none\n", "a\n::1\n", "a\na\n"] {
        fs::write(&path, bad).expect("written");
    }
    fs::remove_file(&path).expect("removed");
    fs::write(&path, "e\n").expect("written");
    becomes(&mut lists, &["e:11211"]).await;
}

/// Kubernetes: the file is a link through `..data`, itself a link that is replaced.
#[tokio::test]
async fn a_mounted_config_map_is_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let version = |name: &str, text: &str| {
        fs::create_dir(folder.path().join(name)).expect("a folder");
        fs::write(folder.path().join(name).join("nodes"), text).expect("written");
    };
    version("..1", "a\n");
    symlink("..1", folder.path().join("..data")).expect("a link");
    symlink("..data/nodes", folder.path().join("nodes")).expect("a link");
    let path = folder.path().join("nodes");
    let mut lists = Discovery::File(path).follow().await.expect("a list");
    version("..2", "b\n");
    symlink("..2", folder.path().join("..data_tmp")).expect("a link");
    fs::rename(
        folder.path().join("..data_tmp"),
        folder.path().join("..data"),
    )
    .expect("renamed");
    becomes(&mut lists, &["b:11211"]).await;
}

#[tokio::test]
async fn a_first_list_that_cannot_be_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("nodes");
    let said = async || {
        let followed = Discovery::File(path.clone()).follow().await;
        followed.expect_err("no list").to_string()
    };
    assert!(said().await.contains("No such file"), "{}", said().await);
    for (text, expected) in [
        ("", "nodes: the list of nodes is empty"),
        ("a\nb:x\n", "nodes, line 2: `x` is no port"),
        ("a\na:11211\n", "nodes: the node `a:11211` is listed twice"),
    ] {
        fs::write(&path, text).expect("written");
        assert!(said().await.contains(expected), "{}", said().await);
    }
    let empty = Discovery::Static(Vec::new()).follow().await;
    assert!(empty.expect_err("no list").to_string().contains("is empty"));
}

#[tokio::test]
async fn lists_of_the_applications_own() {
    let nodes = |text: &str| -> Vec<NodeSpec> {
        text.split_whitespace()
            .map(|node| node.parse().expect("a node"))
            .collect()
    };
    let mut fixed = Discovery::Static(nodes("a b"))
        .follow()
        .await
        .expect("a list");
    assert_eq!(labels(&fixed.borrow_and_update()), ["a:11211", "b:11211"]);

    let (sender, receiver) = watch::channel(nodes("a"));
    let mut lists = Discovery::Channel(receiver).follow().await.expect("a list");
    assert_eq!(labels(&lists.borrow_and_update()), ["a:11211"]);
    sender.send(nodes("a b")).expect("followed");
    becomes(&mut lists, &["a:11211", "b:11211"]).await;
    sender.send(nodes("")).expect("followed");
    sender.send(nodes("b c")).expect("followed");
    becomes(&mut lists, &["b:11211", "c:11211"]).await;

    // Nobody follows any more: the source is let go.
    drop(lists);
    sender.closed().await;
}
