//! The example `web_sessions`: two instances on three nodes, one of which is killed.

#[path = "../../examples/web_sessions/app.rs"]
mod app;

use std::time::{Duration, Instant};

use larder_client::{Client, NodeSpec, SessionStore};
use reqwest::StatusCode;
use tokio::net::TcpListener;

use crate::server::{Kind, PATIENCE, Server};

/// So many log in before a node dies.
const USERS: usize = 30;

/// An instance with a client of its own.
async fn instance(nodes: &[NodeSpec]) -> String {
    let client = Client::builder()
        .nodes(nodes.to_vec())
        .timeout(PATIENCE)
        .connect_timeout(PATIENCE)
        .build()
        .expect("a client");
    let sessions = SessionStore::new(client, "session:", Duration::from_secs(600));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app::app(sessions)).await });
    format!("http://{address}")
}

/// A user's browser.
struct Browser {
    http: reqwest::Client,
    cookie: String,
}

impl Browser {
    async fn log_in(at: &str, name: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("HTTP");
        let sent = http.post(format!("{at}/login")).body(name.to_owned());
        let answer = sent.send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        let cookie = answer.headers()["set-cookie"].to_str().expect("text");
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"));
        let cookie = cookie.split(';').next().expect("its value").to_owned();
        Self { http, cookie }
    }

    async fn home(&self, at: &str) -> (StatusCode, String) {
        let sent = self
            .http
            .get(format!("{at}/"))
            .header("cookie", &self.cookie);
        let answer = sent.send().await.expect("an answer");
        (answer.status(), answer.text().await.expect("text"))
    }
}

#[tokio::test]
async fn known_at_the_other_instance_though_a_node_dies() {
    let mut servers: Vec<Server> = (0..3).map(|_| Server::start(Kind::Larderd, &[])).collect();
    let nodes: Vec<NodeSpec> = servers.iter().map(Server::node).collect();
    let (one, other) = (instance(&nodes).await, instance(&nodes).await);
    let mut browsers = Vec::new();
    for n in 0..USERS {
        browsers.push(Browser::log_in(&one, &format!("user {n}")).await);
    }
    for (n, browser) in browsers.iter().enumerate() {
        let seen = browser.home(&other).await;
        assert_eq!(seen, (StatusCode::OK, format!("hello user {n}, visit 1\n")));
    }

    servers[1].crash();
    let mut strangers = Vec::new();
    for (n, browser) in browsers.into_iter().enumerate() {
        match browser.home(&other).await {
            (StatusCode::OK, text) => assert_eq!(text, format!("hello user {n}, visit 2\n")),
            // Whose session was there is not told that he is a stranger.
            (status, _) => {
                assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
                strangers.push(browser);
            }
        }
    }
    let lost = strangers.len();
    assert!((1..USERS).contains(&lost), "{lost} sessions were there");
    // Whoever comes now is taken in.
    for n in 0..10 {
        let browser = Browser::log_in(&other, &format!("late {n}")).await;
        let seen = browser.home(&one).await;
        assert_eq!(seen, (StatusCode::OK, format!("hello late {n}, visit 1\n")));
    }

    // The node comes back empty: once that is known, those who were on it may log in anew.
    servers[1].restart();
    let begun = Instant::now();
    for browser in &strangers {
        loop {
            let (status, _) = browser.home(&other).await;
            if status == StatusCode::UNAUTHORIZED {
                break;
            }
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
            assert!(begun.elapsed() < PATIENCE, "the node serves again");
        }
    }
}
