//! Whom the client believes to be the server.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};

use crate::error::ClientError;

/// Which certificate the server must show.
///
/// A server is trusted when it shows exactly a pinned certificate, whatever name and dates that one carries, or one
/// that a certificate of the PEM file has signed for the server's name and that is valid today.
#[derive(Clone, Debug)]
pub struct TrustAnchor {
    certificates: Vec<CertificateDer<'static>>,
    fingerprints: Vec<[u8; 32]>,
    server_name: Option<String>,
}

impl TrustAnchor {
    /// Trusts the certificates in PEM text: the server's own, or the authorities that sign for it.
    ///
    /// # Errors
    /// [`ClientError::TrustAnchor`] when the text holds no certificate or a broken one.
    pub fn pem(text: &[u8]) -> Result<TrustAnchor, ClientError> {
        let certificates = CertificateDer::pem_slice_iter(text)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| ClientError::TrustAnchor { reason: format!("this is not valid PEM: {error}") })?;
        if certificates.is_empty() {
            return Err(ClientError::TrustAnchor { reason: "the PEM text holds no CERTIFICATE".into() });
        }
        let fingerprints = certificates.iter().map(|certificate| fingerprint_of(certificate)).collect();
        Ok(TrustAnchor { certificates, fingerprints, server_name: None })
    }

    /// Trusts the certificates in a PEM file, as [`pem`](TrustAnchor::pem) does.
    ///
    /// # Errors
    /// [`ClientError::TrustAnchor`] when the file cannot be read, or for what it holds.
    pub fn pem_file(path: impl AsRef<Path>) -> Result<TrustAnchor, ClientError> {
        let path = path.as_ref();
        let text = std::fs::read(path)
            .map_err(|error| ClientError::TrustAnchor { reason: format!("cannot read {}: {error}", path.display()) })?;
        TrustAnchor::pem(&text).map_err(|error| match error {
            ClientError::TrustAnchor { reason } => {
                ClientError::TrustAnchor { reason: format!("{}: {reason}", path.display()) }
            }
            other => other,
        })
    }

    /// Trusts the one certificate whose DER form has this SHA-256.
    pub fn fingerprint(sha256: [u8; 32]) -> TrustAnchor {
        TrustAnchor { certificates: Vec::new(), fingerprints: vec![sha256], server_name: None }
    }

    /// Trusts the one certificate with this SHA-256, written as 64 hexadecimal digits; colons are allowed between.
    ///
    /// # Errors
    /// [`ClientError::TrustAnchor`] when it is not that.
    pub fn fingerprint_hex(text: &str) -> Result<TrustAnchor, ClientError> {
        let digits: Option<Vec<u8>> =
            text.chars().filter(|c| *c != ':').map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
        let bytes: Option<[u8; 32]> = digits.filter(|digits| digits.len() == 64).and_then(|digits| {
            digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect::<Vec<_>>().try_into().ok()
        });
        bytes.map(TrustAnchor::fingerprint).ok_or_else(|| ClientError::TrustAnchor {
            reason: format!("{text:?} is not a fingerprint; 64 hexadecimal digits are expected"),
        })
    }

    /// Asks for the server by this name; without it, by its IP address. Matters for certificates signed by another.
    pub fn with_server_name(mut self, name: impl Into<String>) -> TrustAnchor {
        self.server_name = Some(name.into());
        self
    }

    /// The name asked for, if one was set.
    pub(crate) fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// What rustls asks during the handshake.
    pub(crate) fn verifier(&self, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, ClientError> {
        let mut roots = RootCertStore::empty();
        for certificate in &self.certificates {
            roots.add(certificate.clone()).map_err(|error| ClientError::TrustAnchor { reason: error.to_string() })?;
        }
        let authorities = if roots.is_empty() {
            None
        } else {
            let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
            Some(built.map_err(|error| ClientError::TrustAnchor { reason: error.to_string() })?)
        };
        Ok(Arc::new(PinOrAuthority { fingerprints: self.fingerprints.clone(), authorities, provider }))
    }
}

/// Accepts a pinned leaf, else asks the authorities. The handshake's signature is always verified, so a pinned
/// certificate is worth nothing to somebody without its key.
#[derive(Debug)]
struct PinOrAuthority {
    fingerprints: Vec<[u8; 32]>,
    authorities: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinOrAuthority {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.fingerprints.contains(&fingerprint_of(leaf)) {
            return Ok(ServerCertVerified::assertion());
        }
        match &self.authorities {
            Some(webpki) => webpki.verify_server_cert(leaf, intermediates, server_name, ocsp_response, now),
            None => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn fingerprint_of(certificate: &[u8]) -> [u8; 32] {
    Sha256::digest(certificate).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_text_without_certificate() {
        for text in ["", "hello", "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n"] {
            assert!(matches!(TrustAnchor::pem(text.as_bytes()), Err(ClientError::TrustAnchor { .. })), "{text:?}");
        }
        let missing = TrustAnchor::pem_file("/nowhere/at/all.pem").unwrap_err().to_string();
        assert!(missing.contains("/nowhere/at/all.pem"), "{missing}");
    }

    #[test]
    fn reads_fingerprints_with_and_without_colons() {
        let plain = "00ff".repeat(16);
        let colons = plain.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair)).collect::<Vec<_>>().join(":");
        for text in [&plain, &colons] {
            let anchor = TrustAnchor::fingerprint_hex(text).unwrap();
            assert_eq!(anchor.fingerprints[0][..4], [0, 255, 0, 255]);
        }
        for text in ["", "00", "zz", &"0".repeat(63), &"0".repeat(66)] {
            assert!(TrustAnchor::fingerprint_hex(text).is_err(), "{text:?}");
        }
    }
}
