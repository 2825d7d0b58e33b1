//! Completions and man pages, made from the command line's own description.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Args;

/// Prints a shell's completions.
pub(crate) fn completions(shell: Shell) -> Result<()> {
    // Made in memory first: the generator would end the process when a pipe is closed.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "larder", &mut script);
    Ok(io::stdout().write_all(&script)?)
}

/// Writes `larder.1` and a page for each command into a folder.
pub(crate) fn man(folder: &Path) -> Result<()> {
    let into = || format!("writing man pages to {}", folder.display());
    fs::create_dir_all(folder).with_context(into)?;
    clap_mangen::generate_to(Args::command(), folder).with_context(into)
}
