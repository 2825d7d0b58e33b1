//! The log: one line an event, with the time, to the standard error by way of the [`log_queue`].
//!
//! How much is logged is `-v`'s to say, and the command `verbosity` moves it later; `RUST_LOG`, where it is set,
//! decides instead, and knows every line of ours as `larderd`'s. Notices are told whatever the level: what an operator
//! must know.

use std::env;
use std::fmt;

use env_logger::{Builder, Env, Target};
use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::limits::LOG_FLUSH_MAX;
use crate::log_queue::{self, ToQueue};

/// What all lines of ours are called, whichever of our crates they come from: an operator knows but one name.
const TARGET: &str = "larderd";

/// What the names of the daemon's crates begin with.
const CRATES: &str = "larder";

/// env_logger decides and words; what is on its way is waited for by [`Log::flush`].
struct Logger(env_logger::Logger);

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let mut renamed = Metadata::builder();
        renamed
            .level(metadata.level())
            .target(target(metadata.target()));
        self.0.enabled(&renamed.build())
    }

    fn log(&self, record: &Record<'_>) {
        self.0.log(
            &Record::builder()
                .level(record.level())
                .target(target(record.target()))
                .args(*record.args())
                .build(),
        );
    }

    fn flush(&self) {
        log_queue::flush(LOG_FLUSH_MAX);
    }
}

fn target(own: &str) -> &str {
    match own.starts_with(CRATES) {
        true => TARGET,
        false => own,
    }
}

/// Starts the log at the level of `-v`.
pub(crate) fn start(verbosity: u32) {
    let by_variable = env::var_os("RUST_LOG").is_some();
    let mut builder = Builder::new();
    match by_variable {
        true => builder.parse_env(Env::default()),
        // The filter lets everything of ours through: the level is held by `log` itself, where it can be moved. What others
        // say could be without end: a line for each line that is written to a log in a folder that is watched.
        false => builder
            .filter_level(LevelFilter::Warn)
            .filter_module(CRATES, LevelFilter::Trace),
    };
    let target = Target::Pipe(Box::new(ToQueue::default()));
    let logger = builder.format_timestamp_millis().target(target).build();
    let by_variable = by_variable.then(|| logger.filter());
    log::set_boxed_logger(Box::new(Logger(logger))).expect("the log is started once");
    match by_variable {
        Some(level) => log::set_max_level(level),
        None => set_level(verbosity),
    }
}

/// Moves the level: 0 warns, 1 tells what happens, 2 and 3 more of it.
pub(crate) fn set_level(verbosity: u32) {
    log::set_max_level(match verbosity {
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        2 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    });
}

/// The level in force, as a number of `-v`.
pub(crate) fn verbosity() -> u32 {
    match log::max_level() {
        LevelFilter::Off | LevelFilter::Error | LevelFilter::Warn => 0,
        LevelFilter::Info => 1,
        LevelFilter::Debug => 2,
        LevelFilter::Trace => 3,
    }
}

/// Logs what an operator must know at any level.
pub(crate) fn notice(message: fmt::Arguments<'_>) {
    log::logger().log(
        &Record::builder()
            .level(Level::Info)
            .target(TARGET)
            .args(message)
            .build(),
    );
}
