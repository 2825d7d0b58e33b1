//! The daemon's own limits, and those of the system that it raises: open files, core files, locked memory.

use std::time::Duration;

use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};

use crate::refusal::Refusal;
use crate::settings::{Settings, in_units};
use crate::units::{KIB, MIB};

/// What a process with locked memory needs beyond `-m`: code, stacks of the workers, connections' buffers.
const LOCKED_BEYOND_ITEMS: u64 = 128 * MIB;

/// Lines of the log that wait to be written; more are dropped and counted. At most some hundred KiB.
pub(crate) const LOG_LINES_MAX: usize = 1024;

/// How long the end of the process waits for lines of the log that nobody reads.
pub(crate) const LOG_FLUSH_MAX: Duration = Duration::from_secs(1);

/// Bytes of a configuration file, and refusals that are told of one start.
pub(crate) const CONFIG_FILE_MAX: u64 = MIB;
pub(crate) const REFUSALS_MAX: usize = 50;

/// Bytes of the users file.
pub(crate) const USERS_FILE_MAX: u64 = MIB;

/// Bytes of a password that `hash-password` takes: with a name they fit into the handshake of the text protocol.
pub(crate) const PASSWORD_MAX: usize = 512;

/// Least and most bytes that `-o input_max` and `output_max` take: lines that memcached waits for must have room, and no
/// line is longer than the protocol has it.
pub(crate) const INPUT_MAX_RANGE: (u64, u64) = (2 * KIB, 4 * MIB);
pub(crate) const OUTPUT_MAX_RANGE: (u64, u64) = (4 * KIB, 64 * MIB);

/// What a hash of the users file may cost whoever judges a password by it: memory, passes, and lanes.
pub(crate) const HASH_MEMORY_KIB_MAX: u32 = 64 * 1024;
pub(crate) const HASH_PASSES_MAX: u32 = 10;
pub(crate) const HASH_WORKERS_MAX: u32 = 4;

/// How long files are left alone that are read anew when they change, since a pair is not written at once; and how often it
/// is looked whether they have changed without anybody telling.
pub(crate) const FILES_SETTLE: Duration = Duration::from_millis(300);
pub(crate) const FILES_LOOK: Duration = Duration::from_secs(5);

/// Descriptors that are not clients': the standard streams, the polls and wakers of the workers and of the listening
/// thread, the signals' pair, two listening sockets for each `-l`, the client that is to be refused, and some for
/// files that are read or watched.
pub(crate) fn reserved_descriptors(settings: &Settings) -> u64 {
    let sockets = 2 * settings.listen.len().max(1);
    (3 + 2 * (settings.threads + 1) + 2 + sockets + 1 + 8) as u64
}

/// Raises what the settings need to have raised. To be done while still root.
pub(crate) fn raise(settings: &Settings) -> Result<(), Refusal> {
    raise_open_files(settings)?;
    if settings.coredumps {
        raise_to_the_most(Resource::RLIMIT_CORE).map_err(|error| {
            Refusal::system(format!(
                "-r: the limit of core files cannot be raised ({error})"
            ))
        })?;
    }
    if settings.lock_memory {
        // Where it does not suffice, `lock_memory` says so.
        let _ = raise_to_the_most(Resource::RLIMIT_MEMLOCK);
    }
    Ok(())
}

/// Raises a limit as far as the system allows.
fn raise_to_the_most(resource: Resource) -> nix::Result<()> {
    setrlimit(resource, RLIM_INFINITY, RLIM_INFINITY).or_else(|_| {
        let (_, hard) = getrlimit(resource)?;
        setrlimit(resource, hard, hard)
    })
}

/// Sees to as many open files as `-c` needs. A limit that is high enough is left alone.
fn raise_open_files(settings: &Settings) -> Result<(), Refusal> {
    let reserved = reserved_descriptors(settings);
    let needed = u64::from(settings.conn_limit) + reserved;
    let denied = |hard: u64, error| {
        Refusal::system(format!(
            "-c {} needs {needed} open files and the limit of {hard} cannot be raised ({error}): \
             lower -c to {}, or raise the limit (ulimit -n, LimitNOFILE=)",
            settings.conn_limit,
            hard.saturating_sub(reserved)
        ))
    };
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|error| denied(0, error))?;
    if soft >= needed {
        return Ok(());
    }
    setrlimit(Resource::RLIMIT_NOFILE, needed, hard.max(needed))
        .map_err(|error| denied(hard, error))
}

/// Locks all memory, now and later, or says why not. Locking under a limit that the process may reach would turn a
/// later allocation into its end, so that is not tried.
pub(crate) fn lock_memory(settings: &Settings) {
    let needed = settings.memory_limit.saturating_add(LOCKED_BEYOND_ITEMS);
    match getrlimit(Resource::RLIMIT_MEMLOCK) {
        Ok((soft, _)) if soft < needed => {
            log::warn!(
                "-k: memory is not locked: the limit of locked memory is {}, and -m needs {} (ulimit -l, LimitMEMLOCK=)",
                in_units(soft),
                in_units(needed)
            );
        }
        _ => {
            if let Err(error) = mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE) {
                log::warn!("-k: memory is not locked: {error}");
            }
        }
    }
}
