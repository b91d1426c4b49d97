//! An append: one transaction of packs, head, clients and records, and what became of it.
//!
//! Keeps I8. The head and each client must be as they were known; the transaction's token says
//! afterwards whose write it was. Records that do not fit follow behind the events: the head says
//! so until they are there.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_dynamodb::types::{Put, TransactWriteItem, Update};
use twinstore_protocol::{ClientId, N, Seq, StreamId};
use twinstore_server::log::{Append, AppendError, Head};

use crate::calls::{CallError, Expression, token};
use crate::clients::{Known, client_key};
use crate::item::{Item, malformed, number, text};
use crate::limits;
use crate::pack::{Pack, cut};
use crate::records::{item_bytes, record_item};
use crate::store::{HEAD, Start, Store, key};
use crate::streams::STREAMS;

/// A transaction that is ready to be sent.
struct Plan {
    items: Vec<TransactWriteItem>,
    token: String,
    /// What clients have reached once it is durable.
    clients: BTreeMap<ClientId, Known>,
    /// Records follow behind it.
    owes: bool,
}

impl Store {
    pub(crate) async fn append(self: &Arc<Self>, append: &Append) -> Result<Head, AppendError> {
        let failed = |error: CallError| AppendError::Failed(error.into());
        let plan = self.plan(append).await.map_err(failed)?;
        let mut outcome = self.transact(plan.items.clone(), &plan.token).await;
        if matches!(outcome, Err(CallError::NoTable { .. })) && self.create_tables {
            self.create_model_tables(&append.stream).await.map_err(failed)?;
            self.create_common_table().await.map_err(failed)?;
            outcome = self.transact(plan.items.clone(), &plan.token).await;
        }
        match outcome {
            Ok(()) => {}
            Err(error @ (CallError::Condition { .. } | CallError::Unanswered { .. })) => {
                self.read_back(append, &plan, error).await?;
            }
            Err(error) => return Err(failed(error)),
        }
        if append.after == Seq(0) {
            self.keep_start(&append.stream, Start::default());
        }
        for (client, known) in &plan.clients {
            self.clients.keep(&append.stream, client, known.clone());
        }
        if plan.owes {
            self.put_records(append).await;
        }
        Ok(append.head())
    }

    /// Whether it was this append that was written, where the service says no or nothing.
    async fn read_back(
        &self,
        append: &Append,
        plan: &Plan,
        error: CallError,
    ) -> Result<(), AppendError> {
        for client in plan.clients.keys() {
            self.clients.forget(&append.stream, client);
        }
        let conflict = || AppendError::Conflict { expected: append.after.0 };
        let stored = match self.head(&append.stream).await {
            Ok(stored) => stored,
            Err(error) => return Err(AppendError::Unknown(error.into())),
        };
        let head = stored.map_or(Seq(0), |stored| stored.head.seq);
        if head > append.after {
            let unknown = |error: CallError| AppendError::Unknown(error.into());
            let last = append.head().seq;
            let pack = self.pack_with(&append.stream, last).await.map_err(unknown)?;
            let own = pack.is_some_and(|pack| pack.append == plan.token);
            // With another head it cannot be written any more, however late it arrives.
            return if own { Ok(()) } else { Err(conflict()) };
        }
        match error {
            CallError::Condition { .. } => Err(conflict()),
            // It may still be on its way.
            error => Err(AppendError::Unknown(error.into())),
        }
    }

    async fn plan(&self, append: &Append) -> Result<Plan, CallError> {
        let Append { stream, events, .. } = append;
        let token = token()?;
        let mut clients = BTreeMap::new();
        let mut before = BTreeMap::new();
        for event in events {
            if !before.contains_key(&event.client) {
                let known = self.remembered(stream, &event.client).await?;
                before.insert(event.client.clone(), known.clone());
                clients.insert(event.client.clone(), known);
            }
        }
        for (client, subject) in &append.bound {
            clients.entry(client.clone()).or_default().subject = Some(Arc::clone(subject));
        }
        let mut items = Vec::new();
        for events in cut(events) {
            let last = events.last().map_or(append.after, |event| event.seq);
            let mut pack = Pack {
                last,
                append: token.clone(),
                events: events.to_vec(),
                clients: BTreeMap::new(),
            };
            for event in events {
                let known = clients.entry(event.client.clone()).or_default();
                pack.clients.entry(event.client.clone()).or_insert(known.pack);
                known.last = event.n;
            }
            for client in pack.clients.keys() {
                clients.entry(client.clone()).or_default().pack = last;
            }
            items.push(put(&self.events_table(stream), pack.to_item(stream)?)?);
        }
        let table = self.model_table(stream);
        for (client, known) in &clients {
            items.push(self.client_write(&table, stream, client, &before[client], known)?);
        }
        if append.after == Seq(0) {
            items.push(put(&self.common_table(), key(STREAMS, stream.as_str()))?);
        }
        let owes = !self.add_records(append, &mut items)?;
        items.push(head_write(&table, append, &self.start(stream).await?, owes)?);
        if items.len() > limits::TRANSACTION_ITEMS {
            let (bytes, most) = (items.len(), limits::TRANSACTION_ITEMS);
            return Err(CallError::TooLarge { what: "an append, in items,", bytes, most });
        }
        Ok(Plan { items, token, clients, owes })
    }

    /// I5: the client is where it was known to be.
    fn client_write(
        &self,
        table: &str,
        stream: &StreamId,
        client: &ClientId,
        before: &Known,
        after: &Known,
    ) -> Result<TransactWriteItem, CallError> {
        let change = match after.subject.as_ref().filter(|_| before.subject.is_none()) {
            Some(subject) => {
                Expression::update("SET #last = :last, #pack = :pack, #subject = :subject")
                    .with("subject", text(&**subject))
            }
            None => Expression::update("SET #last = :last, #pack = :pack"),
        };
        let change = change.with("last", number(after.last.0)).with("pack", number(after.pack.0));
        let change = match before.last {
            N(0) => change.and_when("attribute_not_exists(#last)"),
            N(last) => change.and_when("#last = :known").with("known", number(last)),
        };
        update(table, client_key(stream, client), &change)
    }

    /// Adds the records where all of them fit; false: they follow.
    fn add_records(
        &self,
        append: &Append,
        items: &mut Vec<TransactWriteItem>,
    ) -> Result<bool, CallError> {
        let records = &append.records;
        let bytes: usize = append.events.iter().map(|event| 2 * event.body.len()).sum();
        let bytes = bytes + records.iter().map(item_bytes).sum::<usize>();
        let fits = items.len() + 1 + records.len() <= limits::TRANSACTION_ITEMS
            && bytes <= limits::TRANSACTION_BYTES
            && records.iter().all(|record| item_bytes(record) <= limits::ITEM_BYTES);
        if fits {
            let table = self.model_table(&append.stream);
            let seq = append.head().seq;
            for (name, record) in records {
                items.push(put(&table, record_item(&append.stream, name, record.as_deref(), seq))?);
            }
        }
        Ok(fits)
    }
}

/// I8: the head is the one that the append follows, and the stream begins where it was known to: a client that is not
/// known may else be one that was forgotten meanwhile.
fn head_write(
    table: &str,
    append: &Append,
    start: &Start,
    owes: bool,
) -> Result<TransactWriteItem, CallError> {
    let head = append.head();
    let set = match owes {
        false => "SET #log = :log, #seq = :seq, #chain = :chain",
        true => {
            "SET #log = :log, #seq = :seq, #chain = :chain, \
             #owed_from = if_not_exists(#owed_from, :after), #owed_to = :seq"
        }
    };
    let mut change = Expression::update(set)
        .with("log", text(&head.log.0))
        .with("seq", number(head.seq.0))
        .with("chain", text(head.chain.as_str()));
    if owes || append.after > Seq(0) {
        change = change.with("after", number(append.after.0));
    }
    let change = match (append.after, &start.base) {
        (Seq(0), _) => change.and_when("attribute_not_exists(#seq)"),
        (_, None) => {
            change.and_when("#seq = :after AND #log = :log AND attribute_not_exists(#base)")
        }
        (_, Some(base)) => change
            .and_when("#seq = :after AND #log = :log AND #base = :base")
            .with("base", number(base.seq.0)),
    };
    update(table, key(append.stream.as_str(), HEAD), &change)
}

pub(crate) fn put(table: &str, item: Item) -> Result<TransactWriteItem, CallError> {
    let put = Put::builder().table_name(table).set_item(Some(item)).build();
    Ok(TransactWriteItem::builder().put(put.map_err(|_| malformed("Put"))?).build())
}

pub(crate) fn update(
    table: &str,
    key: Item,
    change: &Expression,
) -> Result<TransactWriteItem, CallError> {
    let update = Update::builder()
        .table_name(table)
        .set_key(Some(key))
        .set_update_expression(change.update.map(str::to_owned))
        .set_condition_expression(change.condition.map(str::to_owned))
        .set_expression_attribute_values(change.values())
        .set_expression_attribute_names(change.names())
        .build();
    Ok(TransactWriteItem::builder().update(update.map_err(|_| malformed("Update"))?).build())
}
