//! `stats settings`.

use std::path::PathBuf;

use larder_runtime::{EmitRow, Protocol, Snapshot};

use super::yes_no;
use crate::settings::{DEFAULT_LISTEN, Settings};
use crate::tls::Tls;

/// What memcached prints for a text that is not set.
const NULL: &str = "NULL";
/// What it prints where it hands a null pointer to printf.
const PRINTF_NULL: &str = "(null)";

/// Emits the rows in memcached's order, with what clients have changed since the start.
pub(crate) fn emit(
    settings: &Settings,
    verbosity: u32,
    snapshot: &Snapshot,
    emit: &mut EmitRow<'_>,
) {
    let mut now = settings.clone();
    now.extended.tunables = snapshot.tunables;
    for (name, value) in rows(&now) {
        match name {
            "maxbytes" => emit(name, &snapshot.limit_maxbytes),
            "oldest" => emit(name, &snapshot.oldest_live),
            "verbosity" => emit(name, &verbosity),
            "detail_enabled" => emit(name, &yes_no(snapshot.detail_enabled)),
            _ => emit(name, &value),
        }
    }
}

/// The rows as the settings alone have them.
pub(crate) fn rows(settings: &Settings) -> Vec<(&'static str, String)> {
    let mut rows = Vec::with_capacity(80);
    let mut row = |name, value: &dyn ToString| rows.push((name, value.to_string()));
    listening(settings, &mut row);
    serving(settings, &mut row);
    tuning(settings, &mut row);
    lru(settings, &mut row);
    buffers(settings, &mut row);
    tls(&settings.tls, &mut row);
    row("num_napi_ids", &settings.napi_ids);
    row("memory_file", &PRINTF_NULL);
    row("client_flags_size", &size_of::<u32>());
    rows
}

/// Receives one row.
type Row<'a> = dyn FnMut(&'static str, &dyn ToString) + 'a;

fn listening(settings: &Settings, row: &mut Row<'_>) {
    let socket = settings.unix_socket.as_deref();
    let inter = match (settings.listens_by_default(), &settings.listen[..]) {
        (true, _) => DEFAULT_LISTEN.to_owned(),
        (false, []) => NULL.to_owned(),
        (false, lists) => lists.join(","),
    };
    row("maxbytes", &settings.memory_limit);
    row("maxconns", &settings.conn_limit);
    row("tcpport", &settings.tcp_port());
    row("udpport", &settings.udp_port);
    row("inter", &inter);
    row("verbosity", &settings.verbosity);
    row("oldest", &0);
    row("evictions", &if settings.evictions { "on" } else { "off" });
    row(
        "domain_socket",
        &socket.map_or(NULL.into(), |path| path.to_string_lossy()),
    );
    row("umask", &format!("{:o}", settings.unix_mask));
    row("shutdown_command", &yes_no(settings.shutdown_enabled));
}

fn serving(settings: &Settings, row: &mut Row<'_>) {
    let several =
        settings.listen.len() > 1 || settings.listen.iter().any(|list| list.contains(','));
    let protocol = match settings.protocol() {
        Protocol::Negotiated => "auto-negotiate",
        Protocol::Text => "ascii",
        Protocol::Binary => "binary",
    };
    row("growth_factor", &format!("{:.2}", settings.growth_factor));
    row("chunk_size", &settings.chunk_size);
    row("num_threads", &settings.threads);
    row(
        "num_threads_per_udp",
        &if several { 1 } else { settings.threads },
    );
    row("stat_key_prefix", &char::from(settings.prefix_delimiter));
    row("detail_enabled", &yes_no(settings.detail_enabled));
    row("reqs_per_event", &settings.requests_per_turn);
    row("cas_enabled", &yes_no(settings.cas));
    row("tcp_backlog", &settings.backlog);
    row("binding_protocol", &protocol);
    row("auth_enabled_sasl", &yes_no(settings.sasl));
    row("auth_enabled_ascii", &path(&settings.users_file, "no"));
    row("item_size_max", &settings.item_size_max);
}

fn tuning(settings: &Settings, row: &mut Row<'_>) {
    let extended = &settings.extended;
    let tunables = &extended.tunables;
    row("maxconns_fast", &yes_no(extended.maxconns_fast));
    row("hashpower_init", &extended.hashpower_init);
    row("slab_reassign", &yes_no(extended.slab_reassign));
    row("slab_automove", &tunables.slab_automove);
    row(
        "slab_automove_ratio",
        &format!("{:.2}", tunables.slab_automove_ratio),
    );
    row("slab_automove_window", &tunables.slab_automove_window_s);
    row("slab_chunk_max", &extended.slab_chunk_max);
    row("lru_crawler", &yes_no(tunables.lru_crawler));
    row("lru_crawler_sleep", &tunables.lru_crawler_sleep_us);
    row("lru_crawler_tocrawl", &tunables.lru_crawler_tocrawl);
    row("tail_repair_time", &extended.tail_repair_time_s);
    row("flush_enabled", &yes_no(settings.flush_enabled));
    row("dump_enabled", &yes_no(settings.dump_enabled));
    row("hash_algorithm", &extended.hash_algorithm);
}

fn lru(settings: &Settings, row: &mut Row<'_>) {
    let extended = &settings.extended;
    let tunables = &extended.tunables;
    row("lru_maintainer_thread", &yes_no(extended.lru_maintainer));
    row("lru_segmented", &yes_no(tunables.lru_segmented));
    row("hot_lru_pct", &tunables.hot_lru_pct);
    row("warm_lru_pct", &tunables.warm_lru_pct);
    row("hot_max_factor", &format!("{:.2}", tunables.hot_max_factor));
    row(
        "warm_max_factor",
        &format!("{:.2}", tunables.warm_max_factor),
    );
    row("temp_lru", &yes_no(tunables.temp_lru));
    row("temporary_ttl", &tunables.temporary_ttl_s);
    row("idle_timeout", &extended.idle_timeout_s);
}

fn buffers(settings: &Settings, row: &mut Row<'_>) {
    let extended = &settings.extended;
    row("watcher_logbuf_size", &extended.watcher_logbuf_bytes);
    row("worker_logbuf_size", &extended.worker_logbuf_bytes);
    row("read_buf_mem_limit", &extended.read_buf_mem_limit);
    row("track_sizes", &yes_no(extended.track_sizes));
    row("inline_ascii_response", &"no");
}

fn path(path: &Option<PathBuf>, none: &str) -> String {
    match path {
        Some(path) => path.display().to_string(),
        None => none.to_owned(),
    }
}

fn tls(tls: &Tls, row: &mut Row<'_>) {
    // OpenSSL's numbers for the modes 0 to 3.
    let verify = [0, 1, 3, 7][tls.verify_mode.min(3) as usize];
    row("ssl_enabled", &yes_no(tls.enabled));
    row("ssl_chain_cert", &path(&tls.chain, PRINTF_NULL));
    row("ssl_key", &path(&tls.key, PRINTF_NULL));
    row("ssl_verify_mode", &verify);
    row("ssl_keyformat", &tls.key_format);
    row("ssl_ciphers", &tls.ciphers.as_deref().unwrap_or(NULL));
    row("ssl_ca_cert", &path(&tls.ca, NULL));
    row("ssl_wbuf_size", &tls.write_buffer_bytes);
    row("ssl_session_cache", &yes_no(tls.session_cache));
    row("ssl_kernel_tls", &yes_no(tls.kernel_tls));
    let version = if tls.min_version == 3 {
        "tlsv1.3"
    } else {
        "tlsv1.2"
    };
    row("ssl_min_version", &version);
}

#[cfg(test)]
mod tests {
    use larder_runtime::Tunables;

    use super::*;
    use crate::stats::testing::value_of;

    /// memcached 1.6.45's defaults, with the two of our own: threads, and where to listen.
    const DEFAULTS: &str = "\
        maxbytes 67108864|maxconns 1024|tcpport 11211|udpport 0|inter 127.0.0.1|verbosity 0|oldest 0|evictions on|\
        domain_socket NULL|umask 700|shutdown_command no|growth_factor 1.25|chunk_size 48|num_threads 3|\
        num_threads_per_udp 3|stat_key_prefix :|detail_enabled no|reqs_per_event 20|cas_enabled yes|\
        tcp_backlog 1024|binding_protocol auto-negotiate|auth_enabled_sasl no|auth_enabled_ascii no|\
        item_size_max 1048576|maxconns_fast yes|hashpower_init 0|slab_reassign yes|slab_automove 1|\
        slab_automove_ratio 0.80|slab_automove_window 10|slab_chunk_max 524288|lru_crawler yes|\
        lru_crawler_sleep 100|lru_crawler_tocrawl 0|tail_repair_time 0|flush_enabled yes|dump_enabled yes|\
        hash_algorithm murmur3|lru_maintainer_thread yes|lru_segmented yes|hot_lru_pct 20|warm_lru_pct 40|\
        hot_max_factor 0.20|warm_max_factor 2.00|temp_lru no|temporary_ttl 61|idle_timeout 0|\
        watcher_logbuf_size 262144|worker_logbuf_size 65536|read_buf_mem_limit 0|track_sizes no|\
        inline_ascii_response no|ssl_enabled no|ssl_chain_cert (null)|ssl_key (null)|ssl_verify_mode 0|\
        ssl_keyformat 1|ssl_ciphers NULL|ssl_ca_cert NULL|ssl_wbuf_size 16384|ssl_session_cache no|\
        ssl_kernel_tls no|ssl_min_version tlsv1.2|num_napi_ids 0|memory_file (null)|client_flags_size 4";

    #[test]
    fn memcacheds_rows_in_memcacheds_order() {
        let settings = Settings {
            threads: 3,
            ..Settings::default()
        };
        let worded: Vec<_> = rows(&settings)
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        let expected: Vec<_> = DEFAULTS.split('|').collect();
        assert_eq!(worded, expected);
    }

    #[test]
    fn what_clients_change_is_shown() {
        let snapshot = Snapshot {
            limit_maxbytes: 8 << 20,
            detail_enabled: true,
            tunables: Tunables {
                lru_crawler: false,
                slab_automove_ratio: 0.5,
                ..Tunables::default()
            },
            ..Snapshot::default()
        };
        let value = |name| value_of(name, |rows| emit(&Settings::default(), 2, &snapshot, rows));
        assert_eq!(value("maxbytes"), "8388608");
        assert_eq!(value("verbosity"), "2");
        assert_eq!(value("detail_enabled"), "yes");
        assert_eq!(value("lru_crawler"), "no");
        assert_eq!(value("slab_automove_ratio"), "0.50");
    }

    #[test]
    fn where_it_listens_is_shown() {
        let value = |name: &str, settings: &Settings| {
            let rows = rows(settings);
            rows.into_iter()
                .find(|(row, _)| *row == name)
                .expect("a row")
                .1
        };
        let several = Settings {
            listen: vec!["127.0.0.1".to_owned(), "::1".to_owned()],
            ..Settings::default()
        };
        assert_eq!(value("inter", &several), "127.0.0.1,::1");
        assert_eq!(value("num_threads_per_udp", &several), "1");
        let unix = Settings {
            unix_socket: Some("/run/x".into()),
            ..Settings::default()
        };
        assert_eq!(value("inter", &unix), "NULL");
        assert_eq!(value("domain_socket", &unix), "/run/x");
    }
}
