//! Passwords: how those of the users file are kept, how one is judged, how one is hashed.

use std::fmt;
use std::sync::OnceLock;

use argon2::password_hash::rand_core::{OsRng, RngCore};
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use blake2::{Blake2s256, Digest as _};
use larder_runtime::EntryId;
use subtle::ConstantTimeEq;

use crate::limits::{HASH_MEMORY_KIB_MAX, HASH_PASSES_MAX, HASH_WORKERS_MAX};

/// What a hashed password begins with in the users file.
const HASHED: &str = "$argon2";

/// What `hash-password` lets an attacker pay for each guess: 7 MiB and 5 passes, one of the settings that OWASP's
/// password storage cheat sheet holds for equal. Of those it is the one that takes the least of our own memory.
const MEMORY_KIB: u32 = 7 * 1024;
const PASSES: u32 = 5;

/// A digest under a key that only this process knows: what has another length is compared in the same time, and no
/// clear text is kept.
pub(crate) type Digest = [u8; 32];

/// The key of all digests.
static KEY: OnceLock<Digest> = OnceLock::new();

/// A password of the users file.
pub(crate) enum Password {
    /// It stood there as it is.
    Plain(Digest),
    /// A hash stood there.
    Hashed {
        hash: Box<str>,
        /// The password that was found to be right: hundreds of connections of one pool are not to wait for a hash each.
        found_right: OnceLock<Digest>,
    },
}

impl Password {
    /// Reads what stands behind the user's name, or says what is wrong with it.
    pub(crate) fn read(text: &[u8]) -> Result<Self, String> {
        if !text.starts_with(HASHED.as_bytes()) {
            return Ok(Self::Plain(digest(text)));
        }
        let unreadable = |why: &dyn fmt::Display| format!("the hash cannot be read ({why})");
        let text = std::str::from_utf8(text).map_err(|error| unreadable(&error))?;
        let hash = PasswordHash::new(text).map_err(|error| unreadable(&error))?;
        let params = Params::try_from(&hash).map_err(|error| unreadable(&error))?;
        if Algorithm::try_from(hash.algorithm).is_err() || hash.hash.is_none() {
            return Err(unreadable(&"it is not one of argon2"));
        }
        let costs = params.m_cost() > HASH_MEMORY_KIB_MAX
            || params.t_cost() > HASH_PASSES_MAX
            || params.p_cost() > HASH_WORKERS_MAX;
        if costs {
            return Err(format!(
                "the hash takes too much to be judged: m={HASH_MEMORY_KIB_MAX},t={HASH_PASSES_MAX},p={HASH_WORKERS_MAX} at most"
            ));
        }
        Ok(Self::Hashed {
            hash: text.into(),
            found_right: OnceLock::new(),
        })
    }

    /// What tells its entry from others while this process lives: nobody can make another of the same number, since the
    /// key is not known.
    pub(crate) fn id(&self) -> EntryId {
        let digest = match self {
            Self::Plain(kept) => *kept,
            Self::Hashed { hash, .. } => digest(hash.as_bytes()),
        };
        let [a, b, c, d, e, f, g, h, ..] = digest;
        EntryId::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// Whether it is known without a hash that this is it, compared in constant time.
    pub(crate) fn is_known(&self, given: &Digest) -> bool {
        let kept = match self {
            Self::Plain(kept) => Some(kept),
            Self::Hashed { found_right, .. } => found_right.get(),
        };
        kept.is_some_and(|kept| kept.ct_eq(given).into())
    }

    /// Knows what was found of the same entry in an earlier reading.
    pub(crate) fn inherit(&self, earlier: &Self) {
        let (
            Self::Hashed { hash, found_right },
            Self::Hashed {
                hash: its_hash,
                found_right: known,
            },
        ) = (self, earlier)
        else {
            return;
        };
        if let Some(known) = known.get()
            && hash == its_hash
        {
            // It was just read, and nobody else has it.
            let _ = found_right.set(*known);
        }
    }

    /// Whether a hash stood there.
    pub(crate) fn is_hashed(&self) -> bool {
        matches!(self, Self::Hashed { .. })
    }

    /// Whether the hash is of this; it is known then. May take tens of milliseconds, and does not tell how much is right.
    pub(crate) fn is_by_hash(&self, password: &[u8]) -> bool {
        let Self::Hashed { hash, found_right } = self else {
            return false;
        };
        let right = PasswordHash::new(hash)
            .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok());
        if right {
            // Another has found it meanwhile.
            let _ = found_right.set(digest(password));
        }
        right
    }
}

pub(crate) fn digest(password: &[u8]) -> Digest {
    let key = KEY.get_or_init(|| {
        let mut key = Digest::default();
        OsRng.fill_bytes(&mut key);
        key
    });
    let whole = Blake2s256::new().chain_update(key).chain_update(password);
    whole.finalize().into()
}

/// A password as the users file should have it.
pub(crate) fn hash(password: &[u8]) -> Result<String, String> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|error| error.to_string())?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let salt = SaltString::generate(&mut OsRng);
    let hash = argon2.hash_password(password, &salt);
    hash.map(|hash| hash.to_string())
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Password {
        fn is(&self, password: &[u8]) -> bool {
            self.is_known(&digest(password)) || self.is_by_hash(password)
        }
    }

    #[test]
    fn plain_passwords_are_compared_whole() {
        let password = Password::read(b"sec:ret").expect("a password");
        assert!(password.is(b"sec:ret"));
        for wrong in [&b""[..], b"sec", b"sec:ret ", b"Sec:ret"] {
            assert!(!password.is(wrong), "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn what_was_hashed_is_recognised_again_and_again() {
        let hashed = hash(b"secret").expect("a hash");
        assert!(
            hashed.starts_with("$argon2id$v=19$m=7168,t=5,p=1$"),
            "{hashed}"
        );
        let password = Password::read(hashed.as_bytes()).expect("a password");
        for _ in 0..2 {
            assert!(!password.is(b"Secret") && !password.is(b""));
            assert!(password.is(b"secret"));
        }
        assert_ne!(hash(b"secret").expect("a hash"), hashed, "salted");
    }

    /// Made by `argon2` of Debian's package of that name: printf secret | argon2 saltsalt -id -t 2 -k 1024 -p 2 -e
    #[test]
    fn hashes_of_other_tools_are_recognised() {
        let made = b"$argon2id$v=19$m=1024,t=2,p=2$c2FsdHNhbHQ$sL6wu3ggX6bmsdUhrhrHku85/CHUlt5blUZ3sqNvCd0";
        let password = Password::read(made).expect("a password");
        assert!(password.is(b"secret") && !password.is(b"secre"));
    }

    #[test]
    fn hashes_that_are_none_or_too_dear_are_refused() {
        let table = [
            ("$argon2id$", "cannot be read"),
            (
                "$argon2id$v=19$m=1024,t=2,p=1$c2FsdHNhbHQ",
                "cannot be read",
            ),
            (
                "$argon2x$v=19$m=1024,t=2,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA",
                "cannot be read",
            ),
            (
                "$argon2id$v=19$m=1048576,t=2,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA",
                "too much",
            ),
            (
                "$argon2id$v=19$m=1024,t=900,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA",
                "too much",
            ),
        ];
        for (text, words) in table {
            let why = Password::read(text.as_bytes()).err();
            assert!(
                why.as_ref().is_some_and(|why| why.contains(words)),
                "{text}: {why:?}"
            );
        }
    }
}
