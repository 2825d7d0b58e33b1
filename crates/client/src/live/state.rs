//! A node's health as its calls see it, and what follows from a change of it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::{Failure, Health, LiveNode, NodeState};
use crate::conn::{Conn, Fault};
use crate::error::Error;

impl LiveNode {
    pub(crate) fn state(&self) -> NodeState {
        self.health().state()
    }

    pub(super) fn admitted(&self) -> Result<(), Failure> {
        if self.is_well.load(Ordering::Relaxed) {
            return Ok(());
        }
        let health = self.health();
        match health.admits() {
            true => Ok(()),
            false => Err(Failure {
                error: Error::NodeDown {
                    node: Arc::clone(&self.label),
                    reason: health.reason(),
                },
                is_harmless: false,
            }),
        }
    }

    pub(super) fn answered(&self) {
        self.settings.retries.earn();
        if !self.is_well.load(Ordering::Relaxed) {
            self.change_health(|health, _| health.answered());
        }
    }

    pub(super) fn report(&self, conn: &Conn, fault: &Fault) {
        if conn.is_to_be_reported() {
            self.failed(fault);
        }
    }

    pub(super) fn failed(&self, fault: &Fault) {
        self.change_health(|health, now| health.failed(fault, now, fastrand::f64()));
    }

    /// Changes the state, and does what follows from it.
    pub(super) fn change_health(&self, change: impl FnOnce(&mut Health, Instant)) {
        let mut health = self.health();
        let before = health.state();
        change(&mut health, Instant::now());
        let (state, reason) = (health.state(), health.reason());
        self.is_well
            .store(state == NodeState::Up, Ordering::Relaxed);
        drop(health);
        if state == before {
            return;
        }
        let node = &*self.label;
        match state {
            NodeState::Down => tracing::warn!(node, %reason, "it is not asked any more"),
            NodeState::Up => tracing::info!(node, "it is well"),
            NodeState::Suspect | NodeState::Probing => tracing::debug!(node, ?state, %reason),
        }
        if let Some(observer) = &self.settings.observer {
            observer.node_state(node, state);
        }
        if state == NodeState::Down {
            let fault = Fault::soft(format!("the node is down: {reason}"));
            self.slots.iter().for_each(|slot| slot.abort(&fault));
            self.wake.notify_one();
        }
    }

    pub(super) fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
