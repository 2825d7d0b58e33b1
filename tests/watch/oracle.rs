//! The same commands to memcached and to larderd, each with a watcher beside it, and the lines compared, but for what is
//! each server's own: time, number, descriptor, slab class, port.

use crate::support::{Server, frame};
use crate::watcher::{Watcher, number};

/// The streams that memcached 1.6.18 has.
const STREAMS: &str = "fetchers mutations evictions connevents";

/// A line with what differs from server to server blanked out.
fn plain(line: &str) -> String {
    let word = |word: &str| match word.split_once('=') {
        Some((name @ ("ts" | "gid" | "cfd" | "clsid" | "la" | "rport"), _)) => format!("{name}=#"),
        // A time that is over, as an unsigned number that hangs on the second of the start.
        Some(("ttl", ttl)) if ttl.len() > 9 => "ttl=over".to_owned(),
        _ => word.to_owned(),
    };
    let words: Vec<String> = line.split(' ').map(word).collect();
    words.join(" ")
}

/// The lines of each step, all on one connection.
fn lines(server: &Server, steps: &[Vec<u8>]) -> Vec<Vec<String>> {
    let mut watcher = Watcher::start(server, STREAMS);
    let mut all = Vec::new();
    let mut last_gid = 0;
    let mut conn = server.connect();
    for (at, step) in steps.iter().enumerate() {
        let mark = format!("mark-{at}");
        if step.first() == Some(&0x80) {
            conn.send(&[step.clone(), frame(0x00, 0, &[], &mark, b"")].concat());
        } else {
            conn.send(&[step.clone(), format!("get {mark}\r\n").into_bytes()].concat());
        }
        let lines = watcher.until(&mark);
        for line in &lines {
            let gid = number(line, "gid");
            assert!(gid > last_gid, "numbers rise: {line}");
            last_gid = gid;
        }
        all.push(lines.iter().map(|line| plain(line)).collect());
    }
    all
}

#[track_caller]
fn compare(steps: &[Vec<u8>]) {
    let args = ["-m", "64", "-t", "1"];
    // What its background threads take away unasked would be found missing, not expired.
    let quiet = [&args[..], &["-o", "no_lru_maintainer,no_lru_crawler"]].concat();
    let theirs = lines(&Server::memcached(&quiet), steps);
    let ours = lines(&Server::larderd(&args), steps);
    for ((step, theirs), ours) in steps.iter().zip(theirs).zip(ours) {
        let step = step[..step.len().min(80)].escape_ascii();
        assert_eq!(ours, theirs, "larderd's lines, and memcached's, for {step}");
    }
}

#[test]
fn text_commands() {
    let large = "x".repeat(100_000);
    let beyond = "x".repeat(2_000_000);
    let steps = [
        "get a\r\n",
        "set a 0 0 1\r\nx\r\n",
        "get a\r\n",
        "gets a b a\r\n",
        "add a 0 0 2\r\nyy\r\n",
        "add b 0 100 1\r\ny\r\n",
        "replace zz 0 0 1\r\nq\r\n",
        "replace a 5 0 3\r\nqqq\r\n",
        "append a 0 0 1\r\nq\r\n",
        "prepend a 0 0 2\r\nqq\r\n",
        "append b 0 0 1\r\nq\r\n",
        "append none 0 0 1\r\nq\r\n",
        "cas a 0 0 1 1\r\nq\r\n",
        "cas none 0 0 1 1\r\nq\r\n",
        "cas b 0 300 1 3\r\nq\r\n",
        "gat 100 a\r\n",
        "gats 100 a none b\r\n",
        "touch a 0\r\n",
        "touch none 0\r\n",
        "set n 0 0 1\r\n1\r\n",
        "incr n 1\r\n",
        "incr n 1000\r\n",
        "decr n 1\r\n",
        "incr none 1\r\n",
        "incr a 1\r\n",
        "delete a\r\n",
        "delete a\r\n",
        "set gone 0 -1 1\r\nx\r\n",
        "get gone\r\n",
        "get gone\r\n",
        "set gone 0 -1 1\r\nx\r\n",
        "set gone 0 60 1 noreply\r\nx\r\n",
        "set far 0 4000000000 1\r\nx\r\n",
        "set a%b\x01~-._+=&?#\"<>/x 0 0 2\r\nab\r\n",
        "get a%b\x01~-._+=&?#\"<>/x\r\n",
        "set empty 0 0 0\r\n\r\n",
        "set bad 0 0 1\r\nabc\r\n",
        "flush_all\r\nversion\r\nverbosity 0\r\n",
        "get empty x\r\ngat 1 y\r\nset p 0 0 1\r\nx\r\nget p\r\n",
        &format!("set large 0 0 100000\r\n{large}\r\n"),
        "get large\r\n",
        "append large 0 0 5\r\nabcde\r\n",
        "get large\r\n",
        &format!("set large 0 0 2000000\r\n{beyond}\r\n"),
        &format!("append none 0 0 2000000\r\n{beyond}\r\n"),
        "get large\r\n",
    ];
    // An item that a flush took is gone at once here, and memcached comes upon it, so nothing flushed is asked for.
    let steps = steps.map(|step| step.replace("get empty x", "get x"));
    compare(&steps.map(String::into_bytes));
}

#[test]
fn binary_commands() {
    let (none, touch) = ([0; 8], 5_u32.to_be_bytes());
    let arith = [
        &1_u64.to_be_bytes()[..],
        &5_u64.to_be_bytes(),
        &0_u32.to_be_bytes(),
    ]
    .concat();
    compare(&[
        frame(0x01, 0, &none, "k", b"val"),
        frame(0x00, 0, &[], "k", b""),
        frame(0x0c, 0, &[], "none", b""),
        frame(0x02, 0, &none, "k", b"val"),
        frame(0x02, 0, &none, "added", b"val"),
        frame(0x03, 0, &none, "none", b"val"),
        frame(0x0e, 0, &[], "k", b"more"),
        frame(0x0f, 0, &[], "none", b"more"),
        frame(0x01, 99_999, &none, "k", b"val"),
        frame(0x01, 99_999, &none, "none", b"val"),
        frame(0x05, 0, &arith, "n", b""),
        frame(0x05, 0, &arith, "n", b""),
        frame(0x1c, 0, &touch, "n", b""),
        frame(0x1d, 0, &touch, "none", b""),
        frame(0x04, 0, &[], "n", b""),
        frame(0x04, 0, &[], "n", b""),
    ]);
}

#[test]
fn meta_commands() {
    let steps = [
        "mg a v\r\n",
        "ms a 1\r\nx\r\n",
        "mg a v\r\n",
        "mg a s t h\r\n",
        "mg a T100 u\r\n",
        "mg made N50 v\r\n",
        "ms a 2 ME\r\nyy\r\n",
        "ms b 2 ME T100\r\nyy\r\n",
        "ms zz 1 MR\r\nq\r\n",
        "ms a 3 MR F5\r\nqqq\r\n",
        "ms a 1 MA\r\nq\r\n",
        "ms a 2 MP\r\nqq\r\n",
        "ms none 1 MA\r\nq\r\n",
        "ms a 1 C99999\r\nq\r\n",
        "ms none 1 C1\r\nq\r\n",
        "ms a 1 C1 I\r\nq\r\n",
        "ms a 1 q T60\r\nx\r\n",
        "md a I T30\r\n",
        "md a C99999\r\n",
        "md a\r\n",
        "md a q\r\n",
        "ms n 1\r\n1\r\n",
        "ma n\r\n",
        "ma n D1000 v\r\n",
        "ma none\r\n",
        "ma counted N0 J5\r\n",
        "ma b\r\n",
        "me n\r\n",
        "me none\r\n",
        "ms YSBi 1 b\r\nx\r\n",
        "mg YSBi b k\r\n",
        "ms gone 1 T-1\r\nx\r\n",
        "mg gone v\r\n",
    ];
    let large = |mode: &str| format!("ms large 2000000 {mode}\r\n{}\r\n", "x".repeat(2_000_000));
    let refused = ["MS", "ME", "MA", "MP", "MR", "C7"].map(|mode| large(mode).into_bytes());
    let steps = steps.map(|step| step.as_bytes().to_vec());
    compare(&[&steps[..], &refused].concat());
}

/// The line of a connection's end, for each way to end it.
fn endings(server: &Server) -> Vec<String> {
    let mut watcher = Watcher::start(server, "connevents");
    let mut all = Vec::new();
    for last_words in [
        "",
        "quit\r\n",
        "get half",
        "set half 0 0 9\r\nhalf",
        "GET / HTTP/1.0\r\n",
    ] {
        let mut conn = server.connect();
        conn.send(last_words.as_bytes());
        conn.finish_sending();
        conn.until_closed();
        all.extend(watcher.until("conn_close").iter().map(|line| plain(line)));
    }
    // A watcher that leaves.
    drop(Watcher::start(server, "mutations"));
    all.extend(watcher.until("conn_close").iter().map(|line| plain(line)));
    all
}

#[test]
fn connections_end() {
    let args = ["-m", "64", "-t", "1"];
    let theirs = endings(&Server::memcached(&args));
    assert_eq!(endings(&Server::larderd(&args)), theirs);
}
