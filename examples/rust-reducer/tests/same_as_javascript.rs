//! The model in Rust and the one in JavaScript, side by side in the server's own reducers: the same
//! verdicts with the same reasons, the same records and the same states.

use std::sync::Arc;

use sales_order::SalesOrder;
use serde_json::{Value, json};
use twinstore_server::Options;
use twinstore_server::log::MemoryLog;
use twinstore_server::model::{self, Models};
use twinstore_server::reducer::{Decision, QuickJs, Reducer, ReducerEngine, Step, seed};

const ACTIONS: u64 = 6_000;

#[test]
fn random_actions_lead_to_the_same() {
    for world in 0..4 {
        let mut pair = Pair::open();
        let mut dice = Dice(world);
        let mut verdicts = [0; 2];
        for n in 1..=ACTIONS {
            let action = random_action(&mut dice, n).to_string();
            verdicts[usize::from(pair.decide(&action, n) == Decision::Accepted)] += 1;
        }
        pair.compare();
        let [rejected, accepted] = verdicts;
        assert!(rejected > ACTIONS / 10 && accepted > ACTIONS / 5, "{verdicts:?}");
    }
}

#[test]
fn what_was_not_valid_changes_nothing_in_either() {
    let mut pair = Pair::open();
    let mut dice = Dice(99);
    for n in 1..=2_000 {
        let action = random_action(&mut dice, n).to_string();
        // As an event of a log that an older version of the model has decided.
        if twinstore_reducer::read::<SalesOrder>(&action).is_ok() {
            pair.fold(&action, n);
        }
    }
    pair.compare();
}

struct Pair {
    native: Box<dyn Reducer>,
    javascript: Box<dyn Reducer>,
}

impl Pair {
    fn open() -> Self {
        let source = include_str!("../../sales-order/reducer.js").to_owned();
        let javascript = model::from_source("salesOrder", "reducer.js", source).expect("a model");
        let options = Options::new(Models::new(), Arc::new(MemoryLog::new()));
        let options = options.with_model::<SalesOrder>().expect("a model");
        let native = options.engines.open(&options.models["salesOrder"], "x").expect("it opens");
        Self { native, javascript: QuickJs.open(&javascript, "x").expect("it opens") }
    }

    fn decide(&mut self, action: &str, n: u64) -> Decision {
        let native = self.native.decide(step(action, n)).expect("it decides");
        let javascript = self.javascript.decide(step(action, n)).expect("it decides");
        assert_eq!(native, javascript, "{action}");
        let changes = self.native.changes().expect("changes");
        assert_eq!(changes, self.javascript.changes().expect("changes"), "{action}");
        if n.is_multiple_of(500) {
            self.compare();
        }
        native
    }

    fn fold(&mut self, action: &str, n: u64) {
        self.native.fold(step(action, n)).expect("it folds");
        self.javascript.fold(step(action, n)).expect("it folds");
        let changes = self.native.changes().expect("changes");
        assert_eq!(changes, self.javascript.changes().expect("changes"), "{action}");
    }

    /// States, records and checksums; and what is written is read again.
    fn compare(&mut self) {
        let native = self.native.state().expect("a state");
        let javascript = self.javascript.state().expect("a state");
        // serde_json's objects are sorted by key: canonical.
        let canonical = |text: &str| serde_json::from_str::<Value>(text).expect("JSON").to_string();
        assert_eq!(canonical(&native), canonical(&javascript));
        assert_eq!(self.native.checksum(), self.javascript.checksum());
        let records = self.native.records().expect("records");
        assert_eq!(records, self.javascript.records().expect("records"));
        // Each goes on with what the other wrote.
        self.native.load(Some(&javascript)).expect("it loads");
        self.javascript.load(Some(&native)).expect("it loads");
    }
}

fn step(action: &str, n: u64) -> Step<'_> {
    Step { action, now: 1_795_428_000_000 + n, seed: seed("salesOrder/x", "c", n) }
}

/// Mostly plausible, some refused, some malformed.
fn random_action(dice: &mut Dice, n: u64) -> Value {
    let id = match dice.below(30) {
        0 => json!("nobody"),
        1 => odd(dice),
        // Recent orders mostly, so that an order lives through several actions.
        _ => json!(format!("o{}", (n / 16).saturating_sub(dice.below(3)))),
    };
    let kind = dice.pick(&[
        "create",
        "create",
        "addLine",
        "addLine",
        "addLine",
        "addLine",
        "removeLine",
        "update",
        "confirm",
        "cancel",
        "delete",
    ]);
    let mut payload = json!({ "id": id });
    match *kind {
        "create" | "update" => payload["customer"] = text(dice),
        "addLine" => payload["line"] = line(dice),
        "removeLine" => payload["lineId"] = line_id(dice),
        _ => {}
    }
    match dice.below(60) {
        0 => json!({ "type": kind }),
        1 => json!({ "type": kind, "payload": odd(dice) }),
        2 => json!({ "type": text(dice).as_str().unwrap_or("toString"), "payload": payload }),
        _ => json!({ "type": kind, "payload": payload, "meta": { "twin": { "n": n } } }),
    }
}

fn line(dice: &mut Dice) -> Value {
    if dice.below(40) == 0 {
        return odd(dice);
    }
    let mut line = json!({ "sku": text(dice), "quantity": number(dice), "price": number(dice) });
    if dice.below(5) > 0 {
        line["id"] = line_id(dice);
    }
    if dice.below(20) == 0 {
        line["note"] = odd(dice);
    }
    line
}

fn line_id(dice: &mut Dice) -> Value {
    let plain = json!(format!("l{}", dice.below(6)));
    text_or(dice, plain)
}

fn number(dice: &mut Dice) -> Value {
    match dice.below(30) {
        0 => odd(dice),
        1 => dice
            .pick(&[
                json!(1.5),
                json!(-1),
                json!(0),
                json!(-0.0),
                json!(10_001),
                json!(1e21),
                json!(1.25e-9),
                json!(3.0),
                json!(9_007_199_254_740_993_u64),
                json!(0.1),
            ])
            .clone(),
        _ => json!(1 + dice.below(9_000)),
    }
}

fn text(dice: &mut Dice) -> Value {
    let plain =
        json!(*dice.pick(&["Ann", "Çelik & Söhne", "山田商店", "Zoë 🧾", "O’Neil \"Ltd\"\n"]));
    text_or(dice, plain)
}

fn text_or(dice: &mut Dice, plain: Value) -> Value {
    if dice.below(15) == 0 { odd(dice) } else { plain }
}

/// What does not belong there, mostly.
fn odd(dice: &mut Dice) -> Value {
    let long = |text: &str, times: usize| json!(text.repeat(times));
    dice.pick(&[
        Value::Null,
        json!(true),
        json!([]),
        json!({}),
        json!({ "id": "x" }),
        json!(7),
        json!(-2.5),
        json!(1e300),
        json!(""),
        json!(" \t"),
        json!("\u{feff}\u{2003}"),
        json!("\u{85}"),
        json!("\u{1}\u{8}\u{c}\u{7f}\u{2028}\\"),
        json!("__proto__"),
        json!("constructor"),
        long("x", 64),
        long("x", 65),
        long("🧾", 32),
        long("🧾", 33),
        long("x🧾", 40),
        long("ab🧾", 50),
        long("é", 200),
        long("é", 201),
    ])
    .clone()
}

/// Chance, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[usize::try_from(self.below(list.len() as u64)).expect("small")]
    }
}
