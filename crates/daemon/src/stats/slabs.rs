//! `stats slabs`: the slab classes that hold pages, and two totals.

use larder_runtime::{ClassStats, EmitRow, Snapshot};

/// Emits the rows in memcached's order.
pub(crate) fn emit(snapshot: &Snapshot, emit: &mut EmitRow<'_>) {
    let active: Vec<_> = snapshot
        .store
        .classes
        .iter()
        .filter(|class| class.pages > 0)
        .collect();
    for class in &active {
        let prefix = format!("{}:", class.id);
        one_class(class, &mut |name, value| {
            emit(&format!("{prefix}{name}"), &value);
        });
    }
    let malloced: u64 = active
        .iter()
        .map(|class| class.pages * page_bytes(class))
        .sum();
    emit("active_slabs", &active.len());
    emit("total_malloced", &malloced);
}

fn page_bytes(class: &ClassStats) -> u64 {
    u64::from(class.chunk_size) * u64::from(class.chunks_per_page)
}

fn one_class(class: &ClassStats, row: &mut dyn FnMut(&str, u64)) {
    let chunks = class.pages * u64::from(class.chunks_per_page);
    row("chunk_size", class.chunk_size.into());
    row("chunks_per_page", class.chunks_per_page.into());
    row("total_pages", class.pages);
    row("total_chunks", chunks);
    row("used_chunks", class.used_chunks);
    row("free_chunks", chunks.saturating_sub(class.used_chunks));
    row("free_chunks_end", 0);
    row("get_hits", class.get_hits);
    row("cmd_set", class.cmd_set);
    row("delete_hits", class.delete_hits);
    row("incr_hits", class.incr_hits);
    row("decr_hits", class.decr_hits);
    row("cas_hits", class.cas_hits);
    row("cas_badval", class.cas_badval);
    row("touch_hits", class.touch_hits);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::testing::rows;

    #[test]
    fn memcacheds_rows_in_memcacheds_order() {
        let class = ClassStats {
            id: 2,
            chunk_size: 120,
            chunks_per_page: 10,
            pages: 3,
            used_chunks: 21,
            get_hits: 4,
            ..ClassStats::default()
        };
        let mut snapshot = Snapshot::default();
        snapshot.store.classes = vec![ClassStats { pages: 0, ..class }, class];
        let worded: Vec<_> = rows(|rows| emit(&snapshot, rows))
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        let expected = [
            "2:chunk_size 120",
            "2:chunks_per_page 10",
            "2:total_pages 3",
            "2:total_chunks 30",
            "2:used_chunks 21",
            "2:free_chunks 9",
            "2:free_chunks_end 0",
            "2:get_hits 4",
            "2:cmd_set 0",
            "2:delete_hits 0",
            "2:incr_hits 0",
            "2:decr_hits 0",
            "2:cas_hits 0",
            "2:cas_badval 0",
            "2:touch_hits 0",
            "active_slabs 1",
            "total_malloced 3600",
        ];
        assert_eq!(worded, expected);
    }
}
