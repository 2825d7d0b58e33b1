//! A server of a few lines for what no server at hand does: old releases, and connections that end at a bad moment.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use larder_client::{Client, Error, NodeSpec, NodeState, Ttl};

use crate::server::PATIENCE;

/// Answers each line by `script`, which hears which connection it came on, the first being 0. Where it says nothing the
/// connection ends.
fn serve(script: impl Fn(usize, &str) -> Option<String> + Send + Sync + 'static) -> NodeSpec {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let script = Arc::new(script);
    thread::spawn(move || {
        for (index, stream) in listener.incoming().enumerate() {
            let (script, mut stream) = (Arc::clone(&script), stream.expect("a connection"));
            thread::spawn(move || {
                let lines = BufReader::new(stream.try_clone().expect("a handle")).lines();
                for line in lines.map_while(Result::ok) {
                    match script(index, &line) {
                        Some(reply) if stream.write_all(reply.as_bytes()).is_ok() => {}
                        _ => break,
                    }
                }
                let _ = stream.shutdown(Shutdown::Both);
            });
        }
    });
    address.to_string().parse().expect("a node")
}

fn client(node: NodeSpec) -> Client {
    let builder = Client::builder().nodes([node]).timeout(PATIENCE);
    let builder = builder.connect_timeout(PATIENCE);
    let builder = builder.settle(Duration::from_millis(1));
    // Once down it stays so for the test.
    let builder = builder.probe_waits(Duration::from_secs(3600), Duration::from_secs(3600));
    builder.build().expect("a client")
}

/// The opaque of a meta command.
fn opaque(line: &str) -> &str {
    let flags = line.split(' ').skip(2);
    let opaque = flags.filter_map(|flag| flag.strip_prefix('O')).next();
    opaque.expect("every command has one")
}

/// memcached 1.6.0 to 1.6.14 or so knows `mg`, and says `EN` to a miss without the opaque, by which no reply can be told
/// from another.
#[tokio::test]
async fn a_miss_without_its_opaque_is_an_old_server() {
    let client = client(serve(|_, line| {
        let said = match line.split(' ').next() {
            Some("mg") => "EN\r\n",
            Some("set") => "",
            Some("v") => "STORED\r\n",
            Some("gets") => "VALUE k 0 1 7\r\nv\r\nEND\r\n",
            _ => return None,
        };
        Some(said.to_owned())
    }));
    client.set("k", "v", Ttl::Never).await.expect("stored");
    let found = client.get("k").await.expect("an answer").expect("a hit");
    assert_eq!(found.data, "v");
}

/// Servers end connections that were idle for long, and just then somebody may ask.
#[tokio::test]
async fn a_get_on_a_connection_that_just_ended_is_asked_once_more() {
    let client = client(serve(|connection, line| {
        match (connection, line.split(' ').nth(1)) {
            (0, Some("k")) => None,
            (_, Some("k")) => Some(format!("VA 1 f0 c7 O{}\r\nv\r\n", opaque(line))),
            _ => Some(format!("EN O{}\r\n", opaque(line))),
        }
    }));
    let found = client.get("k").await.expect("an answer").expect("a hit");
    assert_eq!(found.data, "v");
}

/// A write is not asked twice; but that one connection ended does not take the node from everybody.
#[tokio::test]
async fn a_write_on_a_connection_that_just_ended_is_the_only_one_to_fail() {
    let client = client(serve(|connection, line| {
        match (connection, line.split(' ').nth(1)) {
            (0, Some("n")) => None,
            (_, Some("n")) => panic!("counted twice"),
            _ => Some(format!("EN O{}\r\n", opaque(line))),
        }
    }));
    let error = client.incr("n", 1).await.expect_err("no reply");
    assert!(
        matches!(
            error,
            Error::Lost {
                maybe_applied: true,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(client.get("other").await, Ok(None));
    assert_eq!(client.node_states()[0].state, NodeState::Up);
}

/// A node that refuses to delete one key serves the others.
#[tokio::test]
async fn a_key_that_cannot_be_deleted_is_in_doubt_alone() {
    let deletes = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&deletes);
    let node = serve(move |_, line| {
        Some(match line.split(' ').next() {
            Some("version") => "VERSION 1.6.45\r\n".to_owned(),
            Some("md") => {
                seen.fetch_add(1, Ordering::Relaxed);
                "SERVER_ERROR not here\r\n".to_owned()
            }
            _ => format!("EN O{}\r\n", opaque(line)),
        })
    });
    let client = client(node);
    let fails = || async { Err::<(), _>("no database") };
    let written = client.write_through("k", "v", Ttl::Never, fails).await;
    written.expect_err("not written");
    let tried = async {
        while deletes.load(Ordering::Relaxed) < 3 {
            assert_eq!(client.get("other").await, Ok(None));
        }
    };
    tokio::time::timeout(PATIENCE, tried)
        .await
        .expect("in time");
    let error = client.get("k").await.expect_err("in doubt");
    assert!(matches!(error, Error::InDoubt { .. }), "{error}");
}
