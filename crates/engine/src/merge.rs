//! The merge: what new events mean for the actions that are shown but not confirmed yet.
//!
//! ```text
//!   confirmed   e1 e2            e1 e2 A1            e1 e2 B7
//!   shown             A1 A2            A1 A2 → A2          A1 A2 → A1' A2'
//!   event             A1 (ours)   Advance by 1        Rebase: B7 comes first
//! ```
//!
//! Pure and total. Keeps I1 (a confirmation in order changes nothing that is seen).

use crate::Id;

/// What an event does to the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing: a rejection of what is not shown here.
    Skip,
    /// It is folded: the accepted action of this name.
    Fold(Id),
    /// It takes a shown action away, or puts another one in its place.
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
pub fn merge(mut shown: impl Iterator<Item = Id>, events: impl Iterator<Item = Fate>) -> Merge {
    let mut count = 0;
    for (at, fate) in events.enumerate() {
        match fate {
            Fate::Skip => {}
            Fate::Fold(id) if shown.next() == Some(id) => count += 1,
            Fate::Fold(_) | Fate::Reject => return Merge::Rebase { count, at },
        }
    }
    if count == 0 { Merge::Ignore } else { Merge::Advance { count } }
}

#[cfg(test)]
mod tests {
    use twinstore_protocol::N;

    use super::*;
    use crate::Client;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Scenarios in letters: `A1` is action 1 of client A, `-` a skipped event, `!` a rejection of a shown one.
    #[track_caller]
    fn check(shown: &str, events: &str, expected: Merge) {
        let name = |word: &str| Id {
            client: Client(u32::from(word.as_bytes()[0])),
            n: N(word[1..].parse().expect("a number")),
        };
        let shown = shown.split_whitespace().map(name);
        let fates = events.split_whitespace().map(|word| match word {
            "-" => Fate::Skip,
            "!" => Fate::Reject,
            word => Fate::Fold(name(word)),
        });
        assert_eq!(merge(shown, fates), expected);
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
