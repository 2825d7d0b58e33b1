//! Real nodes that die, stop, hang behind a broken link and come back, under a load that checks every value it reads.
//!
//! Nothing here depends on how fast anything is. What was measured is printed as a table:
//! `cargo test --release -p larder-client --test chaos -- --nocapture`.

mod load;
mod proxy;
#[path = "../pool/server.rs"]
#[allow(
    dead_code,
    reason = "sockets in the file system are for the other tests"
)]
mod server;

use std::sync::Arc;
use std::time::{Duration, Instant};

use larder_client::{Client, NodeSpec, NodeState, Observer};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use load::{Load, Tally};
use proxy::{Link, Proxy};
use server::{BOTH, Kind, PATIENCE, Server};

/// How long the load runs before the fault, and how long the fault lasts.
const CALM: Duration = Duration::from_millis(500);
const FAULT: Duration = Duration::from_secs(3);
const NODES: usize = 4;
/// How long what is stored in the gutter lives: longer than any fault here, so that only its being deleted helps.
const GUTTER_TTL: Duration = Duration::from_secs(30);

/// What happens to one node of four.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Killed,
    Paused,
    LinkDown,
    BlackHole,
    SlowLink,
    Flapping,
}

/// Each fault, and whether a gutter stands in.
const FAULTS: [(Fault, bool, &str); 8] = [
    (Fault::Killed, false, "killed (-9), restarted empty"),
    (Fault::Paused, false, "stopped (SIGSTOP), resumed"),
    (
        Fault::LinkDown,
        false,
        "link down: connections reset, refused",
    ),
    (Fault::BlackHole, false, "black hole: nothing comes through"),
    (Fault::SlowLink, false, "slow link: 100 ms each way"),
    (
        Fault::Flapping,
        false,
        "flapping: killed and restarted 6 times",
    ),
    (Fault::Paused, true, "stopped, with a gutter of one node"),
    (Fault::Flapping, true, "flapping, with a gutter of one node"),
];

/// The state of the node that the fault is for.
struct Hurt {
    node: String,
    state: watch::Sender<NodeState>,
}

impl Observer for Hurt {
    fn node_state(&self, node: &str, state: NodeState) {
        if node == self.node {
            self.state.send_replace(state);
        }
    }
}

/// Four nodes, the first of them behind a link that can be broken; and one for the gutter, if there is one.
struct Stage {
    servers: Vec<Server>,
    link: Proxy,
    state: watch::Receiver<NodeState>,
    client: Client,
}

impl Stage {
    async fn new(kind: Kind, has_gutter: bool) -> Self {
        let servers: Vec<Server> = (0..NODES + usize::from(has_gutter))
            .map(|_| Server::start(kind, &["-t", "1"]))
            .collect();
        let link = Proxy::start(servers[0].port).await;
        let hurt: NodeSpec = format!("127.0.0.1:{}", link.port).parse().expect("a node");
        let (sender, state) = watch::channel(NodeState::Up);
        let others = servers[1..NODES].iter().map(Server::node);
        let builder = Client::builder();
        let builder = match &servers[NODES..] {
            [] => builder,
            gutter => builder.gutter(gutter.iter().map(Server::node), GUTTER_TTL),
        };
        let client = builder
            .nodes([hurt.clone()].into_iter().chain(others))
            .observer(Arc::new(Hurt {
                node: hurt.to_string(),
                state: sender,
            }))
            .build()
            .expect("a client");
        Self {
            servers,
            link,
            state,
            client,
        }
    }

    async fn hurt(&mut self, fault: Fault) {
        match fault {
            Fault::Killed => self.servers[0].crash(),
            Fault::Paused => self.servers[0].pause(),
            Fault::LinkDown => self.link.set(Link::Down),
            Fault::BlackHole => self.link.set(Link::BlackHole),
            Fault::SlowLink => self.link.set(Link::Slow(Duration::from_millis(100))),
            Fault::Flapping => {
                for _ in 0..6 {
                    self.servers[0].crash();
                    sleep(FAULT / 12).await;
                    self.servers[0].restart();
                    sleep(FAULT / 12).await;
                }
                return;
            }
        }
        sleep(FAULT).await;
    }

    fn heal(&mut self, fault: Fault) {
        match fault {
            Fault::Killed => self.servers[0].restart(),
            Fault::Paused => self.servers[0].resume(),
            Fault::LinkDown | Fault::BlackHole | Fault::SlowLink => self.link.set(Link::Good),
            Fault::Flapping => {}
        }
    }
}

/// What one fault did.
struct Row {
    what: &'static str,
    during: Tally,
    recovered_after: Duration,
}

async fn play(kind: Kind, fault: Fault, has_gutter: bool, what: &'static str) -> Row {
    let mut stage = Stage::new(kind, has_gutter).await;
    let load = Load::start(&stage.client);
    let works = timeout(PATIENCE, load.until_all_well()).await;
    works.expect("all nodes are there");
    sleep(CALM).await;
    let before = load.tally();
    stage.hurt(fault).await;
    let during = load.tally() - before;
    stage.heal(fault);
    let healed = Instant::now();
    let mut state = stage.state.clone();
    let up = state.wait_for(|state| *state == NodeState::Up);
    drop(timeout(PATIENCE, up).await.expect("it is won back"));
    // Every key is read and written again, those in doubt included.
    let patient = timeout(PATIENCE, load.until_all_well()).await;
    patient.expect("every key is served again");
    let recovered_after = healed.elapsed();
    // What was late has come by now, and would be read.
    sleep(CALM).await;
    load.stop().await;
    Row {
        what,
        during,
        recovered_after,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_of_four_fails() {
    for kind in BOTH {
        let plays: Vec<_> = FAULTS
            .map(|(fault, has_gutter, what)| tokio::spawn(play(kind, fault, has_gutter, what)))
            .into();
        println!(
            "| one node of four, {kind:?} | calls that failed meanwhile | all keys served again after |"
        );
        println!("|---|---:|---:|");
        for play in plays {
            let row = play.await.expect("no wrong and no old value");
            println!(
                "| {} | {:.1} % of {} | {:.1} s |",
                row.what,
                100.0 * f64::from(row.during.failed) / f64::from(row.during.calls.max(1)),
                row.during.calls,
                row.recovered_after.as_secs_f64(),
            );
        }
    }
}
