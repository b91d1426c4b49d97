//! `twinstore cost`: what a run would cost on AWS and on a machine of one's own, by formulas.

use clap::{Args, ValueEnum};
use comfy_table::{CellAlignment, Table};
use serde::Serialize;
use twinstore_cost::{Assumed, Bill, Counts, Machine, Prices, Run, Topology};

use crate::error::CliError;
use crate::output::print;

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
    prices: Option<std::path::PathBuf>,
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
}

impl Cost {
    pub(crate) fn run(&self) -> Result<(), CliError> {
        let prices = self.prices()?;
        let estimates = Estimates {
            region: &prices.region,
            date: &prices.date,
            assumed: Assumed::default(),
            estimates: self.estimates(&prices)?,
        };
        print(&if self.json { json(&estimates) } else { self.table(&estimates) })
    }

    fn prices(&self) -> Result<Prices, CliError> {
        let Some(file) = &self.prices else { return Ok(Prices::of_this_version()) };
        let text = std::fs::read_to_string(file)
            .map_err(|source| CliError::ReadConfig { file: file.clone(), source })?;
        let bad = |source| CliError::Prices { file: file.clone(), source: Box::new(source) };
        text.parse().map_err(bad)
    }

    fn estimates(&self, prices: &Prices) -> Result<Vec<Estimate>, CliError> {
        let mut estimates = Vec::new();
        for place in self.places() {
            for &batch in &self.batch {
                estimates.push(self.estimate(place.into(), batch, prices)?);
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

    fn estimate(
        &self,
        topology: Topology,
        batch: u64,
        prices: &Prices,
    ) -> Result<Estimate, CliError> {
        let run = Run {
            actions: self.actions,
            batch,
            receivers: self.receivers,
            bytes: self.bytes,
            records: self.records,
            record_bytes: self.record_bytes,
            state_bytes: self.state_bytes,
            gather: self.gather,
            hours: self.hours,
        };
        let (assumed, machine) = (Assumed::default(), self.machine()?);
        let counts = run.counts(topology, &assumed)?;
        let bill = run.bill(topology, &assumed, &machine, prices)?;
        let dollars = bill.total();
        let dollars_per_1000_actions = dollars * 1_000.0 / self.actions as f64;
        Ok(Estimate { topology, run, counts, bill, dollars, dollars_per_1000_actions })
    }

    fn machine(&self) -> Result<Machine, CliError> {
        if !(0.0..=1_000_000.0).contains(&self.machine_hours) {
            return Err(CliError::MachineHours);
        }
        Ok(Machine { hours: self.machine_hours, ..Machine::default() })
    }

    fn table(&self, all: &Estimates<'_>) -> String {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        let columns = &all.estimates;
        let mut row = |name: &str, cell: &dyn Fn(&Estimate) -> String| {
            let cells = columns.iter().map(cell);
            table.add_row(std::iter::once(name.to_owned()).chain(cells));
        };
        row("", &|e| name(e.topology).to_owned());
        row("actions a message", &|e| match e.topology {
            Topology::Sqlite => String::new(),
            Topology::Coupled | Topology::Pipeline => e.run.batch_on_aws().to_string(),
        });
        row("messages in", &|e| grouped(e.counts.messages_in));
        row("messages out", &|e| grouped(e.counts.messages_out));
        for (item, of) in ITEMS {
            row(item, &|e| match e.topology {
                Topology::Sqlite => "-".to_owned(),
                Topology::Coupled | Topology::Pipeline => grouped(of(&e.counts)),
            });
        }
        row("$ messages", &|e| dollars(of(&e.bill, &["messages in", "messages out"])));
        row("$ connections", &|e| dollars(of(&e.bill, &["connection minutes"])));
        row("$ functions", &|e| dollars(of(&e.bill, &["invocations", "GB-seconds"])));
        row("$ tables", &|e| dollars(of(&e.bill, &["write units", "read units", "stream reads"])));
        row("$ machine", &|e| {
            dollars(of(&e.bill, &["machine hours", "address hours", "disk, GB-months"]))
        });
        row("$ in all", &|e| dollars(e.dollars));
        row("$ for 1,000 actions", &|e| format!("{:.6}", e.dollars_per_1000_actions));
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let Self { bytes, receivers, machine_hours, .. } = self;
        format!(
            "{} actions of {bytes} bytes, to {} receivers; {}, prices of {}\n\n{table}\n\n\
             Estimated, without tax, free tier, storage and data sent. Time of functions is assumed: {} MB, {} ms for a write.\n\
             The machine runs {machine_hours} hours, whatever it does.\n",
            grouped(self.actions),
            grouped(*receivers),
            all.region,
            all.date,
            all.assumed.memory_mb,
            all.assumed.store_ms,
        )
    }
}

type Item = (&'static str, fn(&Counts) -> u64);

const ITEMS: [Item; 5] = [
    ("invocations", |counts| counts.invocations),
    ("their ms", |counts| counts.billed_ms),
    ("write units", |counts| counts.write_units),
    ("read units", |counts| counts.read_units),
    ("stream reads", |counts| counts.stream_reads),
];

impl From<&Place> for Topology {
    fn from(place: &Place) -> Self {
        match place {
            Place::Coupled => Self::Coupled,
            Place::Pipeline => Self::Pipeline,
            Place::Sqlite => Self::Sqlite,
        }
    }
}

fn name(topology: Topology) -> &'static str {
    match topology {
        Topology::Coupled => "coupled",
        Topology::Pipeline => "pipeline",
        Topology::Sqlite => "sqlite",
    }
}

/// What these items of a bill cost together.
fn of(bill: &Bill, items: &[&str]) -> f64 {
    bill.lines.iter().filter(|line| items.contains(&line.item)).map(|line| line.dollars).sum()
}

fn dollars(dollars: f64) -> String {
    if dollars == 0.0 { "-".to_owned() } else { format!("{dollars:.4}") }
}

/// Digits in threes.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
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
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
