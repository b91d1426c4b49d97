//! Asks models that export `authorize(ctx, op, stream)`, on a thread of its own: a runtime lives
//! on one thread, and no stream needs to be loaded to be refused.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use twinstore_protocol::StreamId;

use super::{AuthError, Grant};
use crate::limits;
use crate::log::StoredModel;
use crate::model::Models;
use crate::random;
use crate::reducer::{Engines, Guard};

/// The thread and the models that have a say.
#[derive(Debug)]
pub(super) struct Authorizer {
    models: BTreeMap<String, Arc<StoredModel>>,
    questions: mpsc::Sender<Question>,
}

struct Question {
    model: Arc<StoredModel>,
    ctx: String,
    op: &'static str,
    stream: String,
    answer: oneshot::Sender<bool>,
}

impl Authorizer {
    /// None where no model has a say. Those in Rust have none.
    ///
    /// # Errors
    /// [`AuthError`]: a model that may have a say must not be passed over.
    pub(super) fn start(models: &Models, engines: &Engines) -> Result<Option<Self>, AuthError> {
        let mut asked = BTreeMap::new();
        for (name, model) in models.iter().filter(|(_, model)| !engines.holds(&model.hash)) {
            let guard = Guard::open(model)
                .map_err(|source| AuthError::Model { model: name.clone(), source })?;
            if guard.is_some() {
                asked.insert(name.clone(), Arc::clone(model));
            }
        }
        let models = asked;
        if models.is_empty() {
            return Ok(None);
        }
        let (questions, asked) = mpsc::channel(limits::AUTHORIZE_QUEUE);
        let thread = thread::Builder::new().name("authorize".to_owned());
        thread
            .stack_size(limits::THREAD_STACK)
            .spawn(move || answer(asked))
            .map_err(AuthError::Thread)?;
        Ok(Some(Self { models, questions }))
    }

    /// What the model says; yes where it has no say, no where it cannot be asked.
    pub(super) async fn allows(&self, grant: &Grant, op: &'static str, stream: &StreamId) -> bool {
        let Some(model) = self.models.get(stream.model()) else { return true };
        let ctx = json!({ "subject": grant.subject().map(|s| &**s), "claims": grant.claims() })
            .to_string();
        let (answer, answered) = oneshot::channel();
        let stream = stream.as_str().to_owned();
        let question = Question { model: Arc::clone(model), ctx, op, stream, answer };
        self.questions.send(question).await.is_ok() && answered.await.unwrap_or(false)
    }
}

fn answer(mut asked: mpsc::Receiver<Question>) {
    let mut guards: BTreeMap<String, Guard> = BTreeMap::new();
    while let Some(Question { model, ctx, op, stream, answer }) = asked.blocking_recv() {
        // One that failed is not used again.
        let guard = match guards.remove(&model.name) {
            Some(guard) => Some(guard),
            None => Guard::open(&model).ok().flatten(),
        };
        let said = guard.map(|guard| (guard.allows(&ctx, op, &stream, random::now()), guard));
        let allowed = match said {
            Some((Ok(allowed), guard)) => {
                guards.insert(model.name.clone(), guard);
                allowed
            }
            Some((Err(error), _)) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, model = model.name, "authorize was stopped: that is a no");
                false
            }
            None => false,
        };
        // Whoever asked may be gone.
        let _ = answer.send(allowed);
    }
}
