//! Flags of the meta commands: that each does something, which a reply or the item shows, and that a letter which is
//! none is told apart.

use crate::names::FLAGS;
use crate::report;
use crate::support::{Conn, Server};
use crate::table::Table;

/// Letters that memcached takes in any meta command, whether they mean something there or not.
const TAKEN: &str = "bcfhklqstuvxCDEFIJLMNOPRT";

/// How the item is before a command: fresh with a time to live, a number, stale, not there.
const ITEMS: &[&str] = &[
    "ms a2V5 3 T100 F5 E100\r\n123\r\n",
    "ms a2V5 3 T20 E100\r\n123\r\nmg a2V5 v\r\n",
    "ms a2V5 3 T100 E100\r\n123\r\nmd a2V5 I T100\r\n",
    "",
];

/// Flags beside which a flag may have its effect.
const BESIDE: &[&str] = &["", "v", "N60 v", "I", "c", "c t", "MA", "C99", "t T5", "x"];

/// What shows all of an item, but for the second in which it was used.
const LOOK: &str = "mg a2V5 s v t f c k h\r\nmg key s v t f c k h\r\n";

/// Sends lines and gives what they are answered, without what differs from run to run: CAS uniques out of the sequence,
/// and single seconds.
fn answer(conn: &mut Conn, lines: &str) -> String {
    conn.send(format!("{lines}mn\r\n").as_bytes());
    let replies = String::from_utf8(conn.until(b"MN\r\n")).expect("plain text");
    let words = replies.split_inclusive([' ', '\n']).map(|word| {
        let (letter, number) = word.split_at(1.min(word.len()));
        match (letter, number.trim_end().parse::<u64>()) {
            ("c", Ok(unique)) if unique > 1 && unique < 100 => "c(next) ".to_owned(),
            ("c", Ok(unique)) if unique > 100 => "c(next) ".to_owned(),
            ("t", Ok(seconds)) => format!("t{} ", seconds.next_multiple_of(10)),
            ("l", Ok(_)) => "l(some) ".to_owned(),
            _ => word.to_owned(),
        }
    });
    words.collect()
}

/// What comes of a line with the item in that state: the replies, and the item.
fn outcome(conn: &mut Conn, item: &str, line: &str) -> String {
    answer(conn, "md a2V5\r\nmd key\r\n");
    answer(conn, item);
    answer(conn, &format!("{line}\r\n")) + &answer(conn, LOOK)
}

/// Whether a flag changes what comes of its command, in any state and beside any other.
fn has_effect(conn: &mut Conn, line: &str, flag: &str) -> bool {
    ITEMS.iter().any(|item| {
        BESIDE.iter().any(|beside| {
            let with = line.replace("{}", &format!("{beside} {flag}"));
            let without = line.replace("{}", beside);
            outcome(conn, item, &with) != outcome(conn, item, &without)
        })
    })
}

#[test]
fn flags_have_their_effect() {
    let table = Table::read();
    let server = Server::larderd(&["-t", "1"]);
    let mut conn = server.connect();
    for _ in 0..200 {
        assert_eq!(conn.set("other", b"x"), "STORED");
    }
    let mut faults = Vec::new();
    for (command, line, flags) in FLAGS {
        for flag in *flags {
            let answered = outcome(&mut conn, ITEMS[0], &line.replace("{}", flag));
            let refused = answered.starts_with("CLIENT_ERROR") || answered.starts_with("ERROR");
            let effect = !refused && has_effect(&mut conn, line, flag);
            let served = table.verdict(command, &flag[..1]).is_served();
            if served != effect {
                faults.push(format!(
                    "{command} {flag}: served {served}, effect {effect}; {answered}"
                ));
            }
        }
    }
    report(&faults);
}

#[test]
fn letters_that_are_no_flags_are_told_apart() {
    let server = Server::larderd(&["-t", "1"]);
    let mut conn = server.connect();
    for (command, line, _) in FLAGS.iter().filter(|(command, ..)| *command != "me") {
        let error = match *command {
            "ma" => "CLIENT_ERROR invalid or duplicate flag\r\nMN\r\n",
            _ => "CLIENT_ERROR invalid flag\r\nMN\r\n",
        };
        for letter in ('0'..='9').chain('a'..='z').chain('A'..='Z') {
            let taken = TAKEN.contains(letter);
            let line = line.replace("{}", &format!("{letter}1"));
            let answered = answer(&mut conn, &format!("{line}\r\n"));
            assert_eq!(answered == error, !taken, "{line}: {answered}");
        }
    }
}
