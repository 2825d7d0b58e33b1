//! Lists of nodes that change while they are followed, from real sources.

mod dns;
mod elasticache;
mod file;

use std::time::Duration;

use larder_client::NodeList;
use tokio::sync::watch;

/// How long anything may take before the test fails; what is waited for comes much sooner.
const PATIENCE: Duration = Duration::from_secs(60);

/// The labels of the present list.
fn labels(list: &NodeList) -> Vec<String> {
    list.iter().map(|node| node.label()).collect()
}

/// Waits until the list has these labels.
async fn becomes(lists: &mut watch::Receiver<NodeList>, expected: &[&str]) {
    let reached = lists.wait_for(|list| labels(list) == expected);
    let reached = tokio::time::timeout(PATIENCE, reached).await;
    reached
        .unwrap_or_else(|_| panic!("the list becomes {expected:?}"))
        .expect("it is followed");
}
