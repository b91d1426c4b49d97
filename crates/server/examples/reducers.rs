//! How many actions a second a bundled model takes in QuickJS: `reducers ORDERS MODEL.js…`.
//!
//! `npm run bench` calls it with the models of `bench/reducers`. Each is asked through the server's
//! own reducer, with its records compared after every commit. Prints the median and the best of
//! several rounds as a line of JSON.

use std::time::{Duration, Instant};

use twinstore_server::log::StoredModel;
use twinstore_server::reducer::{Decision, QuickJs, Reducer, ReducerEngine, Step};

/// Entries in one commit: what a busy stream gathers while the one before is written.
const COMMIT: u64 = 50;
/// The orders that change, of 20 lines each. All others have two: 10,000 of 20 do not fit into the
/// memory that a model may take.
const CHANGED: u64 = 1_000;
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(500);

fn main() {
    let mut args = std::env::args().skip(1);
    let orders: u64 = args.next().and_then(|n| n.parse().ok()).expect("a number of orders");
    for path in args {
        let source = std::fs::read_to_string(&path).expect("a model's file");
        let mut bench = Bench::open(source, orders);
        bench.run(ROUND);
        let mut rates: Vec<f64> = (0..ROUNDS).map(|_| bench.run(ROUND)).collect();
        rates.sort_by(f64::total_cmp);
        let (median, best) = (rates[ROUNDS / 2], rates[ROUNDS - 1]);
        println!(r#"{{"model":{path:?},"orders":{orders},"median":{median:.0},"best":{best:.0}}}"#);
    }
}

/// Time that this thread ran, where the system tells it, so that a busy machine matters less.
#[derive(Clone, Copy, Debug)]
struct Clock {
    wall: Instant,
    ran: Option<Duration>,
}

impl Clock {
    fn now() -> Self {
        Self { wall: Instant::now(), ran: ran() }
    }

    fn elapsed(self) -> Duration {
        let ran = self.ran.and_then(|before| Some(ran()? - before));
        ran.unwrap_or_else(|| self.wall.elapsed())
    }
}

fn ran() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    stat.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

#[derive(Debug)]
struct Bench {
    reducer: Box<dyn Reducer>,
    orders: u64,
    done: u64,
}

impl Bench {
    fn open(source: String, orders: u64) -> Self {
        let model =
            StoredModel { hash: String::new(), name: "orders".to_owned(), schema: 1, source };
        let reducer = QuickJs.open(&model, "bench").expect("a model");
        let mut bench = Self { reducer, orders, done: 0 };
        for from in (0..orders).step_by(100) {
            let to = orders.min(from + 100);
            let lines = if from < CHANGED { 20 } else { 2 };
            bench.decide(&format!(
                r#"{{"type":"orders/created","payload":{{"from":{from},"to":{to},"lines":{lines}}}}}"#
            ));
        }
        // As after a restart: the state comes from a snapshot.
        let state = bench.reducer.state().expect("a state");
        bench.reducer.load(Some(&state)).expect("it loads");
        bench
    }

    /// Actions a second over that time.
    fn run(&mut self, time: Duration) -> f64 {
        let (start, before) = (Clock::now(), self.done);
        while start.elapsed() < time {
            for _ in 0..COMMIT {
                let action = self.action();
                self.decide(&action);
            }
            self.reducer.changes().expect("the records are compared");
        }
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let done = (self.done - before) as f64;
        done / start.elapsed().as_secs_f64()
    }

    /// Half of them set a quantity, half add a line.
    fn action(&mut self) -> String {
        let n = self.done;
        self.done += 1;
        let id = n.wrapping_mul(2_654_435_761) % self.orders.min(CHANGED);
        let qty = 1 + n % 90;
        if n.is_multiple_of(2) {
            let line = n / 2 % 20;
            format!(
                r#"{{"type":"orders/qtySet","payload":{{"id":"o{id}","line":{line},"qty":{qty}}}}}"#
            )
        } else {
            format!(
                r#"{{"type":"orders/lineAdded","payload":{{"id":"o{id}","sku":"s{n}","qty":{qty},"price":9.95}}}}"#
            )
        }
    }

    fn decide(&mut self, action: &str) {
        let step = Step { action, now: 1_795_428_000_000, seed: [1, 2, 3, 4] };
        let said = self.reducer.decide(step).expect("it decides");
        assert_eq!(said, Decision::Accepted, "{action}");
    }
}
