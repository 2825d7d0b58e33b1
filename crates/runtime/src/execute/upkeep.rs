//! `slabs`, `lru` and `lru_crawler`: knobs that are turned at once, and work that is asked of every shard.

use larder_protocol::text::{ErrorText, LruMode, TempTtl, Upkeep, Which, reply};
use larder_store::is_class;

use super::session::{Asking, State};
use super::{Pause, Session, Turn};

/// Fewest pages of a class, and of the pool of those that no class has, that `slabs reassign` takes one of.
const PAGES_TO_SPARE: usize = 2;
const POOL_PAGES_TO_SPARE: usize = 1;

/// What every shard is asked for, one after another.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask {
    /// A pass of the crawler over these classes.
    Crawl(u64),
    /// How many pages it has to spare.
    CountPages {
        /// Of this class, or of any but the target.
        source: Option<u32>,
        target: u32,
        /// What all have so far.
        pages: usize,
        most: Spare,
    },
}

/// Where most pages of one class are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spare {
    shard: usize,
    class: u32,
    pages: usize,
}

impl Turn<'_> {
    /// Carries out one of these commands, or begins to.
    pub(super) fn upkeep(
        &self,
        session: &mut Session,
        upkeep: Upkeep,
        noreply: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Pause> {
        let text = match upkeep {
            Upkeep::Dump(format, which) => return self.dump(session, format, which, noreply, out),
            Upkeep::Crawl(which) => match self.crawl(session, which, noreply)? {
                Some(text) => text,
                None => return Ok(()),
            },
            Upkeep::Reassign(classes) => match self.reassign(session, classes, noreply)? {
                Some(text) => text,
                None => return Ok(()),
            },
            knob => self.tune(knob)?,
        };
        if !noreply {
            out.extend_from_slice(text);
        }
        Ok(())
    }

    /// Turns a knob.
    fn tune(&self, knob: Upkeep) -> Result<&'static [u8], Pause> {
        let globals = &self.shared.globals;
        let mut tunables = globals.tunables.borrow().ok_or(Pause::Taken)?;
        match knob {
            Upkeep::Automove(mode) => tunables.slab_automove = mode,
            Upkeep::AutomoveRatio(ratio) => tunables.slab_automove_ratio = ratio,
            Upkeep::AutomoveWindow(seconds) => tunables.slab_automove_window_s = seconds,
            Upkeep::LruTune(tuning) => {
                tunables.hot_lru_pct = tuning.hot_pct;
                tunables.warm_lru_pct = tuning.warm_pct;
                tunables.hot_max_factor = tuning.hot_factor;
                tunables.warm_max_factor = tuning.warm_factor;
            }
            Upkeep::LruMode(Some(mode)) if self.config.lru_maintainer => {
                tunables.lru_segmented = mode == LruMode::Segmented;
            }
            Upkeep::LruTempTtl(Some(ttl)) if self.config.lru_maintainer => match ttl {
                TempTtl::Off => tunables.temp_lru = false,
                TempTtl::Seconds(seconds) => {
                    (tunables.temp_lru, tunables.temporary_ttl_s) = (true, seconds);
                }
            },
            Upkeep::LruMode(_) | Upkeep::LruTempTtl(_) => return Ok(ErrorText::Error.line()),
            Upkeep::CrawlerEnable if tunables.lru_crawler => {
                return Ok(ErrorText::CrawlerNotStarted.line());
            }
            Upkeep::CrawlerEnable => tunables.lru_crawler = true,
            Upkeep::CrawlerDisable => tunables.lru_crawler = false,
            Upkeep::CrawlerSleep(micros) => tunables.lru_crawler_sleep_us = micros,
            Upkeep::CrawlerToCrawl(items) => tunables.lru_crawler_tocrawl = items,
            // It belongs to external storage.
            Upkeep::AutomoveFreeRatio => {}
            Upkeep::Reassign(_) | Upkeep::Crawl(_) | Upkeep::Dump(..) => {}
        }
        Ok(reply::OK)
    }

    /// Whether the crawler may be asked for something.
    pub(super) fn crawler_is_on(&self) -> Result<bool, Pause> {
        let tunables = self.shared.globals.tunables.borrow();
        tunables.map(|now| now.lru_crawler).ok_or(Pause::Taken)
    }

    /// Begins to ask for a pass of the crawler, or says why not.
    fn crawl(
        &self,
        session: &mut Session,
        which: Which,
        noreply: bool,
    ) -> Result<Option<&'static [u8]>, Pause> {
        if !self.crawler_is_on()? {
            return Ok(Some(ErrorText::CrawlerDisabled.line()));
        }
        Ok(match which {
            Which::BadClass => Some(reply::CRAWL_BADCLASS),
            Which::Hash => Some(ErrorText::CrawlHash.line()),
            Which::Classes(0) => Some(reply::NOTSTARTED),
            Which::Classes(classes) => {
                session.state = asking(Ask::Crawl(classes), noreply);
                None
            }
        })
    }

    /// Begins to look for a page to move, or says why there is none.
    fn reassign(
        &self,
        session: &mut Session,
        classes: Option<(i32, i32)>,
        noreply: bool,
    ) -> Result<Option<&'static [u8]>, Pause> {
        if !self.config.slab_reassign {
            return Ok(Some(ErrorText::ReassignDisabled.line()));
        }
        let Some((source, target)) = classes else {
            return Ok(Some(ErrorText::BadFormat.line()));
        };
        if source == target {
            return Ok(Some(reply::SAME));
        }
        let source = match source {
            // Any that has one to spare.
            -1 => Some(None),
            id => class_or_pool(id).map(Some),
        };
        let (Some(source), Some(target)) = (source, class_or_pool(target)) else {
            return Ok(Some(reply::REASSIGN_BADCLASS));
        };
        let count = Ask::CountPages {
            source,
            target,
            pages: 0,
            most: Spare::default(),
        };
        session.state = asking(count, noreply);
        Ok(None)
    }

    /// Asks the next shard; after the last one, answers.
    pub(super) fn ask(&self, session: &mut Session, out: &mut Vec<u8>) -> Option<Pause> {
        let State::Asking(asking) = &mut session.state else {
            return None;
        };
        let told = if asking.next_shard < self.shared.shards() {
            self.ask_next(asking)
        } else {
            self.answer_ask(&asking.ask).map(Some)
        };
        match told {
            Err(pause) => Some(pause),
            Ok(None) => None,
            Ok(Some(text)) => {
                if !asking.noreply {
                    out.extend_from_slice(text);
                }
                session.state = State::Line;
                None
            }
        }
    }

    /// Asks one shard. A text, if that is the end of it.
    fn ask_next(&self, asking: &mut Asking) -> Result<Option<&'static [u8]>, Pause> {
        let shard = asking.next_shard;
        let mut lent = self.shared.borrow(shard).ok_or(Pause::Taken)?;
        match &mut asking.ask {
            Ask::Crawl(classes) => {
                if !lent.shard.ask_crawl(*classes) {
                    return Ok(Some(reply::CRAWL_BUSY));
                }
            }
            Ask::CountPages {
                source,
                target,
                pages: all_pages,
                most,
            } => {
                let class = source.unwrap_or_else(|| lent.shard.fullest_class_but(*target));
                let pages = lent.shard.pages_of(class);
                *all_pages += pages;
                if pages > most.pages {
                    *most = Spare {
                        shard,
                        class,
                        pages,
                    };
                }
            }
        }
        asking.next_shard += 1;
        Ok(None)
    }

    /// What every shard has been asked for is known; what comes of it.
    fn answer_ask(&self, ask: &Ask) -> Result<&'static [u8], Pause> {
        let (source, pages, most) = match *ask {
            Ask::Crawl(_) => return Ok(reply::OK),
            Ask::CountPages {
                source,
                pages,
                most,
                ..
            } => (source, pages, most),
        };
        let needed = match most.class {
            0 => POOL_PAGES_TO_SPARE,
            _ => PAGES_TO_SPARE,
        };
        if pages < needed {
            return Ok(match source {
                Some(_) => reply::NOSPARE,
                None => reply::REASSIGN_BADCLASS,
            });
        }
        let mut lent = self.shared.borrow(most.shard).ok_or(Pause::Taken)?;
        let freed = lent.shard.free_page_of(most.class, self.now);
        self.note_shard(&mut lent.shard);
        Ok(match freed {
            true => reply::OK,
            false => reply::REASSIGN_BUSY,
        })
    }
}

/// A class's id, or 0 for the pages that no class has.
fn class_or_pool(id: i32) -> Option<u32> {
    let id = u32::try_from(id).ok()?;
    (id == 0 || is_class(id)).then_some(id)
}

/// Every shard is asked, none was yet.
fn asking(ask: Ask, noreply: bool) -> State {
    State::Asking(Box::new(Asking {
        ask,
        next_shard: 0,
        noreply,
    }))
}
