//! The models a server runs: read from files or given in Rust, checked, and kept by hash.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use twinstore_reducer::Model;

use crate::event::hex;
use crate::log::StoredModel;
use crate::reducer::{LoadError, QuickJs};

/// The models of one server, by name.
pub type Models = BTreeMap<String, Arc<StoredModel>>;

/// Why a model cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The name cannot be part of a stream's name and of table names.
    #[error("`{name}` cannot be a model's name: {rule}")]
    Name {
        /// The name.
        name: String,
        /// What a name must be.
        rule: &'static str,
    },
    /// Two models have one name, but for upper and lower case.
    #[error("two models are named `{name}`")]
    Twice {
        /// The name.
        name: String,
    },
    /// The file cannot be read.
    #[error("cannot read {file}")]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file holds no model.
    #[error("{}", place(file, error))]
    Load {
        /// The file.
        file: PathBuf,
        /// Where and why.
        error: LoadError,
    },
}

/// Reads a model from its file and loads it once to see that it is one.
///
/// # Errors
/// [`ModelError`].
pub fn read(name: &str, file: &Path) -> Result<StoredModel, ModelError> {
    check_name(name)?;
    let read = |source| ModelError::Read { file: file.to_owned(), source };
    let source = std::fs::read_to_string(file).map_err(read)?;
    from_source(name, &file.display().to_string(), source)
        .map_err(|error| ModelError::Load { file: file.to_owned(), error })
}

/// Makes a model of its source; `file` is its name in messages.
///
/// # Errors
/// [`LoadError`].
pub fn from_source(name: &str, file: &str, source: String) -> Result<StoredModel, LoadError> {
    let schema = QuickJs.inspect(file, &source)?;
    Ok(StoredModel { hash: hash(&source), name: name.to_owned(), schema, source })
}

/// A model in Rust. In place of its source stands a module that says where to look, for programs
/// that do not hold it; name, schema and version make its hash.
///
/// # Errors
/// [`ModelError::Name`].
pub fn native<M: Model>() -> Result<StoredModel, ModelError> {
    check_name(M::NAME)?;
    let (name, schema, version) = (M::NAME, M::SCHEMA, M::VERSION);
    let source = format!(
        "throw new Error('{name}, schema {schema}, version {version}, is a model in Rust: \
         only a program that holds it can run it')\n"
    );
    Ok(StoredModel { hash: hash(&source), name: name.to_owned(), schema, source })
}

/// Puts models together by name.
///
/// # Errors
/// [`ModelError::Twice`].
pub fn together(models: impl IntoIterator<Item = StoredModel>) -> Result<Models, ModelError> {
    let mut all = Models::new();
    for model in models {
        add(&mut all, model)?;
    }
    Ok(all)
}

/// Adds a model.
///
/// # Errors
/// [`ModelError::Twice`].
pub fn add(models: &mut Models, model: StoredModel) -> Result<(), ModelError> {
    // Tables are named after models, and SQLite's names know no case.
    if models.keys().any(|name| name.eq_ignore_ascii_case(&model.name)) {
        return Err(ModelError::Twice { name: model.name });
    }
    models.insert(model.name.clone(), Arc::new(model));
    Ok(())
}

/// The first 16 hex digits of SHA-256(source).
#[must_use]
pub fn hash(source: &str) -> String {
    hex(&Sha256::digest(source.as_bytes())[..8])
}

fn check_name(name: &str) -> Result<(), ModelError> {
    let refuse = |rule| Err(ModelError::Name { name: name.to_owned(), rule });
    if let Err(error) = twinstore_protocol::StreamId::parse(&format!("{name}/x")) {
        return refuse(match error {
            twinstore_protocol::StreamIdError::Form => "it is empty",
            _ => "it is a letter followed by up to 63 letters, digits or underscores",
        });
    }
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("twin_") || lower.starts_with("sqlite_") || lower.ends_with("_events") {
        return refuse("`twin_…`, `sqlite_…` and `…_events` are names of the store's own tables");
    }
    Ok(())
}

fn place(file: &Path, error: &LoadError) -> impl fmt::Display {
    let file = file.display();
    match error.line {
        Some(line) => format!("{file}:{line}: {}", error.reason),
        None => format!("{file}: {}", error.reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_taken() {
        for name in ["", "a-b", "twin_x", "SQLITE_a", "order_Events", "1a"] {
            assert!(check_name(name).is_err(), "{name}");
        }
        check_name("salesOrder").unwrap();
    }

    #[test]
    fn two_of_a_name() {
        let model = |name: &str| StoredModel {
            hash: String::new(),
            name: name.to_owned(),
            schema: 1,
            source: String::new(),
        };
        assert!(together([model("a"), model("b")]).is_ok());
        assert!(matches!(together([model("a"), model("A")]), Err(ModelError::Twice { .. })));
    }
}
