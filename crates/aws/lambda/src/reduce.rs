//! The reduce function: decides what lies in the inbox, by appends like anyone's. What a batch brings
//! for one stream shares its appends.
//!
//! Keeps I3 and I5 whatever the stream brings twice or late: the log knows each number. What cannot
//! be decided now is reported and comes again, with all behind it; what never can is the model's to
//! reject, and is an event.

use serde_json::Value;
use twinstore_dynamodb::INBOX;

use crate::change::{Change, Changes, done_but};
use crate::parts::{FunctionError, Parts};
use crate::said::Said;

impl Parts {
    /// Decides a batch of the inbox.
    pub(crate) async fn reduce(&self, event: Value) -> Result<Value, FunctionError> {
        let changes: Changes = serde_json::from_value(event)?;
        let messages = changes.records.iter().filter_map(|change| Some((change, said(change)?)));
        let (changes, all): (Vec<_>, Vec<_>) = messages.unzip();
        let connections: Vec<_> = all.iter().map(|said| said.connection.clone()).collect();
        let turns = self.reduced(all).await?;
        for ((turn, connection), change) in turns.into_iter().zip(connections).zip(changes) {
            if turn.failed {
                return Ok(done_but(Some(&change.dynamodb.sequence_number)));
            }
            self.tell(&connection, &turn.frames, false).await;
            self.keep_snapshots(turn.snapshots).await;
        }
        Ok(done_but(None))
    }
}

/// The message in the inbox; none: it is another change of the table.
fn said(change: &Change) -> Option<Said> {
    if change.event_name != "INSERT" || !change.text("stream")?.starts_with(INBOX) {
        return None;
    }
    let said = serde_json::from_str(&change.whole("said")?);
    said.inspect_err(|error| tracing::error!(%error, "the inbox holds what is no message")).ok()
}
