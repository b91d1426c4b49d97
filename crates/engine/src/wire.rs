//! Between the frames of the wire and what the engine moves, for native drivers, which have serde. In the browser
//! `src/codec.rs` does the same without it.

use twinstore_protocol::{
    ClientFrom, ClientRow, Entry as WireEntry, ErrorFrame, Event as WireEvent,
    Events as WireEvents, Hello, Leave, Ping, Pong, Pull, Push, Refused, SnapshotPart as WirePart,
    StreamId, VERSION, VERSION_MIN, Verdicts, Welcome as WireWelcome,
};

use crate::{
    Client, Engine, Event, Events, Frame, Id, Message, Refusal, SnapshotPart, Standing, Verdict,
    Welcome,
};

/// A frame of the server.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming<A> {
    /// The answer to our hello.
    Welcome(WireWelcome),
    /// Events, in order.
    Events(WireEvents<A>),
    /// A part of a state.
    Snapshot(WirePart),
    /// Verdicts of actions decided before.
    Verdicts(Verdicts),
    /// An entry that never reached the model.
    Refused(Refused),
    /// The answer to our ping.
    Pong(Pong),
    /// A frame of ours that could not be taken.
    Error(ErrorFrame),
}

/// A frame for the server.
#[derive(Clone, Debug, PartialEq)]
pub enum Outgoing<A> {
    /// Here I am.
    Hello(Hello),
    /// Actions for the log.
    Push(Push<A>),
    /// Events after a cursor, please.
    Pull(Pull),
    /// Are you there?
    Ping(Ping),
    /// No more of this stream.
    Leave(Leave),
}

impl<A: Clone> Engine<A> {
    /// A frame as the engine takes it. `text` makes of a piece of text what the driver joins later. None: it is
    /// about another stream.
    pub fn read(
        &self,
        stream: &StreamId,
        frame: Incoming<A>,
        text: impl Fn(String) -> A,
    ) -> Option<Message<A>> {
        let (of, message) = match frame {
            Incoming::Welcome(w) => {
                let settled = self.read_rows(&w.clients).0;
                let (head, reset, schema) = (w.head, w.reset, w.schema);
                let (ping_ms, limits) = (w.ping_ms, w.limits);
                let welcome = Welcome { head, reset, schema, ping_ms, limits, settled };
                (w.stream, Message::Welcome(welcome))
            }
            Incoming::Events(e) => {
                let events = e.events.into_iter().map(|event| self.read_event(event)).collect();
                let (log, after, check) = (e.log, e.after, e.check);
                (e.stream, Message::Events(Events { log, after, events, check }))
            }
            Incoming::Snapshot(p) => {
                let part = SnapshotPart {
                    log: p.log,
                    seq: p.seq,
                    chain: p.chain,
                    part: p.part,
                    parts: p.parts,
                    bytes: p.data.len(),
                    data: text(p.data),
                };
                (p.stream, Message::Snapshot(part))
            }
            Incoming::Verdicts(v) => {
                let row = |row: twinstore_protocol::VerdictRow| Verdict {
                    id: Id { client: self.client(row.client.as_str()), n: row.n },
                    seq: row.seq,
                    error: row.error,
                };
                (v.stream, Message::Verdicts(v.verdicts.into_iter().map(row).collect()))
            }
            Incoming::Refused(r) => {
                let id = Id { client: self.client(r.client.as_str()), n: r.n };
                let refusal = Refusal::of(&r.code);
                (r.stream, Message::Refused { id, refusal, last: r.last })
            }
            Incoming::Pong(p) => (p.stream, Message::Pong(p.head)),
            Incoming::Error(e) => {
                let here = e.stream.is_none_or(|of| of == stream.as_str());
                return here.then_some(Message::Failed);
            }
        };
        (of == *stream).then_some(message)
    }

    fn read_event(&self, event: WireEvent<A>) -> Event<A> {
        let (seq, action, error, chain) = (event.seq, event.action, event.error, event.chain);
        let id = event.client.zip(event.n);
        let id = id.map(|(name, n)| Id { client: self.client(name.as_str()), n });
        Event { seq, id, action, error, chain }
    }

    /// What the server knows of our clients: each one's last number, and all rejections.
    #[must_use]
    pub fn read_rows(&self, rows: &[ClientRow]) -> (Vec<Id>, Vec<Verdict>) {
        let (mut settled, mut rejections) = (Vec::new(), Vec::new());
        for row in rows {
            let client = self.client(row.client.as_str());
            settled.push(Id { client, n: row.last });
            for r in &row.rejections {
                let id = Id { client, n: r.n };
                rejections.push(Verdict { id, seq: r.seq, error: Some(r.error.clone()) });
            }
        }
        (settled, rejections)
    }

    /// A frame as it travels. `token`: what the hello shall carry.
    pub fn write(&self, stream: &StreamId, token: Option<String>, frame: Frame<A>) -> Outgoing<A> {
        let stream = stream.clone();
        match frame {
            Frame::Hello(Standing { cursor, waiting }) => Outgoing::Hello(Hello {
                v: VERSION,
                min: VERSION_MIN,
                stream,
                cursor,
                schema: self.config.schema,
                clients: self.write_waiting(&waiting),
                token,
            }),
            Frame::Pull(Standing { cursor, waiting }) => {
                Outgoing::Pull(Pull { stream, cursor, clients: self.write_waiting(&waiting) })
            }
            Frame::Push(entries) => {
                let entry = |e: crate::Entry<A>| WireEntry {
                    client: self.name(e.id.client),
                    n: e.id.n,
                    from: (e.from != e.id.n).then_some(e.from),
                    // The hello carries the app's own schema; only older entries name theirs.
                    schema: (e.schema != self.config.schema).then_some(e.schema),
                    action: e.action,
                };
                Outgoing::Push(Push { stream, entries: entries.into_iter().map(entry).collect() })
            }
            Frame::Ping => Outgoing::Ping(Ping { stream }),
            Frame::Leave => Outgoing::Leave(Leave { stream }),
        }
    }

    fn write_waiting(&self, waiting: &[Id]) -> Vec<ClientFrom> {
        let row = |id: &Id| ClientFrom { client: self.name(id.client), from: id.n };
        waiting.iter().map(row).collect()
    }

    fn name(&self, client: Client) -> twinstore_protocol::ClientId {
        twinstore_protocol::ClientId(self.client_name(client).to_owned())
    }
}
