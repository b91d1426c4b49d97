//! The model of the simulated app: small states in which every difference of order shows.
//!
//! The state is a count, a hash over the accepted actions in order, and a few slots that can be claimed:
//! so that verdicts depend on what came before. Schema 2 knows one more type of action.
//! The same functions are the client's reducer and, through the server's trait, the server's.

use std::fmt::Write as _;
use std::sync::Mutex;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use twinstore_protocol::{ClientId, N};
use twinstore_server::log::StoredModel;
use twinstore_server::reducer::{
    Change, Decision, Reducer, ReducerEngine, ReducerError, Step, Upcast,
};

use crate::dice::Dice;

/// How many slots there are to claim.
pub(crate) const SLOTS: usize = 6;

/// What an action asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Counts; always taken.
    Put,
    /// Takes a slot that is free; not valid otherwise.
    Claim,
    /// Frees a slot; throws where it is free already.
    Free,
    /// Runs past the server's limits.
    Loop,
    /// Known from schema 2 on; older models throw.
    Newer,
}

/// What makes a server refuse an action before its model sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    Large,
    Deep,
    NotPlain,
}

/// One action, with its stamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Action {
    /// Given once in a world.
    pub(crate) id: u64,
    pub(crate) kind: Kind,
    pub(crate) slot: usize,
    pub(crate) client: ClientId,
    pub(crate) n: N,
    pub(crate) at: u64,
    pub(crate) flaw: Flaw,
}

/// The state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) count: u64,
    pub(crate) hash: u64,
    pub(crate) slots: [u64; SLOTS],
}

/// Why a state does not take an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum No {
    Invalid,
    Threw,
    Limit,
}

impl State {
    /// The client's reducer with its `validate`: the next state.
    pub(crate) fn reduce(&self, schema: u32, action: &Action) -> Result<Self, No> {
        let mut next = *self;
        match action.kind {
            Kind::Put | Kind::Loop => {}
            Kind::Claim if self.slots[action.slot] != 0 => return Err(No::Invalid),
            Kind::Claim => next.slots[action.slot] = action.id,
            Kind::Free if self.slots[action.slot] == 0 => return Err(No::Threw),
            Kind::Free => next.slots[action.slot] = 0,
            Kind::Newer if schema < 2 => return Err(No::Threw),
            Kind::Newer => next.hash = next.hash.rotate_left(7),
        }
        next.count += 1;
        next.hash = Dice::new(next.hash ^ action.id).draw();
        Ok(next)
    }

    /// What the server's model says.
    pub(crate) fn decide(&self, schema: u32, action: &Action) -> Result<Self, No> {
        if action.kind == Kind::Loop { Err(No::Limit) } else { self.reduce(schema, action) }
    }
}

impl Action {
    /// The action as JSON text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::with_capacity(160);
        let Self { id, kind, slot, client, n, at, flaw } = self;
        let kind = serde_json::to_string(kind).expect("a name");
        let extra = match flaw {
            Flaw::None => String::new(),
            Flaw::Large => format!(r#","pad":"{}""#, "x".repeat(ACTION_BYTES as usize)),
            Flaw::Deep => format!(r#","deep":{}{}"#, "[".repeat(20), "]".repeat(20)),
            Flaw::NotPlain => r#","__proto__":{}"#.to_owned(),
        };
        write!(
            text,
            r#"{{"type":{kind},"payload":{{"id":{id},"slot":{slot}{extra}}},"meta":{{"twin":{{"id":"a{id}","at":{at},"client":"{client}","n":{n}}}}}}}"#,
            n = n.0
        )
        .expect("a String takes all");
        text
    }
}

/// The most bytes of an action that the simulated servers take.
pub(crate) const ACTION_BYTES: u32 = 400;

impl Serialize for Action {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.text()).expect("it is JSON").serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Text {
            r#type: Kind,
            payload: Payload,
            meta: Meta,
        }
        #[derive(Deserialize)]
        struct Payload {
            id: u64,
            slot: usize,
        }
        #[derive(Deserialize)]
        struct Meta {
            twin: Stamp,
        }
        #[derive(Deserialize)]
        struct Stamp {
            at: u64,
            client: ClientId,
            n: N,
        }
        let Text { r#type: kind, payload, meta: Meta { twin } } = Text::deserialize(deserializer)?;
        let Payload { id, slot } = payload;
        let Stamp { at, client, n } = twin;
        Ok(Self { id, kind, slot, client, n, at, flaw: Flaw::None })
    }
}

/// The model as the log keeps it.
pub(crate) fn stored_model(schema: u32) -> StoredModel {
    StoredModel {
        hash: format!("{schema:016x}"),
        name: MODEL.to_owned(),
        schema,
        source: String::new(),
    }
}

/// Its name.
pub(crate) const MODEL: &str = "list";

/// What the server runs models in: this file's functions, now and then given up by the wall clock.
#[derive(Debug)]
pub(crate) struct Native(pub(crate) Mutex<Stalls>);

/// How often a decision is given up.
#[derive(Debug)]
pub(crate) struct Stalls {
    pub(crate) dice: Dice,
    pub(crate) per_mille: u32,
    pub(crate) count: u64,
}

impl Stalls {
    fn roll(&mut self) -> bool {
        let stalled = self.per_mille > 0 && self.dice.chance(self.per_mille);
        self.count += u64::from(stalled);
        stalled
    }
}

/// [`Native`] behind the trait.
#[derive(Clone, Debug)]
pub(crate) struct NativeEngine(pub(crate) std::sync::Arc<Native>);

impl ReducerEngine for NativeEngine {
    fn open(&self, model: &StoredModel, _: &str) -> Result<Box<dyn Reducer>, ReducerError> {
        let (state, told) = (State::default(), State::default());
        Ok(Box::new(Running { schema: model.schema, state, told, native: self.clone() }))
    }
}

#[derive(Debug)]
struct Running {
    schema: u32,
    state: State,
    /// As of the last call of `changes`.
    told: State,
    native: NativeEngine,
}

impl Reducer for Running {
    fn load(&mut self, state: Option<&str>) -> Result<(), ReducerError> {
        self.state = match state {
            None => State::default(),
            Some(text) => serde_json::from_str(text).map_err(|error| ReducerError::Engine {
                what: "read a state",
                reason: error.to_string(),
            })?,
        };
        self.told = self.state;
        Ok(())
    }

    fn migrate(&mut self, state: &str, _: u32) -> Result<(), ReducerError> {
        self.load(Some(state))
    }

    fn upcast(&mut self, _: Step<'_>, _: u32) -> Result<Upcast, ReducerError> {
        Ok(Upcast::Same)
    }

    fn decide(&mut self, step: Step<'_>) -> Result<Decision, ReducerError> {
        if self.native.0.0.lock().expect("no panic while it was held").roll() {
            return Err(ReducerError::Wall);
        }
        let action = parse(step.action)?;
        Ok(match self.state.decide(self.schema, &action) {
            Ok(next) => {
                self.state = next;
                Decision::Accepted
            }
            Err(No::Invalid) => Decision::Invalid("the slot is taken".to_owned()),
            Err(No::Threw) => Decision::Threw("it threw".to_owned()),
            Err(No::Limit) => Decision::Limit("too many steps".to_owned()),
        })
    }

    fn fold(&mut self, step: Step<'_>) -> Result<(), ReducerError> {
        let action = parse(step.action)?;
        let next = self.state.reduce(self.schema, &action);
        self.state = next.map_err(|no| ReducerError::Fold(format!("{no:?}")))?;
        Ok(())
    }

    fn changes(&mut self) -> Result<Vec<Change>, ReducerError> {
        let changed = self.told != self.state;
        self.told = self.state;
        Ok(if changed { vec![(MODEL.to_owned(), Some(json(&self.state)))] } else { Vec::new() })
    }

    fn records(&mut self) -> Result<Vec<(String, String)>, ReducerError> {
        Ok(vec![(MODEL.to_owned(), json(&self.state))])
    }

    fn state(&mut self) -> Result<String, ReducerError> {
        Ok(json(&self.state))
    }
}

fn parse(text: &str) -> Result<Action, ReducerError> {
    serde_json::from_str(text).map_err(|error| ReducerError::Fold(error.to_string()))
}

fn json(state: &State) -> String {
    serde_json::to_string(state).expect("numbers")
}
