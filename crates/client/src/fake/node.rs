//! One node of a pool in memory: bytes in, bytes out, and what is wrong with it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use larder_protocol::text::reply::ErrorText;
use larder_protocol::text::{Command, Status, decode};
use larder_protocol::{meta, text};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::watch;

use super::FakeFault;
use super::store::Store;
use crate::node::NodeSpec;

/// A node. Its connections are tasks that share this.
#[derive(Debug)]
pub(super) struct Node {
    spec: NodeSpec,
    store: Arc<Mutex<Store>>,
    state: watch::Sender<State>,
}

/// How a node is.
#[derive(Clone, Debug, Default)]
struct State {
    fault: Option<FakeFault>,
    /// Connections of an earlier life end.
    life: u64,
}

impl Node {
    pub(super) fn new(spec: NodeSpec) -> Self {
        Self {
            spec,
            store: Arc::default(),
            state: watch::Sender::default(),
        }
    }

    pub(super) fn spec(&self) -> &NodeSpec {
        &self.spec
    }

    pub(super) fn set(&self, fault: Option<FakeFault>) {
        self.state.send_modify(|state| {
            state.life += u64::from(fault == Some(FakeFault::Refuses));
            state.fault = fault;
        });
    }

    pub(super) fn restart(&self) {
        locked(&self.store).flush();
        self.state.send_modify(|state| {
            state.life += 1;
            state.fault = None;
        });
    }

    pub(super) fn advance(&self, time: Duration) {
        locked(&self.store).advance(time);
    }

    /// Serves a connection, unless none are taken.
    pub(super) fn accept(&self, stream: DuplexStream) -> io::Result<()> {
        let state = self.state.subscribe();
        let now = state.borrow().clone();
        if now.fault == Some(FakeFault::Refuses) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (store, mut watched) = (Arc::clone(&self.store), state.clone());
        tokio::spawn(async move {
            tokio::select! {
                _ = serve(stream, &store, state) => {}
                _ = watched.wait_for(|state| state.life != now.life) => {}
            }
        });
        Ok(())
    }
}

/// Answers until the client has gone.
async fn serve(
    mut stream: DuplexStream,
    store: &Mutex<Store>,
    mut state: watch::Receiver<State>,
) -> io::Result<()> {
    let (mut input, mut out) = (Vec::new(), Vec::new());
    loop {
        let has_ended = stream.read_buf(&mut input).await? == 0;
        let well = state.wait_for(|state| state.fault != Some(FakeFault::Hangs));
        let fault = match well.await {
            Ok(state) => state.fault.clone(),
            Err(_) => return Ok(()),
        };
        let answered = answer(&input, &mut out, store, fault.as_ref());
        let Some(used) = answered else { return Ok(()) };
        let is_lost = fault == Some(FakeFault::LosesReplies) && !out.is_empty();
        if has_ended || is_lost {
            return Ok(());
        }
        input.drain(..used);
        stream.write_all(&out).await?;
        out.clear();
    }
}

/// Answers all whole commands; says how many bytes they were, or nothing if the client makes no sense.
fn answer(
    input: &[u8],
    out: &mut Vec<u8>,
    store: &Mutex<Store>,
    fault: Option<&FakeFault>,
) -> Option<usize> {
    let mut used = 0;
    loop {
        let rest = &input[used..];
        let (line_len, command) = match decode(rest, 0) {
            Status::Partial => return Some(used),
            Status::Overlong => return None,
            Status::Complete { line_len, command } => (line_len, command),
        };
        let value_len = match command {
            Command::Meta(meta::Command::Set(set)) => Some(set.value_len as usize),
            Command::Store(store) => Some(store.value_len as usize),
            _ => None,
        };
        let mut len = line_len;
        if let Some(value_len) = value_len {
            len += value_len + b"\r\n".len();
            if rest.len() < len {
                return Some(used);
            }
        }
        let value = &rest[line_len..line_len + value_len.unwrap_or_default()];
        match fault {
            Some(FakeFault::Answers(words)) => {
                let words = words.replace(['\r', '\n'], " ");
                out.extend_from_slice(format!("SERVER_ERROR {words}\r\n").as_bytes());
            }
            _ => carry_out(&mut locked(store), command, value, out),
        }
        used += len;
    }
}

fn carry_out(store: &mut Store, command: Command<'_>, value: &[u8], out: &mut Vec<u8>) {
    match command {
        Command::Meta(meta::Command::Get(get)) => store.get(&get, out),
        Command::Meta(meta::Command::Set(set)) => store.set(&set, value, out),
        Command::Meta(meta::Command::Delete(delete)) => store.delete(&delete, out),
        Command::Meta(meta::Command::Arith(arith)) => store.count(&arith, out),
        Command::FlushAll { .. } => {
            store.flush();
            out.extend_from_slice(b"OK\r\n");
        }
        Command::Version => text::reply::version(out, "1.6.45"),
        Command::Stats(_) => out.extend_from_slice(b"END\r\n"),
        _ => out.extend_from_slice(ErrorText::Error.line()),
    }
}

fn locked(store: &Mutex<Store>) -> std::sync::MutexGuard<'_, Store> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}
