//! The thread that asks the daemon what takes longer than a worker's turn may: reading files, for now.
//!
//! A connection whose command needs such an answer waits for it ([`Pause::Answer`](crate::execute::Pause::Answer));
//! its worker goes on with the others, and is woken when the answer is there. Questions are answered one by one.

use std::io;
use std::sync::Arc;
use std::thread;

use crossbeam::channel::{self, Receiver, Sender};

use crate::EndProcessOnPanic;
use crate::daemon::Daemon;
use crate::tls::TlsError;

/// What the daemon is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Question {
    /// To read the certificates anew (`refresh_certs`).
    RefreshCerts,
}

/// What it says.
#[derive(Debug)]
pub(crate) enum Answer {
    /// They are in force, or why not.
    Certs(Result<(), TlsError>),
}

struct Asked {
    question: Question,
    answer: Sender<Answer>,
    waker: Arc<mio::Waker>,
}

/// How the thread is reached; it ends with its last handle.
#[derive(Clone)]
pub(crate) struct Clerk(Sender<Asked>);

impl Clerk {
    /// Starts the thread.
    pub(crate) fn start(daemon: Arc<dyn Daemon>) -> io::Result<Self> {
        let (sender, all_asked) = channel::unbounded::<Asked>();
        let run = move || {
            let _end = EndProcessOnPanic;
            for asked in all_asked {
                let answer = match asked.question {
                    Question::RefreshCerts => Answer::Certs(daemon.refresh_certs()),
                };
                // Whoever asked may be gone.
                let _ = asked.answer.send(answer);
                if let Err(error) = asked.waker.wake() {
                    log::error!("a worker cannot be told of an answer: {error}");
                }
            }
        };
        thread::Builder::new().name("clerk".to_owned()).spawn(run)?;
        Ok(Self(sender))
    }

    /// One without a thread, who answers nothing.
    #[cfg(any(test, feature = "harness"))]
    pub(crate) fn absent() -> Self {
        Self(channel::unbounded().0)
    }

    /// Asks. `waker` is the worker's to be woken when the answer is there. Each connection asks one question at a time, so
    /// `-c` bounds how many wait.
    pub(crate) fn ask(&self, question: Question, waker: Arc<mio::Waker>) -> Receiver<Answer> {
        let (answer, receiver) = channel::bounded(1);
        let asked = Asked {
            question,
            answer,
            waker,
        };
        // The thread lives as long as this handle.
        let _ = self.0.send(asked);
        receiver
    }
}
