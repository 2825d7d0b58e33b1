//! Options that say where to listen.

use super::{OPT, Opt, Set};
use crate::refusal::Refusal;
use crate::units::number;

pub(super) const OPTIONS: &[Opt] = &[
    Opt {
        short: Some('p'),
        long: "port",
        value: "num",
        default: "11211",
        sample: "11311",
        row: "tcpport",
        doc: "TCP port to listen on. 0 is none, -1 is any that is free.",
        set: Set::Value(|settings, text| {
            settings.port = Some(port(text, -1)?);
            Ok(())
        }),
        ..OPT
    },
    Opt {
        short: Some('U'),
        long: "udp-port",
        value: "num",
        default: "0",
        sample: "11311",
        row: "udpport",
        doc: "Accepted and shown, but UDP is not served: its answers can be turned on others. Without -p, TCP takes \
              this port.",
        set: Set::Value(|settings, text| {
            settings.udp_port = port(text, -1)?;
            Ok(())
        }),
        ..OPT
    },
    Opt {
        short: Some('l'),
        long: "listen",
        value: "addr",
        default: "127.0.0.1",
        sample: "127.0.0.1,[::1]:11311",
        row: "inter",
        doc: "Address or host name to listen on, each with or without a port; several with commas, or by repeating \
              the option. * is every address of the machine: only behind a firewall, since whoever can connect can \
              read and write everything.",
        set: Set::Value(|settings, text| {
            settings.listen.push(text.trim().to_owned());
            Ok(())
        }),
        ..OPT
    },
    Opt {
        short: Some('s'),
        long: "unix-socket",
        value: "file",
        sample: "/run/larderd/larderd.sock",
        row: "domain_socket",
        doc: "Unix socket to listen on, instead of TCP. A socket file left there by an earlier run is replaced, one \
              where another process answers is not.",
        set: Set::Value(|settings, text| {
            settings.unix_socket = Some(text.trim().into());
            Ok(())
        }),
        ..OPT
    },
    Opt {
        short: Some('a'),
        long: "unix-mask",
        value: "mask",
        default: "700",
        sample: "770",
        row: "umask",
        doc: "Permissions of the Unix socket's file, in octal.",
        set: Set::Value(|settings, text| {
            settings.unix_mask = permissions(text)?;
            Ok(())
        }),
        ..OPT
    },
    Opt {
        short: Some('b'),
        long: "listen-backlog",
        value: "num",
        default: "1024",
        sample: "4096",
        row: "tcp_backlog",
        doc: "Connections that the kernel may keep waiting to be accepted.",
        set: Set::Value(|settings, text| {
            settings.backlog = number(text, 0..=i32::MAX as u32)?;
            Ok(())
        }),
        ..OPT
    },
];

/// A port number from `lowest` on; a bad one is a usage error, as in memcached.
fn port(text: &str, lowest: i32) -> Result<i32, Refusal> {
    number(text, lowest..=65_535).map_err(Refusal::into_usage)
}

fn permissions(text: &str) -> Result<u32, Refusal> {
    let text = text.trim();
    match u32::from_str_radix(text, 8) {
        Ok(bits) if bits <= 0o777 => Ok(bits),
        _ => Err(Refusal::value(format!(
            "`{text}` is not a mask of permissions in octal, such as 700"
        ))),
    }
}
