//! One item at a time, on a pool of three.

use super::pool::Pool;
use super::text;

#[test]
fn an_item_from_its_birth_to_its_end() {
    let pool = Pool::start();
    assert_eq!(
        pool.done("set", &["greeting", "hello", "--ttl", "5m", "--flags=7"]),
        b""
    );
    assert_eq!(pool.done("get", &["greeting"]), b"hello");
    assert_eq!(pool.done("touch", &["greeting", "never"]), b"");
    let said = pool.refused("set", &["greeting", "x", "--add"]);
    assert_eq!(said, "larder: there is an item greeting already\n");
    pool.done("set", &["greeting", "hi", "--replace", "--flags=9"]);
    assert_eq!(pool.done("get", &["greeting"]), b"hi");
    pool.done("delete", &["greeting"]);
    for (command, args) in [
        ("get", &["greeting"][..]),
        ("delete", &["greeting"]),
        ("touch", &["greeting", "1h"]),
        ("set", &["greeting", "x", "--replace"]),
        ("incr", &["greeting"]),
    ] {
        let said = pool.refused(command, args);
        assert_eq!(said, "larder: there is no item greeting\n", "{command}");
    }
    pool.done("set", &["greeting", "x", "--add"]);
    // A time to live of nothing: it is gone at once.
    pool.done("touch", &["greeting", "0"]);
    pool.refused("get", &["greeting"]);
}

#[test]
fn values_are_bytes() {
    let pool = Pool::start();
    let value: Vec<u8> = (0..=255).collect();
    let out = pool.run("set", &["bytes"], &value);
    assert_eq!((text(&out.stderr), out.status.code()), ("", Some(0)));
    assert_eq!(pool.done("get", &["bytes"]), value);
    pool.done("set", &["empty", ""]);
    assert_eq!(pool.done("get", &["empty"]), b"");
}

#[test]
fn numbers_are_counted() {
    let pool = Pool::start();
    assert_eq!(pool.done("incr", &["visits", "--initial", "10"]), b"10\n");
    assert_eq!(pool.done("incr", &["visits", "--initial", "10"]), b"11\n");
    assert_eq!(pool.done("incr", &["visits", "5"]), b"16\n");
    assert_eq!(pool.done("decr", &["visits", "20"]), b"0\n");
    assert_eq!(
        pool.done("decr", &["left", "--initial", "3", "--ttl", "1h"]),
        b"3\n"
    );
    pool.done("set", &["name", "Ada"]);
    let said = pool.refused("incr", &["name"]);
    assert!(said.contains("non-numeric"), "{said}");
}

/// Items lie where `larder ring` says.
#[test]
fn keys_live_where_ring_says() {
    let pool = Pool::start();
    let keys: Vec<String> = (0..12).map(|n| format!("user:{n}")).collect();
    let lines: String = keys.iter().map(|key| format!("{key}\n")).collect();
    let said = super::larder(&["ring", &pool.option()], lines.as_bytes());
    for (key, line) in keys.iter().zip(text(&said.stdout).lines()) {
        pool.done("set", &[key, "v"]);
        let (_, node) = line.split_once(' ').expect("an index and a name");
        let alone = super::larder(&["get", "--node", node, "--timeout=30s", key], b"");
        assert_eq!(alone.stdout, b"v", "{key} on {node}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let mut pool = Pool::start();
    let said = pool.refused("get", &["two words"]);
    assert!(said.contains("a blank or a control byte"), "{said}");
    let out = pool.run("touch", &["k", "soon"], b"");
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("such as 500ms, 30s"));
    for index in 0..3 {
        pool.crash(index);
    }
    let said = pool.refused("get", &["k"]);
    assert!(said.starts_with("larder: 127.0.0.1:"), "{said}");
}

/// A command's own options would be lost behind those that all have.
#[test]
fn help_begins_with_what_is_the_commands_own() {
    for (command, own) in [
        (
            "set",
            &["[VALUE]", "--ttl", "--flags", "--add", "--replace"][..],
        ),
        ("incr", &["[BY]", "--initial", "--ttl"]),
        ("ring", &["--moved", "--add", "--remove"]),
        ("flush", &["--yes"]),
    ] {
        let help = super::larder(&[command, "--help"], b"").stdout;
        let (before, behind) = text(&help).split_once("The pool:").expect("a heading");
        let (pool, access) = behind.split_once("Who asks").unwrap_or((behind, ""));
        assert!(own.iter().all(|word| before.contains(word)), "{before}");
        assert!(pool.contains("--pool") && !before.contains("  --pool"));
        assert_eq!(access.contains("--tls-ca"), command != "ring");
        assert!(!own.iter().any(|word| access.contains(&format!("  {word}"))));
    }
}
