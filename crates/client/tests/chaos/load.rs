//! A mixed load whose every value says which write it is, so that every read can be judged.
//!
//! Each key has one writer, who knows the last write of it that was acknowledged. What is read must be that one or a later
//! one that was tried: never an older, and never another key's.

use std::ops::Sub;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use larder_client::{Client, Error, Ttl};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

const TASKS: usize = 8;
const KEYS_A_TASK: usize = 32;
/// One call of each task in this time.
const PACE: Duration = Duration::from_millis(4);

/// How many calls there were.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tally {
    pub(crate) calls: u32,
    pub(crate) failed: u32,
}

impl Sub for Tally {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            calls: self.calls - earlier.calls,
            failed: self.failed - earlier.failed,
        }
    }
}

#[derive(Default)]
struct Counts {
    calls: AtomicU32,
    failed: AtomicU32,
    is_over: AtomicBool,
}

pub(crate) struct Load {
    client: Client,
    counts: Arc<Counts>,
    tasks: Vec<JoinHandle<()>>,
}

impl Load {
    pub(crate) fn start(client: &Client) -> Self {
        let counts = Arc::new(Counts::default());
        let tasks = (0..TASKS).map(|task| {
            let writer = Writer::new(client.clone(), Arc::clone(&counts), task);
            tokio::spawn(writer.run())
        });
        Self {
            client: client.clone(),
            tasks: tasks.collect(),
            counts,
        }
    }

    pub(crate) fn tally(&self) -> Tally {
        Tally {
            calls: self.counts.calls.load(Ordering::Relaxed),
            failed: self.counts.failed.load(Ordering::Relaxed),
        }
    }

    /// Until no key gives an error any more.
    pub(crate) async fn until_all_well(&self) {
        let keys: Vec<String> = (0..TASKS)
            .flat_map(|task| (0..KEYS_A_TASK).map(move |index| key(task, index)))
            .collect();
        while self.client.get_many(&keys).await.errors().next().is_some() {
            tokio::task::yield_now().await;
        }
    }

    /// Ends it, when every key was read once more; panics if a value was seen that must not be.
    pub(crate) async fn stop(self) {
        self.counts.is_over.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("no wrong and no old value");
        }
    }
}

/// What the writer of a key knows of it.
#[derive(Clone, Copy, Default)]
struct Known {
    /// The number of the last write or delete that was tried.
    tried: u64,
    /// That of the last one that was acknowledged.
    acknowledged: u64,
}

struct Writer {
    client: Client,
    counts: Arc<Counts>,
    task: usize,
    keys: [Known; KEYS_A_TASK],
}

impl Writer {
    fn new(client: Client, counts: Arc<Counts>, task: usize) -> Self {
        Self {
            client,
            counts,
            task,
            keys: [Known::default(); KEYS_A_TASK],
        }
    }

    async fn run(mut self) {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut random = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(self.task as u64 + 1);
        while !self.counts.is_over.load(Ordering::Relaxed) {
            pace.tick().await;
            // xorshift64
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let index = (random >> 16) as usize % KEYS_A_TASK;
            let result = match random % 10 {
                0 => self.delete(index).await,
                1..4 => self.set(index).await,
                _ => self.get(index).await,
            };
            self.counts.calls.fetch_add(1, Ordering::Relaxed);
            if result.is_err() {
                self.counts.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
        for index in 0..KEYS_A_TASK {
            self.get(index).await.expect("every node serves again");
        }
    }

    async fn set(&mut self, index: usize) -> Result<(), Error> {
        let key = key(self.task, index);
        let known = &mut self.keys[index];
        known.tried += 1;
        let value = format!("{key}={}", known.tried);
        self.client.set(&key, value, Ttl::Never).await?;
        known.acknowledged = known.tried;
        Ok(())
    }

    async fn delete(&mut self, index: usize) -> Result<(), Error> {
        let known = &mut self.keys[index];
        known.tried += 1;
        self.client.delete(key(self.task, index)).await?;
        known.acknowledged = known.tried;
        Ok(())
    }

    async fn get(&mut self, index: usize) -> Result<(), Error> {
        let (key, known) = (key(self.task, index), self.keys[index]);
        if let Some(value) = self.client.get(&key).await? {
            let text = std::str::from_utf8(&value.data).expect("text");
            let (of, number) = text.split_once('=').expect("one of ours");
            let number: u64 = number.parse().expect("one of ours");
            assert_eq!(of, key, "another key's value");
            assert!(
                (known.acknowledged..=known.tried).contains(&number),
                "{key}: write {number} is read, {} was acknowledged and {} tried",
                known.acknowledged,
                known.tried
            );
        }
        Ok(())
    }
}

fn key(task: usize, index: usize) -> String {
    format!("task:{task}:{index}")
}
