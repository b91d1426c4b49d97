//! A model's `authorize`, in a runtime of its own within the limits of a decision.

use super::{QuickJsReducer, Stopped};
use crate::log::StoredModel;
use crate::reducer::ReducerError;

/// A model that has a say in who gets in. It lives on one thread.
#[derive(Debug)]
pub(crate) struct Guard(QuickJsReducer);

impl Guard {
    /// None where the model exports no `authorize`.
    pub(crate) fn open(model: &StoredModel) -> Result<Option<Self>, ReducerError> {
        let reducer = QuickJsReducer::open(model, "authorize")?;
        Ok(reducer.authorizes.then_some(Self(reducer)))
    }

    /// What it says: only `true` is a yes, a throw is a no.
    ///
    /// # Errors
    /// It ran past its limits; it must not be asked again.
    pub(crate) fn allows(
        &self,
        ctx: &str,
        op: &str,
        stream: &str,
        now: u64,
    ) -> Result<bool, ReducerError> {
        // Times are below 2^53, where every whole number is exact.
        #[expect(clippy::cast_precision_loss, reason = "see above")]
        let now = now as f64;
        let args = (ctx, op, stream, now);
        let reducer = &self.0;
        let said = reducer.call(&reducer.calls.authorize, args, super::Allowance::Decide);
        match (said, reducer.budget.stopped.get()) {
            (Ok(said), Stopped::Not) => Ok(said == "yes"),
            (_, Stopped::Wall) => Err(ReducerError::Wall),
            (Err(reason), _) => Err(ReducerError::Engine { what: "authorize", reason }),
            (Ok(_), Stopped::Steps) => Err(ReducerError::Engine {
                what: "authorize",
                reason: "it ran for too long".to_owned(),
            }),
        }
    }
}
