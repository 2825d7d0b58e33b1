//! Large values that are being read when they are replaced or deleted: their readers see them to the end, unless a write
//! needs the memory.

mod support;

use larder_store::{Stored, Value};

use support::{PAGE, Store};

const PAGES: usize = 16;
/// Bytes of a value: more than half of the shard.
const LEN: usize = 10 * PAGE;

impl Store {
    fn set(&mut self, key: &[u8]) -> Stored {
        let mut pending = self.shard.begin(LEN as u32);
        for slice in [7; LEN].chunks(PAGE) {
            if self.shard.append(&mut pending, slice, 1).is_err() {
                self.shard.abandon(pending);
                return Stored::NoMemory;
            }
        }
        self.store(key, Value::Arrived(pending))
    }

    fn set_small(&mut self, key: &[u8]) -> Stored {
        self.store(key, Value::Bytes(b"value"))
    }

    fn delete(&mut self, key: &[u8]) {
        self.shard.delete(self.hasher.hash(key), key, 0, 1);
        assert_eq!(self.shard.check(), Ok(()));
    }
}

#[test]
fn a_deleted_value_is_read_to_its_end() {
    let mut store = Store::new(PAGES);
    assert_eq!(store.set(b"key"), Stored::Stored(0));
    let mut pin = store.pin(b"key");
    store.delete(b"key");
    let mut read = Vec::new();
    while pin.remaining() > 0 {
        let slice = store.shard.read(&mut pin, &mut read, PAGE, 1);
        slice.expect("nobody needs the memory");
    }
    assert!(read == [7; LEN]);
    store.shard.unpin(pin);
    assert_eq!(store.shard.check(), Ok(()));
}

#[test]
fn a_deleted_value_gives_way_to_a_write() {
    let mut store = Store::new(PAGES);
    assert_eq!(store.set(b"key"), Stored::Stored(0));
    let mut pin = store.pin(b"key");
    store.delete(b"key");
    assert_eq!(store.set(b"other"), Stored::Stored(0));
    assert!(
        store
            .shard
            .read(&mut pin, &mut Vec::new(), PAGE, 1)
            .is_err()
    );
    store.shard.unpin(pin);
    assert_eq!(store.shard.check(), Ok(()));
}

#[test]
fn a_deleted_value_gives_way_to_other_shards_before_items_do() {
    let mut store = Store::new(PAGES);
    assert_eq!(store.set(b"key"), Stored::Stored(0));
    let mut pin = store.pin(b"key");
    store.delete(b"key");
    assert_eq!(store.set_small(b"small"), Stored::Stored(0));
    assert_eq!(store.shard.give_up(8, 1), 8);
    let hash = store.hasher.hash(b"small");
    assert!(store.shard.fetch(hash, b"small", 1).is_some());
    assert!(
        store
            .shard
            .read(&mut pin, &mut Vec::new(), PAGE, 1)
            .is_err()
    );
    store.shard.unpin(pin);
    assert_eq!(store.shard.check(), Ok(()));
}
