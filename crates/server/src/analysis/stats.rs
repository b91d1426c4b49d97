//! Counting events: by stream, type, client, model and hour, verdicts, reasons of rejections, and
//! the time from dispatch to verdict.
//!
//! Memory is bounded (I7) whatever the log holds: so many keys a table, what comes beyond them is
//! counted as others.

use std::collections::BTreeMap;

use serde::Serialize;
use twinstore_protocol::StreamId;

use super::delays::{DelaySummary, Delays};
use super::moment::written;
use crate::event::StoredEvent;
use crate::limits;

/// What was counted so far.
#[derive(Debug, Default)]
pub struct Stats {
    all: Verdicts,
    /// The times of the first and of the last event, by the server's clock.
    span: Option<(u64, u64)>,
    streams: Table<String>,
    types: Table<String>,
    clients: Table<String>,
    models: Table<String>,
    hours: Table<u64>,
    reasons: Table<(String, String)>,
    delays: Delays,
}

/// How many events there are with which verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdicts {
    /// Accepted ones.
    pub accepted: u64,
    /// Rejected ones.
    pub rejected: u64,
}

/// Statistics to be shown: of each table so many rows, the largest, or of hours the latest.
#[derive(Debug, PartialEq, Serialize)]
pub struct Summary {
    /// All of them.
    pub verdicts: Verdicts,
    /// When the earliest was decided, in milliseconds since 1970.
    pub first: Option<u64>,
    /// When the latest was.
    pub last: Option<u64>,
    /// By stream.
    pub streams: Rows,
    /// By the action's type.
    pub types: Rows,
    /// By client.
    pub clients: Rows,
    /// By the model that decided, as its hash.
    pub models: Rows,
    /// By the hour in which it was decided, in order.
    pub hours: Rows,
    /// Rejections by code and reason.
    pub rejections: Vec<Reason>,
    /// Rejections for other reasons than those.
    pub other_rejections: u64,
    /// From dispatch to verdict.
    pub delay: DelaySummary,
}

/// Some rows of a table, and what is in its other rows.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Rows {
    /// The rows.
    pub rows: Vec<Counted>,
    /// All others together.
    pub others: Verdicts,
}

/// One row.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// Of what.
    pub name: String,
    /// How many.
    #[serde(flatten)]
    pub verdicts: Verdicts,
}

/// How often something was rejected.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// `invalid`, `threw` or `limit`.
    pub code: String,
    /// The model's reason.
    pub reason: String,
    /// How often.
    pub count: u64,
}

const HOUR: u64 = 3_600_000;

impl Stats {
    /// Counts an event of that stream.
    pub fn add(&mut self, stream: &StreamId, event: &StoredEvent) {
        let one = match event.error {
            None => Verdicts { accepted: 1, rejected: 0 },
            Some(_) => Verdicts { accepted: 0, rejected: 1 },
        };
        self.all.add(one);
        let (first, last) = self.span.unwrap_or((event.at, event.at));
        self.span = Some((first.min(event.at), last.max(event.at)));
        self.streams.add(stream.as_str().to_owned(), one);
        self.types.add(cut(&event.kind), one);
        self.clients.add(cut(event.client.as_str()), one);
        self.models.add(event.model.clone(), one);
        self.hours.add(event.at / HOUR * HOUR, one);
        if let Some(error) = &event.error {
            self.reasons.add((error.code.clone(), cut(&error.reason)), one);
        }
        self.delays.add(event);
    }

    /// What was counted, with at most so many rows of each table.
    #[must_use]
    pub fn summary(&self, top: usize) -> Summary {
        let text = |name: &String| name.clone();
        let (reasons, others) = self.reasons.largest(top);
        let reason = |((code, reason), verdicts): (&(String, String), Verdicts)| {
            let (code, reason) = (code.clone(), reason.clone());
            Reason { code, reason, count: verdicts.rejected }
        };
        Summary {
            verdicts: self.all,
            first: self.span.map(|(first, _)| first),
            last: self.span.map(|(_, last)| last),
            streams: Rows::of(self.streams.largest(top), text),
            types: Rows::of(self.types.largest(top), text),
            clients: Rows::of(self.clients.largest(top), text),
            models: Rows::of(self.models.largest(top), text),
            hours: Rows::of(self.hours.last(top), |hour| written(*hour)),
            rejections: reasons.into_iter().map(reason).collect(),
            other_rejections: others.rejected,
            delay: self.delays.summary(),
        }
    }
}

impl Verdicts {
    /// Accepted and rejected ones.
    #[must_use]
    pub fn total(self) -> u64 {
        self.accepted + self.rejected
    }

    fn add(&mut self, more: Self) {
        self.accepted += more.accepted;
        self.rejected += more.rejected;
    }
}

impl Rows {
    fn of<K>((rows, others): (Vec<(&K, Verdicts)>, Verdicts), name: impl Fn(&K) -> String) -> Self {
        let row = |(key, verdicts)| Counted { name: name(key), verdicts };
        Self { rows: rows.into_iter().map(row).collect(), others }
    }
}

/// Counts by key.
#[derive(Debug)]
struct Table<K> {
    rows: BTreeMap<K, Verdicts>,
    /// What came when the table was full and had no such row.
    others: Verdicts,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), others: Verdicts::default() }
    }
}

impl<K: Ord> Table<K> {
    fn add(&mut self, key: K, one: Verdicts) {
        let full = self.rows.len() >= limits::STATS_KEYS;
        match self.rows.get_mut(&key) {
            Some(row) => row.add(one),
            None if full => self.others.add(one),
            None => {
                self.rows.insert(key, one);
            }
        }
    }

    fn largest(&self, top: usize) -> (Vec<(&K, Verdicts)>, Verdicts) {
        let mut rows: Vec<_> = self.rows.iter().map(|(key, row)| (key, *row)).collect();
        // Equal ones stay in their keys' order.
        rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.total()));
        let others = self.others_and(rows.get(top..).unwrap_or_default());
        rows.truncate(top);
        (rows, others)
    }

    /// In order.
    fn last(&self, top: usize) -> (Vec<(&K, Verdicts)>, Verdicts) {
        let rows: Vec<_> = self.rows.iter().map(|(key, row)| (key, *row)).collect();
        let (before, last) = rows.split_at(rows.len().saturating_sub(top));
        let others = self.others_and(before);
        (last.to_vec(), others)
    }

    fn others_and(&self, rows: &[(&K, Verdicts)]) -> Verdicts {
        let mut others = self.others;
        rows.iter().for_each(|(_, row)| others.add(*row));
        others
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(limits::STATS_KEY_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::conformance::Sample;

    fn verdicts(accepted: u64, rejected: u64) -> Verdicts {
        Verdicts { accepted, rejected }
    }

    #[test]
    fn counts_are_right() {
        let mut stats = Stats::default();
        let sample = Sample::new("m/x");
        for mut event in sample.append(7).events {
            event.at = event.seq.0 * HOUR;
            if event.seq.0 == 7 {
                event.kind = "other".repeat(100);
            }
            stats.add(&sample.stream, &event);
        }
        let found = stats.summary(2);
        assert_eq!(found.verdicts, verdicts(5, 2));
        assert_eq!((found.first, found.last), (Some(HOUR), Some(7 * HOUR)));
        let types: Vec<_> = found.types.rows.iter().map(|row| row.verdicts).collect();
        assert_eq!(types, [verdicts(4, 2), verdicts(1, 0)]);
        assert_eq!(found.types.rows[1].name.chars().count(), limits::STATS_KEY_CHARS + 1);
        let hours: Vec<_> = found.hours.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(hours, ["1970-01-01T06:00:00Z", "1970-01-01T07:00:00Z"]);
        assert_eq!(found.hours.others, verdicts(4, 1));
        let reasons: Vec<_> = found.rejections.iter().map(|row| row.reason.as_str()).collect();
        assert_eq!((reasons, found.other_rejections), (vec!["event 3", "event 6"], 0));
        assert_eq!(found.streams.rows[0].name, "m/x");
        assert_eq!(stats.summary(1).other_rejections, 1);
    }

    #[test]
    fn a_table_that_is_full_counts_others() {
        let mut table = Table::default();
        for key in 0..limits::STATS_KEYS + 5 {
            table.add(key, verdicts(1, 0));
        }
        table.add(3, verdicts(0, 1));
        let (rows, others) = table.largest(1);
        assert_eq!(rows, [(&3, verdicts(1, 1))]);
        assert_eq!(others.total(), limits::STATS_KEYS as u64 + 4);
    }
}
