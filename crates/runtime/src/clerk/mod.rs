//! The thread that asks the daemon what takes longer than a worker's turn may: reading files, comparing passwords.
//!
//! A connection whose command needs such an answer waits for it ([`Pause::Answer`](crate::execute::Pause::Answer));
//! its worker goes on with the others, and is woken when the answer is there. Questions are answered one by one, addresses
//! in turn; who has given wrong passwords before is kept waiting (`slow`). A user who has come in from an address before, and
//! whose password is known, does not wait there for what others at that address get wrong.

mod regulars;
mod slow;

use std::io;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use crossbeam::channel::{self, Receiver, RecvTimeoutError, Sender};

use self::regulars::{Regular, Regulars};
use self::slow::Slow;
use crate::EndProcessOnPanic;
use crate::address::Address;
use crate::clock::Clock;
use crate::daemon::Daemon;
use crate::gate::EntryId;
use crate::shared::ConnInfo;
use crate::tls::TlsError;

/// What the daemon is asked.
pub(crate) enum Question {
    /// To read the certificates anew (`refresh_certs`).
    RefreshCerts,
    /// Whether somebody is who it says it is.
    Claim(Claim),
}

/// Who a client says it is.
pub(crate) struct Claim {
    pub(crate) user: Box<[u8]>,
    pub(crate) password: Box<[u8]>,
    /// Whether there is a user of that name.
    pub(crate) is_listed: bool,
    pub(crate) info: Arc<ConnInfo>,
}

/// A user's name, and the entry by whose password it was proven.
pub(crate) type Proven = (Box<[u8]>, EntryId);

/// What the daemon says.
pub(crate) enum Answer {
    /// They are in force, or why not.
    Certs(Result<(), TlsError>),
    /// The user's name and the entry whose password it was, if one was right.
    Judged(Option<Proven>),
}

/// A question's other end: the answer comes here, and who drops it wants it no more.
pub(crate) struct Asking {
    pub(crate) answer: Receiver<Answer>,
    _wanted: Arc<()>,
}

struct Asked {
    question: Question,
    answer: Sender<Answer>,
    wanted: Weak<()>,
    waker: Arc<mio::Waker>,
    /// It is to be judged though nobody waits for the answer.
    is_guess: bool,
}

/// How the thread is reached; it ends with its last handle.
#[derive(Clone)]
pub(crate) struct Clerk(Sender<Asked>);

impl Clerk {
    /// Starts the thread.
    pub(crate) fn start(daemon: Arc<dyn Daemon>, clock: Clock) -> io::Result<Self> {
        let (sender, all_asked) = channel::unbounded();
        let desk = Desk {
            daemon,
            clock,
            slow: Slow::default(),
            regulars: Regulars::default(),
            waiting: Vec::new(),
        };
        let run = move || {
            let _end = EndProcessOnPanic;
            desk.serve(&all_asked);
        };
        thread::Builder::new().name("clerk".to_owned()).spawn(run)?;
        Ok(Self(sender))
    }

    /// One without a thread, who answers nothing.
    pub(crate) fn absent() -> Self {
        Self(channel::unbounded().0)
    }

    /// One without a thread, whose questions are answered by hand.
    #[cfg(any(test, feature = "harness"))]
    pub(crate) fn by_hand() -> (Self, ByHand) {
        let (sender, all_asked) = channel::unbounded();
        (Self(sender), ByHand(all_asked))
    }

    /// Asks. `waker` is the worker's to be woken when the answer is there. Each connection asks one question at a time, so
    /// `-c` bounds how many wait.
    pub(crate) fn ask(&self, question: Question, waker: Arc<mio::Waker>) -> Asking {
        let (sender, answer) = channel::bounded(1);
        let wanted = Arc::new(());
        let asked = Asked {
            question,
            answer: sender,
            wanted: Arc::downgrade(&wanted),
            waker,
            is_guess: false,
        };
        // The thread lives as long as this handle.
        let _ = self.0.send(asked);
        Asking {
            answer,
            _wanted: wanted,
        }
    }
}

/// The other end of a clerk without a thread.
#[cfg(any(test, feature = "harness"))]
pub(crate) struct ByHand(Receiver<Asked>);

#[cfg(any(test, feature = "harness"))]
impl ByHand {
    /// Has the daemon answer what was asked, at once and whoever asked.
    pub(crate) fn answer(&self, daemon: &dyn Daemon) {
        for Asked {
            question, answer, ..
        } in self.0.try_iter()
        {
            let said = match question {
                Question::RefreshCerts => Answer::Certs(daemon.refresh_certs()),
                Question::Claim(claim) => {
                    let entry = daemon.check_password(&claim.user, &claim.password);
                    Answer::Judged(entry.map(|entry| (claim.user, entry)))
                }
            };
            // Whoever asked may be gone.
            let _ = answer.send(said);
        }
    }
}

/// The thread's own.
struct Desk {
    daemon: Arc<dyn Daemon>,
    clock: Clock,
    slow: Slow,
    regulars: Regulars,
    /// What is not answered yet: oldest first, but the addresses in turn.
    waiting: Vec<Asked>,
}

impl Desk {
    /// Answers until nobody can ask any more.
    fn serve(mut self, all_asked: &Receiver<Asked>) {
        loop {
            let next = match self.rest() {
                None => all_asked.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(rest) => all_asked.recv_timeout(rest),
            };
            match next {
                Ok(asked) => self.take(asked),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            all_asked.try_iter().for_each(|asked| self.take(asked));
            self.answer_next();
        }
    }

    /// How long nobody has to be answered, if anybody waits at all.
    fn rest(&self) -> Option<Duration> {
        let now = self.clock.elapsed();
        let dues = self.waiting.iter().map(|asked| self.due(asked));
        dues.min().map(|due| due.saturating_sub(now))
    }

    fn due(&self, asked: &Asked) -> Duration {
        match &asked.question {
            Question::RefreshCerts => Duration::ZERO,
            // It keeps nobody waiting, and nobody learns the answer.
            Question::Claim(_) if !asked.is_wanted() => Duration::ZERO,
            Question::Claim(claim) => self.slow.due(claim.address()),
        }
    }

    /// Takes a question in. Somebody who comes in regularly is answered at once, if the password is known. It may be a guess
    /// if not, which it is too late to take back: that it was not answered at once has told that it is wrong.
    fn take(&mut self, mut asked: Asked) {
        if let Question::Claim(claim) = &asked.question {
            let regular = claim.regular();
            if self.regulars.contains(&regular) {
                let known = self.daemon.known_password(&claim.user, &claim.password);
                if let Some(entry) = known {
                    return asked.answer(Answer::Judged(Some((regular.1, entry))));
                }
                self.regulars.guessed(&regular);
                asked.is_guess = true;
            }
        }
        self.waiting.push(asked);
    }

    /// Answers the next question that is due. Others from its address have their turn behind those from elsewhere.
    fn answer_next(&mut self) {
        self.waiting
            .retain(|asked| asked.is_guess || asked.is_wanted());
        let now = self.clock.elapsed();
        let next = self.waiting.iter().position(|asked| self.due(asked) <= now);
        let Some(next) = next else { return };
        let asked = self.waiting.remove(next);
        let answer = match &asked.question {
            Question::RefreshCerts => Answer::Certs(self.daemon.refresh_certs()),
            Question::Claim(claim) => {
                let address = claim.address();
                self.waiting.sort_by_key(|other| other.is_from(address));
                Answer::Judged(self.judge(claim))
            }
        };
        asked.answer(answer);
    }

    fn judge(&mut self, claim: &Claim) -> Option<Proven> {
        if let Some(entry) = self.daemon.check_password(&claim.user, &claim.password) {
            self.slow.succeeded(claim.address());
            self.regulars.insert(claim.regular());
            return Some((claim.user.clone(), entry));
        }
        self.slow.failed(claim.address(), self.clock.elapsed());
        // Not limited in rate as other causes are: each failure is to be found in the log, and the delays bound how many an
        // address has. What is nobody's name may be anything: a password, or a value to be stored.
        let peer = &claim.info.peer;
        match claim.is_listed {
            true => {
                let name = claim.user.escape_ascii();
                log::warn!("{peer}: authentication failure of user `{name}`");
            }
            false => log::warn!("{peer}: authentication failure of a user who is not listed"),
        }
        None
    }
}

impl Asked {
    fn is_wanted(&self) -> bool {
        self.wanted.strong_count() > 0
    }

    /// Answers it.
    fn answer(self, answer: Answer) {
        // Whoever asked may be gone.
        let _ = self.answer.send(answer);
        if let Err(error) = self.waker.wake() {
            log::error!("a worker cannot be told of an answer: {error}");
        }
    }

    /// Whether it is a claim from this address.
    fn is_from(&self, address: Option<Address>) -> bool {
        matches!(&self.question, Question::Claim(claim) if claim.address() == address)
    }
}

impl Claim {
    /// Where it comes from; none is a Unix socket.
    fn address(&self) -> Option<Address> {
        Address::of(self.info.remote)
    }

    /// Who comes in by it, and from where.
    fn regular(&self) -> Regular {
        (self.address(), self.user.clone())
    }
}
