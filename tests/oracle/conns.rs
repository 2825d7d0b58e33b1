//! `stats conns`: the states of connections, as both servers word them.

use std::time::Duration;

use crate::support::{Conn, Server, wait_until};

/// More than is ever sent in one go to a client that reads nothing.
const LARGE: usize = 1_000_000;

/// The states of all connections but the listening one, in the order in which they were accepted; the asking one is the
/// last.
fn states(conn: &mut Conn) -> Vec<String> {
    let rows = conn.stats("conns");
    let states = rows
        .into_iter()
        .filter(|(name, _)| name.ends_with(":state"));
    let states = states.map(|(_, state)| state);
    states.filter(|state| state != "conn_listening").collect()
}

/// Connections that stopped in every way a client can.
fn stopped(server: &Server) -> Vec<Conn> {
    let sent: [&[u8]; 6] = [
        b"",
        b"version\r\n",
        b"ge",
        b"set a 0 0 10\r\nabc",
        b"set a 0 0 3000000\r\nabc",
        b"watch\r\n",
    ];
    let mut conns: Vec<Conn> = sent.iter().map(|_| server.connect()).collect();
    for (conn, sent) in conns.iter_mut().zip(sent) {
        conn.send(sent);
    }
    let mut reads_nothing = server.connect();
    assert_eq!(reads_nothing.set("large", &vec![b'x'; LARGE]), "STORED");
    reads_nothing.send(
        "get large large large large large large large large\r\n"
            .repeat(4)
            .as_bytes(),
    );
    conns.push(reads_nothing);
    conns
}

/// What each of them is to be seen in, and the one that asks.
const STATES: [&str; 8] = [
    "conn_new_cmd",
    "conn_read",
    "conn_read",
    "conn_nread",
    "conn_swallow",
    "conn_watch",
    "conn_mwrite",
    "conn_parse_cmd",
];

pub(crate) fn states_are_alike() {
    for server in [
        Server::memcached(&["-t", "2"]),
        Server::larderd(&["-t", "2"]),
    ] {
        let _stopped = stopped(&server);
        let mut asking = server.connect();
        let mut seen = Vec::new();
        wait_until(Duration::from_secs(10), "the connections' states", || {
            let now = states(&mut asking);
            if now != seen {
                eprintln!("{now:?}");
            }
            seen = now;
            seen == STATES
        });
    }
}
