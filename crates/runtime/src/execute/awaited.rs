//! Commands that the daemon must be asked about, which takes longer than a turn: the connection waits for its answer.

use crossbeam::channel::TryRecvError;
use larder_protocol::text::{ErrorText, reply};

use super::session::{Awaiting, State, Teller};
use super::{Pause, Session, Turn};
use crate::clerk::{Answer, Question};

impl Turn<'_> {
    /// `refresh_certs`.
    pub(super) fn refresh_certs(
        &self,
        session: &mut Session,
        noreply: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Pause> {
        if self.daemon.tls().is_some() {
            self.ask_clerk(session, Question::RefreshCerts, Teller::Text { noreply });
        } else if !noreply {
            out.extend_from_slice(ErrorText::TlsNotEnabled.line());
        }
        Ok(())
    }

    pub(super) fn ask_clerk(&self, session: &mut Session, question: Question, teller: Teller) {
        let asking = self.clerk.ask(question, self.journal.waker());
        session.state = State::Awaiting(Box::new(Awaiting { asking, teller }));
    }

    /// Goes on if the answer is there.
    pub(super) fn take_answer(&self, session: &mut Session, out: &mut Vec<u8>) -> Option<Pause> {
        let State::Awaiting(awaiting) = &session.state else {
            return None;
        };
        let teller = awaiting.teller;
        let answer = match awaiting.asking.answer.try_recv() {
            Ok(answer) => answer,
            Err(TryRecvError::Empty) => return Some(Pause::Answer),
            // The clerk answers before it ends.
            Err(TryRecvError::Disconnected) => Answer::Judged(None),
        };
        session.state = State::Line;
        match answer {
            Answer::Judged(proven) => return self.judged(session, proven, teller, out),
            Answer::Certs(outcome) => {
                let text = match outcome {
                    Ok(()) => reply::OK.to_vec(),
                    Err(error) => format!("{error}\r\n").into_bytes(),
                };
                if !matches!(teller, Teller::Text { noreply: true }) {
                    out.extend_from_slice(&text);
                }
            }
        }
        None
    }
}
