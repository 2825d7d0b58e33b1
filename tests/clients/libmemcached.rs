//! libmemcached's command line tools, one after another: each stores, reads, changes or removes, and a raw
//! connection looks at what they did.

use std::fs;
use std::time::Duration;

use tempfile::TempDir;

use crate::ROUND_MAX;
use crate::support::{Server, Tool};

/// Runs a tool against a server; its output.
fn tool(server: &Server, program: &str, args: &[&str]) -> String {
    let servers = format!("--servers={}", server.name());
    Tool::check(program, &[&[servers.as_str()], args].concat(), ROUND_MAX)
}

/// The same for a tool that is to fail.
fn tool_fails(server: &Server, program: &str, args: &[&str]) {
    let servers = format!("--servers={}", server.name());
    let tool = Tool::run(program, &[&[servers.as_str()], args].concat(), ROUND_MAX);
    assert!(
        !tool.status.success(),
        "{program} {args:?} should have failed:\n{}",
        tool.output
    );
}

/// 1.6.45 itself fails the two delete cases: since it ignores further words, `delete k 10` deletes.
#[test]
fn memccapable_passes_all_but_delete() {
    let server = Server::larderd(&[]);
    let port = server.addr().port().to_string();
    let said = Tool::run(
        "memccapable",
        &["-h", "127.0.0.1", "-p", &port, "-a"],
        ROUND_MAX,
    )
    .output;
    // Each case prints its name and then how it went; a failure is told elsewhere.
    let cases = said.split("ascii ").skip(1);
    let (passed, failed): (Vec<&str>, Vec<&str>) = cases.partition(|case| case.contains("[pass]"));
    assert_eq!(
        passed.len() + failed.len(),
        27,
        "memccapable has 27 cases for ASCII:\n{said}"
    );
    for case in failed.iter().map(|case| case.trim()) {
        assert!(
            matches!(case, "delete" | "delete noreply"),
            "memccapable fails {case}:\n{said}"
        );
    }
}

#[test]
fn memccapable_passes_in_binary() {
    let server = Server::larderd(&[]);
    let port = server.addr().port().to_string();
    let args = ["-h", "127.0.0.1", "-p", &port, "-b"];
    let said = Tool::check("memccapable", &args, ROUND_MAX);
    assert!(said.contains("All tests passed"), "{said}");
}

#[test]
fn memccp_memccat_memcrm() {
    let server = Server::larderd(&[]);
    let folder = TempDir::new().expect("a temporary folder");
    let small = folder.path().join("small-file");
    let large = folder.path().join("large-file");
    fs::write(&small, "a few words\n").expect("a file");
    fs::write(&large, "x".repeat(900_000)).expect("a file");
    let (small, large) = (small.to_str().expect("text"), large.to_str().expect("text"));

    tool(&server, "memccp", &["--set", small, large]);
    let mut conn = server.connect();
    assert_eq!(
        conn.get("small-file").as_deref(),
        Some(&b"a few words\n"[..])
    );
    assert_eq!(
        conn.get("large-file").map(|value| value.len()),
        Some(900_000)
    );
    assert_eq!(
        tool(&server, "memccat", &["small-file"]).trim_end(),
        "a few words"
    );
    assert!(tool(&server, "memccat", &["large-file"]).contains(&"x".repeat(900_000)));

    tool(&server, "memccp", &["--replace", small]);
    tool(&server, "memccp", &["--buffer", "--set", small]);
    tool(&server, "memccp", &["--non-blocking", "--set", small]);

    tool(&server, "memcrm", &["small-file", "large-file"]);
    assert_eq!(conn.get("small-file"), None);
    assert_eq!(conn.get("large-file"), None);
    tool_fails(&server, "memccat", &["small-file"]);
}

#[test]
fn memcexist_memctouch_memcflush_memcping() {
    let server = Server::larderd(&[]);
    let mut conn = server.connect();
    assert_eq!(conn.set("there", b"1"), "STORED");

    tool(&server, "memcping", &[]);
    tool(&server, "memcexist", &["there"]);
    tool_fails(&server, "memcexist", &["missing"]);
    tool(&server, "memctouch", &["--expire=1000", "there"]);
    tool_fails(&server, "memctouch", &["--expire=1000", "missing"]);
    tool(&server, "memcexist", &["there"]);

    tool(&server, "memcflush", &[]);
    assert_eq!(conn.get("there"), None);
}

#[test]
fn memcstat_reads_the_stats() {
    let server = Server::larderd(&[]);
    let said = tool(&server, "memcstat", &[]);
    for name in [
        "pid",
        "version",
        "curr_items",
        "limit_maxbytes",
        "evictions",
    ] {
        assert!(said.contains(name), "memcstat shows no {name}:\n{said}");
    }
    assert!(tool(&server, "memcstat", &["settings"]).contains("maxbytes"));
    assert!(tool(&server, "memcstat", &["--server-version"]).contains("1.6."));
}

#[test]
fn memcdump_lists_nothing_of_an_empty_server() {
    let server = Server::larderd(&[]);
    assert_eq!(tool(&server, "memcdump", &[]).trim(), "");
}

#[test]
fn memcslap_and_memcaslap_load_without_an_error() {
    let server = Server::larderd(&["-m", "64"]);
    for test in ["--test=set", "--test=get", "--test=mget"] {
        tool(
            &server,
            "memcslap",
            &[
                test,
                "--concurrency=4",
                "--execute-number=2000",
                "--initial-load=2000",
            ],
        );
    }
    let args = [
        "--threads=2",
        "--concurrency=16",
        "--execute_number=40000",
        "--verify=1.0",
        "--division=20",
    ];
    let said = tool(&server, "memcaslap", &args);
    for line in ["verify_misses: 0", "verify_failed: 0", "get_misses: 0"] {
        assert!(said.contains(line), "memcaslap without {line}:\n{said}");
    }
}

#[test]
fn a_missing_server_is_seen_as_missing() {
    let server = Server::larderd(&[]);
    let name = format!("--servers={}", server.name());
    drop(server);
    let ping = Tool::run("memcping", &[&name], Duration::from_secs(60));
    assert!(
        !ping.status.success(),
        "memcping of a server that is gone:\n{}",
        ping.output
    );
}
