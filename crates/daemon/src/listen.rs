//! `-l`, `-p` and `-s`: from what was typed to the addresses to bind.
//!
//! An entry of `-l` is `[proto[name]:][tag[x]:]host[:port]`; entries are separated by commas or semicolons, IPv6
//! addresses with a port stand in brackets, `*` is every address of the machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;

use larder_runtime::{ClientCert, Endpoint, Passed, Place, Protocol};

use crate::refusal::{Refusal, Refusals};
use crate::settings::{DEFAULT_LISTEN, Settings};

/// One place to listen, its name not yet looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    host: String,
    port: u16,
    /// What is to be spoken there, if the entry says so.
    protocol: Option<Protocol>,
    /// Whether by TLS, if the entry says so.
    tls: Option<Option<ClientCert>>,
}

/// The places that a service manager has passed on, which stand in for what options say.
pub(crate) fn passed(settings: &Settings, passed: Vec<Passed>) -> Result<Vec<Endpoint>, Refusal> {
    let is_tcp = |passed: &Passed| passed.tcp_addr().is_some();
    if settings.tls.enabled && !passed.iter().any(is_tcp) {
        return Err(Refusal::usage(
            "-Z is for TCP ports, and the sockets passed on by LISTEN_FDS are Unix sockets: leave it out",
        ));
    }
    let by_tls = |passed: &Passed| settings.tls.enabled && is_tcp(passed);
    let endpoints = passed.into_iter().map(|passed| Endpoint {
        protocol: settings.protocol(),
        tls: by_tls(&passed).then(|| settings.tls.client_cert()),
        place: Place::Passed(Arc::new(passed)),
    });
    Ok(endpoints.collect())
}

/// Judges entries of `-l` that sockets of a service manager stand in for. What they ask of clients would be lost with them,
/// and a port that is thought to be closed would be open.
pub(crate) fn judge_unused(settings: &Settings) -> Result<(), Refusal> {
    for (number, list) in settings.listen.iter().enumerate() {
        for text in entries_of(list) {
            let has_prefix =
                |prefixes: Prefixes<'_>| prefixes.tls.is_some() || prefixes.protocol.is_some();
            if prefixes(text).map_or(true, has_prefix) {
                let why = "a socket that a service manager passes has no prefix: leave this out, and say for all of \
                           them -o ssl_verify_mode=2 instead of mtls:, and -B instead of proto[]:";
                let refusal = Refusal::usage(why).at(format_args!("-l {text}"));
                return Err(settings.places.put_nth(refusal, "listen", number));
            }
        }
    }
    Ok(())
}

/// The entries of one `-l`. A comma too many is no address, and no harm either.
fn entries_of(list: &str) -> impl Iterator<Item = &str> {
    let entries = list.split([',', ';']).map(str::trim);
    entries.filter(|text| !text.is_empty())
}

/// Adds places to those that are there. `127.0.0.1,localhost` names one address twice, which is no harm if both say the same
/// of it.
fn add(all: &mut Vec<Endpoint>, more: Vec<Endpoint>) -> Result<(), Refusal> {
    for endpoint in more {
        match all.iter().find(|other| other.place == endpoint.place) {
            None => all.push(endpoint),
            Some(other) if (other.tls, other.protocol) == (endpoint.tls, endpoint.protocol) => {}
            Some(_) => {
                return Err(Refusal::usage(
                    "an entry before has the same address, with another protocol or kind of TLS: leave one of them out",
                ));
            }
        }
    }
    Ok(())
}

/// Where to listen. Looks up names; those that are none are the system's refusal, as in memcached. Every bad entry is told.
pub(crate) fn endpoints(settings: &Settings) -> Result<Vec<Endpoint>, Refusals> {
    if let Some(path) = &settings.unix_socket {
        return Ok(vec![Endpoint {
            place: Place::Unix {
                path: path.clone(),
                mask: settings.unix_mask,
            },
            protocol: settings.protocol(),
            tls: None,
        }]);
    }
    // -1 is any free port, which the system calls 0.
    let port = settings.tcp_port().max(0) as u16;
    let by_default = [DEFAULT_LISTEN.to_owned()];
    let lists = match settings.listen.is_empty() {
        true => &by_default[..],
        false => &settings.listen,
    };
    let (mut endpoints, mut refusals) = (Vec::<Endpoint>::new(), Vec::new());
    for (number, list) in lists.iter().enumerate() {
        for text in entries_of(list) {
            let added =
                endpoints_of(text, port, settings).and_then(|more| add(&mut endpoints, more));
            if let Err(refusal) = added {
                let refusal = refusal.at(format_args!("-l {text}"));
                refusals.push(settings.places.put_nth(refusal, "listen", number));
            }
        }
    }
    if endpoints.is_empty() && refusals.is_empty() {
        let why = "-l names no address: write one such as 127.0.0.1, or * for all";
        refusals.push(settings.places.put(Refusal::system(why), &["listen"]));
    }
    Refusals::any(refusals).map(|()| endpoints)
}

/// What one entry stands for.
fn endpoints_of(text: &str, port: u16, settings: &Settings) -> Result<Vec<Endpoint>, Refusal> {
    let entry = entry(text, port)?;
    let addresses = entry.resolve()?;
    let protocol = entry.protocol.unwrap_or(settings.protocol());
    if protocol == Protocol::Binary && settings.users_file.is_some() && !settings.sasl {
        return Err(Refusal::usage(
            "the binary protocol and -Y need -S, or nobody could say who he is",
        ));
    }
    let tls = tls(entry.tls, settings)?;
    let endpoints = addresses.into_iter().map(|address| Endpoint {
        place: Place::Tcp(address),
        protocol,
        tls,
    });
    Ok(endpoints.collect())
}

/// Reads one entry.
fn entry(text: &str, default_port: u16) -> Result<Entry, Refusal> {
    let Prefixes {
        protocol,
        tls,
        rest,
    } = prefixes(text)?;
    let (host, port) = split_port(rest)?;
    if host.is_empty() {
        return Err(Refusal::system(
            "names no address: write one such as 127.0.0.1, or * for all",
        ));
    }
    let port = match port {
        None => default_port,
        Some(digits) => digits
            .parse()
            .map_err(|_| Refusal::system(format!("`{digits}` is not a port from 0 to 65535")))?,
    };
    Ok(Entry {
        host: host.to_owned(),
        port,
        protocol,
        tls,
    })
}

/// What an address has of TLS: what its entry says, or else what -Z does.
fn tls(
    own: Option<Option<ClientCert>>,
    settings: &Settings,
) -> Result<Option<ClientCert>, Refusal> {
    let enabled = settings.tls.enabled;
    match own {
        Some(_) if !enabled => Err(Refusal::system(
            "notls:, btls: and mtls: are for -Z, which is not given",
        )),
        Some(Some(ClientCert::Required)) if settings.tls.ca.is_none() => Err(Refusal::system(
            "mtls: needs -o ssl_ca_cert=<file> to say whose certificates are good",
        )),
        Some(own) => Ok(own),
        None => Ok(enabled.then(|| settings.tls.client_cert())),
    }
}

/// What stands in front of an entry's address, and the address.
struct Prefixes<'a> {
    protocol: Option<Protocol>,
    tls: Option<Option<ClientCert>>,
    rest: &'a str,
}

/// Takes memcached's prefixes off: TLS, protocol, tag.
fn prefixes(text: &str) -> Result<Prefixes<'_>, Refusal> {
    let kinds = [
        ("notls:", None),
        ("btls:", Some(ClientCert::No)),
        ("mtls:", Some(ClientCert::Required)),
    ];
    let tls = kinds
        .iter()
        .find_map(|(prefix, kind)| Some((text.strip_prefix(prefix)?, *kind)));
    let (mut rest, tls) = match tls {
        Some((rest, kind)) => (rest, Some(kind)),
        None => (text, None),
    };
    let mut protocol = None;
    if let Some((name, after)) = bracketed(rest, "proto") {
        rest = after;
        protocol = Some(match name {
            "ascii" => Protocol::Text,
            "binary" => Protocol::Binary,
            "negotiating" => Protocol::Negotiated,
            _ => {
                return Err(Refusal::system(format!(
                    "`{name}` is not a protocol: write ascii, binary or negotiating"
                )));
            }
        });
    }
    if let Some((_, after)) = bracketed(rest, "tag") {
        rest = after;
    }
    Ok(Prefixes {
        protocol,
        tls,
        rest,
    })
}

/// `word[name]:rest` or `word_name_:rest`, taken apart.
fn bracketed<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let text = text.strip_prefix(word)?;
    let (name, rest) = match text.strip_prefix('[') {
        Some(text) => text.split_once("]:")?,
        None => text.strip_prefix('_')?.split_once("_:")?,
    };
    Some((name, rest))
}

/// `host:port`, `[v6]:port`, `[v6]`, or a host alone; a bare IPv6 address has no port.
fn split_port(text: &str) -> Result<(&str, Option<&str>), Refusal> {
    if let Some(inner) = text.strip_prefix('[') {
        let (host, rest) = inner
            .split_once(']')
            .ok_or_else(|| Refusal::system("the bracket [ is not closed"))?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(Refusal::system(format!("`{rest}` follows the bracket ]"))),
        };
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => Ok((host, Some(port))),
        _ => Ok((text, None)),
    }
}

impl Entry {
    fn resolve(&self) -> Result<Vec<SocketAddr>, Refusal> {
        if self.host == "*" {
            return Ok(every_address(self.port));
        }
        (self.host.as_str(), self.port)
            .to_socket_addrs()
            .map(Iterator::collect)
            .map_err(|error| Refusal::system(format!("cannot be looked up: {error}")))
    }
}

/// All addresses of the machine; those of IPv6 only where it has them.
fn every_address(port: u16) -> Vec<SocketAddr> {
    let has_v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    let v4 = IpAddr::from(Ipv4Addr::UNSPECIFIED);
    let v6 = has_v6.then_some(IpAddr::from(Ipv6Addr::UNSPECIFIED));
    [v4].into_iter()
        .chain(v6)
        .map(|address| SocketAddr::new(address, port))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::Code;

    fn addresses(settings: &Settings) -> Result<Vec<String>, Refusals> {
        let name = |endpoint: &Endpoint| match &endpoint.place {
            Place::Tcp(address) => address.to_string(),
            Place::Unix { path, mask } => format!("{} {mask:o}", path.display()),
            Place::Passed(passed) => format!("{passed:?}"),
        };
        Ok(endpoints(settings)?.iter().map(name).collect())
    }

    fn listening_on(lists: &[&str]) -> Result<Vec<String>, Refusals> {
        addresses(&Settings {
            listen: lists.iter().map(|list| (*list).to_owned()).collect(),
            ..Settings::default()
        })
    }

    #[test]
    fn entries() {
        let table: &[(&[&str], &[&str])] = &[
            (&[], &["127.0.0.1:11211"]),
            (&["127.0.0.2"], &["127.0.0.2:11211"]),
            (&["127.0.0.2:80"], &["127.0.0.2:80"]),
            (
                &["127.0.0.1,127.0.0.2:5"],
                &["127.0.0.1:11211", "127.0.0.2:5"],
            ),
            (
                &["127.0.0.1; 127.0.0.2"],
                &["127.0.0.1:11211", "127.0.0.2:11211"],
            ),
            (
                &["127.0.0.1", "127.0.0.2:5"],
                &["127.0.0.1:11211", "127.0.0.2:5"],
            ),
            (&["127.0.0.1,127.0.0.1"], &["127.0.0.1:11211"]),
            (&["127.0.0.1,;"], &["127.0.0.1:11211"]),
            (&["::1"], &["[::1]:11211"]),
            (&["[::1]"], &["[::1]:11211"]),
            (&["[::1]:80"], &["[::1]:80"]),
            (&["proto[ascii]:127.0.0.1:5"], &["127.0.0.1:5"]),
            (
                &["proto[negotiating]:tag[a]:127.0.0.1"],
                &["127.0.0.1:11211"],
            ),
            (&["proto[binary]:127.0.0.1"], &["127.0.0.1:11211"]),
            (&["tag_a_:[::1]:5"], &["[::1]:5"]),
        ];
        for (lists, expected) in table {
            assert_eq!(
                listening_on(lists).expect("good entries"),
                *expected,
                "{lists:?}"
            );
        }
    }

    #[test]
    fn an_entry_may_have_a_protocol_of_its_own() {
        let list = "127.0.0.1:1,proto[ascii]:127.0.0.1:2,proto[negotiating]:127.0.0.1:3";
        let settings = Settings {
            listen: vec![list.to_owned()],
            protocol: Protocol::Binary,
            ..Settings::default()
        };
        let endpoints = endpoints(&settings).expect("good entries");
        let protocols: Vec<Protocol> = endpoints.iter().map(|place| place.protocol).collect();
        let expected = [Protocol::Binary, Protocol::Text, Protocol::Negotiated];
        assert_eq!(protocols, expected);
    }

    #[test]
    fn one_address_is_not_listened_on_in_two_ways() {
        for list in [
            "proto[ascii]:127.0.0.1:5,127.0.0.1:5",
            "127.0.0.1:5,proto[binary]:127.0.0.1:5",
        ] {
            let why = listening_on(&[list]).expect_err(list).0[0].to_string();
            assert!(why.contains("the same address, with another"), "{why}");
        }
        let tls = |list: &str| {
            let mut settings = Settings {
                listen: vec![list.to_owned()],
                ..Settings::default()
            };
            settings.tls.enabled = true;
            settings.tls.ca = Some("ca.pem".into());
            endpoints(&settings).map(|all| all.len())
        };
        assert!(tls("notls:127.0.0.1,mtls:127.0.0.1").is_err());
        assert!(tls("btls:127.0.0.1,127.0.0.1").is_ok_and(|places| places == 1));
        assert!(tls("notls:127.0.0.1,mtls:127.0.0.2").is_ok_and(|places| places == 2));
    }

    #[test]
    fn what_an_unused_entry_asks_of_clients_is_not_lost() {
        let judge = |list: &str| {
            judge_unused(&Settings {
                listen: vec![list.to_owned()],
                ..Settings::default()
            })
        };
        for list in ["192.0.2.1,tag[x]:*:5", "", "localhost"] {
            assert!(judge(list).is_ok(), "{list}");
        }
        for list in ["mtls:192.0.2.1", "*,notls:127.0.0.1", "proto[ascii]:*"] {
            let why = judge(list).expect_err(list).to_string();
            assert!(why.contains("-o ssl_verify_mode=2"), "{why}");
        }
    }

    #[test]
    fn every_address_of_the_machine() {
        let all = listening_on(&["*:5"]).expect("addresses");
        assert_eq!(all[0], "0.0.0.0:5");
        assert!(all.len() == 1 || all[1..] == ["[::]:5"]);
    }

    #[test]
    fn names_are_looked_up() {
        let all = listening_on(&["localhost:5"]).expect("every machine has localhost");
        assert!(
            all.iter()
                .all(|address| address == "127.0.0.1:5" || address == "[::1]:5")
        );
    }

    #[test]
    fn bad_entries_are_the_systems_refusals() {
        let table = [
            "",
            ",",
            ":80",
            "127.0.0.1:99999",
            "127.0.0.1:x",
            "[::1",
            "[::1]80",
            "notls:127.0.0.1",
            "mtls:*",
            "proto[foo]:127.0.0.1",
            "no such host",
            "256.1.1.1.1",
        ];
        for list in table {
            let refusals = listening_on(&[list]).expect_err(list).0;
            let refusal = &refusals[0];
            assert_eq!(refusal.code, Code::System, "{list:?}");
            assert!(refusal.sentence.starts_with("-l "), "{list:?}: {refusal}");
        }
    }

    #[test]
    fn ports_and_unix_sockets() {
        let with = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            addresses(&settings).expect("addresses")
        };
        assert_eq!(with(|s| s.port = Some(-1)), ["127.0.0.1:0"]);
        assert_eq!(with(|s| s.udp_port = 9), ["127.0.0.1:9"]);
        let unix = |s: &mut Settings| {
            s.unix_socket = Some("/run/x".into());
            s.listen.push("*".to_owned());
        };
        assert_eq!(with(unix), ["/run/x 700"]);
    }
}
