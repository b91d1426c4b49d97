//! Every limit of the server (I7). What the wire takes is told to clients in their welcome.
//!
//! Past each of them comes a typed refusal or error, never an unbounded queue.

use std::time::Duration;

pub use twinstore_protocol::WireLimits;

/// What a stream's worker and a twin's session keep to. The simulation sets them small, to meet them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// What the wire takes of twins.
    pub wire: WireLimits,
    /// How often a client is asked to ping, in milliseconds.
    pub ping_ms: u32,
    /// Entries in one commit of one stream.
    pub commit_entries: usize,
    /// Submissions that may wait for one stream; the next is refused as busy.
    pub stream_queue: usize,
    /// Streams that one reducer thread keeps loaded while nobody listens to them.
    pub streams_idle: usize,
    /// For how long, in milliseconds.
    pub stream_idle_ms: u64,
    /// Events in one page of a catch-up.
    pub page_events: usize,
    /// Bytes of events in one page of a catch-up (the event that reaches it is the last).
    pub page_bytes: usize,
    /// A cursor further behind than this gets a snapshot.
    pub catch_up_events: u64,
    /// Events after which a stream's state is stored again.
    pub snapshot_every: u64,
    /// Bytes of state text in one part of a snapshot. Escaping may double them.
    pub snapshot_part_bytes: usize,
    /// Rejections listed for one client.
    pub rejections_listed: usize,
    /// Clients whose last number is kept in memory per stream; the log knows the others.
    pub clients_cached: usize,
    /// Days after which a client whose events are compacted is forgotten.
    pub client_days: u64,
    /// Events that are folded for one `GET …/state?at=`.
    pub fold_events: u64,
    /// Events that are counted for one `GET …/stats`.
    pub stats_events: u64,
    /// Sockets in all.
    pub sockets: usize,
    /// Sockets of one address.
    pub address_sockets: usize,
    /// Actions a second of one address.
    pub address_actions: u64,
    /// Frames a second of one socket; beyond it is not read for a while.
    pub socket_frames: u64,
    /// Bytes a second of one socket; beyond it is not read for a while.
    pub socket_bytes: u64,
    /// Actions a second of one socket.
    pub socket_actions: u64,
    /// Streams that one socket may carry.
    pub socket_streams: usize,
    /// Whether addresses of this machine are counted like others; proxies have them, too.
    pub count_loopback: bool,
}

impl Limits {
    /// The limits where nobody says otherwise.
    pub const DEFAULT: Self = Self {
        wire: WIRE,
        ping_ms: PING_MS,
        commit_entries: 1_000,
        stream_queue: 4_096,
        streams_idle: 64,
        stream_idle_ms: 5 * 60 * 1_000,
        page_events: PAGE_EVENTS,
        page_bytes: PAGE_BYTES,
        catch_up_events: 5_000,
        snapshot_every: 1_000,
        snapshot_part_bytes: 256 << 10,
        rejections_listed: 100,
        clients_cached: 10_000,
        client_days: 365,
        fold_events: 50_000,
        stats_events: 1_000_000,
        sockets: 20_000,
        address_sockets: 1_000,
        address_actions: 20_000,
        socket_frames: 2_000,
        socket_bytes: 8 << 20,
        socket_actions: 10_000,
        socket_streams: 64,
        count_loopback: false,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What the wire takes.
pub const WIRE: WireLimits = WireLimits::DEFAULT;

/// How often a client is asked to ping, in milliseconds.
pub const PING_MS: u32 = 20_000;

/// A twin socket that says nothing for this long is closed.
pub const IDLE: Duration = Duration::from_millis(3 * PING_MS as u64);

/// A socket that takes nothing for this long is closed.
pub const WRITE_STALL: Duration = Duration::from_secs(30);

/// A message up to this size is read whole, so that its sender can be told that it is too large
/// before the socket is closed; beyond it the socket is closed at once.
pub const READ_BYTES_MAX: usize = 4 * WIRE.frame_bytes as usize;

/// Clients that one hello or pull may name.
pub const HELLO_CLIENTS: usize = 1_000;

/// Questions that one socket may have open before its frames are no longer read.
pub const SOCKET_OPEN_ASKS: usize = 64;

/// Commits that may wait for one socket before it is cut off from the stream.
pub const SOCKET_QUEUE_COMMITS: usize = 1_024;

/// Bytes of commits that may wait for one socket before it is cut off from the stream.
pub const SOCKET_QUEUE_BYTES: usize = 8 << 20;

/// Bytes of actions in one commit of one stream, so that its frame stays under the frame limit.
pub const COMMIT_BYTES: usize = 512 << 10;

/// Appends, of different streams, in one transaction.
pub const GROUP_APPENDS: usize = 1_000;

/// Events in one page of a catch-up.
pub const PAGE_EVENTS: usize = 500;

/// Bytes of one page of a catch-up (the event that reaches it is the last).
pub const PAGE_BYTES: usize = 256 << 10;

/// Snapshots kept of one stream.
pub const SNAPSHOTS_KEPT: u32 = 2;

/// Events in one answer of `GET …/events`.
pub const HTTP_EVENTS: usize = 1_000;

/// Bytes of one HTTP body: a full batch of actions and what surrounds it.
pub const HTTP_BODY_BYTES: usize = 256 << 10;

/// Characters of a thrown message that become a reason.
pub const REASON_CHARS: usize = 1_000;

/// Calls of the interrupt handler (some 10,000 jumps each) in one decision.
pub const REDUCER_STEPS: u32 = 1_000;

/// The same where a model is loaded.
pub const LOAD_STEPS: u32 = 10 * REDUCER_STEPS;

/// The same where an accepted event is folded.
pub const FOLD_STEPS: u32 = 100 * REDUCER_STEPS;

/// Bytes that a model and its state may take while an action is decided.
pub const REDUCER_MEMORY: usize = 64 << 20;

/// The same where an accepted event is folded: another heap's garbage must not stop a stream.
pub const FOLD_MEMORY: usize = 16 * REDUCER_MEMORY;

/// Bytes of stack for a decision.
pub const REDUCER_STACK: usize = 1 << 20;

/// The same where an accepted event is folded.
pub const FOLD_STACK: usize = 16 << 20;

/// Stack of a reducer thread: a fold's and ample room for the engine itself.
pub const THREAD_STACK: usize = 32 << 20;

/// A decision or fold that takes this long drops the worker and decides nothing.
pub const REDUCER_WALL: Duration = Duration::from_secs(60);

/// How long sockets and requests get to come to their end where the server stops.
pub const DRAIN: Duration = Duration::from_secs(10);

/// A store that does not answer for this long is not to be relied on.
pub const STORE_STALL: Duration = Duration::from_secs(10);

/// For how long a write shows that the store can be written.
pub const STORE_KNOWN: Duration = Duration::from_secs(30);

/// After how long a store that failed is tried again for those who ask.
pub const STORE_RETRY: Duration = Duration::from_secs(1);

/// How long a request's head may take to come; also what a connection may stay open for without one.
pub const HTTP_HEAD: Duration = Duration::from_secs(30);

/// How long a request's body may stand still.
pub const HTTP_BODY: Duration = Duration::from_secs(30);

/// Connections that are no sockets, or not yet; more wait with the system.
pub const HTTP_CONNECTIONS: usize = 10_000;

/// How long a TLS handshake may take.
pub const TLS_HANDSHAKE: Duration = Duration::from_secs(10);

/// Handshakes under way at once.
pub const TLS_HANDSHAKES: usize = 4096;

/// Connections whose handshake is done and that nobody has taken yet.
pub const TLS_OPENED: usize = 64;

/// How often the certificate's files are looked at.
pub const TLS_REFRESH: Duration = Duration::from_secs(2);

/// How long what is still open gets behind that.
pub const LAST_CALL: Duration = Duration::from_secs(2);

/// Nesting of a state.
pub const STATE_DEPTH: usize = 500;

/// Clients whose rejections one socket is told, per stream.
pub const NAMED_CLIENTS: usize = 10_000;

/// Bytes of a client's id.
pub const CLIENT_ID_BYTES: usize = 100;

/// How long a closing socket waits for its peer's goodbye.
pub const GOODBYE: Duration = Duration::from_secs(1);

/// Bytes of events after which one answer of `GET …/events` ends.
pub const HTTP_EVENTS_BYTES: usize = 4 << 20;

/// Reducer threads, where the machine has as many cores.
pub const REDUCER_THREADS: usize = 8;

/// Requests at once that read far back in a log.
pub const ANALYSES: usize = 2;

/// Bytes of a state that is pushed to thin clients.
pub const THIN_STATE_BYTES: usize = 8 << 20;

/// Bytes of a state that one `GET …/state?diff=` compares.
pub const HTTP_DIFF_BYTES: usize = 8 << 20;

/// Events that one `GET …/events` looks at; what it then has not found is asked for by another.
pub const HTTP_SCAN_EVENTS: u64 = 100_000;

/// Answers at once that follow a log.
pub const FOLLOWERS: usize = 64;

/// How often an answer that follows a log says something where nothing happens.
pub const FOLLOW_BEAT: Duration = Duration::from_secs(20);

/// Different types, clients, reasons and so on that statistics count each by itself.
pub const STATS_KEYS: usize = 20_000;

/// Characters of a type, a client or a reason that statistics tell apart.
pub const STATS_KEY_CHARS: usize = 200;

/// Streams in one page of the list at `/admin`.
pub const ADMIN_STREAMS: usize = 200;

/// Streams in one page of their list.
pub const PAGE_STREAMS: usize = 1_000;

/// Problems that an audit of a stream lists one by one.
pub const PROBLEMS_LISTED: usize = 100;

/// How often an audit goes after a head that moves, to compare records.
pub const AUDIT_TRIES: usize = 20;
/// Bytes of a token.
pub const TOKEN_BYTES: usize = 8 << 10;

/// Bytes of a token's subject.
pub const SUBJECT_BYTES: usize = 200;

/// Bytes that a secret must have, or it could be guessed.
pub const SECRET_BYTES_MIN: usize = 32;

/// How far the clocks of those who make tokens may be off.
pub const CLOCK_SKEW: Duration = Duration::from_secs(30);

/// A socket that needs a token and brings none for this long is closed.
pub const TOKEN_WAIT: Duration = Duration::from_secs(10);

/// How often a socket looks at its clock for the end of its token, at least.
pub const TOKEN_LOOK: Duration = Duration::from_secs(3_600);

/// Questions that may wait for models' `authorize`; who asks then waits too.
pub const AUTHORIZE_QUEUE: usize = 1_024;

/// Published keys are fetched at most this often.
pub const JWKS_EVERY: Duration = Duration::from_secs(60);

/// How long published keys are waited for.
pub const JWKS_WAIT: Duration = Duration::from_secs(5);

/// Bytes of a set of published keys.
pub const JWKS_BYTES: u64 = 256 << 10;

/// Seconds' worth of a rate that may come at once.
pub const BURST_SECONDS: i64 = 10;

/// Addresses whose rates are kept.
pub const ADDRESSES: usize = 20_000;

/// How long a browser remembers what pages of an origin may do.
pub const CORS_AGE: Duration = Duration::from_secs(3_600);

/// When to come back where all places for sockets are taken, in milliseconds.
pub const FULL_WAIT_MS: u64 = 5_000;
