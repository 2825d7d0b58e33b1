//! The options that say who we are to the nodes, and how they prove who they are.

use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use larder_client::{Builder, Tls};

/// Where the password is if no file holds it. It is no option of its own: every user of the machine can read those.
const PASSWORD_VARIABLE: &str = "LARDER_PASSWORD";

/// Under which help shows these options.
const HEADING: &str = "Who asks, and whom";

/// A user, and TLS.
#[derive(Args)]
pub(crate) struct AccessArgs {
    /// The user that the nodes know us by. The password is taken from the variable LARDER_PASSWORD of the environment,
    /// unless there is --password-file.
    #[arg(long, value_name = "NAME", help_heading = HEADING)]
    user: Option<String>,

    /// A file with the password on its first line.
    #[arg(long, value_name = "FILE", requires = "user", help_heading = HEADING)]
    password_file: Option<PathBuf>,

    /// Speaks TLS with nodes whose certificates the system trusts.
    #[arg(long, help_heading = HEADING)]
    tls: bool,

    /// Speaks TLS with nodes whose certificates one in this PEM file has signed.
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    tls_ca: Option<PathBuf>,

    /// Our own certificate, for nodes that want to see one: a PEM file with its chain.
    #[arg(long, value_name = "FILE", requires_all = ["tls_key", "tls_ca"], help_heading = HEADING)]
    tls_cert: Option<PathBuf>,

    /// Its key, in a PEM file.
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = HEADING)]
    tls_key: Option<PathBuf>,

    /// The name that every node's certificate must have, in place of the host that it is reached by. With --tls or
    /// --tls-ca.
    #[arg(long, value_name = "NAME", help_heading = HEADING)]
    tls_name: Option<String>,
}

impl AccessArgs {
    /// A builder that knows of the user and of TLS.
    pub(crate) fn apply(&self, mut builder: Builder) -> Result<Builder> {
        if let Some(user) = &self.user {
            builder = builder.credentials(user, self.password()?);
        }
        let tls = match (&self.tls_ca, &self.tls_cert, &self.tls_key) {
            (Some(ca), Some(cert), Some(key)) => Tls::mutual(ca, cert, key)?,
            (Some(ca), ..) => Tls::signed_by(ca)?,
            _ if self.tls => Tls::system()?,
            _ if self.tls_name.is_some() => bail!("--tls-name needs --tls or --tls-ca"),
            _ => return Ok(builder),
        };
        let tls = match &self.tls_name {
            Some(name) => tls.server_name(name)?,
            None => tls,
        };
        Ok(builder.tls(tls))
    }

    fn password(&self) -> Result<String> {
        let Some(file) = &self.password_file else {
            return env::var(PASSWORD_VARIABLE).with_context(|| {
                format!("--user needs --password-file, or the password in {PASSWORD_VARIABLE}")
            });
        };
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        match text.lines().next() {
            Some(password) => Ok(password.to_owned()),
            None => bail!("{}: no password is in it", file.display()),
        }
    }
}
