//! Commands that the daemon must be asked about, which takes longer than a turn: the connection waits for its answer.

use crossbeam::channel::TryRecvError;
use larder_protocol::text::{ErrorText, reply};

use super::session::{Awaiting, State};
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
            self.ask_clerk(session, Question::RefreshCerts, noreply);
        } else if !noreply {
            out.extend_from_slice(ErrorText::TlsNotEnabled.line());
        }
        Ok(())
    }

    fn ask_clerk(&self, session: &mut Session, question: Question, noreply: bool) {
        let answer = self.clerk.ask(question, self.journal.waker());
        session.state = State::Awaiting(Box::new(Awaiting { answer, noreply }));
    }

    /// Goes on if the answer is there.
    pub(super) fn take_answer(&self, session: &mut Session, out: &mut Vec<u8>) -> Option<Pause> {
        let State::Awaiting(awaiting) = &session.state else {
            return None;
        };
        let noreply = awaiting.noreply;
        let text = match awaiting.answer.try_recv() {
            Err(TryRecvError::Empty) => return Some(Pause::Answer),
            // The clerk answers before it ends.
            Err(TryRecvError::Disconnected) => ErrorText::Error.line().to_vec(),
            Ok(Answer::Certs(Ok(()))) => reply::OK.to_vec(),
            Ok(Answer::Certs(Err(error))) => format!("{error}\r\n").into_bytes(),
        };
        if !noreply {
            out.extend_from_slice(&text);
        }
        session.state = State::Line;
        None
    }
}
