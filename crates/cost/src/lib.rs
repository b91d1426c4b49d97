//! What a run costs: counts in units of billing, a table of prices, and formulas that foretell the
//! counts.
//!
//! - [`Counts`]: what was, or will be, billed. Functions that run on AWS count into it; formulas
//!   fill it in advance.
//! - [`Prices`]: one region's, on one day, each with its source (`prices.toml`).
//! - [`Run`] and [`Topology`]: what happens, where; [`Run::counts`] foretells.
//! - [`Measured`]: what an embedded server did, by its own metrics; the run that it was.
//! - [`Bill`]: counts times prices, a line an item.
//!
//! No I/O and no SDK. Not in it: tax, free tier, discounts, data sent to the internet, storage.
#![forbid(unsafe_code)]

mod bill;
mod counts;
mod formulas;
mod measured;
mod prices;
mod run;
pub mod units;

pub use bill::{Bill, Line};
pub use counts::Counts;
pub use measured::{BadMetrics, Measured};
pub use prices::{BadPrices, Price, Prices};
pub use run::{Assumed, BadRun, Machine, Run, Topology};

/// What these counts cost, an item a line.
#[must_use]
pub fn dollars(counts: &Counts, prices: &Prices) -> Bill {
    Bill::of(counts, prices)
}
