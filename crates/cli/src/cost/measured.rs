//! `twinstore cost --measured URL`: what a running server did, per thousand actions, and the run that this was.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use twinstore_cost::{Bill, Machine, Measured, Prices, Run};
use ureq::Agent;

use crate::error::CliError;

/// How long a server may take to answer.
const WAIT: Duration = Duration::from_secs(10);

/// Bytes of the longest answer that is read.
const ANSWER_BYTES: u64 = 4 << 20;

/// Bytes of the longest token.
const TOKEN_BYTES: usize = 8 << 10;

/// What a server did, and what its machine cost meanwhile.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) measured: Measured,
    hours: f64,
    dollars: f64,
}

impl Report {
    /// Asks a server for its metrics.
    pub(super) fn ask(
        url: &str,
        token_file: Option<&Path>,
        prices: &Prices,
    ) -> Result<Self, CliError> {
        let token = token_file.map(token).transpose()?;
        let text = get(&format!("{}/metrics", url.trim_end_matches('/')), token.as_deref())
            .map_err(|source| CliError::Metrics { url: url.to_owned(), source: source.into() })?;
        let measured: Measured = text.parse()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let hours = now.saturating_sub(measured.started) as f64 / 3_600.0;
        let dollars = Bill::of_machine(&Machine { hours, ..Machine::default() }, prices).total();
        Ok(Self { measured, hours, dollars })
    }

    /// The run that it was.
    pub(super) fn run(&self, others: &Run) -> Result<Run, CliError> {
        self.measured.run(others).ok_or(CliError::NothingMeasured)
    }

    pub(super) fn text(&self) -> String {
        let Measured { actions, .. } = self.measured;
        let per_thousand = |number: f64| match actions {
            0 => 0.0,
            _ => number * 1_000.0 / actions as f64,
        };
        let mut text = format!(
            "{actions} actions in {:.1} hours; for each 1,000 of them the server had\n",
            self.hours
        );
        let counts = self.measured.counts();
        for (what, number) in [
            ("messages in", counts.messages_in as f64),
            ("messages out", counts.messages_out as f64),
            ("HTTP requests", self.measured.requests as f64),
            ("appends", self.measured.appends as f64),
            ("ms of appends", self.measured.append_ms),
            ("ms of the model", self.measured.model_ms),
        ] {
            writeln!(text, "  {:>12.1} {what}", per_thousand(number)).expect("it takes all");
        }
        writeln!(text, "  {:>12.4} dollars of its machine\n", per_thousand(self.dollars))
            .expect("it takes all");
        text
    }
}

fn token(file: &Path) -> Result<String, CliError> {
    let read = |source| CliError::ReadSecret { file: file.to_owned(), source };
    let token = std::fs::read_to_string(file).map_err(read)?;
    let token = token.trim();
    if token.is_empty() || token.len() > TOKEN_BYTES {
        let source = std::io::Error::other("it holds no token");
        return Err(read(source));
    }
    Ok(token.to_owned())
}

fn get(url: &str, token: Option<&str>) -> Result<String, ureq::Error> {
    // A token goes to whom it was meant for.
    let config = Agent::config_builder().timeout_global(Some(WAIT)).max_redirects(0).build();
    let mut request = Agent::new_with_config(config).get(url);
    if let Some(token) = token {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    request.call()?.body_mut().with_config().limit(ANSWER_BYTES).read_to_string()
}
