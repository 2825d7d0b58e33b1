//! `larder bench`: hands over to `larder-bench`.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

/// What `larder-bench` is given.
#[derive(Args)]
pub(crate) struct BenchArgs {
    /// Words for larder-bench, such as `load --server 127.0.0.1:11211`; `--help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

/// Becomes the `larder-bench` that lies beside this program, or else the one on the path.
pub(crate) fn run(args: &BenchArgs) -> Result<()> {
    let own = std::env::current_exe().context("finding this program's folder")?;
    let beside = own.with_file_name("larder-bench");
    let program = match beside.exists() {
        true => beside.into_os_string(),
        false => "larder-bench".into(),
    };
    let error = Command::new(&program).args(&args.words).exec();
    let what = match error.kind() {
        ErrorKind::NotFound => "larder-bench lies neither beside larder nor on the path".to_owned(),
        _ => format!("running {}", program.display()),
    };
    Err(error).context(what)
}
