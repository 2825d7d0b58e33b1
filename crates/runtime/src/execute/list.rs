//! Statistics that are lists: `stats detail dump`, `stats conns`, `stats sizes`, `stats larder users`.
//!
//! A list goes in steps of a bounded number of rows. Between two of them the connection waits where enough of its replies
//! is unsent, like one that sends many commands; and it holds no more than where its list goes on and one row or step.

use std::collections::BTreeMap;
use std::io::Write;
use std::mem;

use larder_protocol::binary::{Echo, reply as frames};
use larder_protocol::text::reply;

use super::guard::rights_of;
use super::session::State;
use super::stats::{CONN_STATES, LISTENING, end, row};
use super::{Pause, Session, Turn};
use crate::gate::{Act, Denied, Rights};
use crate::limits::{DETAIL_ROW_BYTES, SIZES_PER_STEP, USERS_PER_STEP};
use crate::shared::PrefixCounts;

/// A list on its way.
pub(crate) enum Listing {
    Prefixes(PrefixList),
    /// Connections, from the descriptor behind the last one listed.
    Conns(i32),
    Sizes(SizeList),
    Users(UserList),
}

/// `stats detail dump`.
#[derive(Default)]
pub(crate) struct PrefixList {
    /// The last one that is listed.
    after: Option<Box<[u8]>>,
    /// For the binary protocol, which has the list's text in a row: what its answer repeats, and the row so far.
    frame: Option<(Echo, Vec<u8>)>,
}

/// `stats larder users`.
#[derive(Default)]
pub(crate) struct UserList {
    /// Of a binary command, what its rows repeat.
    echo: Option<Echo>,
    /// The last one that is listed.
    after: Option<Box<[u8]>>,
}

/// `stats sizes`: each step is the next sizes of every shard.
#[derive(Default)]
pub(crate) struct SizeList {
    /// Of a binary command, what its rows repeat.
    echo: Option<Echo>,
    /// The last size that is listed.
    after: usize,
    next_shard: usize,
    /// This step's sizes of the shards before the next.
    items: BTreeMap<usize, u64>,
}

impl Listing {
    /// Prefixes, from the first.
    pub(super) fn prefixes(echo: Option<Echo>) -> State {
        Self::state(Self::Prefixes(PrefixList {
            after: None,
            frame: echo.map(|echo| (echo, Vec::new())),
        }))
    }

    /// Connections, from the first.
    pub(super) fn conns() -> State {
        Self::state(Self::Conns(0))
    }

    /// Sizes, from the smallest.
    pub(super) fn sizes(echo: Option<Echo>) -> State {
        Self::state(Self::Sizes(SizeList {
            echo,
            ..SizeList::default()
        }))
    }

    /// Users, from the first.
    pub(super) fn users(echo: Option<Echo>) -> State {
        let after = None;
        Self::state(Self::Users(UserList { echo, after }))
    }

    /// What whoever asks must be allowed to do, as long as it goes on; and of a binary command, what its rows repeat.
    fn asked(&self) -> (Act, Option<Echo>) {
        match self {
            Self::Prefixes(list) => (Act::StatsDetail, list.frame.as_ref().map(|(echo, _)| *echo)),
            Self::Conns(_) => (Act::Stats, None),
            Self::Sizes(list) => (Act::Stats, list.echo),
            Self::Users(list) => (Act::Stats, list.echo),
        }
    }

    fn state(self) -> State {
        State::Listing(Box::new(self))
    }

    /// Bytes of the buffers that it holds.
    pub(super) fn buffer_bytes(&self) -> usize {
        match self {
            Self::Prefixes(list) => list.frame.as_ref().map_or(0, |(_, text)| text.capacity()),
            Self::Conns(_) => 0,
            Self::Users(list) => list.after.as_ref().map_or(0, |name| name.len()),
            Self::Sizes(list) => list.items.len() * size_of::<(usize, u64)>(),
        }
    }
}

impl Turn<'_> {
    /// Goes on with a list: one step, then others have their turn.
    pub(super) fn list_on(&self, session: &mut Session, out: &mut Vec<u8>) -> Option<Pause> {
        let State::Listing(listing) = &session.state else {
            return None;
        };
        let (act, echo) = listing.asked();
        if session.is_cut_short(act, echo, out) {
            return None;
        }
        let rights = rights_of(&session.pass);
        let State::Listing(listing) = &mut session.state else {
            return None;
        };
        let step = match &mut **listing {
            Listing::Prefixes(list) => self.list_prefixes(list, rights, out),
            Listing::Conns(from) => self.list_conns(from, out),
            Listing::Sizes(list) => self.list_sizes(list, out),
            Listing::Users(list) => Ok(self.list_users(list, out)),
        };
        match step {
            Err(pause) => Some(pause),
            Ok(false) => Some(Pause::Output),
            Ok(true) => {
                session.state = State::Line;
                None
            }
        }
    }

    /// Lists the next prefixes, of those that whoever asks may know; whether they were the last.
    fn list_prefixes(
        &self,
        list: &mut PrefixList,
        rights: Option<&Rights>,
        out: &mut Vec<u8>,
    ) -> Result<bool, Pause> {
        // Who asks sees what he has done himself.
        let late = &self.journal.late_counts;
        if !self.shared.count_late_prefixes(self.worker, late) {
            return Err(Pause::Taken);
        }
        let after = list.after.as_deref();
        let (prefixes, last) = self.shared.prefixes_behind(after).ok_or(Pause::Taken)?;
        let text = match &mut list.frame {
            Some((_, text)) => text,
            None => &mut *out,
        };
        // Only those that no key has which it may not read.
        let begin = |prefix: &[u8]| [prefix, &[self.config.prefix_delimiter]].concat();
        let may_know = |prefix: &[u8]| rights.is_none_or(|rights| rights.may_read(&begin(prefix)));
        for (prefix, counts) in prefixes.iter().filter(|(prefix, _)| may_know(prefix)) {
            let PrefixCounts {
                gets,
                hits,
                sets,
                deletes,
            } = counts;
            text.extend_from_slice(b"PREFIX ");
            text.extend_from_slice(prefix);
            // Writing into memory does not fail.
            let _ = write!(text, " get {gets} hit {hits} set {sets} del {deletes}\r\n");
        }
        if last {
            text.extend_from_slice(reply::END);
        }
        if let Some((prefix, _)) = prefixes.into_iter().next_back() {
            list.after = Some(prefix);
        }
        if let Some((echo, text)) = &mut list.frame
            && (last || text.len() >= DETAIL_ROW_BYTES)
        {
            frames::stat_bytes(out, *echo, "detailed", &mem::take(text));
            if last {
                frames::stat_end(out, *echo);
            }
        }
        Ok(last)
    }

    /// Lists the next connections; whether they were the last. The one that asks is seen parsing its command.
    fn list_conns(&self, from: &mut i32, out: &mut Vec<u8>) -> Result<bool, Pause> {
        let (conns, next) = self.shared.conns_from(*from).ok_or(Pause::Taken)?;
        for conn in conns {
            let (state, fd) = (conn.state(), conn.fd);
            reply::stat(out, &format!("{fd}:addr"), &conn.peer);
            if state != LISTENING {
                reply::stat(out, &format!("{fd}:listen_addr"), &conn.local);
            }
            let word = CONN_STATES[usize::from(state) % CONN_STATES.len()];
            reply::stat(out, &format!("{fd}:state"), &word);
            let idle_s = self.now.saturating_sub(conn.last_command());
            reply::stat(out, &format!("{fd}:secs_since_last_cmd"), &idle_s);
        }
        match next {
            Some(next) => *from = next,
            None => out.extend_from_slice(reply::END),
        }
        Ok(next.is_none())
    }

    /// Lists the next users, and how many commands were denied to each; whether they were the last.
    fn list_users(&self, list: &mut UserList, out: &mut Vec<u8>) -> bool {
        let gate = self.config.gate.as_ref();
        let next = gate.map(|gate| gate.denied_behind(list.after.as_deref(), USERS_PER_STEP));
        let (users, last) = next.unwrap_or((Vec::new(), true));
        for Denied { name, commands } in &users {
            let name = String::from_utf8_lossy(name);
            row(list.echo, out, &format!("{name}:cmd_denied"), commands);
        }
        if last {
            end(list.echo, out);
        }
        list.after = users.into_iter().next_back().map(|denied| denied.name);
        last
    }

    /// Asks one shard after another for its next sizes, then lists them; whether they were the last.
    fn list_sizes(&self, list: &mut SizeList, out: &mut Vec<u8>) -> Result<bool, Pause> {
        if !self.config.track_sizes {
            row(list.echo, out, "sizes_status", &"disabled");
            end(list.echo, out);
            return Ok(true);
        }
        while list.next_shard < self.shared.shards() {
            let lent = self.shared.borrow(list.next_shard).ok_or(Pause::Taken)?;
            let items = &mut list.items;
            lent.shard.add_sizes(items, list.after, SIZES_PER_STEP);
            // The first so many of all are among the first so many of each.
            while items.len() > SIZES_PER_STEP {
                items.pop_last();
            }
            list.next_shard += 1;
        }
        list.next_shard = 0;
        let items = mem::take(&mut list.items);
        for (size, items) in &items {
            row(list.echo, out, &size.to_string(), items);
        }
        let last = items.len() < SIZES_PER_STEP;
        match items.last_key_value() {
            Some((&size, _)) if !last => list.after = size,
            _ => end(list.echo, out),
        }
        Ok(last)
    }
}
