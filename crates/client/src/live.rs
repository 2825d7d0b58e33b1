//! A node at work: its connections, its health, and the keys on it that are in doubt.

mod health;
mod journal;
mod keeper;
mod slot;
mod state;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use crate::conn::{Conn, Fault, Pending, Request};
use crate::error::Error;
use crate::gutter::Gutter;
use crate::join::join_all;
use crate::limits::COMMANDS_MAX;
use crate::node::NodeSpec;
use crate::observe::CallOutcome;
use crate::settings::Settings;
use crate::wire::{self, Admin, Answer, Command, Kind};

pub use health::NodeState;
pub(crate) use health::{Health, Patience};
pub(crate) use journal::Journal;
use slot::Slot;

/// One node of a pool, shared by all who ask it.
pub(crate) struct LiveNode {
    pub(crate) spec: NodeSpec,
    pub(crate) label: Arc<str>,
    settings: Arc<Settings>,
    gutter: Option<Arc<Gutter>>,
    health: Mutex<Health>,
    /// No fault since the last good reply: then good replies need not be told to the health.
    is_well: AtomicBool,
    pub(crate) journal: Arc<Journal>,
    slots: Vec<Slot>,
    permits: Arc<Semaphore>,
    opaque: AtomicU32,
    is_kept: AtomicBool,
    /// It is in no list any more: nothing is done for it in the background.
    is_retired: AtomicBool,
    /// More keys were written elsewhere than can be remembered.
    has_lost_count: AtomicBool,
    /// The run of the server in which it refused to be flushed.
    refused_in: Mutex<Option<keeper::Run>>,
    wake: Arc<Notify>,
}

/// What one request asks.
enum Ask<'a> {
    Keys(&'a [Command]),
    Node(&'a Admin),
}

/// Why an exchange ended without answers.
struct Failure {
    error: Error,
    /// Nothing was sent, or nothing changed: asking once more can do no harm.
    is_harmless: bool,
}

impl LiveNode {
    pub(crate) fn new(
        spec: NodeSpec,
        settings: Arc<Settings>,
        gutter: Option<Arc<Gutter>>,
    ) -> Arc<Self> {
        let wake = Arc::new(Notify::new());
        Arc::new(Self {
            label: spec.label().into(),
            spec,
            health: Mutex::new(Health::new(settings.patience)),
            is_well: AtomicBool::new(true),
            journal: Arc::new(Journal::new(settings.journal_keys_max, Arc::clone(&wake))),
            slots: (0..settings.conns_per_node.max(1))
                .map(|_| Slot::default())
                .collect(),
            permits: Arc::new(Semaphore::new(settings.in_flight_max)),
            opaque: AtomicU32::new(0),
            is_kept: AtomicBool::new(false),
            is_retired: AtomicBool::new(false),
            has_lost_count: AtomicBool::new(false),
            refused_in: Mutex::default(),
            wake,
            settings,
            gutter,
        })
    }

    /// How many requests wait for replies.
    pub(crate) fn in_flight(&self) -> usize {
        self.settings.in_flight_max - self.permits.available_permits()
    }

    /// Whether a key is in doubt, or may come to be by what is under way.
    pub(crate) fn is_in_doubt(&self) -> bool {
        let has_lost_count = self.has_lost_count.load(Ordering::Relaxed);
        has_lost_count || !self.journal.is_empty() || self.in_flight() > 0
    }

    /// Somebody else owns this key now, and gets another value. What this node holds under it is deleted; if there is no
    /// room to remember it, the node is flushed when a list gives it keys again.
    pub(crate) fn written_elsewhere(self: &Arc<Self>, key: &Bytes) {
        if !self.journal.note_if_room(key) {
            self.lose_count();
        }
        self.keep();
    }

    /// It is not known any more what was written elsewhere.
    pub(crate) fn lose_count(&self) {
        self.has_lost_count.store(true, Ordering::Relaxed);
    }

    /// It has left the list. Connections end with the replies that are due; `remembers` says whether the keys in doubt
    /// are still told apart.
    pub(crate) fn retire(&self, remembers: bool) {
        if !self.is_retired.swap(true, Ordering::Relaxed) {
            self.slots.iter().for_each(Slot::leave);
        }
        if !remembers {
            self.journal.shrink();
        }
    }

    /// It is in the list, perhaps again, or with other keys than before.
    pub(crate) fn serve(&self) {
        if self.has_lost_count.swap(false, Ordering::Relaxed) {
            self.journal.distrust();
        }
        if self.is_retired.swap(false, Ordering::Relaxed) {
            self.wake.notify_one();
        }
    }

    /// Puts a key in doubt.
    pub(crate) fn doubt(self: &Arc<Self>, key: &Bytes) {
        self.journal.note([key.clone()]);
        self.keep();
    }

    /// Carries out commands of one kind, and says for each how it ended. A command on a key in doubt is not sent.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        commands: Vec<Command>,
    ) -> Vec<Result<Answer, Error>> {
        let started = Instant::now();
        let commands = self.packed(commands);
        let verb = commands.first().map(|command| command.verb.name());
        let (node, keys) = (&*self.label, commands.len());
        let span = tracing::debug_span!("ask", node, verb, keys);
        let asked = async {
            match self.journal.is_empty() {
                true => self.ask_trusted(commands).await,
                false => self.ask_unless_in_doubt(commands).await,
            }
        };
        let results = asked.instrument(span).await;
        let results = unpacked(results);
        if let (Some(observer), Some(verb)) = (&self.settings.observer, verb) {
            for result in &results {
                let outcome = match result {
                    Ok(Answer::Item(item)) if item.is_placeholder() => CallOutcome::Miss,
                    Ok(Answer::Missing | Answer::NotStored | Answer::Exists) => CallOutcome::Miss,
                    Ok(_) => CallOutcome::Hit,
                    Err(_) => CallOutcome::Error,
                };
                observer.call(&self.label, verb, outcome, started.elapsed());
            }
        }
        results
    }

    /// The commands with large values made smaller, if it was asked for.
    #[cfg_attr(
        not(feature = "compression"),
        expect(clippy::unused_self, reason = "the settings say it")
    )]
    fn packed(&self, commands: Vec<Command>) -> Vec<Command> {
        #[cfg(feature = "compression")]
        if let Some(above) = self.settings.pack_above {
            let mut commands = commands;
            let each = commands.iter_mut();
            each.for_each(|command| crate::pack::pack(command, above));
            return commands;
        }
        commands
    }

    async fn ask_unless_in_doubt(
        self: &Arc<Self>,
        commands: Vec<Command>,
    ) -> Vec<Result<Answer, Error>> {
        self.keep();
        let is_in_doubt: Vec<bool> = commands
            .iter()
            .map(|command| self.journal.holds(&command.key))
            .collect();
        let trusted = commands.into_iter().zip(&is_in_doubt);
        let trusted = trusted
            .filter(|(_, doubt)| !**doubt)
            .map(|(command, _)| command);
        let mut answers = self.ask_trusted(trusted.collect()).await.into_iter();
        // Of a node that is down that is what is said, of its keys in doubt as of the others.
        let in_doubt = || match self.admitted() {
            Err(down) => down.error,
            Ok(()) => Error::InDoubt {
                node: Arc::clone(&self.label),
            },
        };
        is_in_doubt
            .into_iter()
            .map(|doubt| match doubt {
                true => Err(in_doubt()),
                false => answers.next().unwrap_or_else(|| Err(in_doubt())),
            })
            .collect()
    }

    /// As [`Self::ask`], without looking at the journal: it is being worked off.
    pub(crate) async fn ask_trusted(
        self: &Arc<Self>,
        commands: Vec<Command>,
    ) -> Vec<Result<Answer, Error>> {
        if commands.len() == 1 || (self.slots.len() == 1 && commands.len() <= COMMANDS_MAX) {
            return self.ask_at_once(commands).await;
        }
        let count = commands.len();
        let mut by_slot: Vec<(Vec<usize>, Vec<Command>)> =
            vec![Default::default(); self.slots.len()];
        for (index, command) in commands.into_iter().enumerate() {
            let (indices, commands) = &mut by_slot[self.slot_of(&command.key)];
            indices.push(index);
            commands.push(command);
        }
        let mut order = Vec::with_capacity(count);
        let mut requests = Vec::new();
        for (indices, mut commands) in by_slot {
            order.extend(indices);
            while !commands.is_empty() {
                let rest = commands.split_off(commands.len().min(COMMANDS_MAX));
                requests.push(self.ask_at_once(std::mem::replace(&mut commands, rest)));
            }
        }
        let answers = join_all(requests).await.into_iter().flatten();
        let mut answers: Vec<_> = order.into_iter().zip(answers).collect();
        answers.sort_unstable_by_key(|(index, _)| *index);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    /// Commands of one connection, as one request.
    async fn ask_at_once(self: &Arc<Self>, commands: Vec<Command>) -> Vec<Result<Answer, Error>> {
        let Some(kind) = commands.first().map(|command| command.verb.kind()) else {
            return Vec::new();
        };
        match self.exchange(&Ask::Keys(&commands), kind).await {
            Ok(answers) => answers
                .into_iter()
                .map(|answer| self.judged(answer))
                .collect(),
            Err(error) => commands.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    /// Carries out a command for the node as a whole.
    pub(crate) async fn ask_node(self: &Arc<Self>, admin: &Admin) -> Result<Answer, Error> {
        let mut answers = self.exchange(&Ask::Node(admin), admin.kind()).await?;
        self.judged(answers.pop().unwrap_or(Answer::Missing))
    }

    fn judged(&self, answer: Answer) -> Result<Answer, Error> {
        match answer {
            Answer::Refused(text) => Err(Error::Server {
                node: Arc::clone(&self.label),
                text: text.into(),
            }),
            answer => Ok(answer),
        }
    }

    /// One request, and once more if that can do no harm.
    async fn exchange(self: &Arc<Self>, ask: &Ask<'_>, kind: Kind) -> Result<Vec<Answer>, Error> {
        self.keep();
        let deadline = Instant::now() + self.settings.call_timeout;
        let failure = match self.exchange_once(ask, kind, deadline).await {
            Err(failure) if failure.is_harmless && self.settings.retries.spend() => {
                self.exchange_once(ask, kind, deadline).await
            }
            done => done,
        };
        failure.map_err(|failure| {
            // What was asked did not happen, or not for certain. What the node has under these keys is not what the
            // caller wanted there.
            // A delete must come about. Of another write that was refused for want of a place the caller knows that
            // nothing changed, and thousands of them at once must not cost the node its other keys.
            let is_busy = matches!(failure.error, Error::Busy { .. });
            if kind.changes_value() && (!is_busy || kind == Kind::Delete) {
                self.journal.note(ask.keys());
            }
            failure.error
        })
    }

    async fn exchange_once(
        self: &Arc<Self>,
        ask: &Ask<'_>,
        kind: Kind,
        deadline: Instant,
    ) -> Result<Vec<Answer>, Failure> {
        self.admitted()?;
        let permit = self.permit()?;
        let conn = self.conn(self.slot_for(ask), deadline).await?;
        let (done, answers) = oneshot::channel();
        if conn
            .send(self.request(ask, kind, &conn, Some(permit), done))
            .is_err()
        {
            return Err(self.lost(&Fault::soft("the connection had ended"), kind));
        }
        match timeout_at(deadline, answers).await {
            Ok(Ok(Ok(answers))) => {
                self.answered();
                Ok(answers)
            }
            Ok(Ok(Err(fault))) => {
                self.report(&conn, &fault);
                Err(self.lost(&fault, kind))
            }
            // Whether it was sent nobody knows any more.
            Ok(Err(_)) => {
                Err(self.lost(&Fault::soft("its runtime was shut down").sent(true), kind))
            }
            Err(_) => {
                let after = self.settings.call_timeout;
                let fault = Fault::soft(format!("no answer within {} ms", after.as_millis()));
                conn.abort(fault.clone());
                self.report(&conn, &fault);
                Err(self.too_late(kind.changes_value() || kind == Kind::Touch))
            }
        }
    }

    fn request(
        &self,
        ask: &Ask<'_>,
        kind: Kind,
        conn: &Conn,
        permit: Option<OwnedSemaphorePermit>,
        done: oneshot::Sender<Result<Vec<Answer>, Fault>>,
    ) -> Request {
        let mut bytes = Vec::new();
        let dialect = conn.dialect();
        let keys = ask.keys();
        let count = u32::try_from(keys.len()).unwrap_or(u32::MAX);
        let opaque = self.opaque.fetch_add(count, Ordering::Relaxed);
        match ask {
            Ask::Keys(commands) => wire::encode(&mut bytes, dialect, commands, opaque),
            Ask::Node(admin) => admin.encode(&mut bytes),
        }
        let pending = Pending {
            kind,
            dialect,
            answers: Vec::with_capacity(keys.len()),
            keys,
            opaque,
            done: Some(done),
            journal: Arc::clone(&self.journal),
            permit,
        };
        Request { bytes, pending }
    }

    fn permit(&self) -> Result<OwnedSemaphorePermit, Failure> {
        let permits = Arc::clone(&self.permits);
        permits.try_acquire_owned().map_err(|_| Failure {
            error: Error::Busy {
                node: Arc::clone(&self.label),
                in_flight: self.settings.in_flight_max,
            },
            is_harmless: false,
        })
    }

    /// A key always goes over the same connection: commands on it are carried out in the order they were given.
    fn slot_of(&self, key: &[u8]) -> usize {
        let sum = key.iter().fold(0_usize, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(usize::from(*byte))
        });
        sum % self.slots.len()
    }

    fn slot_for(&self, ask: &Ask<'_>) -> usize {
        match ask {
            Ask::Keys([first, ..]) if self.slots.len() > 1 => self.slot_of(&first.key),
            _ => 0,
        }
    }

    fn lost(&self, fault: &Fault, kind: Kind) -> Failure {
        Failure {
            error: Error::Lost {
                node: Arc::clone(&self.label),
                reason: Arc::clone(&fault.reason),
                maybe_applied: fault.was_sent && kind != Kind::Get,
            },
            is_harmless: !fault.was_sent || kind == Kind::Get,
        }
    }

    fn too_late(&self, maybe_applied: bool) -> Failure {
        Failure {
            error: Error::Timeout {
                node: Arc::clone(&self.label),
                after: self.settings.call_timeout,
                maybe_applied,
            },
            is_harmless: false,
        }
    }
}

/// The answers with values as they were given.
fn unpacked(results: Vec<Result<Answer, Error>>) -> Vec<Result<Answer, Error>> {
    #[cfg(feature = "compression")]
    let results = results.into_iter().map(|result| match result? {
        Answer::Item(item) => crate::pack::unpack(item).map(Answer::Item),
        answer => Ok(answer),
    });
    results.into_iter().collect()
}

impl Ask<'_> {
    fn keys(&self) -> Vec<Bytes> {
        match self {
            Self::Keys(commands) => commands.iter().map(|command| command.key.clone()).collect(),
            Self::Node(_) => Vec::new(),
        }
    }
}

impl Drop for LiveNode {
    fn drop(&mut self) {
        // The keeper looks whether there is still a node to keep.
        self.wake.notify_one();
    }
}
