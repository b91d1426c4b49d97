//! The inbox: messages that wait for the function that decides them.

use twinstore_protocol::StreamId;
use twinstore_server::random;

use crate::calls::{CallError, Expression};
use crate::compress::compressed;
use crate::item::{item, number, text};
use crate::limits;
use crate::store::Store;

/// What an item of the inbox has in place of a stream's name, before its own.
pub const INBOX: &str = "inbox/";

impl Store {
    pub(crate) async fn hand_on(
        &self,
        stream: &StreamId,
        request: &str,
        said: &str,
    ) -> Result<(), CallError> {
        let expires = random::now() / 1_000 + limits::INBOX_FOR.as_secs();
        // A key for each message: none waits for another, and a repeated request is the same item.
        let item = item([
            ("stream", text(format!("{INBOX}{request}"))),
            ("seq", number(0)),
            ("said", compressed(said)),
            ("expires", number(expires)),
        ]);
        let table = self.events_table(stream);
        match self.put(&table, item.clone(), Expression::default()).await {
            Err(CallError::NoTable { .. }) if self.create_tables => {
                self.create_model_tables(stream).await?;
                self.put(&table, item, Expression::default()).await.map(drop)
            }
            put => put.map(drop),
        }
    }
}
