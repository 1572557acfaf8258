//! Who the client says it is, to servers that ask for a certificate.

use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::ClientError;

/// A certificate and its key, for servers whose `transport.client_certificates` is not `off`.
pub struct ClientIdentity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl ClientIdentity {
    /// Takes the certificate chain, leaf first, and the key that belongs to it, both as PEM text.
    ///
    /// # Errors
    /// [`ClientError::Identity`] when one of them is missing in its text or broken.
    pub fn pem(chain: &[u8], key: &[u8]) -> Result<ClientIdentity, ClientError> {
        let unusable = |reason: String| ClientError::Identity { reason };
        let chain = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unusable(format!("the certificate is not valid PEM: {error}")))?;
        if chain.is_empty() {
            return Err(unusable("the PEM text holds no CERTIFICATE".into()));
        }
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| unusable(format!("the key is not valid PEM: {error}")))?;
        Ok(ClientIdentity { chain, key })
    }

    /// Reads both from PEM files, as [`pem`](ClientIdentity::pem) does.
    ///
    /// # Errors
    /// [`ClientError::Identity`] when a file cannot be read, or for what it holds.
    pub fn pem_files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<ClientIdentity, ClientError> {
        let read = |path: &Path| {
            std::fs::read(path)
                .map_err(|error| ClientError::Identity { reason: format!("cannot read {}: {error}", path.display()) })
        };
        ClientIdentity::pem(&read(chain.as_ref())?, &read(key.as_ref())?)
    }

    pub(crate) fn parts(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        (self.chain.clone(), self.key.clone_key())
    }
}

impl std::fmt::Debug for ClientIdentity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ClientIdentity").field("certificates", &self.chain.len()).finish_non_exhaustive()
    }
}
