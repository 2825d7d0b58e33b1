//! systemd, or whoever speaks its two protocols: it is told how far the service is (`NOTIFY_SOCKET`), and may pass on
//! sockets that it has opened (`LISTEN_FDS`). Without their variables nothing here does anything.

use std::env;
use std::net::SocketAddr;

use larder_runtime::Passed;
use listenfd::ListenFd;
use sd_notify::NotifyState;

use crate::listen;
use crate::refusal::Refusal;
use crate::settings::Settings;

/// Whether somebody waits to be told that the service is ready.
pub(crate) fn is_waiting() -> bool {
    env::var_os("NOTIFY_SOCKET").is_some()
}

/// Says that clients are served, and where.
pub(crate) fn ready(places: &[String]) {
    let status = format!("listening on {}", places.join(", "));
    tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
}

/// Says that files are being read anew. To be followed by [`reloaded`].
pub(crate) fn reloading() {
    // systemd tells by the time whether this answers its signal or an earlier one.
    let now = NotifyState::monotonic_usec_now();
    let states = [NotifyState::Reloading].into_iter().chain(now);
    tell(&states.collect::<Vec<_>>());
}

/// Says that files have been read.
pub(crate) fn reloaded() {
    tell(&[NotifyState::Ready]);
}

/// Says that the service is about to end.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        log::warn!("NOTIFY_SOCKET: the service manager cannot be told ({error})");
    }
}

/// Takes the sockets that were passed on. To be called once, and before any thread is started.
pub(crate) fn sockets() -> Result<Vec<Passed>, Refusal> {
    let mut passed = ListenFd::from_env();
    (0..passed.len())
        .map(|number| {
            let unix = passed.take_unix_listener(number).ok().flatten();
            if let Some(listener) = unix {
                return Ok(Passed::Unix(listener));
            }
            let tcp = passed.take_tcp_listener(number).ok().flatten();
            tcp.map(Passed::Tcp).ok_or_else(|| {
                Refusal::system(format!(
                    "LISTEN_FDS: socket {} of {} is neither TCP's nor a Unix stream: write ListenStream= in its unit",
                    number + 1,
                    passed.len()
                ))
            })
        })
        .collect()
}

/// Adapts the settings to a service manager: it holds the process itself, so that there is no background to go to, and
/// sockets that it has passed stand in for the options that say where to listen, unless more than that is said there.
pub(crate) fn adapt(settings: &mut Settings, passed: &[Passed]) -> Result<(), Refusal> {
    if settings.background && is_waiting() {
        log::warn!("-d has no effect: a service manager waits for this process");
        settings.background = false;
    }
    if passed.is_empty() {
        return Ok(());
    }
    listen::judge_unused(settings)?;
    let given =
        settings.port.is_some() || settings.unix_socket.is_some() || !settings.listen.is_empty();
    if given {
        log::warn!("-l, -p and -s have no effect: the sockets are passed by a service manager");
    }
    let tcp: Vec<SocketAddr> = passed.iter().filter_map(Passed::tcp_addr).collect();
    let mut unix = passed.iter().filter_map(Passed::unix_path);
    settings.listen = tcp.iter().map(SocketAddr::to_string).collect();
    settings.port = tcp.first().map(|addr| addr.port().into());
    settings.unix_socket = unix.next().filter(|_| tcp.is_empty());
    Ok(())
}
