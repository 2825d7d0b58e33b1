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
pub(crate) use rights::Word;

use crate::client_limits::ClientLimits;
use crate::shared::{ConnInfo, Number};

/// Whoever has not said who it is, in the users file.
const STRANGERS: &[u8] = b"default";

/// What tells the entries of the users file apart that have passwords: the same as long as the entry is.
pub type EntryId = u64;

/// Somebody who may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name, any bytes.
    pub name: Box<[u8]>,
    /// The entries by whose passwords the user may come in.
    pub passwords: Vec<EntryId>,
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
    /// Connections that are in as this user; kept likewise.
    conns: Arc<Number>,
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

    /// Puts others into the place of the users. Whoever is in by an entry that is no longer listed is out with the
    /// next command, and whoever is listed has the new rights.
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
                passwords: Vec::new(),
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

    /// The user of this name, if this is one of its entries.
    fn by_password(&self, name: &[u8], entry: EntryId) -> Option<&Arc<Member>> {
        let member = self.by_name.get(name)?;
        member.user.passwords.contains(&entry).then_some(member)
    }
}

impl Member {
    fn new(user: User, before: Option<&Arc<Self>>) -> Arc<Self> {
        let denied = before.map(|before| Arc::clone(&before.denied));
        let conns = before.map(|before| Arc::clone(&before.conns));
        Arc::new(Self {
            user,
            denied: denied.unwrap_or_default(),
            conns: conns.unwrap_or_default(),
        })
    }

    /// Whether it may do all that the word `admin` stands for.
    fn is_admin(&self) -> bool {
        let rights = self.user.rights.as_ref();
        rights.is_none_or(Rights::are_an_admins)
    }

    /// A place for one connection more, if it has fewer than so many; 0 is no limit.
    fn place(&self, most: usize) -> Option<UserPlace> {
        let more = |conns| (most == 0 || conns < most as u64).then_some(conns + 1);
        let taken = self.conns.update(more);
        taken.then(|| UserPlace(Arc::clone(&self.conns)))
    }

    /// Counts a command that was denied.
    pub(crate) fn note_denied(&self) {
        self.denied.add(1);
    }
}

/// One connection's place among its user's.
struct UserPlace(Arc<Number>);

impl Drop for UserPlace {
    fn drop(&mut self) {
        self.0.take(1);
    }
}

/// What came of an attempt to come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is in.
    In,
    /// Nobody is listed by that name.
    Unlisted,
    /// The user has as many connections as it may (`-o conns_per_user`).
    UserFull,
    /// What is left of `-c` is for admins (`-o admin_conns`).
    ForAdmins,
}

/// By what somebody came in.
enum Proof {
    /// Nothing: a stranger.
    None,
    /// The password of this entry of the user of this name.
    Password(Box<[u8]>, EntryId),
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
    /// Its place among its user's connections; a stranger has none.
    place: Option<UserPlace>,
    /// Nobody but an admin may come in by it: all others' places were taken.
    for_admins: bool,
    /// By which generation of users.
    generation: u64,
    /// Whether it speaks the binary protocol.
    pub(crate) binary: bool,
    /// An exchange of SASL has begun.
    pub(crate) sasl_begun: bool,
}

impl Pass {
    /// Of a connection that has said nothing; perhaps one that is kept for admins.
    pub(crate) fn new(gate: Arc<Gate>, info: Arc<ConnInfo>, for_admins: bool) -> Self {
        let generation = gate.generation();
        let strangers = gate.users.load().strangers.clone();
        Self {
            gate,
            info,
            proof: Proof::None,
            member: strangers.filter(|_| !for_admins),
            place: None,
            for_admins,
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
            Proof::Password(name, entry) => users.by_password(name, *entry),
            Proof::Cert(name) => users.by_cert.get(name),
        };
        let listed = listed.filter(|member| !self.for_admins || member.is_admin());
        if listed.is_none() {
            self.proof = Proof::None;
            self.place = None;
        }
        let strangers = users.strangers.as_ref().filter(|_| !self.for_admins);
        self.member = listed.or(strangers).cloned();
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

    /// Takes note, before it comes in, of whether only an admin may: others may have come in since it connected.
    pub(crate) fn see_room(&mut self, for_admins: bool) {
        if self.member.is_none() {
            self.for_admins = for_admins;
        }
    }

    /// Lets it in by a name and the entry whose password was right, if that is still listed and the user has a place left.
    pub(crate) fn let_in(
        &mut self,
        name: &[u8],
        entry: EntryId,
        limits: &ClientLimits,
    ) -> Admission {
        let member = self.gate.users.load().by_password(name, entry).cloned();
        member.map_or(Admission::Unlisted, |member| {
            self.admit(member, Proof::Password(name.into(), entry), limits)
        })
    }

    /// Lets it in if one of these, the names in a certificate that an authority vouches for, is somebody's.
    pub(crate) fn let_in_by_cert<'a>(
        &mut self,
        names: impl IntoIterator<Item = &'a [u8]>,
        limits: &ClientLimits,
    ) -> Admission {
        let users = self.gate.users.load_full();
        let mut names = names.into_iter();
        let known = names.find_map(|name| Some((name, users.by_cert.get(name)?)));
        known.map_or(Admission::Unlisted, |(name, member)| {
            self.admit(Arc::clone(member), Proof::Cert(name.into()), limits)
        })
    }

    fn admit(&mut self, member: Arc<Member>, proof: Proof, limits: &ClientLimits) -> Admission {
        if self.for_admins && !member.is_admin() {
            return Admission::ForAdmins;
        }
        let held = self.place.as_ref();
        if !held.is_some_and(|place| Arc::ptr_eq(&place.0, &member.conns)) {
            let Some(place) = member.place(limits.conns_per_user) else {
                return Admission::UserFull;
            };
            self.place = Some(place);
        }
        (self.member, self.proof) = (Some(member), proof);
        Admission::In
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_LIMITS: &ClientLimits = &ClientLimits {
        request_timeout_s: 0,
        input_max: 0,
        output_max: 0,
        conns_per_address: 0,
        conns_per_user: 0,
        admin_conns: 0,
    };

    /// The entry of the password x.
    const X: EntryId = b'x' as EntryId;

    fn admitted(names: &[&str]) -> Admitted {
        let user = |name: &&str| User {
            name: name.as_bytes().into(),
            passwords: vec![X],
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
        let file = UsersFile::read(text.as_bytes(), |password| Ok(EntryId::from(password[0])));
        file.expect("a file").admitted(|entry| *entry)
    }

    fn pass(gate: &Arc<Gate>) -> Pass {
        let info = ConnInfo::new(3, None, "unix:".into(), "unix:".into(), 2, 0);
        Pass::new(Arc::clone(gate), Arc::new(info), false)
    }

    #[test]
    fn who_is_no_longer_listed_is_out() {
        let gate = Arc::new(Gate::new(admitted(&["ann", "bob"]), false));
        let mut pass = pass(&gate);
        assert!(!pass.is_in());
        assert!(pass.let_in(b"eve", X, NO_LIMITS) != Admission::In && !pass.is_in());
        assert!(pass.let_in(b"bob", X, NO_LIMITS) == Admission::In && pass.is_in());
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
        pass.let_in_by_cert([&b"eve.example"[..], b"ann"], NO_LIMITS);
        assert!(!pass.is_in());
        pass.let_in_by_cert([&b"eve.example"[..], b"bob.example"], NO_LIMITS);
        assert!(pass.is_in());
        gate.replace(admitted(&["ann"]));
        assert!(!pass.is_in());
    }

    #[test]
    fn whoever_lost_his_certificate_is_out_though_his_name_is_listed() {
        let gate = Arc::new(Gate::new(written("@ann cert=a\nann:x\n"), false));
        let mut pass = pass(&gate);
        pass.let_in_by_cert([&b"a"[..]], NO_LIMITS);
        assert!(pass.is_in());
        gate.replace(written("ann:x\n"));
        assert!(!pass.is_in());
    }

    #[test]
    fn whose_password_is_no_longer_listed_is_out_though_its_name_is() {
        let gate = Arc::new(Gate::new(written("ann:x\n@ann cert=a\n"), false));
        let mut pass = pass(&gate);
        let judged = |pass: &mut Pass| pass.let_in(b"ann", X, NO_LIMITS);
        assert!(judged(&mut pass) == Admission::In);
        gate.replace(written("ann:y\nann:x\n@ann cert=a\n"));
        assert!(pass.is_in(), "another password beside it");
        for without in ["ann:y\n@ann cert=a\n", "@ann cert=a\n"] {
            gate.replace(written(without));
            assert!(!pass.is_in(), "{without}");
            assert!(judged(&mut pass) == Admission::Unlisted, "{without}");
            gate.replace(written("ann:x\n"));
            assert!(judged(&mut pass) == Admission::In && pass.is_in());
        }
    }

    #[test]
    fn rights_are_those_of_the_latest_list() {
        let may = |pass: &mut Pass, act: Act| {
            pass.is_in() && pass.rights().is_none_or(|rights| rights.may(act))
        };
        let gate = Arc::new(Gate::new(written("ann:x\n"), false));
        let (mut ann, mut other) = (pass(&gate), pass(&gate));
        assert!(ann.let_in(b"ann", X, NO_LIMITS) == Admission::In && may(&mut ann, Act::FlushAll));
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
        assert!(ann.let_in(b"ann", X, NO_LIMITS) == Admission::In && other.is_in());
        for pass in [&ann, &other, &other] {
            pass.member().expect("somebody").note_denied();
        }
        gate.replace(written("bob:x\nann:x\n@default gets\n"));
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

    #[test]
    fn a_place_is_held_through_changes_and_given_back() {
        let gate = Arc::new(Gate::new(admitted(&["ann", "bob"]), false));
        let two = &ClientLimits {
            conns_per_user: 2,
            ..*NO_LIMITS
        };
        let mut passes = [pass(&gate), pass(&gate), pass(&gate)];
        assert!(passes[0].let_in(b"ann", X, two) == Admission::In);
        assert!(passes[1].let_in_by_cert([&b"ann.example"[..]], two) == Admission::In);
        assert!(passes[2].let_in(b"ann", X, two) == Admission::UserFull && !passes[2].is_in());
        assert!(passes[2].let_in(b"bob", X, two) == Admission::In);
        assert!(
            passes[1].let_in(b"ann", X, two) == Admission::In,
            "it has a place"
        );
        gate.replace(admitted(&["ann", "carl"]));
        assert!(passes[0].is_in() && !passes[2].is_in());
        assert!(passes[2].let_in(b"ann", X, two) == Admission::UserFull);
        assert!(passes[1].let_in(b"carl", X, two) == Admission::In);
        assert!(
            passes[2].let_in(b"ann", X, two) == Admission::In,
            "another left"
        );
    }

    #[test]
    fn what_is_kept_for_admins_is_for_nobody_else() {
        let text = "ann:x\n@app read,write,stats\napp:x\n@root admin\nroot:x\n@default read\n";
        let gate = Arc::new(Gate::new(written(text), false));
        let info = ConnInfo::new(3, None, "unix:".into(), "unix:".into(), 2, 0);
        let mut kept = Pass::new(Arc::clone(&gate), Arc::new(info), true);
        assert!(
            pass(&gate).is_in() && !kept.is_in(),
            "strangers have no rights here"
        );
        assert!(kept.let_in(b"app", X, NO_LIMITS) == Admission::ForAdmins && !kept.is_in());
        for admin in [&b"ann"[..], b"root"] {
            assert!(kept.let_in(admin, X, NO_LIMITS) == Admission::In && kept.is_in());
        }
        gate.replace(written("@default read\n"));
        assert!(!kept.is_in());
    }
}
