//! Connections that have something to read in one turn: each is served as if it had come alone.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Conn, Server, show};

/// Sends each connection's bytes while the server is stopped, so that it finds them all in one turn.
fn send_together(server: &Server, sends: &mut [(&mut Conn, &[u8])]) {
    let pid = Pid::from_raw(server.pid() as i32);
    kill(pid, Signal::SIGSTOP).expect("our own child");
    for (conn, bytes) in sends {
        conn.send(bytes);
    }
    kill(pid, Signal::SIGCONT).expect("our own child");
}

#[test]
fn what_looks_like_a_line_need_not_be_one() {
    let server = Server::larderd(&["-t", "1"]);
    let mut conns: Vec<Conn> = (0..3).map(|_| server.connect()).collect();
    let [value, tail, plain] = &mut conns[..] else {
        panic!("three connections");
    };
    for key in ["one", "two", "wo"] {
        assert_eq!(plain.set(key, key.as_bytes()), "STORED");
    }
    // Read by the server before the rest comes: the answer to the command before it shows that.
    value.send(b"mn\r\nset value 0 0 9\r\n");
    assert_eq!(value.line(), "MN");
    tail.send(b"mn\r\nget t");
    assert_eq!(tail.line(), "MN");
    send_together(
        &server,
        &mut [
            (value, b"get one\r\n"),
            (tail, b"get one\r\n"),
            (plain, b"get one\r\n"),
        ],
    );
    let one = "VALUE one 0 3\r\none\r\nEND\r\n";
    assert_eq!(show(&plain.until(b"END\r\n")), show(one.as_bytes()));
    // For `tail` it was the end of a line with two more keys, for `value` a data block.
    assert_eq!(show(&tail.until(b"END\r\n")), show(one.as_bytes()));
    for conn in [value, tail] {
        conn.send(b"\r\nget two\r\n");
        let answer = conn.until(b"END\r\n");
        assert!(
            answer.ends_with(b"VALUE two 0 3\r\ntwo\r\nEND\r\n"),
            "{}",
            show(&answer)
        );
    }
    assert_eq!(
        server.connect().get("value").as_deref(),
        Some(&b"get one\r\n"[..])
    );
}

#[test]
fn each_gets_its_own() {
    let server = Server::larderd(&["-t", "2"]);
    let mut conns: Vec<Conn> = (0..40).map(|_| server.connect()).collect();
    for (number, conn) in conns.iter_mut().enumerate() {
        assert_eq!(
            conn.set(&format!("key-{number}"), format!("{number}").as_bytes()),
            "STORED"
        );
    }
    for round in 0..50 {
        let lines: Vec<String> = (0..conns.len())
            .map(|number| match (number + round) % 5 {
                0 => format!(
                    "set key-{number} 0 0 {}\r\n{number}\r\n",
                    number.to_string().len()
                ),
                1 => format!("get key-{number} none\r\n"),
                2 => format!("get key-{number}\r\nmn\r\n"),
                _ => format!("get key-{number}\r\n"),
            })
            .collect();
        let mut sends: Vec<(&mut Conn, &[u8])> = conns
            .iter_mut()
            .zip(&lines)
            .map(|(conn, line)| (conn, line.as_bytes()))
            .collect();
        send_together(&server, &mut sends);
        for (number, conn) in conns.iter_mut().enumerate() {
            let value = format!(
                "VALUE key-{number} 0 {}\r\n{number}\r\nEND\r\n",
                number.to_string().len()
            );
            let expected = match (number + round) % 5 {
                0 => "STORED\r\n".to_owned(),
                2 => value + "MN\r\n",
                _ => value,
            };
            let answer = conn.exactly(expected.len());
            assert_eq!(
                String::from_utf8_lossy(&answer),
                expected,
                "round {round}, connection {number}"
            );
        }
    }
}
