//! What a push must be before a worker sees it.

use serde::Deserialize;
use serde_json::value::RawValue;
use twinstore_protocol::{ClientId, N, Seq, StreamId, WireLimits, code};

use super::twin::{self, Bad, Left};
use crate::action::ActionText;
use crate::limits;
use crate::stream::ask::{Number, Refused, Submission, Submitted};

/// A push whose numbers make sense.
pub(super) struct Pushed {
    pub(super) stream: StreamId,
    /// The highest schema that an entry names; 0: none does.
    pub(super) schema: u32,
    pub(super) entries: Vec<Entry>,
}

/// [`twinstore_protocol::Entry`] with the action's text.
pub(super) type Entry = twinstore_protocol::Entry<Box<RawValue>>;

/// Reads a push.
pub(super) fn read(text: &str) -> Result<Pushed, Bad> {
    #[derive(Deserialize)]
    struct Push {
        stream: StreamId,
        entries: Vec<Entry>,
    }
    let Push { stream, entries } = twin::read(text)?;
    for entry in &entries {
        if !is_sound(entry) {
            return Err(Bad::message(
                "an entry has a client, a number `n` from 1 and, where it has one, `from` in 1..=n",
            ));
        }
    }
    let schema = entries.iter().filter_map(|entry| entry.schema).max().unwrap_or(0);
    Ok(Pushed { stream, schema, entries })
}

/// The entries up to the first whose action cannot be taken, which is refused.
///
/// An entry that names no schema has that of its hello.
pub(super) fn submission(
    entries: Vec<Entry>,
    schema: u32,
    wire: &WireLimits,
) -> Result<Submission, Left> {
    check_size(&entries, wire)?;
    let mut submission = Submission::default();
    for entry in entries {
        let Entry { client, n, from, action, schema: own } = entry;
        let schema = Some(own.unwrap_or(schema));
        match ActionText::inspect(action.get(), wire) {
            Ok(action) => {
                let number = Number::Given { n, from };
                submission.entries.push(Submitted { client, number, action, schema });
            }
            Err(refusal) => {
                // The worker knows the client's last number.
                submission.then = Some(Refused { client, n: Some(n), refusal, last: N(0) });
                break;
            }
        }
    }
    Ok(submission)
}

fn is_sound(entry: &Entry) -> bool {
    let ClientId(client) = &entry.client;
    let first = entry.from.unwrap_or(entry.n);
    (1..=limits::CLIENT_ID_BYTES).contains(&client.len())
        && first.0 >= 1
        && first <= entry.n
        && entry.n.0 <= Seq::MAX.0
}

fn check_size(entries: &[Entry], wire: &WireLimits) -> Result<(), Left> {
    let (actions_max, bytes_max) = (wire.batch_actions, wire.batch_bytes);
    let bytes: usize = entries.iter().map(|entry| entry.action.get().len()).sum();
    // One entry alone is refused by its own limit, so that the client learns which one it is.
    let too_large = entries.len() > 1 && bytes > bytes_max as usize;
    if entries.len() <= actions_max as usize && !too_large {
        return Ok(());
    }
    let message = format!(
        "a push holds at most {actions_max} actions and {bytes_max} bytes, this one {} and {bytes}",
        entries.len()
    );
    Err(Left { code: code::BATCH_TOO_LARGE, message })
}
