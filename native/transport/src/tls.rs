//! Certificates and TLS settings.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use quinn_proto::crypto::rustls::QuicServerConfig;
use rcgen::{CertificateParams, CertifiedKey, DnType, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{InconsistentKeys, ServerConfig};
use sha2::{Digest, Sha256};

use crate::config::Certificate;
use crate::error::TransportError;

/// What client and server must both name in the handshake.
const ALPN: &[u8] = b"lodestone/1";

/// The server's certificate and everything TLS needs.
pub(crate) struct Identity {
    /// The leaf as DER.
    pub(crate) leaf_der: Vec<u8>,
    /// The whole chain as PEM, without the key.
    pub(crate) pem: String,
    pub(crate) crypto: Arc<QuicServerConfig>,
}

impl Identity {
    /// Makes or reads the certificate.
    ///
    /// # Errors
    /// A file that is missing, is no PEM, holds no certificate or key, or a key that belongs to another certificate.
    pub(crate) fn load(certificate: &Certificate, listen: SocketAddr) -> Result<Identity, TransportError> {
        match certificate {
            Certificate::SelfSigned => self_signed(listen),
            Certificate::Pem { certificate_file, key_file } => from_files(certificate_file, key_file),
        }
    }

    /// SHA-256 of the leaf.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(&self.leaf_der).into()
    }
}

fn self_signed(listen: SocketAddr) -> Result<Identity, TransportError> {
    let failed = |error: rcgen::Error| TransportError::SelfSigned { reason: error.to_string() };
    let CertifiedKey { cert, signing_key } = make_certificate(listen.ip()).map_err(failed)?;
    let chain = vec![cert.der().clone()];
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let config =
        tls_config(chain.clone(), key.into()).map_err(|error| TransportError::Tls { reason: error.to_string() })?;
    identity(chain, config)
}

fn make_certificate(listen: IpAddr) -> Result<CertifiedKey<KeyPair>, rcgen::Error> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let listen = listen.to_string();
    if !names.contains(&listen) {
        names.push(listen);
    }
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "Lodestone, made at start");
    let signing_key = KeyPair::generate()?;
    let cert = params.self_signed(&signing_key)?;
    Ok(CertifiedKey { cert, signing_key })
}

fn from_files(certificate_file: &Path, key_file: &Path) -> Result<Identity, TransportError> {
    let certificate_fault =
        |reason: String| TransportError::CertificateFile { path: certificate_file.to_owned(), reason };
    let key_fault = |reason: String| TransportError::KeyFile { path: key_file.to_owned(), reason };

    let chain =
        std::fs::read(certificate_file).map_err(|error| certificate_fault(reading(&error))).and_then(|bytes| {
            CertificateDer::pem_slice_iter(&bytes)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| certificate_fault(parsing(&error, "certificate")))
        })?;
    if chain.is_empty() {
        return Err(certificate_fault(parsing(&pem::Error::NoItemsFound, "certificate")));
    }
    let bytes = std::fs::read(key_file).map_err(|error| key_fault(reading(&error)))?;
    let key = PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| key_fault(parsing(&error, "private key")))?;
    ring::sign::any_supported_type(&key).map_err(|error| key_fault(format!("the key cannot be used: {error}")))?;

    let config = tls_config(chain.clone(), key).map_err(|error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TransportError::CertificateKeyMismatch {
            certificate_file: certificate_file.to_owned(),
            key_file: key_file.to_owned(),
        },
        other => certificate_fault(format!("the certificate cannot be used: {other}")),
    })?;
    identity(chain, config)
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

/// TLS 1.3 only, no early data (moves must not be replayed), no tickets (a resumed handshake saves nothing here).
fn tls_config(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.max_early_data_size = 0;
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn identity(chain: Vec<CertificateDer<'static>>, config: ServerConfig) -> Result<Identity, TransportError> {
    let crypto =
        QuicServerConfig::try_from(config).map_err(|error| TransportError::Tls { reason: error.to_string() })?;
    let blocks: Vec<_> = chain.iter().map(|der| ::pem::Pem::new("CERTIFICATE", der.to_vec())).collect();
    let leaf_der = chain.first().map(|leaf| leaf.to_vec()).unwrap_or_default();
    Ok(Identity { leaf_der, pem: ::pem::encode_many(&blocks), crypto: Arc::new(crypto) })
}
