//! Trials: one world, or many, and what came of them.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once};

use twinstore_protocol::planted::Bug;

use crate::coverage::Coverage;
use crate::settings::Settings;
use crate::world::World;

/// Something did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The world.
    pub seed: u64,
    /// What did not hold, and what broke it.
    pub what: String,
    /// Where that was seen.
    pub place: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {} ({})", self.seed, self.what, self.place)
    }
}

impl Failure {
    /// The invariant, or whatever stands before the colon.
    #[must_use]
    pub fn kind(&self) -> &str {
        let what = self.what.strip_prefix("assertion `left == right` failed: ");
        what.unwrap_or(&self.what).split(':').next().unwrap_or_default()
    }
}

/// Runs one world.
///
/// # Errors
/// [`Failure`]: something that must hold does not, or a part of ours panicked.
pub fn run(seed: u64, settings: &Settings, traced: bool) -> Result<Coverage, Failure> {
    quiet_panics();
    let world = AssertUnwindSafe(|| {
        let mut world = World::new(seed, settings.clone(), traced);
        world.be_unsafe();
        world.converge();
        world.coverage()
    });
    IN_WORLD.set(true);
    let outcome = panic::catch_unwind(world);
    IN_WORLD.set(false);
    outcome.map_err(|_| {
        let (what, place) = PANIC.take();
        Failure { seed, what, place }
    })
}

/// What came of many worlds.
#[derive(Debug, Default)]
pub struct Summary {
    /// How many there were.
    pub seeds: u64,
    /// What happened in them.
    pub coverage: Coverage,
    /// Those in which something did not hold, by seed.
    pub failures: Vec<Failure>,
}

/// Runs the worlds of these seeds with their own settings, in so many threads, up to so many failures.
#[must_use]
pub fn run_many(from: u64, count: u64, jobs: usize, failures: usize, bug: Option<Bug>) -> Summary {
    let next = AtomicU64::new(from);
    let summary = Mutex::new(Summary::default());
    let end = from.saturating_add(count);
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                plant(bug);
                let mut own = Summary::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        break;
                    }
                    own.seeds += 1;
                    match run(seed, &Settings::of(seed), false) {
                        Ok(coverage) => own.coverage.join(&coverage),
                        Err(failure) => {
                            let mut all = summary.lock().expect("nothing panics with it");
                            all.failures.push(failure);
                            if all.failures.len() >= failures {
                                next.store(end, Ordering::Relaxed);
                            }
                        }
                    }
                }
                let mut all = summary.lock().expect("nothing panics with it");
                all.seeds += own.seeds;
                all.coverage.join(&own.coverage);
            });
        }
    });
    let mut summary = summary.into_inner().expect("nothing panics with it");
    summary.failures.sort_by_key(|failure| failure.seed);
    summary
}

/// Puts a bug to work in this thread.
pub fn plant(bug: Option<Bug>) {
    #[cfg(feature = "planted")]
    twinstore_protocol::planted::plant(bug);
    #[cfg(not(feature = "planted"))]
    assert!(bug.is_none(), "bugs can be planted with the feature `planted` only");
}

thread_local! {
    static IN_WORLD: Cell<bool> = const { Cell::new(false) };
    static PANIC: RefCell<(String, String)> = RefCell::default();
}

/// Panics of worlds are answers: they are kept, not printed. Others are printed.
fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let printed = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IN_WORLD.get() {
                return printed(info);
            }
            let payload = info.payload();
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
            let what = text.unwrap_or("a panic without a text").to_owned();
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            PANIC.replace((what, place));
        }));
    });
}
