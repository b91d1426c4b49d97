//! The `twinstore` command: one file a subcommand.
#![forbid(unsafe_code)]

mod backup;
mod check;
mod compact;
mod config;
mod cost;
mod error;
mod events;
mod export;
mod logging;
mod output;
mod progress;
mod rebuild;
mod serve;
mod state;
mod stats;
mod store;
mod token;
mod which;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A Redux or NgRx store with a durable twin on a server.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run models over a store and serve clients.
    Serve(serve::Serve),
    /// Print the settings that `serve` would run with, as TOML.
    Config(config::Config),
    /// Estimate what actions cost on AWS, and on a machine of one's own.
    Cost(cost::Cost),
    /// Make a token, for development.
    Token(token::Token),
    /// Print a stream's events, one JSON object a line.
    Events(events::Events),
    /// Print a stream's state, or what differs between two of its states.
    State(state::State),
    /// Count events, of a stream or of all.
    Stats(stats::Stats),
    /// Write a stream's events into a file: NDJSON or Parquet.
    Export(export::Export),
    /// Look whether the store is whole.
    Check(check::Check),
    /// Put a state in the place of a stream's oldest events.
    Compact(compact::Compact),
    /// Make records, clients' numbers and snapshots anew from the events.
    Rebuild(rebuild::Rebuild),
    /// Write the store as it is now into a file of its own.
    Backup(backup::Backup),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(serve) => serve.run(),
        Command::Config(config) => config.run(),
        Command::Cost(cost) => cost.run(),
        Command::Token(token) => token.run(),
        Command::Events(events) => events.run(),
        Command::State(state) => state.run(),
        Command::Stats(stats) => stats.run(),
        Command::Export(export) => export.run(),
        Command::Check(check) => check.run(),
        Command::Compact(compact) => compact.run(),
        Command::Rebuild(rebuild) => rebuild.run(),
        Command::Backup(backup) => backup.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}
