//! What `serve` says on stderr: which of it, and in which form.

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::error::CliError;

/// What is logged.
#[derive(Debug, Args)]
pub(crate) struct Logging {
    /// What is logged: error, warn, info, debug or trace, also by module, as
    /// `info,twinstore_server::socket=debug`. Without it the environment's RUST_LOG, else info.
    #[arg(long = "log", value_name = "LEVEL")]
    filter: Option<String>,
    /// A line for people, or an object for programs.
    #[arg(long = "log-format", value_name = "FORMAT", default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    Json,
}

impl Logging {
    /// From here on it is logged.
    pub(crate) fn begin(&self) -> Result<(), CliError> {
        let log = tracing_subscriber::fmt()
            .with_writer(std::io::stderr)
            .with_ansi(false)
            .with_env_filter(self.filter()?);
        match self.format {
            Format::Text => log.init(),
            Format::Json => log.json().flatten_event(true).with_span_list(false).init(),
        }
        Ok(())
    }

    fn filter(&self) -> Result<EnvFilter, CliError> {
        let builder = EnvFilter::builder().with_default_directive(tracing::Level::INFO.into());
        match &self.filter {
            None => Ok(builder.from_env_lossy()),
            Some(filter) => builder
                .parse(filter)
                .map_err(|source| CliError::LogFilter { filter: filter.clone(), source }),
        }
    }
}
