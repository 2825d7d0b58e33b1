//! The gate: who may come in, and by what. The list is the daemon's, and is replaced as a whole while the server runs;
//! passwords stay with the daemon, too.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::shared::{ConnInfo, Number};

/// Somebody who may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name, any bytes.
    pub name: Box<[u8]>,
    /// Names in client certificates (their subject's CN, or a SAN) that are this user's.
    pub certs: Vec<Box<[u8]>>,
}

/// The users of one reading of the file.
pub(crate) struct Users {
    by_name: HashMap<Box<[u8]>, Arc<User>>,
    by_cert: HashMap<Box<[u8]>, Arc<User>>,
}

/// Who may come in, for all listeners and protocols.
pub struct Gate {
    users: ArcSwap<Users>,
    /// How often they were replaced.
    generation: Number,
    /// Clients of the binary protocol may say who they are, by SASL.
    sasl: bool,
}

impl Gate {
    /// A gate for these users; with `sasl`, for the binary protocol as well.
    pub fn new(users: Vec<User>, sasl: bool) -> Self {
        Self {
            users: ArcSwap::from_pointee(Users::new(users)),
            generation: Number::default(),
            sasl,
        }
    }

    /// Puts others into the place of the users. Whoever is in and no longer listed is out with the next command.
    pub fn replace(&self, users: Vec<User>) {
        self.users.store(Arc::new(Users::new(users)));
        // Whoever sees this sees those.
        self.generation.add(1);
    }

    pub(crate) fn sasl(&self) -> bool {
        self.sasl
    }

    /// How often the users were replaced.
    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        self.generation.get()
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

impl Users {
    fn new(users: Vec<User>) -> Self {
        let (mut by_name, mut by_cert) = (HashMap::new(), HashMap::new());
        for user in users.into_iter().map(Arc::new) {
            for cert in &user.certs {
                by_cert.insert(cert.clone(), Arc::clone(&user));
            }
            by_name.insert(user.name.clone(), user);
        }
        Self { by_name, by_cert }
    }
}

/// A connection's pass: as long as there is a gate, each has one.
pub(crate) struct Pass {
    pub(crate) gate: Arc<Gate>,
    pub(crate) info: Arc<ConnInfo>,
    /// Who it is; nobody yet is none.
    user: Option<Arc<User>>,
    /// By which generation of users.
    generation: u64,
    /// Whether it speaks the binary protocol.
    pub(crate) binary: bool,
    /// An exchange of SASL has begun.
    pub(crate) sasl_begun: bool,
}

impl Pass {
    /// Of a connection that has said nothing.
    pub(crate) fn new(gate: Arc<Gate>, info: Arc<ConnInfo>) -> Self {
        Self {
            generation: gate.generation(),
            gate,
            info,
            user: None,
            binary: false,
            sasl_begun: false,
        }
    }

    /// Whether it is in, by the users who are listed now.
    #[inline]
    pub(crate) fn is_in(&mut self) -> bool {
        if self.generation != self.gate.generation() {
            self.look_again();
        }
        self.user.is_some()
    }

    /// Looks for its user among those who are listed now.
    #[cold]
    fn look_again(&mut self) {
        self.generation = self.gate.generation();
        let users = self.gate.users.load();
        if let Some(user) = self.user.take() {
            self.user = users.by_name.get(&user.name).cloned();
        }
    }

    /// Lets it in by a name whose password was right. False if nobody is listed by it any more.
    pub(crate) fn let_in(&mut self, name: &[u8]) -> bool {
        self.user = self.gate.users.load().by_name.get(name).cloned();
        self.user.is_some()
    }

    /// Lets it in if one of these, the names in a certificate that an authority vouches for, is somebody's.
    pub(crate) fn let_in_by_cert<'a>(&mut self, names: impl IntoIterator<Item = &'a [u8]>) {
        let users = self.gate.users.load();
        let known = names.into_iter().find_map(|name| users.by_cert.get(name));
        self.user = known.cloned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(names: &[&str]) -> Vec<User> {
        let user = |name: &&str| User {
            name: name.as_bytes().into(),
            certs: vec![format!("{name}.example").into_bytes().into()],
        };
        names.iter().map(user).collect()
    }

    fn pass(gate: &Arc<Gate>) -> Pass {
        let info = ConnInfo::new(3, None, "unix:".into(), "unix:".into(), 2, 0);
        Pass::new(Arc::clone(gate), Arc::new(info))
    }

    #[test]
    fn who_is_no_longer_listed_is_out() {
        let gate = Arc::new(Gate::new(users(&["ann", "bob"]), false));
        let mut pass = pass(&gate);
        assert!(!pass.is_in());
        assert!(!pass.let_in(b"eve") && !pass.is_in());
        assert!(pass.let_in(b"bob") && pass.is_in());
        gate.replace(users(&["bob", "carl"]));
        assert!(pass.is_in());
        gate.replace(users(&["ann"]));
        assert!(!pass.is_in());
        gate.replace(users(&["bob"]));
        assert!(!pass.is_in(), "it has to say again who it is");
    }

    #[test]
    fn a_certificate_is_whose_name_it_has() {
        let gate = Arc::new(Gate::new(users(&["ann", "bob"]), false));
        let mut pass = pass(&gate);
        pass.let_in_by_cert([&b"eve.example"[..], b"ann"]);
        assert!(!pass.is_in());
        pass.let_in_by_cert([&b"eve.example"[..], b"bob.example"]);
        assert!(pass.is_in());
        gate.replace(users(&["ann"]));
        assert!(!pass.is_in());
    }
}
