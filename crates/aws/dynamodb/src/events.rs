//! Reading events, by place and by client.

use twinstore_protocol::{Chain, ClientId, N, RejectionRow, Seq, StreamId};
use twinstore_server::event::StoredEvent;
use twinstore_server::log::{Base, Page, Verdict};

use crate::calls::{CallError, Expression, Query};
use crate::item::{number, text};
use crate::kept::Kept;
use crate::pack::Pack;
use crate::store::{Store, pack_key};

impl Store {
    pub(crate) async fn events(
        &self,
        stream: &StreamId,
        after: Seq,
        page: Page,
    ) -> Result<Vec<StoredEvent>, CallError> {
        let after = after.max(self.start(stream).await?.base_seq());
        let events = self.events_there(stream, after, page).await?;
        match events.first() {
            // Some are gone: the base has moved meanwhile, and they begin behind it.
            Some(first) if first.seq > after.next() => {
                let base = self.start_now(stream).await?.base_seq();
                self.events_there(stream, after.max(base), page).await
            }
            _ => Ok(events),
        }
    }

    /// The same, whatever is being swept out. They follow on each other.
    async fn events_there(
        &self,
        stream: &StreamId,
        after: Seq,
        page: Page,
    ) -> Result<Vec<StoredEvent>, CallError> {
        let table = self.events_table(stream);
        let mut query = Query { limit: Some(page.events), ..after_place(&table, stream, after) };
        let (mut events, mut bytes) = (Vec::<StoredEvent>::new(), 0);
        loop {
            let (items, next) = self.query(query.clone()).await?;
            for item in &items {
                for event in Pack::of_item(item)?.events {
                    if event.seq <= after {
                        continue;
                    }
                    if events.last().is_some_and(|before| event.seq != before.seq.next()) {
                        return Ok(events);
                    }
                    bytes += event.body.len();
                    events.push(event);
                    if events.len() >= page.events || bytes >= page.bytes {
                        return Ok(events);
                    }
                }
            }
            if next.is_none() {
                return Ok(events);
            }
            query.from = next;
        }
    }

    pub(crate) async fn chain(
        &self,
        stream: &StreamId,
        seq: Seq,
    ) -> Result<Option<Chain>, CallError> {
        let at_base =
            |base: Option<Base>| base.filter(|base| base.seq == seq).map(|base| base.chain);
        let start = self.start(stream).await?;
        if seq <= start.base_seq() {
            return Ok(at_base(start.base));
        }
        match self.pack_with(stream, seq).await?.and_then(|pack| pack.chain_at(seq)) {
            Some(chain) => Ok(Some(chain)),
            // The base may have moved meanwhile.
            None => Ok(at_base(self.start_now(stream).await?.base)),
        }
    }

    /// The pack that holds an event.
    pub(crate) async fn pack_with(
        &self,
        stream: &StreamId,
        seq: Seq,
    ) -> Result<Option<Pack>, CallError> {
        let Some(before) = seq.0.checked_sub(1) else { return Ok(None) };
        let table = self.events_table(stream);
        let query = Query { limit: Some(1), ..after_place(&table, stream, Seq(before)) };
        let (items, _) = self.query(query).await?;
        items.first().map(Pack::of_item).transpose()
    }

    pub(crate) async fn verdict(
        &self,
        stream: &StreamId,
        client: &ClientId,
        n: N,
    ) -> Result<Option<Verdict>, CallError> {
        let known = self.known(stream, client).await?;
        if n > known.last {
            return Ok(None);
        }
        let mut place = known.pack;
        while let Some(pack) = self.pack_at(stream, place).await? {
            let settling = pack.of_client(client).find(|event| event.n >= n);
            if let Some(event) = settling.filter(|event| event.first_n() <= n) {
                let error = event.error.clone();
                return Ok(Some(Verdict { n: event.n, seq: event.seq, error }));
            }
            place = before(&pack, client);
        }
        // Only now: an event that was gone when it was looked for is below a base that is there.
        let Some(base) = self.start_now(stream).await?.base else {
            return Ok(None);
        };
        let kept = self.kept_rejections(stream, client, n, base.seq).await?;
        Ok(Some(match kept.into_iter().next().filter(|kept| kept.first <= n) {
            Some(Kept { row: RejectionRow { n, seq, error }, .. }) => {
                Verdict { n, seq, error: Some(error) }
            }
            None => Verdict { n, seq: base.seq, error: None },
        }))
    }

    pub(crate) async fn rejections(
        &self,
        stream: &StreamId,
        client: &ClientId,
        from: N,
        limit: usize,
    ) -> Result<Vec<RejectionRow>, CallError> {
        let known = self.known(stream, client).await?;
        if known.last < from {
            return Ok(Vec::new());
        }
        let mut rows = Vec::new();
        let mut place = known.pack;
        while let Some(pack) = self.pack_at(stream, place).await? {
            for event in pack.of_client(client).rev() {
                if event.n < from || rows.len() == limit {
                    rows.reverse();
                    return Ok(rows);
                }
                if let Some(error) = event.error.clone() {
                    rows.push(RejectionRow { n: event.n, seq: event.seq, error });
                }
            }
            place = before(&pack, client);
        }
        // A pack that is named and not there was swept out.
        if rows.len() < limit && (known.compacted || place > Seq(0)) {
            // As above, only now.
            let base = self.start_now(stream).await?.base_seq();
            rows.retain(|row| row.seq > base);
            let kept = self.kept_rejections(stream, client, from, base).await?;
            rows.extend(kept.into_iter().rev().map(|kept| kept.row));
            rows.truncate(limit);
        }
        rows.reverse();
        Ok(rows)
    }

    /// The pack of that key; none for 0.
    async fn pack_at(&self, stream: &StreamId, last: Seq) -> Result<Option<Pack>, CallError> {
        if last == Seq(0) {
            return Ok(None);
        }
        let table = self.events_table(stream);
        let found = self.get(&table, pack_key(stream, last)).await?;
        found.as_ref().map(Pack::of_item).transpose()
    }
}

fn after_place<'a>(table: &'a str, stream: &StreamId, after: Seq) -> Query<'a> {
    let keys = Expression::when("#stream = :stream AND #seq > :after");
    let keys = keys.with("stream", text(stream.as_str())).with("after", number(after.0));
    Query::new(table, keys)
}

/// The client's pack before this one. Packs only point backwards.
fn before(pack: &Pack, client: &ClientId) -> Seq {
    pack.clients.get(client).copied().filter(|before| *before < pack.last).unwrap_or(Seq(0))
}
