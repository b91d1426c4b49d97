//! Estimates for people to read.

use comfy_table::{CellAlignment, Table};
use twinstore_cost::{Bill, Counts, Run, Topology};

use super::{Estimate, Estimates};

/// All estimates as a table, a column each.
pub(super) fn table(all: &Estimates<'_>, machine_hours: f64) -> String {
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
    let Run { actions, bytes, receivers, .. } = columns[0].run;
    format!(
        "{} actions of {bytes} bytes, to {} receivers; {}, prices of {}\n\n{table}\n\n\
         Estimated, without tax, free tier, storage and data sent. Assumed: functions of {} MB, {} ms for a write,\n\
         and that compressing leaves {} of what several actions say. The machine runs {machine_hours} hours, whatever it does.\n",
        grouped(actions),
        grouped(receivers),
        all.region,
        all.date,
        all.assumed.memory_mb,
        all.assumed.store_ms,
        all.assumed.compressed,
    )
}

type Item = (&'static str, fn(&Counts) -> u64);

const ITEMS: [Item; 5] = [
    ("invocations", |counts| counts.invocations),
    ("their ms", |counts| counts.billed_ms),
    ("write units", |counts| counts.write_units),
    ("read units", |counts| counts.read_units),
    ("stream reads", |counts| counts.stream_reads),
];

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_in_threes() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
