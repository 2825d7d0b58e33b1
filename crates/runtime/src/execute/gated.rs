//! Clients that have to be let in: until they are, they say who they are, and nothing else they say is heard.

use std::sync::Arc;

use larder_protocol::binary::{self, Echo, ReplyStatus, Sasl, reply};
use larder_protocol::text::{self, ErrorText, SignIn, sign_in};

use super::binary::refuse;
use super::session::{Reply, State, Teller};
use super::text::Used;
use super::{CloseReason, Pause, Session, Turn};
use crate::clerk::{Claim, Proven, Question};
use crate::gate::Admission;
use crate::snapshot::Counter;

impl Turn<'_> {
    /// What a client of the text protocol says at the front of the input while it is not in.
    #[cold]
    #[inline(never)]
    pub(super) fn at_the_door(
        &self,
        session: &mut Session,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Used {
        match sign_in(input) {
            SignIn::Partial => (0, Some(Pause::Input)),
            SignIn::Closing => (0, Some(Pause::Close(CloseReason::Unauthenticated))),
            SignIn::Refused {
                len,
                swallow,
                error,
            } => {
                if swallow == 0 {
                    out.extend_from_slice(error.line());
                } else {
                    session.state = State::Swallowing {
                        left: swallow,
                        reply: Reply::Text(error.line()),
                    };
                }
                (len, None)
            }
            SignIn::Claim {
                len,
                user,
                password,
            } => {
                self.claim(session, user, password, Teller::Text { noreply: false });
                (len, None)
            }
        }
    }

    /// One message of SASL, whose data are behind its head.
    pub(super) fn sasl(
        &self,
        session: &mut Session,
        echo: Echo,
        sasl: &Sasl<'_>,
        head_len: usize,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Used {
        if let Some(refused) = sasl.refused() {
            return (head_len, refuse(session, echo, refused, out).err());
        }
        let len = head_len + sasl.data_len as usize;
        let Some(data) = input.get(head_len..len) else {
            return (0, Some(Pause::Input));
        };
        let Some(pass) = &mut session.pass else {
            return (len, None);
        };
        let begun = std::mem::take(&mut pass.sasl_begun);
        if sasl.mechanism == binary::PLAIN && !sasl.step && data.is_empty() {
            pass.sasl_begun = true;
            reply::body(out, echo, ReplyStatus::AuthContinue, b"");
            return (len, None);
        }
        let heard = sasl.mechanism == binary::PLAIN && (begun || !sasl.step);
        match binary::plain(data).filter(|_| heard) {
            Some((user, password)) => self.claim(session, user, password, Teller::Binary(echo)),
            // It is nobody's, and is judged, counted and logged like any that is wrong.
            None => self.claim(session, b"", b"", Teller::Binary(echo)),
        }
        (len, None)
    }

    /// Has a claim judged; the connection waits for that.
    fn claim(&self, session: &mut Session, user: &[u8], password: &[u8], teller: Teller) {
        self.count(Counter::AuthCmds, 1);
        let Some(pass) = &session.pass else {
            return;
        };
        let claim = Claim {
            user: user.into(),
            password: password.into(),
            is_listed: pass.knows(user),
            info: Arc::clone(&pass.info),
        };
        self.ask_clerk(session, Question::Claim(claim), teller);
    }

    /// A claim was judged. It may come in with a right password, if there is a place for it.
    pub(super) fn judged(
        &self,
        session: &mut Session,
        proven: Option<Proven>,
        teller: Teller,
        out: &mut Vec<u8>,
    ) -> Option<Pause> {
        let limits = &self.config.client_limits;
        let admission = match (proven, &mut session.pass) {
            (Some((name, entry)), Some(pass)) => {
                pass.see_room(self.shared.only_admins(limits, self.config.conn_limit));
                pass.let_in(&name, entry, limits)
            }
            _ => Admission::Unlisted,
        };
        if let Some(reason) = no_place(admission) {
            let refusal = teller.refusal(ErrorText::TooManyConnections, ReplyStatus::AuthError);
            refusal.write(out);
            return Some(Pause::Close(reason));
        }
        match (teller, admission) {
            (Teller::Text { .. }, Admission::In) => {
                out.extend_from_slice(text::reply::STORED);
            }
            (Teller::Binary(echo), Admission::In) => {
                reply::body(out, echo, ReplyStatus::Success, reply::AUTHENTICATED);
            }
            (teller, _) => {
                self.count(Counter::AuthErrors, 1);
                let refusal = teller.refusal(ErrorText::AuthFailure, ReplyStatus::AuthError);
                refusal.write(out);
            }
        }
        None
    }
}

/// Why somebody who may come in finds no place.
pub(super) fn no_place(admission: Admission) -> Option<CloseReason> {
    match admission {
        Admission::In | Admission::Unlisted => None,
        Admission::UserFull => Some(CloseReason::UserFull),
        Admission::ForAdmins => Some(CloseReason::ForAdmins),
    }
}
