//! Bugs on purpose, which the simulation must find (`crates/sim`). One at a time, for one thread.
//!
//! Without the feature `planted`, and so in everything that is shipped, [`is`] is false at compile time.

macro_rules! bugs {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// A bug that was, or might have been.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug { $($(#[$doc])* $name),* }

        impl Bug {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

bugs! {
    // The engine.
    /// An entry counts as stored when its write was ordered.
    SendBeforeStored,
    /// Entries that were sent before a link was lost come after newer ones.
    ResendOutOfOrder,
    /// Of a frame that overlaps the cursor all events are applied.
    EventsTwice,
    /// A snapshot is taken though the state here is newer.
    SnapshotOverNewer,
    /// A snapshot includes an entry that stays in the outbox.
    SnapshotLeavesEntry,
    /// A rejected action is still shown.
    RejectedStaysVisible,
    /// What was asked of a living link and lost is never asked again.
    LostIsNotAskedAgain,
    /// Events are folded into the state of a log that was reset.
    EventsIntoOldLog,
    /// What a journal brought back, and is settled, stays stored.
    SettledStaysStored,
    /// Who comes to lead still holds back what it held back as a follower.
    LeaderHidesOn,
    /// An app that is outdated is told a verdict with each new link.
    ToldWithEachLink,
    /// The next entry does not settle the numbers of those that were dropped or held.
    SkippedNumbersBlock,

    // The server.
    /// Events are told when their append is ordered.
    ToldBeforeCommit,
    /// An append whose outcome is unknown counts as done.
    UnknownIsDone,
    /// An action that was decided before is answered by nothing.
    VerdictForgotten,
    /// The number of a rejected action counts as never used.
    RejectedNumberUnused,
    /// An entry that settles numbers which have their verdict is taken.
    OverlapTaken,
    /// A cursor is compared by its place alone.
    LogNotCompared,
    /// A client that was forgotten counts as one that never sent anything.
    ForgottenIsNew,
    /// Events that are gone are skipped.
    GoneIsSkipped,
    /// After a failed append the state goes on as if it had not failed.
    FailedStateKept,

    // The driver, as the simulation plays it.
    /// A cursor is stored before the events that it names.
    CursorBeforeEvents,
    /// A journal's row goes when its transaction begins.
    JournalDroppedEarly,
    /// A page load counts from 1 under a name that was there before.
    NumbersAnew,
    /// Held entries do not outlive a reload.
    HeldForgotten,
    /// The locks of living clients are taken.
    LocksIgnored,
    /// The wall clock is the engine's time.
    WallClock,
    /// Events are stored behind others whose transaction failed.
    StoredWithGap,
    /// A later entry's transaction is done, and counts for earlier ones that failed.
    LaterMeansAll,
    /// A database that cannot be read counts as empty.
    UnreadIsEmpty,
    /// What a journal holds counts as all that its client left, though the database cannot be read.
    PartIsWhole,
    /// A tab leads as soon as it asks for the lock.
    LeadsWithoutLock,
    /// A leader that was replaced goes on writing.
    WriteWithoutFence,
}

/// Whether this bug is at work here.
#[cfg(not(feature = "planted"))]
#[must_use]
pub const fn is(_: Bug) -> bool {
    false
}

#[cfg(feature = "planted")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// Whether this bug is at work here.
#[cfg(feature = "planted")]
#[must_use]
pub fn is(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

/// Puts a bug to work, or none.
#[cfg(feature = "planted")]
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}
