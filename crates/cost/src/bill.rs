//! Counts times prices.

use serde::Serialize;

use crate::counts::Counts;
use crate::prices::{Price, Prices};
use crate::run::Machine;

/// An item of a bill.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// What is billed.
    pub item: &'static str,
    /// How many units of it.
    pub units: f64,
    /// What they cost.
    pub dollars: f64,
}

/// What something costs, an item a line.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Bill {
    /// The items; what was not used stands there as well.
    pub lines: Vec<Line>,
}

impl Bill {
    pub(crate) fn of(counts: &Counts, prices: &Prices) -> Self {
        let mut bill = Self::default();
        bill.add("messages in", counts.messages_in as f64, &prices.messages);
        bill.add("messages out", counts.messages_out as f64, &prices.messages);
        bill.add("connection minutes", counts.connection_minutes, &prices.connection_minutes);
        bill.add("invocations", counts.invocations as f64, &prices.invocations);
        bill.add("GB-seconds", counts.gb_seconds(), &prices.gb_seconds);
        bill.add("write units", counts.write_units as f64, &prices.write_units);
        bill.add("read units", counts.read_units as f64, &prices.read_units);
        bill.add("stream reads", counts.stream_reads as f64, &prices.stream_reads);
        bill
    }

    /// A machine of one's own, for so many hours.
    #[must_use]
    pub fn of_machine(machine: &Machine, prices: &Prices) -> Self {
        let Machine { hours, disk_gb } = *machine;
        let mut bill = Self::default();
        bill.add("machine hours", hours, &prices.machine_hours);
        bill.add("address hours", hours, &prices.address_hours);
        bill.add("disk, GB-months", disk_gb * hours / Machine::MONTH, &prices.disk_gb_months);
        bill
    }

    /// What all of it costs.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.lines.iter().map(|line| line.dollars).sum()
    }

    fn add(&mut self, item: &'static str, units: f64, price: &Price) {
        self.lines.push(Line { item, units, dollars: price.of(units) });
    }
}
