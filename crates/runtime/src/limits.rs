//! The bounds of workers and connections, in one place.

use std::time::Duration;

use larder_store::BORROW_COPY_MAX;

/// Bytes that one read takes at most; also the worker's one read buffer.
pub(crate) const READ_BYTES: usize = 64 * 1024;

/// Bytes up to which a read is a request or two. A connection that brings more is read alone, since a pipeline looks ahead
/// by itself, and a large value wants the whole buffer.
pub(crate) const SMALL_READ: usize = 256;

/// Bytes of input that is not done with from which a connection's is long, which only that of a `get` of thousands of keys
/// comes to be; and bytes that all long ones of a worker may take. When they would take more, the longest is given up, and
/// its connection closed.
pub(crate) const LONG_INPUT_BYTES: usize = 256 * 1024;
pub(crate) const LONG_INPUTS_MAX: usize = 16 * 1024 * 1024;

/// Bytes of room that a worker keeps for the replies of a turn: few need more.
pub(crate) const REPLIES_KEPT: usize = 2 * OUTPUT_HIGH;

/// Replies waiting to be sent above which a connection's next command, or the next key of a get, waits, unless
/// `-o output_max` says otherwise. One reply more of up to [`BORROW_COPY_MAX`] may lie on top.
pub(crate) const OUTPUT_HIGH: usize = 128 * 1024;

/// The least that `-o output_max` may be: replies of fewer bytes are always gone on with, and nobody looks further.
pub(crate) const OUTPUT_MIN: usize = 4 * 1024;

/// Bytes of one get's keys that are looked for in one turn; then others have theirs.
pub(crate) const KEY_BYTES_PER_TURN: usize = 8 * 1024;

/// Bytes that the heap may take around the index of all shards without their being charged to `-m`: half of the 16 MiB
/// that the process may take beside it.
pub(crate) const HEAP_ALLOWANCE: usize = 8 * 1024 * 1024;

/// Bytes of a large value that are gathered before they are put into its shard, when they come in small packets.
pub(crate) const SLICE_BYTES: usize = 16 * 1024;

/// Chunks that a shard's owner looks at in one step of its housekeeping: some tens of microseconds.
pub(crate) const STEP_BUDGET: usize = 1024;

/// TLS handshakes that a worker goes on with in one turn: each may take a millisecond of computing, and then others have
/// their turn.
pub(crate) const HANDSHAKES_PER_TURN: usize = 4;

/// Bytes that one read takes of a client that is not in yet, where there is no TLS; and bytes of its input that are kept
/// until they are judged. A pipeline behind them waits in the socket; over TLS, whose records are read whole, it may be
/// too much, and the connection is closed.
pub(crate) const ENTRY_READ_BYTES: usize = 4 * 1024;
pub(crate) const ENTRY_INPUT_MAX: usize = 8 * 1024;

/// Bytes a second at which a request must come in on the average, once `-o request_timeout` is over: a client that is slow
/// but moves is let finish, one that sends a byte now and then is not.
pub(crate) const SLOWEST_REQUEST: usize = 1024;

/// How long who has given a wrong password waits for its next attempt to be judged: twice as long after each failure, up
/// to the most, and half as long after a right one. So many failures are counted at most; they are forgotten so long after
/// the wait, or the oldest when there are too many addresses.
pub(crate) const FAILURE_DELAY: Duration = Duration::from_millis(100);
pub(crate) const FAILURE_DELAY_MAX: Duration = Duration::from_secs(5);
pub(crate) const FAILURES_COUNTED: u32 = 8;
pub(crate) const FAILURE_MEMORY: Duration = Duration::from_secs(60);
pub(crate) const FAILURE_ADDRESSES_MAX: usize = 4096;

/// Pairs of a user and the address that it has come in from, as far as they are kept; then they are all forgotten. So many
/// wrong passwords for one of them, and it is forgotten, too, until the user has come in there as others do.
pub(crate) const REGULARS_MAX: usize = 4096;
pub(crate) const GUESSES_MAX: u32 = 10;

/// Users of a users file, the bytes of a user's name, and the passwords, certificates and prefixes that each may have.
pub(crate) const USERS_MAX: usize = 1000;
pub(crate) const USER_NAME_MAX: usize = 128;
pub(crate) const PASSWORDS_PER_USER_MAX: usize = 4;
pub(crate) const CERTS_PER_USER_MAX: usize = 16;
pub(crate) const PREFIXES_PER_USER_MAX: usize = 64;

/// How long to go on serving what was read after the process was asked to stop.
pub(crate) const DRAIN_MAX: Duration = Duration::from_secs(2);

/// Watchers at once (memcached's bound).
pub(crate) const WATCHERS_MAX: usize = 20;

/// How long accepting rests after descriptors ran out.
pub(crate) const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Bytes that `stats cachedump` lists at most (memcached's bound).
pub(crate) const CACHEDUMP_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Prefixes that `stats detail` counts, each once for every worker that met it; later ones are not counted. With the
/// longest of keys that is 4 MiB.
pub(crate) const PREFIXES_MAX: u64 = 10_000;

/// Rows of one step of a list of prefixes, of connections (four lines each), of items' sizes: some 20 KB at most.
pub(crate) const PREFIXES_PER_STEP: usize = 64;
pub(crate) const CONNS_PER_STEP: usize = 64;
pub(crate) const SIZES_PER_STEP: usize = 256;

/// Users that are listed in one step.
pub(crate) const USERS_PER_STEP: usize = 64;

/// Bytes from which a list of prefixes goes on in another row of the binary protocol; one step's may lie on top.
pub(crate) const DETAIL_ROW_BYTES: usize = 32 * 1024;

/// Bytes of a dump's lines after which its turn ends; one step's may lie on top. And steps of a turn: most have few items.
pub(crate) const DUMP_BYTES_PER_TURN: usize = 8 * 1024;
pub(crate) const DUMP_STEPS_PER_TURN: usize = 8;

const _: () = assert!(LONG_INPUT_BYTES > READ_BYTES);
const _: () = assert!(SLICE_BYTES <= BORROW_COPY_MAX);
const _: () = assert!(READ_BYTES <= BORROW_COPY_MAX);
