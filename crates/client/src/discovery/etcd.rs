//! The nodes that stand in etcd under a prefix of keys, followed as they come and go.
//!
//! Each value is a node as a file would have it in a line; the keys only keep the nodes apart and in order. A node that
//! must not outlive its machine is put there under a lease that something on that machine renews. Every change is a
//! reason to read all the keys again at one revision, so a list is never half of one state and half of another.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{DiscoveryError, about};
use crate::limits::{ANSWER_TIMEOUT, ETCD_WAIT, FILE_LEN_MAX, NODES_MAX, PERIOD_DEFAULT};
use crate::node::NodeSpec;

/// How often the kernel sees whether etcd is still at the other end of a watch that has nothing to tell.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// A prefix of keys in etcd, version 3.4 or later, by its JSON gateway.
#[derive(Clone)]
pub struct Etcd {
    endpoints: Vec<String>,
    prefix: String,
    credentials: Option<(String, String)>,
    period: Duration,
    http: Option<reqwest::Client>,
}

impl fmt::Debug for Etcd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Etcd")
            .field("endpoints", &self.endpoints)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl Etcd {
    /// The keys that begin with `prefix`, asked of the member at `endpoint`, as in `http://10.0.0.9:2379`. End the prefix
    /// with a slash, or `/pool/a` is the beginning of `/pool/ab` as well.
    #[must_use]
    pub fn new(endpoint: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self {
            endpoints: vec![endpoint.into()],
            prefix: prefix.into(),
            credentials: None,
            period: PERIOD_DEFAULT,
            http: None,
        }
    }

    /// Another member of the same cluster, which is asked when the others do not answer.
    #[must_use]
    pub fn or(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoints.push(endpoint.into());
        self
    }

    /// A user of etcd's and a password.
    #[must_use]
    pub fn credentials(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Some((user.into(), password.into()));
        self
    }

    /// Reads the keys so often, give or take a tenth, instead of every [`PERIOD_DEFAULT`], even when nothing tells of a
    /// change: a connection can be dead for long without being closed.
    #[must_use]
    pub fn every(mut self, period: Duration) -> Self {
        self.period = period;
        self
    }

    /// Asks by this client in place of one that trusts the system's certificates, shows none and goes through no proxy.
    /// It must have no time limit for a whole request, since a watch is one that does not end.
    #[must_use]
    pub fn http(mut self, client: reqwest::Client) -> Self {
        self.http = Some(client);
        self
    }
}

/// Keys that are being followed.
pub(super) struct Keys {
    settings: Etcd,
    http: reqwest::Client,
    token: Option<String>,
    /// The endpoint that answered last.
    endpoint: usize,
    /// The revision of the last list.
    revision: u64,
    watch: Option<Watch>,
    /// How often in a row there was no list.
    failures: u32,
}

/// An answer of which each line tells of something.
struct Watch {
    response: reqwest::Response,
    input: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    revision: String,
}

#[derive(Deserialize)]
struct Range {
    header: Header,
    #[serde(default)]
    kvs: Vec<KeyValue>,
}

#[derive(Deserialize)]
struct KeyValue {
    key: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
struct Told {
    result: Option<Change>,
}

#[derive(Deserialize)]
struct Change {
    header: Header,
    #[serde(default)]
    events: Vec<Value>,
    #[serde(default)]
    canceled: bool,
}

impl Keys {
    pub(super) fn new(settings: Etcd) -> Result<Self, DiscoveryError> {
        let http = match &settings.http {
            Some(http) => Ok(http.clone()),
            None => reqwest::Client::builder()
                .connect_timeout(ANSWER_TIMEOUT)
                .tcp_keepalive(KEEPALIVE)
                .no_proxy()
                .build(),
        };
        let http = http.map_err(|error| DiscoveryError::Answer {
            from: name(&settings),
            problem: chained(&error),
        })?;
        Ok(Self {
            settings,
            http,
            token: None,
            endpoint: 0,
            revision: 0,
            watch: None,
            failures: 0,
        })
    }

    /// The nodes of all the keys at one revision, in the order of the keys.
    pub(super) async fn read(&mut self) -> Result<Vec<NodeSpec>, DiscoveryError> {
        let range = match self.range().await {
            Ok(range) => range,
            Err(problem) => {
                self.failures += 1;
                self.watch = None;
                return Err(self.answered(problem));
            }
        };
        self.failures = 0;
        self.revision = revision(&range.header).map_err(|problem| self.answered(problem))?;
        range.kvs.iter().map(|kv| self.node(kv)).collect()
    }

    /// Waits until a key has changed, or until it is time to look in any case.
    pub(super) async fn change(&mut self) -> bool {
        let period = about(self.settings.period);
        // When time is up the watch goes on: nothing of what it told is lost by no longer waiting for it.
        let _ = timeout(period, self.watched()).await;
        true
    }

    /// Waits for news of the keys, or for a moment when there is nobody to bring them.
    async fn watched(&mut self) {
        loop {
            let told = match &mut self.watch {
                Some(watch) => watch.next().await,
                None => match self.begin_watch().await {
                    Ok(watch) => {
                        self.watch = Some(watch);
                        continue;
                    }
                    Err(problem) => Err(problem),
                },
            };
            match told {
                // News of what the last list holds already.
                Ok(revision) if revision <= self.revision => {}
                Ok(_) => return,
                Err(problem) => {
                    tracing::debug!(source = %self, problem, "the watch ended");
                    self.watch = None;
                    sleep(about(
                        ETCD_WAIT * 2u32.saturating_pow(self.failures.min(12)),
                    ))
                    .await;
                    return;
                }
            }
        }
    }

    /// All keys, from the first member that answers. The round ends where it began: a token may only have been too old.
    async fn range(&mut self) -> Result<Range, String> {
        let (key, range_end) = self.bounds();
        let request = json!({ "key": key, "range_end": range_end, "limit": NODES_MAX + 1 });
        let mut problem = String::new();
        for _ in 0..=self.settings.endpoints.len() {
            let asked = async {
                let mut response = self.post("kv/range", &request).await?;
                parsed::<Range>(&bounded(&mut response).await?)
            };
            match timeout(ANSWER_TIMEOUT, asked).await {
                Ok(Ok(range)) => return Ok(range),
                Ok(Err(error)) => problem = error,
                Err(_) => problem = "no answer in time".to_owned(),
            }
            problem = format!("{}: {problem}", self.settings.endpoints[self.endpoint]);
            self.token = None;
            self.endpoint = (self.endpoint + 1) % self.settings.endpoints.len();
        }
        Err(problem)
    }

    /// Asks to be told of everything behind the last list's revision.
    async fn begin_watch(&mut self) -> Result<Watch, String> {
        let (key, range_end) = self.bounds();
        let start_revision = (self.revision + 1).to_string();
        let request = json!({ "create_request": {
            "key": key, "range_end": range_end, "start_revision": start_revision
        } });
        let response = timeout(ANSWER_TIMEOUT, self.post("watch", &request)).await;
        let response = response.map_err(|_| "no answer in time".to_owned())??;
        let input = Vec::new();
        Ok(Watch { response, input })
    }

    /// The first key and the one behind the last, as JSON has bytes.
    fn bounds(&self) -> (String, String) {
        let prefix = self.settings.prefix.as_bytes();
        let (first, behind) = match prefix.split_last() {
            // The last byte of UTF-8 is never the greatest of all.
            Some((last, rest)) => (prefix, [rest, &[last + 1]].concat()),
            None => (&b"\0"[..], b"\0".to_vec()),
        };
        (BASE64.encode(first), BASE64.encode(behind))
    }

    /// One request, with a token where there are credentials.
    async fn post(&mut self, method: &str, body: &Value) -> Result<reqwest::Response, String> {
        if let (Some((user, password)), None) = (&self.settings.credentials, &self.token) {
            let credentials = json!({ "name": user, "password": password });
            let mut response = self.send("auth/authenticate", &credentials).await?;
            let answer: Value = parsed(&bounded(&mut response).await?)?;
            self.token = answer["token"].as_str().map(str::to_owned);
        }
        self.send(method, body).await
    }

    async fn send(&self, method: &str, body: &Value) -> Result<reqwest::Response, String> {
        let endpoint = self.settings.endpoints[self.endpoint].trim_end_matches('/');
        let mut request = self.http.post(format!("{endpoint}/v3/{method}")).json(body);
        if let Some(token) = &self.token {
            request = request.header(reqwest::header::AUTHORIZATION, token);
        }
        let mut response = request.send().await.map_err(|error| chained(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let said = bounded(&mut response).await?;
        let message = parsed::<Value>(&said).ok();
        let message = message.and_then(|said| Some(said["message"].as_str()?.to_owned()));
        Err(message.unwrap_or_else(|| format!("it answered {status}")))
    }

    fn node(&self, kv: &KeyValue) -> Result<NodeSpec, DiscoveryError> {
        let text = |base64: &str| {
            let bytes = BASE64.decode(base64).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let node = text(&kv.value);
        node.trim().parse().map_err(|error| DiscoveryError::Node {
            from: format!("{self}, key {}", text(&kv.key)),
            error,
        })
    }

    fn answered(&self, problem: String) -> DiscoveryError {
        let from = self.to_string();
        DiscoveryError::Answer { from, problem }
    }
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&name(&self.settings))
    }
}

fn name(settings: &Etcd) -> String {
    format!("etcd's keys under {}", settings.prefix)
}

impl Watch {
    /// The revision of the next change. May be dropped while it waits, and loses nothing.
    async fn next(&mut self) -> Result<u64, String> {
        loop {
            if let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.input.drain(..=end).collect();
                let told: Told = parsed(&line)?;
                let change = told
                    .result
                    .ok_or_else(|| format!("it answered {}", String::from_utf8_lossy(&line)))?;
                if change.canceled {
                    return Err("etcd gave the watch up".to_owned());
                }
                if !change.events.is_empty() {
                    return revision(&change.header);
                }
                continue;
            }
            if !append(&mut self.response, &mut self.input).await? {
                return Err("the answer ended".to_owned());
            }
        }
    }
}

/// All of a response.
async fn bounded(response: &mut reqwest::Response) -> Result<Vec<u8>, String> {
    let mut input = Vec::new();
    while append(response, &mut input).await? {}
    Ok(input)
}

/// The next bytes of a response, as long as it holds no more than a list can; false when it has ended.
async fn append(response: &mut reqwest::Response, input: &mut Vec<u8>) -> Result<bool, String> {
    let chunk = response.chunk().await.map_err(|error| chained(&error))?;
    let Some(chunk) = chunk else {
        return Ok(false);
    };
    input.extend_from_slice(&chunk);
    match input.len() as u64 > FILE_LEN_MAX {
        true => Err(format!(
            "more than {FILE_LEN_MAX} bytes are no list of nodes"
        )),
        false => Ok(true),
    }
}

fn parsed<'a, T: Deserialize<'a>>(answer: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(answer).map_err(|error| format!("its answer cannot be read: {error}"))
}

fn revision(header: &Header) -> Result<u64, String> {
    let unlike = |_| format!("its revision is `{}`", header.revision);
    header.revision.parse().map_err(unlike)
}

/// An error with what it comes from: what went wrong is mostly at the end.
fn chained(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
