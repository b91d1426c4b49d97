//! The merge: what new events mean for the actions that are shown but not confirmed yet.
//!
//! ```text
//!   confirmed   e1 e2            e1 e2 A1            e1 e2 B7
//!   shown             A1 A2            A1 A2 → A2          A1 A2 → A1' A2'
//!   event             A1 (ours)   Advance by 1        Rebase: B7 comes first
//! ```
//!
//! Pure and total. Keeps I1 (a confirmation in order changes nothing that is seen).

use twinstore_protocol::{ClientId, N};

/// What an event does to the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate<'a> {
    /// Nothing: a rejection of what is not shown here.
    Skip,
    /// It is folded: the accepted action of this client with this number.
    Fold(&'a ClientId, N),
    /// It takes a shown action away.
    Reject,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// Nothing changes.
    Ignore,
    /// The first `count` shown actions are confirmed and nothing else changes.
    Advance {
        /// How many.
        count: usize,
    },
    /// The first `count` shown actions are confirmed; from the event at `at` on, the order differs.
    Rebase {
        /// How many shown actions are confirmed before.
        count: usize,
        /// Where in `events` the difference begins.
        at: usize,
    },
}

/// Compares events, in the order of the log, with the shown actions, in the order they are shown.
pub fn merge<'a>(
    mut shown: impl Iterator<Item = (&'a ClientId, N)>,
    events: impl Iterator<Item = Fate<'a>>,
) -> Merge {
    let mut count = 0;
    for (at, fate) in events.enumerate() {
        match fate {
            Fate::Skip => {}
            Fate::Fold(client, n) if shown.next() == Some((client, n)) => count += 1,
            Fate::Fold(..) | Fate::Reject => return Merge::Rebase { count, at },
        }
    }
    if count == 0 { Merge::Ignore } else { Merge::Advance { count } }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenarios in letters: `A1` is action 1 of client A, `-` a skipped event, `!` a rejection of a shown one.
    #[track_caller]
    fn check(shown: &str, events: &str, expected: Merge) {
        let name = |word: &str| (ClientId(word[..1].to_owned()), N(word[1..].parse().unwrap()));
        let shown: Vec<_> = shown.split_whitespace().map(name).collect();
        let names: Vec<_> = events
            .split_whitespace()
            .map(|word| if word.len() > 1 { Some(name(word)) } else { None })
            .collect();
        let fates = names.iter().zip(events.split_whitespace()).map(|(name, word)| match name {
            Some((client, n)) => Fate::Fold(client, *n),
            None if word == "!" => Fate::Reject,
            None => Fate::Skip,
        });
        assert_eq!(merge(shown.iter().map(|(c, n)| (c, *n)), fates), expected);
    }

    #[test]
    fn own_actions_in_order_advance() {
        check("A1 A2 A3", "A1 A2", Merge::Advance { count: 2 });
        check("A1", "A1", Merge::Advance { count: 1 });
        check("A1 A2", "- A1 -", Merge::Advance { count: 1 });
    }

    #[test]
    fn nothing_to_fold_is_ignored() {
        check("A1", "", Merge::Ignore);
        check("A1", "- -", Merge::Ignore);
    }

    #[test]
    fn anything_else_rebases_from_where_it_differs() {
        check("A1 A2", "B1", Merge::Rebase { count: 0, at: 0 });
        check("A1 A2", "A1 B1 A2", Merge::Rebase { count: 1, at: 1 });
        check("A1 A2", "A2", Merge::Rebase { count: 0, at: 0 });
        check("A1 A2", "A1 !", Merge::Rebase { count: 1, at: 1 });
        check("", "A1", Merge::Rebase { count: 0, at: 0 });
    }
}
