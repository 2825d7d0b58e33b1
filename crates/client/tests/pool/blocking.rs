//! The client for programmes without async: the same verbs, from threads.

use std::thread;

use larder_client::blocking::Client;
use larder_client::{Discovery, Error, Fetch, Stored, Ttl};

use crate::server::Server;
use crate::verbs::META;

#[test]
fn threads_share_it() {
    for setup in META {
        let servers: Vec<Server> = (0..2).map(|_| Server::start(setup.kind, &[])).collect();
        let client = Client::build(setup.builder(&servers)).expect("a client");
        verbs(&client).expect("verbs work");
        thread::scope(|threads| {
            for number in 0..8 {
                let client = client.clone();
                threads.spawn(move || {
                    for i in 0..100 {
                        let key = format!("{number}:{i}");
                        client.set(&key, &key, Ttl::Never).expect("set");
                        let found = client.get(&key).expect("get").expect("stored");
                        assert_eq!(found.data, key);
                    }
                });
            }
        });
        let nodes = servers.iter().map(Server::node).collect();
        let followed = Client::follow(setup.builder(&servers), Discovery::Static(nodes));
        let found = followed.expect("a client").get("7:99").expect("get");
        assert_eq!(found.expect("stored").data, "7:99");
    }
}

fn verbs(client: &Client) -> Result<(), Error> {
    assert_eq!(client.add("a", "1", Ttl::Never)?, Stored::Stored);
    let cas = client.get("a")?.expect("stored").cas;
    assert_eq!(client.cas("a", "2", cas, Ttl::Never)?, Stored::Stored);
    assert_eq!(client.incr_or("n", 2, 5, Ttl::Never)?, 5);
    assert!(client.touch("a", Ttl::secs(100))?);
    client.set_many([("b", "3")], Ttl::Never).all()?;
    assert_eq!(client.get_many(["a", "b", "c"]).found().count(), 2);
    let deleted = client.delete_many(["b", "c"]).all()?;
    assert_eq!(
        deleted.into_iter().map(|(_, was)| was).collect::<Vec<_>>(),
        [true, false]
    );
    assert!(client.delete("a")?);
    let how = Fetch::ttl(Ttl::secs(100));
    for load in [Ok("loaded"), Err("not asked")] {
        assert_eq!(client.fetch("f", &how, || load).expect("a value"), "loaded");
    }
    // A loader may read other keys, and wait in ways of its own.
    let load = || client.get("f").map(|found| found.expect("stored").data);
    assert_eq!(client.fetch("g", &how, load).expect("a value"), "loaded");
    let versions = client.wait(|client| async move { client.versions().await });
    assert!(versions.iter().all(|(_, version)| version.is_ok()));
    Ok(())
}
