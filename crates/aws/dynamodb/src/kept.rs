//! Rejections whose events are gone: an item each, by client and number.

use twinstore_protocol::{ClientId, N, Rejection, RejectionRow, Seq, StreamId};
use twinstore_server::event::StoredEvent;

use crate::calls::{CallError, Expression, Query};
use crate::item::{Item, number, number_of, text, text_of};
use crate::store::{Store, key};

/// A rejection, and the first of the numbers that it settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) first: N,
    pub(crate) row: RejectionRow,
}

impl Kept {
    /// What is kept of an event; none: it was accepted.
    pub(crate) fn of(event: &StoredEvent) -> Option<Self> {
        let row = RejectionRow { n: event.n, seq: event.seq, error: event.error.clone()? };
        Some(Self { first: event.first_n(), row })
    }

    fn of_item(item: &Item) -> Result<Self, CallError> {
        let error = Rejection {
            code: text_of(item, "code")?.to_owned(),
            reason: text_of(item, "reason")?.to_owned(),
        };
        let (n, seq) = (N(number_of(item, "n")?), Seq(number_of(item, "seq")?));
        Ok(Self { first: N(number_of(item, "first")?), row: RejectionRow { n, seq, error } })
    }
}

impl Store {
    /// Writes one down, with its reason or without.
    pub(crate) async fn keep_rejection(
        &self,
        stream: &StreamId,
        client: &ClientId,
        kept: &Kept,
        with_reason: bool,
    ) -> Result<(), CallError> {
        let Kept { first, row } = kept;
        let Rejection { code, reason } = &row.error;
        let mut item = key(stream.as_str(), &kept_key(client, row.n));
        item.extend([
            ("client".to_owned(), text(client.as_str())),
            ("n".to_owned(), number(row.n.0)),
            ("first".to_owned(), number(first.0)),
            ("seq".to_owned(), number(row.seq.0)),
            ("code".to_owned(), text(code)),
            ("reason".to_owned(), text(if with_reason { reason } else { "" })),
        ]);
        self.put(&self.model_table(stream), item, Expression::default()).await.map(drop)
    }

    /// Those of a client from a number on up to a place, in order.
    pub(crate) async fn kept_rejections(
        &self,
        stream: &StreamId,
        client: &ClientId,
        from: N,
        to: Seq,
    ) -> Result<Vec<Kept>, CallError> {
        let items = self.kept_items(stream, client, from).await?;
        let kept: Result<Vec<_>, _> = items.iter().map(Kept::of_item).collect();
        Ok(kept?.into_iter().filter(|kept| kept.row.seq <= to).collect())
    }

    pub(crate) async fn take_reasons(
        &self,
        stream: &StreamId,
        client: &ClientId,
    ) -> Result<(), CallError> {
        for item in self.kept_items(stream, client, N(0)).await? {
            let kept = Kept::of_item(&item)?;
            self.keep_rejection(stream, client, &kept, false).await?;
        }
        Ok(())
    }

    /// Deletes those of a client up to a place.
    pub(crate) async fn drop_rejections(
        &self,
        stream: &StreamId,
        client: &ClientId,
        to: Seq,
    ) -> Result<(), CallError> {
        let kept = self.kept_rejections(stream, client, N(0), to).await?;
        let keys = kept.iter().map(|kept| key(stream.as_str(), &kept_key(client, kept.row.n)));
        self.delete_all(&self.model_table(stream), keys.collect()).await
    }

    async fn kept_items(
        &self,
        stream: &StreamId,
        client: &ClientId,
        from: N,
    ) -> Result<Vec<Item>, CallError> {
        let table = self.model_table(stream);
        let keys = Expression::when("#stream = :stream AND #key BETWEEN :first AND :last")
            .with("stream", text(stream.as_str()))
            .with("first", text(kept_key(client, from)))
            .with("last", text(kept_key(client, N(LAST))));
        let mut items = self.query_all(Query::new(&table, keys)).await?;
        // A client's name may begin with another's.
        items.retain(|item| text_of(item, "client").is_ok_and(|name| name == client.as_str()));
        Ok(items)
    }
}

/// The last number of sixteen digits, as which numbers sort like texts.
const LAST: u64 = 9_999_999_999_999_999;

fn kept_key(client: &ClientId, n: N) -> String {
    format!("rejected/{client}/{:016}", n.0.min(LAST))
}
