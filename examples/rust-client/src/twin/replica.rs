//! The confirmed and the visible state round the model.
//!
//! Keeps I1: visible = fold(confirmed, shown). Not here: which actions are shown and when (the engine).

use std::collections::VecDeque;

use serde::Deserialize;
use twinstore_engine::Rebase;
use twinstore_protocol::{Seq, StreamId};
use twinstore_reducer::{Ctx, Model, checksum, read, seed, take};

use super::Text;

/// Both states, and what lies between them.
#[derive(Debug)]
pub(crate) struct Replica<M: Model> {
    stream: StreamId,
    confirmed: M::State,
    visible: M::State,
    shown: VecDeque<Shown>,
}

/// An action laid over the confirmed state.
#[derive(Debug)]
struct Shown {
    action: Text,
    /// When it was replayed it was not valid: it changed nothing.
    skipped: bool,
}

impl<M: Model> Replica<M> {
    pub(crate) fn new(stream: &StreamId) -> Self {
        let (confirmed, visible) = (M::State::default(), M::State::default());
        Self { stream: stream.clone(), confirmed, visible, shown: VecDeque::new() }
    }

    pub(crate) fn visible(&self) -> &M::State {
        &self.visible
    }

    pub(crate) fn confirmed_text(&self) -> Text {
        serde_json::to_string(&self.confirmed).expect("a model's state has JSON").into()
    }

    pub(crate) fn checksum(&self) -> u64 {
        checksum(&serde_json::to_value(&self.confirmed).expect("a model's state has JSON"))
    }

    /// Shows one more action, if the model takes it.
    pub(crate) fn show(&mut self, action: Text) -> Result<(), String> {
        self.try_on(&action)?;
        self.shown.push_back(Shown { action, skipped: false });
        Ok(())
    }

    /// The first shown actions are confirmed. Where one cannot be folded, how far before the last of them.
    pub(crate) fn advance(&mut self, count: usize) -> Option<u64> {
        let (mut failed, mut skipped) = (None, false);
        for back in (0..count as u64).rev() {
            let Some(shown) = self.shown.pop_front() else { break };
            skipped |= shown.skipped;
            if fold::<M>(&mut self.confirmed, &self.stream, &shown.action).is_err() {
                failed = failed.or(Some(back));
            }
        }
        // What was skipped here counts all the same: the server has taken it.
        if skipped {
            let shown = self.shown.drain(..).map(|shown| shown.action).collect();
            self.replay(shown);
        }
        failed
    }

    /// Folds events, then replays what is shown. Gives the first event that cannot be folded.
    pub(crate) fn rebase(&mut self, rebase: Rebase<Text>) -> Option<Seq> {
        let mut failed = None;
        if rebase.anew {
            self.confirmed = M::State::default();
        }
        if let Some(base) = rebase.base {
            // What came from the server was read before; a file that does not hold a state of this model is
            // mended by the server's.
            match serde_json::from_str(base.as_str()) {
                Ok(state) => self.confirmed = state,
                Err(_) => failed = Some(rebase.events.first().map_or(Seq(0), |event| event.seq)),
            }
        }
        for event in &rebase.events {
            if fold::<M>(&mut self.confirmed, &self.stream, &event.action).is_err() {
                failed = failed.or(Some(event.seq));
            }
        }
        self.replay(rebase.shown);
        failed
    }

    /// Lays these actions over the confirmed state.
    fn replay(&mut self, actions: Vec<Text>) {
        self.visible = self.confirmed.clone();
        self.shown.clear();
        for action in actions {
            // What is not valid now changes nothing and stays pending: the server decides.
            let skipped = self.try_on(&action).is_err();
            self.shown.push_back(Shown { action, skipped });
        }
    }

    fn try_on(&mut self, action: &Text) -> Result<(), String> {
        let parsed = read::<M>(action.as_str())?;
        take::<M>(&mut self.visible, &parsed, &mut ctx(&self.stream, action))
    }
}

/// Applies what the server has accepted.
fn fold<M: Model>(state: &mut M::State, stream: &StreamId, action: &Text) -> Result<(), String> {
    let parsed = read::<M>(action.as_str())?;
    M::reduce(state, &parsed, &mut ctx(stream, action));
    Ok(())
}

/// Clock and dice by the action's stamp.
fn ctx(stream: &StreamId, action: &Text) -> Ctx {
    let Stamp { at, client, n } = stamp(action).unwrap_or_default();
    Ctx::new(at, seed(stream.as_str(), &client, n))
}

#[derive(Default, Deserialize)]
struct Stamp {
    at: u64,
    client: String,
    n: u64,
}

fn stamp(action: &Text) -> Option<Stamp> {
    #[derive(Deserialize)]
    struct Action {
        meta: Meta,
    }
    #[derive(Deserialize)]
    struct Meta {
        twin: Stamp,
    }
    serde_json::from_str::<Action>(action.as_str()).ok().map(|action| action.meta.twin)
}
