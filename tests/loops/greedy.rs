//! Clients that ask or promise more than they take or give: each costs its own bounded buffers and no more.

use std::time::Duration;

use crate::bystander::Bystander;
use crate::support::{Conn, MIB, Server, one_at_a_time, value, wait_until};

const ARGS: &[&str] = &["-m", "64", "-t", "2"];
/// What a single rude connection may cost at most: its own buffers, and the allocator's room around them.
const CONN_COST_MAX: u64 = 4 * MIB;

fn assert_within(server: &Server, before: u64, allowed: u64, what: &str) {
    let rss = server.rss();
    assert!(
        rss <= before + allowed,
        "{what}: resident memory went from {} to {} KiB, {} were allowed",
        before / 1024,
        rss / 1024,
        allowed / 1024
    );
}

/// Sends while the server takes it, and gives up after a short while in which it takes nothing.
fn push(conn: &mut Conn, bytes: &[u8], times: usize) -> usize {
    conn.set_limit(Duration::from_millis(500));
    (0..times).take_while(|_| conn.try_send(bytes)).count()
}

#[test]
fn a_client_that_never_reads_a_thousand_large_values() {
    let _turn = one_at_a_time();
    let mut server = Server::larderd(ARGS);
    let large = value("large", 1_000_000);
    assert_eq!(server.connect().set("large", &large), "STORED");
    let before = server.rss();
    let bystander = Bystander::start(&server);

    let mut pipelined = server.connect();
    push(&mut pipelined, b"get large\r\n", 1000);
    let mut at_once = server.connect();
    push(
        &mut at_once,
        format!("get{}\r\n", " large".repeat(1000)).as_bytes(),
        1,
    );
    // Another client reads the same value, and so knows that the server has had time for all of them.
    for _ in 0..20 {
        assert_eq!(server.connect().get("large").as_ref(), Some(&large));
    }
    bystander.finish();
    assert_within(
        &server,
        before,
        4 * CONN_COST_MAX,
        "two clients that never read",
    );
    server.assert_serves("two clients that never read");

    // The first one changes its mind, and nothing is lost or mixed up.
    pipelined.set_limit(Duration::from_secs(20));
    for _ in 0..20 {
        let (_, read) = pipelined.value_of_reply().expect("a value");
        assert!(read == large, "the value, late, is whole");
        assert_eq!(pipelined.line(), "END");
    }
}

/// Small values are copied out: a client that never reads them is held back, too.
#[test]
fn a_client_that_never_reads_a_million_small_values() {
    let _turn = one_at_a_time();
    let mut server = Server::larderd(ARGS);
    assert_eq!(
        server.connect().set("small", &value("small", 1000)),
        "STORED"
    );
    let before = server.rss();
    let bystander = Bystander::start(&server);
    let mut deaf = server.connect();
    push(&mut deaf, "get small\r\n".repeat(1000).as_bytes(), 1000);
    bystander.finish();
    assert_within(
        &server,
        before,
        CONN_COST_MAX,
        "a client that never reads small values",
    );
    server.assert_serves("a client that never reads small values");
}

#[test]
fn a_gigabyte_without_a_newline() {
    let _turn = one_at_a_time();
    let mut server = Server::larderd(ARGS);
    let before = server.rss();
    let bystander = Bystander::start(&server);
    let block = vec![b'x'; MIB as usize];
    // What a long get took, 4 MiB, each worker's allocator may keep for the next one.
    let workers = 2;
    for start in ["", "get ", "gets ", "set ", "incr ", "cache_memlimit "] {
        let mut conn = server.connect();
        conn.send(start.as_bytes());
        push(&mut conn, &block, 1024);
        assert_within(
            &server,
            before,
            (1 + workers) * CONN_COST_MAX,
            &format!("a gigabyte after {start:?}"),
        );
    }
    bystander.finish();
    server.assert_serves("a gigabyte without a newline");
}

/// A get's line may be 4 MiB long: of forty such without an end, those that are too many are closed.
#[test]
fn forty_long_gets_without_a_newline() {
    let _turn = one_at_a_time();
    let mut server = Server::larderd(&["-m", "64", "-t", "1"]);
    let before = server.rss();
    let line = [b"get ".to_vec(), vec![b'k'; 7 * MIB as usize / 2]].concat();
    let mut conns: Vec<Conn> = (0..40).map(|_| server.connect()).collect();
    for conn in &mut conns {
        push(conn, &line, 1);
        assert_within(&server, before, 28 * MIB, "long gets without a newline");
    }
    let mut many = server.connect();
    many.send(format!("get{}\r\n", " key".repeat(100_000)).as_bytes());
    assert_eq!(many.line(), "END");
    let most = || many.stat("curr_connections") <= 6;
    wait_until(Duration::from_secs(20), "most to be closed", most);
    server.assert_serves("long gets without a newline");
}

/// Their memory is reserved as it arrives: two hundred promises do not push out what others have stored.
#[test]
fn two_hundred_that_promise_a_megabyte_and_send_a_kilobyte() {
    let _turn = one_at_a_time();
    let mut server = Server::larderd(ARGS);
    let mut keeper = server.connect();
    for i in 0..1000 {
        assert_eq!(
            keeper.set(&format!("kept{i}"), &value("kept", 10_000)),
            "STORED"
        );
    }
    let before = server.rss();
    let bystander = Bystander::start(&server);
    let kilobyte = [b'x'; 1024];
    let promise = |i: usize| {
        let mut conn = server.connect();
        conn.send(format!("set promised{i} 0 0 1000000\r\n").as_bytes());
        conn.send(&kilobyte);
        conn
    };
    let promises: Vec<Conn> = (0..200).map(promise).collect();
    for i in 0..20 {
        assert_eq!(
            keeper.set(&format!("more{i}"), &value("more", 100_000)),
            "STORED",
            "beside two hundred promises"
        );
    }
    let kept = (0..1000)
        .filter(|i| keeper.get(&format!("kept{i}")).is_some())
        .count();
    assert_eq!(
        kept, 1000,
        "10 MB of 64 are still there beside two hundred promises"
    );
    assert_within(
        &server,
        before,
        40 * MIB,
        "two hundred promises, and two megabytes stored",
    );
    bystander.finish();
    drop(promises);
    wait_until(
        Duration::from_secs(10),
        "the broken promises to be closed",
        || server.connect().stat("curr_connections") < 20,
    );
    assert_eq!(
        keeper.get("promised7"),
        None,
        "a value that never came whole is never seen"
    );
    server.assert_serves("two hundred promises");
}

/// What they have sent is revoked when it stands in the way, and they are told so when they go on.
#[test]
fn forty_that_stop_just_before_the_end_of_a_megabyte() {
    let _turn = one_at_a_time();
    let mut server = Server::larderd(ARGS);
    let bystander = Bystander::start(&server);
    let block = value("block", 1_000_000);
    let (sent, rest) = block.split_at(990_000);
    let stop_short = |i: usize| {
        let mut conn = server.connect();
        conn.set_limit(Duration::from_millis(500));
        conn.send(format!("set short{i} 0 0 {}\r\n", block.len()).as_bytes());
        conn.try_send(sent);
        conn
    };
    let stopped: Vec<Conn> = (0..40).map(stop_short).collect();
    let mut keeper = server.connect();
    keeper.set_limit(Duration::from_secs(60));
    for i in 0..20 {
        let key = format!("large{i}");
        assert_eq!(
            keeper.set(&key, &block),
            "STORED",
            "beside forty that stopped"
        );
        assert_eq!(keeper.get(&key).as_ref(), Some(&block));
    }
    bystander.finish();
    let revoked = keeper.stat_of("larder", "shard_pendings_revoked");
    assert!(
        revoked > 0,
        "forty megabytes are more than half of the memory"
    );
    // Which of them stood in the way hangs on the shards of their keys. Now each brings the rest, and none is told that
    // its value is stored whose memory was taken.
    let mut told = 0;
    for mut conn in stopped {
        conn.set_limit(Duration::from_secs(20));
        conn.send(rest);
        conn.send(b"\r\n");
        match &*conn.line() {
            "SERVER_ERROR out of memory storing object" => told += 1,
            other => assert_eq!(other, "STORED"),
        }
    }
    assert!(told >= revoked, "{told} were told of {revoked}");
    server.assert_serves("forty that stopped");
}

#[test]
fn a_byte_at_a_time_for_some_seconds() {
    let _turn = one_at_a_time();
    let mut server = Server::larderd(ARGS);
    let bystander = Bystander::start(&server);
    let mut slow = server.connect();
    // Slow enough that each byte is a turn of its own, over a time in which others do thousands of commands.
    for byte in b"set dribble 0 0 10\r\n0123456789\r\nget dribble\r\n" {
        slow.send(&[*byte]);
        std::thread::sleep(Duration::from_millis(45));
    }
    assert_eq!(slow.line(), "STORED");
    assert_eq!(
        slow.value_of_reply().map(|(_, value)| value).as_deref(),
        Some(&b"0123456789"[..])
    );
    bystander.finish();
    server.assert_serves("a byte at a time");
}
