//! `larder ring`, `completions` and `man`, as a person at a shell meets them.

use std::process::Output;

use super::{larder, text};

/// Three nodes of different kinds, and what libmemcached 1.1.4 says of these keys.
const THREE: [&str; 6] = [
    "--node",
    "10.0.0.1:11311",
    "--node",
    "10.0.0.2:11311;weight=2",
    "--node",
    "/run/c.sock;name=c",
];

fn ring(more: &[&str], stdin: &[u8]) -> Output {
    larder(&[&["ring"], &THREE[..], more].concat(), stdin)
}

#[test]
fn a_line_a_key() {
    let out = ring(&[], b"a\nb c\n\xff\x00\r\n\nlast");
    assert_eq!(text(&out.stderr), "");
    assert!(out.status.success());
    let lines: Vec<&str> = text(&out.stdout).lines().collect();
    assert_eq!(lines.len(), 5, "{lines:?}");
    for line in lines {
        assert!(
            ["0 10.0.0.1:11311", "1 10.0.0.2:11311", "2 c"].contains(&line),
            "{line}"
        );
    }
}

#[test]
fn no_keys_no_lines() {
    let out = ring(&["--dist", "rails"], b"");
    assert!(out.status.success() && out.stdout.is_empty() && out.stderr.is_empty());
}

/// The first keys of the recorded vectors: `key:0` … on the five nodes of the common ring.
#[test]
fn the_common_ring_and_others_by_name() {
    let nodes: Vec<String> = (1..=5)
        .map(|n| format!("--node=127.0.0.1:2310{n}"))
        .collect();
    let indices = |dist: &str| {
        let mut args = vec!["ring", "--dist", dist];
        args.extend(nodes.iter().map(String::as_str));
        let out = larder(&args, b"key:0\nkey:2\nkey:3\nkey:6\n");
        let lines = text(&out.stdout).lines();
        lines
            .map(|line| line[..1].parse().expect("an index"))
            .collect::<Vec<u32>>()
    };
    assert_eq!(indices("ketama"), [0, 4, 3, 0]);
    assert_eq!(indices("dalli"), [4, 1, 1, 1]);
    assert_eq!(indices("gomemcache"), [1, 0, 3, 3]);
    assert_eq!(indices("twemproxy-ketama:crc32"), [2, 2, 2, 2]);
}

#[test]
fn nodes_from_elsewhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("nodes");
    std::fs::write(
        &path,
        "10.0.0.1:11311\n10.0.0.2:11311;weight=2\n/run/c.sock;name=c\n",
    )
    .expect("written");
    let keys = b"a\nb\nc\nd\ne\n";
    let expected = ring(&[], keys).stdout;
    for source in [
        format!("file:{}", path.display()),
        "static:10.0.0.1:11311,10.0.0.2:11311;weight=2,/run/c.sock;name=c".to_owned(),
    ] {
        let out = larder(&["ring", "--pool", &source], keys);
        assert_eq!((text(&out.stderr), &out.stdout), ("", &expected));
    }
}

#[test]
fn tags_and_prefixes() {
    let tagged = ring(
        &["--tag", "{}", "--unhashed-prefix", "app:"],
        b"app:{u}1\n{u}2\nx{u}\nu\n",
    );
    let lines: Vec<&str> = text(&tagged.stdout).lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(lines.iter().all(|line| *line == lines[0]), "{lines:?}");
}

#[test]
fn what_a_change_moves() {
    let keys: String = (0..1000).map(|n| format!("user:{n}\n")).collect();
    let out = ring(
        &["--moved", "--add", "10.0.0.4:11311;weight=2"],
        keys.as_bytes(),
    );
    assert!(out.status.success());
    let lines = text(&out.stdout).lines().count();
    assert!((200..480).contains(&lines), "{lines}");
    let said = text(&out.stderr);
    assert!(
        said.starts_with(&format!("{lines} of 1000 keys would move, ")),
        "{said}"
    );
    let to_new = text(&out.stdout)
        .lines()
        .filter(|line| line.contains(" 10.0.0.4:11311 user:"));
    assert!(
        to_new.count() * 10 > lines * 8,
        "nearly all of them move to the new node"
    );

    let out = ring(&["--moved", "--remove", "c"], b"");
    let said = text(&out.stderr);
    assert!(
        said.starts_with("about 2") && said.ends_with("% of keys would move\n"),
        "{said}"
    );
}

#[test]
fn a_node_is_removed_by_its_address_as_it_was_written() {
    let nodes = ["ring", "--node", "a", "--node", "b"];
    for name in ["b", "b:11211"] {
        let out = larder(
            &[&nodes[..], &["--moved", "--remove", name]].concat(),
            b"k\n",
        );
        assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    }
}

#[test]
fn what_is_wrong_is_said() {
    let refused = |more: &[&str], code: i32, word: &str| {
        let out = ring(more, b"k\n");
        assert_eq!(out.status.code(), Some(code), "{more:?}");
        assert!(out.stdout.is_empty());
        let said = text(&out.stderr);
        assert!(said.contains(word), "{more:?}: {said}");
    };
    refused(&["--node", "::1"], 2, "brackets");
    refused(&["--node", "h;weight=0"], 2, "no weight");
    refused(&["--dist", "ketema"], 2, "no distribution");
    refused(&["--tag", "{"], 2, "no hash tag");
    refused(&["--node", "d;name=c"], 1, "`c` is listed twice");
    refused(&["--moved"], 2, "required");
    refused(&["--moved", "--remove", "d"], 1, "no node is called `d`");
    refused(
        &["--moved", "--remove", "d"],
        1,
        "there are 10.0.0.1:11311,",
    );
    let out = larder(&["ring"], b"");
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("--node"));
    refused(&["--pool", "static:a"], 2, "cannot be used with");
    let out = larder(&["ring", "--pool", "/etc/pool"], b"");
    assert!(text(&out.stderr).contains("expected file:PATH"));
}

#[test]
fn completions_and_man_pages() {
    for shell in ["bash", "zsh", "fish"] {
        let out = larder(&["completions", shell], b"");
        assert!(
            out.status.success() && text(&out.stdout).contains("larder"),
            "{shell}"
        );
    }
    let folder = tempfile::tempdir().expect("a folder");
    let man = folder.path().join("man1");
    let out = larder(&["man", man.to_str().expect("a path")], b"");
    assert_eq!((out.status.code(), text(&out.stderr)), (Some(0), ""));
    let page = std::fs::read_to_string(man.join("larder-ring.1")).expect("a page");
    assert!(page.contains("Reads keys from stdin"), "{page}");
}
