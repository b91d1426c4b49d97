//! What a world is made of: sizes, and how often each fault strikes. All of it follows from the seed,
//! unless it is given.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use twinstore_protocol::WireLimits;
use twinstore_server::limits::Limits;

use crate::dice::Dice;
use crate::model::ACTION_BYTES;

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident $highest:literal),* $(,)?) => {
        /// Something that goes wrong, or is merely unusual.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Fault { $($(#[$doc])* $name),* }

        impl Fault {
            /// All of them, each with its highest rate.
            pub const ALL: &'static [(Self, u32)] = &[$((Self::$name, $highest)),*];
        }
    };
}

faults! {
    // In a thousand of what it strikes.
    /// A frame is lost and the link stays.
    FrameDropped 30,
    /// A frame arrives twice.
    FrameDuplicated 40,
    /// A frame takes seconds.
    FrameDelayed 60,
    /// A frame overtakes others.
    FrameReordered 60,
    /// A link is not to be had.
    LinkRefused 200,
    /// A transaction of a disk fails.
    TransactionFailed 15,
    /// A tab dies within a burst.
    KilledInTask 60,
    /// A read of the log fails.
    ReadFailed 30,
    /// An append fails, nothing is written.
    AppendFailed 60,
    /// An append's outcome is not known.
    AppendUnknown 60,
    /// Another writer was there before.
    AppendConflict 40,
    /// The server dies at an append.
    CrashAtAppend 30,
    /// The wall clock ends a decision.
    ReducerStalled 15,
    /// An action that servers refuse.
    FlawedAction 60,
    /// An action that servers reject.
    BadAction 250,
    /// An action waits for its verdict before it is shown.
    ServerRouted 250,
    /// Many actions in one task.
    Burst 150,

    // Weights of what strikes from time to time.
    /// A link is cut.
    Cut 20,
    /// A link is dead and neither end knows.
    HalfOpen 10,
    /// A socket takes nothing for a while.
    Stall 10,
    /// A tab dies, at once or at one of its next writes.
    Kill 30,
    /// A tab is loaded anew.
    Reload 30,
    /// A tab is closed.
    Close 10,
    /// A tab is opened.
    Open 25,
    /// A tab stands still for a while.
    Freeze 10,
    /// A lock is lost by a living tab.
    LockVanished 8,
    /// A device's clock jumps forward.
    ClockForward 10,
    /// A device's clock jumps back.
    ClockBack 10,
    /// A device loses its power.
    PowerCut 10,
    /// A disk is full for a while.
    Quota 8,
    /// A localStorage is full for a while.
    JournalFull 8,
    /// A database does not open for a while.
    DatabaseRefused 6,
    /// A database is taken away from its tabs.
    DatabaseTaken 6,
    /// A device's storage is erased.
    Evict 2,
    /// A device is copied, with its storage.
    Clone 4,
    /// A device's storage is put back to an older copy.
    RestoreCopy 5,
    /// The app wants to be offline, or online again.
    Offline 10,
    /// The app drops an action.
    Drop 20,
    /// The app dispatches a held action anew.
    Retry 20,
    /// The browser says that trying again may be worth while.
    Wake 30,
    /// The server dies.
    Crash 10,
    /// The server is stopped in good order.
    Stop 8,
    /// The server gets a newer model.
    Deploy 6,
    /// The app gets a newer schema.
    NewApp 8,
    /// The server's log is gone.
    LogReset 2,
    /// The server's log is an older one.
    LogRestored 3,
    /// The server's log lets go of its oldest events.
    Compact 6,
    /// Somebody else logs in on a device.
    Login 8,
}

/// Faults that came after worlds were kept in `seeds.txt`: those worlds go without.
const LATER: &[Fault] = &[Fault::Compact, Fault::Login];

/// The sizes and rates of one world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Devices at the start.
    pub devices: u64,
    /// Tabs that one device may have open at once.
    pub tabs: u64,
    /// Actions that are dispatched, bursts aside.
    pub actions: u64,
    /// How long the faults last.
    pub safety_ms: u64,
    /// The mean time between two faults that strike from time to time.
    pub chaos_ms: u64,
    /// Whether browsers have Web Locks.
    pub locks: bool,
    /// Whether browsers have BroadcastChannel: without it, or locks, each tab leads alone.
    pub channel: bool,
    /// Whether commits wait for the disk.
    pub strict: bool,
    /// Actions of one task that get a transaction each.
    pub burst: u64,
    /// Actions that an outbox holds.
    pub outbox: u64,
    /// Entries in one push.
    pub batch: u32,
    /// Events in one page of a catch-up.
    pub page: u64,
    /// How far behind a cursor gets events.
    pub catch_up: u64,
    /// Events between two snapshots of the server.
    pub snapshot: u64,
    /// Bytes of a part of a snapshot.
    pub part: u64,
    /// Entries in one commit.
    pub commit: u64,
    /// Submissions that may wait.
    pub queue: u64,
    /// Commits that may wait for one socket.
    pub socket_queue: u64,
    /// The faults that strike, and how often.
    pub faults: BTreeMap<Fault, u32>,
}

impl Settings {
    /// The settings of a seed: each fault strikes in half of the worlds.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut settings = Self::of_kept(seed);
        let mut dice = Dice::new(seed.wrapping_mul(2));
        settings.faults.extend(roll(&mut dice, |fault| LATER.contains(&fault)));
        settings
    }

    /// The settings that a seed had before there were more faults.
    #[must_use]
    pub fn of_kept(seed: u64) -> Self {
        let mut dice = Dice::new(seed.wrapping_mul(2).wrapping_add(1));
        let faults = roll(&mut dice, |fault| !LATER.contains(&fault));
        let small = |dice: &mut Dice, low, high| u32::try_from(dice.within(low, high)).unwrap_or(1);
        Self {
            devices: dice.within(1, 3),
            tabs: dice.within(1, 3),
            actions: dice.within(10, 60),
            safety_ms: dice.within(5_000, 60_000),
            chaos_ms: dice.within(500, 3_000),
            locks: dice.below(10) > 0,
            channel: dice.below(5) > 0,
            strict: dice.below(4) == 0,
            burst: dice.within(1, 6),
            outbox: if dice.below(6) == 0 { dice.within(3, 10) } else { 1_000 },
            batch: small(&mut dice, 1, 8),
            page: dice.within(1, 20),
            catch_up: if dice.below(2) == 0 { dice.within(0, 10) } else { 5_000 },
            snapshot: dice.within(1, 20),
            part: dice.within(20, 400),
            commit: dice.within(1, 20),
            queue: if dice.below(4) == 0 { dice.within(1, 3) } else { 1_000 },
            socket_queue: dice.within(2, 20),
            faults,
        }
    }

    /// The settings of a world in which nothing is small and nothing goes wrong.
    #[must_use]
    pub fn plain() -> Self {
        Self {
            devices: 1,
            tabs: 1,
            actions: 10,
            safety_ms: 5_000,
            chaos_ms: 1_000,
            locks: true,
            channel: true,
            strict: true,
            burst: 6,
            outbox: 1_000,
            batch: 100,
            page: 100,
            catch_up: 5_000,
            snapshot: 1_000,
            part: 10_000,
            commit: 1_000,
            queue: 1_000,
            socket_queue: 1_000,
            faults: BTreeMap::new(),
        }
    }

    /// How often a fault strikes; 0: never.
    #[must_use]
    pub fn rate(&self, fault: Fault) -> u32 {
        self.faults.get(&fault).copied().unwrap_or(0)
    }

    pub(crate) fn server_limits(&self) -> Limits {
        let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        Limits {
            wire: WireLimits {
                action_bytes: ACTION_BYTES,
                action_depth: 12,
                batch_actions: self.batch,
                ..WireLimits::DEFAULT
            },
            commit_entries: size(self.commit),
            stream_queue: size(self.queue),
            page_events: size(self.page.max(1)),
            catch_up_events: self.catch_up,
            snapshot_every: self.snapshot,
            snapshot_part_bytes: size(self.part.max(4)),
            ..Limits::DEFAULT
        }
    }
}

/// Which of these faults strike, and how often.
fn roll(dice: &mut Dice, of: impl Fn(Fault) -> bool) -> BTreeMap<Fault, u32> {
    let mut faults = BTreeMap::new();
    for (fault, highest) in Fault::ALL.iter().filter(|(fault, _)| of(*fault)) {
        if dice.below(2) == 0 {
            let rate = dice.within(1, u64::from(*highest));
            faults.insert(*fault, u32::try_from(rate).unwrap_or(1));
        }
    }
    faults
}
