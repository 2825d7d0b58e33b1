//! The other client: sets, gets and counts all the while, and fails the test when one answer is wrong or takes
//! seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::support::Server;

/// No answer may take longer; it is far above what a loaded machine needs and far below being forgotten.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Several connections that are used until they are stopped.
pub(crate) struct Bystander {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<u64>>,
}

impl Bystander {
    /// Starts four connections, so that each worker has some.
    pub(crate) fn start(server: &Server) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let start = |id: usize| {
            let stop = Arc::clone(&stop);
            let mut conn = server.connect();
            conn.set_limit(ANSWER_MAX);
            thread::spawn(move || {
                let key = format!("bystander{id}");
                let mut rounds = 0;
                while !stop.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    let value = format!("round {rounds}");
                    assert_eq!(conn.set(&key, value.as_bytes()), "STORED");
                    assert_eq!(conn.get(&key).as_deref(), Some(value.as_bytes()));
                    assert!(
                        began.elapsed() < ANSWER_MAX,
                        "a set and a get took {:?}",
                        began.elapsed()
                    );
                    rounds += 1;
                    thread::sleep(Duration::from_millis(2));
                }
                rounds
            })
        };
        let threads = (0..4).map(start).collect();
        Self { stop, threads }
    }

    /// Stops, and fails the test when a connection was not served.
    pub(crate) fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            let rounds = thread.join().expect("every answer right and in time");
            assert!(rounds > 0, "not one round was answered");
        }
    }
}
