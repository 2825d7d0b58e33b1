//! Root is given up before any socket is opened, and it is proven that it cannot be had back.

use nix::unistd::{Gid, Uid, User, getegid, geteuid, getuid, setgid, setgroups, setuid};

use crate::logging;
use crate::refusal::{Code, Refusal};
use crate::settings::Settings;

/// Whom root goes on as without `-u`: an own default, where memcached refuses to start.
const DEFAULT_USER: &str = "nobody";

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
            format!("-u {name}: there is no such user"),
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
    if settings.user.is_none() {
        logging::notice(format_args!(
            "started by root without -u: goes on as {name}"
        ));
    }
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
