//! A stream's events as a file for other tools: NDJSON or Parquet.
//!
//! Events are written as they come; what waits to be written is bounded. The file appears under
//! its name once it is whole and on the disk. A crate of its own, because Parquet compiles slowly.
//! Not here: which events (`twinstore_server::analysis`), progress (`crates/cli`).
#![forbid(unsafe_code)]

mod columns;
mod ndjson;
mod table;

use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use twinstore_server::event::StoredEvent;

use crate::ndjson::Ndjson;
use crate::table::Table;

/// Why events cannot be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The name does not say which form is wanted.
    #[error("{file}: a file to export to ends in .ndjson or .parquet")]
    Form {
        /// The file.
        file: PathBuf,
    },
    /// There is such a file, and it is not to be replaced.
    #[error("{file} is there already: name another file, or say --replace")]
    Exists {
        /// The file.
        file: PathBuf,
    },
    /// The system does not write it.
    #[error("cannot write {file}; name a file in a directory that is there and can be written to")]
    Write {
        /// The file.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// What an export does with a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It is an error.
    Keep,
    /// It is replaced, at once, by the whole new one.
    Replace,
}

/// A file under way. Dropped before it is finished it leaves nothing behind.
#[derive(Debug)]
pub struct Export {
    file: PathBuf,
    existing: Existing,
    /// The bytes are written to this, by a handle of their own.
    unnamed: NamedTempFile,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Ndjson(Ndjson),
    Parquet(Box<Table>),
}

impl Export {
    /// Begins a file of events of that stream; its name says the form.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn to(file: &Path, stream: &str, existing: Existing) -> Result<Self, ExportError> {
        let named = |extension| file.extension().is_some_and(|is| is == extension);
        if !named("ndjson") && !named("parquet") {
            return Err(ExportError::Form { file: file.to_owned() });
        }
        if existing == Existing::Keep && file.exists() {
            return Err(ExportError::Exists { file: file.to_owned() });
        }
        let write = |source| ExportError::Write { file: file.to_owned(), source };
        let unnamed = beside(file).map_err(write)?;
        let out: File = unnamed.as_file().try_clone().map_err(write)?;
        let form = match named("ndjson") {
            true => Form::Ndjson(Ndjson::new(out)),
            false => Form::Parquet(Box::new(Table::new(out, stream).map_err(write)?)),
        };
        Ok(Self { file: file.to_owned(), existing, unnamed, form })
    }

    /// Writes an event.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn put(&mut self, event: &StoredEvent) -> Result<(), ExportError> {
        let put = match &mut self.form {
            Form::Ndjson(lines) => lines.put(event),
            Form::Parquet(table) => table.put(event),
        };
        put.map_err(|source| ExportError::Write { file: self.file.clone(), source })
    }

    /// Writes the rest, to the disk, and gives the file its name.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn finish(self) -> Result<(), ExportError> {
        let Self { file, existing, unnamed, form } = self;
        let write = |source| ExportError::Write { file: file.clone(), source };
        match form {
            Form::Ndjson(lines) => lines.finish(),
            Form::Parquet(table) => table.finish(),
        }
        .and_then(|()| unnamed.as_file().sync_all())
        .map_err(write)?;
        let named = match existing {
            Existing::Keep => unnamed.persist_noclobber(&file),
            Existing::Replace => unnamed.persist(&file),
        };
        match named {
            Ok(_) => Ok(()),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                Err(ExportError::Exists { file: file.clone() })
            }
            Err(error) => Err(write(error.error)),
        }
    }
}

/// A file in the same directory, so that it can be given its name in one step.
fn beside(file: &Path) -> io::Result<NamedTempFile> {
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // As any new file: who may read it is the umask's to say.
    let permissions = std::fs::Permissions::from_mode(0o666);
    tempfile::Builder::new()
        .prefix(".twinstore-export-")
        .suffix(".part")
        .permissions(permissions)
        .tempfile_in(directory)
}
