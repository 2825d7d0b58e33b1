//! The gate: who may come in, by what, and what each may do then. The list is the daemon's, and is replaced as a whole while
//! the server runs; passwords stay with the daemon, too.
//!
//! `file` knows what the users file can say, `rights` what a user may do, `acts` what there is to do.

mod acts;
mod file;
mod rights;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use arc_swap::ArcSwap;

pub(crate) use acts::Act;
pub use file::{UsersFile, judge_name};
pub use rights::Rights;

use crate::shared::{ConnInfo, Number};

/// Whoever has not said who it is, in the users file.
const STRANGERS: &[u8] = b"default";

/// Somebody who may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name, any bytes.
    pub name: Box<[u8]>,
    /// Names in client certificates (their subject's CN, or a SAN) that are this user's.
    pub certs: Vec<Box<[u8]>>,
    /// What the user may do; none is everything.
    pub rights: Option<Rights>,
}

/// All who may come in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admitted {
    /// Those who say who they are.
    pub users: Vec<User>,
    /// What those may do who do not; none is nothing.
    pub strangers: Option<Rights>,
}

/// A user, and what is counted of it.
pub(crate) struct Member {
    pub(crate) user: User,
    /// Commands that were denied to it; kept when the users are replaced.
    denied: Arc<Number>,
}

/// The users of one reading of the file.
struct Users {
    by_name: BTreeMap<Box<[u8]>, Arc<Member>>,
    by_cert: HashMap<Box<[u8]>, Arc<Member>>,
    strangers: Option<Arc<Member>>,
}

/// What was denied to a user.
pub(crate) struct Denied {
    pub(crate) name: Box<[u8]>,
    pub(crate) commands: u64,
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
    pub fn new(admitted: Admitted, sasl: bool) -> Self {
        Self {
            users: ArcSwap::from_pointee(Users::new(admitted, None)),
            generation: Number::default(),
            sasl,
        }
    }

    /// Puts others into the place of the users. Whoever is in and no longer listed is out with the next command, and
    /// whoever is listed has the new rights.
    pub fn replace(&self, admitted: Admitted) {
        let old = self.users.load_full();
        self.users.store(Arc::new(Users::new(admitted, Some(&old))));
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

    /// The next users by name, `most` of them and strangers behind the last, and how many commands were denied to each;
    /// and whether these are the last.
    pub(crate) fn denied_behind(&self, after: Option<&[u8]>, most: usize) -> (Vec<Denied>, bool) {
        let users = self.users.load();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let next = users.by_name.range::<[u8], _>((from, Bound::Unbounded));
        let mut next: Vec<&Arc<Member>> = next.take(most).map(|(_, member)| member).collect();
        let last = next.len() < most;
        next.extend(users.strangers.iter().filter(|_| last));
        let denied = next.iter().map(|member| Denied {
            name: member.user.name.clone(),
            commands: member.denied.get(),
        });
        (denied.collect(), last)
    }

    /// Counts what is denied from zero on.
    pub(crate) fn reset_denied(&self) {
        let users = self.users.load();
        for member in users.by_name.values().chain(&users.strangers) {
            member.denied.set(0);
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

impl Users {
    /// Those who are admitted, with the counts of `old`.
    fn new(admitted: Admitted, old: Option<&Self>) -> Self {
        let (mut by_name, mut by_cert) = (BTreeMap::new(), HashMap::new());
        for user in admitted.users {
            let before = old.and_then(|old| old.by_name.get(&user.name));
            let member = Member::new(user, before);
            for cert in &member.user.certs {
                by_cert.insert(cert.clone(), Arc::clone(&member));
            }
            by_name.insert(member.user.name.clone(), member);
        }
        let strangers = admitted.strangers.map(|rights| {
            let user = User {
                name: STRANGERS.into(),
                certs: Vec::new(),
                rights: Some(rights),
            };
            Member::new(user, old.and_then(|old| old.strangers.as_ref()))
        });
        Self {
            by_name,
            by_cert,
            strangers,
        }
    }
}

impl Member {
    fn new(user: User, before: Option<&Arc<Self>>) -> Arc<Self> {
        let denied = before.map(|before| Arc::clone(&before.denied));
        Arc::new(Self {
            user,
            denied: denied.unwrap_or_default(),
        })
    }

    /// Counts a command that was denied.
    pub(crate) fn note_denied(&self) {
        self.denied.add(1);
    }
}

/// By what somebody came in.
enum Proof {
    /// Nothing: a stranger.
    None,
    /// A password for this name.
    Name(Box<[u8]>),
    /// A certificate with this name.
    Cert(Box<[u8]>),
}

/// A connection's pass: as long as there is a gate, each has one.
pub(crate) struct Pass {
    pub(crate) gate: Arc<Gate>,
    pub(crate) info: Arc<ConnInfo>,
    proof: Proof,
    /// Who it is. A stranger is nobody, or whoever strangers are.
    member: Option<Arc<Member>>,
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
        let generation = gate.generation();
        let member = gate.users.load().strangers.clone();
        Self {
            gate,
            info,
            proof: Proof::None,
            member,
            generation,
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
        self.member.is_some()
    }

    /// Looks for its user among those who are listed now. Whoever is not has to say again who it is.
    #[cold]
    fn look_again(&mut self) {
        self.generation = self.gate.generation();
        let users = self.gate.users.load();
        let listed = match &self.proof {
            Proof::None => None,
            Proof::Name(name) => users.by_name.get(name),
            Proof::Cert(name) => users.by_cert.get(name),
        };
        if listed.is_none() {
            self.proof = Proof::None;
        }
        self.member = listed.or(users.strangers.as_ref()).cloned();
    }

    /// Whether it has not said who it is, or not with success.
    #[inline]
    pub(crate) fn is_stranger(&self) -> bool {
        matches!(self.proof, Proof::None)
    }

    /// Whom it is of, as seen when it was last asked whether it is in.
    #[inline]
    pub(crate) fn member(&self) -> Option<&Member> {
        self.member.as_deref()
    }

    /// What it may do, as seen when it was last asked whether it is in; none is everything.
    #[inline]
    pub(crate) fn rights(&self) -> Option<&Rights> {
        self.member.as_ref()?.user.rights.as_ref()
    }

    /// Whether somebody is listed by this name.
    pub(crate) fn knows(&self, name: &[u8]) -> bool {
        self.gate.users.load().by_name.contains_key(name)
    }

    /// Lets it in by a name whose password was right. False if nobody is listed by it any more.
    pub(crate) fn let_in(&mut self, name: &[u8]) -> bool {
        let member = self.gate.users.load().by_name.get(name).cloned();
        if member.is_some() {
            (self.member, self.proof) = (member, Proof::Name(name.into()));
            return true;
        }
        false
    }

    /// Lets it in if one of these, the names in a certificate that an authority vouches for, is somebody's.
    pub(crate) fn let_in_by_cert<'a>(&mut self, names: impl IntoIterator<Item = &'a [u8]>) {
        let users = self.gate.users.load();
        let mut names = names.into_iter();
        let known = names.find_map(|name| Some((name, users.by_cert.get(name)?)));
        if let Some((name, member)) = known {
            (self.member, self.proof) = (Some(Arc::clone(member)), Proof::Cert(name.into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(names: &[&str]) -> Admitted {
        let user = |name: &&str| User {
            name: name.as_bytes().into(),
            certs: vec![format!("{name}.example").into_bytes().into()],
            rights: None,
        };
        Admitted {
            users: names.iter().map(user).collect(),
            strangers: None,
        }
    }

    /// What a file of such lines admits.
    fn written(text: &str) -> Admitted {
        let file = UsersFile::read(text.as_bytes(), |_| Ok(()));
        file.expect("a file").admitted()
    }

    fn pass(gate: &Arc<Gate>) -> Pass {
        let info = ConnInfo::new(3, None, "unix:".into(), "unix:".into(), 2, 0);
        Pass::new(Arc::clone(gate), Arc::new(info))
    }

    #[test]
    fn who_is_no_longer_listed_is_out() {
        let gate = Arc::new(Gate::new(admitted(&["ann", "bob"]), false));
        let mut pass = pass(&gate);
        assert!(!pass.is_in());
        assert!(!pass.let_in(b"eve") && !pass.is_in());
        assert!(pass.let_in(b"bob") && pass.is_in());
        gate.replace(admitted(&["bob", "carl"]));
        assert!(pass.is_in());
        gate.replace(admitted(&["ann"]));
        assert!(!pass.is_in());
        gate.replace(admitted(&["bob"]));
        assert!(!pass.is_in(), "it has to say again who it is");
    }

    #[test]
    fn a_certificate_is_whose_name_it_has() {
        let gate = Arc::new(Gate::new(admitted(&["ann", "bob"]), false));
        let mut pass = pass(&gate);
        pass.let_in_by_cert([&b"eve.example"[..], b"ann"]);
        assert!(!pass.is_in());
        pass.let_in_by_cert([&b"eve.example"[..], b"bob.example"]);
        assert!(pass.is_in());
        gate.replace(admitted(&["ann"]));
        assert!(!pass.is_in());
    }

    #[test]
    fn whoever_lost_his_certificate_is_out_though_his_name_is_listed() {
        let gate = Arc::new(Gate::new(written("@ann cert=a\nann:x\n"), false));
        let mut pass = pass(&gate);
        pass.let_in_by_cert([&b"a"[..]]);
        assert!(pass.is_in());
        gate.replace(written("ann:x\n"));
        assert!(!pass.is_in());
    }

    #[test]
    fn rights_are_those_of_the_latest_list() {
        let may = |pass: &mut Pass, act: Act| {
            pass.is_in() && pass.rights().is_none_or(|rights| rights.may(act))
        };
        let gate = Arc::new(Gate::new(written("ann:x\n"), false));
        let (mut ann, mut other) = (pass(&gate), pass(&gate));
        assert!(ann.let_in(b"ann") && may(&mut ann, Act::FlushAll));
        assert!(!may(&mut other, Act::Get));
        gate.replace(written("ann:x\n@ann read\n@default get\n"));
        assert!(may(&mut ann, Act::Gets) && !may(&mut ann, Act::FlushAll));
        assert!(may(&mut other, Act::Get) && !may(&mut other, Act::Gets));
        assert!(other.is_stranger() && !ann.is_stranger());
        gate.replace(written("@default get\n"));
        assert!(may(&mut ann, Act::Get) && !may(&mut ann, Act::Gets) && ann.is_stranger());
        gate.replace(written("ann:x\n"));
        assert!(!ann.is_in() && !other.is_in());
    }

    #[test]
    fn what_is_denied_is_counted_on_when_the_list_is_replaced() {
        let counts = |gate: &Gate| {
            let (mut all, mut after, mut last) = (Vec::new(), None, false);
            while !last {
                let next;
                (next, last) = gate.denied_behind(after.as_deref(), 1);
                after = next.last().map(|denied: &Denied| denied.name.clone());
                let row = |one: Denied| (one.name.escape_ascii().to_string(), one.commands);
                all.extend(next.into_iter().map(row));
            }
            all
        };
        let gate = Arc::new(Gate::new(written("ann:x\n@default get\n"), false));
        let (mut ann, mut other) = (pass(&gate), pass(&gate));
        assert!(ann.let_in(b"ann") && other.is_in());
        for pass in [&ann, &other, &other] {
            pass.member().expect("somebody").note_denied();
        }
        gate.replace(written("bob:x\nann:y\n@default gets\n"));
        let row = |name: &str, count| (name.to_owned(), count);
        assert_eq!(
            counts(&gate),
            [row("ann", 1), row("bob", 0), row("default", 2)]
        );
        gate.reset_denied();
        assert_eq!(
            counts(&gate),
            [row("ann", 0), row("bob", 0), row("default", 0)]
        );
    }
}
