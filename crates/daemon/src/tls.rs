//! TLS as the daemon has it: what the options say, and the certificates in force.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use larder_runtime::{ClientCert, Stopwatch, TlsConfigs, TlsError, TlsLoader, TlsOptions};

use crate::privileges;
use crate::refusal::Refusal;
use crate::secret::{self, Stamp};
use crate::settings::Settings;
use crate::units::KIB;

/// What `-Z` and the suboptions about TLS say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tls {
    pub(crate) enabled: bool,
    pub(crate) chain: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) ciphers: Option<String>,
    /// 1 is PEM, 2 DER.
    pub(crate) key_format: u32,
    /// memcached's number, 0 to 3.
    pub(crate) verify_mode: u32,
    /// memcached's number: 0 to 3 are TLS 1.0 to 1.3.
    pub(crate) min_version: u32,
    pub(crate) session_cache: bool,
    pub(crate) write_buffer_bytes: u32,
    pub(crate) kernel_tls: bool,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            enabled: false,
            chain: None,
            key: None,
            ca: None,
            ciphers: None,
            key_format: 1,
            verify_mode: 0,
            min_version: 2,
            session_cache: false,
            write_buffer_bytes: 16 * KIB as u32,
            kernel_tls: false,
        }
    }
}

impl Tls {
    /// How clients are asked for certificates where an address does not say otherwise.
    pub(crate) fn client_cert(&self) -> ClientCert {
        match self.verify_mode {
            0 => ClientCert::No,
            1 => ClientCert::Asked,
            _ => ClientCert::Required,
        }
    }

    fn options(&self) -> TlsOptions {
        TlsOptions {
            chain: self.chain.clone().unwrap_or_default(),
            key: self.key.clone().unwrap_or_default(),
            key_is_der: self.key_format == 2,
            ca: self.ca.clone(),
            ciphers: self.ciphers.clone(),
            only_tls13: self.min_version == 3,
            session_cache: self.session_cache,
        }
    }
}

/// The certificates, as the files had them when they were last good.
pub(crate) struct Certs {
    loader: TlsLoader,
    allow_world_readable: bool,
    in_force: ArcSwap<InForce>,
}

/// What one reading has brought. It is replaced as a whole.
#[derive(Clone)]
struct InForce {
    configs: Arc<TlsConfigs>,
    /// Since they were read.
    since: Stopwatch,
    /// The files when they were last read, with or without success.
    stamps: Vec<Stamp>,
    reloads: u64,
    refused: u64,
}

/// What `stats` says of TLS beside what the runtime counts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TlsFigures {
    /// Sessions that clients may come back with, ever made; only where they may.
    pub(crate) new_sessions: Option<u64>,
    /// Seconds since the certificates were read.
    pub(crate) refreshed_s: u64,
    /// How often they were read anew with success, and without.
    pub(crate) reloads: u64,
    pub(crate) refused: u64,
}

impl Certs {
    /// Reads the files, if there is to be TLS. A bad pair is a usage error, as in memcached.
    pub(crate) fn load(settings: &Settings) -> Result<Option<Self>, Refusal> {
        let tls = &settings.tls;
        if !tls.enabled {
            return Ok(None);
        }
        let loader = TlsLoader::new(tls.options());
        let allow_world_readable = settings.allow_world_readable_secrets;
        let stamps = stamps(&loader);
        let configs = read(&loader, allow_world_readable)
            .map_err(|error| refused(&error.to_string(), settings))?;
        if tls.min_version < 2 {
            log::warn!(
                "ssl_min_version {}: TLS 1.2 is the lowest here",
                tls.min_version
            );
        }
        Ok(Some(Self {
            loader,
            allow_world_readable,
            in_force: ArcSwap::from_pointee(InForce {
                configs: Arc::new(configs),
                since: Stopwatch::start(),
                stamps,
                reloads: 0,
                refused: 0,
            }),
        }))
    }

    /// For new connections.
    pub(crate) fn configs(&self) -> Arc<TlsConfigs> {
        Arc::clone(&self.in_force.load().configs)
    }

    /// The files to be watched.
    pub(crate) fn paths(&self) -> Vec<&Path> {
        self.loader.paths()
    }

    /// Whether the files are others than those that were read last, as far as they can be seen.
    pub(crate) fn files_changed(&self) -> bool {
        secret::have_changed(&self.in_force.load().stamps, &stamps(&self.loader))
    }

    /// Reads the files anew: all is good and goes into force for new connections, or the old stays. Only one thread may
    /// call this at a time.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        let old = self.in_force.load_full();
        let stamps = stamps(&self.loader);
        let outcome = read(&self.loader, self.allow_world_readable);
        let mut new = InForce {
            stamps,
            ..InForce::clone(&old)
        };
        let outcome = match outcome {
            Ok(configs) => {
                log::info!("certificates are read anew and in force");
                (new.configs, new.since) = (Arc::new(configs), Stopwatch::start());
                new.reloads += 1;
                Ok(())
            }
            Err(error) => {
                let why = privileges::explain(error.to_string());
                log::warn!("certificates stay as they were: {why}");
                new.refused += 1;
                Err(error)
            }
        };
        self.in_force.store(Arc::new(new));
        outcome
    }

    /// For `stats`.
    pub(crate) fn figures(&self, tls: &Tls) -> TlsFigures {
        let in_force = self.in_force.load();
        TlsFigures {
            new_sessions: tls.session_cache.then(|| self.loader.new_sessions()),
            refreshed_s: in_force.since.elapsed().as_secs(),
            reloads: in_force.reloads,
            refused: in_force.refused,
        }
    }
}

/// The refusal of files that make no TLS, at the line that names the one at fault.
fn refused(why: &str, settings: &Settings) -> Refusal {
    let Tls { key, chain, ca, .. } = &settings.tls;
    let files = [
        ("ssl_key", key),
        ("ssl_chain_cert", chain),
        ("ssl_ca_cert", ca),
    ];
    let at_fault = files.into_iter().filter(|(_, path)| {
        let path = path.as_ref().map(|path| path.display().to_string());
        path.is_some_and(|path| why.contains(&path))
    });
    let names: Vec<&str> = at_fault
        .map(|(name, _)| name)
        .chain(["enable-ssl"])
        .collect();
    settings.places.put(Refusal::usage(why).at("-Z"), &names)
}

/// Reads everything, the key only if it is a secret.
fn read(loader: &TlsLoader, allow_world_readable: bool) -> Result<TlsConfigs, TlsError> {
    loader.load(|key| match allow_world_readable {
        true => Ok(()),
        false => secret::check(key),
    })
}

fn stamps(loader: &TlsLoader) -> Vec<Stamp> {
    loader.paths().into_iter().map(secret::stamp).collect()
}
