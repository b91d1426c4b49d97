//! `[tls]`: the certificate's files. Neither: no TLS.

use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};
use twinstore_server::tls::TlsFiles;

use crate::error::CliError;

/// The table, and its flags.
#[derive(Clone, Debug, Default, Args, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TlsTable {
    /// A file with the server's certificate and those that vouch for it (PEM): serves https and wss.
    #[arg(id = "tls_certificate", long = "tls-certificate", value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<PathBuf>,
    /// A file with the certificate's private key (PEM).
    #[arg(id = "tls_key", long = "tls-key", value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<PathBuf>,
}

impl TlsTable {
    /// The server's form of it.
    pub(crate) fn files(&self) -> Result<Option<TlsFiles>, CliError> {
        match (self.certificate.clone(), self.key.clone()) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
            _ => Err(CliError::HalfTls),
        }
    }

    /// A flag's file stands instead of the settings'.
    pub(super) fn take(&mut self, flags: &Self) {
        for (file, flag) in
            [(&mut self.certificate, &flags.certificate), (&mut self.key, &flags.key)]
        {
            if flag.is_some() {
                file.clone_from(flag);
            }
        }
    }

    pub(super) fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.certificate.iter_mut().chain(&mut self.key)
    }
}
