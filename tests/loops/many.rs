//! Many connections, too many connections, and no descriptors left.

use std::thread;
use std::time::{Duration, Instant};

use rlimit::Resource;

use crate::support::{Conn, Ended, Server, is_root, one_at_a_time, show, wait_until};

/// The idle connections of the promise.
const IDLE: usize = 10_000;

/// Raises this process' limit of open files, or fails the test with a sentence.
fn allow_open_files(count: u64) {
    let (soft, hard) = Resource::NOFILE.get().expect("the limit of open files");
    if soft >= count {
        return;
    }
    let raised = Resource::NOFILE
        .set(count, hard.max(count))
        .or_else(|_| Resource::NOFILE.set(hard, hard));
    let soft = Resource::NOFILE.get().map_or(0, |(soft, _)| soft);
    assert!(
        raised.is_ok() && soft >= count,
        "this test needs {count} open files, and the system's hard limit is {hard}"
    );
}

/// CPU time over a second of quiet, in clock ticks (10 ms each).
fn ticks_of_a_second(server: &Server) -> u64 {
    let before = server.cpu_ticks();
    let end = Instant::now() + Duration::from_secs(1);
    while Instant::now() < end {
        thread::sleep(Duration::from_millis(50));
    }
    server.cpu_ticks() - before
}

#[test]
fn ten_thousand_idle_connections() {
    let _turn = one_at_a_time();
    allow_open_files(IDLE as u64 + 500);
    let mut server = Server::larderd(&["-m", "64", "-t", "2", "-c", "10500"]);
    // What a first connection costs for good is not the idle ones' doing.
    server.assert_serves("starting");
    let before = server.rss();
    let mut idle: Vec<Conn> = (0..IDLE).map(|_| server.connect()).collect();
    // Every one of them has been accepted and served once.
    for conn in &mut idle {
        conn.send(b"get nothing\r\n");
    }
    for conn in &mut idle {
        assert_eq!(conn.line(), "END");
    }
    wait_until(Duration::from_secs(10), "all to be counted", || {
        server.connect().stat("curr_connections") as usize >= IDLE
    });

    let grown = server.rss().saturating_sub(before);
    assert!(
        grown < 10_000_000,
        "{IDLE} idle connections take {} KiB",
        grown / 1024
    );
    // A tick may be the once-a-second clock's; ten thousand connections that cost anything would take many.
    let ticks = ticks_of_a_second(&server);
    assert!(
        ticks <= 1,
        "{IDLE} idle connections cost {ticks} ticks of CPU in a second"
    );

    let began = Instant::now();
    server.assert_serves("ten thousand idle connections");
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "the next client waited {:?}",
        began.elapsed()
    );
    assert_eq!(
        idle[IDLE / 2].ask("mn"),
        "MN",
        "an idle one is still served"
    );

    drop(idle);
    wait_until(Duration::from_secs(10), "all to be gone", || {
        server.connect().stat("curr_connections") < 100
    });
}

/// Above `-c` a client gets the answer of memcached and is closed, and a place that becomes free is given to the next.
#[test]
fn the_connection_limit() {
    let _turn = one_at_a_time();
    let server = Server::larderd(&["-c", "60", "-t", "2"]);
    let mut open = Vec::new();
    let mut refused = 0;
    for _ in 0..100 {
        let mut conn = server.connect();
        // One that is refused may be closed before it is asked.
        conn.try_send(b"mn\r\n");
        match conn.line().as_str() {
            "MN" => open.push(conn),
            "ERROR Too many open connections" => {
                conn.until_closed();
                refused += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert!(
        (20..=60).contains(&open.len()),
        "-c 60 served {} at once",
        open.len()
    );
    assert_eq!(open.len() + refused, 100);
    for conn in &mut open {
        assert_eq!(conn.ask("mn"), "MN", "those inside are served on");
    }
    assert!(open[0].stat("rejected_connections") >= refused as u64);
    open.truncate(10);
    wait_until(Duration::from_secs(10), "a place to become free", || {
        let mut conn = server.connect();
        conn.try_send(b"mn\r\n");
        conn.line() == "MN"
    });
}

/// Without descriptors the server stops accepting for a while: it neither spins nor dies, and serves those it has.
#[test]
fn descriptors_run_out() {
    let _turn = one_at_a_time();
    // Only a process of the same user may have its limits changed.
    let mut args = vec!["-c", "1024", "-t", "2"];
    if is_root() {
        args.extend(["-u", "root"]);
    }
    let mut server = Server::larderd(&args);
    server.assert_serves("starting");
    let pid = i32::try_from(server.pid()).expect("a process id");
    rlimit::prlimit(pid, Resource::NOFILE, Some((60, 60)), None)
        .expect("a lower limit for the running server");

    // Clients come until one gets no answer: it waits in the kernel's queue, which may be short by now.
    let mut served = Vec::new();
    let mut waiting = loop {
        let mut conn = server.connect();
        conn.set_limit(Duration::from_millis(500));
        conn.send(b"mn\r\n");
        match conn.try_until(b"\r\n") {
            (line, Ended::Found) if line == b"MN\r\n" => served.push(conn),
            (_, Ended::Stalled) => break conn,
            (line, ended) => panic!("{ended:?} after {}", show(&line)),
        }
        assert!(
            served.len() < 60,
            "with 60 descriptors {} are served",
            served.len()
        );
    };
    assert!(
        served.len() > 10,
        "with 60 descriptors only {} are served",
        served.len()
    );
    assert!(
        served[0].stat("listen_disabled_num") > 0,
        "accepting was stopped, and that was counted"
    );
    let ticks = ticks_of_a_second(&server);
    assert!(
        ticks <= 10,
        "out of descriptors it uses {ticks} ticks of CPU in a second"
    );
    for conn in &mut served {
        assert_eq!(conn.ask("mn"), "MN", "those inside are served on");
    }

    // Places become free, and the one who waited is served.
    served.clear();
    waiting.set_limit(Duration::from_secs(20));
    assert_eq!(
        waiting.line(),
        "MN",
        "one who waited is served once others have gone"
    );
    server.assert_serves("running out of descriptors");
}
