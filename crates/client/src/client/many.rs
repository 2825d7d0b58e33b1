//! Calls for many keys: every node is asked at the same time, once.

use bytes::Bytes;

use super::{Client, command, done, found, storing};
use crate::error::Error;
use crate::many::Many;
use crate::ttl::Ttl;
use crate::value::{IntoBytes, Value};
use crate::wire::{Answer, Command, Fetching, Verb};
use larder_protocol::client::meta::Mode;

impl Client {
    /// The items of these keys. Each key has a result of its own: found, not there, or the error with its node.
    pub async fn get_many<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Many<Option<Value>> {
        let verbs = keys
            .into_iter()
            .map(|key| (key, Verb::Get(Fetching::default())));
        self.ask_prepared(prepare(verbs), found).await
    }

    /// Stores values, all for the same time.
    pub async fn set_many<K: AsRef<[u8]>, V: IntoBytes>(
        &self,
        items: impl IntoIterator<Item = (K, V)>,
        ttl: Ttl,
    ) -> Many<()> {
        let verbs = items.into_iter().map(|(key, value)| {
            let verb = storing(Mode::Set, value.into_bytes(), 0, ttl, None);
            (key, verb)
        });
        self.ask_prepared(prepare(verbs), |answer| done(answer).map(drop))
            .await
    }

    /// Deletes items; says for each whether there was one.
    pub async fn delete_many<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Many<bool> {
        let verbs = keys
            .into_iter()
            .map(|key| (key, Verb::Delete { cas: None }));
        self.ask_prepared(prepare(verbs), done).await
    }

    async fn ask_prepared<T>(
        &self,
        prepared: Prepared,
        judge: impl Fn(Answer) -> Result<T, Error>,
    ) -> Many<T> {
        for command in &prepared.commands {
            if command.verb.kind().changes_value() {
                self.inner.flights.forget(&command.key);
            }
        }
        let pool = self.inner.pool.load_full();
        let first = prepared.commands.first();
        let is_write = first.is_some_and(|command| command.verb.kind().changes_value());
        let mut answers = pool.ask_many(prepared.commands).await.into_iter();
        if is_write {
            let sent = prepared
                .keys
                .iter()
                .filter(|(_, refused)| refused.is_none());
            self.inner.look_back(&pool, sent.map(|(key, _)| key));
        }
        let results = prepared.keys.into_iter().filter_map(|(key, refused)| {
            let result = match refused {
                Some(error) => Err(error),
                None => answers.next()?.and_then(&judge),
            };
            Some((key, result))
        });
        Many::new(results.collect())
    }
}

/// What is asked, after each key has been looked at, and before anything is sent.
struct Prepared {
    /// Every key, and why it cannot be sent if it cannot.
    keys: Vec<(Bytes, Option<Error>)>,
    /// One for each key that can.
    commands: Vec<Command>,
}

fn prepare<K: AsRef<[u8]>>(verbs: impl Iterator<Item = (K, Verb)>) -> Prepared {
    let mut prepared = Prepared {
        keys: Vec::new(),
        commands: Vec::new(),
    };
    for (key, verb) in verbs {
        match command(key.as_ref(), verb) {
            Ok(command) => {
                prepared.keys.push((command.key.clone(), None));
                prepared.commands.push(command);
            }
            Err(error) => {
                let key = Bytes::copy_from_slice(key.as_ref());
                prepared.keys.push((key, Some(error)));
            }
        }
    }
    prepared
}
