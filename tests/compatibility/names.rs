//! What memcached 1.6.45 has: commands, flags, options and statistics, each with what a test sends or types to meet it.

/// Kinds of commands as README's first column has them, each with lines to send, of which the first word is the name.
/// The kind's words stand in front of the line, save for `text`; behind `\r\n` is a data block.
pub(crate) const LINES: &[(&str, &[&str])] = &[
    (
        "text",
        &[
            "get key",
            "gets key",
            "gat 0 key",
            "gats 0 key",
            "set key 0 0 1\r\n1",
            "add key 0 0 1\r\n1",
            "replace key 0 0 1\r\n1",
            "append key 0 0 1\r\n1",
            "prepend key 0 0 1\r\n1",
            "cas key 0 0 1 1\r\n1",
            "incr key 1",
            "decr key 1",
            "delete key",
            "touch key 0",
            "flush_all",
            "version",
            "verbosity 0",
            "cache_memlimit 64",
            "quit",
            "shutdown",
            "refresh_certs",
            "stats",
            "watch",
            "mn",
            "me key",
            "mg key v",
            "ms key 1\r\n1",
            "md key",
            "ma key",
            "extstore free_memchunks 1 1",
        ],
    ),
    (
        "stats",
        &[
            "reset",
            "settings",
            "items",
            "slabs",
            "sizes",
            "conns",
            "cachedump 1 0",
        ],
    ),
    ("stats detail", &["on", "dump", "off"]),
    ("slabs", &["reassign 1 2", "automove 1"]),
    (
        "slabs automove",
        &["ratio 0.8", "freeratio 0.01", "window 10"],
    ),
    (
        "lru",
        &["tune 20 40 0.2 2.0", "mode segmented", "temp_ttl 61"],
    ),
    (
        "lru_crawler",
        &[
            "disable",
            "enable",
            "sleep 100",
            "tocrawl 0",
            "crawl all",
            "metadump all",
            "mgdump all",
        ],
    ),
    (
        "watch",
        &[
            "fetchers",
            "mutations",
            "evictions",
            "connevents",
            "deletions",
            "sysevents",
            "rawcmds",
            "proxyreqs",
            "proxyevents",
            "proxyuser",
        ],
    ),
];

/// Flags of the meta commands: the line that takes one in place of `{}`, and the flags, of which the first letter is
/// the name and the rest its token. A flag that another command gives its meaning is accepted and ignored, as are the hints
/// `L` and `P`.
pub(crate) const FLAGS: &[(&str, &str, &[&str])] = &[
    (
        "mg",
        "mg a2V5 {}",
        &[
            "b", "c", "f", "h", "k", "l", "q", "s", "t", "u", "v", "C1", "E1", "N60", "Oabc",
            "R30", "T60",
        ],
    ),
    (
        "ms",
        "ms a2V5 1 {}\r\n1",
        &[
            "b", "c", "k", "q", "s", "C1", "E1", "F1", "I", "MS", "N60", "Oabc", "T60",
        ],
    ),
    (
        "md",
        "md a2V5 {}",
        &["b", "k", "q", "x", "C1", "E1", "F1", "I", "Oabc", "T60"],
    ),
    (
        "ma",
        "ma a2V5 {}",
        &[
            "b", "c", "k", "q", "t", "v", "C1", "D2", "E1", "J1", "MI", "N60", "Oabc", "T60",
        ],
    ),
    ("me", "me a2V5 {}", &["b"]),
];

/// Opcodes of the binary protocol, each with how many bytes of extras, key and value a frame of it has.
pub(crate) const OPCODES: &[(&str, u8, [u8; 3])] = &[
    ("get", 0x00, [0, 3, 0]),
    ("set", 0x01, [8, 3, 1]),
    ("add", 0x02, [8, 3, 1]),
    ("replace", 0x03, [8, 3, 1]),
    ("delete", 0x04, [0, 3, 0]),
    ("incr", 0x05, [20, 3, 0]),
    ("decr", 0x06, [20, 3, 0]),
    ("quit", 0x07, [0, 0, 0]),
    ("flush", 0x08, [4, 0, 0]),
    ("getq", 0x09, [0, 3, 0]),
    ("noop", 0x0a, [0, 0, 0]),
    ("version", 0x0b, [0, 0, 0]),
    ("getk", 0x0c, [0, 3, 0]),
    ("getkq", 0x0d, [0, 3, 0]),
    ("append", 0x0e, [0, 3, 1]),
    ("prepend", 0x0f, [0, 3, 1]),
    ("stat", 0x10, [0, 0, 0]),
    ("setq", 0x11, [8, 3, 1]),
    ("addq", 0x12, [8, 3, 1]),
    ("replaceq", 0x13, [8, 3, 1]),
    ("deleteq", 0x14, [0, 3, 0]),
    ("incrq", 0x15, [20, 3, 0]),
    ("decrq", 0x16, [20, 3, 0]),
    ("quitq", 0x17, [0, 0, 0]),
    ("flushq", 0x18, [4, 0, 0]),
    ("appendq", 0x19, [0, 3, 1]),
    ("prependq", 0x1a, [0, 3, 1]),
    ("touch", 0x1c, [4, 3, 0]),
    ("gat", 0x1d, [4, 3, 0]),
    ("gatq", 0x1e, [4, 3, 0]),
    ("sasl_list", 0x20, [0, 0, 0]),
    ("sasl_auth", 0x21, [0, 3, 1]),
    ("sasl_step", 0x22, [0, 3, 1]),
    ("gatk", 0x23, [4, 3, 0]),
    ("gatkq", 0x24, [4, 3, 0]),
];

/// An option: its letter and long name, a value that is good, and bad ones with memcached's exit code for them. Without
/// a value it is a switch.
pub(crate) type Option = (
    [&'static str; 2],
    &'static str,
    &'static [(&'static str, i32)],
);

/// The options. `-D` has no long name; `-u` refuses a bad value to root alone, which `tests/daemon` tries.
pub(crate) const OPTIONS: &[Option] = &[
    (["-p", "--port"], "11311", &[("70000", 64)]),
    (["-U", "--udp-port"], "11311", &[]),
    (["-s", "--unix-socket"], "/tmp/no-such/socket", &[]),
    (["-a", "--unix-mask"], "770", &[]),
    (["-A", "--enable-shutdown"], "", &[]),
    (
        ["-l", "--listen"],
        "tag[x]:127.0.0.1:0,proto[ascii]:[::1]:0",
        &[
            ("no.such.name.invalid", 71),
            ("127.0.0.1:x", 71),
            ("mtls:127.0.0.1", 71),
        ],
    ),
    (["-d", "--daemon"], "", &[]),
    (["-r", "--enable-coredumps"], "", &[]),
    (["-u", "--user"], "nobody", &[]),
    (
        ["-m", "--memory-limit"],
        "128",
        &[("1", 64), ("0", 64), ("x", 64)],
    ),
    (["-M", "--disable-evictions"], "", &[]),
    (
        ["-c", "--conn-limit"],
        "100",
        &[("0", 1), ("-1", 1), ("x", 1)],
    ),
    (["-k", "--lock-memory"], "", &[]),
    (["-v", "--verbose"], "", &[]),
    (["-h", "--help"], "", &[]),
    (["-i", "--license"], "", &[]),
    (["-V", "--version"], "", &[]),
    (["-P", "--pidfile"], "/tmp/no-such/pid", &[]),
    (["-f", "--slab-growth-factor"], "1.1", &[("1", 1), ("x", 1)]),
    (["-n", "--slab-min-size"], "32", &[("0", 1), ("x", 1)]),
    (["-L", "--enable-largepages"], "", &[]),
    (["-D", ""], "/", &[("", 1)]),
    (["-t", "--threads"], "2", &[("0", 1), ("x", 1)]),
    (["-R", "--max-reqs-per-event"], "10", &[("0", 1), ("x", 1)]),
    (["-C", "--disable-cas"], "", &[]),
    (["-b", "--listen-backlog"], "100", &[]),
    (["-B", "--protocol"], "binary", &[("foo", 64)]),
    (
        ["-I", "--max-item-size"],
        "2m",
        &[("10", 64), ("1023", 64), ("40m", 64), ("2g", 64), ("x", 64)],
    ),
    (["-S", "--enable-sasl"], "", &[]),
    (["-F", "--disable-flush-all"], "", &[]),
    (["-X", "--disable-dumping"], "", &[]),
    (["-W", "--disable-watch"], "", &[]),
    (
        ["-Y", "--auth-file"],
        "/no/such/file",
        &[("/no/such/file", 1)],
    ),
    (["-Z", "--enable-ssl"], "", &[("", 64)]),
    (["-e", "--memory-file"], "/no/such/file", &[]),
    (["-N", "--napi-ids"], "1", &[("0", 1), ("x", 1)]),
    (["-o", "--extended"], "modern", &[("foo", 1)]),
];

/// A name of `-o`, likewise. An empty bad value stands for none at all.
pub(crate) type Suboption = (&'static str, &'static str, &'static [(&'static str, i32)]);

/// The names of `-o`.
pub(crate) const SUBOPTIONS: &[Suboption] = &[
    ("maxconns_fast", "", &[]),
    ("no_maxconns_fast", "", &[]),
    ("idle_timeout", "30", &[("", 1)]),
    ("track_sizes", "", &[]),
    ("watcher_logbuf_size", "512", &[("", 1), ("x", 1)]),
    ("worker_logbuf_size", "128", &[("", 1), ("x", 1)]),
    ("read_buf_mem_limit", "64", &[("", 1), ("x", 1)]),
    (
        "hashpower",
        "20",
        &[("", 1), ("11", 1), ("65", 1), ("x", 1)],
    ),
    ("no_hashexpand", "", &[]),
    ("hash_algorithm", "xxh3", &[("", 1), ("md5", 1)]),
    ("lru_crawler", "", &[]),
    ("no_lru_crawler", "", &[]),
    ("lru_crawler_sleep", "1000", &[("", 1), ("2000000", 1)]),
    ("lru_crawler_tocrawl", "1000", &[("", 1), ("x", 1)]),
    ("lru_maintainer", "", &[]),
    ("no_lru_maintainer", "", &[]),
    (
        "hot_lru_pct",
        "30",
        &[("", 1), ("0", 1), ("80", 1), ("70", 64)],
    ),
    (
        "warm_lru_pct",
        "30",
        &[("", 1), ("0", 1), ("80", 1), ("70", 64)],
    ),
    ("hot_max_factor", "0.3", &[("", 1), ("0", 1)]),
    ("warm_max_factor", "3.0", &[("", 1), ("0", 1), ("-1", 1)]),
    (
        "temporary_ttl",
        "30",
        &[("", 1), ("5,no_lru_maintainer", 64)],
    ),
    ("slab_reassign", "", &[]),
    ("no_slab_reassign", "", &[]),
    ("slab_automove", "2", &[("3", 1), ("-1", 1)]),
    ("no_slab_automove", "", &[]),
    ("slab_automove_ratio", "0.9", &[("", 1), ("0", 1), ("2", 1)]),
    ("slab_automove_window", "60", &[("", 1), ("2", 1)]),
    ("slab_automove_freeratio", "0.01", &[]),
    ("slab_sizes", "100-200-400", &[("x", 64), ("3-2", 64)]),
    ("slab_chunk_max", "256", &[]),
    ("no_chunked_items", "", &[]),
    ("tail_repair_time", "3600", &[("", 1), ("9", 1)]),
    ("inline_ascii_resp", "", &[]),
    ("no_inline_ascii_resp", "", &[]),
    ("resp_obj_mem_limit", "", &[]),
    ("drop_privileges", "", &[]),
    ("no_drop_privileges", "", &[]),
    ("relaxed_privileges", "", &[]),
    ("sock_cookie_id", "1", &[]),
    ("modern", "", &[]),
    ("no_modern", "", &[]),
    ("ssl_chain_cert", "/no/such/file", &[("", 1)]),
    ("ssl_key", "/no/such/file", &[("", 1)]),
    ("ssl_verify_mode", "1", &[("", 1), ("4", 1)]),
    ("ssl_keyformat", "1", &[("", 1)]),
    ("ssl_ciphers", "ECDHE-RSA-AES128-GCM-SHA256", &[("", 1)]),
    ("ssl_ca_cert", "/no/such/file", &[("", 1)]),
    ("ssl_wbuf_size", "16", &[("", 1), ("x", 1)]),
    ("ssl_session_cache", "", &[]),
    ("ssl_kernel_tls", "", &[]),
    ("ssl_min_version", "2", &[("", 1), ("9", 1)]),
    ("ext_path", "/no/such/file:1g", &[("", 1)]),
    ("ext_page_size", "64", &[("", 1)]),
    ("ext_wbuf_size", "4", &[("", 1)]),
    ("ext_io_depth", "1", &[("", 1)]),
    ("ext_threads", "1", &[("", 1)]),
    ("ext_item_size", "512", &[("", 1)]),
    ("ext_item_age", "60", &[("", 1)]),
    ("ext_low_ttl", "60", &[("", 1)]),
    ("ext_recache_rate", "2000", &[("", 1)]),
    ("ext_compact_under", "4", &[("", 1)]),
    ("ext_drop_under", "4", &[("", 1)]),
    ("ext_max_sleep", "100", &[("", 1)]),
    ("ext_max_frag", "0.8", &[("", 1)]),
    ("ext_drop_unread", "", &[]),
    ("proxy_config", "/no/such/file", &[]),
    ("proxy_arg", "x", &[]),
    ("proxy_uring", "", &[]),
    ("proxy_memprofile", "", &[]),
];

/// Statistics by their command, in memcached's order, without the number of the class or descriptor in front.
/// `name?option` is a row that memcached has with this option of `-o` alone; what comes with TLS is marked `?tls`.
pub(crate) const STATISTICS: &[(&str, &str)] = &[
    (
        "stats",
        "pid uptime time version libevent pointer_size rusage_user rusage_system max_connections curr_connections \
         total_connections rejected_connections connection_structures response_obj_oom response_obj_count \
         response_obj_bytes read_buf_count read_buf_bytes read_buf_bytes_free read_buf_oom reserved_fds cmd_get \
         cmd_set cmd_flush cmd_touch cmd_meta get_hits get_misses get_expired get_flushed delete_misses delete_hits \
         incr_misses incr_hits decr_misses decr_hits cas_misses cas_hits cas_badval touch_hits touch_misses \
         store_too_large store_no_memory auth_cmds auth_errors idle_kicks?idle_timeout=30 bytes_read bytes_written \
         limit_maxbytes accepting_conns listen_disabled_num time_in_listen_disabled_us threads conn_yields \
         hash_power_level hash_bytes hash_is_expanding slab_reassign_rescues slab_reassign_chunk_rescues \
         slab_reassign_inline_reclaim slab_reassign_busy_items slab_reassign_busy_deletes slab_reassign_busy_nomem \
         slab_reassign_last_busy_status slab_reassign_running slabs_moved lru_crawler_running lru_crawler_starts \
         lru_maintainer_juggles malloc_fails log_worker_dropped log_worker_written log_watcher_skipped \
         log_watcher_sent log_watchers ssl_new_sessions?tls ssl_handshake_errors?tls ssl_proto_errors?tls \
         time_since_server_cert_refresh?tls unexpected_napi_ids round_robin_fallback bytes curr_items total_items \
         slab_global_page_pool expired_unfetched evicted_unfetched evicted_active evictions reclaimed \
         crawler_reclaimed crawler_items_checked lrutail_reflocked moves_to_cold moves_to_warm moves_within_lru \
         direct_reclaims lru_bumps_dropped",
    ),
    (
        "stats settings",
        "maxbytes maxconns tcpport udpport inter verbosity oldest evictions domain_socket umask shutdown_command \
         growth_factor chunk_size num_threads num_threads_per_udp stat_key_prefix detail_enabled reqs_per_event \
         cas_enabled tcp_backlog binding_protocol auth_enabled_sasl auth_enabled_ascii item_size_max maxconns_fast \
         hashpower_init slab_reassign slab_automove slab_automove_ratio slab_automove_window slab_chunk_max \
         lru_crawler lru_crawler_sleep lru_crawler_tocrawl tail_repair_time flush_enabled dump_enabled \
         hash_algorithm lru_maintainer_thread lru_segmented hot_lru_pct warm_lru_pct hot_max_factor \
         warm_max_factor temp_lru temporary_ttl idle_timeout watcher_logbuf_size worker_logbuf_size \
         read_buf_mem_limit track_sizes inline_ascii_response ssl_enabled ssl_chain_cert ssl_key ssl_verify_mode \
         ssl_keyformat ssl_ciphers ssl_ca_cert ssl_wbuf_size ssl_session_cache ssl_kernel_tls ssl_min_version \
         num_napi_ids memory_file client_flags_size",
    ),
    (
        "stats items",
        "number number_hot number_warm number_cold number_temp?temporary_ttl=30 age_hot age_warm age mem_requested \
         evicted evicted_nonzero evicted_time outofmemory tailrepairs reclaimed expired_unfetched evicted_unfetched \
         evicted_active crawler_reclaimed crawler_items_checked lrutail_reflocked moves_to_cold moves_to_warm \
         moves_within_lru direct_reclaims hits_to_hot hits_to_warm hits_to_cold hits_to_temp",
    ),
    (
        "stats slabs",
        "chunk_size chunks_per_page total_pages total_chunks used_chunks free_chunks free_chunks_end get_hits cmd_set \
         delete_hits incr_hits decr_hits cas_hits cas_badval touch_hits active_slabs total_malloced",
    ),
    (
        "stats conns",
        "addr listen_addr state secs_since_last_cmd UDP?udp",
    ),
    ("stats sizes", "sizes_status"),
];

/// Every kind and name that README must have.
pub(crate) fn all() -> impl Iterator<Item = (String, String)> {
    let lines = LINES.iter().flat_map(|(kind, lines)| {
        let names = lines.iter().map(|line| first_word(line));
        names.map(|name| (*kind, name))
    });
    let flags = FLAGS.iter().flat_map(|(kind, _, flags)| {
        let letters = flags.iter().map(|flag| &flag[..1]);
        letters.map(|letter| (*kind, letter))
    });
    let opcodes = OPCODES.iter().map(|(name, ..)| ("binary", *name));
    let options = OPTIONS.iter().flat_map(|(names, ..)| names);
    let options = options.filter(|name| !name.is_empty());
    let options = options.map(|name| ("option", *name));
    let suboptions = SUBOPTIONS.iter().map(|(name, ..)| ("-o", *name));
    let named = lines.chain(flags).chain(opcodes).chain(options);
    let named = named.chain(suboptions);
    let named = named.map(|(kind, name)| (kind.to_owned(), name.to_owned()));
    let rows = STATISTICS.iter().flat_map(|(command, rows)| {
        let names = rows.split_whitespace().map(|row| row.split('?').next());
        names.map(|name| (rows_of(command), name.unwrap_or_default().to_owned()))
    });
    named.chain(rows)
}

/// How README calls the rows of a command.
pub(crate) fn rows_of(command: &str) -> String {
    format!("row of {command}")
}

/// The name in a line to send.
pub(crate) fn first_word(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}
