//! `stats larder`: what Larder counts and memcached has no row for. Names say whose it is: a shard's, a worker's, a
//! connection's.

use larder_runtime::{EmitRow, Snapshot};

use crate::tls::TlsFigures;
use crate::users::UsersFigures;

/// Emits the rows.
pub(crate) fn emit(
    tls: Option<TlsFigures>,
    users: Option<UsersFigures>,
    snapshot: &Snapshot,
    emit: &mut EmitRow<'_>,
) {
    let store = &snapshot.store;
    emit("larder_version", &env!("CARGO_PKG_VERSION"));
    emit("worker_turns", &snapshot.counters.worker_turns);
    emit("conn_buffer_bytes", &snapshot.conn_buffer_bytes);
    emit("rule_kicks", &snapshot.counters.rule_kicks);
    emit("entries_given_up", &snapshot.counters.entries_given_up);
    emit("request_timeouts", &snapshot.counters.request_timeouts);
    emit("lines_too_long", &snapshot.counters.lines_too_long);
    emit("output_pauses", &snapshot.counters.output_pauses);
    emit("conns_over_address_limit", &snapshot.over_address_limit);
    let counters = &snapshot.counters;
    emit("conns_over_user_limit", &counters.conns_over_user_limit);
    emit("conns_over_reserve", &counters.conns_over_reserve);
    if let Some(tls) = tls {
        emit("cert_reloads", &tls.reloads);
        emit("cert_reloads_refused", &tls.refused);
    }
    if let Some(users) = users {
        emit("users", &users.users);
        emit("users_reloads", &users.reloads);
        emit("users_reloads_refused", &users.refused);
        emit("cmd_denied", &snapshot.counters.cmd_denied);
    }
    emit("shard_set_asides", &snapshot.counters.shard_set_asides);
    emit("shard_pages_used", &store.pages_used);
    emit("shard_pages_free", &store.pages_free);
    emit("shard_page_move_evictions", &store.page_move_evictions);
    emit("shard_index_bytes", &store.index_bytes);
    emit("shard_index_slots", &store.index_slots);
    emit("shard_index_entries_moved", &store.index_entries_moved);
    emit(
        "shard_index_entries_moved_max",
        &store.index_entries_moved_max,
    );
    emit("shard_pending_bytes", &store.pending_bytes);
    emit("shard_pendings_revoked", &store.pendings_revoked);
    emit("shard_pinned_items", &store.pinned_items);
    emit("shard_pins_revoked", &store.pins_revoked);
}
