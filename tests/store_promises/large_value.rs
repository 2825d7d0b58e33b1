//! A value of half a gigabyte: in and out intact, while others are served.

use std::thread;

use crate::support::{Conn, MIB, Pattern, Server, one_at_a_time};

const LEN: usize = 512 * MIB as usize;
const BLOCK: usize = MIB as usize;

fn store(conn: &mut Conn, key: &str, pattern: u64) {
    conn.send(format!("set {key} 5 0 {LEN}\r\n").as_bytes());
    let mut text = Pattern::new(pattern);
    for _ in 0..LEN / BLOCK {
        conn.send(&text.take(BLOCK));
    }
    conn.send(b"\r\n");
    assert_eq!(conn.line(), "STORED");
}

fn read(conn: &mut Conn, key: &str, pattern: u64) {
    conn.send(format!("get {key}\r\n").as_bytes());
    assert_eq!(conn.line(), format!("VALUE {key} 5 {LEN}"));
    let mut text = Pattern::new(pattern);
    for block in 0..LEN / BLOCK {
        assert!(
            conn.exactly(BLOCK) == text.take(BLOCK),
            "block {block} of {key} came back changed"
        );
    }
    assert_eq!(conn.line(), "");
    assert_eq!(conn.line(), "END");
}

#[test]
fn half_a_gigabyte_goes_in_and_out() {
    let _turn = one_at_a_time();
    let server = Server::larderd(&["-m", "2048", "-I", "1g", "-t", "2"]);
    let mut conn = server.connect();
    thread::scope(|scope| {
        let big = scope.spawn(|| {
            let mut conn = server.connect();
            store(&mut conn, "big", 1);
            read(&mut conn, "big", 1);
        });
        let mut rounds = 0;
        while !big.is_finished() {
            assert_eq!(conn.set("small", b"x"), "STORED");
            rounds += 1;
            thread::yield_now();
        }
        assert!(rounds > 10, "others are served meanwhile");
    });
    // A second one over the first, and back to a small value.
    store(&mut conn, "big", 2);
    read(&mut conn, "big", 2);
    assert_eq!(conn.set("big", b"small again"), "STORED");
    assert_eq!(conn.get("big").as_deref(), Some(&b"small again"[..]));
}
