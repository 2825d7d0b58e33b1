//! larder-client beside two other clients in Rust: gets per second, and per second of the client's own CPU time.
//!
//! 32 tasks (threads, for the `memcache` crate, which has no others) share one connection to one larderd, each with one
//! get of a 64-byte value at a time. `cargo bench -p larder-bench --bench clients` measures, in rounds that take turns,
//! and prints medians; as a test it makes a few gets of each and checks them.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use async_memcached::AsciiProtocol;
use larder_client::Ttl;
use rustix::time::{ClockId, clock_gettime};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

const TASKS: usize = 32;
const KEYS: usize = 1000;
const VALUE: &str = "a value of sixty-four bytes, as short ones in caches often are..";
/// Gets of each task in a round, and rounds: to measure, and as a test.
const MEASURED: (usize, usize) = (2_000, 5);
const TRIED: (usize, usize) = (20, 1);
/// Longest that larderd may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a round took.
#[derive(Clone, Copy)]
struct Took {
    wall: Duration,
    cpu: Duration,
}

fn main() -> Result<()> {
    let (gets, rounds) = match std::env::args().any(|arg| arg == "--bench") {
        true => MEASURED,
        false => TRIED,
    };
    let server = Server::start()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    fill(&runtime, &server)?;
    type Round = fn(&Runtime, &Server, usize) -> Result<Took>;
    let clients: [(&str, Round); 3] = [
        ("larder-client", larder_client),
        ("async-memcached", async_memcached),
        ("memcache", memcache),
    ];
    let mut taken = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        for ((_, round), taken) in clients.iter().zip(&mut taken) {
            taken.push(round(&runtime, &server, gets)?);
        }
    }
    println!("| {TASKS} tasks, one connection | gets per second | gets per CPU second |");
    println!("|---|---:|---:|");
    for ((name, _), taken) in clients.iter().zip(&mut taken) {
        let rate = |time: Duration| (TASKS * gets) as f64 / time.as_secs_f64();
        let wall = median(taken.iter().map(|took| took.wall).collect());
        let cpu = median(taken.iter().map(|took| took.cpu).collect());
        println!("| {name} | {:.0} | {:.0} |", rate(wall), rate(cpu));
    }
    Ok(())
}

fn key(task: usize, number: usize) -> String {
    format!("key:{}", (task * 7919 + number) % KEYS)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// What `work` takes, of this whole process.
fn timed(work: impl FnOnce() -> Result<()>) -> Result<Took> {
    let cpu = || Duration::try_from(clock_gettime(ClockId::ProcessCPUTime));
    let (before, begun) = (cpu()?, Instant::now());
    work()?;
    Ok(Took {
        wall: begun.elapsed(),
        cpu: cpu()? - before,
    })
}

fn fill(runtime: &Runtime, server: &Server) -> Result<()> {
    let client = server.client(runtime)?;
    let items = (0..KEYS).map(|number| (key(0, number), VALUE));
    runtime.block_on(client.set_many(items, Ttl::Never)).all()?;
    Ok(())
}

fn larder_client(runtime: &Runtime, server: &Server, gets: usize) -> Result<Took> {
    let client = server.client(runtime)?;
    runtime.block_on(client.get("key:0"))?;
    timed(|| {
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let client = client.clone();
                runtime.spawn(async move {
                    for number in 0..gets {
                        let found = client.get(key(task, number)).await?;
                        ensure!(found.is_some_and(|found| found.data == VALUE), "not found");
                    }
                    Ok(())
                })
            })
            .collect();
        tasks
            .into_iter()
            .try_for_each(|task| runtime.block_on(task)?)
    })
}

/// Its client is for one task at a time; many tasks with one connection take turns.
fn async_memcached(runtime: &Runtime, server: &Server, gets: usize) -> Result<Took> {
    let dsn = format!("tcp://127.0.0.1:{}", server.port);
    let client = runtime.block_on(async_memcached::Client::new(dsn))?;
    let client = Arc::new(Mutex::new(client));
    timed(|| {
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let client = Arc::clone(&client);
                runtime.spawn(async move {
                    for number in 0..gets {
                        let found = client.lock().await.get(key(task, number)).await?;
                        let data = found.and_then(|found| found.data);
                        ensure!(
                            data.is_some_and(|data| data == VALUE.as_bytes()),
                            "not found"
                        );
                    }
                    Ok(())
                })
            })
            .collect();
        tasks
            .into_iter()
            .try_for_each(|task| runtime.block_on(task)?)
    })
}

fn memcache(_runtime: &Runtime, server: &Server, gets: usize) -> Result<Took> {
    let url = format!("memcache://127.0.0.1:{}", server.port);
    let client = memcache::Client::with_pool_size(url, 1)?;
    timed(|| {
        thread::scope(|threads| {
            let tasks: Vec<_> = (0..TASKS)
                .map(|task| {
                    let client = &client;
                    threads.spawn(move || {
                        for number in 0..gets {
                            let found: Option<String> = client.get(&key(task, number))?;
                            ensure!(found.is_some_and(|found| found == VALUE), "not found");
                        }
                        Ok(())
                    })
                })
                .collect();
            tasks.into_iter().try_for_each(|task| match task.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })
    })
}

/// The larderd that cargo built beside this.
struct Server {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Server {
    fn start() -> Result<Self> {
        let own = std::env::current_exe()?;
        let release = own.parent().and_then(|deps| deps.parent());
        let program: PathBuf = release.context("target's folder")?.join("larderd");
        ensure!(
            program.exists(),
            "cargo build --release --bin larderd comes first"
        );
        let folder = TempDir::new()?;
        let port_file = folder.path().join("port");
        // Whatever user it becomes must be able to say where it listens.
        fs::set_permissions(
            folder.path(),
            std::os::unix::fs::PermissionsExt::from_mode(0o777),
        )?;
        let child = Command::new(program)
            .args(["-p", "-1", "-l", "127.0.0.1", "-t", "1"])
            .env("MEMCACHED_PORT_FILENAME", &port_file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut server = Self {
            child,
            port: 0,
            _folder: folder,
        };
        let begun = Instant::now();
        while server.port == 0 {
            ensure!(begun.elapsed() < PATIENCE, "larderd does not say its port");
            ensure!(server.child.try_wait()?.is_none(), "larderd has ended");
            let text = fs::read_to_string(&port_file).unwrap_or_default();
            let port = text.trim().strip_prefix("TCP INET: ");
            server.port = port.and_then(|port| port.parse().ok()).unwrap_or_default();
            thread::yield_now();
        }
        Ok(server)
    }

    /// A client that waits for as long as a busy machine may take.
    fn client(&self, runtime: &Runtime) -> Result<larder_client::Client> {
        let _on = runtime.enter();
        let builder = larder_client::Client::builder();
        let builder = builder.url(&format!("memcache://127.0.0.1:{}", self.port))?;
        Ok(builder
            .timeout(PATIENCE)
            .connect_timeout(PATIENCE)
            .build()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
