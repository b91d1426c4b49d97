//! The certificate that is shown, as its files have it.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::{TlsError, TlsFiles};

/// Certificate and key.
#[derive(Debug)]
pub(crate) struct Certificate {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    shown: RwLock<Shown>,
}

#[derive(Debug)]
struct Shown {
    key: Arc<CertifiedKey>,
    as_of: AsOf,
}

/// When the two files were written.
type AsOf = [Option<SystemTime>; 2];

impl Certificate {
    pub(super) fn read(files: TlsFiles, provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let as_of = as_of(&files);
        let key = Arc::new(read(&files, &provider)?);
        Ok(Self { files, provider, shown: RwLock::new(Shown { key, as_of }) })
    }

    /// Reads the files again where they are others. What is no certificate is said, and the one
    /// that is shown stays.
    pub(super) fn refresh(&self) {
        let as_of = as_of(&self.files);
        if self.shown.read().unwrap_or_else(PoisonError::into_inner).as_of == as_of {
            return;
        }
        let mut shown = self.shown.write().unwrap_or_else(PoisonError::into_inner);
        shown.as_of = as_of;
        match read(&self.files, &self.provider) {
            Ok(key) => {
                shown.key = Arc::new(key);
                tracing::info!("the certificate was read again");
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the new certificate is not taken, the old one stays");
            }
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.shown.read().unwrap_or_else(PoisonError::into_inner).key))
    }
}

fn as_of(files: &TlsFiles) -> AsOf {
    let written = |file: &Path| std::fs::metadata(file).and_then(|data| data.modified()).ok();
    [written(&files.certificate), written(&files.key)]
}

fn read(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let unread = |what, file: &Path| {
        let file = file.to_owned();
        move |source: pem::Error| TlsError::Read { what, file, source }
    };
    let certificates = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unread("a certificate", &files.certificate))?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate(files.certificate.clone()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key);
    let key = key.map_err(unread("a private key", &files.key))?;
    CertifiedKey::from_der(certificates, key, provider).map_err(|source| TlsError::Pair {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        source,
    })
}
