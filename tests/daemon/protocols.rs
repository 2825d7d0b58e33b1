//! Which protocols are spoken where.

use std::net::SocketAddr;

use crate::daemon::Daemon;
use crate::support::{Conn, show};

/// A noop of the binary protocol, and its answer.
const NOOP: &[u8] = b"\x80\x0a\0\0\0\0\0\0\0\0\0\0mark\0\0\0\0\0\0\0\0";
const NOOP_REPLY: &[u8] = b"\x81\x0a\0\0\0\0\0\0\0\0\0\0mark\0\0\0\0\0\0\0\0";

/// A line of text that begins as a frame does.
const ODD_LINE: &[u8] = b"\x80odd\r\n";

fn speaks_text(addr: SocketAddr) -> bool {
    let mut conn = Conn::open(addr);
    conn.send(b"mn\r\n");
    conn.try_until(b"MN\r\n").0 == b"MN\r\n"
}

fn speaks_binary(addr: SocketAddr) -> bool {
    let mut conn = Conn::open(addr);
    conn.send(NOOP);
    conn.set_limit(std::time::Duration::from_millis(300));
    conn.try_until(NOOP_REPLY).0 == NOOP_REPLY
}

/// Its addresses, in the order of `-l`.
fn addresses(daemon: &Daemon) -> Vec<SocketAddr> {
    let hosts = (1..).map(|host| [127, 0, 0, host]);
    hosts
        .zip(daemon.port_numbers())
        .map(SocketAddr::from)
        .collect()
}

#[test]
fn each_listener_may_have_a_protocol_of_its_own() {
    let listen = "127.0.0.1,proto[ascii]:127.0.0.2,proto[binary]:127.0.0.3";
    let daemon = Daemon::start(&["-p", "-1", "-l", listen]);
    let spoken: Vec<(bool, bool)> = addresses(&daemon)
        .into_iter()
        .map(|addr| (speaks_text(addr), speaks_binary(addr)))
        .collect();
    assert_eq!(spoken, [(true, true), (true, false), (false, true)]);
}

#[test]
fn an_option_says_it_for_all() {
    for (protocol, spoken) in [
        ("auto", (true, true)),
        ("ascii", (true, false)),
        ("binary", (false, true)),
    ] {
        let daemon = Daemon::start(&["-p", "-1", "-l", "127.0.0.1", "-B", protocol]);
        let addr = addresses(&daemon)[0];
        assert_eq!(
            (speaks_text(addr), speaks_binary(addr)),
            spoken,
            "-B {protocol}"
        );
    }
    let daemon = Daemon::start(&["-p", "-1", "-l", "127.0.0.1", "-B", "ascii"]);
    let mut conn = daemon.connect();
    conn.send(ODD_LINE);
    let answer = conn.until(b"\r\n");
    assert_eq!(show(&answer), show(b"ERROR\r\n"));
}
