//! Whether a node is asked: up, suspect, down, probing. No I/O and no clock; `now` is an argument.
//!
//! A node that is down is not asked at all, so that nobody waits for it; it is probed in the background, at growing
//! intervals, until it answers. The ring knows nothing of this: the node's keys stay its keys.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::conn::{Fault, Severity};

/// When a node is given up, and how it is won back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Patience {
    /// Soft faults in a row that take a node down; a hard one does so alone.
    pub(crate) soft_faults_max: u32,
    /// The wait before the first probe.
    pub(crate) wait_first: Duration,
    /// The longest wait between probes, before jitter.
    pub(crate) wait_max: Duration,
    /// A node that goes down again before it was up for this long is waited for longer than before.
    pub(crate) flap: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            soft_faults_max: 3,
            wait_first: Duration::from_secs(1),
            wait_max: Duration::from_secs(30),
            flap: Duration::from_secs(30),
        }
    }
}

/// By how much each wait is longer than the one before (mcrouter's).
const WAIT_GROWTH: f64 = 1.5;
/// Up to this share of a wait is added at random, so that many clients do not probe at the same moment.
const JITTER: f64 = 0.25;

/// How a node stands with this client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeState {
    /// It answers.
    Up,
    /// Its last answers failed to come in time; it is still asked.
    Suspect,
    /// It is not asked.
    Down,
    /// It is not asked yet: a probe is on its way, or was answered and the node is being put in order.
    Probing,
}

/// A node's state and what led to it.
#[derive(Debug)]
pub(crate) struct Health {
    patience: Patience,
    state: NodeState,
    soft_faults: u32,
    reason: Arc<str>,
    /// When the node was last restored; `None` if it never was down.
    restored_at: Option<Instant>,
    wait: Duration,
    probe_at: Option<Instant>,
}

impl Health {
    pub(crate) fn new(patience: Patience) -> Self {
        Self {
            patience,
            state: NodeState::Up,
            soft_faults: 0,
            reason: "".into(),
            restored_at: None,
            wait: patience.wait_first,
            probe_at: None,
        }
    }

    pub(crate) fn state(&self) -> NodeState {
        self.state
    }

    pub(crate) fn reason(&self) -> Arc<str> {
        Arc::clone(&self.reason)
    }

    /// Whether requests may go to the node.
    pub(crate) fn admits(&self) -> bool {
        matches!(self.state, NodeState::Up | NodeState::Suspect)
    }

    /// A good reply came.
    pub(crate) fn answered(&mut self) {
        if self.admits() {
            self.state = NodeState::Up;
            self.soft_faults = 0;
        }
    }

    /// A connection failed, or was closed for its slowness. `luck` is a random number from 0 to 1.
    pub(crate) fn failed(&mut self, fault: &Fault, now: Instant, luck: f64) {
        if !self.admits() {
            return;
        }
        self.soft_faults += 1;
        self.reason = Arc::clone(&fault.reason);
        if fault.severity == Severity::Soft && self.soft_faults < self.patience.soft_faults_max {
            self.state = NodeState::Suspect;
            return;
        }
        let is_flapping = self
            .restored_at
            .is_some_and(|restored| now - restored < self.patience.flap);
        self.wait = match is_flapping {
            true => self.grown(),
            false => self.patience.wait_first,
        };
        self.go_down(now, luck);
    }

    /// When the next probe is due; `None` unless the node is down.
    pub(crate) fn probe_at(&self) -> Option<Instant> {
        self.probe_at
    }

    pub(crate) fn probe_begins(&mut self) {
        self.probe_at = None;
        self.state = NodeState::Probing;
    }

    pub(crate) fn probe_failed(&mut self, fault: &Fault, now: Instant, luck: f64) {
        self.reason = Arc::clone(&fault.reason);
        self.wait = self.grown();
        self.go_down(now, luck);
    }

    /// The node answered, and holds nothing that is older than it should be.
    pub(crate) fn restored(&mut self, now: Instant) {
        self.state = NodeState::Up;
        self.soft_faults = 0;
        self.restored_at = Some(now);
    }

    fn grown(&self) -> Duration {
        self.wait.mul_f64(WAIT_GROWTH).min(self.patience.wait_max)
    }

    fn go_down(&mut self, now: Instant, luck: f64) {
        self.state = NodeState::Down;
        self.probe_at = Some(now + self.wait.mul_f64(1.0 + JITTER * luck));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn wait(health: &Health, now: Instant) -> u128 {
        (health.probe_at().expect("down") - now).as_millis()
    }

    #[test]
    fn three_soft_faults_in_a_row_or_one_hard() {
        let now = Instant::now();
        let mut health = Health::new(Patience::default());
        for _ in 0..5 {
            health.failed(&Fault::soft("slow"), now, 0.0);
            health.failed(&Fault::soft("slow"), now, 0.0);
            assert_eq!(health.state(), NodeState::Suspect);
            assert!(health.admits());
            health.answered();
            assert_eq!(health.state(), NodeState::Up);
        }
        for _ in 0..3 {
            health.failed(&Fault::soft("slow"), now, 0.0);
        }
        assert_eq!(health.state(), NodeState::Down);
        assert!(!health.admits());
        let mut health = Health::new(Patience::default());
        health.failed(&Fault::hard("refused"), now, 0.0);
        assert_eq!(
            (health.state(), &*health.reason()),
            (NodeState::Down, "refused")
        );
    }

    #[test]
    fn a_late_answer_does_not_bring_a_node_back() {
        let now = Instant::now();
        let mut health = Health::new(Patience::default());
        health.failed(&Fault::hard("refused"), now, 0.0);
        health.answered();
        assert_eq!(health.state(), NodeState::Down);
        health.probe_begins();
        health.answered();
        health.failed(&Fault::hard("late"), now, 0.0);
        assert_eq!(health.state(), NodeState::Probing);
    }

    #[test]
    fn waits_grow_to_their_limit_and_jitter() {
        let now = Instant::now();
        let mut health = Health::new(Patience::default());
        health.failed(&Fault::hard("refused"), now, 0.0);
        let mut waits = vec![wait(&health, now)];
        for _ in 0..10 {
            health.probe_begins();
            assert_eq!(health.probe_at(), None);
            health.probe_failed(&Fault::hard("refused"), now, 0.0);
            waits.push(wait(&health, now));
        }
        assert_eq!(waits[..4], [1000, 1500, 2250, 3375]);
        assert_eq!(waits[10], 30_000);
        health.probe_begins();
        health.probe_failed(&Fault::hard("refused"), now, 1.0);
        assert_eq!(wait(&health, now), 37_500);
    }

    #[test]
    fn a_flapping_node_is_waited_for_longer() {
        let mut now = Instant::now();
        let mut health = Health::new(Patience::default());
        let mut falls = Vec::new();
        for up_for in [ms(1000), ms(29_999), ms(30_000), ms(1000)] {
            health.failed(&Fault::hard("refused"), now, 0.0);
            falls.push(wait(&health, now));
            health.probe_begins();
            health.restored(now);
            now += up_for;
        }
        assert_eq!(falls, [1000, 1500, 2250, 1000]);
    }
}
