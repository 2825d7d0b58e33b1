//! What a thread counts while it runs, and the sum of it over threads.

use hdrhistogram::Histogram;

use crate::replies::{Observer, Verb};

/// Counters and latencies, of one thread or of all.
#[derive(Clone)]
pub(crate) struct Tally {
    pub(crate) gets: Latency,
    pub(crate) sets: Latency,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) faults: u64,
    /// The first fault, as a sentence.
    pub(crate) first_fault: Option<String>,
    /// Requests answered with an error line, as for want of memory.
    pub(crate) refused: u64,
    pub(crate) first_refusal: Option<String>,
    /// Requests of an open loop that were due before the end and never sent.
    pub(crate) unsent: u64,
    /// When the replies now being read arrived; set by the loop.
    pub(crate) now_ns: u64,
}

/// Latencies in nanoseconds, to three digits.
#[derive(Clone)]
pub(crate) struct Latency(Histogram<u64>);

/// Longer ones are counted as this: an hour.
const LATENCY_MAX_NS: u64 = 3_600_000_000_000;

impl Latency {
    pub(crate) fn new() -> Self {
        // Only bounds that make no sense are refused, and these are constants.
        Self(
            Histogram::new_with_bounds(1, LATENCY_MAX_NS, 3)
                .expect("the bounds of the latency histogram are right"),
        )
    }

    fn record(&mut self, ns: u64) {
        self.0.saturating_record(ns.max(1));
    }

    fn add(&mut self, other: &Self) {
        // Bounds are the same in all of them.
        self.0
            .add(&other.0)
            .expect("latency histograms have equal bounds");
    }

    pub(crate) fn merged(&self, other: &Self) -> Self {
        let mut sum = self.clone();
        sum.add(other);
        sum
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    pub(crate) fn mean_us(&self) -> f64 {
        self.0.mean() / 1000.0
    }

    pub(crate) fn max_us(&self) -> f64 {
        self.0.max() as f64 / 1000.0
    }

    /// The latency that a share of `quantile` of the requests stayed within.
    pub(crate) fn quantile_us(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1000.0
    }
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            gets: Latency::new(),
            sets: Latency::new(),
            hits: 0,
            misses: 0,
            faults: 0,
            first_fault: None,
            refused: 0,
            first_refusal: None,
            unsent: 0,
            now_ns: 0,
        }
    }

    pub(crate) fn requests(&self) -> u64 {
        self.gets.count() + self.sets.count()
    }

    /// Latencies of gets and sets together.
    pub(crate) fn all(&self) -> Latency {
        self.gets.merged(&self.sets)
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.gets.add(&other.gets);
        self.sets.add(&other.sets);
        self.hits += other.hits;
        self.misses += other.misses;
        self.faults += other.faults;
        self.refused += other.refused;
        self.unsent += other.unsent;
        if self.first_refusal.is_none() {
            self.first_refusal.clone_from(&other.first_refusal);
        }
        if self.first_fault.is_none() {
            self.first_fault.clone_from(&other.first_fault);
        }
    }

    /// Back to nothing, keeping the memory and the clock.
    pub(crate) fn clear(&mut self) {
        self.gets.0.reset();
        self.sets.0.reset();
        (
            self.hits,
            self.misses,
            self.faults,
            self.refused,
            self.unsent,
        ) = (0, 0, 0, 0, 0);
        (self.first_fault, self.first_refusal) = (None, None);
    }
}

impl Observer for Tally {
    fn key(&mut self, _id: u64, hit: bool) {
        if hit {
            self.hits += 1;
        } else {
            self.misses += 1;
        }
    }

    fn request(&mut self, verb: Verb, sent_ns: u64) {
        let latency = self.now_ns.saturating_sub(sent_ns);
        match verb {
            Verb::Get => self.gets.record(latency),
            Verb::Set => self.sets.record(latency),
        }
    }

    fn fault(&mut self, sentence: String) {
        self.faults += 1;
        self.first_fault.get_or_insert(sentence);
    }

    fn refused(&mut self, _verb: Verb, sentence: String) {
        self.refused += 1;
        self.first_refusal.get_or_insert(sentence);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_add_up() {
        let (mut one, mut two) = (Tally::new(), Tally::new());
        for us in 1..=1000 {
            let tally = if us % 2 == 0 { &mut one } else { &mut two };
            tally.now_ns = us * 1000;
            tally.request(if us % 4 == 0 { Verb::Set } else { Verb::Get }, 0);
        }
        two.fault("first".to_owned());
        two.fault("second".to_owned());
        one.add(&two);
        assert_eq!(
            (one.requests(), one.sets.count(), one.faults),
            (1000, 250, 2)
        );
        assert_eq!(one.first_fault.as_deref(), Some("first"));
        let all = one.all();
        for (quantile, us) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = all.quantile_us(quantile);
            assert!(
                (found - us).abs() <= us * 0.002,
                "{quantile}: {found} for {us}"
            );
        }
        one.clear();
        assert_eq!((one.requests(), one.faults), (0, 0));
    }
}
