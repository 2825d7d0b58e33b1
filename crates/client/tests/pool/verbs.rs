//! Every verb, on both servers: what they say is what they do.

use bytes::Bytes;
use larder_client::{Builder, Client, Error, NodeState, StoreIf, Stored, Ttl};
use tokio::time::timeout;

use crate::server::{BOTH, Kind, PATIENCE, Server};

/// Servers of a kind, and the commands that they are asked with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) kind: Kind,
    pub(crate) is_classic: bool,
}

/// Meta commands to memcached and to larderd, and classic ones.
pub(crate) const ALL: [Setup; 3] = [
    META[0],
    META[1],
    Setup {
        kind: Kind::Larderd,
        is_classic: true,
    },
];

pub(crate) const META: [Setup; 2] = [
    Setup {
        kind: Kind::Memcached,
        is_classic: false,
    },
    Setup {
        kind: Kind::Larderd,
        is_classic: false,
    },
];

impl Setup {
    /// Three servers, and a client of them that is patient enough for a busy machine.
    pub(crate) fn pool(self) -> (Vec<Server>, Client) {
        let servers: Vec<Server> = (0..3).map(|_| Server::start(self.kind, &[])).collect();
        let client = self.client_of(&servers);
        (servers, client)
    }

    /// Another client of the same servers, as another process has one.
    pub(crate) fn client_of(self, servers: &[Server]) -> Client {
        let client = self.builder(servers).build();
        client.expect("a client")
    }

    pub(crate) fn builder(self, servers: &[Server]) -> Builder {
        let builder = Client::builder().nodes(servers.iter().map(Server::node));
        let builder = builder.timeout(PATIENCE).connect_timeout(PATIENCE);
        match self.is_classic {
            true => builder.classic(),
            false => builder,
        }
    }
}

/// Gets until the key is served.
pub(crate) async fn read(client: &Client, key: &str) -> Option<Bytes> {
    let served = async {
        loop {
            match client.get(key).await {
                Ok(found) => return found.map(|value| value.data),
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    timeout(PATIENCE, served).await.expect("in time")
}

#[tokio::test]
async fn one_key() {
    for setup in ALL {
        let (_servers, client) = setup.pool();
        one_key_of(&client).await.expect("verbs work");
    }
}

pub(crate) async fn one_key_of(client: &Client) -> Result<(), Error> {
    assert_eq!(client.get("a").await?, None);
    client.set_with_flags("a", "one", 7, Ttl::secs(100)).await?;
    let value = client.get("a").await?.expect("just stored");
    assert_eq!((&value.data[..], value.flags), (&b"one"[..], 7));
    assert_eq!(client.add("a", "x", Ttl::Never).await?, Stored::NotStored);
    assert_eq!(
        client.replace("a", "two", Ttl::Never).await?,
        Stored::Stored
    );
    assert_eq!(
        client.replace("b", "x", Ttl::Never).await?,
        Stored::NotStored
    );
    assert_eq!(client.append("a", "+").await?, Stored::Stored);
    assert_eq!(client.prepend("a", "-").await?, Stored::Stored);
    assert_eq!(client.append("b", "x").await?, Stored::NotStored);
    let before = client.get("a").await?.expect("stored");
    assert_eq!(before.data, "-two+");
    assert_eq!(
        client.cas("a", "3", before.cas, Ttl::Never).await?,
        Stored::Stored
    );
    assert_eq!(
        client.cas("a", "4", before.cas, Ttl::Never).await?,
        Stored::Exists
    );
    assert_eq!(
        client.cas("b", "4", before.cas, Ttl::Never).await?,
        Stored::NotFound
    );
    let flags_of = async |key: &str| client.get(key).await.map(|v| v.expect("stored").flags);
    let cas = client.get("a").await?.expect("stored").cas;
    for (condition, flags, expected) in [
        (StoreIf::Absent, 1, Stored::NotStored),
        (StoreIf::Present, 2, Stored::Stored),
        (StoreIf::Unchanged(cas), 3, Stored::Exists),
        (StoreIf::Always, 4, Stored::Stored),
    ] {
        let stored = client.store("a", "3", flags, Ttl::Never, condition).await?;
        assert_eq!(stored, expected, "{condition:?}");
        if stored.is_stored() {
            assert_eq!(flags_of("a").await?, flags);
        }
    }
    assert_eq!(client.incr("a", 4).await?, Some(7));
    assert_eq!(client.decr("a", 9).await?, Some(0));
    assert_eq!(client.incr("b", 1).await?, None);
    assert_eq!(client.incr_or("n", 5, 100, Ttl::secs(60)).await?, 100);
    assert_eq!(client.incr_or("n", 5, 100, Ttl::secs(60)).await?, 105);
    assert_eq!(client.decr_or("n", 6, 100, Ttl::secs(60)).await?, 99);
    assert!(client.touch("a", Ttl::secs(100)).await?);
    assert!(!client.touch("b", Ttl::secs(100)).await?);
    assert_eq!(
        client
            .get_and_touch("a", Ttl::Never)
            .await?
            .expect("stored")
            .data
            .len(),
        1
    );
    assert_eq!(client.get_and_touch("b", Ttl::Never).await?, None);
    assert!(client.delete("a").await? && !client.delete("a").await?);
    client.set("gone", "x", Ttl::secs(0)).await?;
    assert_eq!(client.get("gone").await?, None);
    Ok(())
}

#[tokio::test]
async fn values_of_every_size() {
    for setup in ALL {
        let (_servers, client) = setup.pool();
        for len in [0, 1, 2, 4095, 4096, 4097, 16_384, 100_000, 1_000_000] {
            // Bytes that look like the protocol's own.
            let value: Vec<u8> = b"\r\nEND\r\nVALUE a 0 1\r\n"
                .iter()
                .copied()
                .cycle()
                .take(len)
                .collect();
            client.set("v", &value, Ttl::Never).await.expect("set");
            let found = client.get("v").await.expect("get").expect("stored");
            assert!(found.data == value, "{len} bytes come back as they were");
        }
        let error = client.set("v", vec![0; 2 << 20], Ttl::Never).await;
        let error = error.expect_err("larger than an item may be");
        assert!(error.to_string().contains("too large"), "{error}");
        assert_eq!(
            client.get("other").await,
            Ok(None),
            "and the connection goes on"
        );
    }
}

#[tokio::test]
async fn many_keys() {
    for setup in ALL {
        let (_servers, client) = setup.pool();
        let items: Vec<(String, String)> = (0..5000)
            .map(|i| (format!("key:{i}"), format!("value:{i}")))
            .collect();
        let set = client
            .set_many(items.iter().map(|(k, v)| (k, v)), Ttl::Never)
            .await;
        assert_eq!((set.len(), set.errors().count()), (5000, 0));
        let keys = items
            .iter()
            .flat_map(|(key, _)| [key.clone(), format!("no{key}")]);
        let keys: Vec<String> = keys
            .chain(["bad key".to_owned(), "key:7".to_owned()])
            .collect();
        let got = client.get_many(&keys).await;
        assert_eq!(got.len(), 10_002);
        for ((key, result), asked) in got.iter().zip(&keys) {
            assert_eq!(key, asked.as_bytes(), "results come in the order asked");
            match asked.strip_prefix("key:") {
                Some(number) => {
                    let value = result.as_ref().expect("no error").as_ref().expect("a hit");
                    assert_eq!(value.data, format!("value:{number}"));
                }
                None if asked == "bad key" => assert!(matches!(result, Err(Error::BadKey { .. }))),
                None => assert_eq!(result, &Ok(None)),
            }
        }
        let nodes: std::collections::HashSet<String> =
            keys.iter().map(|key| client.node_for(key)).collect();
        assert_eq!(nodes.len(), 3, "keys live on every node");
        let deleted = client.delete_many(["key:1", "key:2", "nokey"]).await;
        let deleted: Vec<bool> = deleted
            .all()
            .expect("no errors")
            .into_iter()
            .map(|d| d.1)
            .collect();
        assert_eq!(deleted, [true, true, false]);
        let one_left = client.get_many(["key:1", "key:3"]).await;
        assert_eq!(one_left.found().count(), 1);
    }
}

#[tokio::test]
async fn every_node() {
    for setup in ALL {
        let (_servers, client) = setup.pool();
        client.set("a", "1", Ttl::Never).await.expect("set");
        for (node, version) in client.versions().await {
            assert!(version.expect("a version").starts_with("1."), "{node}");
        }
        for (node, rows) in client.stats("").await {
            let rows = rows.expect("rows");
            assert!(
                rows.iter()
                    .any(|(name, value)| name == "pid" && value != "0"),
                "{node}"
            );
        }
        assert!(
            client
                .flush()
                .await
                .iter()
                .all(|(_, result)| result.is_ok())
        );
        assert_eq!(client.get("a").await, Ok(None));
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_sent_never_is() {
    let client = Client::connect("memcache://nobody.invalid").expect("a client");
    for key in ["", "a b", "a\r\nflush_all\r\n", &"k".repeat(251)] {
        let error = client.get(key).await.expect_err("refused");
        assert!(matches!(error, Error::BadKey { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_socket_in_the_file_system() {
    for kind in BOTH {
        let folder = tempfile::TempDir::new().expect("a folder");
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777))
            .expect("chmod");
        let path = folder.path().join("sock");
        let path = path.to_str().expect("a path");
        let _server = Server::start_on_socket(kind, path);
        let builder = Client::builder().url(&format!("memcache://{path}"));
        let builder = builder.expect("a URL").timeout(PATIENCE);
        let client = builder.connect_timeout(PATIENCE).build();
        let client = client.expect("a client");
        client.set("a", "1", Ttl::Never).await.expect("set");
        assert!(client.get("a").await.expect("get").is_some());
    }
}

/// Groups whose lines are of other words than STAT.
#[tokio::test]
async fn every_group_of_stats_is_rows() {
    for setup in ALL {
        let (_servers, client) = setup.pool();
        client.stats("detail on").await;
        for number in 0..50 {
            let key = format!("a:{number}");
            client.set(&key, "v", Ttl::Never).await.expect("set");
            client.get(&key).await.expect("get");
        }
        for (group, name) in [("cachedump 1 100", "a:"), ("detail dump", "a")] {
            let mut is_there = false;
            for (node, rows) in client.stats(group).await {
                match rows {
                    Ok(rows) => is_there |= rows.iter().any(|(of, _)| of.starts_with(name)),
                    Err(error) => assert!(matches!(error, Error::Server { .. }), "{node}: {error}"),
                }
            }
            // memcached counts the prefixes of classic commands alone.
            let may_be_none = group == "detail dump" && !setup.is_classic;
            assert!(is_there || may_be_none, "{setup:?}: {group}");
        }
        for status in client.node_states() {
            assert_eq!(status.state, NodeState::Up);
        }
    }
}
