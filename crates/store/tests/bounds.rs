//! What one command may have to do for others: a few pieces or values, however many there are.

mod support;

use larder_store::{BORROW_COPY_MAX, Pending, Pin, StoreStats, Stored, Value};

use support::{PAGE, Store};

/// Bytes of the chunks of large values' heads and last pieces; the others have pages.
const HEAD: usize = 4096;
/// Pieces that are given back, and values that are revoked, within one command.
const AT_ONCE: u64 = 64;

impl Store {
    /// Begins a value and sends so much of it.
    fn send(&mut self, len: usize, total: usize) -> Pending {
        let mut pending = self.shard.begin(total as u32);
        for slice in vec![7; len].chunks(BORROW_COPY_MAX) {
            let appended = self.shard.append(&mut pending, slice, 1);
            appended.expect("there is memory");
        }
        pending
    }

    fn set(&mut self, key: &str, len: usize) {
        let pending = self.send(len, len);
        let stored = self.store(key.as_bytes(), Value::Arrived(pending));
        assert_eq!(stored, Stored::Stored(0));
    }

    fn stats(&self) -> StoreStats {
        let mut stats = StoreStats::default();
        self.shard.add_stats(&mut stats, 1);
        stats
    }

    fn pieces(&self) -> u64 {
        let stats = self.stats();
        let mut of_pages = stats
            .classes
            .iter()
            .filter(|class| class.chunk_size == PAGE as u32);
        of_pages.next().map_or(0, |class| class.used_chunks)
    }

    /// Takes a page of heads, of large values all of which go with it; how many pieces were given back by that.
    fn take_page_of_heads(&mut self) -> u64 {
        let before = self.pieces();
        let stats = self.stats();
        let mut of_heads = stats
            .classes
            .iter()
            .filter(|class| class.chunk_size == HEAD as u32);
        let class = of_heads.next().expect("there are heads").id;
        assert!(self.shard.free_page_of(u32::from(class), 1));
        let freed = before - self.pieces();
        assert_eq!(self.shard.check(), Ok(()));
        while self.shard.step(1, 1) {}
        assert_eq!(self.pieces(), 0);
        assert_eq!(self.shard.check(), Ok(()));
        freed
    }
}

#[test]
fn a_page_of_a_value_of_many_pieces() {
    let mut store = Store::new(1100);
    store.set("large", 1000 * PAGE);
    assert!(store.take_page_of_heads() <= AT_ONCE);
}

#[test]
fn a_page_of_many_values_of_many_pieces() {
    let mut store = Store::new(900);
    for number in 0..8 {
        store.set(&number.to_string(), 100 * PAGE);
    }
    assert!(store.take_page_of_heads() <= AT_ONCE);
}

#[test]
fn values_that_stopped_in_the_middle() {
    let mut store = Store::new(400);
    let stopped: Vec<Pending> = (0..190).map(|_| store.send(PAGE, 2 * PAGE)).collect();
    let mut waits = store.send(PAGE, 300 * PAGE);
    let mut revoked = 0;
    let mut taken = 0;
    while revoked < 190 {
        let may = store.shard.may_append(&waits, BORROW_COPY_MAX, 400, 5);
        let all = store.stats().pendings_revoked;
        assert!(all - revoked <= AT_ONCE, "{} at once", all - revoked);
        if all == revoked {
            assert!(may, "there is room, or some stand in the way");
            let slice = [7; BORROW_COPY_MAX];
            let appended = store.shard.append(&mut waits, &slice, 5);
            appended.expect("there is memory");
            taken += 1;
            assert!(taken < 200, "nobody was revoked, though the half is taken");
        }
        revoked = all;
    }
    for pending in stopped.into_iter().chain([waits]) {
        store.shard.abandon(pending);
    }
    assert_eq!(store.shard.check(), Ok(()));
}

#[test]
fn a_value_with_a_thousand_readers_makes_way() {
    let mut store = Store::new(20);
    store.set("large", 16 * PAGE);
    let pins: Vec<Pin> = (0..1000).map(|_| store.pin(b"large")).collect();
    store.set("other", 10 * PAGE);
    assert_eq!(store.stats().pins_revoked, 1000);
    for pin in pins {
        store.shard.unpin(pin);
    }
    assert_eq!(store.shard.check(), Ok(()));
}
