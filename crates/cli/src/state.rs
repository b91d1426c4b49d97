//! `twinstore state`: a stream's state at its head or at any place, folded with the models kept
//! in the store.

use clap::Args;
use twinstore_protocol::Seq;
use twinstore_server::fold::fold;
use twinstore_server::log::{Log, Page};
use twinstore_server::reducer::{QuickJs, ReducerError};

use crate::error::CliError;
use crate::store::{Store, stream};

/// Print a stream's state.
#[derive(Debug, Args)]
pub(crate) struct State {
    /// The stream: MODEL/NAME.
    stream: String,
    /// Where events are kept: sqlite:FILE.
    #[arg(long, value_name = "STORE", default_value = "sqlite:twinstore.db")]
    store: Store,
    /// The state as it was at this place; without it, at the head.
    #[arg(long, value_name = "SEQ")]
    at: Option<u64>,
}

impl State {
    pub(crate) fn run(&self) -> Result<(), CliError> {
        // A reducer's stack is larger than a main thread's.
        let fold = std::thread::Builder::new()
            .stack_size(twinstore_server::limits::THREAD_STACK)
            .spawn({
                let (name, store, at) = (self.stream.clone(), self.store.clone(), self.at);
                move || state_text(&name, &store, at)
            })
            .map_err(|source| CliError::Io { what: "cannot start a thread", source })?;
        let panicked = || ReducerError::Engine { what: "fold", reason: "it panicked".to_owned() };
        let text = fold.join().map_err(|_| CliError::Fold(panicked().into()))??;
        println!("{text}");
        Ok(())
    }
}

fn state_text(name: &str, store: &Store, at: Option<u64>) -> Result<String, CliError> {
    let stream = stream(name)?;
    let log = store.open_read_only()?;
    let no_stream = || CliError::NoStream(name.to_owned());
    let head = log.head(&stream)?.ok_or_else(no_stream)?.seq;
    let until = at.map_or(head, Seq);
    if until > head {
        return Err(CliError::BeyondHead { at: until.0, head: head.0 });
    }
    // The model that decided the event at that place, or before the first event the one of it.
    let before = Seq(until.0.max(1) - 1);
    let page = Page { events: 1, bytes: usize::MAX };
    let event = log.read(&stream, before, page)?.into_iter().next().ok_or_else(no_stream)?;
    let model = log.model(&event.model)?.ok_or(CliError::NoModel(event.model))?;
    let mut folded = fold(&log, &QuickJs, &stream, &model, until)?;
    Ok(folded.reducer.state().map_err(twinstore_server::fold::FoldError::from)?)
}
