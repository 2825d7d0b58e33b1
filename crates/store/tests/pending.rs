//! Values on their way in that stand in each other's way: who waits, who goes on, who loses what was sent.

use std::cell::Cell;

use larder_store::{
    BORROW_COPY_MAX, Hint, KeyHasher, MetaStore, Moment, Pending, Shard, ShardConfig, StoreRequest,
    StoreStats, StoreVerb, Stored, Uniques, Value,
};

const PAGES: usize = 64;
const PAGE: usize = 64 << 10;
/// Bytes of a value: sixteen slices.
const VALUE: u32 = 1 << 20;

/// A shard of 4 MiB, of which values on their way in have 2.
fn shard() -> Shard {
    let config = ShardConfig {
        page_bytes: PAGE,
        item_size_max: 64 << 20,
        ..ShardConfig::default()
    };
    let mut shard = Shard::new(config, KeyHasher::with_seed(1));
    shard.grant(PAGES);
    shard
}

/// Sends up to so many slices; how many were taken.
fn send(shard: &mut Shard, pending: &mut Pending, slices: usize, now: u32) -> usize {
    let slice = [7; BORROW_COPY_MAX];
    let take = |_: &usize| {
        shard.may_append(pending, slice.len(), PAGES, now)
            && shard.append(pending, &slice, now).is_ok()
    };
    (0..slices).take_while(take).count()
}

/// Two values that fill the half but for one slice, and one that is a slice ahead of it.
fn half_taken(shard: &mut Shard, now: u32) -> [Pending; 3] {
    let mut values = [VALUE, VALUE, VALUE].map(|len| shard.begin(len));
    for (value, slices) in values.iter_mut().zip([15, 15, 3]) {
        assert_eq!(send(shard, value, slices, now), slices);
    }
    values
}

#[track_caller]
fn check_revoked(shard: &Shard, expected: u64) {
    let mut stats = StoreStats::default();
    shard.add_stats(&mut stats, 0);
    assert_eq!(stats.pendings_revoked, expected);
    assert_eq!(shard.check(), Ok(()));
}

#[test]
fn those_that_stopped_make_way() {
    let mut shard = shard();
    let [mut one, two, ahead] = half_taken(&mut shard, 10);
    let mut late = shard.begin(VALUE);
    assert_eq!(send(&mut shard, &mut late, 16, 11), 0, "a second is theirs");
    assert_eq!(
        send(&mut shard, &mut one, 1, 11),
        0,
        "it would go on, but must wait"
    );
    check_revoked(&shard, 0);
    assert_eq!(send(&mut shard, &mut late, 16, 12), 16);
    check_revoked(&shard, 2);
    let went_on = send(&mut shard, &mut one, 1, 12);
    assert_eq!(went_on, 1, "it had asked a moment before");
    for pending in [one, two, ahead, late] {
        shard.abandon(pending);
    }
    check_revoked(&shard, 2);
}

#[test]
fn one_that_is_slow_keeps_its_turn_for_a_moment_only() {
    let mut shard = shard();
    let [mut one, mut two, mut ahead] = half_taken(&mut shard, 10);
    let mut waits = shard.begin(VALUE);
    assert_eq!(send(&mut shard, &mut ahead, 1, 11), 1);
    for waiting in [&mut one, &mut two, &mut waits] {
        assert_eq!(send(&mut shard, waiting, 1, 11), 0);
    }
    assert_eq!(send(&mut shard, &mut waits, 1, 12), 1);
    check_revoked(&shard, 1);
    assert_eq!(send(&mut shard, &mut ahead, 1, 12), 0, "its value is gone");
    for pending in [one, two, ahead, waits] {
        shard.abandon(pending);
    }
}

#[test]
fn one_that_is_fast_comes_to_its_end() {
    let mut shard = shard();
    let [one, two, ahead] = half_taken(&mut shard, 10);
    shard.abandon(ahead);
    let mut fast = shard.begin(VALUE + VALUE / 2);
    let mut waits = shard.begin(VALUE);
    assert_eq!(send(&mut shard, &mut fast, 3, 10), 3);
    for _ in 0..3 {
        assert_eq!(send(&mut shard, &mut fast, 7, 11), 7);
        assert_eq!(send(&mut shard, &mut waits, 1, 11), 0);
    }
    assert_eq!(fast.missing(), 0);
    for pending in [one, two, fast] {
        shard.abandon(pending);
    }
    assert_eq!(send(&mut shard, &mut waits, 16, 12), 16);
    check_revoked(&shard, 0);
    shard.abandon(waits);
}

struct Count(Cell<u64>);

impl Uniques for Count {
    fn next(&self) -> u64 {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }
}

/// What an `ms` asks for beside its value is not for the item that another has stored meanwhile.
#[test]
fn one_that_a_flush_took_marks_nothing() {
    let mut shard = shard();
    let uniques = Count(Cell::new(0));
    let at = Moment {
        now: 10,
        uniques: &uniques,
    };
    let hash = KeyHasher::with_seed(1).hash(b"key");
    let request = StoreRequest {
        verb: StoreVerb::Set,
        key: b"key",
        flags: 0,
        exptime: 0,
    };
    let with = MetaStore {
        unique: Some(77),
        binary_key: true,
        ..MetaStore::default()
    };
    let mut late = shard.begin(VALUE);
    assert_eq!(send(&mut shard, &mut late, 15, 10), 15);
    shard.flush();
    let stored = shard.store(hash, Hint::NONE, &request, Value::Bytes(b"new"), at);
    assert_eq!(stored, Stored::Stored(1));
    assert_eq!(send(&mut shard, &mut late, 1, 10), 1);
    let stored = shard.store_meta(hash, &request, Value::Arrived(late), &with, at);
    assert_eq!(stored, (Stored::Stored(2), VALUE));
    let item = shard.inspect(hash, b"key", 10).expect("it was stored");
    let item = item.facts;
    assert_eq!((item.value_len, item.cas, item.binary_key), (3, 1, false));
}

/// It counts as stored before the flush and has no memory: it waits for none, and keeps none from others.
#[test]
fn one_that_a_flush_took_is_in_nobodys_way() {
    let mut shard = shard();
    let mut flushed = shard.begin(VALUE);
    assert_eq!(send(&mut shard, &mut flushed, 13, 10), 13);
    shard.flush();
    let [one, two, ahead] = half_taken(&mut shard, 10);
    shard.abandon(ahead);
    assert_eq!(send(&mut shard, &mut flushed, 1, 10), 1);
    let mut fast = shard.begin(VALUE);
    assert_eq!(send(&mut shard, &mut fast, 16, 10), 16);
    assert_eq!(send(&mut shard, &mut flushed, 1, 10), 1);
    let mut waits = shard.begin(VALUE);
    assert_eq!(send(&mut shard, &mut waits, 1, 12), 1);
    assert_eq!(send(&mut shard, &mut flushed, 1, 15), 1);
    for pending in [one, two, fast, waits, flushed] {
        shard.abandon(pending);
    }
    assert_eq!(shard.check(), Ok(()));
}
