//! Random operations on a shard and on an obvious twin, a map with a clock. After each step the shard's consistency is
//! checked. The shard has one freedom that the twin has not: it may have evicted.
//!
//! `SEED=<n>` replays a run; without it a fixed set of seeds and one fresh one are run, and the seed is printed.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};

use larder_store::{
    Arith, ArithRequest, BORROW_COPY_MAX, Create, Deleted, Found, Hint, KeyHasher, Moment, Pending,
    Pin, Shard, ShardConfig, StoreRequest, StoreVerb, Stored, Uniques, Value,
};

struct Count(Cell<u64>);

impl Uniques for Count {
    fn next(&self) -> u64 {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }
}

/// splitmix64: enough for choosing, and the same everywhere.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let first = self.next();
        (0..len)
            .map(|n| (first.wrapping_add(n as u64 * 7) >> 3) as u8)
            .collect()
    }
}

#[derive(Clone, Debug)]
struct TwinItem {
    value: Vec<u8>,
    flags: u32,
    exptime: u32,
    cas: u64,
}

struct Reader {
    pin: Pin,
    expected: Vec<u8>,
    got: Vec<u8>,
}

struct Writer {
    pending: Pending,
    key: Vec<u8>,
    value: Vec<u8>,
    /// The CAS unique of the item that was there when it began.
    old: Option<u64>,
}

struct Run {
    rng: Rng,
    hasher: KeyHasher,
    shard: Shard,
    twin: BTreeMap<Vec<u8>, TwinItem>,
    uniques: Count,
    now: u32,
    evictions: bool,
    readers: Vec<Reader>,
    writers: Vec<Writer>,
    revoked: u64,
    granted_in_all: usize,
    /// The hint that each key had when it was last asked for one, now right or stale.
    hints: HashMap<Vec<u8>, Hint>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut rng = Rng(seed);
        let evictions = rng.below(4) != 0;
        let hasher = KeyHasher::with_seed(rng.next());
        let config = ShardConfig {
            evictions,
            item_size_max: 400_000,
            track_sizes: true,
            ..ShardConfig::default()
        };
        let mut shard = Shard::new(config, hasher.clone());
        let pages = 32 + rng.below(240) as usize;
        shard.grant(pages);
        Self {
            rng,
            hasher,
            shard,
            twin: BTreeMap::new(),
            uniques: Count(Cell::new(0)),
            now: 2,
            evictions,
            readers: Vec::new(),
            writers: Vec::new(),
            revoked: 0,
            granted_in_all: pages,
            hints: HashMap::new(),
        }
    }

    /// A hint for a key: none, one of just now, or one that was taken earlier.
    fn hint(&mut self, key: &[u8]) -> Hint {
        let fresh = self.shard.hint(self.hasher.hash(key));
        let earlier = self.hints.insert(key.to_vec(), fresh);
        match self.rng.below(3) {
            0 => Hint::NONE,
            1 => fresh,
            _ => earlier.unwrap_or(Hint::NONE),
        }
    }

    fn key(&mut self) -> Vec<u8> {
        let n = self.rng.below(3000);
        let mut key = format!("k{n}").into_bytes();
        key.resize(key.len() + (n % 97) as usize, b'x');
        key
    }

    fn value(&mut self) -> Vec<u8> {
        let len = match self.rng.below(20) {
            0 => self.rng.below(BORROW_COPY_MAX as u64),
            1..=3 => self.rng.below(9_000),
            4..=9 => self.rng.below(600),
            _ => self.rng.below(40),
        };
        if self.rng.below(6) == 0 {
            return self.rng.below(100_000).to_string().into_bytes();
        }
        self.rng.bytes(len as usize)
    }

    fn exptime(&mut self) -> u32 {
        match self.rng.below(4) {
            0 => self.now + self.rng.below(6) as u32,
            1 => self.now + 100,
            _ => 0,
        }
    }

    /// The twin's item, if its time is not over.
    fn twin_item(&mut self, key: &[u8]) -> Option<TwinItem> {
        let now = self.now;
        if self
            .twin
            .get(key)
            .is_some_and(|item| item.exptime != 0 && item.exptime <= now)
        {
            self.twin.remove(key);
        }
        self.twin.get(key).cloned()
    }

    /// Where the shard says that nothing is there, the twin follows: it may have been evicted.
    fn follow_eviction(&mut self, key: &[u8]) {
        if self.twin_item(key).is_some() {
            assert!(
                self.evictions,
                "an item vanished though nothing may be evicted"
            );
            self.twin.remove(key);
        }
    }

    /// Brings the twin in step with what the shard has under the key, then checks that both have the same.
    fn compare(&mut self, key: &[u8]) {
        let hash = self.hasher.hash(key);
        let show = |found: Found<'_>| {
            let mut value = Vec::new();
            found.copy_value(&mut value);
            (value, found.flags(), found.cas(), found.value_len())
        };
        let hint = self.hint(key);
        self.shard.warm(&hint);
        let found = match self.shard.get::<0>(hash, hint, key, self.now) {
            Some(Ok(found)) => Some(show(found)),
            Some(Err(place)) => Some(show(self.shard.at(place))),
            None => None,
        };
        match found {
            None => self.follow_eviction(key),
            Some((value, flags, cas, len)) => {
                let twin = self
                    .twin_item(key)
                    .expect("the shard has an item that the twin has not");
                assert!(
                    value == twin.value,
                    "a value differs: {} and {} bytes",
                    value.len(),
                    twin.value.len()
                );
                assert_eq!(
                    (flags, cas, len as usize),
                    (twin.flags, twin.cas, twin.value.len())
                );
            }
        }
    }

    /// The CAS unique of an item, or one near it.
    fn unique_for(&mut self, twin: Option<&TwinItem>) -> u64 {
        twin.map_or(7, |item| item.cas) + self.rng.below(2)
    }

    fn store(&mut self) {
        let key = self.key();
        self.compare(&key);
        let value = self.value();
        let twin = self.twin_item(&key);
        let unique = self.unique_for(twin.as_ref());
        let verb = match self.rng.below(12) {
            0 => StoreVerb::Add,
            1 => StoreVerb::Replace,
            2 => StoreVerb::Append(0),
            3 => StoreVerb::Append(unique),
            4 => StoreVerb::Prepend(0),
            5 => StoreVerb::Prepend(unique),
            6 => StoreVerb::Cas(unique),
            _ => StoreVerb::Set,
        };
        let flags = if self.rng.below(3) == 0 {
            self.rng.next() as u32
        } else {
            0
        };
        let exptime = self.exptime();
        let hint = self.hint(&key);
        let request = StoreRequest {
            verb,
            key: &key,
            flags,
            exptime,
        };
        let at = Moment {
            now: self.now,
            uniques: &self.uniques,
        };
        let hash = self.hasher.hash(&key);
        let stored = self
            .shard
            .store(hash, hint, &request, Value::Bytes(&value), at);
        self.follow_store(
            &key,
            verb,
            TwinItem {
                value,
                flags,
                exptime,
                cas: 0,
            },
            twin,
            stored,
        );
        self.compare(&key);
    }

    fn follow_store(
        &mut self,
        key: &[u8],
        verb: StoreVerb,
        mut new: TwinItem,
        old: Option<TwinItem>,
        stored: Stored,
    ) {
        let expected = match (verb, &old) {
            (StoreVerb::Set, _) | (StoreVerb::Add, None) | (StoreVerb::Replace, Some(_)) => {
                Stored::Stored(0)
            }
            (StoreVerb::Append(unique) | StoreVerb::Prepend(unique), Some(item))
                if unique != 0 && unique != item.cas =>
            {
                Stored::Exists
            }
            (StoreVerb::Append(_) | StoreVerb::Prepend(_), Some(item))
                if item.value.len() + new.value.len() + key.len() + 70 > 400_000 =>
            {
                assert!(matches!(
                    stored,
                    Stored::NotStored | Stored::NoMemory | Stored::Stored(_)
                ));
                stored
            }
            (StoreVerb::Append(_) | StoreVerb::Prepend(_), Some(_)) => Stored::Stored(0),
            (StoreVerb::Add, Some(_))
            | (StoreVerb::Replace | StoreVerb::Append(_) | StoreVerb::Prepend(_), None) => {
                Stored::NotStored
            }
            (StoreVerb::Cas(_), None) => Stored::NotFound,
            (StoreVerb::Cas(unique), Some(item)) if unique == item.cas => Stored::Stored(0),
            (StoreVerb::Cas(_), Some(_)) => Stored::Exists,
        };
        match stored {
            Stored::Stored(cas) => {
                assert!(
                    matches!(expected, Stored::Stored(_)),
                    "{verb:?} stored, {expected:?} expected"
                );
                if let (StoreVerb::Append(_) | StoreVerb::Prepend(_), Some(old)) = (verb, old) {
                    let added = std::mem::take(&mut new.value);
                    new.value = match verb {
                        StoreVerb::Append(_) => [old.value, added].concat(),
                        _ => [added, old.value].concat(),
                    };
                    (new.flags, new.exptime) = (old.flags, old.exptime);
                }
                self.twin.insert(key.to_vec(), TwinItem { cas, ..new });
            }
            Stored::NoMemory => {
                let tight = !self.evictions || !self.writers.is_empty() || !self.readers.is_empty();
                let small = self.granted_in_all < 240;
                assert!(tight || small, "no memory though everything may be evicted");
                if verb == StoreVerb::Set {
                    self.twin.remove(key);
                }
            }
            other => assert_eq!(other, expected, "{verb:?}"),
        }
    }

    /// What arithmetic is to store if there is nothing, now and then.
    fn creation(&mut self) -> Option<Create> {
        (self.rng.below(3) == 0).then(|| Create {
            initial: self.rng.next(),
            exptime: self.exptime(),
        })
    }

    fn arith(&mut self) {
        let key = self.key();
        self.compare(&key);
        let (delta, incr) = (self.rng.below(1_000_000), self.rng.below(2) == 0);
        let twin = self.twin_item(&key);
        let unique = match self.rng.below(3) {
            0 => self.unique_for(twin.as_ref()),
            _ => 0,
        };
        let create = self.creation();
        let at = Moment {
            now: self.now,
            uniques: &self.uniques,
        };
        let request = ArithRequest {
            key: &key,
            delta,
            incr,
            unique,
            create,
        };
        let hash = self.hasher.hash(&key);
        let result = self.shard.arith(hash, &request, at);
        match (result, twin) {
            (Arith::Exists, Some(item)) => assert!(unique != 0 && unique != item.cas),
            (Arith::NonNumeric, Some(item)) if item.value.is_empty() => {}
            (_, Some(item)) if unique != 0 && unique != item.cas => panic!("{result:?}"),
            (Arith::Created(cas), None) => {
                let create = create.expect("what was created was wanted");
                let item = TwinItem {
                    value: create.initial.to_string().into_bytes(),
                    flags: 0,
                    exptime: create.exptime,
                    cas,
                };
                self.twin.insert(key.clone(), item);
            }
            (Arith::Value(new, cas), Some(mut item)) => {
                let text = String::from_utf8(item.value.clone()).expect("a number is text");
                let old: u64 = text
                    .split_whitespace()
                    .next()
                    .expect("a number")
                    .parse()
                    .expect("a number");
                assert_eq!(
                    new,
                    if incr {
                        old.wrapping_add(delta)
                    } else {
                        old.saturating_sub(delta)
                    }
                );
                item.value = format!("{new:<width$}", width = item.value.len()).into_bytes();
                item.cas = cas;
                self.twin.insert(key.clone(), item);
            }
            (Arith::NotFound, None) => assert!(create.is_none()),
            (Arith::NoMemory, _) => {}
            (Arith::NonNumeric, Some(item)) => {
                let number = String::from_utf8(item.value)
                    .ok()
                    .and_then(|text| text.trim().parse::<u64>().ok());
                assert_eq!(number, None);
            }
            (result, twin) => panic!("{result:?} for {twin:?}"),
        }
        self.compare(&key);
    }

    fn touch(&mut self) {
        let key = self.key();
        self.compare(&key);
        let exptime = self.exptime();
        let touched = self
            .shard
            .touch(self.hasher.hash(&key), &key, exptime, self.now)
            .is_some();
        assert_eq!(touched, self.twin_item(&key).is_some());
        if let Some(item) = self.twin.get_mut(&key) {
            item.exptime = exptime;
        }
    }

    fn delete(&mut self) {
        let key = self.key();
        self.compare(&key);
        let twin = self.twin_item(&key);
        let unique = match self.rng.below(2) {
            0 => self.unique_for(twin.as_ref()),
            _ => 0,
        };
        let hash = self.hasher.hash(&key);
        let deleted = self.shard.delete(hash, &key, unique, self.now);
        let expected = match twin {
            None => Deleted::NotFound,
            Some(item) if unique != 0 && unique != item.cas => Deleted::Exists,
            Some(_) => Deleted::Deleted,
        };
        assert_eq!(deleted, expected);
        if deleted == Deleted::Deleted {
            self.twin.remove(&key);
        }
    }

    fn begin_write(&mut self) {
        let key = self.key();
        let len = self.rng.below(300_000) as usize + 1;
        let value = self.rng.bytes(len);
        let hash = self.hasher.hash(&key);
        let old = self.shard.inspect(hash, &key, self.now);
        let old = old.map(|item| item.facts.cas);
        let pending = self.shard.begin_set(hash, &key, value.len() as u32);
        self.writers.push(Writer {
            pending,
            key,
            value,
            old,
        });
    }

    fn go_on_writing(&mut self) {
        if self.writers.is_empty() {
            return;
        }
        let which = self.rng.below(self.writers.len() as u64) as usize;
        let mut writer = self.writers.swap_remove(which);
        if self.rng.below(20) == 0 {
            self.shard.abandon(writer.pending);
            return;
        }
        let missing = writer.pending.missing() as usize;
        let from = writer.value.len() - missing;
        let len = missing.min(1 + self.rng.below(BORROW_COPY_MAX as u64) as usize);
        let room = self.shard.granted();
        if !self.shard.may_append(&writer.pending, len, room, self.now) {
            self.writers.push(writer);
            return;
        }
        if self
            .shard
            .append(
                &mut writer.pending,
                &writer.value[from..from + len],
                self.now,
            )
            .is_err()
        {
            self.shard.abandon(writer.pending);
            let hash = self.hasher.hash(&writer.key);
            self.shard.forget_outdated(hash, &writer.key);
            return self.compare_failed(&writer.key, writer.old);
        }
        if writer.pending.missing() > 0 {
            self.writers.push(writer);
            return;
        }
        self.store_arrived(writer);
    }

    /// A set that began when there was the `old` item was told that there is no memory.
    fn compare_failed(&mut self, key: &[u8], old: Option<u64>) {
        let hash = self.hasher.hash(key);
        let item = self.shard.inspect(hash, key, self.now);
        let kept = item.is_some_and(|item| item.facts.cas != 0 && Some(item.facts.cas) == old);
        assert!(!kept, "the old item is still there");
        if item.is_none() {
            self.twin.remove(key);
        }
        self.compare(key);
    }

    fn store_arrived(&mut self, writer: Writer) {
        let Writer {
            pending,
            key,
            value,
            old: old_unique,
        } = writer;
        self.compare(&key);
        let old = self.twin_item(&key);
        let verb = [StoreVerb::Set, StoreVerb::Append(0), StoreVerb::Prepend(0)]
            [self.rng.below(3) as usize];
        let request = StoreRequest {
            verb,
            key: &key,
            flags: 5,
            exptime: 0,
        };
        let at = Moment {
            now: self.now,
            uniques: &self.uniques,
        };
        let stored = self.shard.store(
            self.hasher.hash(&key),
            Hint::NONE,
            &request,
            Value::Arrived(pending),
            at,
        );
        if stored == Stored::NoMemory && verb == StoreVerb::Set {
            return self.compare_failed(&key, old_unique);
        }
        self.follow_store(
            &key,
            verb,
            TwinItem {
                value,
                flags: 5,
                exptime: 0,
                cas: 0,
            },
            old,
            stored,
        );
        self.compare(&key);
    }

    fn begin_read(&mut self) {
        let Some(key) = self
            .twin
            .iter()
            .find(|(_, item)| item.value.len() > 5000)
            .map(|(key, _)| key.clone())
        else {
            return;
        };
        self.compare(&key);
        let Some(expected) = self.twin_item(&key).map(|item| item.value) else {
            return;
        };
        let hash = self.hasher.hash(&key);
        let Some(Err(place)) = self.shard.get::<0>(hash, Hint::NONE, &key, self.now) else {
            return;
        };
        self.readers.push(Reader {
            pin: self.shard.pin(place, self.now),
            expected,
            got: Vec::new(),
        });
    }

    fn go_on_reading(&mut self) {
        if self.readers.is_empty() {
            return;
        }
        let which = self.rng.below(self.readers.len() as u64) as usize;
        let mut reader = self.readers.swap_remove(which);
        let max = 1 + self.rng.below(BORROW_COPY_MAX as u64) as usize;
        if self
            .shard
            .read(&mut reader.pin, &mut reader.got, max, self.now)
            .is_err()
        {
            self.revoked += 1;
            self.shard.unpin(reader.pin);
            return;
        }
        if reader.pin.remaining() == 0 {
            assert!(
                reader.got == reader.expected,
                "a reader saw the value change"
            );
            self.shard.unpin(reader.pin);
        } else {
            self.readers.push(reader);
        }
    }

    fn flush(&mut self) {
        self.shard.flush();
        self.twin.clear();
        // Values on their way in when a flush comes count as stored before it.
        for writer in std::mem::take(&mut self.writers) {
            self.shard.abandon(writer.pending);
        }
    }

    fn move_grant(&mut self) {
        if self.rng.below(2) == 0 && self.granted_in_all < 320 {
            self.shard.grant(12);
            self.granted_in_all += 12;
        } else if self.granted_in_all > 40 {
            self.granted_in_all -= self.shard.give_up(8, self.now);
        }
    }

    fn step(&mut self) {
        match self.rng.below(200) {
            0..=89 => self.store(),
            90..=99 => self.arith(),
            100..=109 => self.touch(),
            110..=124 => self.delete(),
            125..=129 => self.begin_write(),
            130..=154 => self.go_on_writing(),
            155..=157 => self.begin_read(),
            158..=169 => self.go_on_reading(),
            170..=179 => {
                let key = self.key();
                self.compare(&key);
            }
            180..=189 => {
                self.shard.step(500, self.now);
            }
            190..=195 => self.now += self.rng.below(3) as u32,
            196..=198 => self.move_grant(),
            _ if self.rng.below(10) == 0 => self.flush(),
            _ => {}
        }
        if let Err(what) = self.shard.check() {
            panic!("{what}");
        }
    }
}

fn run(seed: u64, steps: usize) {
    println!("SEED={seed}");
    let mut run = Run::new(seed);
    for _ in 0..steps {
        run.step();
    }
    let keys: Vec<_> = run.twin.keys().cloned().collect();
    for key in keys {
        run.compare(&key);
    }
}

#[test]
fn a_shard_does_what_a_map_does() {
    if let Ok(seed) = std::env::var("SEED") {
        return run(seed.parse().expect("SEED is a number"), 20_000);
    }
    for seed in 1..=12 {
        run(seed, 1_500);
    }
    let fresh = std::time::UNIX_EPOCH
        .elapsed()
        .expect("the clock is right")
        .as_nanos() as u64;
    run(fresh, 3_000);
}
