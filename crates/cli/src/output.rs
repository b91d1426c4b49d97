//! What goes to stdout.

use std::io::{self, Write};

use crate::error::CliError;

/// Prints it; that nobody reads on is no error.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => {
            written.map_err(|source| CliError::Io { what: "cannot write to stdout", source })
        }
    }
}

/// A text of a client's, for a terminal: its control characters might be orders to it.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
