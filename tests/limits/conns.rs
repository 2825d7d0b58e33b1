//! How many connections there may be.

use crate::support::{Conn, Server, Tool, wait_until};
use crate::{LIMIT, wait_for_log};

const TOO_MANY: &[u8] = b"ERROR Too many open connections\r\n";

/// A client at another address of this machine.
const FROM_ELSEWHERE: &str = "
import socket, sys
conn = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 20, ('127.0.0.9', 0))
conn.sendall(b'mn\\r\\n')
print(conn.makefile().readline())
";

fn is_served(conn: &mut Conn) -> bool {
    conn.try_send(b"mn\r\n") && conn.some() == b"MN\r\n"
}

#[test]
fn an_address_has_so_many_connections() {
    let server = Server::larderd(&["-t", "2", "-o", "conns_per_address=3"]);
    let mut conns: Vec<Conn> = (0..3).map(|_| server.connect()).collect();
    assert!(conns.iter_mut().all(is_served));
    assert_eq!(server.connect().until_closed(), TOO_MANY);
    wait_for_log(
        &server,
        "3 connections of its address are open (-o conns_per_address)",
    );
    assert_eq!(conns[0].stat_of("larder", "conns_over_address_limit"), 1);
    assert_eq!(conns[0].stat("rejected_connections"), 1);
    // Others have theirs.
    let said = Tool::check(
        "/usr/bin/python3",
        &["-c", FROM_ELSEWHERE, &server.addr().port().to_string()],
        LIMIT,
    );
    assert_eq!(said.trim(), "MN");
    conns.pop();
    wait_until(LIMIT, "a place", || is_served(&mut server.connect()));
}
