//! Root is given up before any socket is opened, and it is proven that it cannot be had back.

use std::io;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::unistd::{Gid, Uid, User, getegid, geteuid, getuid, setgid, setgroups, setuid};

use crate::refusal::{Code, Refusal};
use crate::settings::Settings;

/// Whom root goes on as without `-u`: an own default, where memcached refuses to start.
const DEFAULT_USER: &str = "nobody";

/// Whom root has gone on as.
static GONE_ON_AS: OnceLock<String> = OnceLock::new();

/// Finds the user to go on as: none when not started by root, where `-u` is ignored as in memcached.
pub(crate) fn user(settings: &Settings) -> Result<Option<User>, Refusal> {
    if !getuid().is_root() && !geteuid().is_root() {
        return Ok(None);
    }
    let name = settings.user.as_deref().unwrap_or(DEFAULT_USER);
    match User::from_name(name) {
        Ok(Some(user)) => Ok(Some(user)),
        Ok(None) => Err(Refusal::new(
            Code::NoUser,
            format!("-u {name}: there is no such user; create it, or name another"),
        )),
        Err(error) => Err(Refusal::new(
            Code::NoUser,
            format!("-u {name}: cannot be looked up ({error})"),
        )),
    }
}

/// Goes on as that user.
pub(crate) fn give_up(user: &User, settings: &Settings) -> Result<(), Refusal> {
    let name = &user.name;
    let denied = |what: &str, error| Refusal::system(format!("-u {name}: cannot {what} ({error})"));
    setgroups(&[]).map_err(|error| denied("drop the supplementary groups", error))?;
    setgid(user.gid).map_err(|error| denied("change the group", error))?;
    setuid(user.uid).map_err(|error| denied("change the user", error))?;
    if root_is_left(user.uid, user.gid) {
        return Err(Refusal::system(format!(
            "-u {name}: root could be had back after it was given up"
        )));
    }
    if settings.coredumps {
        // The kernel takes core files from a process that changed its user.
        if let Err(error) = nix::sys::prctl::set_dumpable(true) {
            log::warn!("-r: core files cannot be had after the change of user: {error}");
        }
    }
    GONE_ON_AS.get_or_init(|| name.clone());
    Ok(())
}

/// Whether anything of root is left, or can be taken back. With `-u root`, which is allowed, nothing was given up.
fn root_is_left(uid: Uid, gid: Gid) -> bool {
    if uid.is_root() {
        return false;
    }
    let back = setuid(Uid::from_raw(0)).is_ok() || setgid(Gid::from_raw(0)).is_ok();
    back && gid.as_raw() != 0 || getuid() != uid || geteuid() != uid || getegid() != gid
}

/// Whether root was given up.
pub(crate) fn is_given_up() -> bool {
    GONE_ON_AS.get().is_some()
}

/// The name of the user that this process is, or its number where it has none.
pub(crate) fn current_user() -> String {
    let uid = geteuid();
    match (GONE_ON_AS.get(), User::from_uid(uid)) {
        (Some(name), _) => name.clone(),
        (None, Ok(Some(user))) => user.name,
        (None, _) => format!("user {uid}"),
    }
}

/// A sentence about a file, which says who was denied it where that is not who started the process.
pub(crate) fn explain(sentence: String) -> String {
    let denied = io::Error::from(Errno::EACCES).to_string();
    match GONE_ON_AS.get() {
        Some(name) if sentence.contains(&denied) => format!(
            "{sentence}, as {name}, whom root has gone on as: give {name} that right, or another user with -u"
        ),
        _ => sentence,
    }
}
