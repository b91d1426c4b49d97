//! What happened, counted: faults that were injected, and what came of them.

use std::fmt;

macro_rules! counts {
    ($($group:literal: { $($name:ident $text:literal),* $(,)? })*) => {
        /// Something that is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each has its words below")]
        pub enum Count { $($($name),*),* }

        impl Count {
            /// All of them, with their groups and words, in the order of the table.
            pub const ALL: &'static [(Self, &'static str, &'static str)] =
                &[$($((Self::$name, $group, $text)),*),*];
        }
    };
}

counts! {
    "network": {
        FrameDropped "frame dropped",
        FrameDuplicated "frame duplicated",
        FrameDelayed "frame delayed",
        FrameReordered "frame out of order",
        LinkCut "link cut",
        LinkHalfOpen "link half open",
        LinkRefused "link refused",
        ReceiverStalled "receiver stalled",
        ReceiverCutOff "receiver cut off",
    }
    "client storage": {
        TransactionFailed "transaction failed",
        TransactionLost "transaction lost with its tab",
        WritesUnsynced "writes lost that were not synced",
        SentLost "writes lost after they were sent",
        RowTorn "row torn",
        QuotaFull "quota full",
        JournalFull "journal full",
        DatabaseRefused "database refused to open",
        DatabaseTaken "database taken away",
        Evicted "storage evicted",
        JournalCameBack "journal came back",
        FellToLocalStorage "fell to localStorage",
        FellToMemory "fell to memory",
        Reopened "database opened again",
        BackFromLocalStorage "back from localStorage",
        Cloned "storage cloned",
        ClonedRunning "storage cloned while running",
        RestoredCopy "storage restored from an old copy",
    }
    "tabs": {
        TabOpened "tab opened",
        TabClosed "tab closed",
        TabReloaded "tab reloaded",
        TabKilled "tab killed",
        KilledInTask "tab killed in the dispatching task",
        KilledAtJournal "tab killed at a journal write",
        KilledAtTransaction "tab killed at a transaction",
        KilledAtSend "tab killed at a send",
        TabFrozen "tab frozen",
        PowerCut "power cut",
        LockVanished "lock vanished",
        Led "tab leads",
        LeadStolen "lead stolen from a frozen tab",
        Outranked "write outranked by a newer leader",
        Outlived "other tab outlived",
        NoLocks "no locks at all",
        ClockForward "clock jumped forward",
        ClockBack "clock jumped back",
        OldSchemaBesideNew "old and new tab open",
        OldTabSends "old tab's action at a new server",
        NewBeforeServer "new app before its server",
        Offline "went offline by choice",
        Login "somebody else logged in",
    }
    "server": {
        ServerCrashed "server crashed",
        CrashedBeforeAppend "server crashed before an append",
        CrashedAfterAppend "server crashed after an append",
        ServerStopped "server stopped and started",
        ServerDeployed "server deployed with a new model",
        AppendFailed "append failed",
        AppendUnknownWritten "append unknown, written",
        AppendUnknownLost "append unknown, not written",
        AppendConflict "append met another writer",
        JoinedFailing "subscriber during a failing commit",
        ReadFailed "read of the log failed",
        ReducerStalled "reducer given up by the wall clock",
        LogReset "log reset",
        LogRestored "log restored from a backup",
        Compacted "log compacted",
        ClientsForgotten "clients forgotten",
    }
    "outcomes": {
        Dispatched "action dispatched",
        DispatchRefused "dispatch refused: outbox full",
        DispatchInvalid "dispatch refused: not valid",
        Burst "burst in one task",
        ServerRouted "action held back until its verdict",
        Accepted "event accepted",
        Rejected "event rejected",
        Confirmed "confirmed told",
        RejectedTold "rejected told",
        Dropped "action dropped by the app",
        Retried "held action retried",
        HeldReset "held: reset",
        HeldTooLarge "held: too large",
        HeldTooDeep "held: too deep",
        HeldNotPlain "held: not plain",
        HeldTooOld "held: too old",
        HeldOtherSubject "held: other subject",
        HeldSkipped "held: skipped",
        HeldSchema "held: schema",
        Reset "reset told",
        Diverged "diverged told",
        Failed "failed told",
        SnapshotTaken "snapshot taken",
        SnapshotInFlight "snapshot with actions in flight",
        Advanced "confirmed in order",
        Rebased "rebased",
        Pulled "pulled",
        Refused "push refused",
        SentForOthers "entry sent for another tab",
        Resent "entry sent again",
        NumbersSkipped "numbers settled by a later entry",
        Adopted "client adopted",
        AdoptedWithEntries "entries adopted",
        AdoptedInPart "journal adopted without the database",
        AdoptedLiving "living client adopted",
        Excused "action lost as is allowed",
        RowsUnreadable "row not readable",
    }
}

/// How often each thing happened.
#[derive(Clone, Debug)]
pub struct Coverage(Vec<u64>);

impl Default for Coverage {
    fn default() -> Self {
        Self(vec![0; Count::ALL.len()])
    }
}

impl Coverage {
    pub(crate) fn add(&mut self, count: Count) {
        self.0[count as usize] += 1;
    }

    /// How often it happened.
    #[must_use]
    pub fn of(&self, count: Count) -> u64 {
        self.0[count as usize]
    }

    /// Adds what happened elsewhere.
    pub fn join(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(own, other)| *own += other);
    }

    /// What never happened.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let never = Count::ALL.iter().filter(|(count, ..)| self.of(*count) == 0);
        never.map(|(.., text)| *text).collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut group = "";
        for (count, of, text) in Count::ALL {
            if *of != group {
                writeln!(f, "{of}")?;
                group = of;
            }
            writeln!(f, "  {text:<40} {:>12}", self.of(*count))?;
        }
        Ok(())
    }
}
