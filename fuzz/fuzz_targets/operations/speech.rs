//! What is sent on a connection, and what is answered at which byte of it.

use std::cell::Cell;
use std::rc::Rc;

use crate::twin::{Outcome, Twin, Verb};

/// Bytes of a large value from which on it is on its way into its shard, where a flush takes it.
const ON_ITS_WAY_FROM: usize = 16 * 1024;

/// Bytes of values above which they go in slices.
const SLICED_FROM: usize = 64 * 1024;

/// What happens when a byte has come: the twin follows, and the reply is written.
pub type Moment = Box<dyn FnOnce(&mut Twin, &mut Vec<u8>)>;

/// Commands of one connection that are made and not sent yet.
#[derive(Default)]
pub struct Speech {
    pub bytes: Vec<u8>,
    /// How many bytes must have been sent for each.
    moments: Vec<(usize, Moment)>,
}

/// A store command, in whatever protocol.
pub struct Store {
    pub verb: Verb,
    pub key: &'static [u8],
    pub flags: u32,
    pub exptime: i64,
    pub value: Vec<u8>,
    /// Whether a value that is too large takes the old one with it.
    pub forgets: bool,
    /// The line or the head, and what must follow the value, as it is sent and as it should be.
    pub head: Vec<u8>,
    pub end: &'static [u8],
    pub right_end: &'static [u8],
}

/// What a [`Store`] comes to.
pub enum Stored {
    Offered(Outcome),
    TooLarge,
    BadEnd,
}

impl Speech {
    pub fn say(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Something happens when all that was said has come.
    pub fn then(&mut self, moment: impl FnOnce(&mut Twin, &mut Vec<u8>) + 'static) {
        self.moments.push((self.bytes.len(), Box::new(moment)));
    }

    /// A command, and what happens when it has come.
    pub fn command(
        &mut self,
        bytes: &[u8],
        moment: impl FnOnce(&mut Twin, &mut Vec<u8>) + 'static,
    ) {
        self.say(bytes);
        self.then(moment);
    }

    /// A store command, which happens in three moments: its exptime counts from its head on, a flush takes what it has
    /// brought of a large value, and it is stored at its end. `tell` words the answer.
    pub fn store(&mut self, store: Store, tell: impl FnOnce(Stored, &mut Vec<u8>) + 'static) {
        let (verb, key, flags) = (store.verb, store.key, store.flags);
        let fits = Twin::fits(key, flags, store.value.len());
        let second = Rc::new(Cell::new(0));
        let flushes = Rc::new(Cell::new(None));
        let heard = Rc::clone(&second);
        self.command(&store.head, move |twin, _| {
            heard.set(twin.second(store.exptime));
            if !fits && store.forgets {
                twin.delete(key, 0);
            }
        });
        let (first, rest) = match store.value.len() > SLICED_FROM {
            true => store.value.split_at(ON_ITS_WAY_FROM),
            false => store.value.split_at(0),
        };
        let began = Rc::clone(&flushes);
        let sliced = !first.is_empty();
        self.command(first, move |twin, _| {
            began.set(sliced.then(|| twin.flushes()))
        });
        self.say(rest);
        self.command(store.end, move |twin, replies| {
            let stored = if !fits {
                Stored::TooLarge
            } else if store.end != store.right_end {
                Stored::BadEnd
            } else {
                let flushes = flushes.get().unwrap_or(twin.flushes());
                let what = (&store.value[..], flags, second.get());
                Stored::Offered(twin.store(verb, key, what, flushes))
            };
            tell(stored, replies);
        });
    }

    /// Takes the first bytes off, to be sent, and the moments that come with them.
    pub fn take(&mut self, len: usize) -> (Vec<u8>, Vec<Moment>) {
        let rest = self.bytes.split_off(len);
        let sent = std::mem::replace(&mut self.bytes, rest);
        let due = self.moments.iter().take_while(|(at, _)| *at <= len).count();
        let later = self.moments.split_off(due);
        let now = std::mem::take(&mut self.moments);
        self.moments = later
            .into_iter()
            .map(|(at, moment)| (at - len, moment))
            .collect();
        (sent, now.into_iter().map(|(_, moment)| moment).collect())
    }
}
