//! `twinstore stats`: counts of a stream's events, or of all streams', from the store.

use std::fmt::Write as _;

use clap::Args;
use comfy_table::{CellAlignment, Table};
use twinstore_server::analysis::{Count, DelaySummary, Reason, Rows, Summary, Verdicts, written};

use crate::error::CliError;
use crate::output::{plain, print};
use crate::progress::Progress;
use crate::store::{Store, stream};
use crate::which::{Places, Which};

/// Count events: by type, client, model and hour, verdicts, reasons of rejections, and the time
/// from dispatch to verdict.
#[derive(Debug, Args)]
pub(crate) struct Stats {
    /// The stream, MODEL/NAME; without it, all streams.
    stream: Option<String>,
    /// Where events are kept: sqlite:FILE, postgres://USER@HOST/DATABASE or dynamodb:PREFIX.
    #[arg(long, value_name = "STORE", default_value = "sqlite:twinstore.db")]
    store: Store,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    places: Places,
    /// Rows of each table.
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

impl Stats {
    pub(crate) fn run(&self) -> Result<(), CliError> {
        let stream = self.stream.as_deref().map(stream).transpose()?;
        let filter = self.places.filter(&self.which)?;
        let log = self.store.open_read_only()?;
        let count = Count::of(&*log, stream.as_ref(), filter)?;
        let mut progress = Progress::new("counted", count.cost());
        let stats = count.run(&*log, &mut |events| {
            progress.add(events);
            true
        })?;
        let summary = stats.summary(self.top);
        print(&if self.json { json(&summary) } else { tables(&summary) })
    }
}

fn json(summary: &Summary) -> String {
    let json = serde_json::to_string_pretty(summary);
    json.expect("statistics have string keys and finite numbers") + "\n"
}

fn tables(summary: &Summary) -> String {
    let all = summary.verdicts;
    let mut text =
        format!("{} events: {} accepted, {} rejected\n", all.total(), all.accepted, all.rejected);
    if let (Some(first), Some(last)) = (summary.first, summary.last) {
        line(&mut text, &format!("decided from {} to {}", written(first), written(last)));
    }
    line(&mut text, &delay(&summary.delay));
    for (name, rows) in [
        ("stream", &summary.streams),
        ("type", &summary.types),
        ("client", &summary.clients),
        ("model", &summary.models),
        ("hour", &summary.hours),
    ] {
        if !rows.rows.is_empty() {
            line(&mut text, &format!("\n{}", counted(name, rows)));
        }
    }
    if !summary.rejections.is_empty() {
        let reasons = reasons(&summary.rejections, summary.other_rejections);
        line(&mut text, &format!("\n{reasons}"));
    }
    text
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a string takes all that is written");
}

fn delay(delay: &DelaySummary) -> String {
    let DelaySummary { measured, p50, p90, p99, max, ahead, unknown } = delay;
    let (Some(p50), Some(p90), Some(p99), Some(max)) = (p50, p90, p99, max) else {
        return format!("from dispatch to verdict: no action says ({ahead} clocks ahead)");
    };
    let time = |milliseconds: &u64| {
        let duration = std::time::Duration::from_millis(*milliseconds);
        humantime::format_duration(duration).to_string()
    };
    format!(
        "from dispatch to verdict: half within {}, 90 % {}, 99 % {}, all {} ({measured} actions; \
         {ahead} by clocks that were ahead, {unknown} without a client's time)",
        time(p50),
        time(p90),
        time(p99),
        time(max)
    )
}

fn counted(name: &str, rows: &Rows) -> Table {
    let mut table = table(&[name, "events", "accepted", "rejected"]);
    for row in &rows.rows {
        table.add_row(cells(&row.name, row.verdicts));
    }
    if rows.others.total() > 0 {
        table.add_row(cells("(others)", rows.others));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn cells(name: &str, verdicts: Verdicts) -> [String; 4] {
    let Verdicts { accepted, rejected } = verdicts;
    [plain(name), verdicts.total().to_string(), accepted.to_string(), rejected.to_string()]
}

fn reasons(rows: &[Reason], others: u64) -> Table {
    let mut table = table(&["rejected because", "code", "times"]);
    for Reason { code, reason, count } in rows {
        table.add_row([plain(reason), code.clone(), count.to_string()]);
    }
    if others > 0 {
        table.add_row(["(others)".to_owned(), String::new(), others.to_string()]);
    }
    if let Some(times) = table.column_mut(2) {
        times.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(header);
    table
}
