//! Options that say who may come in: TLS and its files, users.

use larder_runtime::{ClientCert, Protocol};

use super::extended::{assign, value};
use super::{OPT, Opt, Set};
use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::units::{KIB, SECOND, number, size32, time};

pub(super) const OPTIONS: &[Opt] = &[
    Opt {
        short: Some('Z'),
        long: "enable-ssl",
        row: "ssl_enabled",
        doc: "Serves TLS 1.2 and 1.3 at every TCP address that is not marked otherwise (-l notls:127.0.0.1, or \
              btls: and mtls: for clients without and with certificates of their own). Needs -o ssl_chain_cert and \
              ssl_key.",
        set: Set::Switch(|settings| settings.tls.enabled = true),
        ..OPT
    },
    Opt {
        short: Some('Y'),
        long: "auth-file",
        value: "file",
        sample: "/etc/larderd/users",
        row: "auth_enabled_ascii",
        doc: "Lets in only who is in this file, user:password a line (larderd hash-password makes one that keeps the \
              password secret). Alone it means the text protocol only, whose clients say \"set auth 0 0 <bytes>\" and \
              \"user password\" first. A line @user read,write,stats,admin prefix=app: cert=NAME says what a user may do, \
              on keys that begin how, and by which TLS client certificate it is known, too; @default is whoever has not \
              said who it is. Read anew when it changes and on SIGHUP.",
        set: Set::Value(|s, text| path(&mut s.users_file, text)),
        ..OPT
    },
    Opt {
        short: Some('S'),
        long: "enable-sasl",
        row: "auth_enabled_sasl",
        doc: "With -Y: serves the binary protocol, too, whose clients say by SASL PLAIN who they are.",
        set: Set::Switch(|s| s.sasl = true),
        ..OPT
    },
];

/// The suboptions of `-o`.
pub(super) const SUBOPTIONS: &[Opt] = &[
    value(
        ["ssl_chain_cert", "file", "", "/etc/larderd/cert.pem"],
        "ssl_chain_cert",
        "The server's certificate, and those that lead from it to its authority, in PEM.",
        |s, text| path(&mut s.tls.chain, text),
    ),
    value(
        ["ssl_key", "file", "", "/etc/larderd/key.pem"],
        "ssl_key",
        "The private key of the server's certificate; may be in the same file.",
        |s, text| path(&mut s.tls.key, text),
    ),
    value(
        ["ssl_keyformat", "num", "1", "2"],
        "ssl_keyformat",
        "The form of ssl_key: 1 is PEM, 2 is DER.",
        |s, text| assign(&mut s.tls.key_format, number(text, 1..=2)),
    ),
    value(
        ["ssl_verify_mode", "num", "0", "2"],
        "ssl_verify_mode",
        "Certificates of clients: 0 is not asked for, 1 asked for, 2 or 3 required. From 1 on ssl_ca_cert is needed.",
        |s, text| assign(&mut s.tls.verify_mode, number(text, 0..=3)),
    ),
    value(
        ["ssl_ca_cert", "file", "", "/etc/larderd/ca.pem"],
        "ssl_ca_cert",
        "The authorities whose certificates clients may show, in PEM.",
        |s, text| path(&mut s.tls.ca, text),
    ),
    value(
        ["ssl_ciphers", "list", "", "ECDHE-ECDSA-AES128-GCM-SHA256"],
        "ssl_ciphers",
        "Suites of TLS 1.2 to offer, by OpenSSL's names with colons between them. Those of TLS 1.3 always are.",
        |s, text| {
            s.tls.ciphers = Some(text.to_owned());
            Ok(())
        },
    ),
    value(
        ["ssl_min_version", "num", "2", "3"],
        "ssl_min_version",
        "The lowest version of TLS: 2 is 1.2, 3 is 1.3. 0 and 1, the versions before 1.2, mean 1.2 here.",
        |s, text| assign(&mut s.tls.min_version, number(text, 0..=3)),
    ),
    Opt {
        long: "ssl_session_cache",
        row: "ssl_session_cache",
        doc: "Lets clients come back with what they know of an earlier connection, which spares both sides most of \
              the handshake.",
        set: Set::Switch(|s| s.tls.session_cache = true),
        ..OPT
    },
    Opt {
        effect: false,
        ..value(
            ["ssl_wbuf_size", "size", "16", "32"],
            "ssl_wbuf_size",
            "Accepted and shown, in kilobytes or with a unit; connections have no such buffer here.",
            |s, text| assign(&mut s.tls.write_buffer_bytes, size32(text, KIB)),
        )
    },
    Opt {
        long: "ssl_kernel_tls",
        row: "ssl_kernel_tls",
        doc: "Accepted and shown; TLS is not handed to the kernel.",
        set: Set::Switch(|s| s.tls.kernel_tls = true),
        effect: false,
        ..OPT
    },
    value(
        ["entry_timeout", "time", "10", "5s"],
        "",
        "How long a client may take to come in, in seconds or with a unit: its TLS handshake, and with -Y saying who \
         it is.",
        |s, text| {
            s.entry_timeout_s = match time(text, SECOND)? {
                0 => return Err(Refusal::value("should be a second or more")),
                seconds => seconds,
            };
            Ok(())
        },
    ),
    value(
        ["entering_max", "num", "1000", "4000"],
        "",
        "Most clients that have not come in at once, a share of them at each worker; beyond them its oldest is given up.",
        |s, text| assign(&mut s.entering_max, number(text, 1..=1_000_000)),
    ),
    Opt {
        long: "allow_world_readable_secrets",
        doc: "Serves with a private key or a users file that anybody on this machine may read, or others than its \
              owner may write, which is refused otherwise.",
        set: Set::Switch(|s| s.allow_world_readable_secrets = true),
        ..OPT
    },
];

fn path(to: &mut Option<std::path::PathBuf>, text: &str) -> Result<(), Refusal> {
    match text.trim() {
        "" => Err(Refusal::value("needs the name of a file")),
        name => {
            *to = Some(name.into());
            Ok(())
        }
    }
}

/// What these options must be together.
pub(crate) fn judge(settings: &Settings) -> Vec<Refusal> {
    judge_users(settings)
        .into_iter()
        .chain(judge_tls(settings))
        .collect()
}

fn judge_users(settings: &Settings) -> Option<Refusal> {
    let Settings {
        users_file, sasl, ..
    } = settings;
    let (options, clash): (&[&str], _) = match (users_file.is_some(), sasl, settings.protocol) {
        (false, true, _) => (
            &["enable-sasl", "auth-file"],
            "-S needs -Y <file>: users of the binary protocol are in that file, too",
        ),
        (true, false, Protocol::Binary) => (
            &["protocol", "auth-file", "enable-sasl"],
            "-B binary and -Y need -S, or nobody could say who he is",
        ),
        (true, true, Protocol::Text) => (
            &["enable-sasl", "protocol"],
            "-S is for the binary protocol, and -B ascii leaves none",
        ),
        _ => return None,
    };
    settings.clash(options, clash)
}

/// What -Z and its suboptions must be together.
pub(crate) fn judge_tls(settings: &Settings) -> Vec<Refusal> {
    let tls = &settings.tls;
    if !tls.enabled {
        return Vec::new();
    }
    let missing = [("ssl_chain_cert", &tls.chain), ("ssl_key", &tls.key)];
    let missing = missing.into_iter().filter(|(_, path)| path.is_none());
    let mut clashes: Vec<_> = missing
        .map(|(name, _)| {
            settings.clash(&["enable-ssl", name], format!("-Z needs -o {name}=<file>"))
        })
        .collect();
    if settings.unix_socket.is_some() || settings.tcp_port() == 0 {
        clashes.push(settings.clash(
            &["enable-ssl", "unix-socket", "port"],
            "-Z is for TCP ports, and there is none: a Unix socket has no TLS",
        ));
    }
    if tls.client_cert() != ClientCert::No && tls.ca.is_none() {
        clashes.push(settings.clash(
            &["ssl_verify_mode", "ssl_ca_cert"],
            "-o ssl_verify_mode asks clients for certificates; ssl_ca_cert=<file> must say whose are good",
        ));
    }
    clashes.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::Code;

    type Change = fn(&mut Settings);

    fn with(change: Change) -> Vec<Refusal> {
        let mut settings = Settings::default();
        settings.tls.enabled = true;
        settings.tls.chain = Some("/chain".into());
        settings.tls.key = Some("/key".into());
        change(&mut settings);
        judge(&settings)
    }

    #[test]
    fn options_that_do_not_go_together_are_usage_errors() {
        let table: [(Change, &str); 4] = [
            (|s| s.tls.chain = None, "-Z needs -o ssl_chain_cert=<file>"),
            (|s| s.tls.key = None, "-Z needs -o ssl_key=<file>"),
            (|s| s.tls.verify_mode = 1, "-o ssl_verify_mode asks clients"),
            (|s| s.unix_socket = Some("/x".into()), "-Z is for TCP ports"),
        ];
        for (change, beginning) in table {
            let refusals = with(change);
            let refusal = refusals.first().expect(beginning);
            assert!(refusal.sentence.starts_with(beginning), "{refusal}");
            assert_eq!(refusal.code, Code::Usage, "{beginning}");
        }
        assert_eq!(with(|_| {}), []);
        assert_eq!(with(|s| s.tls.enabled = false), []);
    }
}
