//! `twinstore cost`: what a run would cost on AWS and on a machine of one's own, by formulas.

mod measured;
mod table;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;
use twinstore_cost::{Assumed, Bill, Counts, Machine, Prices, Run, Topology};

use crate::error::CliError;
use crate::output::print;
use measured::Report;

/// Estimate what actions cost on AWS, in both topologies, and on a machine with the embedded server.
#[derive(Debug, Args)]
pub(crate) struct Cost {
    /// Actions, as 1000000 or 1e6.
    #[arg(long, value_name = "N", value_parser = whole, default_value = "1e6")]
    actions: u64,
    /// Who looks on, the sender among them.
    #[arg(long, value_name = "N", value_parser = whole, default_value = "1")]
    receivers: u64,
    /// Actions in one message; may be given more than once.
    #[arg(long, value_name = "N", default_values_t = [1, 50])]
    batch: Vec<u64>,
    /// Where; may be given more than once. Without it, all.
    #[arg(long, value_enum)]
    topology: Vec<Place>,
    /// Bytes of an action, its stamp included.
    #[arg(long, value_name = "N", default_value_t = Run::default().bytes)]
    bytes: u64,
    /// Records that a message changes, at most one an action.
    #[arg(long, value_name = "N", default_value_t = Run::default().records)]
    records: u64,
    /// Bytes of a record.
    #[arg(long, value_name = "N", default_value_t = Run::default().record_bytes)]
    record_bytes: u64,
    /// Bytes of the whole state.
    #[arg(long, value_name = "N", default_value_t = Run::default().state_bytes)]
    state_bytes: u64,
    /// Messages that come so close together that `pipeline` takes them together.
    #[arg(long, value_name = "N", default_value_t = Run::default().gather)]
    gather: u64,
    /// Hours that each receiver is connected: minutes, pings, reconnects. 0: the actions only.
    #[arg(long, value_name = "H", default_value_t = 0.0)]
    hours: f64,
    /// Hours that the machine with the embedded server runs; a month.
    #[arg(long, value_name = "H", default_value_t = Machine::MONTH)]
    machine_hours: f64,
    /// Prices of your own, in the form of crates/cost/prices.toml.
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// What this server did since it was started, as http://127.0.0.1:8787, and what that would
    /// have cost elsewhere: actions, receivers, bytes and batches are its own.
    #[arg(long, value_name = "URL", conflicts_with_all = ["actions", "receivers", "batch", "bytes"])]
    measured: Option<String>,
    /// A file with a token for its metrics.
    #[arg(long, value_name = "FILE", requires = "measured")]
    token_file: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Place {
    /// One function reduces, stores and answers.
    Coupled,
    /// Three functions, joined by the tables' streams.
    Pipeline,
    /// The embedded server on a machine.
    Sqlite,
}

/// One column of the table.
#[derive(Debug, Serialize)]
struct Estimate {
    topology: Topology,
    run: Run,
    counts: Counts,
    bill: Bill,
    dollars: f64,
    dollars_per_1000_actions: f64,
}

#[derive(Debug, Serialize)]
struct Estimates<'a> {
    region: &'a str,
    date: &'a str,
    assumed: Assumed,
    estimates: Vec<Estimate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    measured: Option<Report>,
}

impl Cost {
    pub(crate) fn run(&self) -> Result<(), CliError> {
        let prices = self.prices()?;
        let measured = self.measured.as_ref();
        let token_file = self.token_file.as_deref();
        let report = measured.map(|url| Report::ask(url, token_file, &prices)).transpose()?;
        let asked = self.asked();
        let runs = match &report {
            Some(report) => vec![report.run(&asked)?],
            None => self.batch.iter().map(|&batch| Run { batch, ..asked }).collect(),
        };
        let estimates = Estimates {
            region: &prices.region,
            date: &prices.date,
            assumed: Assumed::default(),
            estimates: self.estimates(&runs, &prices)?,
            measured: report,
        };
        print(&if self.json { json(&estimates) } else { self.text(&estimates) })
    }

    fn text(&self, estimates: &Estimates<'_>) -> String {
        let measured = estimates.measured.as_ref().map(Report::text).unwrap_or_default();
        measured + &table::table(estimates, self.machine_hours)
    }

    fn prices(&self) -> Result<Prices, CliError> {
        let Some(file) = &self.prices else { return Ok(Prices::of_this_version()) };
        let text = std::fs::read_to_string(file)
            .map_err(|source| CliError::ReadConfig { file: file.clone(), source })?;
        let bad = |source| CliError::Prices { file: file.clone(), source: Box::new(source) };
        text.parse().map_err(bad)
    }

    fn estimates(&self, runs: &[Run], prices: &Prices) -> Result<Vec<Estimate>, CliError> {
        let machine = self.machine()?;
        let mut estimates = Vec::new();
        for place in self.places() {
            for run in runs {
                estimates.push(estimate(run, place.into(), &machine, prices)?);
                // A machine does not ask how they come.
                if *place == Place::Sqlite {
                    break;
                }
            }
        }
        Ok(estimates)
    }

    fn places(&self) -> &[Place] {
        if self.topology.is_empty() { Place::value_variants() } else { &self.topology }
    }

    /// What the flags say, but for batches.
    fn asked(&self) -> Run {
        Run {
            actions: self.actions,
            batch: 1,
            receivers: self.receivers,
            bytes: self.bytes,
            records: self.records,
            record_bytes: self.record_bytes,
            state_bytes: self.state_bytes,
            gather: self.gather,
            hours: self.hours,
        }
    }

    fn machine(&self) -> Result<Machine, CliError> {
        if !(0.0..=1_000_000.0).contains(&self.machine_hours) {
            return Err(CliError::MachineHours);
        }
        Ok(Machine { hours: self.machine_hours, ..Machine::default() })
    }
}

fn estimate(
    run: &Run,
    topology: Topology,
    machine: &Machine,
    prices: &Prices,
) -> Result<Estimate, CliError> {
    let assumed = Assumed::default();
    let counts = run.counts(topology, &assumed)?;
    let bill = run.bill(topology, &assumed, machine, prices)?;
    let dollars = bill.total();
    let dollars_per_1000_actions = dollars * 1_000.0 / run.actions as f64;
    Ok(Estimate { topology, run: *run, counts, bill, dollars, dollars_per_1000_actions })
}

impl From<&Place> for Topology {
    fn from(place: &Place) -> Self {
        match place {
            Place::Coupled => Self::Coupled,
            Place::Pipeline => Self::Pipeline,
            Place::Sqlite => Self::Sqlite,
        }
    }
}

fn json(estimates: &Estimates<'_>) -> String {
    let json = serde_json::to_string_pretty(estimates);
    json.expect("estimates have string keys and finite numbers") + "\n"
}

/// A whole number, also as `1e6`.
fn whole(text: &str) -> Result<u64, String> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    let number: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
    if !(0.0..=1e15).contains(&number) || number.fract() != 0.0 {
        return Err("it is a whole number up to 1e15".to_owned());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is checked")]
    let whole = number as u64;
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_write_them() {
        assert_eq!(
            ["1", "1000000", "1e6", "2.5e3"].map(whole),
            [1, 1_000_000, 1_000_000, 2_500].map(Ok)
        );
        for bad in ["x", "-1", "0.5", "1e16", "nan", "inf"] {
            assert!(whole(bad).is_err(), "{bad}");
        }
    }
}
