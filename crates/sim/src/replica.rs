//! The confirmed and the visible state of a tab: what `src/replica.rs` is in the browser.

use std::collections::VecDeque;
use std::sync::Arc;

use twinstore_engine::StoredEvent;
use twinstore_protocol::Seq;

use crate::model::{Action, State};
use crate::wire::Item;

#[derive(Debug, Default)]
pub(crate) struct Replica {
    schema: u32,
    pub(crate) confirmed: State,
    pub(crate) visible: State,
    steps: VecDeque<Step>,
}

/// A shown action.
#[derive(Debug)]
struct Step {
    action: Arc<Action>,
    to: State,
    /// On replay it threw, or was not valid any more: it changed nothing.
    skipped: bool,
}

impl Replica {
    pub(crate) fn new(schema: u32) -> Self {
        Self { schema, ..Self::default() }
    }

    /// The ids of the shown actions, in order.
    pub(crate) fn shown(&self) -> impl Iterator<Item = u64> {
        self.steps.iter().map(|step| step.action.id)
    }

    /// The checksum of the confirmed state.
    pub(crate) fn sum(&self) -> u64 {
        let state = serde_json::to_value(self.confirmed).expect("numbers");
        twinstore_server::reducer::checksum(&state)
    }

    /// Shows one more action, which made this of the visible state.
    pub(crate) fn show(&mut self, action: Arc<Action>, to: State) {
        self.steps.push_back(Step { action, to, skipped: false });
        self.visible = to;
    }

    /// The first shown actions are confirmed. Gives the first that the server accepted and throws here.
    pub(crate) fn advance(&mut self, count: usize) -> Option<usize> {
        assert!(count <= self.steps.len(), "I1: more is confirmed than is shown");
        let rest = self.steps.split_off(count);
        let confirmed = std::mem::replace(&mut self.steps, rest);
        if confirmed.iter().all(|step| !step.skipped) {
            self.confirmed = confirmed.back().map_or(self.confirmed, |step| step.to);
            return None;
        }
        let mut failed = None;
        for (at, step) in confirmed.iter().enumerate() {
            match self.confirmed.reduce(self.schema, &step.action) {
                Ok(next) => self.confirmed = next,
                Err(_) => failed = failed.or(Some(at)),
            }
        }
        let rest: Vec<_> = self.steps.drain(..).map(|step| step.action).collect();
        self.replay(rest);
        failed
    }

    /// Folds events, then replays what is shown. Gives the first accepted event that threw here.
    pub(crate) fn rebase(
        &mut self,
        base: Option<State>,
        events: &[StoredEvent<Item>],
        shown: Vec<Arc<Action>>,
    ) -> Option<Seq> {
        let mut failed = None;
        self.confirmed = base.unwrap_or(self.confirmed);
        for event in events {
            match self.confirmed.reduce(self.schema, event.action.action()) {
                Ok(next) => self.confirmed = next,
                Err(_) => failed = failed.or(Some(event.seq)),
            }
        }
        self.replay(shown);
        failed
    }

    fn replay(&mut self, shown: Vec<Arc<Action>>) {
        self.visible = self.confirmed;
        self.steps.clear();
        for action in shown {
            let next = self.visible.reduce(self.schema, &action);
            self.visible = next.unwrap_or(self.visible);
            self.steps.push_back(Step { action, to: self.visible, skipped: next.is_err() });
        }
    }
}
