//! An event as it is stored and as it travels: encoded once, however many read it.
//!
//! The stored body is the event's JSON text without its chain; the chain covers the body. Frames
//! are spliced from these texts (docs/PROTOCOL.md, "events").
//! Not here: who gets which form (`session.rs`).

use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest, Sha256};
use twinstore_protocol::{Chain, ClientId, N, Rejection, Seq};

/// An event as the log holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its place.
    pub seq: Seq,
    /// Whose action.
    pub client: ClientId,
    /// Which number.
    pub n: N,
    /// The first number it settles, where the entry said so.
    pub from: Option<N>,
    /// The server's time.
    pub at: u64,
    /// The action's `type`.
    pub kind: String,
    /// The hash of the model that decided it.
    pub model: String,
    /// The schema of that model.
    pub schema: u32,
    /// Why it was rejected.
    pub error: Option<Rejection>,
    /// The event's JSON text, without its chain.
    pub body: String,
    /// What came before, and this.
    pub chain: Chain,
    /// The action of a rejected event, which is not part of the body.
    pub aside: Option<String>,
}

/// What an event is made of.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// Its place.
    pub seq: Seq,
    /// Whose action.
    pub client: &'a ClientId,
    /// Which number.
    pub n: N,
    /// The first number it settles, where the entry said so.
    pub from: Option<N>,
    /// The server's time.
    pub at: u64,
    /// The action's `type`.
    pub kind: &'a str,
    /// The hash of the model that decides.
    pub model: &'a str,
    /// Its schema.
    pub schema: u32,
    /// The action's text.
    pub action: &'a str,
}

impl StoredEvent {
    /// Makes the event that follows `previous`.
    #[must_use]
    pub fn new(previous: &Chain, parts: Parts<'_>, error: Option<Rejection>) -> Self {
        let mut body = head_of(&parts);
        match &error {
            None => push(&mut body, format_args!(r#","action":{}}}"#, parts.action)),
            Some(error) => push(&mut body, format_args!(r#","error":{}}}"#, json(error))),
        }
        Self {
            seq: parts.seq,
            client: parts.client.clone(),
            n: parts.n,
            from: parts.from,
            at: parts.at,
            kind: parts.kind.to_owned(),
            model: parts.model.to_owned(),
            schema: parts.schema,
            chain: chain(previous, &body),
            body,
            aside: error.is_some().then(|| parts.action.to_owned()),
            error,
        }
    }

    /// The text with everything: what is sent of accepted events, and of rejected ones to those
    /// who wait for them.
    #[must_use]
    pub fn full(&self) -> String {
        with_chain(&self.body, &self.chain)
    }

    /// Place and chain only: what others are sent of a rejected event.
    #[must_use]
    pub fn bare(&self) -> String {
        format!(r#"{{"seq":{},"chain":"{}"}}"#, self.seq.0, self.chain)
    }

    /// The text without the action: what the socket that pushed it is sent.
    #[must_use]
    pub fn short(&self) -> String {
        if self.error.is_some() {
            return self.full();
        }
        let mut text = head_of(&self.parts());
        text.push('}');
        with_chain(&text, &self.chain)
    }

    /// The text with everything, and a rejected action as well: for people and programs that look
    /// at the log.
    #[must_use]
    pub fn whole(&self) -> String {
        match &self.aside {
            None => self.full(),
            Some(action) => {
                let body = self.body.trim_end_matches('}');
                // The error object closes with one brace of those that were cut.
                with_chain(&format!(r#"{body}}},"action":{action}}}"#), &self.chain)
            }
        }
    }

    /// [`StoredEvent::whole`] in one line. An action keeps its client's own text, line breaks and
    /// all; in JSON they stand only between values.
    #[must_use]
    pub fn line(&self) -> String {
        self.whole().replace(['\n', '\r'], " ")
    }

    /// The action's text, of an accepted event.
    #[must_use]
    pub fn action(&self) -> Option<&str> {
        if self.error.is_some() {
            return None;
        }
        let start = head_of(&self.parts()).len() + r#","action":"#.len();
        self.body.get(start..self.body.len().checked_sub(1)?)
    }

    /// Whether its fields say what its text says.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        #[derive(serde::Deserialize)]
        struct Typed {
            r#type: String,
        }
        let action = self.decided();
        let parts = Parts { action, ..self.parts() };
        // The chain does not matter here: it is made of the text.
        let again = Self::new(&Chain::default(), parts, self.error.clone());
        let typed = serde_json::from_str::<Typed>(action);
        again.body == self.body && typed.is_ok_and(|typed| typed.r#type == self.kind)
    }

    /// The action's text, whatever its verdict.
    #[must_use]
    pub fn decided(&self) -> &str {
        self.action().or(self.aside.as_deref()).unwrap_or_default()
    }

    /// The first number it settles.
    #[must_use]
    pub fn first_n(&self) -> N {
        self.from.unwrap_or(self.n)
    }

    fn parts(&self) -> Parts<'_> {
        Parts {
            seq: self.seq,
            client: &self.client,
            n: self.n,
            from: self.from,
            at: self.at,
            kind: &self.kind,
            model: &self.model,
            schema: self.schema,
            action: "",
        }
    }
}

/// The first 8 bytes of SHA-256(previous chain ‖ body), in hex.
#[must_use]
pub fn chain(previous: &Chain, body: &str) -> Chain {
    let mut hash = Sha256::new();
    hash.update(previous.as_str().as_bytes());
    hash.update(body.as_bytes());
    Chain(hex(&hash.finalize()[..8]))
}

/// Bytes in lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        push(&mut text, format_args!("{byte:02x}"));
        text
    })
}

/// A value's JSON text.
pub(crate) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("our own types have string keys and finite numbers")
}

pub(crate) fn push(text: &mut String, args: std::fmt::Arguments<'_>) {
    text.write_fmt(args).expect("a string takes all that is written");
}

fn head_of(parts: &Parts<'_>) -> String {
    let mut text = String::with_capacity(160 + parts.action.len());
    push(
        &mut text,
        format_args!(
            r#"{{"seq":{},"client":{},"n":{}"#,
            parts.seq.0,
            json(parts.client),
            parts.n.0
        ),
    );
    if let Some(from) = parts.from {
        push(&mut text, format_args!(r#","from":{}"#, from.0));
    }
    push(
        &mut text,
        format_args!(r#","at":{},"model":"{}","schema":{}"#, parts.at, parts.model, parts.schema),
    );
    text
}

fn with_chain(body: &str, chain: &Chain) -> String {
    let open = &body[..body.len() - 1];
    format!(r#"{open},"chain":"{chain}"}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(error: Option<Rejection>) -> StoredEvent {
        let parts = Parts {
            seq: Seq(2),
            client: &ClientId("c\"1".to_owned()),
            n: N(3),
            from: Some(N(2)),
            at: 7,
            kind: "a",
            model: "00ff",
            schema: 1,
            action: r#"{"type":"a", "x":1.0}"#,
        };
        StoredEvent::new(&Chain("8a1f0c2e4b6d7f90".to_owned()), parts, error)
    }

    #[test]
    fn accepted_forms() {
        let event = event(None);
        assert_eq!(
            event.body,
            r#"{"seq":2,"client":"c\"1","n":3,"from":2,"at":7,"model":"00ff","schema":1,"action":{"type":"a", "x":1.0}}"#
        );
        assert_eq!(event.action(), Some(r#"{"type":"a", "x":1.0}"#));
        assert_eq!(event.full(), event.whole());
        assert!(event.short().contains(r#""schema":1,"chain":""#));
        assert_eq!(event.chain.as_str().len(), 16);
    }

    #[test]
    fn rejected_forms() {
        let error = Rejection { code: "invalid".to_owned(), reason: "no } here}}".to_owned() };
        let event = event(Some(error.clone()));
        assert_eq!(event.action(), None);
        let sent: twinstore_protocol::Event<serde_json::Value> =
            serde_json::from_str(&event.full()).unwrap();
        assert_eq!((sent.error, sent.action), (Some(error), None));
        let whole: twinstore_protocol::Event<serde_json::Value> =
            serde_json::from_str(&event.whole()).unwrap();
        assert_eq!(whole.action.unwrap()["x"], 1.0);
        assert_eq!(event.bare(), format!(r#"{{"seq":2,"chain":"{}"}}"#, event.chain));
    }

    #[test]
    fn the_chain_is_of_the_previous_chain_and_the_body() {
        assert_eq!(chain(&Chain::default(), "abc").as_str(), "ba7816bf8f01cfea");
        assert_eq!(chain(&Chain("a".to_owned()), "bc").as_str(), "ba7816bf8f01cfea");
    }
}
