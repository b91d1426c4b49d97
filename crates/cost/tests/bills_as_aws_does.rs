//! Goal: sizes become units, and units dollars, as on AWS's price pages. The sums are done by hand.

use twinstore_cost::{Bill, Counts, Machine, Prices, dollars, units};

fn prices() -> Prices {
    Prices::of_this_version()
}

#[track_caller]
fn is(bill: &Bill, expected: f64) {
    let total = bill.total();
    assert!((total - expected).abs() < 1e-9, "{total} instead of {expected}: {bill:#?}");
}

/// "A 33 KB message is metered as two messages."
#[test]
fn messages_by_32_kb() {
    assert_eq!([0, 1, 32 << 10].map(units::messages), [1, 1, 1]);
    assert_eq!([(32 << 10) + 1, 33 << 10, 128 << 10].map(units::messages), [2, 2, 4]);
}

/// "A write request of a 1 KB item requires one write request unit, of a 3 KB item three, and a
/// transactional write of a 3 KB item six." "A strongly consistent read of an 8 KB item: two."
#[test]
fn reads_and_writes_by_kb() {
    assert_eq!([1 << 10, 3 << 10, (3 << 10) + 1].map(units::written), [1, 3, 4]);
    assert_eq!([1, 3 << 10].map(units::written_together), [2, 6]);
    assert_eq!([1, 4 << 10, 8 << 10].map(units::read), [1, 1, 2]);
}

/// A chat: 1,000 users connected 12 hours a day for 30 days, each sends 2 messages and gets 20 an
/// hour. Minutes: 1,000 × 30 × 720 = 21.6 M, $5.40. Messages: 22 × 12 × 30 × 1,000 = 7.92 M, $7.92.
#[test]
fn a_gateway() {
    let hours = 12 * 30 * 1_000;
    let counts = Counts {
        messages_in: 2 * hours,
        messages_out: 20 * hours,
        connection_minutes: 60.0 * 360_000.0,
        ..Counts::default()
    };
    is(&dollars(&counts, &prices()), 5.40 + 7.92);
}

/// 3 M calls of 120 ms with 1,536 MB: 540,000 GB-s and 3 × $0.20.
#[test]
fn a_function() {
    let counts = Counts {
        invocations: 3_000_000,
        billed_ms: 3_000_000 * 120,
        memory_mb: 1_536,
        ..Counts::default()
    };
    assert!((counts.gb_seconds() - 540_000.0).abs() < 1e-6);
    is(&dollars(&counts, &prices()), 0.60 + 540_000.0 * 0.000_013_333_4);
}

/// 2 M writes of 1 KB in transactions, 8 M reads of 8 KB; what functions read of streams is free.
#[test]
fn tables() {
    let counts = Counts {
        write_units: 2_000_000 * units::written_together(1 << 10),
        read_units: 8_000_000 * units::read(8 << 10),
        stream_reads: 1_000_000,
        ..Counts::default()
    };
    is(&dollars(&counts, &prices()), 4.0 * 0.625 + 16.0 * 0.125);
}

/// A month: 730 × ($0.0168 + $0.005), and 20 GB of disk at $0.08.
#[test]
fn a_machine() {
    is(&Bill::of_machine(&Machine::default(), &prices()), 12.264 + 3.65 + 1.60);
}

#[test]
fn a_price_table_is_dated_and_sound() {
    let prices = prices();
    let parts: Vec<usize> = prices.date.split('-').map(str::len).collect();
    assert_eq!((parts.as_slice(), prices.region.as_str()), ([4, 2, 2].as_slice(), "us-east-1"));
    let table = include_str!("../prices.toml");
    for (bad, why) in [
        (table.replace("dollars = 0.625", "dollars = -1.0"), "`write_units` is no price"),
        (table.replace("per = 100_000", "per = 0"), "`stream_reads` is no price"),
        (table.replace("https://aws.amazon.com/lambda", "lambda"), "`invocations` is no price"),
        (table.replace("[messages]", "[message]"), "message"),
        (format!("{table}\nnew = 1"), "new"),
    ] {
        let error = bad.parse::<Prices>().unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}
