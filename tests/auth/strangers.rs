//! Those who are not let in: they are slowed, counted, told of in the log, given little memory and little time.

use std::time::{Duration, Instant};

use crate::support::{Conn, wait_until};
use crate::users::{Guarded, LIMIT, say};

const USERS: &str = "foo:bar\n";
const USERS_OF_TWO_KINDS: &str = "ann:a\napp:b\n@app read,write,stats\n";
const FAILURE: &str = "CLIENT_ERROR authentication failure";

#[test]
fn each_failure_is_one_line_without_the_password() {
    let guarded = Guarded::start(&format!("{USERS}f\"o\u{e9}:bar\n"), &[]);
    let mut conn = guarded.connect();
    for user in ["foo", "hunter2", "f\"o\u{e9}"] {
        assert_eq!(say(&mut conn, user, "hunter2"), FAILURE);
    }
    guarded.wait_for_log(r#"authentication failure of user `f\"o\xc3\xa9`"#);
    let log = guarded.server.log();
    let lines = log
        .lines()
        .filter(|line| line.contains("authentication failure"));
    let lines: Vec<&str> = lines.collect();
    assert_eq!(lines.len(), 3, "{log}");
    assert!(
        lines[0].contains("tcp:127.0.0.1:") && lines[0].contains("user `foo`"),
        "{log}"
    );
    assert!(!log.contains("hunter2"), "{log}");
    // Who is nobody may have said the password first.
    assert!(
        lines[1].contains("authentication failure of a user who is not listed"),
        "{log}"
    );
    assert_eq!(say(&mut conn, "foo", "bar"), "STORED");
    assert_eq!((conn.stat("auth_cmds"), conn.stat("auth_errors")), (4, 3));
}

#[test]
fn who_fails_again_and_again_waits_longer_and_longer() {
    let guarded = Guarded::start(USERS, &["-t", "2"]);
    let begin = Instant::now();
    for _ in 0..4 {
        // A connection each: it is the address that waits.
        assert_eq!(say(&mut guarded.connect(), "foo", "baz"), FAILURE);
    }
    // 100, 200 and 400 ms between them.
    assert!(
        begin.elapsed() >= Duration::from_millis(700),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn who_waits_holds_a_few_kilobytes_and_keeps_nobody_up() {
    let guarded = Guarded::start(USERS, &["-t", "1", "-o", "entering_max=100"]);
    let mut known = guarded.connect_as("foo", "bar");
    for _ in 0..6 {
        assert_eq!(say(&mut guarded.connect(), "foo", "baz"), FAILURE);
    }
    // From now on the address waits for seconds. Each sends what is never judged meanwhile, and far more behind it.
    let flood = [&b"set a 0 0 7\r\nfoo baz\r\n"[..], &[b'x'; 60_000]].concat();
    let mut strangers: Vec<Conn> = (0..50).map(|_| guarded.connect()).collect();
    for stranger in &mut strangers {
        stranger.try_send(&flood);
    }
    assert_eq!(known.set("k", b"v"), "STORED");
    let bytes = known.stat_of("larder", "conn_buffer_bytes");
    assert!(bytes <= 50 * 8192, "{bytes}");
}

#[test]
fn there_is_little_time_to_say_who_one_is() {
    let guarded = Guarded::start(USERS, &["-o", "entry_timeout=1s"]);
    let mut silent = guarded.connect();
    let mut slow = guarded.connect();
    slow.send(b"set auth 0 0 7\r\nfoo");
    let mut known = guarded.connect_as("foo", "bar");
    assert_eq!(silent.until_closed(), b"");
    assert_eq!(slow.until_closed(), b"");
    guarded.wait_for_log("has not said who it is in time");
    assert_eq!(known.ask("mn"), "MN");
    assert_eq!(known.stat_of("larder", "entries_given_up"), 2);
}

#[test]
fn a_flood_of_strangers_leaves_others_working() {
    let guarded = Guarded::start(USERS, &["-t", "2", "-o", "entering_max=20"]);
    let mut working = guarded.connect_as("foo", "bar");
    let mut flood: Vec<Conn> = (0..200).map(|_| guarded.connect()).collect();
    assert_eq!(working.set("k", b"v"), "STORED");
    let mut newcomer = guarded.connect_as("foo", "bar");
    assert_eq!(newcomer.get("k").as_deref(), Some(&b"v"[..]));
    // All but the youngest have been given up by now.
    for conn in &mut flood[..170] {
        assert_eq!(conn.until_closed(), b"");
    }
    wait_until(LIMIT, "the flood to be given up", || {
        working.stat_of("larder", "entries_given_up") >= 170
    });
}

#[test]
fn who_has_come_in_before_does_not_wait_for_those_who_guess() {
    let guarded = Guarded::start(USERS, &["-t", "1"]);
    let mut known = guarded.connect_as("foo", "bar");
    for _ in 0..6 {
        assert_eq!(say(&mut guarded.connect(), "foo", "baz"), FAILURE);
    }
    let mut guessing: Vec<Conn> = (0..3).map(|_| guarded.connect()).collect();
    for conn in &mut guessing {
        conn.send(b"set a 0 0 7\r\nfoo baz\r\n");
    }
    wait_until(LIMIT, "all claims", || known.stat("auth_cmds") == 10);
    guarded.connect_as("foo", "bar");
    // Else those before it would have been judged by now.
    assert!(known.stat("auth_errors") < 9);
}

/// Whoever hangs up as soon as the answer does not come at once has learnt as much as who waits for it.
#[test]
fn a_guess_that_nobody_waits_for_is_a_failure_too() {
    let guarded = Guarded::start(USERS, &["-t", "1"]);
    let mut known = guarded.connect_as("foo", "bar");
    // From now on the next answers take a moment.
    assert_eq!(say(&mut guarded.connect(), "foo", "baz"), FAILURE);
    for sent in 3..=5 {
        let mut guess = guarded.connect();
        guess.send(b"set a 0 0 7\r\nfoo baz\r\n");
        wait_until(LIMIT, "the claim", || known.stat("auth_cmds") == sent);
    }
    let failures = || {
        guarded
            .server
            .log()
            .matches("failure of user `foo`")
            .count()
    };
    wait_until(LIMIT, "a line for each", || failures() == 4);
}

/// Neither by the limit of all connections nor by what is kept for admins.
#[test]
fn strangers_who_take_all_connections_give_way() {
    for threads in ["1", "3"] {
        let guarded = Guarded::start(USERS_OF_TWO_KINDS, &["-t", threads, "-c", "30"]);
        let mut working = guarded.connect_as("app", "b");
        let flood: Vec<Conn> = (0..200).map(|_| guarded.connect()).collect();
        let mut newcomer = guarded.connect_as("app", "b");
        assert_eq!(newcomer.ask("mn"), "MN");
        wait_until(LIMIT, "the flood to be given up", || {
            working.stat_of("larder", "entries_given_up") >= 172
        });
        assert_eq!(working.stat("curr_connections"), 30);
        drop(flood);
    }
}

#[test]
fn an_endless_line_and_a_long_block_are_not_kept() {
    let guarded = Guarded::start(USERS, &[]);
    let mut endless = guarded.connect();
    endless.try_send(&[b'x'; 3000]);
    assert_eq!(endless.until_closed(), b"");
    let mut long = guarded.connect();
    let block = vec![b'x'; 1_000_000];
    long.send(&[&b"set a 0 0 1000000\r\n"[..], &block, b"\r\n"].concat());
    assert_eq!(long.line(), "CLIENT_ERROR auth token too long");
    assert_eq!(say(&mut long, "foo", "bar"), "STORED");
}
