//! `stats items`: the slab classes that hold items.

use larder_runtime::{ClassStats, EmitRow, Snapshot};

use super::NONE;
use crate::settings::Settings;

/// Emits the rows in memcached's order.
pub(crate) fn emit(settings: &Settings, snapshot: &Snapshot, emit: &mut EmitRow<'_>) {
    for class in snapshot
        .store
        .classes
        .iter()
        .filter(|class| class.items > 0)
    {
        let prefix = format!("items:{}:", class.id);
        let mut row = |name: &str, value: u64| emit(&format!("{prefix}{name}"), &value);
        let temp_lru = snapshot.tunables.temp_lru;
        one_class(settings, temp_lru, class, &mut row);
    }
}

/// There are no lists of hot, warm and cold items here: all count as cold, where memcached looks for what to evict.
fn one_class(
    settings: &Settings,
    temp_lru: bool,
    class: &ClassStats,
    row: &mut dyn FnMut(&str, u64),
) {
    let lists = settings.extended.lru_maintainer;
    row("number", class.items);
    if lists {
        row("number_hot", NONE);
        row("number_warm", NONE);
        row("number_cold", class.items);
        if temp_lru {
            row("number_temp", NONE);
        }
        row("age_hot", NONE);
        row("age_warm", NONE);
    }
    row("age", class.age_s.into());
    row("mem_requested", class.mem_requested);
    row("evicted", class.evicted);
    row("evicted_nonzero", class.evicted_nonzero);
    row("evicted_time", class.evicted_time_s.into());
    row("outofmemory", class.outofmemory);
    row("tailrepairs", NONE);
    row("reclaimed", class.reclaimed);
    row("expired_unfetched", class.expired_unfetched);
    row("evicted_unfetched", class.evicted_unfetched);
    if lists {
        row("evicted_active", class.evicted_active);
    }
    row("crawler_reclaimed", class.crawler_reclaimed);
    row("crawler_items_checked", class.crawler_items_checked);
    row("lrutail_reflocked", NONE);
    if lists {
        row("moves_to_cold", NONE);
        row("moves_to_warm", NONE);
        row("moves_within_lru", class.moves_within_lru);
        row("direct_reclaims", class.direct_reclaims);
        row("hits_to_hot", NONE);
        row("hits_to_warm", NONE);
        row("hits_to_cold", class.get_hits);
        row("hits_to_temp", NONE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::testing::{names, value_of};

    const NAMES: &str = "\
        number number_hot number_warm number_cold age_hot age_warm age mem_requested evicted evicted_nonzero \
        evicted_time outofmemory tailrepairs reclaimed expired_unfetched evicted_unfetched evicted_active \
        crawler_reclaimed crawler_items_checked lrutail_reflocked moves_to_cold moves_to_warm moves_within_lru \
        direct_reclaims hits_to_hot hits_to_warm hits_to_cold hits_to_temp";

    const NAMES_WITHOUT_MAINTAINER: &str = "\
        number age mem_requested evicted evicted_nonzero evicted_time outofmemory tailrepairs reclaimed \
        expired_unfetched evicted_unfetched crawler_reclaimed crawler_items_checked lrutail_reflocked";

    fn snapshot() -> Snapshot {
        let class = |id, items| ClassStats {
            id,
            items,
            get_hits: 9,
            ..ClassStats::default()
        };
        let mut snapshot = Snapshot::default();
        snapshot.store.classes = vec![class(1, 0), class(3, 7), class(5, 2)];
        snapshot
    }

    #[test]
    fn memcacheds_names_in_memcacheds_order() {
        let expect = |settings: &Settings, expected: &str| {
            let mut snapshot = snapshot();
            snapshot.tunables = settings.extended.tunables;
            let words = expected.split_whitespace();
            let three: Vec<_> = words
                .clone()
                .map(|name| format!("items:3:{name}"))
                .collect();
            let five = words.map(|name| format!("items:5:{name}"));
            let expected: Vec<_> = three.into_iter().chain(five).collect();
            assert_eq!(names(|rows| emit(settings, &snapshot, rows)), expected);
        };
        let mut settings = Settings::default();
        expect(&settings, NAMES);
        settings.extended.tunables.temp_lru = true;
        expect(&settings, &NAMES.replace("age_hot", "number_temp age_hot"));
        settings.extended.lru_maintainer = false;
        expect(&settings, NAMES_WITHOUT_MAINTAINER);
    }

    #[test]
    fn all_items_are_cold() {
        let value = |name| value_of(name, |rows| emit(&Settings::default(), &snapshot(), rows));
        assert_eq!(value("items:3:number"), "7");
        assert_eq!(value("items:3:number_cold"), "7");
        assert_eq!(value("items:3:number_hot"), "0");
        assert_eq!(value("items:5:hits_to_cold"), "9");
    }
}
