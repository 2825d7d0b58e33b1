//! What is sent on a connection, and what is answered at which byte of it.

use std::cell::Cell;
use std::rc::Rc;

use crate::twin::Twin;

/// Bytes of a large value from which on it is on its way into its shard, where a flush takes it.
const ON_ITS_WAY_FROM: usize = 16 * 1024;

/// Bytes of values above which they go in slices.
const SLICED_FROM: usize = 64 * 1024;

/// What happens when a byte has come: the twin follows, and the reply is written.
pub type Moment = Box<dyn Fn(&mut Twin, &mut Vec<u8>)>;

/// Commands of one connection that are made and not sent yet.
#[derive(Default)]
pub struct Speech {
    pub bytes: Vec<u8>,
    /// How many bytes must have been sent for each.
    moments: Vec<(usize, Moment)>,
}

/// A store command's bytes, in whatever protocol.
pub struct Store {
    pub key: &'static [u8],
    pub flags: u32,
    /// What its exptimes are, one or two of them.
    pub exptimes: [i64; 2],
    pub value: Vec<u8>,
    /// Whether a value that is too large takes the old one with it.
    pub forgets: bool,
    /// The line or the head, and what must follow the value, as it is sent and as it should be.
    pub head: Vec<u8>,
    pub end: &'static [u8],
    pub right_end: &'static [u8],
}

/// How the value of a [`Store`] has come.
pub enum Arrived<'a> {
    /// Whole; what seconds its exptimes mean, and how often all had been lost when it began to come.
    Whole {
        value: &'a [u8],
        seconds: [u32; 2],
        flushes: u64,
    },
    TooLarge,
    BadEnd,
}

impl Speech {
    pub fn say(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Something happens when all that was said has come.
    pub fn then(&mut self, moment: impl Fn(&mut Twin, &mut Vec<u8>) + 'static) {
        self.moments.push((self.bytes.len(), Box::new(moment)));
    }

    /// A command, and what happens when it has come.
    pub fn command(&mut self, bytes: &[u8], moment: impl Fn(&mut Twin, &mut Vec<u8>) + 'static) {
        self.say(bytes);
        self.then(moment);
    }

    /// A store command, which happens in three moments: its exptimes count from its head on, a flush takes what it has
    /// brought of a large value, and at its end `finish` stores it and words the answer.
    pub fn store(
        &mut self,
        store: Store,
        finish: impl Fn(&mut Twin, Arrived<'_>, &mut Vec<u8>) + 'static,
    ) {
        let key = store.key;
        let fits = Twin::fits(key, store.flags, store.value.len());
        let seconds = Rc::new(Cell::new([0; 2]));
        let flushes = Rc::new(Cell::new(None));
        let heard = Rc::clone(&seconds);
        self.command(&store.head, move |twin, _| {
            heard.set(store.exptimes.map(|exptime| twin.second(exptime)));
            if !fits && store.forgets {
                twin.delete(key, 0);
            }
        });
        let sliced = store.value.len() > SLICED_FROM;
        let (first, rest) = store
            .value
            .split_at(if sliced { ON_ITS_WAY_FROM } else { 0 });
        let began = Rc::clone(&flushes);
        self.command(first, move |twin, _| {
            began.set(sliced.then(|| twin.flushes()));
        });
        self.say(rest);
        self.command(store.end, move |twin, replies| {
            let arrived = if !fits {
                Arrived::TooLarge
            } else if store.end != store.right_end {
                Arrived::BadEnd
            } else {
                Arrived::Whole {
                    value: &store.value,
                    seconds: seconds.get(),
                    flushes: flushes.get().unwrap_or(twin.flushes()),
                }
            };
            finish(twin, arrived, replies);
        });
    }

    /// How many bytes are left until something happens.
    pub fn until_next(&self) -> usize {
        let next = self.moments.first();
        next.map_or(self.bytes.len(), |(at, _)| *at)
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
