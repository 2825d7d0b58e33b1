//! Rights of users beyond yes and no: what is told to whom, what is shown to whom, and what becomes of it when the file
//! is replaced.

use crate::binary;
use crate::support::{Conn, Ended, frame, show, wait_until};
use crate::users::{Guarded, LIMIT, say};

const USERS: &str = "all:x\napp:x\nread:x\n@app read,write prefix=app:\n@read read\n";

const DENIED: &str = "CLIENT_ERROR permission denied";

/// Waits until the file has been read so many times.
fn wait_for_reload(conn: &mut Conn, times: u64) {
    wait_until(LIMIT, "the file to be read", || {
        conn.stat_of("larder", "users_reloads") >= times
    });
}

/// Whatever the first byte of another's key is, and however it is said.
#[test]
fn any_key_that_does_not_begin_so_is_denied() {
    for prefixes in [
        "prefix=app:",
        "prefix=app: prefix=web:",
        "prefix=an-application:",
        "prefix=an-application-of-another:",
    ] {
        let users = format!("all:x\napp:x\n@app read,write {prefixes}\n");
        let guarded = Guarded::start(&users, &["-S"]);
        let mut all = guarded.connect();
        let mut frames = guarded.connect();
        assert_eq!(binary::ask(&mut all, 0x21, b"PLAIN", b"\0all\0x").0, 0);
        assert_eq!(binary::ask(&mut frames, 0x21, b"PLAIN", b"\0app\0x").0, 0);
        let mut app = guarded.connect_as("app", "x");
        for first in 0..=u8::MAX {
            let key = [&[first][..], b"-secret-of-another"].concat();
            all.send(&frame(0x01, 0, &[0; 8], &key, b"value"));
            assert_eq!(binary::reply(&mut all).0, 0);
            for opcode in [0x00, 0x04, 0x0c] {
                let status = binary::ask(&mut frames, opcode, &key, b"").0;
                assert_eq!(status, 0x24, "{opcode:x} of {first:x}, {prefixes}");
            }
            if !matches!(first, b' ' | b'\n') {
                for [verb, rest] in [
                    ["get ", "\r\n"],
                    ["set ", " 0 0 1\r\nx\r\n"],
                    ["delete ", "\r\n"],
                ] {
                    app.send(&[verb.as_bytes(), &key, rest.as_bytes()].concat());
                    assert_eq!(app.line(), DENIED, "{verb}of {first:x}, {prefixes}");
                }
            }
        }
        // The first of all these keys.
        assert_eq!(app.ask("mg AC1zZWNyZXQtb2YtYW5vdGhlcg== b v"), DENIED);
    }
}

#[test]
fn denials_stand_in_their_place_among_other_replies() {
    let guarded = Guarded::start(USERS, &["-t", "2"]);
    let mut all = guarded.connect_as("all", "x");
    assert_eq!(all.set("web:1", b"secret"), "STORED");
    let mut app = guarded.connect_as("app", "x");
    // What is recognised together, with something forbidden at any place.
    for forbidden in [
        "get web:1\r\n",
        "set web:1 0 0 1\r\nx\r\n",
        "mg web:1 v\r\n",
        "gets web:1\r\n",
    ] {
        for place in 0..20 {
            let mut sent = String::new();
            let mut expected = String::new();
            for at in 0..20 {
                if at == place {
                    sent.push_str(forbidden);
                    expected.push_str(&format!("{DENIED}\r\n"));
                } else {
                    sent.push_str(&format!(
                        "set app:{at} 0 0 2\r\n{at:02}\r\nget app:{at}\r\n"
                    ));
                    expected.push_str(&format!(
                        "STORED\r\nVALUE app:{at} 0 2\r\n{at:02}\r\nEND\r\n"
                    ));
                }
            }
            app.send(sent.as_bytes());
            assert_eq!(
                show(&app.exactly(expected.len())),
                show(expected.as_bytes())
            );
        }
    }
    assert_eq!(all.get("web:1"), Some(b"secret".to_vec()));
    assert_eq!(all.stat_of("larder users", "app:cmd_denied"), 80);
    assert_eq!(all.ask("stats reset"), "RESET");
    assert_eq!(all.stat_of("larder users", "app:cmd_denied"), 0);
    assert_eq!(all.stat_of("larder", "cmd_denied"), 0);
}

/// Whoever says `noreply` reads no reply: one more line would be taken for the answer to the next command. The quiet
/// forms of meta and binary commands are silent of what goes well, and clients of these expect errors.
#[test]
fn who_wants_no_reply_has_none_and_who_is_quiet_is_told() {
    let guarded = Guarded::start(USERS, &["-S"]);
    let mut read = guarded.connect_as("read", "x");
    read.send(b"set a 0 0 1 noreply\r\n1\r\nincr a 1 noreply\r\ndelete a noreply\r\nflush_all noreply\r\nmn\r\n");
    assert_eq!(read.line(), "MN");
    read.send(b"ms a 1 q\r\n1\r\nmd a q\r\nmg a q v\r\nmn\r\n");
    assert_eq!(
        [read.line(), read.line(), read.line()],
        [DENIED, DENIED, "MN"]
    );
    let mut quiet = guarded.connect();
    assert_eq!(binary::ask(&mut quiet, 0x21, b"PLAIN", b"\0read\0x").0, 0);
    let setq = frame(0x11, 0, &[0; 8], b"a", b"value");
    quiet.send(
        &[
            setq,
            frame(0x09, 0, b"", b"a", b""),
            frame(0x0a, 0, b"", b"", b""),
        ]
        .concat(),
    );
    assert_eq!(
        binary::reply(&mut quiet),
        (0x24, b"Permission denied".to_vec())
    );
    assert_eq!(binary::reply(&mut quiet).0, 0, "the miss is quiet");
    let mut all = guarded.connect_as("all", "x");
    assert_eq!(all.stat_of("larder users", "read:cmd_denied"), 7);
    assert_eq!(all.get("a"), None);
}

#[test]
fn a_large_block_that_is_denied_is_dropped() {
    let guarded = Guarded::start(USERS, &["-S"]);
    let value = b"get app:1\r\n".repeat(30_000);
    let mut app = guarded.connect_as("app", "x");
    for head in [
        format!("set web:1 0 0 {}", value.len()),
        format!("ms web:1 {}", value.len()),
    ] {
        app.send(&[head.as_bytes(), b"\r\n", &value, b"\r\nmn\r\n"].concat());
        assert_eq!([app.line(), app.line()], [DENIED, "MN"]);
    }
    let mut conn = guarded.connect();
    assert_eq!(binary::ask(&mut conn, 0x21, b"PLAIN", b"\0app\0x").0, 0);
    conn.send(
        &[
            frame(1, 0, &[0; 8], b"web:1", &value),
            frame(0x0a, 0, b"", b"", b""),
        ]
        .concat(),
    );
    assert_eq!(binary::reply(&mut conn).0, 0x24);
    assert_eq!(binary::reply(&mut conn).0, 0);
}

#[test]
fn whoever_has_not_said_who_it_is_may_do_what_default_may() {
    let guarded = Guarded::start(
        "ann:one\n@default read,write prefix=pub:\n",
        &["-t", "2", "-o", "entry_timeout=1s"],
    );
    let mut stranger = guarded.connect();
    assert_eq!(stranger.set("pub:1", b"bob one"), "STORED");
    assert_eq!(stranger.get("pub:1"), Some(b"bob one".to_vec()));
    assert_eq!(stranger.set("key", b"value"), DENIED);
    assert_eq!(stranger.ask("stats"), DENIED);
    stranger.send(b"set pub:1 0 0 1\r\n1\r\nset pub:1 0 0 2\r\n22\r\nget pub:1\r\n");
    assert_eq!(
        show(&stranger.until(b"END\r\n")),
        show(b"STORED\r\nSTORED\r\nVALUE pub:1 0 2\r\n22\r\nEND\r\n")
    );
    // A user's name and a blank in front of a value make a handshake of it.
    let failure = "CLIENT_ERROR authentication failure";
    assert_eq!(say(&mut stranger, "ann", "two"), failure);
    assert_eq!(stranger.ask("get auth"), DENIED);
    // There is no hurry to say who it is.
    let mut ann = guarded.connect_as("ann", "one");
    let uptime = ann.stat("uptime");
    wait_until(LIMIT, "three seconds", || ann.stat("uptime") > uptime + 3);
    assert_eq!(stranger.get("pub:1"), Some(b"22".to_vec()));
    assert_eq!(say(&mut stranger, "ann", "one"), "STORED");
    assert_eq!(stranger.set("key", b"ann one"), "STORED");
    assert_eq!(ann.get("key"), Some(b"ann one".to_vec()));
    assert_eq!(ann.stat_of("larder users", "default:cmd_denied"), 3);
}

const WITH_DUMPS: &str =
    "all:x\nsome:x\nblind:x\n@some get,admin prefix=app: prefix=a/\n@blind admin\n";

#[test]
fn dumps_hold_only_keys_that_their_reader_may_read() {
    let guarded = Guarded::start(WITH_DUMPS, &["-t", "2"]);
    let mut all = guarded.connect_as("all", "x");
    assert_eq!(all.ask("stats detail on"), "OK");
    for key in ["app:1", "app:2", "a/3", "ap", "web:1", "apps:1"] {
        assert_eq!(all.set(key, b"v"), "STORED");
    }
    let dumped = |user: &str, command: &str, end: &[u8]| {
        let mut conn = guarded.connect_as(user, "x");
        conn.send(format!("{command}\r\n").as_bytes());
        let text = String::from_utf8(conn.until(end)).expect("text");
        let words = text
            .split([' ', '\r', '\n', '='])
            .map(|word| word.replace("%3A", ":").replace("%2F", "/"));
        let mut keys: Vec<String> = words
            .filter(|word| {
                word.starts_with('a') && word.contains([':', '/'])
                    || word == "ap"
                    || word.starts_with("web")
            })
            .collect();
        keys.sort();
        keys
    };
    for (command, end) in [
        ("lru_crawler metadump all", &b"END\r\n"[..]),
        ("lru_crawler mgdump hash", b"EN\r\n"),
        ("stats cachedump 1 0", b"END\r\n"),
    ] {
        assert_eq!(
            dumped("some", command, end),
            ["a/3", "app:1", "app:2"],
            "{command}"
        );
        assert_eq!(dumped("blind", command, end), [""; 0], "{command}");
        assert_eq!(dumped("all", command, end).len(), 6, "{command}");
    }
    let prefixes = |user: &str| {
        let mut conn = guarded.connect_as(user, "x");
        conn.send(b"stats detail dump\r\n");
        let text = String::from_utf8(conn.until(b"END\r\n")).expect("text");
        text.lines()
            .filter_map(|line| Some(line.split(' ').nth(1)?.to_owned()))
            .collect::<Vec<_>>()
    };
    assert_eq!(prefixes("some"), ["app"]);
    assert_eq!(prefixes("blind"), [""; 0]);
    assert_eq!(prefixes("all"), ["app", "apps", "web"]);
}

#[test]
fn watchers_see_only_keys_that_they_may_read() {
    let guarded = Guarded::start(WITH_DUMPS, &["-t", "2"]);
    let mut all = guarded.connect_as("all", "x");
    let mut some = guarded.connect_as("some", "x");
    let mut blind = guarded.connect_as("blind", "x");
    for watcher in [&mut some, &mut blind] {
        assert_eq!(
            watcher.ask("watch fetchers mutations deletions connevents"),
            "OK"
        );
    }
    for key in ["web:1", "a/1", "apps:1", "app:1"] {
        assert_eq!(all.set(key, b"v"), "STORED");
        assert_eq!(all.get(key), Some(b"v".to_vec()));
        assert_eq!(all.ask(&format!("delete {key}")), "DELETED");
    }
    let text = String::from_utf8(some.until(b"type=deleted key=app%3A1")).expect("text");
    assert!(
        text.contains("type=item_store key=a%2F1 ") && text.contains("type=item_get key=app%3A1 "),
        "{text}"
    );
    assert!(!text.contains("web") && !text.contains("apps"), "{text}");
    guarded.connect();
    let text = String::from_utf8(blind.until(b"type=conn_new")).expect("text");
    assert!(!text.contains("key="), "{text}");
}

#[test]
fn whoever_is_in_is_held_to_the_new_rights() {
    let guarded = Guarded::start("all:x\nann:x\n", &["-t", "1", "-S"]);
    let mut all = guarded.connect_as("all", "x");
    let mut ann = guarded.connect_as("ann", "x");
    let mut binary = guarded.connect();
    assert_eq!(binary::ask(&mut binary, 0x21, b"PLAIN", b"\0ann\0x").0, 0);
    assert_eq!(ann.set("app:1", b"v"), "STORED");
    guarded.replace("all:x\nann:x\n@ann read prefix=app:\n");
    wait_for_reload(&mut all, 1);
    assert_eq!(ann.set("app:1", b"w"), DENIED);
    assert_eq!(ann.get("app:1"), Some(b"v".to_vec()));
    assert_eq!(binary::ask(&mut binary, 0x04, b"app:1", b"").0, 0x24);
    guarded.replace("all:x\nann:x\n@ann reed prefix=app:\n@all stats\n");
    guarded.wait_for_log("line 3: `reed` is none of read, write, stats and admin, and no command");
    assert_eq!(ann.get("app:1"), Some(b"v".to_vec()));
    assert_eq!(all.ask("flush_all"), "OK");
    guarded.replace("all:x\nann:x\n@ann get,set\n");
    wait_for_reload(&mut all, 2);
    assert_eq!(ann.set("web:1", b"w"), "STORED");
    assert_eq!(ann.ask("gets web:1"), DENIED);
    guarded.replace("all:x\n@default get\n");
    wait_for_reload(&mut all, 3);
    assert_eq!(
        ann.ask("set web:1 0 0 1\r\n1"),
        "CLIENT_ERROR bad authentication token format"
    );
    assert_eq!(ann.get("web:1"), Some(b"w".to_vec()));
    assert_eq!(binary::ask(&mut binary, 0x04, b"web:1", b"").0, 0x24);
    guarded.replace("all:x\n");
    wait_for_reload(&mut all, 4);
    assert_eq!(ann.ask("get web:1"), "CLIENT_ERROR unauthenticated");
    assert_eq!(binary::ask(&mut binary, 0x00, b"web:1", b"").0, 0x20);
}

#[test]
fn who_may_watch_or_dump_no_longer_is_stopped_on_the_way() {
    let guarded = Guarded::start("all:x\nann:x\n", &["-t", "2", "-m", "256"]);
    let mut all = guarded.connect_as("all", "x");
    let set = |at: u32| format!("set key:{at:0200} 0 0 1 noreply\r\n1\r\n");
    for begin in (0..100_000).step_by(1000) {
        let sets: String = (begin..begin + 1000).map(set).collect();
        all.send(sets.as_bytes());
    }
    assert_eq!(all.ask("mn"), "MN");
    let mut watcher = guarded.connect_as("ann", "x");
    assert_eq!(watcher.ask("watch fetchers"), "OK");
    let mut dump = guarded.connect_as("ann", "x");
    dump.send(b"lru_crawler metadump all\r\nmn\r\n");
    assert_eq!(dump.line(), "OK");
    let first = dump.until(b"\n");
    assert!(first.starts_with(b"key="), "{}", show(&first));
    guarded.replace("all:x\nann:x\n@ann read,stats\n");
    wait_for_reload(&mut all, 1);
    all.get("seen by nobody");
    let told = format!("{DENIED}\r\n");
    assert_eq!(show(&watcher.until_closed()), show(told.as_bytes()));
    let (rest, ended) = dump.try_until(b"MN\r\n");
    assert_eq!(ended, Ended::Found);
    assert!(rest.ends_with(format!("{told}MN\r\n").as_bytes()));
    assert!(!rest.windows(5).any(|part| part == b"END\r\n"));
    guarded.wait_for_log("may not watch any more; closed");
}
