//! `twinstore state`: a stream's state at its head or at any place, and what differs between two
//! places, folded with the models kept in the store.

use clap::Args;
use serde_json::Value;
use twinstore_protocol::Seq;
use twinstore_server::analysis::{Difference, Past, difference};
use twinstore_server::reducer::QuickJs;

use crate::error::CliError;
use crate::output::{plain, print};
use crate::progress::Progress;
use crate::store::{Store, on_reducer_stack, stream};

/// A value of the readable list is cut after so many characters.
const VALUE_CHARS: usize = 120;

/// Print a stream's state, or what differs between two of its states.
#[derive(Clone, Debug, Args)]
pub(crate) struct State {
    /// The stream: MODEL/NAME.
    stream: String,
    /// Where events are kept: sqlite:FILE, postgres://USER@HOST/DATABASE or dynamodb:PREFIX.
    #[arg(long, value_name = "STORE", default_value = "sqlite:twinstore.db")]
    store: Store,
    /// The state as it was at this place; without it, at the head.
    #[arg(long, value_name = "SEQ")]
    at: Option<u64>,
    /// What leads from the state at --at to the state at this place: each path that differs, with
    /// its value before and after.
    #[arg(long, value_name = "SEQ", requires = "at")]
    diff: Option<u64>,
    /// The difference as a JSON Patch (RFC 6902) whose operations also have `before`.
    #[arg(long, requires = "diff")]
    json: bool,
}

impl State {
    pub(crate) fn run(&self) -> Result<(), CliError> {
        let state = self.clone();
        let text = on_reducer_stack(move || state.text())?;
        print(&text)
    }

    fn text(&self) -> Result<String, CliError> {
        let stream = stream(&self.stream)?;
        let log = self.store.open_read_only()?;
        let past = Past::of(&*log, &QuickJs, &stream)?;
        let at = self.at.map_or_else(|| past.head(), Seq);
        let places: Vec<_> = [at].into_iter().chain(self.diff.map(Seq)).collect();
        let mut progress = Progress::new("folded", past.cost(&places)?);
        let states = past.states(&places, &mut |events| {
            progress.add(events);
            true
        })?;
        let [from, to] = states.as_slice() else { return Ok(states.concat() + "\n") };
        let to = (places[1].0, to.as_str());
        let differences = difference((at.0, from), to).map_err(CliError::Diff)?;
        Ok(if self.json { as_patch(&differences) } else { as_list(&differences) })
    }
}

fn as_patch(differences: &[Difference]) -> String {
    let patch = serde_json::to_string_pretty(differences);
    patch.expect("a patch has string keys and finite numbers") + "\n"
}

/// A line for each path: `+ path value`, `- path value`, `~ path before → after`.
fn as_list(differences: &[Difference]) -> String {
    let line = |difference: &Difference| {
        let path = match difference.path() {
            root if root.is_empty() => "(the whole state)".to_owned(),
            path => plain(&path),
        };
        match (&difference.before, difference.after()) {
            (None, Some(after)) => format!("+ {path}  {}\n", short(after)),
            (Some(before), Some(after)) => {
                format!("~ {path}  {} → {}\n", short(before), short(after))
            }
            (Some(before), None) => format!("- {path}  {}\n", short(before)),
            (None, None) => format!("- {path}\n"),
        }
    };
    differences.iter().map(line).collect()
}

fn short(value: &Value) -> String {
    let text = plain(&value.to_string());
    match text.char_indices().nth(VALUE_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
