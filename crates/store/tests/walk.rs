//! Walks along the index and over pages while the shard goes on: what was there all the time is met once, whatever
//! happens between the steps.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use larder_store::{
    Hint, KeyHasher, ListAt, Moment, Shard, ShardConfig, StoreRequest, StoreVerb, Stored, Uniques,
    Value, WalkAt,
};
use proptest::prelude::*;

/// Class ids end before this.
const CLASSES_END: u32 = 64;
const EVERY_CLASS: u64 = !1;

#[derive(Default)]
struct Count(Cell<u64>);

impl Uniques for Count {
    fn next(&self) -> u64 {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }
}

/// A shard with a second hand.
struct Twin {
    shard: Shard,
    hasher: KeyHasher,
    uniques: Count,
    now: u32,
}

impl Twin {
    fn new(pages: usize, seed: u64) -> Self {
        let hasher = KeyHasher::with_seed(seed);
        let mut shard = Shard::new(ShardConfig::default(), hasher.clone());
        shard.grant(pages);
        Self {
            shard,
            hasher,
            uniques: Count::default(),
            now: 10,
        }
    }

    fn set(&mut self, key: &str, value_len: usize, exptime: u32) {
        let request = StoreRequest {
            verb: StoreVerb::Set,
            key: key.as_bytes(),
            flags: 0,
            exptime,
        };
        let at = Moment {
            now: self.now,
            uniques: &self.uniques,
        };
        let (hash, value) = (self.hasher.hash(request.key), vec![b'v'; value_len]);
        let stored = self
            .shard
            .store(hash, Hint::NONE, &request, Value::Bytes(&value), at);
        assert!(matches!(stored, Stored::Stored(_)));
    }

    /// Whether it is there; it is warmer afterwards.
    fn get(&mut self, key: &str) -> bool {
        let hash = self.hasher.hash(key.as_bytes());
        let found = self
            .shard
            .get::<0>(hash, Hint::NONE, key.as_bytes(), self.now);
        found.is_some()
    }

    fn delete(&mut self, key: &str) {
        let hash = self.hasher.hash(key.as_bytes());
        self.shard.delete(hash, key.as_bytes(), 0, self.now);
    }

    /// One step of a walk along the index; how often each key was met is added up.
    fn walk(&self, at: WalkAt, met: &mut HashMap<String, u32>) -> Option<WalkAt> {
        let mut shown = 0;
        let next = self.shard.walk(at, self.now, |item| {
            shown += 1;
            *met.entry(text(item.key)).or_default() += 1;
        });
        assert!(shown <= 128, "one step showed {shown} items");
        next
    }

    /// A whole walk over the pages of some classes.
    fn listed(&self, classes: u64) -> Vec<String> {
        let (mut at, mut met) = (Some(ListAt::default()), Vec::new());
        while let Some(from) = at {
            at = self
                .shard
                .list_items(classes, from, self.now, |item| met.push(text(item.key)));
        }
        met.sort();
        met
    }
}

fn text(key: &[u8]) -> String {
    String::from_utf8(key.to_vec()).expect("the test's own key")
}

/// What happens between two steps of a walk.
#[derive(Clone, Debug)]
enum Between {
    /// Items come, so that segments split.
    Add(u16),
    /// Items go, and the owner's work joins segments.
    Remove(u16),
    /// Some of the items that stay are written anew, in another size.
    Rewrite(u16, u16),
    /// Pages are emptied, and their warm items move.
    Move(u8),
}

fn between() -> impl Strategy<Value = Between> {
    prop_oneof![
        (1..3000_u16).prop_map(Between::Add),
        (1..6000_u16).prop_map(Between::Remove),
        (any::<u16>(), 1..300_u16).prop_map(|(from, len)| Between::Rewrite(from, len)),
        (1..20_u8).prop_map(Between::Move),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 500, ..ProptestConfig::default() })]

    #[test]
    fn what_stays_is_met_once(
        staying in 1..3000_usize,
        seed in any::<u64>(),
        happenings in prop::collection::vec((0..12_usize, between()), 0..40),
    ) {
        let mut twin = Twin::new(4096, seed);
        let mut stays: Vec<String> = (0..staying).map(|n| format!("stays:{n}")).collect();
        for key in &stays {
            twin.set(key, 20, 0);
        }
        let (mut passing, mut next_passing) = (Vec::<String>::new(), 0);
        let (mut at, mut met) = (Some(WalkAt::default()), HashMap::new());
        for (steps, happening) in happenings {
            for _ in 0..steps {
                at = at.and_then(|from| twin.walk(from, &mut met));
            }
            happen(&mut twin, &happening, &mut passing, &mut next_passing, &stays);
            stays.retain(|key| twin.get(key));
            prop_assert_eq!(twin.shard.check(), Ok(()));
        }
        while let Some(from) = at {
            at = twin.walk(from, &mut met);
        }
        for key in &stays {
            prop_assert_eq!(met.get(key), Some(&1), "{}", key);
        }
        let twice: Vec<_> = met.iter().filter(|(key, count)| key.starts_with("stays") && **count > 1).collect();
        prop_assert!(twice.is_empty(), "{twice:?}");
    }
}

fn happen(
    twin: &mut Twin,
    happening: &Between,
    passing: &mut Vec<String>,
    next_passing: &mut u64,
    stays: &[String],
) {
    match *happening {
        Between::Add(count) => {
            for _ in 0..count {
                let key = format!("passing:{next_passing}");
                *next_passing += 1;
                twin.set(&key, 10, 0);
                passing.push(key);
            }
        }
        Between::Remove(count) => {
            for key in passing.drain(..passing.len().min(count.into())) {
                twin.delete(&key);
            }
            // Segments are joined a few in each step.
            for _ in 0..64 {
                twin.shard.step(64, twin.now);
            }
        }
        Between::Rewrite(from, len) => {
            for key in stays
                .iter()
                .skip(usize::from(from) % stays.len().max(1))
                .step_by(3)
            {
                twin.set(key, len.into(), 0);
            }
        }
        Between::Move(count) => {
            for key in stays {
                twin.get(key);
            }
            for class in (1..CLASSES_END).cycle().take(usize::from(count) * 64) {
                twin.shard.free_page_of(class, twin.now);
            }
        }
    }
}

/// The walk, the walk over pages and each class's list are of one mind about a shard that rests.
#[test]
fn all_walks_show_the_same_items() {
    let mut twin = Twin::new(4096, 7);
    for n in 0..20_000 {
        // Some are over already, some go on for ever, some are chunked.
        let exptime = [0, 5, 100][n % 3];
        twin.set(
            &format!("k:{n}"),
            if n % 100 == 0 { 9_000 } else { n % 900 },
            exptime,
        );
    }
    let mut met = HashMap::new();
    let mut at = Some(WalkAt::default());
    while let Some(from) = at {
        at = twin.walk(from, &mut met);
    }
    let alive: HashSet<String> = (0..20_000)
        .filter(|n| n % 3 != 1)
        .map(|n| format!("k:{n}"))
        .collect();
    assert_eq!(met.keys().cloned().collect::<HashSet<_>>(), alive);
    assert!(met.values().all(|&count| count == 1));
    let everything = twin.listed(EVERY_CLASS);
    assert_eq!(everything.len(), alive.len());
    assert_eq!(everything.iter().cloned().collect::<HashSet<_>>(), alive);
    let mut by_class: Vec<String> = (1..CLASSES_END)
        .flat_map(|class| twin.listed(1 << class))
        .collect();
    by_class.sort();
    assert_eq!(by_class, everything);
    assert_eq!(twin.listed(0), Vec::<String>::new());
}

/// A flush in the midst of a walk: only what came after it is still to be met.
#[test]
fn a_flush_ends_what_was_there() {
    let mut twin = Twin::new(4096, 3);
    (0..5_000).for_each(|n| twin.set(&format!("old:{n}"), 20, 0));
    let mut met = HashMap::new();
    let mut at = twin.walk(WalkAt::default(), &mut met);
    twin.shard.flush();
    (0..5_000).for_each(|n| twin.set(&format!("new:{n}"), 20, 0));
    met.clear();
    while let Some(from) = at {
        at = twin.walk(from, &mut met);
    }
    assert!(met.keys().all(|key| key.starts_with("new:")));
    assert!(met.values().all(|&count| count == 1));
}

/// A pass that is asked for looks into every item of the classes named, and says when it is at its end.
#[test]
fn a_pass_that_is_asked_for() {
    let mut twin = Twin::new(4096, 5);
    (0..3_000).for_each(|n| twin.set(&format!("k:{n}"), 20, if n < 1_000 { 12 } else { 0 }));
    while twin.shard.step(1024, twin.now) {}
    let checked = |twin: &Twin| {
        let mut sum = larder_store::StoreStats::default();
        twin.shard.add_stats(&mut sum, twin.now);
        let checked: u64 = sum
            .classes
            .iter()
            .map(|class| class.crawler_items_checked)
            .sum();
        (
            checked,
            sum.crawler_starts,
            sum.crawler_running,
            sum.curr_items,
        )
    };
    assert_eq!(checked(&twin), (0, 0, false, 3_000));
    assert!(twin.shard.ask_crawl(EVERY_CLASS));
    assert!(!twin.shard.ask_crawl(EVERY_CLASS), "one at a time");
    assert_eq!(checked(&twin), (0, 0, true, 3_000));
    while twin.shard.step(64, twin.now) {}
    assert_eq!(checked(&twin), (3_000, 1, false, 3_000));
    // In time the crawler goes by itself, into the pages where something is due.
    twin.now = 12;
    while twin.shard.step(64, twin.now) {}
    let (looked, ..) = checked(&twin);
    assert!((4_000..6_000).contains(&looked), "{looked}");
    assert_eq!(checked(&twin), (looked, 2, false, 2_000));
    // Of a class without items there is nothing to look into.
    assert!(twin.shard.ask_crawl(1 << 50));
    while twin.shard.step(64, twin.now) {}
    assert_eq!(checked(&twin), (looked, 2, false, 2_000));
}
