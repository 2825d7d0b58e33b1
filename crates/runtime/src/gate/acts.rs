//! Everything that a right is needed for, and what it is called in the users file: one table for all protocols.

/// Something that a right is needed for. What is not here (`version`, `quit`, `mn`, `noop`, SASL, `verbosity` with a
/// wrong argument) touches nothing and is for everybody who is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Get,
    Gets,
    Gat,
    Gats,
    Mg,
    /// `mg` with `N`, `R` or `T`, which change the item or make one.
    MgChanging,
    Me,
    Set,
    Add,
    Replace,
    Append,
    Prepend,
    Cas,
    Incr,
    Decr,
    Delete,
    Touch,
    Ms,
    Md,
    Ma,
    Stats,
    StatsReset,
    StatsDetail,
    Cachedump,
    Metadump,
    Mgdump,
    Crawler,
    Lru,
    Slabs,
    FlushAll,
    Verbosity,
    CacheMemlimit,
    RefreshCerts,
    Shutdown,
    Watch,
}

/// A line of the table.
struct Row {
    act: Act,
    /// Its command's names: the text protocol's, then the binary one's where that has another.
    names: &'static [&'static str],
    /// The words that together stand for it.
    words: &'static [&'static str],
}

const fn row(act: Act, names: &'static [&'static str], words: &'static [&'static str]) -> Row {
    Row { act, names, words }
}

const READ: &[&str] = &["read"];
const WRITE: &[&str] = &["write"];
/// What fetches and changes needs both.
const BOTH: &[&str] = &["read", "write"];
const STATS: &[&str] = &["stats"];
const ADMIN: &[&str] = &["admin"];

/// What is quiet, or does not want a reply, is called as what is not.
const TABLE: &[Row] = &[
    row(Act::Get, &["get", "getk"], READ),
    row(Act::Gets, &["gets"], READ),
    row(Act::Gat, &["gat", "gatk"], BOTH),
    row(Act::Gats, &["gats"], BOTH),
    row(Act::Mg, &["mg"], READ),
    row(Act::MgChanging, &["mg"], BOTH),
    row(Act::Me, &["me"], READ),
    row(Act::Set, &["set"], WRITE),
    row(Act::Add, &["add"], WRITE),
    row(Act::Replace, &["replace"], WRITE),
    row(Act::Append, &["append"], WRITE),
    row(Act::Prepend, &["prepend"], WRITE),
    row(Act::Cas, &["cas"], WRITE),
    row(Act::Incr, &["incr", "increment"], WRITE),
    row(Act::Decr, &["decr", "decrement"], WRITE),
    row(Act::Delete, &["delete"], WRITE),
    row(Act::Touch, &["touch"], WRITE),
    row(Act::Ms, &["ms"], WRITE),
    row(Act::Md, &["md"], WRITE),
    row(Act::Ma, &["ma"], WRITE),
    row(Act::Stats, &["stats", "stat"], STATS),
    row(Act::StatsReset, &["stats_reset"], ADMIN),
    row(Act::StatsDetail, &["stats_detail"], ADMIN),
    row(Act::Cachedump, &["cachedump"], ADMIN),
    row(Act::Metadump, &["metadump"], ADMIN),
    row(Act::Mgdump, &["mgdump"], ADMIN),
    row(Act::Crawler, &["lru_crawler"], ADMIN),
    row(Act::Lru, &["lru"], ADMIN),
    row(Act::Slabs, &["slabs"], ADMIN),
    row(Act::FlushAll, &["flush_all", "flush"], ADMIN),
    row(Act::Verbosity, &["verbosity"], ADMIN),
    row(Act::CacheMemlimit, &["cache_memlimit"], ADMIN),
    row(Act::RefreshCerts, &["refresh_certs"], ADMIN),
    row(Act::Shutdown, &["shutdown"], ADMIN),
    row(Act::Watch, &["watch"], ADMIN),
];

/// Those that show an item's key to whoever may do them.
const READING: [Act; 4] = [Act::Get, Act::Gets, Act::Mg, Act::Me];

/// Some of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Acts(u64);

const _: () = assert!(TABLE.len() <= u64::BITS as usize, "a bit for each");

impl Acts {
    /// Those that these words stand for, or what is wrong with them.
    pub(crate) fn named(words: &[&str]) -> Result<Self, String> {
        let known = |word: &str| {
            TABLE
                .iter()
                .any(|row| row.names.contains(&word) || row.words.contains(&word))
        };
        if let Some(stranger) = words.iter().find(|word| !known(word)) {
            return Err(format!(
                "`{}` is none of read, write, stats and admin, and no command",
                stranger.escape_debug()
            ));
        }
        let given = |row: &&Row| {
            row.names.iter().any(|name| words.contains(name))
                || row.words.iter().all(|word| words.contains(word))
        };
        let acts = TABLE.iter().filter(given).map(|row| Self::only(row.act));
        Ok(acts.fold(Self::default(), |all, one| Self(all.0 | one.0)))
    }

    const fn only(act: Act) -> Self {
        Self(1 << act as u8)
    }

    /// Whether this is one of them.
    #[inline]
    pub(crate) const fn has(self, act: Act) -> bool {
        self.0 & Self::only(act).0 != 0
    }

    /// Whether all that the word `admin` stands for is among them.
    pub(crate) fn are_an_admins(self) -> bool {
        TABLE
            .iter()
            .all(|row| row.words != ADMIN || self.has(row.act))
    }

    /// Whether any of them shows an item.
    pub(crate) fn read(self) -> bool {
        READING.into_iter().any(|act| self.has(act))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn named(words: &[&str]) -> Vec<Act> {
        let acts = Acts::named(words).expect("known words");
        let all = TABLE.iter().map(|row| row.act);
        all.filter(|&act| acts.has(act)).collect()
    }

    #[test]
    fn each_act_is_in_the_table_once() {
        let listed = TABLE.iter().map(|row| row.act as u8).collect::<Vec<u8>>();
        let expected = (0..=Act::Watch as u8).collect::<Vec<u8>>();
        assert_eq!(listed, expected, "in the order of the acts");
    }

    #[test]
    fn words_stand_for_what_needs_no_other() {
        use Act::*;
        assert_eq!(named(&["read"]), [Get, Gets, Mg, Me]);
        let write = named(&["write"]);
        assert!(write.contains(&Touch) && !write.contains(&Gat) && !write.contains(&MgChanging));
        let both = named(&["read", "write"]);
        assert!(both.contains(&Gat) && both.contains(&Gats) && both.contains(&MgChanging));
        assert_eq!(named(&["stats"]), [Stats]);
        assert!(!named(&["admin"]).contains(&Stats));
        let all = named(&["read", "write", "stats", "admin"]);
        assert_eq!(all.len(), TABLE.len());
    }

    #[test]
    fn a_command_stands_for_all_of_itself() {
        use Act::*;
        assert_eq!(named(&["mg"]), [Mg, MgChanging]);
        assert_eq!(named(&["gat"]), [Gat]);
        assert_eq!(named(&["increment", "flush"]), [Incr, FlushAll]);
        assert_eq!(named(&["read", "delete"]), [Get, Gets, Mg, Me, Delete]);
        assert!(Acts::named(&["get", "version"]).is_err_and(|why| why.contains("`version`")));
        assert!(Acts::named(&["Read"]).is_err());
    }
}
