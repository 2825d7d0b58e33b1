//! `mg`: a hit with whatever is asked of it, a miss, or an item made on the spot for its client to fill.

use larder_protocol::meta::reply::{self, Code, OF_KEY, Shown};
use larder_protocol::meta::{PlainGet, Request, plain_get};
use larder_protocol::text::ErrorText;
use larder_protocol::text::reply::{CRLF, Key};
use larder_store::{Found, KeyHash, MetaFound, MetaGet, MetaStore, Place, PlainFound, RelTime};

use super::super::session::After;
use super::super::text::Used;
use super::super::value::PAGES_FOR_SMALL;
use super::super::{Pause, Session, Turn, site};
use super::is_unfit;
use crate::shared::Lent;
use crate::snapshot::Counter;

/// What came of an `mg` as most are.
enum Fetched {
    Answered,
    /// The shard is taken.
    Taken,
    /// The item is none as most are, and nothing was done.
    Other,
}

impl Turn<'_> {
    /// An `mg` as most are, of an item as most are, at the front of the input. None if it is another, or not there whole:
    /// then nothing was done, and it is carried out like any line.
    #[inline(never)]
    pub(in super::super) fn mg_plain(
        &self,
        input: &[u8],
        out: &mut Vec<u8>,
        commands_left: &mut u32,
    ) -> Option<Used> {
        if *commands_left == 0 || self.observed() {
            return None;
        }
        let (get, line_len) = plain_get(input)?;
        match self.fetch_plain(&get, out) {
            Fetched::Answered => {}
            Fetched::Taken => return Some((0, Some(Pause::Taken))),
            Fetched::Other => return None,
        }
        *commands_left -= 1;
        Some((line_len, None))
    }

    /// By itself, since the compiler takes for seldom what stands behind the loop that reads the flags, and inlines
    /// nothing there.
    #[inline(never)]
    fn fetch_plain(&self, get: &PlainGet<'_>, out: &mut Vec<u8>) -> Fetched {
        let (hash, shard) = self.place(get.key);
        let Some(mut lent) = self.shared.borrow(shard) else {
            return Fetched::Taken;
        };
        match lent
            .shard
            .get_plain::<{ site::PLAIN_MG }>(hash, get.key, self.now)
        {
            PlainFound::Other => return Fetched::Other,
            PlainFound::Nothing => {
                self.count_mg(false, false);
                if !get.has(b'q') {
                    reply::plain_miss(out, get);
                }
            }
            PlainFound::Item {
                found,
                value,
                accessed,
                fetched,
            } => {
                self.count_mg(true, false);
                let shown = || self.shown(&found, accessed, fetched);
                reply::plain_hit(out, get, value.len() as u32, shown);
                if get.has(b'v') {
                    out.extend_from_slice(value);
                    out.extend_from_slice(CRLF);
                }
            }
        }
        Fetched::Answered
    }

    /// What a hit can show.
    fn shown<'f>(&self, found: &Found<'f>, accessed: RelTime, fetched: bool) -> Shown<'f> {
        Shown {
            key: Key {
                bytes: found.key(),
                block: found.key_block(),
            },
            binary: found.has_binary_key(),
            value_len: found.value_len(),
            cas: found.cas(),
            client_flags: found.flags(),
            ttl: self.ttl(found.exptime()),
            fetched,
            idle_s: self.now.saturating_sub(accessed),
        }
    }

    /// Fetches an item, and answers.
    pub(in super::super) fn mg(
        &self,
        session: &mut Session,
        request: &Request<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Pause> {
        let mut room = None;
        let key = request.item_key(&mut room);
        let (hash, shard) = self.place(key);
        let mut lent = self.shared.borrow(shard).ok_or(Pause::Taken)?;
        let flags = &request.flags;
        let exptime = |sent| self.clock.exptime(sent, self.now);
        let ask = MetaGet {
            touch: flags.ttl().map(exptime),
            recache: flags.recache().map(exptime),
            recache_first: flags.is_before(b'R', b'T'),
            unseen: flags.has(b'u'),
        };
        self.note_look(&lent.shard, hash, key);
        let Some(found) = lent.shard.get_meta(hash, key, &ask, self.now) else {
            match flags.vivify() {
                Some(_) => self.vivify(request, (key, hash, shard), &mut lent, out),
                None => {
                    self.count_mg(false, false);
                    self.miss(request, key, out);
                }
            }
            return Ok(());
        };
        self.count_mg(true, ask.touch.is_some());
        if let Some(large) = self.answer_mg(request, &found, out) {
            self.send_large(session, shard, &mut lent, large, After::Line);
        }
        Ok(())
    }

    /// Writes what was found; of a large value the line only, and says where it is.
    fn answer_mg(
        &self,
        request: &Request<'_>,
        hit: &MetaFound<'_>,
        out: &mut Vec<u8>,
    ) -> Option<Place> {
        let (flags, found) = (&request.flags, &hit.found);
        let cas = found.cas();
        let exptime = match flags.has(b'T') && flags.is_before(b't', b'T') {
            true => hit.old_exptime,
            false => found.exptime(),
        };
        let shown = Shown {
            binary: found.has_binary_key() || is_unfit(request, found.key()),
            ttl: self.ttl(exptime),
            ..self.shown(found, hit.accessed, hit.fetched)
        };
        let contest = reply::Contest {
            won: hit.contest.won,
            lost: hit.contest.lost,
            stale: hit.contest.stale,
        };
        // A client that has this very version is spared the value.
        let with_value = flags.has(b'v') && flags.cas() != Some(cas);
        reply::hit(out, with_value, flags, &shown, contest);
        if !with_value {
            return None;
        }
        let large = found.large();
        if large.is_none() {
            found.copy_value(out);
            out.extend_from_slice(CRLF);
        }
        large
    }

    fn miss(&self, request: &Request<'_>, key: &[u8], out: &mut Vec<u8>) {
        if !request.flags.has(b'q') {
            let shown = Shown::of_request(request, key);
            reply::line(out, Code::Miss, &request.flags, OF_KEY, &shown);
        }
    }

    /// Makes an empty item, and answers as if it had been there. Whoever asked is the one to fill it.
    fn vivify(
        &self,
        request: &Request<'_>,
        (key, hash, shard): (&[u8], KeyHash, usize),
        lent: &mut Lent,
        out: &mut Vec<u8>,
    ) {
        let flags = &request.flags;
        let with = MetaStore {
            unique: flags.new_cas(),
            binary_key: request.is_binary(),
            ..MetaStore::default()
        };
        let (last, shown_exptime) = self.exptimes_of_new(flags);
        self.shared
            .provide(shard, lent, PAGES_FOR_SMALL, 0, self.now);
        let made = lent
            .shard
            .vivify(hash, (key, last), flags.has(b'u'), &with, self.moment());
        if self.observed() {
            self.note_shard(&mut lent.shard);
        }
        let Some(cas) = made else {
            out.extend_from_slice(ErrorText::OutOfMemory.line());
            return;
        };
        self.count_mg(true, flags.has(b'T'));
        let shown = Shown {
            cas,
            ttl: self.ttl(shown_exptime),
            ..Shown::of_request(request, key)
        };
        let won = reply::Contest {
            won: true,
            ..reply::Contest::default()
        };
        reply::hit(out, flags.has(b'v'), flags, &shown, won);
        if flags.has(b'v') {
            out.extend_from_slice(CRLF);
        }
    }

    #[inline(always)]
    fn count_mg(&self, hit: bool, touches: bool) {
        let [asked, outcome] = match (hit, touches) {
            (true, false) => [Counter::CmdGet, Counter::GetHits],
            (true, true) => [Counter::CmdTouch, Counter::TouchHits],
            (false, _) => [Counter::CmdGet, Counter::GetMisses],
        };
        self.count(asked, 1);
        self.count(outcome, 1);
    }
}
