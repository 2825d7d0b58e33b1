//! Who comes in: versions, certificates of clients, listeners of different kinds, clients that took the wrong port, and
//! floods of those who never end their handshake.

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::time::Duration;

use rustls::ProtocolVersion;

use crate::authority::Authority;
use crate::client::{ONLY_12, ONLY_13, TlsConn, config};
use crate::support::{Conn, Server, is_root, wait_until};
use crate::tools::s_client;

const LIMIT: Duration = Duration::from_secs(20);

fn wait_for_log(server: &Server, words: &str) {
    wait_until(LIMIT, words, || server.log().contains(words));
}

/// As packages lay keys out: memcached reads them as root, too, before it goes on as somebody else.
#[test]
fn a_key_that_is_roots_alone_is_read_before_root_is_given_up() {
    if !is_root() {
        eprintln!("not root: nothing to give up");
        return;
    }
    let authority = Authority::new();
    let key = authority.path("key.pem");
    chown(&key, Some(0), Some(0)).expect("a file of root's");
    fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("for nobody else");
    let server = authority.server(&["-u", "nobody"]);
    TlsConn::open(server.addr(), &config(&authority, ONLY_13, None)).set("key", b"value");
    wait_for_log(
        &server,
        "key.pem was read by root, and nobody cannot read it",
    );
}

#[test]
fn both_versions_are_spoken_unless_the_older_is_refused() {
    let authority = Authority::new();
    let server = authority.server(&[]);
    for (versions, expected) in [
        (ONLY_12, ProtocolVersion::TLSv1_2),
        (ONLY_13, ProtocolVersion::TLSv1_3),
    ] {
        let mut conn = TlsConn::open(server.addr(), &config(&authority, versions, None));
        assert_eq!(conn.version(), Some(expected));
        assert_eq!(conn.stat(" settings", "ssl_enabled"), "yes");
        conn.send(b"quit\r\n");
        assert!(conn.ends_clean(), "{expected:?}");
    }
    let server = authority.server(&["-o", "ssl_min_version=3"]);
    assert!(TlsConn::try_open(server.addr(), &config(&authority, ONLY_12, None)).is_err());
    let mut conn = TlsConn::open(server.addr(), &config(&authority, ONLY_13, None));
    assert_eq!(conn.stat("", "ssl_handshake_errors"), "1");
    wait_for_log(&server, "no TLS connection came about");
}

#[test]
fn versions_before_1_2_mean_1_2() {
    let authority = Authority::new();
    for version in ["0", "1"] {
        let server = authority.server(&["-o", &format!("ssl_min_version={version}")]);
        TlsConn::open(server.addr(), &config(&authority, ONLY_12, None));
        let mut conn = TlsConn::open(server.addr(), &config(&authority, ONLY_13, None));
        let old = s_client(
            &server.name(),
            &authority.path("ca.pem").display().to_string(),
            "-tls1_1 -cipher DEFAULT@SECLEVEL=0",
            r"mn\r\nquit\r\n",
        );
        assert!(!old.output.contains("MN"), "{}", old.output);
        assert_eq!(conn.stat("", "ssl_handshake_errors"), "1");
        assert!(server.log().contains("TLS 1.2 is the lowest here"));
    }
}

#[test]
fn certificates_of_clients_are_asked_for_as_the_options_say() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let good = authority.sign("a client");
    let bad = stranger.sign("a stranger");
    // By mode: who comes in of those without a certificate, with a good one, with a bad one.
    for (mode, expected) in [
        ("0", [true, true, true]),
        ("1", [true, true, false]),
        ("2", [false, true, false]),
        ("3", [false, true, false]),
    ] {
        let server = authority.server(&["-o", &format!("ssl_verify_mode={mode}")]);
        for versions in [ONLY_12, ONLY_13] {
            let comes_in = [None, Some(&good), Some(&bad)].map(|own| {
                TlsConn::try_open(server.addr(), &config(&authority, versions, own)).is_ok()
            });
            assert_eq!(comes_in, expected, "ssl_verify_mode={mode}");
        }
    }
}

#[test]
fn each_listener_may_be_of_a_kind_of_its_own() {
    let authority = Authority::new();
    let server = authority.server(&["-l", "notls:127.0.0.2,btls:127.0.0.3,mtls:127.0.0.4"]);
    let addrs: Vec<SocketAddr> = (1..)
        .zip(server.ports())
        .map(|(host, port)| (Ipv4Addr::new(127, 0, 0, host), port).into())
        .collect();
    let (nobody, known) = (
        config(&authority, ONLY_13, None),
        config(&authority, ONLY_13, Some(&authority.sign("a client"))),
    );
    assert_eq!(Conn::open(addrs[1]).ask("mn"), "MN");
    assert!(TlsConn::try_open(addrs[1], &nobody).is_err());
    for addr in [addrs[0], addrs[2]] {
        TlsConn::open(addr, &nobody);
    }
    assert!(TlsConn::try_open(addrs[3], &nobody).is_err());
    TlsConn::open(addrs[3], &known);
    wait_for_log(&server, "speaks TLS; this port is for plain text");
}

#[test]
fn plain_text_at_a_tls_port_ends_with_a_line_in_the_log() {
    let authority = Authority::new();
    let server = authority.server(&[]);
    let mut lost = server.connect();
    lost.send(b"get a\r\n");
    assert_eq!(lost.until_closed(), b"");
    wait_for_log(
        &server,
        "speaks in plain text; this port is for TLS; closed",
    );
    let mut conn = TlsConn::open(server.addr(), &config(&authority, ONLY_13, None));
    assert_eq!(conn.stat("", "ssl_handshake_errors"), "1");
    assert_eq!(conn.stat("", "ssl_proto_errors"), "0");
}

#[test]
fn watchers_are_told_of_those_that_failed() {
    let authority = Authority::new();
    let server = authority.server(&["-t", "1"]);
    let mut watcher = TlsConn::open(server.addr(), &config(&authority, ONLY_13, None));
    assert_eq!(watcher.ask("watch connevents"), "OK");
    let mut lost = server.connect();
    lost.send(b"get a\r\n");
    lost.until_closed();
    let mut seen = String::new();
    while !seen.contains("type=conntlserr fd=") {
        seen.push_str(&String::from_utf8_lossy(&watcher.exactly(1)));
    }
}

#[test]
fn sessions_are_resumed_only_where_they_may_be() {
    let authority = Authority::new();
    let twice = |options: &[&str], versions| {
        let server = authority.server(options);
        let config = config(&authority, versions, None);
        assert!(!TlsConn::open(server.addr(), &config).resumed());
        let mut second = TlsConn::open(server.addr(), &config);
        let resumed = second.resumed();
        let rows = match resumed {
            true => second
                .stat("", "ssl_new_sessions")
                .parse::<u64>()
                .expect("a number"),
            false => 0,
        };
        (resumed, rows > 0)
    };
    for versions in [ONLY_12, ONLY_13] {
        assert_eq!(twice(&[], versions), (false, false));
        let cache = ["-o", "ssl_session_cache"];
        assert_eq!(twice(&cache, versions), (true, true));
    }
}

#[test]
fn a_flood_of_half_open_handshakes_leaves_others_working() {
    let authority = Authority::new();
    let server = authority.server(&["-t", "2", "-o", "entering_max=20"]);
    let config = config(&authority, ONLY_13, None);
    let mut working = TlsConn::open(server.addr(), &config);
    // The beginning of a record of a handshake, and no more; or nothing at all.
    let mut flood: Vec<Conn> = (0..200)
        .map(|number| {
            let mut conn = server.connect();
            if number % 2 == 0 {
                conn.try_send(&[22, 3, 1, 2, 0, 1]);
            }
            conn
        })
        .collect();
    working.set("key", b"value");
    let mut newcomer = TlsConn::open(server.addr(), &config);
    assert_eq!(newcomer.get("key", 5), b"value");
    // All but the youngest twenty have been given up by now.
    for conn in &mut flood[..170] {
        assert_eq!(conn.until_closed(), b"");
    }
    let given_up = working.stat(" larder", "entries_given_up");
    assert!(
        given_up.parse::<u64>().expect("a number") >= 170,
        "{given_up}"
    );
}

#[test]
fn a_handshake_has_its_time() {
    let authority = Authority::new();
    let server = authority.server(&["-o", "entry_timeout=1s"]);
    let mut slow = server.connect();
    slow.send(&[22, 3, 1]);
    assert_eq!(slow.until_closed(), b"");
    wait_for_log(&server, "has not done its TLS handshake in time");
}

#[test]
fn bad_files_are_refused_at_the_start() {
    let authority = Authority::new();
    let check = |spoil: &dyn Fn()| {
        authority.install(&authority.sign("a server"));
        spoil();
        let args = ["-u", "root", "--check-config", "-p", "-1", "-Z", "-o"];
        let options = authority.options();
        let args = [&args[..], &[&options]].concat();
        let tool = crate::support::Tool::run(env!("CARGO_BIN_EXE_larderd"), &args, LIMIT);
        (tool.status.code(), tool.output)
    };
    assert_eq!(check(&|| {}).0, Some(0));
    let other = authority.sign("another");
    let table: [(&dyn Fn(), &str); 5] = [
        (
            &|| authority.write("cert.pem", &other.chain),
            "Error validating the certificate",
        ),
        (
            &|| authority.write("key.pem", "no key"),
            "Error loading the key",
        ),
        (
            &|| authority.write("cert.pem", ""),
            "Error loading the certificate chain",
        ),
        (
            &|| {
                use std::os::unix::fs::PermissionsExt;
                let mode = Permissions::from_mode(0o644);
                fs::set_permissions(authority.path("key.pem"), mode).expect("chmod");
            },
            "anybody may read it (mode 0644)",
        ),
        (
            &|| {
                use std::os::unix::fs::PermissionsExt;
                let mode = Permissions::from_mode(0o660);
                fs::set_permissions(authority.path("key.pem"), mode).expect("chmod");
            },
            "others than its owner may write it (mode 0660)",
        ),
    ];
    for (spoil, words) in table {
        let (code, output) = check(spoil);
        assert_eq!(code, Some(64), "{output}");
        assert!(output.contains(words), "{output}");
    }
}
