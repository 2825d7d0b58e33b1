//! A client's settings in one line.

use std::time::Duration;

use super::builder::{BuildError, Builder};
#[cfg(feature = "tls")]
use crate::conn::Tls;
use crate::node::NodeSpec;
use crate::ring::Distribution;

/// What a URL of ours begins with.
const SCHEME: &str = "memcache://";

/// Puts what the URL says into the builder.
pub(super) fn apply(builder: Builder, url: &str) -> Result<Builder, BuildError> {
    let Some(rest) = url.strip_prefix(SCHEME) else {
        return Err(wrong("a URL of a pool begins with memcache://"));
    };
    let (rest, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let (credentials, nodes) = match rest.rsplit_once('@') {
        Some((credentials, nodes)) => (Some(credentials), nodes),
        None => (None, rest),
    };
    let nodes: Result<Vec<NodeSpec>, _> = nodes.split(',').map(str::parse).collect();
    let mut builder = builder.nodes(nodes?);
    if let Some(credentials) = credentials {
        let Some((user, password)) = credentials.split_once(':') else {
            return Err(wrong(
                "before the @ of the URL stand a user, a colon and a password",
            ));
        };
        builder = builder.credentials(decoded(user)?, decoded(password)?);
    }
    for parameter in parameters
        .split('&')
        .filter(|parameter| !parameter.is_empty())
    {
        builder = set(builder, parameter)?;
    }
    Ok(builder)
}

fn set(builder: Builder, parameter: &str) -> Result<Builder, BuildError> {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    let number = || {
        value
            .parse::<u32>()
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| {
                wrong(&format!(
                    "`{name}` takes a whole number above 0, not `{value}`"
                ))
            })
    };
    Ok(match name {
        "dist" => builder.routing(value.parse::<Distribution>()?),
        "timeout_ms" => builder.timeout(Duration::from_millis(number()?.into())),
        "connect_timeout_ms" => builder.connect_timeout(Duration::from_millis(number()?.into())),
        "classic" if value.is_empty() => builder.classic(),
        "tls" if value.is_empty() => with_tls(builder, None)?,
        "tls_ca" => with_tls(builder, Some(&decoded(value)?))?,
        "conns" => builder.conns_per_node(number()? as usize),
        _ => {
            return Err(wrong(&format!(
                "`{name}` is not known: a URL takes dist, timeout_ms, connect_timeout_ms, conns, classic, tls and tls_ca"
            )));
        }
    })
}

/// TLS with nodes that this file's authority has signed, or else the system's.
#[cfg(feature = "tls")]
fn with_tls(builder: Builder, authority: Option<&str>) -> Result<Builder, BuildError> {
    let tls = match authority {
        Some(file) => Tls::signed_by(file)?,
        None => Tls::system()?,
    };
    Ok(builder.tls(tls))
}

#[cfg(not(feature = "tls"))]
fn with_tls(_: Builder, _: Option<&str>) -> Result<Builder, BuildError> {
    Err(wrong("larder-client was built without its feature `tls`"))
}

/// Undoes `%` and two hexadecimal digits.
fn decoded(text: &str) -> Result<String, BuildError> {
    let bad = || wrong(&format!("`{text}`: after a % stand two hexadecimal digits"));
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('%') {
        bytes.extend_from_slice(plain.as_bytes());
        let digits = escaped.get(..2).ok_or_else(bad)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| bad())?);
        rest = &escaped[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).map_err(|_| bad())
}

fn wrong(what: &str) -> BuildError {
    BuildError::Url(what.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::{BuildError, Client};

    #[test]
    fn nodes_and_settings() {
        let url = "memcache://u%40x:p%3Aw@h1,h2:11212;weight=2;name=b,/run/x.sock?dist=dalli&timeout_ms=50&conns=2&classic";
        let client = Client::connect(url).expect("a good URL");
        let nodes: Vec<String> = client.nodes().iter().map(ToString::to_string).collect();
        assert_eq!(
            nodes,
            ["h1:11211", "h2:11212;weight=2;name=b", "/run/x.sock"]
        );
        let settings = &client.inner.settings;
        assert_eq!(settings.call_timeout.as_millis(), 50);
        assert_eq!(settings.conns_per_node, 2);
        assert!(settings.is_classic);
        let credentials = settings.credentials.as_ref().expect("credentials");
        assert_eq!((&*credentials.user, &*credentials.password), ("u@x", "p:w"));
        assert_eq!(client.inner.routing.distribution().to_string(), "dalli");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (url, word) in [
            ("http://h", "memcache://"),
            ("memcache://", "no host"),
            ("memcache://h,h", "twice"),
            ("memcache://h,,g", "no host"),
            ("memcache://u@h", "colon"),
            ("memcache://u%4:p@h", "hexadecimal"),
            ("memcache://a%20b:p@h", "blank"),
            ("memcache://:p@h", "empty"),
            ("memcache://h?dist=best", "best"),
            ("memcache://h?timeout_ms=0", "above 0"),
            ("memcache://h?colour=red", "not known"),
        ] {
            let error: BuildError = Client::connect(url).expect_err(url);
            assert!(error.to_string().contains(word), "{url}: {error}");
        }
    }
}
