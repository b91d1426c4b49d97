//! The `sim` command: runs worlds by seed, says what happened in them, and makes failures small.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use sim::{Bug, Failure, Settings, Summary, plant, run, run_many, shrink};

/// Seeded worlds of real engines and a real server, under every fault that is known of.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// How many seeds to run
    #[arg(long, default_value_t = 1_000, conflicts_with = "seed")]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// One world
    #[arg(long)]
    seed: Option<u64>,
    /// Settings of that world as JSON; without, those of its seed
    #[arg(long, requires = "seed")]
    settings: Option<String>,
    /// Print the settings of that world and run nothing
    #[arg(long, requires = "seed")]
    print_settings: bool,
    /// Print each step of that world
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Threads; without, one a core
    #[arg(long)]
    jobs: Option<usize>,
    /// Failures after which to stop
    #[arg(long, default_value_t = 10)]
    failures: usize,
    /// Print failures as they are, without making them smaller
    #[arg(long)]
    no_shrink: bool,
    /// A bug to be found, by name (needs the feature `planted`)
    #[arg(long)]
    planted: Option<String>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match simulate(&cli) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            // Nobody is left to tell where stderr is gone.
            let _ = writeln!(io::stderr(), "sim: {message}");
            ExitCode::from(2)
        }
    }
}

/// Runs what is asked for. False: something does not hold.
fn simulate(cli: &Cli) -> Result<bool, String> {
    let bug = cli.planted.as_deref().map(bug).transpose()?;
    if bug.is_some() && !cfg!(feature = "planted") {
        return Err("bugs are planted with `--features planted`".to_owned());
    }
    plant(bug);
    match cli.seed {
        Some(seed) => run_one(cli, seed),
        None => run_all(cli, bug),
    }
}

fn run_one(cli: &Cli, seed: u64) -> Result<bool, String> {
    let settings = match &cli.settings {
        None => Settings::of(seed),
        Some(text) => serde_json::from_str(text).map_err(|e| format!("--settings: {e}"))?,
    };
    if cli.print_settings {
        say(&json(&settings))?;
        return Ok(true);
    }
    match run(seed, &settings, cli.trace) {
        Ok(coverage) => {
            say(&format!("{coverage}\nseed {seed}: all holds"))?;
            Ok(true)
        }
        Err(failure) => {
            report(cli, &failure, &settings)?;
            Ok(false)
        }
    }
}

fn run_all(cli: &Cli, bug: Option<Bug>) -> Result<bool, String> {
    let begun = Instant::now();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = cli.jobs.unwrap_or(cores);
    let summary = run_many(cli.from, cli.seeds, jobs, cli.failures, bug);
    let Summary { seeds, coverage, failures } = &summary;
    say(&coverage.to_string())?;
    for failure in failures {
        report(cli, failure, &Settings::of(failure.seed))?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    say(&format!("{seeds} seeds from {}, {} failures, {seconds:.1} s", cli.from, failures.len()))?;
    Ok(failures.is_empty())
}

fn report(cli: &Cli, failure: &Failure, settings: &Settings) -> Result<(), String> {
    say(&format!("{failure}"))?;
    let (failure, settings) =
        if cli.no_shrink { (failure.clone(), settings.clone()) } else { shrink(failure, settings) };
    let (seed, settings) = (failure.seed, json(&settings));
    say(&format!("  {failure}\n  sim --trace --seed {seed} --settings '{settings}'"))
}

fn json(settings: &Settings) -> String {
    serde_json::to_string(settings).expect("numbers and names")
}

fn say(text: &str) -> Result<(), String> {
    writeln!(io::stdout(), "{text}").map_err(|error| format!("stdout: {error}"))
}

fn bug(name: &str) -> Result<Bug, String> {
    let same = |bug: &&Bug| format!("{bug:?}").eq_ignore_ascii_case(name);
    let all = || Bug::ALL.iter().map(|bug| format!("{bug:?}")).collect::<Vec<_>>().join(", ");
    Bug::ALL
        .iter()
        .find(same)
        .copied()
        .ok_or_else(|| format!("no bug `{name}`; there are {}", all()))
}
