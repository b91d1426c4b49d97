//! What a worker is asked and what it answers.

use std::sync::Arc;

use twinstore_protocol::{
    Check, ClientFrom, ClientId, ClientRow, Cursor, LogId, N, Seq, VerdictRow,
};

use super::commit::Commit;
use crate::action::{ActionText, Refusal};
use crate::event::StoredEvent;

/// Who asks: one socket, or one HTTP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

impl SessionId {
    /// Whoever submitted to another process: no session here.
    pub const ELSEWHERE: Self = Self(0);
}

/// A question, and where the answer goes.
#[derive(Clone, Debug)]
pub struct Command<T> {
    /// The answer's address.
    pub to: T,
    /// Who asks.
    pub by: SessionId,
    /// What.
    pub ask: Ask,
}

/// A question to a worker.
#[derive(Clone, Debug)]
pub enum Ask {
    /// What lies after this cursor, and from then on everything.
    Join(Join),
    /// The page after this place; once the head is reached, everything from then on.
    Follow {
        /// The last place that was given.
        after: Seq,
    },
    /// Everything from now on, and first all records where they are wanted.
    Watch {
        /// Whether the records as they are come first.
        records: bool,
    },
    /// Decide these.
    Submit(Submission),
    /// The log's last place.
    Head,
    /// The state.
    State,
    /// All records.
    Records,
    /// Nothing more, please.
    Leave,
}

/// A cursor and whose verdicts are waited for.
#[derive(Clone, Debug)]
pub struct Join {
    /// Where the client stands.
    pub cursor: Option<Cursor>,
    /// Whose verdicts it waits for.
    pub clients: Vec<ClientFrom>,
    /// Whether a state is wanted where there is neither cursor nor event.
    pub empty_too: bool,
    /// As in [`Submission::subject`].
    pub subject: Option<Arc<str>>,
}

/// Entries to be decided in order.
#[derive(Clone, Debug, Default)]
pub struct Submission {
    /// The entries.
    pub entries: Vec<Submitted>,
    /// An entry behind them that cannot be taken: it ends the submission.
    pub then: Option<Refused>,
    /// All or nothing: where one entry would be refused none is taken.
    pub whole: bool,
    /// Whom the caller's token names; none where no tokens are asked for. Clients without a subject are bound to
    /// it; entries of those that have another are refused.
    pub subject: Option<Arc<str>>,
}

/// One entry.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// Who dispatched it.
    pub client: ClientId,
    /// Its number.
    pub number: Number,
    /// The action.
    pub action: ActionText,
    /// The schema of the app that made it; none: the model's own.
    pub schema: Option<u32>,
}

/// An entry's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// The client counted.
    Given {
        /// Its number.
        n: N,
        /// The first number it settles.
        from: Option<N>,
    },
    /// The one after the client's last; the server stamps the action.
    Next,
}

/// An entry that does not reach the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Whose entry.
    pub client: ClientId,
    /// Which number; none where the server counts.
    pub n: Option<N>,
    /// Why.
    pub refusal: Refusal,
    /// The client's last number that has a verdict.
    pub last: N,
}

/// An answer of a worker.
#[derive(Clone, Debug)]
pub enum Answer {
    /// To [`Ask::Join`].
    Joined(Box<Joined>),
    /// To [`Ask::Follow`].
    Page(Page),
    /// To [`Ask::Watch`].
    Watching {
        /// The head.
        seq: Seq,
        /// The records as of it, where they were wanted.
        records: Vec<(String, String)>,
    },
    /// To [`Ask::Submit`].
    Settled(Settled),
    /// To [`Ask::Head`].
    Head(Seq),
    /// To [`Ask::State`].
    State {
        /// The head.
        seq: Seq,
        /// The state's text as of it.
        state: Arc<str>,
    },
    /// To [`Ask::Records`].
    Records {
        /// The head.
        seq: Seq,
        /// The records as of it, in key order.
        records: Vec<(String, String)>,
    },
    /// To anything while the store does not answer: try again later.
    Unavailable,
    /// To anything: the stream cannot be folded; an operator must look.
    Halted,
}

/// A client's start or restart in a stream. All of it holds as of `head`.
#[derive(Clone, Debug)]
pub struct Joined {
    /// The log's id; none while it is empty.
    pub log: Option<LogId>,
    /// The log's last place.
    pub head: Seq,
    /// Whether the log does not hold the cursor.
    pub reset: bool,
    /// A row for each client that was named.
    pub rows: Vec<ClientRow>,
    /// What the client lacks.
    pub missing: Missing,
}

/// What a client lacks.
#[derive(Clone, Debug)]
pub enum Missing {
    /// These events, and more where the page is not the last.
    Events(Page),
    /// The state.
    State(State),
}

/// A state to be sent.
#[derive(Clone, Debug)]
pub struct State {
    /// The state is the fold up to here.
    pub seq: Seq,
    /// The chain there.
    pub chain: twinstore_protocol::Chain,
    /// Its JSON text.
    pub state: Arc<str>,
}

/// Events in order.
#[derive(Clone, Debug)]
pub struct Page {
    /// The log's id; none while it is empty.
    pub log: Option<LogId>,
    /// The place before the first of them.
    pub after: Seq,
    /// The events.
    pub events: Vec<StoredEvent>,
    /// Whether the head is reached: what follows is sent unasked.
    pub live: bool,
    /// The checksum of the state at the head, where that is reached.
    pub check: Option<Check>,
}

impl Page {
    /// Whether nothing is missing: another process may have compacted the stream meanwhile.
    pub(super) fn goes_on(&self) -> bool {
        self.events.first().map_or(self.live, |first| first.seq == self.after.next())
    }
}

/// What became of a submission.
#[derive(Clone, Debug)]
pub struct Settled {
    /// One for each entry that has a verdict, in order.
    pub outcomes: Vec<Outcome>,
    /// The entry that ended the submission, where one did.
    pub refused: Option<Refused>,
}

/// The verdict of one entry.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Decided now: the event at this index of this commit.
    New(Arc<Commit>, usize),
    /// Decided before.
    Known(VerdictRow),
}
