//! How many connections a user may have, and which are kept for admins.

use crate::support::{Conn, wait_until};
use crate::users::{Guarded, LIMIT, say};

const USERS: &str = "ann:a\napp:b\n@app read,write,stats\n";
const TOO_MANY: &str = "ERROR Too many open connections";

#[test]
fn a_user_has_so_many_connections() {
    let guarded = Guarded::start(USERS, &["-t", "2", "-S", "-o", "conns_per_user=2"]);
    let (mut first, second) = (
        guarded.connect_as("app", "b"),
        guarded.connect_as("app", "b"),
    );
    let mut third = guarded.connect();
    assert_eq!(say(&mut third, "app", "b"), TOO_MANY);
    assert_eq!(third.until_closed(), b"");
    guarded.wait_for_log("is one more of its user's than there may be (-o conns_per_user); closed");
    // By SASL, too; and others have theirs.
    let mut binary = guarded.connect();
    binary.send(b"\x80\x21\0\x05\0\0\0\0\0\0\0\x0b\0\0\0\0\0\0\0\0\0\0\0\0PLAIN\0app\0b");
    let refused = binary.until_closed();
    assert_eq!(refused[..8], *b"\x81\x21\0\0\0\0\0\x20");
    guarded.connect_as("ann", "a");
    // A change of the file makes no place.
    guarded.replace(&format!("{USERS}bob:c\n"));
    wait_until(LIMIT, "the file to be read anew", || {
        say(&mut guarded.connect(), "bob", "c") == "STORED"
    });
    assert_eq!(say(&mut guarded.connect(), "app", "b"), TOO_MANY);
    assert_eq!(first.stat_of("larder", "conns_over_user_limit"), 3);
    drop(second);
    wait_until(LIMIT, "a place", || {
        say(&mut guarded.connect(), "app", "b") == "STORED"
    });
}

#[test]
fn the_last_connections_are_for_admins() {
    let users = format!("{USERS}@default read\n");
    let guarded = Guarded::start(&users, &["-c", "6", "-o", "admin_conns=2"]);
    let mut apps: Vec<Conn> = (0..4).map(|_| guarded.connect_as("app", "b")).collect();
    let mut refused = guarded.connect();
    assert_eq!(say(&mut refused, "app", "b"), TOO_MANY);
    assert_eq!(refused.until_closed(), b"");
    guarded.wait_for_log("is no admin, and the last places of -c are for admins (-o admin_conns)");
    // Whoever has not said who he is may do nothing there, though elsewhere he may read.
    let mut stranger = guarded.connect();
    assert_eq!(stranger.ask("get key"), "CLIENT_ERROR unauthenticated");
    assert_eq!(say(&mut stranger, "ann", "a"), "STORED");
    assert_eq!(stranger.set("key", b"value"), "STORED");
    let _second = guarded.connect_as("ann", "a");
    assert_eq!(
        guarded.connect().until_closed(),
        format!("{TOO_MANY}\r\n").into_bytes()
    );
    assert_eq!(apps[0].stat_of("larder", "conns_over_reserve"), 1);
    // Where more are left than are kept, there is room for anybody.
    apps.truncate(2);
    drop(stranger);
    wait_until(LIMIT, "a place", || {
        guarded.connect().ask("get none") == "END"
    });
}

#[test]
fn whoever_is_no_admin_any_more_loses_an_admins_place() {
    let guarded = Guarded::start(USERS, &["-c", "6", "-o", "admin_conns=2"]);
    let mut apps: Vec<Conn> = (0..4).map(|_| guarded.connect_as("app", "b")).collect();
    let mut ann = guarded.connect_as("ann", "a");
    guarded.replace(&format!("{USERS}@ann read\n"));
    wait_until(LIMIT, "the file to be read anew", || {
        apps[0].stat_of("larder", "users_reloads") == 1
    });
    assert_eq!(ann.ask("get key"), "CLIENT_ERROR unauthenticated");
}
