//! What a run will be counted as: sizes of what travels and of what is stored, and who writes how
//! many of them.
//!
//! Tests of `twinstore-dynamodb` hold the writes against those that are really counted.

use crate::counts::Counts;
use crate::run::{Assumed, Run, Topology};
use crate::units::{messages, read, written, written_together};

/// Bytes round the actions, as the wire has them (docs/PROTOCOL.md) and as packs are stored.
mod around {
    /// A push, without its entries.
    pub(super) const PUSH: u64 = 70;
    /// An entry of a push, without its action.
    pub(super) const ENTRY: u64 = 55;
    /// A frame of events, without them.
    pub(super) const EVENTS: u64 = 160;
    /// An event in a frame, without its action.
    pub(super) const EVENT: u64 = 151;
    /// An event in the short form, for who pushed it.
    pub(super) const OWN_EVENT: u64 = 142;
    /// A pack, without its events.
    pub(super) const PACK: u64 = 160;
    /// An event in a pack, without its action.
    pub(super) const STORED: u64 = 160;
    /// A record's item, without its text.
    pub(super) const RECORD: u64 = 90;
    /// A message in the inbox, without its text.
    pub(super) const INBOX: u64 = 50;
    /// What is remembered of its sender, in its text.
    pub(super) const SENDER: u64 = 270;
    /// What a compressed text says once, for all that is alike in it.
    pub(super) const ONCE: u64 = 260;
    /// The item of one who listens.
    pub(super) const LISTENER: u64 = 120;
}

/// What functions keep to, see `twinstore_lambda::limits`.
mod limits {
    /// Actions in a message.
    pub(super) const BATCH: u64 = 100;
    /// Bytes of the actions in a message.
    pub(super) const BATCH_BYTES: u64 = 20 << 10;
    /// Items of a transaction.
    pub(super) const ITEMS: u64 = 100;
    /// Bytes of text in one item.
    pub(super) const ITEM_BYTES: u64 = 340 << 10;
    /// Bytes of a text up to which it is not compressed.
    pub(super) const PLAIN_BYTES: u64 = 768;
    /// Events after which the state is stored again.
    pub(super) const SNAPSHOT_EVERY: u64 = 200;
    /// Snapshots that are kept.
    pub(super) const SNAPSHOTS: u64 = 2;
    /// Posts that are under way at once.
    pub(super) const POSTS: u64 = 16;
    /// Seconds between two pings of a client.
    pub(super) const PING: f64 = 240.0;
    /// Hours after which a gateway closes a connection.
    pub(super) const CONNECTION: f64 = 2.0;
    /// Memory that comes with a whole core, in MB.
    pub(super) const CORE_MB: f64 = 1_769.0;
}

/// Items that an append writes beside packs and records: the head and a client, 1 KB each.
const HEAD_AND_CLIENT: u64 = 2;

pub(crate) fn counts(run: &Run, topology: Topology, assumed: &Assumed) -> Counts {
    let mut counts = match topology {
        Topology::Coupled => coupled(run, assumed),
        Topology::Pipeline => pipeline(run, assumed),
        Topology::Sqlite => return on_a_machine(run),
    };
    counts.memory_mb = assumed.memory_mb;
    add(&mut counts, snapshots(run, assumed), 1);
    add(&mut counts, being_there(run, assumed), run.receivers);
    counts
}

/// One function: a message comes, is reduced and stored, its sender is answered, others are told.
fn coupled(run: &Run, assumed: &Assumed) -> Counts {
    let of_message = |actions| {
        let others = run.receivers - 1;
        let answer = messages(around::EVENTS + actions * around::OWN_EVENT);
        Counts {
            messages_in: messages(push_bytes(run, actions)),
            messages_out: answer + others * messages(events_bytes(run, actions)),
            invocations: 1,
            billed_ms: ms(assumed, actions, run.receivers, 2.0),
            write_units: append(run, assumed, actions, 1),
            // The connection, whether it listens, and the head; and who listens besides.
            read_units: 3 + read(run.receivers * around::LISTENER),
            ..Counts::default()
        }
    };
    let mut counts = Counts::default();
    let Split { full, batch, rest } = Split::of(run.actions, batch(run));
    add(&mut counts, of_message(batch), full);
    if rest > 0 {
        add(&mut counts, of_message(rest), 1);
    }
    counts
}

/// Three functions: messages are put into the inbox; what gathered there is reduced and stored;
/// everyone is told.
fn pipeline(run: &Run, assumed: &Assumed) -> Counts {
    let of_message = |actions| Counts {
        messages_in: messages(push_bytes(run, actions)),
        invocations: 1,
        billed_ms: ms(assumed, 0, 0, 1.0),
        write_units: written(inbox_bytes(assumed, push_bytes(run, actions))),
        // The connection, and whether it listens.
        read_units: 2,
        ..Counts::default()
    };
    let of_group = |actions, appended| Counts {
        // All hear alike, the sender as well.
        messages_out: run.receivers * messages(events_bytes(run, actions)),
        invocations: 2,
        billed_ms: ms(assumed, actions, 0, 1.0) + ms(assumed, 0, run.receivers, 1.0),
        write_units: append(run, assumed, actions, appended),
        // The head; then the events, and who listens.
        read_units: 1
            + read(pack_bytes(assumed, events_text(run, actions)))
            + read(run.receivers * around::LISTENER),
        stream_reads: 2,
        ..Counts::default()
    };
    let mut counts = Counts::default();
    let Split { full, batch, rest } = Split::of(run.actions, batch(run));
    add(&mut counts, of_message(batch), full);
    if rest > 0 {
        add(&mut counts, of_message(rest), 1);
    }
    let groups = Split::of(full, run.gather);
    add(&mut counts, of_group(groups.batch * batch, groups.batch), groups.full);
    if groups.rest > 0 || rest > 0 {
        let appended = groups.rest + u64::from(rest > 0);
        add(&mut counts, of_group(groups.rest * batch + rest, appended), 1);
    }
    counts
}

/// The embedded server: nobody meters its messages, but there are as many.
fn on_a_machine(run: &Run) -> Counts {
    let sent = run.actions.div_ceil(run.batch);
    Counts {
        messages_in: sent,
        messages_out: sent * run.receivers,
        connection_minutes: run.hours * 60.0 * run.receivers as f64,
        ..Counts::default()
    }
}

/// Write units of the append of some actions, which came in so many messages.
fn append(run: &Run, assumed: &Assumed, actions: u64, came: u64) -> u64 {
    let text = events_text(run, actions);
    let full = text / limits::ITEM_BYTES;
    let packs = text.div_ceil(limits::ITEM_BYTES);
    let of_packs = full * written_together(pack_bytes(assumed, limits::ITEM_BYTES))
        + (packs - full) * written_together(pack_bytes(assumed, text % limits::ITEM_BYTES));
    let records = (run.records * came).min(actions);
    let record = run.record_bytes + around::RECORD;
    let together =
        packs + HEAD_AND_CLIENT + records <= limits::ITEMS && record <= limits::ITEM_BYTES;
    let of_records = match together {
        true => records * written_together(record),
        // They follow by themselves; then the head says that none is owed.
        false => records * (written(record) + record / limits::ITEM_BYTES) + 1,
    };
    of_packs + HEAD_AND_CLIENT * written_together(1) + of_records
}

/// The state is stored now and then, an older one is looked for and deleted.
fn snapshots(run: &Run, assumed: &Assumed) -> Counts {
    let kept = run.actions / limits::SNAPSHOT_EVERY;
    let parts = run.state_bytes.div_ceil(limits::ITEM_BYTES);
    let bytes = stored(assumed, run.state_bytes);
    let state = written(bytes) + if parts > 1 { parts } else { 0 };
    let dropped = kept.saturating_sub(limits::SNAPSHOTS);
    let looked_at = read((limits::SNAPSHOTS + 1) * if parts > 1 { 200 } else { bytes });
    Counts {
        write_units: (kept + dropped) * state,
        read_units: kept * looked_at,
        ..Counts::default()
    }
}

/// One receiver that is connected: its minutes, its pings, and that it comes again every two hours.
fn being_there(run: &Run, assumed: &Assumed) -> Counts {
    let pings = whole(run.hours * 3_600.0 / limits::PING);
    let sockets = whole(run.hours / limits::CONNECTION);
    Counts {
        connection_minutes: run.hours * 60.0,
        messages_in: pings + sockets,
        // A pong; or a welcome and what was missed.
        messages_out: pings + 2 * sockets,
        // A socket opens, greets, and closes.
        invocations: pings + 3 * sockets,
        billed_ms: (pings + 3 * sockets) * ms(assumed, 0, 1, 1.0),
        // The connection and that it listens, written and deleted.
        write_units: 4 * sockets,
        read_units: 3 * (pings + sockets),
        ..Counts::default()
    }
}

/// How long a call takes: it waits for the store so many times, works, and posts.
fn ms(assumed: &Assumed, actions: u64, posts: u64, waits: f64) -> u64 {
    let core = (f64::from(assumed.memory_mb) / limits::CORE_MB).min(1.0);
    let work = (assumed.call_cpu_ms + assumed.action_cpu_ms * actions as f64) / core;
    let posts = posts.div_ceil(limits::POSTS) as f64 * assumed.post_ms;
    whole(assumed.store_ms * waits + work + posts).max(1)
}

fn push_bytes(run: &Run, actions: u64) -> u64 {
    around::PUSH + actions * (run.bytes + around::ENTRY)
}

/// A message in the inbox is a text in a text: each of its quotes takes two bytes, which are about a
/// sixth of it. Where it is compressed they come to nothing.
fn inbox_bytes(assumed: &Assumed, push: u64) -> u64 {
    let (said, quotes) = (around::SENDER + push, push / 6);
    let text = match said + quotes {
        plain if plain <= limits::PLAIN_BYTES => plain,
        _ => compressed(assumed, said),
    };
    around::INBOX + text
}

fn events_bytes(run: &Run, actions: u64) -> u64 {
    around::EVENTS + actions * (run.bytes + around::EVENT)
}

/// The text of events in a pack.
fn events_text(run: &Run, actions: u64) -> u64 {
    actions * (run.bytes + around::STORED)
}

fn pack_bytes(assumed: &Assumed, text: u64) -> u64 {
    around::PACK + stored(assumed, text)
}

/// A text as it is stored: a longer one is compressed.
fn stored(assumed: &Assumed, bytes: u64) -> u64 {
    match bytes {
        plain if plain <= limits::PLAIN_BYTES => plain,
        longer => compressed(assumed, longer),
    }
}

fn compressed(assumed: &Assumed, bytes: u64) -> u64 {
    bytes.min(around::ONCE + whole(assumed.compressed * bytes as f64))
}

/// Actions in one message, as far as functions let them.
pub(crate) fn batch(run: &Run) -> u64 {
    run.batch.min(limits::BATCH).min((limits::BATCH_BYTES / run.bytes.max(1)).max(1))
}

/// Things in batches: so many full ones, and what is left.
struct Split {
    full: u64,
    batch: u64,
    rest: u64,
}

impl Split {
    fn of(things: u64, batch: u64) -> Self {
        Self { full: things / batch, batch, rest: things % batch }
    }
}

fn add(counts: &mut Counts, more: Counts, times: u64) {
    counts.messages_in += more.messages_in * times;
    counts.messages_out += more.messages_out * times;
    counts.connection_minutes += more.connection_minutes * times as f64;
    counts.invocations += more.invocations * times;
    counts.billed_ms += more.billed_ms * times;
    counts.write_units += more.write_units * times;
    counts.read_units += more.read_units * times;
    counts.stream_reads += more.stream_reads * times;
}

/// The next whole number. What it is asked for is checked to be small, and not negative.
fn whole(number: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let whole = number.ceil() as u64;
    whole
}
