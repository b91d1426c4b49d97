//! Packs: the events of an append, up to a size, in one item.
//!
//! The events' stored texts are kept letter for letter, since the chain covers them; longer ones are
//! compressed together. A pack names the clients whose events it holds, and for each the pack before
//! that holds some of it: so a verdict is found without an index of its own.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Deserialize;
use serde_json::value::RawValue;
use twinstore_protocol::{Chain, ClientId, N, Rejection, Seq, StreamId};
use twinstore_server::event::StoredEvent;

use crate::calls::CallError;
use crate::compress::{compressed, whole_of};
use crate::item::{Item, item, malformed, number, number_of, text, text_of};
use crate::limits;

/// Some events that follow on each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pack {
    /// Where the last of them is: the item's key.
    pub(crate) last: Seq,
    /// The token of the append that wrote it.
    pub(crate) append: String,
    pub(crate) events: Vec<StoredEvent>,
    /// Each client's pack before this one; 0: there is none.
    pub(crate) clients: BTreeMap<ClientId, Seq>,
}

impl Pack {
    pub(crate) fn to_item(&self, stream: &StreamId) -> Result<Item, CallError> {
        let first = self.events.first().map_or(self.last, |event| event.seq);
        let clients = self.clients.iter();
        let clients = clients.map(|(client, seq)| (client.as_str().to_owned(), number(seq.0)));
        Ok(item([
            ("stream", text(stream.as_str())),
            ("seq", number(self.last.0)),
            ("first", number(first.0)),
            ("append", text(&self.append)),
            ("clients", AttributeValue::M(clients.collect())),
            ("events", compressed(&written(&self.events)?)),
        ]))
    }

    pub(crate) fn of_item(item: &Item) -> Result<Self, CallError> {
        Ok(Self {
            last: Seq(number_of(item, "seq")?),
            append: text_of(item, "append")?.to_owned(),
            events: read(&whole_of(item, "events")?)?,
            clients: clients_of(item)?,
        })
    }

    /// The events of one client.
    pub(crate) fn of_client<'a>(
        &'a self,
        client: &'a ClientId,
    ) -> impl DoubleEndedIterator<Item = &'a StoredEvent> {
        self.events.iter().filter(move |event| event.client == *client)
    }

    pub(crate) fn chain_at(&self, seq: Seq) -> Option<Chain> {
        let event = self.events.iter().find(|event| event.seq == seq);
        event.map(|event| event.chain.clone())
    }

    /// The same without what is at or below a place. Whose events were there is sent on to that place,
    /// where there is no pack: so whoever comes along sees that some are gone.
    pub(crate) fn after(mut self, place: Seq) -> Self {
        let gone = self.events.iter().filter(|event| event.seq <= place);
        let gone: BTreeSet<_> = gone.map(|event| event.client.clone()).collect();
        for (client, before) in &mut self.clients {
            if *before > Seq(0) || gone.contains(client) {
                *before = place;
            }
        }
        self.events.retain(|event| event.seq > place);
        self
    }
}

/// The clients of a pack, without its events.
pub(crate) fn clients_of(item: &Item) -> Result<BTreeMap<ClientId, Seq>, CallError> {
    let clients = item.get("clients").and_then(|value| value.as_m().ok());
    let client = |(client, seq): (&String, &AttributeValue)| {
        let seq =
            seq.as_n().ok().and_then(|seq| seq.parse().ok()).ok_or_else(|| malformed("clients"))?;
        Ok((ClientId(client.clone()), Seq(seq)))
    };
    clients.ok_or_else(|| malformed("clients"))?.iter().map(client).collect()
}

/// Cuts events where an item is full.
pub(crate) fn cut(events: &[StoredEvent]) -> Vec<&[StoredEvent]> {
    let mut packs = Vec::new();
    let (mut begin, mut bytes) = (0, 0);
    for (place, event) in events.iter().enumerate() {
        let size = size_of(event);
        if place > begin && bytes + size > limits::ITEM_BYTES {
            packs.push(&events[begin..place]);
            (begin, bytes) = (place, 0);
        }
        bytes += size;
    }
    packs.push(&events[begin..]);
    packs
}

/// An event in a pack: its text, and what that does not say.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    body: &'a RawValue,
    chain: String,
    #[serde(borrow, default)]
    aside: Option<&'a RawValue>,
}

/// What an event's text says.
#[derive(Deserialize)]
struct Body<'a> {
    seq: Seq,
    client: ClientId,
    n: N,
    from: Option<N>,
    at: u64,
    model: String,
    schema: u32,
    error: Option<Rejection>,
    #[serde(borrow)]
    action: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Typed {
    r#type: String,
}

fn size_of(event: &StoredEvent) -> usize {
    const AROUND: usize = 64;
    event.body.len() + event.aside.as_ref().map_or(0, String::len) + AROUND
}

fn written(events: &[StoredEvent]) -> Result<String, CallError> {
    let mut text = String::with_capacity(2 + events.iter().map(size_of).sum::<usize>());
    for event in events {
        text.push(if text.is_empty() { '[' } else { ',' });
        text.push_str(r#"{"body":"#);
        text.push_str(&event.body);
        text.push_str(r#","chain":""#);
        text.push_str(event.chain.as_str());
        text.push('"');
        if let Some(aside) = &event.aside {
            text.push_str(r#","aside":"#);
            text.push_str(aside);
        }
        text.push('}');
    }
    text.push(']');
    let (bytes, most) = (text.len(), limits::TEXT_BYTES);
    match bytes <= most {
        true => Ok(text),
        false => Err(CallError::TooLarge { what: "an event", bytes, most }),
    }
}

fn read(text: &str) -> Result<Vec<StoredEvent>, CallError> {
    let rows: Vec<Row<'_>> = serde_json::from_str(text).map_err(|_| malformed("events"))?;
    rows.iter().map(|row| event(row).ok_or_else(|| malformed("events"))).collect()
}

fn event(row: &Row<'_>) -> Option<StoredEvent> {
    let body: Body<'_> = serde_json::from_str(row.body.get()).ok()?;
    let Typed { r#type: kind } = serde_json::from_str(body.action.or(row.aside)?.get()).ok()?;
    Some(StoredEvent {
        seq: body.seq,
        client: body.client,
        n: body.n,
        from: body.from,
        at: body.at,
        kind,
        model: body.model,
        schema: body.schema,
        error: body.error,
        body: row.body.get().to_owned(),
        chain: Chain(row.chain.clone()),
        aside: row.aside.map(|aside| aside.get().to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use twinstore_server::log::conformance::Sample;

    use super::*;

    fn pack(events: Vec<StoredEvent>) -> Pack {
        let clients = [(ClientId("a".to_owned()), Seq(0)), (ClientId("b".to_owned()), Seq(7))];
        let last = events.last().map_or(Seq(0), |event| event.seq);
        Pack { last, append: "t".to_owned(), events, clients: clients.into() }
    }

    #[test]
    fn what_is_written_is_read() {
        let sample = Sample::new("m/x");
        let pack = pack(sample.append(4).events);
        let item = pack.to_item(&sample.stream).unwrap();
        assert_eq!(Pack::of_item(&item).unwrap(), pack);
        assert!(pack.events.iter().any(|event| event.error.is_some()));
    }

    #[test]
    fn whose_events_are_gone_is_sent_on_to_where_they_were() {
        let pack = pack(Sample::new("m/x").append(4).events).after(Seq(2));
        assert_eq!(pack.events.iter().map(|event| event.seq.0).collect::<Vec<_>>(), [3, 4]);
        let before = |client: &str| pack.clients.get(&ClientId(client.to_owned()));
        // The one had none there, the other had some further back.
        assert_eq!((before("a"), before("b")), (Some(&Seq(0)), Some(&Seq(2))));
        let own = Pack { clients: [(Sample::new("m/x").client, Seq(0))].into(), ..pack.clone() };
        assert_eq!(own.after(Seq(3)).clients.into_values().collect::<Vec<_>>(), [Seq(3)]);
    }

    #[test]
    fn packs_are_cut_where_they_are_full() {
        let mut events = Sample::new("m/x").append(5).events;
        for event in &mut events {
            event.body = "x".repeat(limits::ITEM_BYTES / 2 - 100);
        }
        let sizes: Vec<_> = cut(&events).iter().map(|pack| pack.len()).collect();
        assert_eq!(sizes, [2, 2, 1]);
        assert_eq!(cut(&events[..1]).len(), 1);
    }

    #[test]
    fn another_programs_item_is_an_error() {
        let mut item = pack(Sample::new("m/x").append(1).events)
            .to_item(&StreamId::parse("m/x").unwrap())
            .unwrap();
        item.insert("events".to_owned(), text("[{}]"));
        assert!(matches!(Pack::of_item(&item), Err(CallError::Malformed { what: "events" })));
    }
}
