//! Plain `stats`.

use larder_runtime::{ClassStats, EmitRow, Snapshot};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

use super::NONE;
use crate::daemon::MEMCACHED_VERSION;
use crate::limits;
use crate::settings::Settings;
use crate::tls::TlsFigures;

/// What stands in the row that names memcached's event library: without a blank, since clients split rows there.
const EVENT_LIBRARY: &str = "mio-1";

/// Emits the rows in memcached's order.
pub(crate) fn emit(
    settings: &Settings,
    tls: Option<TlsFigures>,
    snapshot: &Snapshot,
    emit: &mut EmitRow<'_>,
) {
    process(settings, snapshot, emit);
    connections(settings, snapshot, emit);
    commands(settings, snapshot, emit);
    server(snapshot, emit);
    index(snapshot, emit);
    background_work(settings, snapshot, emit);
    logs(snapshot, emit);
    if let Some(tls) = tls {
        self::tls(tls, snapshot, emit);
    }
    napi(emit);
    items(settings, snapshot, emit);
}

fn process(settings: &Settings, snapshot: &Snapshot, emit: &mut EmitRow<'_>) {
    emit("pid", &snapshot.pid);
    emit("uptime", &snapshot.uptime_s);
    emit("time", &snapshot.unix_s);
    emit("version", &MEMCACHED_VERSION);
    emit("libevent", &EVENT_LIBRARY);
    emit("pointer_size", &usize::BITS);
    if let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) {
        emit("rusage_user", &seconds(usage.user_time()));
        emit("rusage_system", &seconds(usage.system_time()));
    }
    emit("max_connections", &settings.conn_limit);
}

/// Seconds with six decimals.
fn seconds(time: TimeVal) -> String {
    format!("{}.{:06}", time.tv_sec(), time.tv_usec())
}

fn connections(settings: &Settings, snapshot: &Snapshot, emit: &mut EmitRow<'_>) {
    // memcached counts listening sockets among connections, less one.
    let listening = snapshot.listening_sockets;
    emit(
        "curr_connections",
        &(snapshot.curr_connections + listening).saturating_sub(1),
    );
    emit("total_connections", &snapshot.total_connections);
    if settings.extended.maxconns_fast {
        emit("rejected_connections", &snapshot.rejected_connections);
    }
    emit("connection_structures", &snapshot.connection_structures);
    emit("response_obj_oom", &NONE);
    emit("response_obj_count", &NONE);
    emit("response_obj_bytes", &NONE);
    emit("read_buf_count", &snapshot.conn_buffer_count);
    emit("read_buf_bytes", &snapshot.conn_buffer_bytes);
    emit("read_buf_bytes_free", &NONE);
    emit("read_buf_oom", &NONE);
    emit("reserved_fds", &limits::reserved_descriptors(settings));
}

fn commands(settings: &Settings, snapshot: &Snapshot, emit: &mut EmitRow<'_>) {
    let counters = &snapshot.counters;
    emit("cmd_get", &counters.cmd_get);
    emit("cmd_set", &counters.cmd_set);
    emit("cmd_flush", &counters.cmd_flush);
    emit("cmd_touch", &counters.cmd_touch);
    emit("cmd_meta", &counters.cmd_meta);
    emit("get_hits", &counters.get_hits);
    emit("get_misses", &counters.get_misses);
    emit("get_expired", &snapshot.store.get_expired);
    emit("get_flushed", &NONE);
    emit("delete_misses", &counters.delete_misses);
    emit("delete_hits", &counters.delete_hits);
    emit("incr_misses", &counters.incr_misses);
    emit("incr_hits", &counters.incr_hits);
    emit("decr_misses", &counters.decr_misses);
    emit("decr_hits", &counters.decr_hits);
    emit("cas_misses", &counters.cas_misses);
    emit("cas_hits", &counters.cas_hits);
    emit("cas_badval", &counters.cas_badval);
    emit("touch_hits", &counters.touch_hits);
    emit("touch_misses", &counters.touch_misses);
    emit("store_too_large", &counters.store_too_large);
    emit("store_no_memory", &counters.store_no_memory);
    emit("auth_cmds", &counters.auth_cmds);
    emit("auth_errors", &counters.auth_errors);
    if settings.extended.idle_timeout_s > 0 {
        emit("idle_kicks", &counters.idle_kicks);
    }
}

fn server(snapshot: &Snapshot, emit: &mut EmitRow<'_>) {
    emit("bytes_read", &snapshot.counters.bytes_read);
    emit("bytes_written", &snapshot.counters.bytes_written);
    emit("limit_maxbytes", &snapshot.limit_maxbytes);
    emit("accepting_conns", &u8::from(snapshot.accepting_conns));
    emit("listen_disabled_num", &snapshot.listen_disabled_num);
    emit(
        "time_in_listen_disabled_us",
        &snapshot.time_in_listen_disabled_us,
    );
    emit("threads", &snapshot.threads);
    emit("conn_yields", &snapshot.counters.conn_yields);
}

fn index(snapshot: &Snapshot, emit: &mut EmitRow<'_>) {
    let store = &snapshot.store;
    emit(
        "hash_power_level",
        &store.index_slots.checked_ilog2().unwrap_or(0),
    );
    emit("hash_bytes", &store.index_bytes);
    emit("hash_is_expanding", &u8::from(store.index_resizing));
}

/// What memcached leaves to its page mover, its crawler and its maintainer.
fn background_work(settings: &Settings, snapshot: &Snapshot, emit: &mut EmitRow<'_>) {
    let extended = &settings.extended;
    if extended.slab_reassign {
        emit("slab_reassign_rescues", &snapshot.store.items_rescued);
        emit("slab_reassign_chunk_rescues", &NONE);
        emit("slab_reassign_inline_reclaim", &NONE);
        emit("slab_reassign_busy_items", &NONE);
        emit("slab_reassign_busy_deletes", &NONE);
        emit("slab_reassign_busy_nomem", &NONE);
        emit("slab_reassign_last_busy_status", &"none");
        emit("slab_reassign_running", &NONE);
        emit("slabs_moved", &snapshot.store.pages_moved);
    }
    if snapshot.tunables.lru_crawler {
        emit(
            "lru_crawler_running",
            &u8::from(snapshot.store.crawler_running),
        );
        emit("lru_crawler_starts", &snapshot.store.crawler_starts);
    }
    if extended.lru_maintainer {
        emit("lru_maintainer_juggles", &NONE);
    }
    emit("malloc_fails", &snapshot.store.malloc_fails);
}

fn logs(snapshot: &Snapshot, emit: &mut EmitRow<'_>) {
    let counters = &snapshot.counters;
    emit("log_worker_dropped", &counters.log_worker_dropped);
    emit("log_worker_written", &counters.log_worker_written);
    emit("log_watcher_skipped", &counters.log_watcher_skipped);
    emit("log_watcher_sent", &counters.log_watcher_sent);
    emit("log_watchers", &snapshot.watchers);
}

fn tls(tls: TlsFigures, snapshot: &Snapshot, emit: &mut EmitRow<'_>) {
    let counters = &snapshot.counters;
    if let Some(sessions) = tls.new_sessions {
        emit("ssl_new_sessions", &sessions);
    }
    emit("ssl_handshake_errors", &counters.ssl_handshake_errors);
    emit("ssl_proto_errors", &counters.ssl_proto_errors);
    emit("time_since_server_cert_refresh", &tls.refreshed_s);
}

fn napi(emit: &mut EmitRow<'_>) {
    emit("unexpected_napi_ids", &NONE);
    emit("round_robin_fallback", &NONE);
}

fn items(settings: &Settings, snapshot: &Snapshot, emit: &mut EmitRow<'_>) {
    let store = &snapshot.store;
    let sum = |field: fn(&ClassStats) -> u64| store.classes.iter().map(field).sum::<u64>();
    let with_maintainer = settings.extended.lru_maintainer;
    emit("bytes", &store.bytes);
    emit("curr_items", &store.curr_items);
    emit("total_items", &store.total_items);
    emit("slab_global_page_pool", &store.pages_free);
    emit("expired_unfetched", &sum(|class| class.expired_unfetched));
    emit("evicted_unfetched", &sum(|class| class.evicted_unfetched));
    if with_maintainer {
        emit("evicted_active", &sum(|class| class.evicted_active));
    }
    emit("evictions", &sum(|class| class.evicted));
    emit("reclaimed", &sum(|class| class.reclaimed));
    emit("crawler_reclaimed", &sum(|class| class.crawler_reclaimed));
    emit(
        "crawler_items_checked",
        &sum(|class| class.crawler_items_checked),
    );
    emit("lrutail_reflocked", &NONE);
    if with_maintainer {
        emit("moves_to_cold", &NONE);
        emit("moves_to_warm", &NONE);
        emit("moves_within_lru", &sum(|class| class.moves_within_lru));
        emit("direct_reclaims", &sum(|class| class.direct_reclaims));
        emit("lru_bumps_dropped", &NONE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Extended;
    use crate::stats::testing::{names, value_of};

    /// Section by section as memcached 1.6.45 prints them with its defaults.
    const DEFAULT_NAMES: &str = "\
        pid uptime time version libevent pointer_size rusage_user rusage_system max_connections curr_connections \
        total_connections rejected_connections connection_structures response_obj_oom response_obj_count \
        response_obj_bytes read_buf_count read_buf_bytes read_buf_bytes_free read_buf_oom reserved_fds cmd_get \
        cmd_set cmd_flush cmd_touch cmd_meta get_hits get_misses get_expired get_flushed delete_misses delete_hits \
        incr_misses incr_hits decr_misses decr_hits cas_misses cas_hits cas_badval touch_hits touch_misses \
        store_too_large store_no_memory auth_cmds auth_errors bytes_read bytes_written limit_maxbytes \
        accepting_conns listen_disabled_num time_in_listen_disabled_us threads conn_yields hash_power_level \
        hash_bytes hash_is_expanding slab_reassign_rescues slab_reassign_chunk_rescues \
        slab_reassign_inline_reclaim slab_reassign_busy_items slab_reassign_busy_deletes \
        slab_reassign_busy_nomem slab_reassign_last_busy_status slab_reassign_running slabs_moved \
        lru_crawler_running lru_crawler_starts lru_maintainer_juggles malloc_fails log_worker_dropped \
        log_worker_written log_watcher_skipped log_watcher_sent log_watchers unexpected_napi_ids \
        round_robin_fallback bytes curr_items total_items slab_global_page_pool expired_unfetched \
        evicted_unfetched evicted_active evictions reclaimed crawler_reclaimed crawler_items_checked \
        lrutail_reflocked moves_to_cold moves_to_warm moves_within_lru direct_reclaims lru_bumps_dropped";

    /// Rows that go with the crawler and the maintainer.
    const WITHOUT_LRU_THREADS: &str = "\
        lru_crawler_running lru_crawler_starts lru_maintainer_juggles evicted_active moves_to_cold moves_to_warm \
        moves_within_lru direct_reclaims lru_bumps_dropped";

    fn names_with(change: fn(&mut Extended)) -> Vec<String> {
        let mut settings = Settings::default();
        change(&mut settings.extended);
        let snapshot = Snapshot {
            tunables: settings.extended.tunables,
            ..Snapshot::default()
        };
        names(|rows| emit(&settings, None, &snapshot, rows))
    }

    #[test]
    fn memcacheds_names_in_memcacheds_order() {
        let expected: Vec<_> = DEFAULT_NAMES.split_whitespace().collect();
        assert_eq!(expected.len(), 93);
        assert_eq!(names_with(|_| {}), expected);
    }

    #[test]
    fn rows_come_and_go_with_options() {
        let gone: Vec<_> = WITHOUT_LRU_THREADS.split_whitespace().collect();
        let expected: Vec<_> = DEFAULT_NAMES
            .split_whitespace()
            .filter(|name| !gone.contains(name))
            .collect();
        let without_threads = names_with(|extended| {
            extended.tunables.lru_crawler = false;
            extended.lru_maintainer = false;
        });
        assert_eq!(without_threads.len(), 84);
        assert_eq!(without_threads, expected);

        let with_timeout = names_with(|extended| extended.idle_timeout_s = 5);
        let kicks = with_timeout.iter().position(|name| name == "idle_kicks");
        assert_eq!(kicks, Some(45));
        assert_eq!(
            names_with(|extended| extended.slab_reassign = false).len(),
            84
        );
        assert_eq!(
            names_with(|extended| extended.maxconns_fast = false).len(),
            92
        );
    }

    #[test]
    fn tls_has_rows_of_its_own() {
        let settings = Settings::default();
        let snapshot = Snapshot::default();
        let with = |new_sessions| {
            let tls = TlsFigures {
                new_sessions,
                ..TlsFigures::default()
            };
            names(|rows| emit(&settings, Some(tls), &snapshot, rows))
        };
        assert_eq!(with(None).len(), 96);
        let all = with(Some(3));
        let after = all.iter().position(|name| name == "log_watchers").unwrap() + 1;
        let expected = [
            "ssl_new_sessions",
            "ssl_handshake_errors",
            "ssl_proto_errors",
            "time_since_server_cert_refresh",
            "unexpected_napi_ids",
        ];
        assert_eq!(all[after..after + 5], expected);
    }

    #[test]
    fn values_are_memcacheds() {
        let mut snapshot = Snapshot {
            curr_connections: 3,
            listening_sockets: 2,
            accepting_conns: true,
            ..Snapshot::default()
        };
        snapshot.store.index_slots = 1 << 16;
        let class = ClassStats {
            evicted: 4,
            ..ClassStats::default()
        };
        snapshot.store.classes = vec![class, class];
        let value = |name| {
            value_of(name, |rows| {
                emit(&Settings::default(), None, &snapshot, rows);
            })
        };
        assert_eq!(value("version"), "1.6.45");
        assert_eq!(value("curr_connections"), "4");
        assert_eq!(value("accepting_conns"), "1");
        assert_eq!(value("hash_power_level"), "16");
        assert_eq!(value("evictions"), "8");
        let (whole, fraction) = value("rusage_user")
            .split_once('.')
            .map(|(a, b)| (a.to_owned(), b.len()))
            .unwrap();
        assert!(whole.parse::<u64>().is_ok() && fraction == 6);
    }
}
