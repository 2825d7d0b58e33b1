//! A users file that is replaced while clients are in.

use std::os::unix::fs::symlink;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Conn, Secrets, wait_until};
use crate::users::{Guarded, LIMIT, say};

const USERS: &str = "ann:one\nbob:two\n";

/// How often the file was read anew, with success and without.
fn reloads(conn: &mut Conn) -> (u64, u64) {
    let good = conn.stat_of("larder", "users_reloads");
    (good, conn.stat_of("larder", "users_reloads_refused"))
}

#[test]
fn it_is_read_anew_when_it_changes_and_who_is_gone_is_out() {
    let guarded = Guarded::start(&format!("{USERS}eve:stays\n"), &["-t", "2"]);
    let mut ann = guarded.connect_as("ann", "one");
    let mut bob = guarded.connect_as("bob", "two");
    let mut eve = guarded.connect_as("eve", "stays");
    guarded.replace("ann:other\ncarl:three\neve:more\neve:stays\n");
    wait_until(LIMIT, "the file to be read", || reloads(&mut eve).0 > 0);
    assert_eq!(bob.ask("get key"), "CLIENT_ERROR unauthenticated");
    assert_eq!(bob.ask("version"), "CLIENT_ERROR unauthenticated");
    assert_eq!(say(&mut bob, "carl", "three"), "STORED");
    assert_eq!(bob.ask("mn"), "MN");
    // Her password is gone, and whoever came in by it.
    assert_eq!(ann.ask("get key"), "CLIENT_ERROR unauthenticated");
    let mut late = guarded.connect();
    let failure = "CLIENT_ERROR authentication failure";
    assert_eq!(say(&mut late, "ann", "one"), failure);
    assert_eq!(say(&mut late, "ann", "other"), "STORED");
    assert_eq!(eve.stat_of("larder", "users"), 3);
}

#[test]
fn who_is_out_has_as_much_time_to_come_in_as_anybody() {
    for rights in ["", "@bob read\n", "@default get\n"] {
        let users = format!("{USERS}{rights}");
        let guarded = Guarded::start(&users, &["-t", "2", "-o", "entry_timeout=1s"]);
        let mut ann = guarded.connect_as("ann", "one");
        let mut out = match rights.starts_with("@default") {
            true => guarded.connect(),
            false => guarded.connect_as("bob", "two"),
        };
        assert_eq!(out.ask("get key"), "END");
        guarded.replace("ann:one\n");
        assert_eq!(out.until_closed(), b"", "{rights}");
        assert_eq!(ann.ask("mn"), "MN");
        assert_eq!(ann.stat_of("larder", "entries_given_up"), 1);
    }
}

/// Half a line was read when the door closed: the line that is read when it opens again begins at its own begin.
#[test]
fn who_is_out_in_the_middle_of_a_line_begins_anew() {
    let guarded = Guarded::start(USERS, &["-t", "1"]);
    let mut ann = guarded.connect_as("ann", "one");
    let mut bob = guarded.connect_as("bob", "two");
    bob.send(b"verbosity 1 and more words");
    guarded.replace("ann:one\n");
    wait_until(LIMIT, "the file to be read", || reloads(&mut ann).0 == 1);
    assert_eq!(bob.ask(" behind"), "CLIENT_ERROR unauthenticated");
    guarded.replace(USERS);
    wait_until(LIMIT, "the file to be read", || reloads(&mut ann).0 == 2);
    assert_eq!(say(&mut bob, "bob", "two"), "STORED");
    assert_eq!(bob.ask("gets k"), "END");
    assert_eq!(bob.ask("mn"), "MN");
}

#[test]
fn a_bad_file_changes_nothing() {
    let guarded = Guarded::start(USERS, &[]);
    let mut ann = guarded.connect_as("ann", "one");
    guarded.replace("ann:one\ncarl\n");
    wait_until(LIMIT, "the file to be read", || reloads(&mut ann).1 > 0);
    guarded.wait_for_log("line 2: should be user:password");
    guarded.connect_as("bob", "two");
    assert_eq!(reloads(&mut ann).0, 0);
}

#[test]
fn what_a_link_leads_to_is_read_anew_when_it_changes() {
    let (elsewhere, files) = (Secrets::new(), Secrets::new());
    elsewhere.write("users", USERS);
    symlink(elsewhere.path("users"), files.path("users")).expect("a link");
    let guarded = Guarded::of(files, &[]);
    let mut ann = guarded.connect_as("ann", "one");
    elsewhere.write("users", "ann:one\n");
    wait_until(LIMIT, "the file to be read", || reloads(&mut ann).0 == 1);
}

#[test]
fn a_busy_folder_puts_nothing_off() {
    let guarded = Guarded::start(USERS, &[]);
    let mut ann = guarded.connect_as("ann", "one");
    guarded.replace("ann:one\n");
    // Nothing that waits for a quiet moment has one before that.
    let mut writes = 0;
    wait_until(LIMIT, "the file to be read", || {
        writes += 1;
        guarded.write_beside(&format!("{writes}"));
        reloads(&mut ann).0 == 1
    });
}

#[test]
fn a_signal_has_it_read_at_once() {
    let guarded = Guarded::start(USERS, &[]);
    let mut ann = guarded.connect_as("ann", "one");
    for read in 1..=3 {
        kill(Pid::from_raw(guarded.server.pid() as i32), Signal::SIGHUP).expect("our own child");
        wait_until(LIMIT, "the file to be read", || reloads(&mut ann).0 >= read);
    }
    assert_eq!(ann.ask("mn"), "MN");
}
