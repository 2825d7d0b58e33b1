//! The three protocols act on the same items: what one stores the others read, touch, count, join, swap and delete, with
//! the same client flags and CAS uniques; and commands on one key keep their order over connections and protocols.

#[path = "../support/mod.rs"]
mod support;

mod order;
mod speaker;

use speaker::{Item, PROTOCOLS, Speaker, Swapped};
use support::{Server, value};

/// One connection for each protocol.
fn speakers(server: &Server) -> [Speaker; 3] {
    PROTOCOLS.map(|protocol| Speaker::new(server, protocol))
}

/// Does the same for each two protocols: the first stores, the second acts, and all three look.
fn each_two(act: impl Fn(&mut [Speaker; 3], usize, usize, &str)) {
    let server = Server::larderd(&["-m", "64", "-t", "4"]);
    let mut all = speakers(&server);
    for one in 0..3 {
        for other in 0..3 {
            let key = format!("of:{one}:{other}");
            act(&mut all, one, other, &key);
        }
    }
}

/// The item that all three see.
#[track_caller]
fn seen(all: &mut [Speaker; 3], key: &str) -> Option<Item> {
    let [text, meta, binary] = all.each_mut().map(|speaker| speaker.get(key));
    assert_eq!(text, meta, "{key}, by text and by meta");
    assert_eq!(text, binary, "{key}, by text and by binary");
    text
}

/// Seconds that an item has left, which only meta commands tell.
fn ttl(all: &mut [Speaker; 3], key: &str) -> String {
    all[1].conn.ask(&format!("mg {key} t"))
}

#[test]
fn read() {
    each_two(|all, one, other, key| {
        for len in [0, 1, 64, 1000, 20_000, 300_000] {
            let bytes = value(key, len);
            all[one].set(key, 0xdead_beef, 0, &bytes);
            let item = all[other].get(key).expect("the item");
            assert_eq!(item.flags, 0xdead_beef);
            assert!(item.value == bytes, "{len} bytes of {key}");
            let again = all[one].get(key);
            assert!(again == Some(item), "{len} bytes of {key}, by its own");
        }
    });
}

#[test]
fn touched() {
    each_two(|all, one, other, key| {
        all[one].set(key, 7, 0, b"value");
        let before = seen(all, key);
        assert_eq!(ttl(all, key), "HD t-1");
        assert!(all[other].touch(key, 1_000_000));
        let left = ttl(all, key);
        assert!(
            left.starts_with("HD t99") || left == "HD t1000000",
            "{left}"
        );
        assert_eq!(seen(all, key), before, "a touch changes nothing else");
        assert!(!all[other].touch("nothing", 1));
    });
}

#[test]
fn counted() {
    each_two(|all, one, other, key| {
        all[one].set(key, 3, 0, b"8");
        let before = seen(all, key).expect("the counter");
        assert_eq!(all[other].incr(key, 1), Some(9));
        assert_eq!(all[one].incr(key, 1), Some(10));
        let after = seen(all, key).expect("the counter");
        assert_eq!((after.flags, &after.value[..]), (3, &b"10"[..]));
        assert!(after.cas > before.cas);
        assert_eq!(all[other].incr("nothing", 1), None);
    });
}

#[test]
fn compared_and_swapped() {
    each_two(|all, one, other, key| {
        assert_eq!(all[other].cas(key, 0, b"x", 1), Swapped::NotFound);
        all[one].set(key, 1, 0, b"old");
        let cas = all[one].get(key).expect("the item").cas;
        assert_eq!(all[other].cas(key, 2, b"new", cas), Swapped::Stored);
        assert_eq!(all[one].cas(key, 3, b"late", cas), Swapped::Exists);
        let item = seen(all, key).expect("the item");
        assert_eq!((item.flags, &item.value[..]), (2, &b"new"[..]));
        assert_ne!(item.cas, cas);
    });
}

#[test]
fn added_joined_and_deleted() {
    each_two(|all, one, other, key| {
        assert!(all[one].add(key, b"one"));
        assert!(!all[other].add(key, b"other"));
        assert!(all[other].append(key, b"+other"));
        assert_eq!(seen(all, key).expect("the item").value, b"one+other");
        assert!(all[other].delete(key));
        assert_eq!(seen(all, key), None);
        assert!(!all[one].delete(key) && !all[one].append(key, b"x"));
    });
}

/// A CAS unique of a client's choosing, which only meta commands can give, holds in the others.
#[test]
fn chosen_cas_uniques() {
    each_two(|all, one, other, key| {
        let chosen = u64::MAX - one as u64;
        all[1]
            .conn
            .send(format!("ms {key} 1 E{chosen} F5\r\nx\r\n").as_bytes());
        assert!(all[1].stored());
        let item = seen(all, key).expect("the item");
        assert_eq!((item.cas, item.flags), (chosen, 5));
        assert_eq!(all[one].cas(key, 6, b"y", chosen - 9), Swapped::Exists);
        assert_eq!(all[other].cas(key, 6, b"y", chosen), Swapped::Stored);
        assert_eq!(seen(all, key).expect("the item").value, b"y");
    });
}

/// The marks of a contest are told by meta commands alone. Reading, touching and counting in place leave them, whatever
/// the protocol, and a store ends them.
#[test]
fn marks_of_a_contest() {
    each_two(|all, one, other, key| {
        all[one].set(key, 0, 0, b"123");
        let look = format!("mg {key} s");
        assert_eq!(all[1].conn.ask(&format!("md {key} I")), "HD");
        assert_eq!(all[1].conn.ask(&look), "HD s3 X W");
        assert_eq!(seen(all, key).expect("the item").value, b"123");
        assert_eq!(all[other].incr(key, 1), Some(124));
        assert!(all[other].touch(key, 1_000_000));
        assert_eq!(all[1].conn.ask(&look), "HD s3 Z X");
        all[other].set(key, 0, 0, b"anew");
        assert_eq!(all[1].conn.ask(&look), "HD s4");
    });
}

/// A key that no line can hold is base64 in meta commands.
#[test]
fn binary_keys() {
    let server = Server::larderd(&["-m", "64", "-t", "4"]);
    let [mut text, mut meta, mut binary] = speakers(&server);
    binary.set("a b", 9, 0, b"value");
    meta.conn.send(b"mg YSBi b k f v\r\n");
    assert_eq!(meta.conn.line(), "VA 5 kYSBi b f9");
    assert_eq!(meta.conn.line(), "value");
    meta.conn.send(b"ms YWI= 2 b\r\nab\r\n");
    assert!(meta.stored());
    for speaker in [&mut text, &mut meta, &mut binary] {
        assert_eq!(speaker.get("ab").expect("the item").value, b"ab");
    }
}
