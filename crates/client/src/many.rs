//! The results of one call for many keys: each key has its own.

use bytes::Bytes;

use crate::error::Error;

/// One result for each key, in the order of the keys.
#[derive(Clone, Debug)]
pub struct Many<T> {
    results: Vec<(Bytes, Result<T, Error>)>,
}

impl<T> Many<T> {
    pub(crate) fn new(results: Vec<(Bytes, Result<T, Error>)>) -> Self {
        Self { results }
    }

    /// How many keys were asked for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.results.len()
    }

    /// Whether no key was asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.results.is_empty()
    }

    /// Each key with its result.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Result<T, Error>)> {
        self.results.iter().map(|(key, result)| (&key[..], result))
    }

    /// The result of the first key that is `key`.
    #[must_use]
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<&Result<T, Error>> {
        let found = self.iter().find(|(asked, _)| *asked == key.as_ref());
        found.map(|(_, result)| result)
    }

    /// The keys that failed, each with the reason.
    pub fn errors(&self) -> impl Iterator<Item = (&[u8], &Error)> {
        self.iter()
            .filter_map(|(key, result)| Some((key, result.as_ref().err()?)))
    }

    /// All results, if no key failed.
    ///
    /// # Errors
    /// The first key's that failed.
    pub fn all(self) -> Result<Vec<(Bytes, T)>, Error> {
        let whole = |(key, result): (Bytes, Result<T, Error>)| Ok((key, result?));
        self.results.into_iter().map(whole).collect()
    }
}

impl<T> Many<Option<T>> {
    /// The keys that were found, with what was found.
    pub fn found(&self) -> impl Iterator<Item = (&[u8], &T)> {
        self.iter()
            .filter_map(|(key, result)| Some((key, result.as_ref().ok()?.as_ref()?)))
    }
}

impl<T> IntoIterator for Many<T> {
    type Item = (Bytes, Result<T, Error>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.results.into_iter()
    }
}
