//! How many actions a second the model takes in the server, in Rust and in JavaScript (a plain reducer in
//! QuickJS): `cargo run --release -p sales-order --example speed [ORDERS…]`.
//!
//! Orders have two lines; each action adds one to an order, or takes it out. After each the changed records are
//! asked for, as the server does. Prints the median of several rounds, by the time that the thread ran.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sales_order::SalesOrder;
use serde_json::json;
use twinstore_server::Options;
use twinstore_server::log::MemoryLog;
use twinstore_server::model::{self, Models};
use twinstore_server::reducer::{Decision, QuickJs, Reducer, ReducerEngine, Step};

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(300);

fn main() {
    let named: Vec<u64> = std::env::args().skip(1).filter_map(|size| size.parse().ok()).collect();
    let sizes = if named.is_empty() { vec![1, 1_000, 10_000] } else { named };
    println!("| orders | JavaScript | Rust |\n|---:|---:|---:|");
    for orders in sizes {
        let [javascript, native] = [javascript(), native()].map(|model| median(model, orders));
        println!("| {orders} | {javascript:.0} | {native:.0} |");
    }
}

fn javascript() -> Box<dyn Reducer> {
    let source = include_str!("../../sales-order/reducer.js").to_owned();
    let model = model::from_source("salesOrder", "reducer.js", source).expect("a model");
    QuickJs.open(&model, "x").expect("it opens")
}

fn native() -> Box<dyn Reducer> {
    let options = Options::new(Models::new(), Arc::new(MemoryLog::new()));
    let options = options.with_model::<SalesOrder>().expect("a model");
    options.engines.open(&options.models["salesOrder"], "x").expect("it opens")
}

fn median(mut model: Box<dyn Reducer>, orders: u64) -> f64 {
    fill(&mut *model, orders);
    let mut n = 0;
    let mut rates: Vec<f64> = (0..ROUNDS).map(|_| round(&mut *model, orders, &mut n)).collect();
    rates.sort_by(f64::total_cmp);
    rates[ROUNDS / 2]
}

/// As after a restart: the state comes from a snapshot.
fn fill(model: &mut dyn Reducer, orders: u64) {
    let order = |at: u64| {
        let id = format!("o{at}");
        let line = |line| json!({ "id": line, "sku": "apple", "quantity": 2, "price": 45 });
        let order = json!({
            "id": id, "customer": "Ann", "status": "draft", "lines": [line("a"), line("b")], "total": 180,
        });
        (id, order)
    };
    let entities: serde_json::Map<_, _> = (0..orders).map(order).collect();
    model.load(Some(&json!({ "entities": entities }).to_string())).expect("it loads");
}

fn round(model: &mut dyn Reducer, orders: u64, n: &mut u64) -> f64 {
    let (start, before) = (Clock::now(), *n);
    while start.elapsed() < ROUND {
        for _ in 0..50 {
            // To each order once, then from each once.
            let id = format!("o{}", *n % orders);
            let action = if (*n / orders).is_multiple_of(2) {
                let line =
                    json!({ "id": "c", "sku": "desk", "quantity": 1 + *n % 90, "price": 995 });
                json!({ "type": "addLine", "payload": { "id": id, "line": line } })
            } else {
                json!({ "type": "removeLine", "payload": { "id": id, "lineId": "c" } })
            };
            *n += 1;
            let action = action.to_string();
            let step = Step { action: &action, now: *n, seed: [1, 2, 3, 4] };
            assert_eq!(model.decide(step), Ok(Decision::Accepted), "{action}");
            assert_eq!(model.changes().map(|changes| changes.len()), Ok(1));
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let done = (*n - before) as f64;
    done / start.elapsed().as_secs_f64()
}

/// Time that this thread ran, where the system tells it, so that a busy machine matters less.
struct Clock {
    wall: Instant,
    ran: Option<Duration>,
}

impl Clock {
    fn now() -> Self {
        Self { wall: Instant::now(), ran: ran() }
    }

    fn elapsed(&self) -> Duration {
        let ran = self.ran.and_then(|before| Some(ran()? - before));
        ran.unwrap_or_else(|| self.wall.elapsed())
    }
}

fn ran() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    stat.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}
