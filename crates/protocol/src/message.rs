//! The messages of the twin protocol, one struct each, generic over the action.
//!
//! A frame is one JSON object; its `t` says which message it is ([`tag`]). `docs/PROTOCOL.md`
//! explains when each is sent; thin clients speak plain actions and are not described here.

use serde::{Deserialize, Serialize};

use crate::{Chain, ClientId, LogId, N, Seq, StreamId, WireLimits};

/// The values of `t`.
pub mod tag {
    /// Client: here I am, in this stream, at this cursor.
    pub const HELLO: &str = "hello";
    /// Client: actions for the log.
    pub const PUSH: &str = "push";
    /// Client: events after this cursor, please, or a snapshot.
    pub const PULL: &str = "pull";
    /// Client: are you there?
    pub const PING: &str = "ping";
    /// Client: no more of this stream.
    pub const LEAVE: &str = "leave";
    /// Client: a new token for this socket.
    pub const AUTH: &str = "auth";
    /// Server: the answer to a hello.
    pub const WELCOME: &str = "welcome";
    /// Server: events, in order.
    pub const EVENTS: &str = "events";
    /// Server: one part of a state.
    pub const SNAPSHOT: &str = "snapshot";
    /// Server: the verdicts of actions that were decided before.
    pub const VERDICTS: &str = "verdicts";
    /// Server: an entry that never reached the model.
    pub const REFUSED: &str = "refused";
    /// Server: I am here, and the log is this long.
    pub const PONG: &str = "pong";
    /// Server: the new token is good.
    pub const AUTHENTICATED: &str = "authenticated";
    /// Server: a frame that could not be taken.
    pub const ERROR: &str = "error";
}

/// The codes of rejections, refusals and errors, as they travel.
pub mod code {
    // Rejections: events of the log.
    /// The model's `validate` gave a reason.
    pub const INVALID: &str = "invalid";
    /// The model threw.
    pub const THREW: &str = "threw";
    /// The model ran past its steps, memory or stack.
    pub const LIMIT: &str = "limit";

    // Refusals: no event, no number used.
    /// `from` lies beyond the last number plus one.
    pub const GAP: &str = "gap";
    /// `from` lies at or before the last number, `n` after it.
    pub const OVERLAP: &str = "overlap";
    /// The action has too many bytes.
    pub const TOO_LARGE: &str = "too-large";
    /// The action is nested too deeply.
    pub const TOO_DEEP: &str = "too-deep";
    /// The action is not a plain JSON object with a `type`, or has an own `__proto__` key.
    pub const NOT_PLAIN: &str = "not-plain";
    /// The client is of a day before those that the server remembers, and not known: the action may have
    /// been decided, and forgotten.
    pub const TOO_OLD: &str = "too-old";
    /// The client is bound to another subject than the token names.
    pub const OTHER_SUBJECT: &str = "other-subject";
    /// The server has more to do than it can queue; try again later.
    pub const BUSY: &str = "busy";
    /// Too many actions in too short a time; try again later.
    pub const RATE: &str = "rate";
    /// The stream cannot be folded by this server; an operator must look.
    pub const HALTED: &str = "halted";
    /// A dropped or coalesced number, settled by a later entry.
    pub const DROPPED: &str = "dropped";

    // Errors: a frame that could not be taken.
    /// The frame is not JSON.
    pub const BAD_JSON: &str = "bad-json";
    /// The frame is not a message of this protocol.
    pub const BAD_MESSAGE: &str = "bad-message";
    /// The frame is larger than the limit.
    pub const FRAME_TOO_LARGE: &str = "frame-too-large";
    /// The message is not allowed at this moment.
    pub const OUT_OF_TURN: &str = "out-of-turn";
    /// No version of the wire is common to both.
    pub const VERSION: &str = "version";
    /// The text is not a stream's name.
    pub const BAD_STREAM: &str = "bad-stream";
    /// The server runs no model of that name.
    pub const UNKNOWN_MODEL: &str = "unknown-model";
    /// The client's schema is newer than the server's model.
    pub const SCHEMA: &str = "schema";
    /// The batch holds more than the limits allow.
    pub const BATCH_TOO_LARGE: &str = "batch-too-large";
    /// Something failed on the server; its log says what.
    pub const INTERNAL: &str = "internal";
    /// A token is needed, or the one that came is not good.
    pub const UNAUTHORIZED: &str = "unauthorized";
    /// The token has expired.
    pub const EXPIRED: &str = "expired";
    /// The token does not allow it, or the model does not. Also a refusal.
    pub const FORBIDDEN: &str = "forbidden";
}

/// The last event that a client holds durably.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Which log.
    pub log: LogId,
    /// Its place there.
    pub seq: Seq,
    /// The chain at that place.
    pub chain: Chain,
    /// The schema of the app that folded the state up to there, where the app has another one by now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<u32>,
}

/// One action on its way: it settles its client's numbers `from..=n`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry<A> {
    /// Who dispatched it.
    pub client: ClientId,
    /// Its number.
    pub n: N,
    /// The first number it settles; absent: `n`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<N>,
    /// The schema of the app that dispatched it; absent: that of the hello.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<u32>,
    /// The stamped action.
    pub action: A,
}

/// A client with pending actions, and the lowest of their numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientFrom {
    /// Who.
    pub client: ClientId,
    /// The lowest pending number.
    pub from: N,
}

/// The first message for a stream on a socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The version of the wire the client speaks.
    pub v: u32,
    /// The oldest version it understands.
    pub min: u32,
    /// Which stream.
    pub stream: StreamId,
    /// The last event held here; absent: none.
    #[serde(default)]
    pub cursor: Option<Cursor>,
    /// The app's schema.
    pub schema: u32,
    /// The clients whose verdicts are waited for.
    #[serde(default)]
    pub clients: Vec<ClientFrom>,
    /// Who the user is; absent where the server asks for none, or had it when the socket was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// A new token for this socket, before the old one ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Auth {
    /// Who the user is.
    pub token: String,
}

/// The new token is good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authenticated {
    /// Whom it names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When it ends, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
}

/// Actions for the log, in order. One push at a time is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push<A> {
    /// Which stream.
    pub stream: StreamId,
    /// The actions.
    pub entries: Vec<Entry<A>>,
}

/// Asks for the events after a cursor; without a cursor, for a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull {
    /// Which stream.
    pub stream: StreamId,
    /// Where the client stands.
    #[serde(default)]
    pub cursor: Option<Cursor>,
    /// As in [`Hello::clients`].
    #[serde(default)]
    pub clients: Vec<ClientFrom>,
}

/// Asks for a [`Pong`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// Which stream.
    pub stream: StreamId,
}

/// Ends a stream on this socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leave {
    /// Which stream.
    pub stream: StreamId,
}

/// What the server knows of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientRow {
    /// Who.
    pub client: ClientId,
    /// Its last number that has a verdict; 0: none.
    pub last: N,
    /// Its rejections at or after the number asked for, at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejections: Vec<RejectionRow>,
}

/// One rejection of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectionRow {
    /// The action's number.
    pub n: N,
    /// The rejection's place in the log.
    pub seq: Seq,
    /// Why.
    #[serde(flatten)]
    pub error: Rejection,
}

/// Why an action was rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// One of [`code`].
    pub code: String,
    /// For people.
    pub reason: String,
}

/// The answer to a hello. Events after the cursor, or a snapshot, follow at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The version both will speak.
    pub v: u32,
    /// Which stream.
    pub stream: StreamId,
    /// The log's id; absent while the log is empty.
    #[serde(default)]
    pub log: Option<LogId>,
    /// The log's last place. What this message says holds as of here.
    pub head: Seq,
    /// True: this server does not hold the client's cursor (reset, or restored from a backup).
    #[serde(default)]
    pub reset: bool,
    /// One row for each client that the hello named.
    #[serde(default)]
    pub clients: Vec<ClientRow>,
    /// The schema of the server's model.
    pub schema: u32,
    /// The hash of the server's model.
    pub model: String,
    /// What this server takes.
    pub limits: WireLimits,
    /// How often the client should ping, in milliseconds.
    pub ping_ms: u32,
    /// Whom the token names; absent where the server asks for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// One event as it travels. Which fields are there depends on who reads it:
///
/// - accepted: all, with `action`; for the socket that pushed it, without `action` (it is equal);
/// - rejected: for a socket that named its client, all with `error`; for others only `seq`, `chain`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event<A> {
    /// Its place.
    pub seq: Seq,
    /// Whose action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientId>,
    /// Which number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<N>,
    /// The first number it settles; absent: `n`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<N>,
    /// The server's time, milliseconds since 1970. Reducers never see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    /// The hash of the model that decided it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The schema of that model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<u32>,
    /// The action, where it was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<A>,
    /// Why it was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Rejection>,
    /// The chain at this place.
    pub chain: Chain,
}

/// Events in order, going on after `after`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events<A> {
    /// Which stream.
    pub stream: StreamId,
    /// Which log.
    pub log: LogId,
    /// The place before the first of them.
    pub after: Seq,
    /// The events; the last one's place is the cursor's next.
    pub events: Vec<Event<A>>,
    /// What the state is to be compared with that they lead to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
}

/// The checksum of a state (docs/PROTOCOL.md). Only clients of that schema compare theirs with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The schema of the model that folded the state.
    pub schema: u32,
    /// The checksum, below 2^52.
    pub sum: u64,
}

/// One part of a state. The parts' `data`, joined, is the JSON text of a [`SnapshotBody`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotPart {
    /// Which stream.
    pub stream: StreamId,
    /// Which log; absent while the log is empty.
    #[serde(default)]
    pub log: Option<LogId>,
    /// The state is the fold up to here.
    pub seq: Seq,
    /// The chain at that place.
    pub chain: Chain,
    /// The schema of the model that folded it.
    pub schema: u32,
    /// This part, from 1.
    pub part: u32,
    /// Of how many.
    pub parts: u32,
    /// A piece of JSON text.
    pub data: String,
}

/// What a snapshot holds once its parts are joined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotBody<S> {
    /// The state.
    pub state: S,
    /// As of the snapshot's place, a row for each client that was named.
    pub clients: Vec<ClientRow>,
}

/// The verdict that an action already had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictRow {
    /// Whose action.
    pub client: ClientId,
    /// Which number.
    pub n: N,
    /// The event's place.
    pub seq: Seq,
    /// Present where it was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Rejection>,
}

/// Verdicts of entries that were pushed again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdicts {
    /// Which stream.
    pub stream: StreamId,
    /// One row each.
    pub verdicts: Vec<VerdictRow>,
}

/// An entry that never reached the model. It ends its push: the entries behind it were not looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Which stream.
    pub stream: StreamId,
    /// Whose entry.
    pub client: ClientId,
    /// Which number.
    pub n: N,
    /// One of [`code`].
    pub code: String,
    /// For people: what happened and what to do.
    pub reason: String,
    /// The client's last number that has a verdict.
    pub last: N,
}

/// The answer to a ping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    /// Which stream.
    pub stream: StreamId,
    /// The log's last place.
    pub head: Seq,
}

/// A frame that could not be taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorFrame {
    /// One of [`code`].
    pub code: String,
    /// For people: the rule, what was received, what to do.
    pub message: String,
    /// Which stream, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
}
