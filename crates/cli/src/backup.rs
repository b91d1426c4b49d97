//! `twinstore backup`: the store as it is now, in a file of its own.

use std::path::PathBuf;

use clap::Args;

use crate::error::CliError;
use crate::store::Store;

/// Write the store as it is now into a file of its own. A server may go on writing meanwhile.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// Where events are kept: sqlite:FILE.
    #[arg(long, value_name = "STORE", default_value = "sqlite:twinstore.db")]
    store: Store,
    /// The file to write; it must not be there yet.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

impl Backup {
    pub(crate) fn run(&self) -> Result<(), CliError> {
        if self.to.exists() {
            return Err(CliError::Exists { path: self.to.clone() });
        }
        let log = self.store.open_file()?;
        // Under its name there is a whole backup or none.
        let mut part = self.to.clone().into_os_string();
        part.push(".part");
        let part = PathBuf::from(part);
        let io = |what| move |source| CliError::Io { what, source };
        if part.exists() {
            std::fs::remove_file(&part)
                .map_err(io("cannot remove what is left of another backup"))?;
        }
        log.backup(&part)?;
        std::fs::rename(&part, &self.to).map_err(io("cannot give the backup its name"))?;
        let bytes = std::fs::metadata(&self.to).map_err(io("cannot find the backup"))?.len();
        eprintln!("{} holds the store, {bytes} bytes", self.to.display());
        Ok(())
    }
}
