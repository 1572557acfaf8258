//! Certificates and keys: made at start, or read from PEM files.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, CertifiedKey as MadeKey, DnType, KeyPair};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, RootCertStore};

use crate::config::ClientCertificates;
use crate::error::TransportError;

/// A certificate made for `localhost`, both loopback addresses and the listen address.
pub(crate) fn self_signed(listen: IpAddr, provider: &CryptoProvider) -> Result<CertifiedKey, TransportError> {
    let failed = |error: rcgen::Error| TransportError::SelfSigned { reason: error.to_string() };
    let MadeKey { cert, signing_key } = make_certificate(listen).map_err(failed)?;
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    CertifiedKey::from_der(vec![cert.der().clone()], key.into(), provider)
        .map_err(|error| TransportError::Tls { reason: error.to_string() })
}

fn make_certificate(listen: IpAddr) -> Result<MadeKey<KeyPair>, rcgen::Error> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let listen = listen.to_string();
    if !names.contains(&listen) {
        names.push(listen);
    }
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "Lodestone, made at start");
    let signing_key = KeyPair::generate()?;
    let cert = params.self_signed(&signing_key)?;
    Ok(MadeKey { cert, signing_key })
}

/// The chain and the key of two files, which must belong together.
pub(crate) fn from_files(
    certificate_file: &Path,
    key_file: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TransportError> {
    let certificate_fault =
        |reason: String| TransportError::CertificateFile { path: certificate_file.to_owned(), reason };
    let key_fault = |reason: String| TransportError::KeyFile { path: key_file.to_owned(), reason };

    let chain = certificates_of(certificate_file).map_err(certificate_fault)?;
    let bytes = std::fs::read(key_file).map_err(|error| key_fault(reading(&error)))?;
    let key = PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| key_fault(parsing(&error, "private key")))?;
    ring::sign::any_supported_type(&key).map_err(|error| key_fault(format!("the key cannot be used: {error}")))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TransportError::CertificateKeyMismatch {
            certificate_file: certificate_file.to_owned(),
            key_file: key_file.to_owned(),
        },
        other => certificate_fault(format!("the certificate cannot be used: {other}")),
    })
}

/// Who checks the certificates of clients; `None`: they are not asked for one.
pub(crate) fn client_verifier(
    clients: &ClientCertificates,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TransportError> {
    let (ca_file, required) = match clients {
        ClientCertificates::Off => return Ok(None),
        ClientCertificates::Optional { ca_file } => (ca_file, false),
        ClientCertificates::Required { ca_file } => (ca_file, true),
    };
    let fault = |reason: String| TransportError::ClientCaFile { path: ca_file.clone(), reason };
    let mut roots = RootCertStore::empty();
    for certificate in certificates_of(ca_file).map_err(fault)? {
        roots.add(certificate).map_err(|error| fault(format!("a certificate in it cannot be used: {error}")))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = if required { builder } else { builder.allow_unauthenticated() };
    builder.build().map(Some).map_err(|error| fault(format!("its certificates cannot be used: {error}")))
}

fn certificates_of(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = std::fs::read(file).map_err(|error| reading(&error))?;
    let certificates = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| parsing(&error, "certificate"))?;
    if certificates.is_empty() { Err(parsing(&pem::Error::NoItemsFound, "certificate")) } else { Ok(certificates) }
}

fn reading(error: &io::Error) -> String {
    format!("cannot be read: {error}")
}

fn parsing(error: &pem::Error, wanted: &str) -> String {
    match error {
        pem::Error::NoItemsFound => format!("holds no {wanted} in PEM form (nothing begins with -----BEGIN …-----)"),
        other => format!("is not valid PEM: {other}"),
    }
}
