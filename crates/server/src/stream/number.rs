//! What an entry's number means (I5): it settles its client's numbers `from..=n`.

use twinstore_protocol::planted::{self, Bug};
use twinstore_protocol::{N, code};

use super::ask::Number;
use crate::action::Refusal;

/// What is known of an entry's client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// Its last number; 0: none is known.
    pub(super) last: N,
    /// It is not known, and of so early a day that it may have been forgotten.
    pub(super) maybe_forgotten: bool,
    /// It is bound to another subject than the caller's.
    pub(super) is_others: bool,
}

impl Known {
    /// The last number as the caller is told it: of another's client nothing is known.
    pub(super) fn told(&self) -> N {
        if self.is_others { N(0) } else { self.last }
    }
}

/// What becomes of an entry.
pub(super) enum Place {
    /// It was decided before.
    Known(N),
    Take(N, Option<N>),
    Refuse(Refusal),
}

pub(super) fn place(number: Number, known: Known) -> Place {
    let Known { last, maybe_forgotten, is_others } = known;
    if is_others {
        return Place::Refuse(other_subject());
    }
    let (n, from) = match number {
        Number::Next => return Place::Take(last.next(), None),
        Number::Given { n, from } => (n, from),
    };
    let first = from.unwrap_or(n);
    if n <= last {
        Place::Known(n)
    } else if maybe_forgotten && !planted::is(Bug::ForgottenIsNew) {
        Place::Refuse(too_old())
    } else if first == last.next() || (first <= last && planted::is(Bug::OverlapTaken)) {
        Place::Take(n, from)
    } else if first > last.next() {
        Place::Refuse(gap(last, first))
    } else {
        Place::Refuse(overlap(last, first))
    }
}

/// Taken, it would use up another's numbers; answered, it would tell another's verdicts.
fn other_subject() -> Refusal {
    let reason = "its client is bound to another subject than the token names";
    Refusal { code: code::OTHER_SUBJECT, reason: reason.to_owned() }
}

/// Taken, it might count twice.
fn too_old() -> Refusal {
    let reason = "its client is not known any more: whether the action was decided cannot be told";
    Refusal { code: code::TOO_OLD, reason: reason.to_owned() }
}

fn gap(last: N, first: N) -> Refusal {
    let (missing, to) = (last.0 + 1, first.0 - 1);
    let reason = format!(
        "numbers {missing} to {to} of this client are missing: send the entry again with from {missing}"
    );
    Refusal { code: code::GAP, reason }
}

fn overlap(last: N, first: N) -> Refusal {
    let next = last.0 + 1;
    let reason = format!(
        "number {} of this client has its verdict: send the entry again with from {next}",
        first.0
    );
    Refusal { code: code::OVERLAP, reason }
}
