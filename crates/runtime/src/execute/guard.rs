//! Users who may not do everything: what each command needs is looked at before anything of it is done.
//!
//! Whoever may do everything passes by here once for some lines; without a gate nobody does. The lines that caches live
//! by are judged where they are recognised, and go the way that everybody's go; every other command is judged when it is
//! decoded.

use larder_protocol::binary::{self, Echo, ReplyStatus, reply as frames};
use larder_protocol::limits::KEY_MAX;
use larder_protocol::meta::{self, plain_get};
use larder_protocol::text::{
    Command, DumpFormat, ErrorText, Frequent, GetVerb, Refused, SignIn, StatsCommand, StoreVerb,
    Upkeep, frequent, next_key, sign_in,
};

use super::binary::refuse;
use super::session::State;
use super::text::Used;
use super::{CloseReason, Pause, Session, Turn};
use crate::gate::{Act, Pass, Rights};
use crate::snapshot::Counter;

/// Bytes of input up to which it is looked whether that is one line: the longest of a get of one key. Shorter ones of a
/// pipeline are not worth looking at one by one.
const LONE_LINE_MAX: usize = b"get \r\n".len() + KEY_MAX;

impl Turn<'_> {
    /// [`Self::line`] of a client that is not in, or may not do everything.
    #[inline(never)]
    pub(super) fn guarded_line(
        &self,
        session: &mut Session,
        input: &[u8],
        out: &mut Vec<u8>,
        commands_left: &mut u32,
    ) -> Used {
        // It has just been asked whether it is in.
        let pass = session.pass.as_deref();
        if !pass.is_some_and(|pass| pass.member().is_some() && !is_handshake(pass, input)) {
            // Whoever was put out in the middle of a line begins anew.
            session.state = State::Line;
            return self.at_the_door(session, input, out);
        }
        let fresh = matches!(session.state, State::Line);
        if fresh && *commands_left > 0 && !self.observed() {
            if input.len() <= LONE_LINE_MAX && may_alone(session, input) {
                return self.line(session, input, out, commands_left);
            }
            let (used, pause) = self.several_allowed(session, input, out, commands_left);
            if used > 0 || pause.is_some() {
                return (used, pause);
            }
            if may_get_plain(session, input)
                && let Some(used) = self.mg_plain(input, out, commands_left)
            {
                return used;
            }
        }
        self.any_line(session, input, out, commands_left)
    }

    /// How a command is refused to whoever may not do it; it counts. `line` is the command's.
    #[inline(never)]
    pub(super) fn denied(
        &self,
        session: &Session,
        command: &Command<'_>,
        line: &[u8],
    ) -> Option<Refused> {
        let pass = session.pass.as_deref()?;
        if may_do(pass.rights()?, command, line) {
            return None;
        }
        self.note_denied(pass);
        Some(Refused {
            error: ErrorText::PermissionDenied,
            noreply: command.noreply(),
            swallow: command.block_len(),
        })
    }

    /// Stops the frame at the front of the input if its client is not in, or may not do this; answered, it is done with.
    /// It is decoded once more here: handed on by its address, it would lie in memory for everybody (60 instructions).
    #[inline(never)]
    pub(super) fn stop_frame(
        &self,
        session: &mut Session,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<Used> {
        let binary::Status::Complete { head_len, request } = binary::decode(input) else {
            return None;
        };
        if session.is_outside() {
            let refused = request.unauthenticated()?;
            frames::error(out, request.echo, refused.status);
            return Some((head_len, Some(Pause::Close(CloseReason::Unauthenticated))));
        }
        let pass = session.pass.as_deref()?;
        if may_do_frame(pass.rights()?, &request.command) {
            return None;
        }
        self.note_denied(pass);
        let value_len = match request.command {
            binary::Command::Store(store) => store.value_len,
            _ => 0,
        };
        let refused = binary::Refused::dropping(ReplyStatus::Denied, value_len);
        let refused = refuse(session, request.echo, refused, out);
        Some((head_len, refused.err()))
    }

    fn note_denied(&self, pass: &Pass) {
        self.count(Counter::CmdDenied, 1);
        if let Some(member) = pass.member() {
            member.note_denied();
        }
    }
}

impl Session {
    /// Whether its client may do this, by the users who are listed now.
    pub(crate) fn may(&mut self, act: Act) -> bool {
        self.pass
            .as_mut()
            .is_none_or(|pass| pass.is_in() && pass.rights().is_none_or(|rights| rights.may(act)))
    }

    /// Tells a watcher who may watch no longer so. False for any other client.
    pub(crate) fn dismiss_watcher(&mut self, out: &mut Vec<u8>) -> bool {
        let dismissed = matches!(self.state, State::Watching(_)) && !self.may(Act::Watch);
        if dismissed {
            out.extend_from_slice(ErrorText::PermissionDenied.line());
        }
        dismissed
    }

    /// Ends and refuses what goes on step by step and its client may do no longer. False for what it may.
    pub(super) fn is_cut_short(&mut self, act: Act, echo: Option<Echo>, out: &mut Vec<u8>) -> bool {
        let denied = !self.may(act);
        if denied {
            match echo {
                Some(echo) => frames::error(out, echo, ReplyStatus::Denied),
                None => out.extend_from_slice(ErrorText::PermissionDenied.line()),
            }
            self.state = State::Line;
        }
        denied
    }
}

/// What a client may do, where that is not everything. It takes the field, since the state beside it is changed meanwhile.
pub(super) fn rights_of(pass: &Option<Box<Pass>>) -> Option<&Rights> {
    pass.as_ref()?.rights()
}

/// Whether what a stranger sends is the text protocol's handshake. Any `set` is; but where strangers may `set`, only one
/// whose value begins with the name of a user and a blank.
fn is_handshake(pass: &Pass, input: &[u8]) -> bool {
    if !pass.is_stranger() || !input.starts_with(b"set ") {
        return false;
    }
    let may_set = pass.rights().is_none_or(|rights| rights.may(Act::Set));
    match sign_in(input) {
        SignIn::Partial => true,
        SignIn::Claim { user, .. } => !may_set || pass.knows(user),
        SignIn::Refused { .. } | SignIn::Closing => !may_set,
    }
}

/// Whether the input is one frequent line that its client may have carried out.
#[inline(never)]
fn may_alone(session: &Session, input: &[u8]) -> bool {
    let rights = session
        .pass
        .as_ref()
        .and_then(|pass| Some((pass, pass.rights()?)));
    match (frequent(input), rights) {
        (Some(line), Some((pass, rights))) if line.end() == input.len() => match &line {
            Frequent::Get { key, .. } => rights.may_with(Act::Get, &input[key.clone()]),
            // A stranger's may be the handshake.
            Frequent::Set { set, .. } => {
                !pass.is_stranger() && rights.may_with(Act::Set, set.store().key)
            }
        },
        _ => false,
    }
}

/// Whether the front of the input is an `mg` as most are, and may be carried out.
fn may_get_plain(session: &Session, input: &[u8]) -> bool {
    input.starts_with(b"mg ")
        && plain_get(input).is_some_and(|(get, _)| {
            rights_of(&session.pass).is_none_or(|rights| rights.may_with(Act::Mg, get.key))
        })
}

fn may_do(rights: &Rights, command: &Command<'_>, line: &[u8]) -> bool {
    let act = match command {
        Command::Get(get) => {
            let mut at = get.keys_at;
            while let Some((key, next)) = next_key(line, at) {
                if !rights.may_with(get_act(get.verb), &line[key]) {
                    return false;
                }
                at = next;
            }
            return true;
        }
        Command::Store(store) => return rights.may_with(store_act(store.verb), store.key),
        Command::Arith(arith) => return rights.may_with(arith_act(arith.incr), arith.key),
        Command::Delete { key, .. } => return rights.may_with(Act::Delete, key),
        Command::Touch { key, .. } => return rights.may_with(Act::Touch, key),
        Command::Meta(meta) => return may_do_meta(rights, meta),
        Command::Stats(stats) => stats_act(*stats),
        Command::Upkeep { upkeep, .. } => upkeep_act(*upkeep),
        Command::FlushAll { .. } => Act::FlushAll,
        Command::Verbosity { .. } => Act::Verbosity,
        Command::CacheMemlimit { .. } => Act::CacheMemlimit,
        Command::Shutdown { .. } => Act::Shutdown,
        Command::Watch { .. } => Act::Watch,
        Command::RefreshCerts { .. } => Act::RefreshCerts,
        Command::Version | Command::Quit | Command::Mn | Command::Http | Command::Refused(_) => {
            return true;
        }
    };
    rights.may(act)
}

fn may_do_meta(rights: &Rights, command: &meta::Command<'_>) -> bool {
    let (act, request) = match command {
        meta::Command::Get(request) => {
            let changes = [b'N', b'R', b'T']
                .iter()
                .any(|&flag| request.flags.has(flag));
            let act = match changes {
                true => Act::MgChanging,
                false => Act::Mg,
            };
            (act, request)
        }
        meta::Command::Set(set) => (Act::Ms, &set.request),
        meta::Command::Delete(request) => (Act::Md, request),
        meta::Command::Arith(arith) => (Act::Ma, &arith.request),
        meta::Command::Debug(request) => (Act::Me, request),
    };
    rights.may_with(act, request.item_key(&mut None))
}

fn may_do_frame(rights: &Rights, command: &binary::Command<'_>) -> bool {
    use binary::Command;
    match command {
        Command::Get(get) => match get.exptime {
            None => rights.may_with(Act::Get, get.key),
            Some(_) => rights.may_with(Act::Gat, get.key),
        },
        Command::Touch { key, .. } => rights.may_with(Act::Touch, key),
        Command::Store(store) => rights.may_with(store_act(store.verb), store.key),
        Command::Arith(arith) => rights.may_with(arith_act(arith.incr), arith.key),
        Command::Delete { key, .. } => rights.may_with(Act::Delete, key),
        Command::Flush { .. } => rights.may(Act::FlushAll),
        Command::Stat(stats) => rights.may(stats_act(*stats)),
        Command::Noop
        | Command::Version
        | Command::Quit
        | Command::SaslListMechs
        | Command::Sasl(_)
        | Command::Refused(_) => true,
    }
}

fn get_act(verb: GetVerb) -> Act {
    match verb {
        GetVerb::Get => Act::Get,
        GetVerb::Gets => Act::Gets,
        GetVerb::Gat => Act::Gat,
        GetVerb::Gats => Act::Gats,
    }
}

fn store_act(verb: StoreVerb) -> Act {
    match verb {
        StoreVerb::Set => Act::Set,
        StoreVerb::Add => Act::Add,
        StoreVerb::Replace => Act::Replace,
        StoreVerb::Append => Act::Append,
        StoreVerb::Prepend => Act::Prepend,
        StoreVerb::Cas => Act::Cas,
    }
}

fn arith_act(incr: bool) -> Act {
    match incr {
        true => Act::Incr,
        false => Act::Decr,
    }
}

fn stats_act(stats: StatsCommand) -> Act {
    match stats {
        StatsCommand::General
        | StatsCommand::Settings
        | StatsCommand::Items
        | StatsCommand::Slabs
        | StatsCommand::Larder
        | StatsCommand::LarderUsers
        | StatsCommand::Conns
        | StatsCommand::Sizes
        | StatsCommand::Unknown => Act::Stats,
        StatsCommand::Reset => Act::StatsReset,
        StatsCommand::DetailOn
        | StatsCommand::DetailOff
        | StatsCommand::DetailDump
        | StatsCommand::DetailUsage => Act::StatsDetail,
        StatsCommand::Cachedump { .. } | StatsCommand::CachedumpBad(_) => Act::Cachedump,
    }
}

fn upkeep_act(upkeep: Upkeep) -> Act {
    match upkeep {
        Upkeep::Dump(format, _) => dump_act(format),
        Upkeep::Reassign(_)
        | Upkeep::Automove(_)
        | Upkeep::AutomoveRatio(_)
        | Upkeep::AutomoveFreeRatio
        | Upkeep::AutomoveWindow(_) => Act::Slabs,
        Upkeep::LruTune(_) | Upkeep::LruMode(_) | Upkeep::LruTempTtl(_) => Act::Lru,
        Upkeep::CrawlerEnable
        | Upkeep::CrawlerDisable
        | Upkeep::CrawlerSleep(_)
        | Upkeep::CrawlerToCrawl(_)
        | Upkeep::Crawl(_) => Act::Crawler,
    }
}

/// What a dump by the crawler needs.
pub(super) fn dump_act(format: DumpFormat) -> Act {
    match format {
        DumpFormat::Meta => Act::Metadump,
        DumpFormat::Mg => Act::Mgdump,
    }
}
