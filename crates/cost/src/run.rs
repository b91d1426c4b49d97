//! What happens, and where: the input of the formulas.

use serde::Serialize;

use crate::bill::Bill;
use crate::counts::Counts;
use crate::formulas;
use crate::prices::Prices;

/// Some actions, from their dispatch to everyone who looks on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Run {
    /// Actions.
    pub actions: u64,
    /// Actions in one message: 1 where somebody clicks; many after being offline, or in a burst.
    pub batch: u64,
    /// Who looks on, the sender among them.
    pub receivers: u64,
    /// Bytes of an action as JSON, its stamp included.
    pub bytes: u64,
    /// Records that a message changes: at most one an action.
    pub records: u64,
    /// Bytes of a record as JSON.
    pub record_bytes: u64,
    /// Bytes of the whole state, of which a snapshot is stored now and then.
    pub state_bytes: u64,
    /// Messages that come so close together that `pipeline` appends and tells them together.
    pub gather: u64,
    /// Hours that each receiver is connected meanwhile; 0: only the actions are counted.
    pub hours: f64,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            actions: 1_000,
            batch: 1,
            receivers: 1,
            bytes: 200,
            records: 5,
            record_bytes: 500,
            state_bytes: 20_000,
            gather: 1,
            hours: 0.0,
        }
    }
}

/// Where it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Topology {
    /// One function reduces, stores and answers.
    Coupled,
    /// Three functions, joined by the tables' streams.
    Pipeline,
    /// The embedded server on a machine of one's own.
    Sqlite,
}

/// What nobody bills by the piece, or depends on what actions say, and no formula can know.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Assumed {
    /// Memory of each function, in MB.
    pub memory_mb: u32,
    /// How long a function waits for DynamoDB, in ms.
    pub store_ms: f64,
    /// How long a post to a connection takes, in ms.
    pub post_ms: f64,
    /// Work of a function for each call, in ms of a whole core.
    pub call_cpu_ms: f64,
    /// Work of the model for each action, in ms of a whole core.
    pub action_cpu_ms: f64,
    /// What is left of actions and states that are compressed, of 1.
    pub compressed: f64,
}

impl Default for Assumed {
    /// A Redux Toolkit model takes some 2,000 actions a second of a core, and orders with random ids
    /// shrink to a seventh; the rest is experience with the services, not measured here.
    fn default() -> Self {
        Self {
            memory_mb: 512,
            store_ms: 15.0,
            post_ms: 5.0,
            call_cpu_ms: 1.0,
            action_cpu_ms: 0.5,
            compressed: 0.14,
        }
    }
}

/// A machine of one's own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Machine {
    /// How long it runs.
    pub hours: f64,
    /// Its disk, in GB.
    pub disk_gb: f64,
}

impl Machine {
    /// Hours of a month, as AWS counts them.
    pub const MONTH: f64 = 730.0;
}

impl Default for Machine {
    fn default() -> Self {
        Self { hours: Self::MONTH, disk_gb: 20.0 }
    }
}

/// Why a run cannot be estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} is from {least} to {most}")]
pub struct BadRun {
    what: &'static str,
    least: u64,
    most: u64,
}

impl Run {
    /// Whether formulas can say something about it.
    ///
    /// # Errors
    /// [`BadRun`]: which number is beyond what can be.
    pub fn check(&self) -> Result<(), BadRun> {
        let limits = [
            ("the number of actions", self.actions, 1, 1_000_000_000_000),
            ("the number of actions in a message", self.batch, 1, 500),
            ("the number of receivers", self.receivers, 1, 100_000),
            ("an action's size in bytes", self.bytes, 1, 20 << 10),
            ("the number of records", self.records, 0, 500),
            ("a record's size in bytes", self.record_bytes, 1, 1 << 20),
            ("the state's size in bytes", self.state_bytes, 1, 256 << 20),
            ("the number of messages that are gathered", self.gather, 1, 100),
        ];
        for (what, number, least, most) in limits {
            if !(least..=most).contains(&number) {
                return Err(BadRun { what, least, most });
            }
        }
        if !(0.0..=1_000_000.0).contains(&self.hours) {
            return Err(BadRun { what: "the number of hours", least: 0, most: 1_000_000 });
        }
        Ok(())
    }

    /// Actions in one message, as far as functions take them: at most 100, and 20 KB.
    #[must_use]
    pub fn batch_on_aws(&self) -> u64 {
        formulas::batch(self)
    }

    /// What will be counted there.
    ///
    /// # Errors
    /// [`BadRun`].
    pub fn counts(&self, topology: Topology, assumed: &Assumed) -> Result<Counts, BadRun> {
        self.check()?;
        Ok(formulas::counts(self, topology, assumed))
    }

    /// What will be billed there.
    ///
    /// # Errors
    /// [`BadRun`].
    pub fn bill(
        &self,
        topology: Topology,
        assumed: &Assumed,
        machine: &Machine,
        prices: &Prices,
    ) -> Result<Bill, BadRun> {
        let counts = self.counts(topology, assumed)?;
        Ok(match topology {
            Topology::Coupled | Topology::Pipeline => Bill::of(&counts, prices),
            Topology::Sqlite => Bill::of_machine(machine, prices),
        })
    }
}
