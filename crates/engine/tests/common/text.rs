//! Texts: snapshots as the small server writes them, and what tests compare.

use twinstore_engine::wire::Outgoing;
use twinstore_engine::{Engine, Input, Notice, Output};
use twinstore_protocol::{ClientId, ClientRow, Cursor, Entry, N, RejectionRow, Seq};

use super::{Value, action, rejection};

/// Reads what [`Server::snapshot`] wrote.
pub(crate) fn read_snapshot(engine: &Engine<Value>, text: &str) -> Input<Value> {
    let (state, rows) = text.split_once('|').expect("a state and rows");
    let row = |row: &str| {
        let [client, last, rejections] = fields(row, '=');
        let rejections = list(rejections, ',').map(|pair| {
            let [n, seq] = fields(pair, '@');
            RejectionRow { n: N(number(n)), seq: Seq(number(seq)), error: rejection() }
        });
        ClientRow {
            client: ClientId(client.to_owned()),
            last: N(number(last)),
            rejections: rejections.collect(),
        }
    };
    let rows: Vec<_> = list(rows, ';').map(row).collect();
    let (settled, rejections) = engine.read_rows(&rows);
    let state = Value::State(list(state, ',').map(number).collect());
    Input::SnapshotRead { state, settled, rejections }
}

fn list(text: &str, separator: char) -> impl Iterator<Item = &str> {
    text.split(separator).filter(|part| !part.is_empty())
}

fn fields<const COUNT: usize>(text: &str, separator: char) -> [&str; COUNT] {
    let parts: Vec<_> = text.split(separator).collect();
    parts.try_into().expect("as many fields as were written")
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

pub(crate) fn render_frame(frame: &Outgoing<Value>) -> String {
    match frame {
        Outgoing::Hello(hello) => format!("hello {}", render_cursor(hello.cursor.as_ref())),
        Outgoing::Push(push) => {
            let entry = |e: &Entry<Value>| match e.from {
                None => format!("n{}", e.n.0),
                Some(from) => format!("n{} from {}", e.n.0, from.0),
            };
            push.entries.iter().map(entry).collect::<Vec<_>>().join(", ")
        }
        Outgoing::Pull(pull) => format!("pull {}", render_cursor(pull.cursor.as_ref())),
        Outgoing::Ping(_) => "ping".to_owned(),
        Outgoing::Leave(_) => "leave".to_owned(),
    }
}

fn render_cursor(cursor: Option<&Cursor>) -> String {
    cursor.map_or_else(|| "nothing".to_owned(), |c| format!("{}", c.chain))
}

pub(crate) fn kind(output: &Output<Value>) -> &'static str {
    match output {
        Output::Enqueue(_) | Output::Replace(..) | Output::Persist(_) => "persist",
        Output::Compact(_) => "compact",
        Output::Reread => "reread",
        Output::OpenLink => "open",
        Output::CloseLink => "close",
        Output::Transmit(_) => "transmit",
        Output::ReadSnapshot(_) => "read",
        Output::Advance(_) | Output::Rebase(_) => "apply",
        Output::Compare { .. } => "compare",
        Output::AskLeader => "ask",
        Output::Notify(_) => "notify",
    }
}

pub(crate) fn render(notice: &Notice<Value>) -> String {
    match notice {
        Notice::Verdict { id, seq, action: a, error: None } => {
            format!("confirmed {} n{} seq{}", action(a), id.n.0, seq.0)
        }
        Notice::Verdict { id, seq, action: a, error: Some(error) } => {
            format!("rejected {} n{} seq{}: {}", action(a), id.n.0, seq.0, error.reason)
        }
        Notice::Held { id, reason, action: a } => {
            format!("held {} n{} {}", action(a), id.n.0, reason.as_str())
        }
        Notice::Diverged(seq) => format!("diverged seq{}", seq.0),
        Notice::Reset(held) => format!("reset {held}"),
    }
}
