//! Compaction: a state takes the place of a stream's oldest events, and what only they said of
//! clients is kept beside it.
//!
//! It is more than a transaction holds, so it has three steps. First what the packs say of
//! rejections, and of when clients were last heard, is written down beside them, where it contradicts
//! nothing. Then one transaction moves the base (I8): the head says where it is and that something
//! is to be swept out, the state stands there, and a pack on both sides loses what is below.
//! At last that is swept out ([`sweep`](crate::sweep)). Stopped at any moment, a stream is as it was,
//! or compacted with something left to sweep, which whoever compacts next does.

use std::collections::BTreeMap;

use twinstore_protocol::{ClientId, N, Seq, StreamId};
use twinstore_server::day::Day;
use twinstore_server::event::StoredEvent;
use twinstore_server::log::{Base, Compaction, Page};

use crate::append::{put, update};
use crate::calls::{CallError, Expression, token};
use crate::clients::client_key;
use crate::item::{number, number_in, text};
use crate::kept::Kept;
use crate::limits;
use crate::pack::Pack;
use crate::snapshots::snapshot_key;
use crate::store::{HEAD, Store, StoredHead, key};

/// A client's last event among those that go.
struct Last {
    n: N,
    seq: Seq,
    /// When the latest of them was decided.
    at: u64,
}

impl Store {
    /// Gives how many events are gone.
    pub(crate) async fn compact(
        &self,
        stream: &StreamId,
        compaction: &Compaction,
    ) -> Result<u64, CallError> {
        self.sweep(stream).await?;
        let stored = self.head(stream).await?.filter(|stored| stored.head == compaction.head);
        let stored = stored.ok_or(CallError::HeadMoved)?;
        let (from, to) = (stored.start.base_seq(), compaction.base.seq);
        let pack = self.pack_with(stream, to).await?.filter(|_| to > from);
        let pack = pack.ok_or(CallError::NoPlace)?;
        let chain = pack.chain_at(to).ok_or(CallError::NoPlace)?;
        self.write_down(stream, from, to, &compaction.forget).await?;
        let base = Base { seq: to, chain };
        self.move_base(stream, &stored, base, compaction, pack).await?;
        self.sweep(stream).await?;
        Ok(to.0 - from.0)
    }

    /// Writes down what will be known of events that go.
    async fn write_down(
        &self,
        stream: &StreamId,
        from: Seq,
        to: Seq,
        forget: &[ClientId],
    ) -> Result<(), CallError> {
        for client in forget {
            self.take_reasons(stream, client).await?;
        }
        let mut clients = BTreeMap::new();
        let mut reached = from;
        while reached < to {
            let page = Page { events: limits::COMPACTED_AT_ONCE, bytes: limits::ITEM_BYTES };
            let events = self.events(stream, reached, page).await?;
            let Some(last) = events.last() else { return Err(CallError::NoPlace) };
            reached = last.seq;
            for event in events.iter().take_while(|event| event.seq <= to) {
                note(&mut clients, event);
                if let Some(kept) = Kept::of(event) {
                    let reason = !forget.contains(&event.client);
                    self.keep_rejection(stream, &event.client, &kept, reason).await?;
                }
            }
        }
        let table = self.model_table(stream);
        for (client, Last { n, seq, at }) in clients {
            let client = client_key(stream, &client);
            let known = self.get(&table, client.clone()).await?.unwrap_or_default();
            let at = number_in(&known, "gone_at")?.map_or(at, |before| before.max(at));
            let change = Expression::update("SET #gone_n = :n, #gone_seq = :gone, #gone_at = :at")
                .with("n", number(n.0))
                .with("gone", number(seq.0))
                .with("at", number(at));
            self.update(&table, client, change).await?;
        }
        Ok(())
    }

    /// I8: where head and base are still those.
    async fn move_base(
        &self,
        stream: &StreamId,
        stored: &StoredHead,
        base: Base,
        compaction: &Compaction,
        pack: Pack,
    ) -> Result<(), CallError> {
        let table = self.model_table(stream);
        let state_key = key(stream.as_str(), &snapshot_key(base.seq));
        let old = self.get(&table, state_key).await?;
        let mut state = self.snapshot_item(stream, &compaction.base).await?;
        state.insert("base".to_owned(), number(1));
        let mut items = vec![put(&table, state.clone())?];
        if pack.last > base.seq {
            items.push(put(&self.events_table(stream), pack.after(base.seq).to_item(stream)?)?);
        }
        let change = base_write(stored, &base, compaction.clients_since);
        items.push(update(&table, key(stream.as_str(), HEAD), &change)?);
        let moved = match self.transact(items, &token()?).await {
            Err(CallError::Condition { .. }) => Err(CallError::HeadMoved),
            Err(error @ CallError::Unanswered { .. }) => {
                let now = self.head(stream).await?;
                let is_there = now.is_some_and(|now| now.start.base.as_ref() == Some(&base));
                if is_there { Ok(()) } else { Err(error) }
            }
            moved => moved,
        };
        match moved {
            Ok(()) => match old {
                Some(old) => self.drop_parts(&table, stream.as_str(), &old).await,
                None => Ok(()),
            },
            // It may still be on its way: then its state's parts are needed.
            Err(error @ CallError::Unanswered { .. }) => Err(error),
            Err(error) => {
                self.drop_parts(&table, stream.as_str(), &state).await?;
                Err(error)
            }
        }
    }
}

fn base_write(stored: &StoredHead, base: &Base, clients_since: u64) -> Expression {
    let StoredHead { head, start, .. } = stored;
    let day = Day::of(clients_since).max(start.clients_since);
    let change = Expression::update(
        "SET #base = :base, #base_chain = :base_chain, #clients_since = :day, #sweep = :since",
    )
    .with("base", number(base.seq.0))
    .with("base_chain", text(base.chain.as_str()))
    .with("day", number(day.0.into()))
    .with("since", number(clients_since))
    .with("seq", number(head.seq.0))
    .with("log", text(&head.log.0))
    .with("chain", text(head.chain.as_str()));
    match &start.base {
        None => change.and_when(
            "#seq = :seq AND #log = :log AND #chain = :chain AND attribute_not_exists(#base)",
        ),
        Some(before) => change
            .and_when("#seq = :seq AND #log = :log AND #chain = :chain AND #base = :before")
            .with("before", number(before.seq.0)),
    }
}

fn note(clients: &mut BTreeMap<ClientId, Last>, event: &StoredEvent) {
    let StoredEvent { n, seq, at, .. } = *event;
    let last = clients.entry(event.client.clone()).or_insert(Last { n, seq, at });
    *last = Last { n, seq, at: at.max(last.at) };
}
